#include "visit.h"

enum { PING, VIEW, ACTION };

/* What stream.core.everyday says of a page: a tuple in this order. */
enum { PAGE_kind, PAGE_points, PAGE_key, PAGE_columns, PAGE_url, PAGE_exit, PAGE_source, PAGE_visit, PAGE_COUNT };
struct page {
    PyObject *answer;
    int64_t kind, points;
    bool key;
    struct span columns; /* of the event's row */
    struct span url;     /* in MessagePack */
    struct span exit;    /* the same in JSON */
    struct span source;  /* in MessagePack, nil if it is no external one */
    struct span visit;   /* what of it makes a visit, in MessagePack; "" if it is none */
};
/* And of a session. */
enum { SHOWN_row, SHOWN_put, SHOWN_touch, SHOWN_account, SHOWN_COUNT };

/* Bytes of a question. Longer addresses are rare, and Python's way takes them. */
#define QUESTION_BYTES 4096
struct question {
    size_t size;
    bool full;
    uint8_t text[QUESTION_BYTES];
};

static const uint8_t nil[] = {0xC0}, no_text[] = {0xA0}, no_number[] = {0}, yes[] = {0xC3}, no[] = {0xC2}, empty[] = {0x90};
#define RAW(bytes) ((struct span){bytes, sizeof bytes})

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

static bool add(int64_t *sum, int64_t number) {
    *sum += number; /* both within BOUND */
    return within_bounds(*sum);
}

/* Ids that were noted before that time; they lie in the order of theirs. False if one was noted before 1970: none was. */
static bool forget(struct record *record, struct span before) {
    while (record->entries.size && memcmp(record->entries.at, before.at, before.size) < 0) {
        record->entries = (struct span){record->entries.at + ENTRY_BYTES, record->entries.size - ENTRY_BYTES};
        record->hashes = (struct span){record->hashes.at + HASH_BYTES, record->hashes.size - HASH_BYTES};
    }
    return !record->entries.size || record->entries.at[0] < 0x80;
}

enum verdict begin_visit(struct visit *visit, struct span packed) {
    struct record *record = &visit->record;
    if (!read_record(packed, record) || !forget(record, visit->frame->forgotten))
        return REFUSED;
    visit->end = record->end;
    visit->page_views = record->page_views;
    visit->events = record->events;
    visit->engaged_ms = record->engaged_ms;
    visit->points = record->points;
    visit->key = record->key;
    visit->rows = PyList_New(0);
    return visit->rows ? TAKEN : FAILED;
}

