/* What is needed of Python's objects: bytes as spans and back. */
#ifndef TOUCHLINE_OBJECTS_H
#define TOUCHLINE_OBJECTS_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include "span.h"

/* REFUSED: Python's way is to decide. FAILED: an exception is set. In both cases a group has no effects (``frame.c``). */
enum verdict { TAKEN, REFUSED, FAILED };

/* False, with an exception, if it is no such object. The span lasts as long as the object. */
bool span_of_bytes(PyObject *object, struct span *span);
bool span_of_text(PyObject *object, struct span *span);

/* How large pieces are together, and where they end once they are copied. */
size_t size_of(const struct span *pieces, int count);
uint8_t *copy_pieces(uint8_t *to, const struct span *pieces, int count);

PyObject *joined(const struct span *pieces, int count);

/* A number in decimal. ``to`` has room for DECIMAL_BYTES. */
#define DECIMAL_BYTES 20
struct span decimal(uint8_t *to, int64_t number);

/* A new object of a type that was made of a specification, all zero; NULL with an exception. ``release`` is the end of its dealloc. */
PyObject *allocated(PyTypeObject *type);
void release(PyObject *object);

/* Takes the reference to ``object``, which may be NULL. -1 with an exception. */
int add_object(PyObject *module, const char *name, PyObject *object);

/* Begins something that is not done twice at a time. False, with an exception, if it is under way. */
bool enters(bool *busy);

/* False, with an exception, if it is none of that size. */
bool is_tuple(PyObject *object, int size);

#endif
