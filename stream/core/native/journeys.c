#include "journeys.h"

#include "groups.h"
#include "journey_rows.h"

/* The accounts under one version of the rules. */
typedef struct {
    PyObject_HEAD
    struct scoring scoring;
    PyObject *rules_name, *half_life_days, *alerts, *log2; /* where what is above lies */
    double of_thousand;
} Journeys;

/* A frame on its way. */
typedef struct {
    PyObject_HEAD
    Journeys *owner;
    PyObject *value, *state, *version_and_address;
    struct records records; /* of the state */
    struct journey_rows rows;
    struct groups groups;
    PyObject *alerts; /* list */
    uint32_t next; /* group */
    bool busy;
    bool accounts_first; /* of the rows that were collected, the first one is an account's */
} Touches;

/* Triples of a rule's name, its threshold and where it is armed again. */
static bool read_alerts(struct scoring *scoring, PyObject *alerts) {
    Py_ssize_t count = PyTuple_Size(alerts);
    if (count < 0)
        return false;
    if (count > ALERTS) {
        PyErr_SetString(PyExc_ValueError, "too many rules of alerts");
        return false;
    }
    scoring->alerts = (int)count;
    for (int i = 0; i < count; i++) {
        struct alert *alert = &scoring->alert[i];
        PyObject *rule = PyTuple_GetItem(alerts, i);
        if (!is_tuple(rule, 3) || !span_of_bytes(PyTuple_GetItem(rule, 0), &alert->name))
            return false;
        alert->threshold = PyLong_AsLongLong(PyTuple_GetItem(rule, 1));
        alert->rearmed = PyLong_AsLongLong(PyTuple_GetItem(rule, 2));
        if (PyErr_Occurred())
            return false;
        if (alert->threshold >> 31 || alert->rearmed >> 31) { /* negative, or too large */
            PyErr_SetString(PyExc_ValueError, "a threshold is out of bounds");
            return false;
        }
    }
    return true;
}

static PyObject *new_journeys(PyTypeObject *type, PyObject *args, PyObject *named) {
    static char *names[] = {"half_life_ms", "half_life_days", "growth", "rules_name", "alerts", "blank", "log2",
                            "of_thousand", NULL};
    long long half_life_ms;
    double of_thousand;
    struct span text = {NULL, 0};
    PyObject *half_life_days, *growth, *rules_name, *alerts, *blank, *log2;
    if (!PyArg_ParseTupleAndKeywords(args, named, "$LSOSO!SOd:Journeys", names, &half_life_ms, &half_life_days, &growth, &rules_name,
                                     &PyTuple_Type, &alerts, &blank, &log2, &of_thousand))
        return NULL;
    Journeys *self = (Journeys *)allocated(type);
    if (!self)
        return NULL;
    Py_INCREF(self->rules_name = rules_name);
    Py_INCREF(self->half_life_days = half_life_days);
    Py_INCREF(self->alerts = alerts);
    Py_INCREF(self->scoring.blank = blank);
    Py_INCREF(self->log2 = log2);
    self->of_thousand = of_thousand;
    bool done = fill_growth(&self->scoring.growth, half_life_ms, growth) && span_of_bytes(rules_name, &text) &&
                read_alerts(&self->scoring, alerts);
    self->scoring.rules_name = text;
    if (done)
        return (PyObject *)self;
    Py_DECREF(self);
    return NULL;
}

static void drop_journeys(PyObject *object) {
    Journeys *self = (Journeys *)object;
    Py_CLEAR(self->rules_name);
    Py_CLEAR(self->half_life_days);
    Py_CLEAR(self->alerts);
    Py_CLEAR(self->scoring.blank);
    Py_CLEAR(self->log2);
    release(object);
}

static void drop_touches(PyObject *object) {
    Touches *self = (Touches *)object;
    drop_groups(&self->groups);
    drop_buffer(&self->rows.engagement);
    drop_buffer(&self->rows.accounts);
    Py_CLEAR(self->alerts);
    Py_CLEAR(self->owner);
    Py_CLEAR(self->value);
    Py_CLEAR(self->state);
    Py_CLEAR(self->version_and_address);
    release(object);
}

