/* A frame's lines by the node that each names first: ``stream.core.stitch`` has it in Python. */
#ifndef TOUCHLINE_FRAME_H
#define TOUCHLINE_FRAME_H

#include "objects.h"

/* Of a list of pairs (number, line) a dict node -> list of those pairs, in the order in which nodes first appear. None if a
   line does not look as our encoder writes it, or for another sequence. */
PyObject *by_node(PyObject *module, PyObject *lines);

#endif
