/* What comes of a run: the record, the session's row, the message. */
#include "answers.h"
#include "json.h"
#include "name.h"

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

/* What is said of the session, wherever it is said: of what it is, of whom, and where it came from. */
struct shown {
    struct span id, touch, landing;
    int64_t start;
    bool by_network;
    struct name node, account, person;
    struct origin origin;
};

/* False if a text would have to be escaped: then Python's way is to say it. */
static bool read_shown(const struct visit *visit, struct shown *shown) {
    const struct span *field = visit->record.session;
    struct span account, person;
    shown->start = visit->record.start;
    return truth_of(field[SESSION_by_network], &shown->by_network) &&
           text_of(field[SESSION_id], &shown->id) && needs_no_escape(shown->id) &&
           text_of(field[SESSION_touch], &shown->touch) && needs_no_escape(shown->touch) &&
           text_of(field[SESSION_landing], &shown->landing) && needs_no_escape(shown->landing) &&
           read_name(visit->node, &shown->node) && shown->node.kind == 'v' &&
           text_of(field[SESSION_account], &account) && read_name(account, &shown->account) &&
           text_of(field[SESSION_person], &person) && read_name(person, &shown->person);
}

/* What the account is told, a ``TouchPut``. */
static PyObject *message_of(const struct visit *visit, const struct shown *shown) {
    uint8_t at[DECIMAL_BYTES], start[DECIMAL_BYTES], points[DECIMAL_BYTES], end[DECIMAL_BYTES];
    struct span reason = visit->begun ? SPAN("new") : SPAN("changed");
    struct span pieces[] = {
        SPAN("{\"m\":\"A\",\"to\":\""), shown->account.whole, SPAN("\",\"at\":"), decimal(at, visit->frame->at),
        SPAN(",\"reason\":\""), reason, SPAN("\",\"cause\":"), visit->cause,
        SPAN(",\"touch\":{\"id\":\""), shown->touch, SPAN("\",\"at\":"), decimal(start, shown->start),
        shown->origin.channel, SPAN(",\"person\":\""), shown->person.whole,
        SPAN("\",\"node\":\""), shown->node.whole, SPAN("\""), shown->origin.campaign,
        SPAN(",\"session_id\":\""), shown->id, SPAN("\",\"points\":"), decimal(points, visit->points),
        SPAN(",\"last_at\":"), decimal(end, visit->end), SPAN("}}"),
    };
    return joined(pieces, sizeof pieces / sizeof *pieces);
}

static bool is_engaged(const struct visit *visit) {
    const struct rules *rules = visit->rules;
    return visit->key || visit->page_views >= rules->engaged_views || visit->engaged_ms > rules->engaged_ms ||
           visit->end - visit->record.start > rules->engaged_ms;
}

/* The session's row: what seldom changes, what its hits change, its address. */
static bool add_session_row(const struct visit *visit, const struct shown *shown, struct span exit) {
    uint8_t start[DECIMAL_BYTES], end[DECIMAL_BYTES], page_views[DECIMAL_BYTES], events[DECIMAL_BYTES];
    uint8_t engaged_ms[DECIMAL_BYTES], points[MILLI_BYTES], number[DECIMAL_BYTES];
    struct span quote = visit->landed ? SPAN("") : SPAN("\"");
    bool lands = shown->landing.size;
    struct span pieces[] = {
        SPAN("{\"tenant\":\""), shown->node.tenant, SPAN("\",\"session_id\":\""), shown->id,
        SPAN("\",\"node\":\""), shown->node.bare, SPAN("\",\"visitor_id\":\""), shown->node.value,
        SPAN("\",\"person_id\":\""), shown->person.value, SPAN("\",\"account_id\":\""), account_id(&shown->account),
        SPAN("\",\"started_at\":"), decimal(start, shown->start), shown->origin.row,
        lands ? SPAN(",\"landing_url\":\"") : SPAN(""), shown->landing, lands ? SPAN("\"") : SPAN(""),
        SPAN(",\"touch_id\":\""), shown->touch, SPAN("\""),
        shown->by_network ? SPAN(",\"by_network\":true") : SPAN(""),
        SPAN(",\"exit_url\":"), quote, exit, quote,
        SPAN(",\"ended_at\":"), decimal(end, visit->end),
        SPAN(",\"page_views\":"), decimal(page_views, visit->page_views),
        SPAN(",\"events\":"), decimal(events, visit->events),
        SPAN(",\"engaged_ms\":"), decimal(engaged_ms, visit->engaged_ms),
        SPAN(",\"engaged\":"), is_engaged(visit) ? SPAN("true") : SPAN("false"),
        SPAN(",\"points\":"), thousandths(points, visit->points),
        visit->frame->version_and_address,
        decimal(number, visit->frame->first_session_row + visit->frame->session_rows.lines), SPAN("}"),
    };
    return add_line(&visit->frame->session_rows, pieces, sizeof pieces / sizeof *pieces);
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
    if (visit->named)
        put_raw(patches, field[SESSION_users], visit->named_users);
}

