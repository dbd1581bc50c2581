#include "shares.h"

#include "half_life.h"

#include <stdlib.h>

/* Where the compiler has no such numbers, all is Python's. */
#ifdef __SIZEOF_INT128__
#define WIDE 1
typedef unsigned __int128 wide;
#else
#define WIDE 0
typedef uint64_t wide;
#endif

#define DIGITS 20 /* of a number of 64 bits */
#define MOST_PLACES 18
/* Half-lives between the oldest touch and the newest: a weight is at most 2**31, and doubles with each of them. */
#define MOST_HALF_LIVES 31

/* False if it is no whole number, or too large; no exception is left. */
static bool whole_number(PyObject *object, int64_t *number) {
    long long found = PyLong_Check(object) ? PyLong_AsLongLong(object) : -1;
    if (found == -1 && (!PyLong_Check(object) || PyErr_Occurred())) {
        PyErr_Clear();
        return false;
    }
    *number = found;
    return true;
}

/* The numbers of a tuple, to be freed; NULL without an exception if one of them is too large, and with one if there is no memory. */
static int64_t *whole_numbers(PyObject *tuple, size_t count) {
    int64_t *numbers = malloc(count ? count * sizeof *numbers : 1);
    if (!numbers) {
        PyErr_NoMemory();
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        if (!whole_number(PyTuple_GetItem(tuple, (Py_ssize_t)i), &numbers[i])) {
            free(numbers);
            return NULL;
        }
    return numbers;
}

static PyObject *tuple_of(const int64_t *numbers, size_t count) {
    PyObject *tuple = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; tuple && i < count; i++) {
        PyObject *number = PyLong_FromLongLong(numbers[i]);
        if (!number || PyTuple_SetItem(tuple, (Py_ssize_t)i, number) < 0)
            Py_CLEAR(tuple);
    }
    return tuple;
}

