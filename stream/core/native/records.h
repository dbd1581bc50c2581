/* The records of a partition (``stream.core.state.Records``): what is at hand is looked up here, for all else Python is asked. */
#ifndef TOUCHLINE_RECORDS_H
#define TOUCHLINE_RECORDS_H

#include "objects.h"

/* All of them borrowed of the tuple. */
struct records {
    PyObject *get, *put, *at_hand, *changed, *scans;
};

/* False, with an exception, if it is no such tuple. */
bool read_records(PyObject *tuple, struct records *records);

/* The record under a name: a new reference, None if there is none, NULL with an exception. */
PyObject *get_record(const struct records *records, PyObject *name);

/* False with an exception. */
bool put_record(const struct records *records, PyObject *name, PyObject *packed);

#endif
