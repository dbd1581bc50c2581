#include "answers.h"

/* Bytes of a question. Longer addresses are rare, and Python's way takes them. */
#define QUESTION_BYTES 4096
struct question {
    size_t size;
    bool full;
    uint8_t text[QUESTION_BYTES];
};

static void begin_question(struct question *question) {
    question->size = 0;
    question->full = false;
}

static void ask_with(struct question *question, struct span piece) {
    question->full |= piece.size > QUESTION_BYTES - question->size;
    if (question->full || !piece.size)
        return;
    memcpy(question->text + question->size, piece.at, piece.size);
    question->size += piece.size;
}

static enum verdict asked(struct answers *answers, const struct question *question, PyObject **answer) {
    return question->full ? REFUSED : look_up(answers, question->text, question->size, answer);
}

/* Of what changes with each question: its answer is not kept. */
static enum verdict asked_once(struct answers *answers, const struct question *question, PyObject **answer) {
    return question->full ? REFUSED : ask(answers, question->text, question->size, answer);
}

static bool read_page(PyObject *answer, struct page *page) {
    page->answer = answer;
    page->kind = PyLong_AsLongLong(PyTuple_GetItem(answer, PAGE_kind));
    page->points = PyLong_AsLongLong(PyTuple_GetItem(answer, PAGE_points));
    page->key = PyObject_IsTrue(PyTuple_GetItem(answer, PAGE_key)) > 0;
    return !PyErr_Occurred() && span_of_bytes(PyTuple_GetItem(answer, PAGE_columns), &page->columns) &&
           span_of_bytes(PyTuple_GetItem(answer, PAGE_url), &page->url) &&
           span_of_bytes(PyTuple_GetItem(answer, PAGE_exit), &page->exit) &&
           span_of_bytes(PyTuple_GetItem(answer, PAGE_source), &page->source) &&
           span_of_bytes(PyTuple_GetItem(answer, PAGE_visit), &page->visit);
}

static bool is_tuple(PyObject *answer, Py_ssize_t size) {
    if (PyTuple_Check(answer) && PyTuple_Size(answer) == size)
        return true;
    PyErr_SetString(PyExc_TypeError, "an answer is a tuple of another size");
    return false;
}

enum verdict find_page(struct visit *visit, const struct line *line, struct page *page) {
    static const int asked_for[] = {
        EVENT_type, EVENT_platform, EVENT_name, EVENT_url, EVENT_referrer, EVENT_campaign_source,
        EVENT_campaign_medium, EVENT_campaign_name, EVENT_campaign_term, EVENT_campaign_content,
    };
    struct question question;
    PyObject *answer;
    begin_question(&question);
    for (size_t i = 0; i < sizeof asked_for / sizeof *asked_for; i++)
        ask_with(&question, member_of(line, asked_for[i]));
    enum verdict verdict = asked(&visit->rules->pages, &question, &answer);
    if (verdict != TAKEN)
        return verdict;
    if (is_tuple(answer, PAGE_COUNT) && read_page(answer, page))
        return within_bounds(page->points) ? TAKEN : (Py_DECREF(answer), REFUSED);
    Py_DECREF(answer);
    return FAILED;
}

enum verdict find_company(struct visit *visit, const struct line *line, PyObject **answer, struct span *company) {
    struct question question;
    *company = PACKED_TEXT;
    if (is_blank(line, EVENT_company))
        return TAKEN;
    begin_question(&question);
    ask_with(&question, member_of(line, EVENT_tenant));
    ask_with(&question, member_of(line, EVENT_company));
    enum verdict verdict = asked(&visit->rules->companies, &question, answer);
    if (verdict != TAKEN)
        return verdict;
    if (!is_tuple(*answer, 1) || !span_of_bytes(PyTuple_GetItem(*answer, 0), company))
        return FAILED;
    return company->size == 1 || visit->record.networked ? TAKEN : REFUSED;
}

enum verdict find_user(struct visit *visit, const struct line *line, struct span *user) {
    struct question question;
    PyObject *answer;
    begin_question(&question);
    ask_with(&question, member_of(line, EVENT_tenant));
    ask_with(&question, member_of(line, EVENT_visitor_id));
    ask_with(&question, member_of(line, EVENT_user_id));
    enum verdict verdict = asked(&visit->rules->users, &question, &answer);
    if (verdict != TAKEN)
        return verdict;
    if (!is_tuple(answer, 1) || !span_of_bytes(PyTuple_GetItem(answer, 0), user))
        verdict = FAILED;
    Py_DECREF(answer);
    return verdict;
}

/* A text of this visitor's node, and the node itself. */
static void ask_with_node(struct question *question, const struct visit *visit, uint8_t values) {
    uint8_t head[HEAD_BYTES], array[] = {0x90 | values};
    ask_with(question, SPAN_OF(array));
    ask_with(question, (struct span){head, write_text_head(head, visit->node.size)});
    ask_with(question, visit->node);
    ask_with(question, visit->record.seen[SEEN_node]);
}

