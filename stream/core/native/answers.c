#include "answers.h"

/* Bytes of a question. Longer addresses are rare, and Python's way takes them. */
#define QUESTION_BYTES 4096
struct question {
    size_t size;
    bool full;
    uint8_t text[QUESTION_BYTES];
};

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
    question.size = 0;
    question.full = false;
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
    question.size = 0;
    question.full = false;
    ask_with(&question, member_of(line, EVENT_tenant));
    ask_with(&question, member_of(line, EVENT_company));
    enum verdict verdict = asked(&visit->rules->companies, &question, answer);
    if (verdict != TAKEN)
        return verdict;
    if (!is_tuple(*answer, 1) || !span_of_bytes(PyTuple_GetItem(*answer, 0), company))
        return FAILED;
    return company->size == 1 || visit->record.networked ? TAKEN : REFUSED;
}

enum verdict find_shown(struct visit *visit, PyObject **shown) {
    static const int asked_for[] = {
        SESSION_id, SESSION_touch, SESSION_start, SESSION_source, SESSION_landing, SESSION_account, SESSION_person,
        SESSION_by_network,
    };
    struct question question;
    uint8_t head[HEAD_BYTES], array[] = {0x90 | (1 + sizeof asked_for / sizeof *asked_for)};
    question.size = 0;
    question.full = false;
    ask_with(&question, SPAN_OF(array));
    ask_with(&question, (struct span){head, write_text_head(head, visit->node.size)});
    ask_with(&question, visit->node);
    for (size_t i = 0; i < sizeof asked_for / sizeof *asked_for; i++)
        ask_with(&question, visit->record.session[asked_for[i]]);
    enum verdict verdict = asked(&visit->rules->sessions, &question, shown);
    if (verdict != TAKEN || is_tuple(*shown, SHOWN_COUNT))
        return verdict;
    Py_CLEAR(*shown);
    return FAILED;
}
