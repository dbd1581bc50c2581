#include "frame.h"

/* The node that a line names first, as ``schemas.codec.line_of`` writes it; NULL without an exception if it does not look so. */
static PyObject *node_of(PyObject *bytes) {
    static const char first[] = "{\"node\":\"";
    struct span line;
    if (!span_of_bytes(bytes, &line))
        return NULL;
    if (line.size < sizeof first || memcmp(line.at, first, sizeof first - 1) != 0 || line.at[line.size - 1] != '}')
        return NULL;
    const uint8_t *begin = line.at + sizeof first - 1, *end = memchr(begin, '"', line.size - (sizeof first - 1));
    if (!end || memchr(begin, '\\', (size_t)(end - begin)))
        return NULL;
    PyObject *node = PyUnicode_DecodeUTF8((const char *)begin, end - begin, NULL);
    if (!node && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
        PyErr_Clear();
    return node;
}

static bool add_line(PyObject *groups, PyObject *node, PyObject *pair) {
    PyObject *group = PyDict_GetItemWithError(groups, node);
    if (group)
        return PyList_Append(group, pair) == 0;
    if (PyErr_Occurred() || !(group = PyList_New(0)))
        return false;
    bool added = PyList_Append(group, pair) == 0 && PyDict_SetItem(groups, node, group) == 0;
    Py_DECREF(group);
    return added;
}

PyObject *by_node(PyObject *module, PyObject *lines) {
    (void)module;
    if (!PyList_Check(lines))
        return Py_INCREF(Py_None), Py_None;
    PyObject *groups = PyDict_New();
    if (!groups)
        return NULL;
    for (Py_ssize_t i = 0; i < PyList_Size(lines); i++) {
        PyObject *pair = PyList_GetItem(lines, i), *bytes = pair ? PyTuple_GetItem(pair, 1) : NULL;
        PyObject *node = bytes ? node_of(bytes) : NULL;
        bool added = node && add_line(groups, node, pair);
        Py_XDECREF(node);
        if (added)
            continue;
        Py_DECREF(groups);
        return PyErr_Occurred() ? NULL : (Py_INCREF(Py_None), Py_None);
    }
    return PyErr_Occurred() ? (Py_DECREF(groups), NULL) : groups;
}