/* The type of frames; it lasts as long as the process. */
static PyObject *frames;

static PyObject *frame(PyObject *object, PyObject *args) {
    Journeys *owner = (Journeys *)object;
    PyObject *value, *state, *version_and_address;
    struct span lines;
    if (!PyArg_ParseTuple(args, "SOU:frame", &value, &state, &version_and_address))
        return NULL;
    Touches *self = (Touches *)allocated((PyTypeObject *)frames);
    if (!self)
        return NULL;
    self->owner = (Journeys *)(Py_INCREF(object), object);
    Py_INCREF(self->value = value);
    Py_INCREF(self->state = state);
    Py_INCREF(self->version_and_address = version_and_address);
    enum verdict verdict = FAILED;
    self->rows.log2 = owner->log2;
    self->rows.of_thousand = owner->of_thousand;
    if (read_records(state, &self->records) && span_of_text(version_and_address, &self->rows.version_and_address) &&
        span_of_bytes(owner->half_life_days, &self->rows.half_life_days) && span_of_bytes(value, &lines))
        verdict = make_groups(&self->groups, lines, read_addressee);
    if (verdict == TAKEN)
        return (PyObject *)self;
    Py_DECREF(self);
    return verdict == REFUSED ? (Py_INCREF(Py_None), Py_None) : NULL;
}

static PyObject *sum_as_bytes(const struct sum *sum) {
    uint8_t bytes[SUM_BYTES];
    struct sum written = *sum;
    struct span packed = write_sum(bytes, &written);
    return PyBytes_FromStringAndSize((const char *)packed.at, (Py_ssize_t)packed.size);
}

/* Python is told of the alerts that fire. */
static enum verdict tell_alerts(Touches *self, const struct journey *journey) {
    const struct day *day = &journey->day;
    struct span account = journey->account.whole;
    for (int i = 0; i < day->alerts; i++) {
        PyObject *told = Py_BuildValue("(s#iLNNL)", (const char *)account.at, (Py_ssize_t)account.size, (int)day->fires[i],
                                       (long long)day->number, sum_as_bytes(&day->score_before),
                                       sum_as_bytes(&journey->header.score), (long long)journey->said_at);
        bool done = told && PyList_Append(self->alerts, told) == 0;
        Py_XDECREF(told);
        if (!done)
            return FAILED;
    }
    return TAKEN;
}

static enum verdict go_on_with(Touches *self, struct journey *journey, const struct group *group) {
    enum verdict verdict = begin_journey(journey, &self->owner->scoring, group->node, &self->records);
    for (uint32_t line = group->first; verdict == TAKEN && line != NO_LINE; line = self->groups.line[line].next)
        verdict = take_touch(journey, self->groups.line[line].text);
    if (verdict == TAKEN)
        verdict = settle_journey(journey);
    if (verdict == TAKEN && journey->changes)
        verdict = write_rows(journey, &self->rows);
    if (verdict == TAKEN && journey->changes)
        verdict = store_journey(journey);
    return verdict == TAKEN ? tell_alerts(self, journey) : verdict;
}

/* A group's effects, or none. */
static enum verdict take_group(void *taker, const struct group *group) {
    Touches *self = taker;
    struct mark engagement = marked(&self->rows.engagement), accounts = marked(&self->rows.accounts);
    struct journey journey;
    enum verdict verdict = go_on_with(self, &journey, group);
    drop_journey(&journey);
    if (!engagement.lines && !accounts.lines)
        self->accounts_first = !self->rows.engagement.lines;
    if (verdict != TAKEN) {
        return_to(&self->rows.engagement, engagement);
        return_to(&self->rows.accounts, accounts);
    }
    return verdict;
}

