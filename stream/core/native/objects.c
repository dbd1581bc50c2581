#include "objects.h"

bool span_of_bytes(PyObject *object, struct span *span) {
    char *at;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(object, &at, &size) < 0)
        return false;
    *span = (struct span){(const uint8_t *)at, (size_t)size};
    return true;
}

bool span_of_text(PyObject *object, struct span *span) {
    Py_ssize_t size;
    const char *at = PyUnicode_AsUTF8AndSize(object, &size);
    if (!at)
        return false;
    *span = (struct span){(const uint8_t *)at, (size_t)size};
    return true;
}

size_t size_of(const struct span *pieces, int count) {
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += pieces[i].size;
    return size;
}

uint8_t *copy_pieces(uint8_t *to, const struct span *pieces, int count) {
    for (int i = 0; i < count; i++) {
        if (pieces[i].size)
            memcpy(to, pieces[i].at, pieces[i].size);
        to += pieces[i].size;
    }
    return to;
}

PyObject *joined(const struct span *pieces, int count) {
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size_of(pieces, count));
    if (bytes)
        copy_pieces((uint8_t *)PyBytes_AsString(bytes), pieces, count);
    return bytes;
}

struct span decimal(uint8_t *to, int64_t number) {
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
    uint8_t *at = to + DECIMAL_BYTES;
    do {
        *--at = (uint8_t)('0' + left % 10);
        left /= 10;
    } while (left);
    if (number < 0)
        *--at = '-';
    return (struct span){at, (size_t)(to + DECIMAL_BYTES - at)};
}

PyObject *allocated(PyTypeObject *type) {
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    return allocate(type, 0);
}

void release(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    freefunc free = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free(object);
    Py_DECREF(type);
}

int add_object(PyObject *module, const char *name, PyObject *object) {
    int result = object ? PyModule_AddObjectRef(module, name, object) : -1;
    Py_XDECREF(object);
    return result;
}

bool enters(bool *busy) {
    if (*busy)
        PyErr_SetString(PyExc_RuntimeError, "it is called by what it called");
    return !*busy && (*busy = true);
}

bool is_tuple(PyObject *object, int size) {
    if (PyTuple_Check(object) && PyTuple_Size(object) == size)
        return true;
    PyErr_SetString(PyExc_TypeError, "an answer is a tuple of another size");
    return false;
}
