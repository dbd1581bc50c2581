/* A frame of touches on its way: its accounts one after the other, until Python is to take one. */
#ifndef TOUCHLINE_JOURNEYS_H
#define TOUCHLINE_JOURNEYS_H

#include "objects.h"

/* The types ``Journeys`` and ``Touches``, the first of which is for Python. A new reference; NULL with an exception. */
PyObject *make_journeys_type(void);

/* What Python has to keep within: ``ALERTS`` and ``LONGEST_HALF_LIFE_MS``. -1 with an exception. */
int add_bounds_of_journeys(PyObject *module);

#endif
