#include "frame.h"

#include "records.h"

enum { FRAME, RECORDS, AT, FORGOTTEN, OFFSET, ADDRESS, VERSION_AND_ADDRESS, ARGUMENTS };

typedef struct {
    PyObject_HEAD
    PyObject *owner; /* keeps the rules */
    PyObject *argument[ARGUMENTS];
    struct rules *rules;
    struct records records;
    struct frame frame;
    struct groups groups;
    uint32_t next; /* group */
    bool general; /* of the group that is left, as in ``struct visit`` */
    bool busy;
} Frame;

/* A number beyond what is handled here is REFUSED. */
static enum verdict read_number(PyObject *object, int64_t *number) {
    int overflow;
    *number = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (PyErr_Occurred())
        return FAILED;
    return overflow || *number < 0 || *number >= BOUND ? REFUSED : TAKEN;
}

static enum verdict read_frame(Frame *self) {
    PyObject **argument = self->argument;
    struct frame *frame = &self->frame;
    struct span value;
    if (!span_of_bytes(argument[FRAME], &value) || !read_records(argument[RECORDS], &self->records) ||
        !span_of_bytes(argument[FORGOTTEN], &frame->forgotten) ||
        !span_of_bytes(argument[ADDRESS], &frame->address) ||
        !span_of_text(argument[VERSION_AND_ADDRESS], &frame->version_and_address))
        return FAILED;
    if (frame->forgotten.size != 8) {
        PyErr_SetString(PyExc_ValueError, "forgotten is a time of eight bytes");
        return FAILED;
    }
    enum verdict verdict = read_number(argument[AT], &frame->at);
    if (verdict == TAKEN)
        verdict = read_number(argument[OFFSET], &frame->offset);
    return verdict == TAKEN ? make_groups(&self->groups, value, read_node) : verdict;
}

/* The type; it lasts as long as the process. */
static PyObject *frames;

PyObject *new_frame(PyObject *owner, struct rules *rules, PyObject *const *args, Py_ssize_t count) {
    if (count != ARGUMENTS) {
        PyErr_Format(PyExc_TypeError, "frame takes %d arguments", ARGUMENTS);
        return NULL;
    }
    Frame *self = (Frame *)allocated((PyTypeObject *)frames);
    if (!self)
        return NULL;
    self->rules = rules;
    Py_INCREF(self->owner = owner);
    for (int i = 0; i < ARGUMENTS; i++)
        Py_INCREF(self->argument[i] = args[i]);
    enum verdict verdict = read_frame(self);
    if (verdict == TAKEN)
        return (PyObject *)self;
    Py_DECREF(self);
    return verdict == REFUSED ? (Py_INCREF(Py_None), Py_None) : NULL;
}

static void drop_frame(PyObject *object) {
    Frame *self = (Frame *)object;
    drop_groups(&self->groups);
    drop_buffer(&self->frame.rows);
    drop_buffer(&self->frame.session_rows);
    Py_CLEAR(self->frame.messages);
    Py_CLEAR(self->frame.shelved);
    Py_CLEAR(self->frame.sheets);
    Py_CLEAR(self->owner);
    for (int i = 0; i < ARGUMENTS; i++)
        Py_CLEAR(self->argument[i]);
    release(object);
}

/* Of a node. Longer ones are rare, and Python's way takes them. */
#define KEY_BYTES 1024

/* The name of a node's record (``stream.core.seen.record_key``), NULL with an exception. */
static PyObject *record_key(struct span node) {
    char name[2 + KEY_BYTES];
    memcpy(name, "x\0", 2);
    memcpy(name + 2, node.at, node.size);
    return PyUnicode_DecodeUTF8(name, (Py_ssize_t)(2 + node.size), NULL);
}

static enum verdict take_lines(Frame *self, struct visit *visit, const struct group *group) {
    for (uint32_t line = group->first; line != NO_LINE; line = self->groups.line[line].next) {
        enum verdict verdict = take_line(visit, self->groups.line[line].text);
        if (verdict != TAKEN)
            return verdict;
    }
    return TAKEN;
}

static enum verdict go_on_with(Frame *self, struct visit *visit, const struct group *group, PyObject *packed) {
    visit->rules = self->rules;
    visit->frame = &self->frame;
    visit->node = group->node;
    visit->packed = visit->owner = NULL;
    enum verdict verdict = begin_visit(visit, packed);
    if (verdict == TAKEN)
        verdict = take_lines(self, visit, group);
    return verdict == TAKEN ? end_run(visit) : verdict;
}

/* The visitor's record after the group's lines is put in the place of the one before. */
static enum verdict replace_record(Frame *self, const struct group *group, PyObject *key) {
    struct visit visit;
    PyObject *packed = get_record(&self->records, key);
    if (!packed)
        return FAILED;
    enum verdict verdict = go_on_with(self, &visit, group, packed == Py_None ? self->rules->blank : packed);
    Py_DECREF(packed);
    self->general = visit.general;
    if (verdict == TAKEN && !put_record(&self->records, key, visit.packed))
        verdict = FAILED;
    drop_visit(&visit);
    return verdict;
}

