#include "answers.h"

#include "node.h"

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

static enum verdict asked(struct cache *cache, const struct question *question, int count, const struct answer **answer) {
    return question->full ? REFUSED : look_up(cache, (struct span){question->text, question->size}, count, answer);
}

/* Of what changes with each question: its answer is not kept. A new reference to the tuple. */
static enum verdict asked_once(PyObject *ask, const struct question *question, int count, PyObject **answer) {
    if (question->full)
        return REFUSED;
    PyObject *given = PyObject_CallFunction(ask, "y#", (const char *)question->text, (Py_ssize_t)question->size);
    if (given && given != Py_None && is_tuple(given, count))
        return *answer = given, TAKEN;
    enum verdict verdict = given == Py_None ? REFUSED : FAILED;
    Py_XDECREF(given);
    return verdict;
}

enum verdict find_page(struct visit *visit, const struct line *line, struct page *page) {
    static const int asked_for[] = {
        EVENT_type, EVENT_platform, EVENT_name, EVENT_url, EVENT_referrer, EVENT_campaign_source,
        EVENT_campaign_medium, EVENT_campaign_name, EVENT_campaign_term, EVENT_campaign_content,
    };
    struct question question;
    const struct answer *answer;
    begin_question(&question);
    for (size_t i = 0; i < sizeof asked_for / sizeof *asked_for; i++)
        ask_with(&question, member_of(line, asked_for[i]));
    enum verdict verdict = asked(&visit->rules->pages, &question, PAGE_COUNT, &answer);
    visit->general = verdict == REFUSED && !question.full;
    if (verdict != TAKEN)
        return verdict;
    const struct value *value = answer->value;
    *page = (struct page){
        value[PAGE_kind].number, value[PAGE_points].number, value[PAGE_key].number != 0, value[PAGE_columns].text,
        value[PAGE_url].text, value[PAGE_exit].text, value[PAGE_source].text, value[PAGE_visit].text,
    };
    return within_bounds(page->points) ? TAKEN : REFUSED;
}

enum verdict find_company(struct visit *visit, const struct line *line, struct span *company) {
    struct question question;
    const struct answer *answer;
    *company = PACKED_TEXT;
    if (is_blank(line, EVENT_company))
        return TAKEN;
    begin_question(&question);
    ask_with(&question, member_of(line, EVENT_tenant));
    ask_with(&question, member_of(line, EVENT_company));
    enum verdict verdict = asked(&visit->rules->companies, &question, 1, &answer);
    if (verdict != TAKEN)
        return verdict;
    *company = answer->value[0].text;
    return company->size == 1 || visit->record.networked ? TAKEN : REFUSED;
}

enum verdict find_user(struct visit *visit, const struct line *line, uint8_t *to, size_t room, struct span *user) {
    struct question question;
    const struct answer *answer;
    begin_question(&question);
    ask_with(&question, member_of(line, EVENT_tenant));
    ask_with(&question, member_of(line, EVENT_visitor_id));
    ask_with(&question, member_of(line, EVENT_user_id));
    enum verdict verdict = asked(&visit->rules->users, &question, 1, &answer);
    if (verdict != TAKEN)
        return verdict;
    struct span found = answer->value[0].text;
    if (found.size > room)
        return REFUSED;
    *user = (struct span){memcpy(to, found.at, found.size), found.size};
    return TAKEN;
}

/* A text of this visitor's node, and the node itself. */
static void ask_with_node(struct question *question, const struct visit *visit, uint8_t values) {
    uint8_t head[HEAD_BYTES], array[] = {0x90 | values};
    ask_with(question, SPAN_OF(array));
    ask_with(question, (struct span){head, write_text_head(head, visit->node.size)});
    ask_with(question, visit->node);
    ask_with(question, visit->record.seen[SEEN_node]);
}