void drop_visit(struct visit *visit) {
    Py_CLEAR(visit->last_line);
    Py_CLEAR(visit->landed);
    Py_CLEAR(visit->first_landed);
    Py_CLEAR(visit->opened);
    Py_CLEAR(visit->rows);
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

/* The page is that of a line's type, name, platform and addresses: what the answer is a function of. */
static enum verdict find_page(struct visit *visit, const struct line *line, struct page *page) {
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

/* Whether a hit that came by this page goes on with the session, as ``Source.same_visit`` says. */
static bool same_visit(const struct visit *visit, const struct page *page) {
    static const int fields[] = {SOURCE_source, SOURCE_medium, SOURCE_campaign, SOURCE_click_id};
    struct span rest = page->visit;
    if (!rest.size)
        return true;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        struct span field = visit->record.source[fields[i]];
        if (field.size > rest.size || memcmp(field.at, rest.at, field.size) != 0)
            return false;
        rest = (struct span){rest.at + field.size, rest.size - field.size};
    }
    return !rest.size;
}

/* Whether the hit's user, if it names one, is whose the session is already: ``tenant/u:ID``. */
static bool same_user(const struct visit *visit, const struct line *line) {
    struct span user, tenant, known = visit->record.user_text;
    const uint8_t *slash = memchr(visit->node.at, '/', visit->node.size);
    size_t own = slash ? (size_t)(slash - visit->node.at) : 0;
    if (!visit->rules->trusting || is_blank(line, EVENT_visitor_id) || !plain_text(line, EVENT_user_id, &user) ||
        !plain_text(line, EVENT_tenant, &tenant) || known.size != own + 3 + user.size)
        return false;
    if (!line->value[EVENT_tenant].size)
        tenant = SPAN("default");
    return same(tenant, (struct span){visit->node.at, own}) && memcmp(known.at, visit->node.at, own) == 0 &&
           memcmp(known.at + own, "/u:", 3) == 0 && memcmp(known.at + own + 3, user.at, user.size) == 0;
}

/* Whose network the hit came from, in MessagePack. A session that knew none would have to be told. */
static enum verdict find_company(struct visit *visit, const struct line *line, PyObject **answer, struct span *company) {
    struct question question;
    *company = RAW(no_text);
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

/* ``stream.core.hits.Hit``, after the others. */
static bool add_hit(struct visit *visit, struct span field[HIT_COUNT]) {
    size_t size = 0;
    for (int i = 0; i < HIT_COUNT; i++)
        size += field[i].size;
    if (size + 1 > HITS_BYTES - visit->hits_size)
        return false;
    uint8_t *to = visit->hits + visit->hits_size;
    *to++ = 0x90 | HIT_COUNT;
    for (int i = 0; i < HIT_COUNT; i++) {
        memcpy(to, field[i].at, field[i].size);
        to += field[i].size;
    }
    visit->hits_size += size + 1;
    return true;
}

static enum verdict hit_of(struct visit *visit, const struct line *line, struct span id, const struct page *page) {
    uint8_t at[HEAD_BYTES], head[HEAD_BYTES], kind[1], engaged_ms[HEAD_BYTES], points[HEAD_BYTES];
    uint8_t id_text[HEAD_BYTES + HASHED_AT_MOST];
    struct span field[HIT_COUNT], company;
    PyObject *answer = NULL;
    size_t size = write_text_head(head, id.size);
    memcpy(id_text, head, size);
    memcpy(id_text + size, id.at, id.size);
    kind[0] = (uint8_t)page->kind;
    field[HIT_at] = (struct span){at, write_whole(at, line->whole[EVENT_occurred_at])};
    field[HIT_id] = (struct span){id_text, size + id.size};
    field[HIT_kind] = RAW(kind);
    field[HIT_engaged_ms] = (struct span){engaged_ms, write_whole(engaged_ms, line->whole[EVENT_engaged_ms])};
    field[HIT_items] = RAW(nil);
    if (page->kind == PING) {
        field[HIT_url] = field[HIT_user] = field[HIT_company] = RAW(no_text);
        field[HIT_points] = RAW(no_number);
        field[HIT_key] = RAW(no);
        field[HIT_source] = RAW(nil);
        return add_hit(visit, field) ? TAKEN : REFUSED;
    }
    enum verdict verdict = find_company(visit, line, &answer, &company);
    if (verdict == TAKEN) {
        field[HIT_url] = page->url;
        field[HIT_user] = is_blank(line, EVENT_user_id) ? RAW(no_text) : visit->record.user;
        field[HIT_points] = (struct span){points, write_whole(points, page->points)};
        field[HIT_key] = page->key ? RAW(yes) : RAW(no);
        field[HIT_source] = page->source;
        field[HIT_company] = company;
        verdict = add_hit(visit, field) ? TAKEN : REFUSED;
    }
    Py_XDECREF(answer);
    return verdict;
}

/* The id must be news; it is remembered with ``stream.core.seen.Entry``. */
static bool add_id(struct visit *visit, const struct line *line, struct span id, uint32_t number) {
    uint8_t hash[HASH_BYTES], *entry = visit->entries + visit->count * ENTRY_BYTES;
    struct span found = {visit->hashes, visit->count * HASH_BYTES}, content = member_of(line, EVENT_type);
    if (visit->count == IDS)
        return false;
    blake2b(id, hash, HASH_BYTES);
    if (knows(visit->record.hashes, hash) || knows(found, hash))
        return false;
    memcpy(visit->hashes + found.size, hash, HASH_BYTES);
    content.size = (size_t)(line->text.at + line->text.size - content.at);
    write_big_endian(entry, (uint64_t)visit->frame->at, 8);
    write_big_endian(entry + 8, crc32_of(content), 4);
    write_big_endian(entry + 12, content.size, 4);
    write_big_endian(entry + 16, (uint64_t)line->whole[EVENT_received_at], 8);
    write_big_endian(entry + 24, (uint64_t)line->whole[EVENT_occurred_at], 8);
    write_big_endian(entry + 32, (uint64_t)visit->frame->offset, 8);
    write_big_endian(entry + 40, number, 4);
    visit->count++;
    return true;
}

/* The event's row: its own line, what its addresses say, and its address. */
static bool add_row(struct visit *visit, const struct line *line, const struct page *page, int64_t number) {
    uint8_t digits[DECIMAL_BYTES];
    struct span pieces[] = {
        {line->text.at, line->text.size - 1}, page->columns, visit->frame->address, decimal(digits, number), SPAN("}"),
    };
    PyObject *row = joined(pieces, sizeof pieces / sizeof *pieces);
    bool added = row && PyList_Append(visit->rows, row) == 0;
    Py_XDECREF(row);
    return added;
}

/* What the line says, apart from its page: whether it is by this visitor, in order, within the session, and no news of
   who they are. */
static bool goes_on(const struct visit *visit, const struct line *line, int64_t kind) {
    int64_t at = line->whole[EVENT_occurred_at], received_at = line->whole[EVENT_received_at];
    struct span node;
    if (!plain_text(line, EVENT_node, &node) || !same(node, visit->node) || !is_blank(line, EVENT_bot) ||
        !is_blank(line, EVENT_email) || !is_blank(line, EVENT_group_id))
        return false;
    if (received_at < 0 || at <= visit->end || at - visit->end > visit->rules->gap_ms ||
        at - visit->record.start > visit->rules->max_ms)
        return false;
    return kind == PING || is_blank(line, EVENT_user_id) || same_user(visit, line);
}

static bool add_sums(struct visit *visit, const struct line *line, const struct page *page) {
    visit->key |= page->key;
    visit->page_views += page->kind == VIEW;
    visit->events += page->kind != PING;
    return within_bounds(visit->page_views) && within_bounds(visit->events) && add(&visit->points, page->points) &&
           add(&visit->engaged_ms, line->whole[EVENT_engaged_ms]);
}

/* ``schemas.ids.derived_id``. */
static bool derive_id(uint8_t id[ID_BYTES], const struct span *parts, int count) {
    uint8_t text[HASHED_AT_MOST], hash[(ID_BYTES - 2) / 2];
    size_t size = 0;
    for (int i = 0; i < count; i++) {
        if (parts[i].size + 1 > sizeof text - size)
            return false;
        if (i)
            text[size++] = 0x1F;
        memcpy(text + size, parts[i].at, parts[i].size);
        size += parts[i].size;
    }
    blake2b((struct span){text, size}, hash, sizeof hash);
    write_text_head(id, 2 * sizeof hash);
    for (size_t i = 0; i < sizeof hash; i++) {
        id[2 + 2 * i] = (uint8_t)"0123456789abcdef"[hash[i] >> 4];
        id[3 + 2 * i] = (uint8_t)"0123456789abcdef"[hash[i] & 15];
    }
    return true;
}

/* The ids of a session that a hit begins, and of its touch: ``stream.core.sessions.opened``. */
static bool derive_ids(struct visit *visit, int64_t at, struct span hit_id) {
    uint8_t digits[DECIMAL_BYTES];
    const uint8_t *slash = memchr(visit->node.at, '/', visit->node.size);
    size_t own = slash ? (size_t)(slash - visit->node.at) : 0;
    if (!slash || visit->node.size < own + 3)
        return false;
    struct span parts[] = {
        {visit->node.at, own}, {slash + 3, visit->node.size - own - 3}, decimal(digits, at), hit_id,
    };
    struct span touch_parts[] = {SPAN("session"), {visit->session_id + 2, ID_BYTES - 2}};
    return derive_id(visit->session_id, parts, 4) && derive_id(visit->touch_id, touch_parts, 2);
}

/* Whether the frame's first line begins a visit: after a gap, after the longest time, or by a page that opens one. */
static bool begins(const struct visit *visit, const struct line *line, const struct page *page) {
    int64_t at = line->whole[EVENT_occurred_at];
    return !visit->count && page->kind != PING && at > visit->end &&
           (at - visit->end > visit->rules->gap_ms || at - visit->record.start > visit->rules->max_ms ||
            !same_visit(visit, page));
}

/* From here on the session of ``record`` is the new one, before its first hit. What was the newest session is as it was. */
static bool open_session(struct visit *visit, const struct line *line, struct span id, const struct page *page) {
    struct record *record = &visit->record;
    struct span *field = record->session, source = page->source;
    int64_t at = line->whole[EVENT_occurred_at];
    if (!is_nil(record->seen[SEEN_node]) || visit->node.size > NODE_BYTES || record->packed.size > HITS_BYTES || !derive_ids(visit, at, id))
        return false;
    visit->begun = true;
    visit->apart = at - visit->end > visit->rules->gap_ms;
    visit->opened = is_nil(source) ? visit->rules->direct : page->answer;
    Py_INCREF(visit->opened);
    if (is_nil(source) && !span_of_bytes(visit->rules->direct, &source))
        return PyErr_Clear(), false;
    for (int i = 0; i < SESSION_COUNT; i++)
        field[i] = RAW(no_text);
    field[SESSION_id] = RAW(visit->session_id);
    field[SESSION_touch] = RAW(visit->touch_id);
    field[SESSION_start] = (struct span){visit->start, write_whole(visit->start, at)};
    size_t head = write_text_head(visit->person, visit->node.size);
    memcpy(visit->person + head, visit->node.at, visit->node.size);
    field[SESSION_person] = (struct span){visit->person, head + visit->node.size};
    field[SESSION_source] = source;
    field[SESSION_users] = field[SESSION_items] = RAW(empty);
    field[SESSION_held] = field[SESSION_by_network] = RAW(no);
    record->start = at;
    record->key = record->landed = record->networked = visit->key = false;
    record->user = RAW(no_text);
    record->user_text = record->exit = (struct span){no_text, 0};
    visit->page_views = visit->events = visit->engaged_ms = visit->points = 0;
    visit->end = at - 1; /* so its first hit goes on with it */
    return read_source(source, record);
}

/* Whether a hit's URL may be one; a session that goes on has landed before, or Python's way is to say where. */
static bool may_land(const struct visit *visit) { return visit->record.landed || visit->begun; }

static void keep(PyObject **place, PyObject *object) {
    Py_INCREF(object);
    Py_XDECREF(*place);
    *place = object;
}

static void land(struct visit *visit, const struct page *page) {
    if (!visit->record.landed) {
        visit->record.landed = true;
        visit->record.session[SESSION_landing] = page->url;
        keep(&visit->first_landed, page->answer);
    }
    keep(&visit->landed, page->answer);
}

static enum verdict take_hit(struct visit *visit, const struct line *line, const struct page *page) {
    int64_t number = visit->frame->event_rows + (int64_t)visit->count;
    bool lands = page->url.size > 1 && page->kind != PING;
    struct span id;
    if (!plain_text(line, EVENT_event_id, &id) || id.size > HASHED_AT_MOST || number > UINT32_MAX ||
        (begins(visit, line, page) && !open_session(visit, line, id, page)) || !goes_on(visit, line, page->kind) ||
        !same_visit(visit, page) || (lands && !may_land(visit)) || !add_id(visit, line, id, (uint32_t)number) ||
        !add_sums(visit, line, page))
        return REFUSED;
    enum verdict verdict = hit_of(visit, line, id, page);
    if (verdict != TAKEN)
        return verdict;
    if (!add_row(visit, line, page, number))
        return FAILED;
    if (lands)
        land(visit, page);
    visit->end = line->whole[EVENT_occurred_at];
    visit->cause = line->value[EVENT_event_id];
    return TAKEN;
}

enum verdict take_line(struct visit *visit, PyObject *bytes) {
    struct span text;
    struct line line;
    struct page page;
    if (!span_of_bytes(bytes, &text))
        return FAILED;
    if (text.size > UINT32_MAX || !read_line(text, &line))
        return REFUSED;
    Py_XDECREF(visit->last_line);
    visit->last_line = bytes;
    Py_INCREF(bytes);
    enum verdict verdict = find_page(visit, &line, &page);
    if (verdict != TAKEN)
        return verdict;
    verdict = take_hit(visit, &line, &page);
    Py_DECREF(page.answer);
    return verdict;
}

/* The question is the array of what a session's rows and messages repeat, as everyday.py reads it. */
static enum verdict find_shown(struct visit *visit, PyObject **shown) {
    static const int asked_for[] = {
        SESSION_id, SESSION_touch, SESSION_start, SESSION_source, SESSION_landing, SESSION_account, SESSION_person,
        SESSION_by_network,
    };
    struct question question;
    uint8_t head[HEAD_BYTES], array[] = {0x90 | (1 + sizeof asked_for / sizeof *asked_for)};
    question.size = 0;
    question.full = false;
    ask_with(&question, RAW(array));
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

/* Thousandths as Python writes the float: exact, since so few digits are what the float is told by. */
#define MILLI_AT_MOST INT64_C(1000000000000000)
#define MILLI_BYTES (DECIMAL_BYTES + 5)
static struct span thousandths(uint8_t *to, int64_t number) {
    uint64_t size = number < 0 ? (uint64_t)-number : (uint64_t)number;
    uint8_t digits[DECIMAL_BYTES], *at = to;
    struct span whole = decimal(digits, (int64_t)(size / 1000));
    int fraction = (int)(size % 1000);
    if (number < 0)
        *at++ = '-';
    memcpy(at, whole.at, whole.size);
    at += whole.size;
    *at++ = '.';
    *at++ = (uint8_t)('0' + fraction / 100);
    if (fraction % 100)
        *at++ = (uint8_t)('0' + fraction / 10 % 10);
    if (fraction % 10)
        *at++ = (uint8_t)('0' + fraction % 10);
    return (struct span){to, (size_t)(at - to)};
}

/* What the account is told: ``stream.core.touches`` has it in Python. */
static PyObject *message_of(const struct visit *visit, struct span put, struct span touch) {
    uint8_t at[DECIMAL_BYTES], points[DECIMAL_BYTES], end[DECIMAL_BYTES];
    struct span pieces[] = {
        put, decimal(at, visit->frame->at), SPAN(",\"reason\":\"changed\",\"cause\":"), visit->cause, touch,
        decimal(points, visit->points), SPAN(",\"last_at\":"), decimal(end, visit->end), SPAN("}}"),
    };
    return joined(pieces, sizeof pieces / sizeof *pieces);
}

static bool is_engaged(const struct visit *visit) {
    const struct rules *rules = visit->rules;
    return visit->key || visit->page_views >= rules->engaged_views || visit->engaged_ms > rules->engaged_ms ||
           visit->end - visit->record.start > rules->engaged_ms;
}

static PyObject *row_of(const struct visit *visit, struct span row, struct span exit) {
    uint8_t end[DECIMAL_BYTES], page_views[DECIMAL_BYTES], events[DECIMAL_BYTES], engaged_ms[DECIMAL_BYTES];
    uint8_t points[MILLI_BYTES], number[DECIMAL_BYTES];
    struct span quote = visit->landed ? SPAN("") : SPAN("\"");
    struct span pieces[] = {
        row, quote, exit, quote,
        SPAN(",\"ended_at\":"), decimal(end, visit->end),
        SPAN(",\"page_views\":"), decimal(page_views, visit->page_views),
        SPAN(",\"events\":"), decimal(events, visit->events),
        SPAN(",\"engaged_ms\":"), decimal(engaged_ms, visit->engaged_ms),
        SPAN(",\"engaged\":"), is_engaged(visit) ? SPAN("true") : SPAN("false"),
        SPAN(",\"points\":"), thousandths(points, visit->points),
        visit->frame->version_and_address, decimal(number, visit->frame->session_rows), SPAN("}"),
    };
    return joined(pieces, sizeof pieces / sizeof *pieces);
}

/* The session that goes on: what its hits change of it. */
static void patch_session(struct patches *patches, const struct visit *visit, struct span url) {
    const struct span *field = visit->record.session;
    put_whole(patches, field[SESSION_end], visit->end);
    put_raw(patches, field[SESSION_exit], url);
    put_whole(patches, field[SESSION_page_views], visit->page_views);
    put_whole(patches, field[SESSION_events], visit->events);
    put_whole(patches, field[SESSION_engaged_ms], visit->engaged_ms);
    put_whole(patches, field[SESSION_points], visit->points);
    put_truth(patches, field[SESSION_key], visit->key);
}

/* The session that began, as a value of its own. */
static PyObject *new_session(const struct visit *visit, struct span url) {
    static const uint8_t head[] = {0xDC, 0, SESSION_COUNT};
    uint8_t end[HEAD_BYTES], page_views[HEAD_BYTES], events[HEAD_BYTES], engaged_ms[HEAD_BYTES], points[HEAD_BYTES];
    struct span pieces[1 + SESSION_COUNT] = {RAW(head)}, *field = pieces + 1;
    memcpy(field, visit->record.session, sizeof visit->record.session);
    field[SESSION_end] = (struct span){end, write_whole(end, visit->end)};
    field[SESSION_exit] = url;
    field[SESSION_page_views] = (struct span){page_views, write_whole(page_views, visit->page_views)};
    field[SESSION_events] = (struct span){events, write_whole(events, visit->events)};
    field[SESSION_engaged_ms] = (struct span){engaged_ms, write_whole(engaged_ms, visit->engaged_ms)};
    field[SESSION_points] = (struct span){points, write_whole(points, visit->points)};
    field[SESSION_key] = visit->key ? RAW(yes) : RAW(no);
    return joined(pieces, 1 + SESSION_COUNT);
}

/* The cluster that began with the session, as a value of its own. */
static PyObject *new_cluster(const struct visit *visit, struct span id, struct span session) {
    static const uint8_t head[] = {0x90 | CLUSTER_COUNT}, one[] = {0x91};
    uint8_t end[HEAD_BYTES], id_head[HEAD_BYTES], count[HEAD_BYTES], packed_head[HEAD_BYTES];
    struct span pieces[] = {
        RAW(head), visit->record.session[SESSION_start], {end, write_whole(end, visit->end)},
        {id_head, write_text_head(id_head, id.size)}, id, {count, write_whole(count, (int64_t)visit->count)},
        RAW(no_number), {packed_head, write_bytes_head(packed_head, visit->hits_size)}, {visit->hits, visit->hits_size},
        RAW(one), session,
    };
    return joined(pieces, sizeof pieces / sizeof *pieces);
}

/* The newest cluster, which goes on. */
static void patch_cluster(struct patches *patches, const struct visit *visit, struct span id) {
    const struct record *old = &visit->record;
    put_whole(patches, old->cluster[CLUSTER_end], visit->end);
    put_text(patches, old->cluster[CLUSTER_last], id);
    put_whole(patches, old->cluster[CLUSTER_count], old->count + (int64_t)visit->count);
    add_bytes(patches, old->cluster[CLUSTER_packed], old->packed, (struct span){visit->hits, visit->hits_size});
}

static enum verdict patched(const struct visit *visit, const struct patches *patches, PyObject **record) {
    struct span whole = visit->record.whole;
    *record = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)patched_size(whole, patches));
    if (!*record)
        return FAILED;
    return write_patched((uint8_t *)PyBytes_AsString(*record), whole, patches) ? TAKEN : REFUSED;
}

/* With a session that began, in the newest cluster or with one of its own. */
static enum verdict begun_record(struct visit *visit, struct patches *patches, struct span id, struct span url,
                                 struct outcome *outcome) {
    const struct record *old = &visit->record;
    struct span value;
    PyObject *session = new_session(visit, url), *cluster = NULL;
    enum verdict verdict = FAILED;
    if (!session || !span_of_bytes(session, &value))
        goto done;
    if (!visit->apart) {
        patch_cluster(patches, visit, id);
        add_value(patches, old->cluster[CLUSTER_sessions], old->session_list, old->sessions + 1, value);
    } else {
        struct span newest = old->seen[SEEN_newest];
        cluster = new_cluster(visit, id, value);
        if (!cluster || !span_of_bytes(cluster, &value))
            goto done;
        put_raw(patches, newest, value);
        put_truth(patches, old->seen[SEEN_spread], true);
        outcome->shelved = Py_BuildValue("(Ly#)", (long long)old->first, (const char *)newest.at, (Py_ssize_t)newest.size);
        if (!outcome->shelved)
            goto done;
    }
    verdict = patched(visit, patches, &outcome->record);
done:
    Py_XDECREF(session);
    Py_XDECREF(cluster);
    return verdict;
}

static enum verdict record_of(struct visit *visit, struct span url, struct outcome *outcome) {
    const struct record *old = &visit->record;
    struct patches patches = {.count = 0};
    struct span id = {visit->cause.at + 1, visit->cause.size - 2};
    add_bytes(&patches, old->seen[SEEN_hashes], old->hashes, (struct span){visit->hashes, visit->count * HASH_BYTES});
    add_bytes(&patches, old->seen[SEEN_entries], old->entries,
              (struct span){visit->entries, visit->count * ENTRY_BYTES});
    if (visit->begun)
        return begun_record(visit, &patches, id, url, outcome);
    patch_cluster(&patches, visit, id);
    patch_session(&patches, visit, url);
    return patched(visit, &patches, &outcome->record);
}

static enum verdict outcome_of(struct visit *visit, PyObject *shown, struct outcome *outcome) {
    struct span row, put, touch, account, exit = visit->record.exit, url = visit->record.session[SESSION_exit];
    if (!span_of_bytes(PyTuple_GetItem(shown, SHOWN_row), &row) || !span_of_bytes(PyTuple_GetItem(shown, SHOWN_put), &put) ||
        !span_of_bytes(PyTuple_GetItem(shown, SHOWN_touch), &touch) ||
        !span_of_text(PyTuple_GetItem(shown, SHOWN_account), &account))
        return FAILED;
    if (visit->landed && (!span_of_bytes(PyTuple_GetItem(visit->landed, PAGE_exit), &exit) ||
                          !span_of_bytes(PyTuple_GetItem(visit->landed, PAGE_url), &url)))
        return FAILED;
    if (!visit->landed && !needs_no_escape(exit))
        return REFUSED;
    enum verdict verdict = record_of(visit, url, outcome);
    if (verdict != TAKEN)
        return verdict;
    outcome->account = account.size ? PyTuple_GetItem(shown, SHOWN_account) : Py_None;
    Py_INCREF(outcome->account);
    outcome->session_row = row_of(visit, row, exit);
    outcome->message = account.size ? message_of(visit, put, touch) : (Py_INCREF(Py_None), Py_None);
    return outcome->session_row && outcome->message ? TAKEN : FAILED;
}

enum verdict end_visit(struct visit *visit, struct outcome *outcome) {
    const struct record *old = &visit->record;
    PyObject *shown;
    if (!visit->count || (!visit->apart && old->packed.size + visit->hits_size > HITS_BYTES) ||
        old->hashes.size / HASH_BYTES + visit->count > IDS || !within_bounds(old->count + (int64_t)visit->count) ||
        visit->points <= -MILLI_AT_MOST || visit->points >= MILLI_AT_MOST)
        return REFUSED;
    enum verdict verdict = find_shown(visit, &shown);
    if (verdict != TAKEN)
        return verdict;
    verdict = outcome_of(visit, shown, outcome);
    Py_DECREF(shown);
    return verdict;
}