/* The session that began, as a value of its own. */
static PyObject *new_session(const struct visit *visit, struct span url) {
    static const uint8_t head[] = {0xDC, 0, SESSION_COUNT};
    uint8_t end[HEAD_BYTES], page_views[HEAD_BYTES], events[HEAD_BYTES], engaged_ms[HEAD_BYTES], points[HEAD_BYTES];
    struct span pieces[1 + SESSION_COUNT] = {SPAN_OF(head)}, *field = pieces + 1;
    memcpy(field, visit->record.session, sizeof visit->record.session);
    field[SESSION_end] = (struct span){end, write_whole(end, visit->end)};
    field[SESSION_exit] = url;
    field[SESSION_page_views] = (struct span){page_views, write_whole(page_views, visit->page_views)};
    field[SESSION_events] = (struct span){events, write_whole(events, visit->events)};
    field[SESSION_engaged_ms] = (struct span){engaged_ms, write_whole(engaged_ms, visit->engaged_ms)};
    field[SESSION_points] = (struct span){points, write_whole(points, visit->points)};
    field[SESSION_key] = visit->key ? PACKED_YES : PACKED_NO;
    if (visit->named)
        field[SESSION_users] = visit->named_users;
    return joined(pieces, 1 + SESSION_COUNT);
}

/* The cluster that began with the session, as a value of its own. */
static PyObject *new_cluster(const struct visit *visit, struct span id, struct span session) {
    static const uint8_t head[] = {0x90 | CLUSTER_COUNT}, one[] = {0x91};
    uint8_t end[HEAD_BYTES], id_head[HEAD_BYTES], count[HEAD_BYTES], packed_head[HEAD_BYTES];
    struct span pieces[] = {
        SPAN_OF(head), visit->record.session[SESSION_start], {end, write_whole(end, visit->end)},
        {id_head, write_text_head(id_head, id.size)}, id, {count, write_whole(count, (int64_t)visit->count)},
        PACKED_ZERO, {packed_head, write_bytes_head(packed_head, visit->hits_size)}, {visit->hits, visit->hits_size},
        SPAN_OF(one), session,
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

/* Takes the reference to ``item``, which may be NULL. */
static bool appended(PyObject *list, PyObject *item) {
    bool done = item && PyList_Append(list, item) == 0;
    Py_XDECREF(item);
    return done;
}

/* Without entries it is to be forgotten. */
static bool put_sheet(struct visit *visit, int64_t number, struct span begin, struct span rest) {
    struct span node = visit->node, pieces[] = {begin, rest};
    PyObject *entries = joined(pieces, 2);
    return entries && appended(visit->frame->sheets, Py_BuildValue("(s#LN)", (const char *)node.at, (Py_ssize_t)node.size,
                                                                   (long long)number, entries));
}

/* Entries that fill sheets lie under keys of their own: the record has those that are left. */
struct filed {
    struct span kept, left; /* of the old entries, and of the new */
    size_t sheets;
    uint8_t times[IDS / SHEET * TIME_BYTES];
};

/* The latest time of these entries and of those of this frame. */
static void write_latest(uint8_t *to, const struct visit *visit, struct span entries) {
    write_big_endian(to, (uint64_t)visit->frame->at, TIME_BYTES);
    for (size_t i = 0; i < entries.size; i += ENTRY_BYTES)
        if (memcmp(entries.at + i, to, TIME_BYTES) > 0)
            memcpy(to, entries.at + i, TIME_BYTES);
}

/* The old entries alone fill none. */
static bool file_entries(struct visit *visit, struct filed *filed) {
    const struct record *old = &visit->record;
    struct span left = {visit->entries, visit->count * ENTRY_BYTES}, kept = old->entries;
    int64_t number = old->first_sheet + (int64_t)(old->sheets.size / TIME_BYTES);
    for (int64_t gone = visit->first_sheet; gone < old->first_sheet; gone++)
        if (!put_sheet(visit, gone, SPAN(""), SPAN("")))
            return false;
    for (filed->sheets = 0; kept.size + left.size >= SHEET_BYTES; filed->sheets++) {
        size_t size = SHEET_BYTES - kept.size;
        if (!put_sheet(visit, number + (int64_t)filed->sheets, kept, (struct span){left.at, size}))
            return false;
        write_latest(filed->times + filed->sheets * TIME_BYTES, visit, kept);
        kept = SPAN("");
        left = (struct span){left.at + size, left.size - size};
    }
    filed->kept = kept;
    filed->left = left;
    return true;
}

/* The record is what it was with the patches. The old one, in which parts of it may lie, goes. */
static enum verdict patched(struct visit *visit, const struct patches *patches) {
    struct span whole = visit->record.whole;
    PyObject *record = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)patched_size(whole, patches));
    if (!record)
        return FAILED;
    if (!write_patched((uint8_t *)PyBytes_AsString(record), whole, patches)) {
        Py_DECREF(record);
        return REFUSED;
    }
    Py_DECREF(visit->packed);
    visit->packed = record;
    return TAKEN;
}

