/* ``stream.core._everyday``: the everyday event on the visitor's packed record. ``stream/core/everyday.py`` uses it. */
#include "frame.h"
#include "visit.h"

typedef struct {
    PyObject_HEAD
    struct rules rules;
} Everyday;

static bool within(int64_t number, const char *name) {
    if (0 <= number && number < BOUND)
        return true;
    PyErr_Format(PyExc_ValueError, "%s is out of bounds", name);
    return false;
}

static PyObject *kept(PyObject *object) {
    Py_INCREF(object);
    return object;
}

static PyObject *new_everyday(PyTypeObject *type, PyObject *args, PyObject *named) {
    static char *names[] = {"gap_ms", "max_ms", "engaged_ms", "engaged_views", "trusting", "direct", "page_of",
                            "company_of", "origin_of", "owner_of", "user_of", "known_since", NULL};
    long long gap_ms, max_ms, engaged_ms, engaged_views;
    int trusting;
    PyObject *direct, *page_of, *company_of, *origin_of, *owner_of, *user_of, *known_since;
    if (!PyArg_ParseTupleAndKeywords(args, named, "$LLLLpSOOOOOO:Everyday", names, &gap_ms, &max_ms, &engaged_ms,
                                     &engaged_views, &trusting, &direct, &page_of, &company_of, &origin_of, &owner_of,
                                     &user_of, &known_since) ||
        !within(gap_ms, "gap_ms") || !within(max_ms, "max_ms") || !within(engaged_ms, "engaged_ms") ||
        !within(engaged_views, "engaged_views"))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Everyday *self = (Everyday *)allocate(type, 0);
    if (!self)
        return NULL;
    struct rules *rules = &self->rules;
    rules->gap_ms = gap_ms;
    rules->max_ms = max_ms;
    rules->engaged_ms = engaged_ms;
    rules->engaged_views = engaged_views;
    rules->trusting = trusting;
    rules->direct = kept(direct);
    rules->owner_of = kept(owner_of);
    rules->user_of = kept(user_of);
    rules->known_since = kept(known_since);
    if (make_cache(&rules->pages, page_of) && make_cache(&rules->companies, company_of) &&
        make_cache(&rules->origins, origin_of))
        return (PyObject *)self;
    Py_DECREF(self);
    return NULL;
}