static PyObject *none_or_failed(void) {
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

struct rest {
    wide left;
    size_t place;
};

/* The largest first; of equal ones the earliest. */
static int by_rest(const void *one, const void *other) {
    const struct rest *a = one, *b = other;
    if (a->left != b->left)
        return a->left > b->left ? -1 : 1;
    return a->place < b->place ? -1 : 1;
}

/* Parts of ``size`` in place of the weights, whose sum is ``whole``: largest remainders. */
static bool apportion(uint64_t size, int64_t *weights, size_t count, wide whole) {
    struct rest *rests = malloc(count * sizeof *rests);
    if (!rests) {
        PyErr_NoMemory();
        return false;
    }
    uint64_t left = size;
    for (size_t i = 0; i < count; i++) {
        wide share = (wide)size * (uint64_t)weights[i];
        bool small = share <= UINT64_MAX && whole <= UINT64_MAX; /* takes a fifth of the time */
        uint64_t part = small ? (uint64_t)share / (uint64_t)whole : (uint64_t)(share / whole);
        rests[i] = (struct rest){share - whole * part, i};
        weights[i] = (int64_t)part;
        left -= part;
    }
    if (left)
        qsort(rests, count, sizeof *rests, by_rest);
    for (uint64_t i = 0; i < left; i++)
        weights[rests[i].place]++;
    free(rests);
    return true;
}

static PyObject *split(PyObject *module, PyObject *args) {
    PyObject *total_of, *tuple;
    int64_t total;
    (void)module;
    if (!PyArg_ParseTuple(args, "OO!:split", &total_of, &PyTuple_Type, &tuple))
        return NULL;
    size_t count = (size_t)PyTuple_Size(tuple);
    int64_t *weights = WIDE && whole_number(total_of, &total) && total != INT64_MIN ? whole_numbers(tuple, count) : NULL;
    if (!weights)
        return none_or_failed();
    wide whole = 0;
    bool negative = false;
    for (size_t i = 0; i < count; i++) {
        negative |= weights[i] < 0;
        whole += (uint64_t)weights[i];
    }
    PyObject *parts = NULL;
    if (!negative && whole && apportion((uint64_t)(total < 0 ? -total : total), weights, count, whole)) {
        for (size_t i = 0; total < 0 && i < count; i++)
            weights[i] = -weights[i];
        parts = tuple_of(weights, count);
    }
    free(weights);
    return parts ? parts : none_or_failed();
}

/* Weights in place of the ages; false if they do not fit. */
static bool decay(int64_t *ages, size_t count, const struct growth *growth) {
    int64_t least = INT64_MAX, most = INT64_MIN, *wholes = malloc(count ? count * sizeof *wholes : 1);
    if (!wholes) {
        PyErr_NoMemory();
        return false;
    }
    bool fits = true;
    for (size_t i = 0; i < count && (fits = within_bounds(ages[i])); i++) {
        struct weight weight = growth_at(growth, -ages[i]);
        ages[i] = weight.number;
        wholes[i] = weight.exponent;
        least = weight.exponent < least ? weight.exponent : least;
        most = weight.exponent > most ? weight.exponent : most;
    }
    fits = fits && (!count || most - least <= MOST_HALF_LIVES);
    for (size_t i = 0; fits && i < count; i++)
        ages[i] = (int64_t)((uint64_t)ages[i] << (wholes[i] - least));
    free(wholes);
    return fits;
}

typedef struct {
    PyObject_HEAD
    struct growth growth;
} Decay;

static PyObject *new_decay(PyTypeObject *type, PyObject *args, PyObject *named) {
    static char *names[] = {"half_life_ms", "growth", NULL};
    long long half_life_ms;
    PyObject *growth;
    if (!PyArg_ParseTupleAndKeywords(args, named, "$LO:Decay", names, &half_life_ms, &growth))
        return NULL;
    Decay *self = (Decay *)allocated(type);
    if (self && fill_growth(&self->growth, half_life_ms, growth))
        return (PyObject *)self;
    Py_XDECREF((PyObject *)self);
    return NULL;
}

static PyObject *weights(PyObject *self, PyObject *tuple) {
    if (!PyTuple_Check(tuple)) {
        PyErr_SetString(PyExc_TypeError, "ages are a tuple");
        return NULL;
    }
    size_t count = (size_t)PyTuple_Size(tuple);
    int64_t *ages = whole_numbers(tuple, count);
    if (!ages)
        return none_or_failed();
    PyObject *found = decay(ages, count, &((Decay *)self)->growth) ? tuple_of(ages, count) : NULL;
    free(ages);
    return found ? found : none_or_failed();
}

PyDoc_STRVAR(weights_doc,
"weights(ages, /)\n--\n\n"
"By age in ms, as stream.core.attribution.arithmetic.time_decay has them.\n\n"
"Returns: a tuple; None if they do not fit into 64 bits.");
static PyMethodDef decay_methods[] = {{"weights", weights, METH_O, weights_doc}, {NULL, NULL, 0, NULL}};
static PyType_Slot decay_slots[] = {
    {Py_tp_doc, "Weights that halve with every half-life."},
    {Py_tp_new, new_decay},
    {Py_tp_dealloc, release},
    {Py_tp_methods, decay_methods},
    {0, NULL},
};
static PyType_Spec decay_spec = {"stream.core._everyday.Decay", sizeof(Decay), 0, Py_TPFLAGS_DEFAULT, decay_slots};

static PyObject *fixed_text(int64_t number, int places) {
    char text[DIGITS + 3], *at = text + sizeof text;
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
    int written = 0;
    do {
        if (written == places && places)
            *--at = '.';
        *--at = (char)('0' + left % 10);
        left /= 10;
        written++;
    } while (left || written <= places);
    if (number < 0)
        *--at = '-';
    return PyUnicode_FromStringAndSize(at, text + sizeof text - at);
}

static PyObject *fixed_texts(PyObject *module, PyObject *args) {
    PyObject *given;
    int places;
    (void)module;
    if (!PyArg_ParseTuple(args, "Oi:fixed_texts", &given, &places))
        return NULL;
    if (places < 0 || places > MOST_PLACES)
        Py_RETURN_NONE;
    PyObject *numbers = PySequence_Tuple(given), *texts = numbers ? PyList_New(PyTuple_Size(numbers)) : NULL;
    for (Py_ssize_t i = 0; texts && i < PyTuple_Size(numbers); i++) {
        int64_t number;
        PyObject *text = whole_number(PyTuple_GetItem(numbers, i), &number) ? fixed_text(number, places) : NULL;
        if (!text || PyList_SetItem(texts, i, text) < 0)
            Py_CLEAR(texts);
    }
    Py_XDECREF(numbers);
    return texts ? texts : none_or_failed();
}

PyDoc_STRVAR(split_doc,
"split(total, weights, /)\n--\n\n"
"As schemas.money.split does it.\n\n"
"Returns: a tuple; None if they do not fit into 64 bits or are no weights.");
PyDoc_STRVAR(fixed_texts_doc,
"fixed_texts(numbers, places, /)\n--\n\n"
"Each as schemas.money.fixed_text has it.\n\n"
"Returns: a list; None if one of them does not fit into 64 bits.");
static PyMethodDef functions[] = {
    {"split", split, METH_VARARGS, split_doc},
    {"fixed_texts", fixed_texts, METH_VARARGS, fixed_texts_doc},
    {NULL, NULL, 0, NULL},
};

int add_shares(PyObject *module) {
    int result = PyModule_AddFunctions(module, functions);
    return result < 0 ? result : add_object(module, "Decay", PyType_FromSpec(&decay_spec));
}
