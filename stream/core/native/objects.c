#include "objects.h"

/* Answers of each kind, at most, and bytes of a question whose answer is kept. */
#define KEPT (1 << 14)
#define KEPT_BYTES 1024

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

PyObject *joined(const struct span *pieces, int count) {
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += pieces[i].size;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (!bytes)
        return NULL;
    char *to = PyBytes_AsString(bytes);
    for (int i = 0; i < count; i++) {
        if (pieces[i].size)
            memcpy(to, pieces[i].at, pieces[i].size);
        to += pieces[i].size;
    }
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

static enum verdict told(PyObject **answer) {
    if (!*answer)
        return FAILED;
    if (*answer != Py_None)
        return TAKEN;
    Py_CLEAR(*answer);
    return REFUSED;
}

static PyObject *kept(struct answers *answers, PyObject *question) {
    PyObject *answer = PyObject_CallFunctionObjArgs(answers->ask, question, NULL);
    if (!answer || PyBytes_Size(question) > KEPT_BYTES)
        return answer;
    if (PyDict_Size(answers->known) >= KEPT)
        PyDict_Clear(answers->known);
    if (PyDict_SetItem(answers->known, question, answer) < 0)
        Py_CLEAR(answer);
    return answer;
}

enum verdict look_up(struct answers *answers, const uint8_t *question, size_t size, PyObject **answer) {
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)question, (Py_ssize_t)size);
    if (!bytes)
        return FAILED;
    *answer = PyDict_GetItemWithError(answers->known, bytes);
    if (*answer)
        Py_INCREF(*answer);
    else if (!PyErr_Occurred())
        *answer = kept(answers, bytes);
    Py_DECREF(bytes);
    return told(answer);
}

enum verdict ask(struct answers *answers, const uint8_t *question, size_t size, PyObject **answer) {
    *answer = PyObject_CallFunction(answers->ask, "y#", (const char *)question, (Py_ssize_t)size);
    return told(answer);
}
