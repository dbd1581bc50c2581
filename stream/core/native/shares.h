/* What a restatement works out for each of its touches (``stream/core/attribution/arithmetic.py``), on numbers of 64 bits: each of
   these gives None if that is not enough, and then Python's way is to do it. */
#ifndef TOUCHLINE_SHARES_H
#define TOUCHLINE_SHARES_H

#include "objects.h"

PyObject *split(PyObject *module, PyObject *args);
extern const char split_doc[];
PyObject *fixed_texts(PyObject *module, PyObject *args);
extern const char fixed_texts_doc[];
PyObject *make_decay_type(void);

#endif
