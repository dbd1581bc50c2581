/* ``stream.core._everyday``: what is everyday, on packed records. Used by ``stream/core/everyday.py`` and ``everyday_touches.py``. */
#include "frame.h"
#include "journeys.h"
#include "shares.h"

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
    static char *names[] = {"gap_ms", "max_ms", "engaged_ms", "engaged_views", "trusting", "direct", "blank", "page_of",
                            "company_of", "origin_of", "owner_of", "user_of", "known_since", NULL};
    long long gap_ms, max_ms, engaged_ms, engaged_views;
    int trusting;
    PyObject *direct, *blank, *page_of, *company_of, *origin_of, *owner_of, *user_of, *known_since;
    if (!PyArg_ParseTupleAndKeywords(args, named, "$LLLLpSSOOOOOO:Everyday", names, &gap_ms, &max_ms, &engaged_ms,
                                     &engaged_views, &trusting, &direct, &blank, &page_of, &company_of, &origin_of, &owner_of,
                                     &user_of, &known_since) ||
        !within(gap_ms, "gap_ms") || !within(max_ms, "max_ms") || !within(engaged_ms, "engaged_ms") ||
        !within(engaged_views, "engaged_views"))
        return NULL;
    Everyday *self = (Everyday *)allocated(type);
    if (!self)
        return NULL;
    struct rules *rules = &self->rules;
    rules->gap_ms = gap_ms;
    rules->max_ms = max_ms;
    rules->engaged_ms = engaged_ms;
    rules->engaged_views = engaged_views;
    rules->trusting = trusting;
    rules->direct = kept(direct);
    rules->blank = kept(blank);
    rules->known_since = kept(known_since);
    if (make_cache(&rules->pages, page_of) && make_cache(&rules->companies, company_of) &&
        make_cache(&rules->origins, origin_of) && make_cache(&rules->users, user_of) && make_cache(&rules->owners, owner_of))
        return (PyObject *)self;
    Py_DECREF(self);
    return NULL;
}

static void drop_everyday(PyObject *self) {
    struct rules *rules = &((Everyday *)self)->rules;
    drop_cache(&rules->pages);
    drop_cache(&rules->companies);
    drop_cache(&rules->origins);
    drop_cache(&rules->users);
    drop_cache(&rules->owners);
    Py_CLEAR(rules->direct);
    Py_CLEAR(rules->blank);
    Py_CLEAR(rules->known_since);
    release(self);
}

PyDoc_STRVAR(frame_doc,
"frame(value, records, at, forgotten, offset, address, version_and_address, /)\n--\n\n"
"A frame's lines, to go on with the newest sessions of their visitors' records, or with others that they begin.\n\n"
"Returns: None if Python is to take all of it.");

static PyObject *frame(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    return new_frame(self, &((Everyday *)self)->rules, args, count);
}

static PyMethodDef everyday_methods[] = {
    {"frame", (PyCFunction)(void (*)(void))frame, METH_FASTCALL, frame_doc},
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
        "{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:N}",
        "Seen", SEEN_FIELDS(NAME), "Cluster", CLUSTER_FIELDS(NAME), "Session",
        SESSION_FIELDS(NAME), "Source", SOURCE_FIELDS(NAME), "Item", ITEM_FIELDS(NAME), "Hit", HIT_FIELDS(NAME),
        "NodeState", NODE_FIELDS(NAME),
        "Event", EVENT_FIELDS(KEY), "SessionColumns", SESSION_COLUMNS, "Touch", TOUCH_FIELDS(KEY), "TouchPut", TOUCH_PUT_FIELDS(KEY),
        "Header", HEADER_FIELDS(NAME), "StoredTouch", STORED_TOUCH_FIELDS(NAME), "PersonTally", TALLY_FIELDS(NAME), "Day",
        DAY_FIELDS(NAME), "Fired", FIRED_FIELDS(NAME), "AccountRow", ACCOUNT_COLUMNS, "EngagementRow", ENGAGEMENT_COLUMNS,
        "interface", INTERFACE, "room", PyUnicode_FromFormat("%d %d %d", HITS_BYTES, IDS * HASH_BYTES, SHEET_BYTES));
    return add_object(module, "LAYOUT", layout);
}

static int fill_module(PyObject *module) {
    make_crc_tables();
    int result = add_object(module, "Everyday", PyType_FromSpec(&everyday_spec));
    if (result < 0 || add_object(module, "Journeys", make_journeys_type()) < 0 ||
        add_shares(module) < 0 || !make_frame_type() || add_layout(module) < 0)
        return -1;
    return PyModule_AddStringConstant(module, "SOURCES", SOURCES) < 0 ? -1 : add_bounds_of_journeys(module);
}

static PyObject *line_ends(PyObject *module, PyObject *frame) {
    struct span text;
    (void)module;
    return span_of_bytes(frame, &text) ? PyLong_FromSize_t(count_line_ends(text)) : NULL;
}

static PyMethodDef functions[] = {
    {"line_ends", line_ends, METH_O, "line_ends(frame, /)\n--\n\nHow many line ends a frame has."},
    {NULL, NULL, 0, NULL},
};
static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, fill_module}, {0, NULL}};
static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_everyday", "What is everyday, on packed records.", 0, functions, module_slots,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__everyday(void) { return PyModuleDef_Init(&module); }