/* What is said nearly always, that the session's user has an address, is looked up in the visitor's node. */
static bool is_known(const struct visit *visit, const struct line *line) {
    struct span tenant, address;
    int64_t since;
    if (is_blank(line, EVENT_user_id) || !is_blank(line, EVENT_group_id) || !tenant_of(line, &tenant) ||
        !plain_text(line, EVENT_email, &address))
        return false;
    return told_of_address(visit->record.seen[SEEN_node], visit->record.user_text, tenant, address, &since) &&
           line->whole[EVENT_occurred_at] >= since;
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
    if (is_known(visit, line))
        return TAKEN;
    begin_question(&question);
    ask_with_node(&question, visit, 3);
    for (size_t i = 0; i < sizeof asked_for / sizeof *asked_for; i++)
        size += member_of(line, asked_for[i]).size;
    ask_with(&question, (struct span){head, write_bytes_head(head, size)});
    for (size_t i = 0; i < sizeof asked_for / sizeof *asked_for; i++)
        ask_with(&question, member_of(line, asked_for[i]));
    enum verdict verdict = asked_once(visit->rules->known_since, &question, 1, &answer);
    if (verdict != TAKEN)
        return verdict;
    int64_t since = PyLong_AsLongLong(PyTuple_GetItem(answer, 0));
    Py_DECREF(answer);
    if (PyErr_Occurred())
        return FAILED;
    return line->whole[EVENT_occurred_at] >= since ? TAKEN : REFUSED;
}

/* Account, person and node; they last as long as the run. */
static enum verdict owner_said(struct visit *visit, const struct question *question, struct span said[OWNER_COUNT]) {
    const struct answer *answer;
    enum verdict verdict;
    if (visit->named) {
        verdict = asked_once(visit->rules->owners.ask, question, OWNER_COUNT, &visit->owner);
        for (int i = 0; verdict == TAKEN && i < OWNER_COUNT; i++)
            if (!span_of_bytes(PyTuple_GetItem(visit->owner, i), &said[i]))
                verdict = FAILED;
        return verdict;
    }
    verdict = asked(&visit->rules->owners, question, OWNER_COUNT, &answer);
    for (int i = 0; verdict == TAKEN && i < OWNER_COUNT; i++)
        said[i] = answer->value[i].text;
    return verdict;
}

enum verdict find_owner(struct visit *visit) {
    struct span *field = visit->record.session, said[OWNER_COUNT];
    struct question question;
    if (is_nil(visit->record.seen[SEEN_node]))
        return visit->named ? REFUSED : TAKEN;
    begin_question(&question);
    ask_with_node(&question, visit, 3);
    ask_with(&question, visit->record.user);
    enum verdict verdict = owner_said(visit, &question, said);
    if (verdict != TAKEN)
        return verdict;
    visit->owner_node = said[OWNER_node];
    if (!visit->begun)
        return same(said[OWNER_account], field[SESSION_account]) && same(said[OWNER_person], field[SESSION_person]) &&
               !visit->record.networked ? TAKEN : REFUSED;
    field[SESSION_account] = said[OWNER_account];
    field[SESSION_person] = said[OWNER_person];
    return TAKEN;
}

enum verdict find_origin(struct visit *visit, struct origin *origin) {
    const struct span *source = visit->record.source;
    struct question question;
    const struct answer *answer;
    uint8_t array[] = {0x94};
    begin_question(&question);
    ask_with(&question, SPAN_OF(array));
    ask_with(&question, source[SOURCE_channel]);
    ask_with(&question, source[SOURCE_source]);
    ask_with(&question, source[SOURCE_medium]);
    ask_with(&question, source[SOURCE_campaign]);
    enum verdict verdict = asked(&visit->rules->origins, &question, ORIGIN_COUNT, &answer);
    if (verdict != TAKEN)
        return verdict;
    const struct value *value = answer->value;
    *origin = (struct origin){value[ORIGIN_row].text, value[ORIGIN_channel].text, value[ORIGIN_campaign].text};
    return TAKEN;
}