static void drop_everyday(PyObject *self) {
    struct rules *rules = &((Everyday *)self)->rules;
    PyTypeObject *type = Py_TYPE(self);
    drop_cache(&rules->pages);
    drop_cache(&rules->companies);
    drop_cache(&rules->origins);
    Py_CLEAR(rules->direct);
    Py_CLEAR(rules->owner_of);
    Py_CLEAR(rules->user_of);
    Py_CLEAR(rules->known_since);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

/* A number beyond what is handled here is REFUSED. */
static enum verdict read_number(PyObject *object, int64_t *number) {
    int overflow;
    *number = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (PyErr_Occurred())
        return FAILED;
    return overflow || *number < 0 || *number >= BOUND ? REFUSED : TAKEN;
}

enum { PACKED, NODE, LINES, AT, FORGOTTEN, OFFSET, ADDRESS, EVENT_ROWS, VERSION_AND_ADDRESS, SESSION_ROWS, ARGUMENTS };

static enum verdict read_frame(PyObject *const *args, struct frame *frame) {
    const struct { int place; int64_t *number; } numbers[] = {
        {AT, &frame->at}, {OFFSET, &frame->offset}, {EVENT_ROWS, &frame->event_rows},
        {SESSION_ROWS, &frame->session_rows},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        enum verdict verdict = read_number(args[numbers[i].place], numbers[i].number);
        if (verdict != TAKEN)
            return verdict;
    }
    if (!span_of_bytes(args[FORGOTTEN], &frame->forgotten) || !span_of_bytes(args[ADDRESS], &frame->address) ||
        !span_of_text(args[VERSION_AND_ADDRESS], &frame->version_and_address))
        return FAILED;
    if (frame->forgotten.size == 8)
        return TAKEN;
    PyErr_SetString(PyExc_ValueError, "forgotten is a time of eight bytes");
    return FAILED;
}

static enum verdict take_lines(struct visit *visit, PyObject *lines) {
    for (Py_ssize_t i = 0; i < PyList_Size(lines); i++) {
        PyObject *pair = PyList_GetItem(lines, i);
        PyObject *line = pair ? PyTuple_GetItem(pair, 1) : NULL;
        enum verdict verdict = line ? take_line(visit, line) : FAILED;
        if (verdict != TAKEN)
            return verdict;
    }
    return TAKEN;
}

static PyObject *result_of(enum verdict verdict, struct visit *visit) {
    PyObject *result = NULL;
    if (verdict == TAKEN)
        result = PyTuple_Pack(5, visit->packed, visit->rows, visit->session_rows, visit->messages, visit->shelved);
    else if (verdict == REFUSED)
        Py_INCREF(result = Py_None);
    drop_visit(visit);
    return result;
}

/* No visit is under way, so nobody uses an answer that was forgotten. */
static void tidy_up(struct rules *rules) {
    tidy(&rules->pages);
    tidy(&rules->companies);
    tidy(&rules->origins);
}

PyDoc_STRVAR(go_on_doc,
"go_on(packed, node, lines, at, forgotten, offset, address, event_rows, version_and_address, session_rows, /)\n--\n\n"
"Let a frame's lines of one visitor go on with the newest session of the record, or with others that they begin.\n\n"
"Returns: None if Python's way is to decide; else the new record, the events' rows, the sessions' rows, pairs of the\n"
"account's hash and message to it, and pairs of start and record of the clusters that are no longer the newest.");

static PyObject *go_on(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    struct frame frame;
    struct visit visit;
    if (count != ARGUMENTS) {
        PyErr_Format(PyExc_TypeError, "go_on takes %d arguments", ARGUMENTS);
        return NULL;
    }
    visit.rules = &((Everyday *)self)->rules;
    visit.frame = &frame;
    visit.packed = visit.rows = visit.session_rows = visit.messages = visit.shelved = NULL;
    visit.owner = NULL;
    if (!PyBytes_Check(args[PACKED]) || !PyList_Check(args[LINES])) {
        PyErr_SetString(PyExc_TypeError, "a record is bytes, and lines are a list of pairs");
        return NULL;
    }
    if (!span_of_text(args[NODE], &visit.node))
        return NULL;
    enum verdict verdict = read_frame(args, &frame);
    if (verdict == TAKEN && !visit.rules->busy)
        tidy_up(visit.rules);
    visit.rules->busy++;
    if (verdict == TAKEN)
        verdict = begin_visit(&visit, args[PACKED]);
    if (verdict == TAKEN)
        verdict = take_lines(&visit, args[LINES]);
    if (verdict == TAKEN)
        verdict = end_run(&visit);
    visit.rules->busy--;
    return result_of(verdict, &visit);
}

static PyMethodDef everyday_methods[] = {
    {"go_on", (PyCFunction)(void (*)(void))go_on, METH_FASTCALL, go_on_doc},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot everyday_slots[] = {
    {Py_tp_doc, "The everyday way under one version of the rules. Its callables answer what is\n"
                "not known yet (stream/core/everyday.py). They do not know this object: no cycle."},
    {Py_tp_new, new_everyday},
    {Py_tp_dealloc, drop_everyday},
    {Py_tp_methods, everyday_methods},
    {0, NULL},
};
static PyType_Spec everyday_spec = {
    "stream.core._everyday.Everyday", sizeof(Everyday), 0, Py_TPFLAGS_DEFAULT, everyday_slots,
};

/* A digest of these files (build_native.py). */
#ifndef SOURCES
#define SOURCES ""
#endif

#define NAME(name) #name " "
#define KEY(name, kind) #name ":" #kind " "

/* The structs' fields as C knows them: name of the struct -> names, with a space behind each. */
static int add_layout(PyObject *module) {
    PyObject *layout = Py_BuildValue(
        "{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "Seen", SEEN_FIELDS(NAME), "Cluster", CLUSTER_FIELDS(NAME), "Session",
        SESSION_FIELDS(NAME), "Source", SOURCE_FIELDS(NAME), "Item", ITEM_FIELDS(NAME), "Hit", HIT_FIELDS(NAME),
        "Event", EVENT_FIELDS(KEY));
    int result = layout ? PyModule_AddObjectRef(module, "LAYOUT", layout) : -1;
    Py_XDECREF(layout);
    return result;
}

static int fill_module(PyObject *module) {
    make_crc_tables();
    PyObject *type = PyType_FromSpec(&everyday_spec);
    int result = type ? PyModule_AddObjectRef(module, "Everyday", type) : -1;
    Py_XDECREF(type);
    if (result < 0 || add_layout(module) < 0 || PyModule_AddStringConstant(module, "SOURCES", SOURCES) < 0 ||
        PyModule_AddIntConstant(module, "HITS_BYTES", HITS_BYTES) < 0)
        return -1;
    return PyModule_AddIntConstant(module, "ID_BYTES", IDS * HASH_BYTES);
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, fill_module}, {0, NULL}};
PyDoc_STRVAR(by_node_doc,
"by_node(lines, /)\n--\n\n"
"A frame's lines by the node that each names first; None if one does not look as our encoder writes it.");
static PyMethodDef module_methods[] = {{"by_node", by_node, METH_O, by_node_doc}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_everyday", "The everyday event on the visitor's packed record.", 0, module_methods, module_slots,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__everyday(void) { return PyModuleDef_Init(&module); }
