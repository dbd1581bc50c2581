#include "opening.h"

static bool add(int64_t *sum, int64_t number) {
    *sum += number; /* both within BOUND */
    return within_bounds(*sum);
}

static enum verdict begin_run(struct visit *visit) {
    struct record *record = &visit->record;
    struct span packed;
    if (!span_of_bytes(visit->packed, &packed))
        return FAILED;
    if (!read_record(packed, record))
        return REFUSED;
    visit->first_sheet = record->first_sheet;
    forget(record, visit->frame->forgotten);
    visit->count = visit->hits_size = 0;
    visit->begun = visit->apart = visit->named = visit->landed = false;
    visit->end = record->end;
    visit->page_views = record->page_views;
    visit->events = record->events;
    visit->engaged_ms = record->engaged_ms;
    visit->points = record->points;
    visit->key = record->key;
    return TAKEN;
}

enum verdict begin_visit(struct visit *visit, PyObject *packed) {
    visit->general = false;
    visit->packed = packed;
    Py_INCREF(packed);
    return begin_run(visit);
}

void tidy_up(struct rules *rules) {
    if (rules->busy)
        return;
    tidy(&rules->pages);
    tidy(&rules->companies);
    tidy(&rules->origins);
    tidy(&rules->users);
    tidy(&rules->owners);
}

void drop_visit(struct visit *visit) {
    Py_CLEAR(visit->owner);
    Py_CLEAR(visit->packed);
}

/* Whether a hit that came by this page goes on with the session, as ``Source.same_visit`` says: where the page's source does not
 * count, it is not there, and the same click id makes the session's not count, either. */
static bool same_visit(const struct visit *visit, const struct page *page) {
    static const int fields[] = {SOURCE_medium, SOURCE_campaign, SOURCE_click_id, SOURCE_source};
    struct span rest = page->visit;
    if (!rest.size)
        return true;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (fields[i] == SOURCE_source && !rest.size)
            return true;
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
        !tenant_of(line, &tenant) || known.size != own + 3 + user.size)
        return false;
    return same(tenant, (struct span){visit->node.at, own}) && memcmp(known.at, visit->node.at, own) == 0 &&
           memcmp(known.at + own, "/u:", 3) == 0 && memcmp(known.at + own + 3, user.at, user.size) == 0;
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
    size_t size = write_text_head(head, id.size);
    memcpy(id_text, head, size);
    memcpy(id_text + size, id.at, id.size);
    kind[0] = (uint8_t)page->kind;
    field[HIT_at] = (struct span){at, write_whole(at, line->whole[EVENT_occurred_at])};
    field[HIT_id] = (struct span){id_text, size + id.size};
    field[HIT_kind] = SPAN_OF(kind);
    field[HIT_engaged_ms] = (struct span){engaged_ms, write_whole(engaged_ms, line->whole[EVENT_engaged_ms])};
    field[HIT_items] = PACKED_NIL;
    if (page->kind == PING) {
        field[HIT_url] = field[HIT_user] = field[HIT_company] = PACKED_TEXT;
        field[HIT_points] = PACKED_ZERO;
        field[HIT_key] = PACKED_NO;
        field[HIT_source] = PACKED_NIL;
        return add_hit(visit, field) ? TAKEN : REFUSED;
    }
    enum verdict verdict = find_company(visit, line, &company);
    if (verdict != TAKEN)
        return verdict;
    field[HIT_url] = page->url;
    field[HIT_user] = is_blank(line, EVENT_user_id) ? PACKED_TEXT : visit->record.user;
    field[HIT_points] = (struct span){points, write_whole(points, page->points)};
    field[HIT_key] = page->key ? PACKED_YES : PACKED_NO;
    field[HIT_source] = page->source;
    field[HIT_company] = company;
    return add_hit(visit, field) ? TAKEN : REFUSED;
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
    return add_line(&visit->frame->rows, pieces, sizeof pieces / sizeof *pieces);
}

/* What the line says, apart from its page and of whom: whether it is by this visitor, in order, and within the session. */
static bool goes_on(const struct visit *visit, const struct line *line) {
    int64_t at = line->whole[EVENT_occurred_at], received_at = line->whole[EVENT_received_at];
    struct span node;
    return plain_text(line, EVENT_node, &node) && same(node, visit->node) && is_blank(line, EVENT_bot) &&
           received_at >= 0 && at > visit->end && at - visit->end <= visit->rules->gap_ms &&
           at - visit->record.start <= visit->rules->max_ms;
}