static bool cut(PyObject *list, Py_ssize_t size) {
    return PyList_Size(list) == size || PyList_SetSlice(list, size, PyList_Size(list), NULL) == 0;
}

/* ``tenant/v:ID``: nobody else has sessions. */
static bool is_visitor(struct span node) {
    const uint8_t *slash = node.size ? memchr(node.at, '/', node.size) : NULL;
    return slash && (size_t)(slash - node.at) + 3 <= node.size && slash[1] == 'v' && slash[2] == ':';
}

/* A group's effects, or none. */
static enum verdict take_group(void *taker, const struct group *group) {
    Frame *self = taker;
    struct frame *frame = &self->frame;
    struct mark rows = marked(&frame->rows), session_rows = marked(&frame->session_rows);
    Py_ssize_t messages = PyList_Size(frame->messages), shelved = PyList_Size(frame->shelved);
    Py_ssize_t sheets = PyList_Size(frame->sheets);
    self->general = !is_visitor(group->node);
    if (group->node.size > KEY_BYTES || self->general)
        return REFUSED;
    PyObject *key = record_key(group->node);
    if (!key)
        return FAILED;
    tidy_up(self->rules);
    self->rules->busy++;
    enum verdict verdict = replace_record(self, group, key);
    self->rules->busy--;
    Py_DECREF(key);
    if (verdict != REFUSED)
        return verdict;
    return_to(&frame->rows, rows);
    return_to(&frame->session_rows, session_rows);
    return cut(frame->messages, messages) && cut(frame->shelved, shelved) && cut(frame->sheets, sheets) ? REFUSED : FAILED;
}

/* What was collected, and what is left (a reference that is taken). */
static PyObject *result_of(Frame *self, PyObject *left) {
    struct frame *frame = &self->frame;
    int64_t rows = frame->rows.lines, session_rows = frame->session_rows.lines;
    PyObject *events = emptied(&frame->rows), *sessions = emptied(&frame->session_rows), *result = NULL;
    if (events && sessions)
        result = Py_BuildValue("(OLOLOOOOO)", events, (long long)rows, sessions, (long long)session_rows, frame->messages,
                               frame->shelved, frame->sheets, self->general ? Py_True : Py_False, left);
    Py_XDECREF(events);
    Py_XDECREF(sessions);
    Py_DECREF(left);
    Py_CLEAR(frame->messages);
    Py_CLEAR(frame->shelved);
    Py_CLEAR(frame->sheets);
    return result;
}

static PyObject *take_rest(Frame *self, int64_t event_rows, int64_t session_rows) {
    self->frame.event_rows = event_rows;
    self->frame.first_session_row = session_rows;
    Py_XDECREF(self->frame.messages);
    Py_XDECREF(self->frame.shelved);
    Py_XDECREF(self->frame.sheets);
    self->frame.messages = PyList_New(0);
    self->frame.shelved = PyList_New(0);
    self->frame.sheets = PyList_New(0);
    if (!self->frame.messages || !self->frame.shelved || !self->frame.sheets)
        return NULL;
    PyObject *left = take_groups(&self->groups, &self->next, take_group, self);
    return left ? result_of(self, left) : NULL;
}

static PyObject *go_on(PyObject *object, PyObject *args) {
    Frame *self = (Frame *)object;
    long long event_rows, session_rows;
    if (!PyArg_ParseTuple(args, "LL:go_on", &event_rows, &session_rows) || !enters(&self->busy))
        return NULL;
    PyObject *result = take_rest(self, event_rows, session_rows);
    self->busy = false;
    return result;
}

PyDoc_STRVAR(go_on_doc,
"go_on(event_rows, session_rows, /)\n--\n\n"
"Let visitors' lines count until one of them is for Python to take, or all are done. Rows are numbered from what is given.\n\n"
"Returns: the events' rows and their number, the sessions' rows and their number, pairs of an account's hash and a message\n"
"to it, triples of node, start and record of clusters that are no longer the newest, triples of node, number and entries of\n"
"sheets (without entries if it is to be forgotten), whether what is left is left by Python's short way, too, and node and\n"
"lines that are left, or None.");

static PyMethodDef frame_methods[] = {{"go_on", go_on, METH_VARARGS, go_on_doc}, {NULL, NULL, 0, NULL}};
static PyType_Slot frame_slots[] = {
    {Py_tp_doc, "A frame on its way (stream/core/everyday.py); Everyday.frame makes it."},
    {Py_tp_dealloc, drop_frame},
    {Py_tp_methods, frame_methods},
    {0, NULL},
};
static PyType_Spec frame_spec = {
    "stream.core._everyday.Frame", sizeof(Frame), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, frame_slots,
};

bool make_frame_type(void) { return frames || (frames = PyType_FromSpec(&frame_spec)); }