enum verdict hears_nothing_new(struct visit *visit, const struct line *line) {
    static const int asked_for[] = {
        EVENT_type, EVENT_tenant, EVENT_visitor_id, EVENT_user_id, EVENT_email, EVENT_group_id,
    };
    struct question question;
    uint8_t head[HEAD_BYTES];
    PyObject *answer;
    size_t size = 0;
    if (is_nil(visit->record.seen[SEEN_node]))
        return REFUSED;
    begin_question(&question);
    ask_with_node(&question, visit, 3);
    for (size_t i = 0; i < sizeof asked_for / sizeof *asked_for; i++)
        size += member_of(line, asked_for[i]).size;
    ask_with(&question, (struct span){head, write_bytes_head(head, size)});
    for (size_t i = 0; i < sizeof asked_for / sizeof *asked_for; i++)
        ask_with(&question, member_of(line, asked_for[i]));
    enum verdict verdict = asked_once(&visit->rules->news, &question, &answer);
    if (verdict != TAKEN)
        return verdict;
    int64_t since = is_tuple(answer, 1) ? PyLong_AsLongLong(PyTuple_GetItem(answer, 0)) : 0;
    Py_DECREF(answer);
    if (PyErr_Occurred())
        return FAILED;
    return line->whole[EVENT_occurred_at] >= since ? TAKEN : REFUSED;
}

enum verdict find_owner(struct visit *visit) {
    struct span *field = visit->record.session, account, person;
    struct question question;
    if (is_nil(visit->record.seen[SEEN_node]))
        return visit->named ? REFUSED : TAKEN;
    begin_question(&question);
    ask_with_node(&question, visit, 3);
    ask_with(&question, visit->record.user);
    enum verdict verdict = visit->named ? asked_once(&visit->rules->owners, &question, &visit->owner)
                                        : asked(&visit->rules->owners, &question, &visit->owner);
    if (verdict != TAKEN)
        return verdict;
    if (!is_tuple(visit->owner, OWNER_COUNT) ||
        !span_of_bytes(PyTuple_GetItem(visit->owner, OWNER_account), &account) ||
        !span_of_bytes(PyTuple_GetItem(visit->owner, OWNER_person), &person))
        return FAILED;
    if (!visit->begun)
        return same(account, field[SESSION_account]) && same(person, field[SESSION_person]) &&
               !visit->record.networked ? TAKEN : REFUSED;
    field[SESSION_account] = account;
    field[SESSION_person] = person;
    return TAKEN;
}

/* Of a tuple of ``size``, the first ``count`` of which are bytes. */
static bool spans_of(PyObject *answer, Py_ssize_t size, struct span *spans, int count) {
    if (!is_tuple(answer, size))
        return false;
    for (int i = 0; i < count; i++)
        if (!span_of_bytes(PyTuple_GetItem(answer, i), &spans[i]))
            return false;
    return true;
}

static enum verdict find_party(struct visit *visit, struct shown *shown) {
    const struct span *field = visit->record.session;
    struct question question;
    uint8_t head[HEAD_BYTES], array[] = {0x93};
    begin_question(&question);
    ask_with(&question, SPAN_OF(array));
    ask_with(&question, (struct span){head, write_text_head(head, visit->node.size)});
    ask_with(&question, visit->node);
    ask_with(&question, field[SESSION_account]);
    ask_with(&question, field[SESSION_person]);
    enum verdict verdict = asked(&visit->rules->parties, &question, &shown->party_answer);
    if (verdict != TAKEN)
        return verdict;
    if (!spans_of(shown->party_answer, PARTY_COUNT, shown->party, PARTY_home))
        return FAILED;
    shown->home = PyTuple_GetItem(shown->party_answer, PARTY_home);
    return shown->home ? TAKEN : FAILED;
}

static enum verdict find_origin(struct visit *visit, struct shown *shown) {
    struct question question;
    begin_question(&question);
    ask_with(&question, visit->record.session[SESSION_source]);
    enum verdict verdict = asked(&visit->rules->origins, &question, &shown->origin_answer);
    if (verdict != TAKEN)
        return verdict;
    return spans_of(shown->origin_answer, ORIGIN_COUNT, shown->origin, ORIGIN_COUNT) ? TAKEN : FAILED;
}

enum verdict find_shown(struct visit *visit, struct shown *shown) {
    shown->party_answer = shown->origin_answer = NULL;
    enum verdict verdict = find_party(visit, shown);
    return verdict == TAKEN ? find_origin(visit, shown) : verdict;
}

void drop_shown(struct shown *shown) {
    Py_CLEAR(shown->party_answer);
    Py_CLEAR(shown->origin_answer);
}