/* The session was nobody's and is from here on of the user whom a hit names. */
static enum verdict take_user(struct visit *visit, const struct line *line) {
    struct record *record = &visit->record;
    uint8_t *to = visit->users;
    *to++ = 0x91;
    *to++ = 0x92;
    to += write_whole(to, line->whole[EVENT_occurred_at]);
    size_t head = (size_t)(to - visit->users);
    enum verdict verdict = find_user(visit, line, to, sizeof visit->users - head, &record->user);
    if (verdict != TAKEN)
        return verdict;
    visit->named_users = (struct span){visit->users, head + record->user.size};
    visit->named = true;
    return text_of(record->user, &record->user_text) ? TAKEN : REFUSED;
}

/* Of whom the line speaks: of nobody, or of whom the session is, and it says nothing new of them. */
static enum verdict knows_who(struct visit *visit, const struct line *line, int64_t kind) {
    bool named = !is_blank(line, EVENT_email) || !is_blank(line, EVENT_group_id);
    bool by_user = !is_blank(line, EVENT_user_id);
    if (kind == PING)
        return named ? REFUSED : TAKEN;
    if (by_user && !same_user(visit, line)) {
        if (visit->record.user_text.size)
            return REFUSED;
        enum verdict verdict = take_user(visit, line);
        if (verdict != TAKEN)
            return verdict;
    }
    if (!named)
        return TAKEN;
    /* An address without a user makes it the address's session. */
    return by_user || is_blank(line, EVENT_email) ? hears_nothing_new(visit, line) : REFUSED;
}

static bool add_sums(struct visit *visit, const struct line *line, const struct page *page) {
    visit->key |= page->key;
    visit->page_views += page->kind == VIEW;
    visit->events += page->kind != PING;
    return within_bounds(visit->page_views) && within_bounds(visit->events) && add(&visit->points, page->points) &&
           add(&visit->engaged_ms, line->whole[EVENT_engaged_ms]);
}

/* Whether a session begins: after a gap, after the longest time, or by a page that opens one. */
static bool begins(const struct visit *visit, const struct line *line, const struct page *page) {
    int64_t at = line->whole[EVENT_occurred_at];
    if (visit->record.blank && !visit->begun)
        return page->kind != PING;
    return page->kind != PING && at > visit->end &&
           (at - visit->end > visit->rules->gap_ms || at - visit->record.start > visit->rules->max_ms ||
            !same_visit(visit, page));
}

static enum verdict begin_session(struct visit *visit, const struct line *line, struct span id, const struct page *page) {
    if (visit->count) {
        enum verdict verdict = end_run(visit);
        Py_CLEAR(visit->owner);
        if (verdict == TAKEN)
            verdict = begin_run(visit);
        if (verdict != TAKEN)
            return verdict;
    }
    return open_session(visit, line, id, page) ? TAKEN : REFUSED;
}

/* Whether a hit's URL may be one; a session that goes on has landed before, or Python's way is to say where. */
static bool may_land(const struct visit *visit) { return visit->record.landed || visit->begun; }

static void land(struct visit *visit, const struct page *page) {
    if (!visit->record.landed) {
        visit->record.landed = true;
        visit->record.session[SESSION_landing] = page->url;
    }
    visit->landed = true;
    visit->url = page->url;
    visit->exit = page->exit;
}

static enum verdict take_hit(struct visit *visit, const struct line *line, const struct page *page) {
    int64_t number = visit->frame->event_rows + visit->frame->rows.lines;
    bool lands = page->url.size > 1 && page->kind != PING;
    struct span id;
    enum verdict verdict = TAKEN;
    if (!plain_text(line, EVENT_event_id, &id) || id.size > HASHED_AT_MOST || number > UINT32_MAX)
        return REFUSED;
    if (begins(visit, line, page))
        verdict = begin_session(visit, line, id, page);
    if (verdict != TAKEN)
        return verdict;
    if (!goes_on(visit, line) || !same_visit(visit, page) || (lands && !may_land(visit)) ||
        !add_id(visit, line, id, (uint32_t)number) || !add_sums(visit, line, page))
        return REFUSED;
    verdict = knows_who(visit, line, page->kind);
    if (verdict == TAKEN)
        verdict = hit_of(visit, line, id, page);
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

enum verdict take_line(struct visit *visit, struct span text) {
    struct line line;
    struct page page;
    if (text.size > UINT32_MAX || !read_line(text, &line))
        return REFUSED;
    enum verdict verdict = find_page(visit, &line, &page);
    return verdict == TAKEN ? take_hit(visit, &line, &page) : verdict;
}

