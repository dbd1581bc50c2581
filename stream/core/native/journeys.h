/* A frame of touches on its way: its accounts one after the other, until Python is to take one. */
#ifndef TOUCHLINE_JOURNEYS_H
#define TOUCHLINE_JOURNEYS_H

#include "objects.h"

/* The types ``Journeys`` and ``Touches``, the first of which is for Python. A new reference; NULL with an exception. */
PyObject *make_journeys_type(void);

#endif