static bool shelve(struct visit *visit, struct span cluster) {
    struct span node = visit->node;
    return appended(visit->frame->shelved,
                    Py_BuildValue("(s#Ly#)", (const char *)node.at, (Py_ssize_t)node.size, (long long)visit->record.first,
                                  (const char *)cluster.at, (Py_ssize_t)cluster.size));
}

/* What lies behind the newest cluster: the visitor's node has one more session of its user, clusters lie elsewhere, and
   entries. */
static void patch_rest(struct patches *patches, const struct visit *visit, const struct filed *filed) {
    const struct record *old = &visit->record;
    const struct span *field = old->seen;
    if (visit->named)
        put_raw(patches, field[SEEN_node], visit->owner_node);
    if (visit->apart && !old->blank)
        put_truth(patches, field[SEEN_spread], true);
    add_bytes(patches, field[SEEN_sheets], old->sheets, (struct span){filed->times, filed->sheets * TIME_BYTES});
    put_whole(patches, field[SEEN_first_sheet], old->first_sheet);
}

/* With a session that began, in the newest cluster or with one of its own. */
static enum verdict begun_record(struct visit *visit, struct patches *patches, const struct filed *filed, struct span id,
                                 struct span url) {
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
        cluster = new_cluster(visit, id, value);
        if (!cluster || !span_of_bytes(cluster, &value) || (!old->blank && !shelve(visit, old->seen[SEEN_newest])))
            goto done;
        put_raw(patches, old->seen[SEEN_newest], value);
    }
    patch_rest(patches, visit, filed);
    verdict = patched(visit, patches);
done:
    Py_XDECREF(session);
    Py_XDECREF(cluster);
    return verdict;
}

static enum verdict write_record(struct visit *visit, struct span url) {
    const struct record *old = &visit->record;
    struct patches patches = {.count = 0};
    struct span id = {visit->cause.at + 1, visit->cause.size - 2};
    struct filed filed;
    if (!file_entries(visit, &filed))
        return FAILED;
    add_bytes(&patches, old->seen[SEEN_hashes], old->hashes, (struct span){visit->hashes, visit->count * HASH_BYTES});
    add_bytes(&patches, old->seen[SEEN_entries], filed.kept, filed.left);
    if (visit->begun)
        return begun_record(visit, &patches, &filed, id, url);
    patch_cluster(&patches, visit, id);
    patch_session(&patches, visit, url);
    patch_rest(&patches, visit, &filed);
    return patched(visit, &patches);
}

/* Tells the account, if it has one. */
static bool tell(struct visit *visit, const struct shown *shown) {
    if (!shown->account.whole.size)
        return true;
    PyObject *message = message_of(visit, shown);
    long hash = (long)key_hash(shown->account.whole);
    return message && appended(visit->frame->messages, Py_BuildValue("(lN)", hash, message));
}

static enum verdict show(struct visit *visit, const struct shown *shown) {
    struct span exit = visit->landed ? visit->exit : visit->record.exit;
    struct span url = visit->landed ? visit->url : visit->record.session[SESSION_exit];
    if (!visit->landed && !needs_no_escape(exit))
        return REFUSED;
    if (!add_session_row(visit, shown, exit) || !tell(visit, shown))
        return FAILED;
    return write_record(visit, url);
}

enum verdict end_run(struct visit *visit) {
    const struct record *old = &visit->record;
    struct shown shown;
    if (!visit->count || (!visit->apart && old->packed.size + visit->hits_size > HITS_BYTES) ||
        old->hashes.size / HASH_BYTES + visit->count > IDS || !within_bounds(old->count + (int64_t)visit->count) ||
        visit->points <= -MILLI_AT_MOST || visit->points >= MILLI_AT_MOST)
        return REFUSED;
    enum verdict verdict = visit->begun || visit->named ? find_owner(visit) : TAKEN;
    if (verdict == TAKEN)
        verdict = find_origin(visit, &shown.origin);
    if (verdict != TAKEN)
        return verdict;
    return read_shown(visit, &shown) ? show(visit, &shown) : REFUSED;
}
