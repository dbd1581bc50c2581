/* What a restatement works out for each of its touches (``stream/core/attribution/arithmetic.py``), on numbers of 64 bits: each of
   these gives None if that is not enough, and then Python's way is to do it. */
#ifndef TOUCHLINE_SHARES_H
#define TOUCHLINE_SHARES_H

#include "objects.h"

/* -1 with an exception. */
int add_shares(PyObject *module);

#endif
