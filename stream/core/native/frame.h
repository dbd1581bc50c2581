/* A frame on its way: its visitors one after the other, until Python is to take one. */
#ifndef TOUCHLINE_FRAME_H
#define TOUCHLINE_FRAME_H

#include "groups.h"
#include "visit.h"

/* To be called before; false with an exception. */
bool make_frame_type(void);

/* ``Everyday.frame``: ``owner`` has the rules. A new reference; None if Python is to take all of the frame. */
PyObject *new_frame(PyObject *owner, struct rules *rules, PyObject *const *args, Py_ssize_t count);

#endif