/* What was collected, and what is left (a reference that is taken). */
static PyObject *result_of(Touches *self, PyObject *left) {
    int64_t people = self->rows.engagement.lines, accounts = self->rows.accounts.lines;
    PyObject *engagement_rows = emptied(&self->rows.engagement), *account_rows = emptied(&self->rows.accounts), *result = NULL;
    if (engagement_rows && account_rows)
        result = Py_BuildValue("(OLOLOOO)", engagement_rows, (long long)people, account_rows, (long long)accounts,
                               self->accounts_first ? Py_True : Py_False, self->alerts, left);
    Py_XDECREF(engagement_rows);
    Py_XDECREF(account_rows);
    Py_DECREF(left);
    Py_CLEAR(self->alerts);
    return result;
}

static PyObject *take_rest(Touches *self, int64_t engagement_rows, int64_t account_rows) {
    self->rows.first_engagement = engagement_rows;
    self->rows.first_account = account_rows;
    Py_XDECREF(self->alerts);
    if (!(self->alerts = PyList_New(0)))
        return NULL;
    PyObject *left = take_groups(&self->groups, &self->next, take_group, self);
    return left ? result_of(self, left) : NULL;
}

static PyObject *go_on(PyObject *object, PyObject *args) {
    Touches *self = (Touches *)object;
    long long engagement_rows, account_rows;
    if (!PyArg_ParseTuple(args, "LL:go_on", &engagement_rows, &account_rows) || !enters(&self->busy))
        return NULL;
    PyObject *result = take_rest(self, engagement_rows, account_rows);
    self->busy = false;
    return result;
}

PyDoc_STRVAR(go_on_doc,
"go_on(engagement_rows, account_rows, /)\n--\n\n"
"Let accounts' touches count until one of them is for Python to take, or all are done. Rows are numbered from what is given.\n\n"
"Returns: rows of engagement and their number, rows of accounts and their number, whether one of accounts is the first, what\n"
"fires (account, number of the rule, day, sums before the day and now, latest time of what it was told), and account and\n"
"lines that are left, or None.");
PyDoc_STRVAR(frame_doc,
"frame(value, records, version_and_address, /)\n--\n\n"
"The touches of a record of the accounts topic.\n\n"
"Returns: None if Python is to take all of it.");

static PyMethodDef touches_methods[] = {{"go_on", go_on, METH_VARARGS, go_on_doc}, {NULL, NULL, 0, NULL}};
static PyType_Slot touches_slots[] = {
    {Py_tp_doc, "A record's touches on their way (stream/core/everyday_touches.py); Journeys.frame makes it."},
    {Py_tp_dealloc, drop_touches},
    {Py_tp_methods, touches_methods},
    {0, NULL},
};
static PyType_Spec touches_spec = {
    "stream.core._everyday.Touches", sizeof(Touches), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, touches_slots,
};

static PyMethodDef journeys_methods[] = {{"frame", frame, METH_VARARGS, frame_doc}, {NULL, NULL, 0, NULL}};
static PyType_Slot journeys_slots[] = {
    {Py_tp_doc, "Everyday touches of accounts under one version of the rules."},
    {Py_tp_new, new_journeys},
    {Py_tp_dealloc, drop_journeys},
    {Py_tp_methods, journeys_methods},
    {0, NULL},
};
static PyType_Spec journeys_spec = {
    "stream.core._everyday.Journeys", sizeof(Journeys), 0, Py_TPFLAGS_DEFAULT, journeys_slots,
};

PyObject *make_journeys_type(void) {
    if (!frames && !(frames = PyType_FromSpec(&touches_spec)))
        return NULL;
    return PyType_FromSpec(&journeys_spec);
}

int add_bounds_of_journeys(PyObject *module) {
    int result = add_object(module, "LONGEST_HALF_LIFE_MS", PyLong_FromLongLong(LONGEST_HALF_LIFE));
    return result < 0 ? result : PyModule_AddIntConstant(module, "ALERTS", ALERTS);
}
