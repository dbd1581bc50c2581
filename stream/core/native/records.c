#include "records.h"

static PyObject *dict_in(PyObject *tuple, Py_ssize_t place) {
    PyObject *dict = PyTuple_GetItem(tuple, place);
    if (PyDict_Check(dict))
        return dict;
    PyErr_SetString(PyExc_TypeError, "what is at hand is a dict");
    return NULL;
}

bool read_records(PyObject *tuple, struct records *records) {
    if (!is_tuple(tuple, 5))
        return false;
    *records = (struct records){PyTuple_GetItem(tuple, 0), PyTuple_GetItem(tuple, 1), dict_in(tuple, 2), dict_in(tuple, 3),
                                dict_in(tuple, 4)};
    return records->at_hand && records->changed && records->scans;
}

PyObject *get_record(const struct records *records, PyObject *name) {
    PyObject *found = PyDict_GetItemWithError(records->at_hand, name);
    if (found && PyBytes_CheckExact(found))
        return Py_INCREF(found), found;
    return PyErr_Occurred() ? NULL : PyObject_CallFunctionObjArgs(records->get, name, NULL);
}

bool put_record(const struct records *records, PyObject *name, PyObject *packed) {
    if (!PyDict_Size(records->scans) && PyDict_GetItemWithError(records->changed, name))
        return PyDict_SetItem(records->changed, name, packed) == 0 && PyDict_SetItem(records->at_hand, name, packed) == 0;
    PyObject *done = PyErr_Occurred() ? NULL : PyObject_CallFunctionObjArgs(records->put, name, packed, NULL);
    Py_XDECREF(done);
    return done;
}
