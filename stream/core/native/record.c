#include "record.h"

static bool read_last_user(struct span raw, struct record *record) {
    struct reader from = {raw.at, raw.at + raw.size};
    uint32_t users;
    record->user = PACKED_TEXT;
    if (!read_array(&from, &users))
        return false;
    for (; users; users--) {
        struct span claim[2];
        if (!read_fields(&from, claim, 2))
            return false;
        record->user = claim[1];
    }
    return text_of(record->user, &record->user_text);
}

static bool none_is_held(struct span raw) {
    struct reader from = {raw.at, raw.at + raw.size};
    uint32_t items;
    if (!read_array(&from, &items))
        return false;
    for (; items; items--) {
        struct span item[ITEM_COUNT];
        bool held;
        if (!read_fields(&from, item, ITEM_COUNT) || !truth_of(item[ITEM_held], &held) || held)
            return false;
    }
    return true;
}

/* A record is gone through once: what is read of it is read on the way. */
typedef bool read_inner(struct reader *from, struct record *record);

/* An array of exactly ``count`` values: one of them, ``inner``, is read by ``read``, the others are noted. */
static bool read_outer(struct reader *from, struct span *raw, uint32_t count, uint32_t inner, read_inner *read,
                       struct record *record) {
    uint32_t found;
    if (!read_array(from, &found) || found != count)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *begin = from->at;
        if (!(i == inner ? read(from, record) : skip_value(from, &raw[i])))
            return false;
        raw[i] = (struct span){begin, (size_t)(from->at - begin)};
    }
    return true;
}

static bool pass_source(struct reader *from, struct record *record) {
    return read_fields(from, record->source, SOURCE_COUNT);
}

bool read_source(struct span raw, struct record *record) {
    struct reader from = {raw.at, raw.at + raw.size};
    return pass_source(&from, record);
}

static bool read_session(struct reader *from, struct record *record) {
    struct span *field = record->session, landing, company;
    bool held;
    if (!read_outer(from, field, SESSION_COUNT, SESSION_source, pass_source, record) || !truth_of(field[SESSION_held], &held) || held ||
        !text_of(field[SESSION_landing], &landing) || !text_of(field[SESSION_company], &company) ||
        !same(field[SESSION_company], field[SESSION_counted]))
        return false;
    record->landed = landing.size;
    record->networked = company.size;
    return whole_of(field[SESSION_start], &record->start) && whole_of(field[SESSION_page_views], &record->page_views) &&
           whole_of(field[SESSION_events], &record->events) &&
           whole_of(field[SESSION_engaged_ms], &record->engaged_ms) &&
           whole_of(field[SESSION_points], &record->points) && truth_of(field[SESSION_key], &record->key) &&
           text_of(field[SESSION_exit], &record->exit) && read_last_user(field[SESSION_users], record) &&
           none_is_held(field[SESSION_items]);
}

/* The sessions of a cluster, of which the last one is read. */
static bool read_sessions(struct reader *from, struct record *record) {
    struct span session;
    if (!read_array(from, &record->sessions) || !record->sessions)
        return false;
    const uint8_t *begin = from->at;
    for (uint32_t i = 1; i < record->sessions; i++)
        if (!skip_value(from, &session))
            return false;
    if (!read_session(from, record))
        return false;
    record->session_list = (struct span){begin, (size_t)(from->at - begin)};
    return true;
}

static bool read_cluster(struct reader *from, struct record *record) {
    struct span *field = record->cluster;
    return read_outer(from, field, CLUSTER_COUNT, CLUSTER_sessions, read_sessions, record) &&
           whole_of(field[CLUSTER_start], &record->first) && whole_of(field[CLUSTER_end], &record->end) &&
           whole_of(field[CLUSTER_count], &record->count) && record->count >= 1 &&
           bytes_of(field[CLUSTER_packed], &record->packed);
}

/* Nothing comes after an end like that of a blank one, so no hit goes on. */
static bool read_newest(struct reader *from, struct record *record) {
    struct span nil;
    record->blank = from->at < from->end && is_nil((struct span){from->at, 1});
    if (!record->blank)
        return read_cluster(from, record);
    record->packed = record->user_text = record->exit = SPAN("");
    record->user = PACKED_TEXT;
    record->end = BOUND;
    record->first = record->count = record->start = record->page_views = record->events = record->engaged_ms = 0;
    record->points = 0;
    record->sessions = 0;
    record->key = record->landed = record->networked = false;
    return skip_value(from, &nil);
}

static bool has_what_belongs_together(const struct record *record) {
    size_t sheets = record->sheets.size / TIME_BYTES, entries = record->entries.size / ENTRY_BYTES;
    return record->hashes.size % HASH_BYTES == 0 && record->entries.size % ENTRY_BYTES == 0 &&
           record->sheets.size % TIME_BYTES == 0 && entries < SHEET &&
           record->hashes.size / HASH_BYTES == sheets * SHEET + entries;
}

bool read_record(struct span whole, struct record *record) {
    struct reader from = {whole.at, whole.at + whole.size};
    struct span *field = record->seen;
    bool spilled;
    record->whole = whole;
    return read_outer(&from, field, SEEN_COUNT, SEEN_newest, read_newest, record) && from.at == from.end &&
           bytes_of(field[SEEN_hashes], &record->hashes) && bytes_of(field[SEEN_entries], &record->entries) &&
           bytes_of(field[SEEN_sheets], &record->sheets) && whole_of(field[SEEN_first_sheet], &record->first_sheet) &&
           record->first_sheet >= 0 && record->first_sheet < UINT32_MAX && has_what_belongs_together(record) &&
           truth_of(field[SEEN_spilled], &spilled) && !spilled;
}

static void drop(struct span *text, size_t size) { *text = (struct span){text->at + size, text->size - size}; }

void forget(struct record *record, struct span before) {
    while (record->sheets.size && memcmp(record->sheets.at, before.at, before.size) < 0) {
        drop(&record->sheets, TIME_BYTES);
        drop(&record->hashes, SHEET * HASH_BYTES);
        record->first_sheet++;
    }
    while (!record->sheets.size && record->entries.size && memcmp(record->entries.at, before.at, before.size) < 0) {
        drop(&record->entries, ENTRY_BYTES);
        drop(&record->hashes, HASH_BYTES);
    }
}

bool knows(struct span hashes, const uint8_t hash[HASH_BYTES]) {
    for (size_t i = 0; i < hashes.size; i += HASH_BYTES)
        if (memcmp(hashes.at + i, hash, HASH_BYTES) == 0)
            return true;
    return false;
}

static struct patch *next_patch(struct patches *patches, struct span old) {
    struct patch *patch = &patches->patch[patches->count++];
    *patch = (struct patch){.old = old};
    return patch;
}

void put_whole(struct patches *patches, struct span old, int64_t number) {
    struct patch *patch = next_patch(patches, old);
    patch->head_size = write_whole(patch->head, number);
}

void put_truth(struct patches *patches, struct span old, bool truth) {
    struct patch *patch = next_patch(patches, old);
    patch->head[0] = truth ? 0xC3 : 0xC2;
    patch->head_size = 1;
}

void put_raw(struct patches *patches, struct span old, struct span value) { next_patch(patches, old)->added = value; }

void put_text(struct patches *patches, struct span old, struct span text) {
    struct patch *patch = next_patch(patches, old);
    patch->head_size = write_text_head(patch->head, text.size);
    patch->added = text;
}

void add_bytes(struct patches *patches, struct span old, struct span kept, struct span added) {
    struct patch *patch = next_patch(patches, old);
    patch->head_size = write_bytes_head(patch->head, kept.size + added.size);
    patch->kept = kept;
    patch->added = added;
}

void add_value(struct patches *patches, struct span old, struct span kept, uint32_t count, struct span added) {
    struct patch *patch = next_patch(patches, old);
    patch->head_size = write_array_head(patch->head, count);
    patch->kept = kept;
    patch->added = added;
}

size_t patched_size(struct span whole, const struct patches *patches) {
    size_t size = whole.size;
    for (int i = 0; i < patches->count; i++) {
        const struct patch *patch = &patches->patch[i];
        size += patch->head_size + patch->kept.size + patch->added.size - patch->old.size;
    }
    return size;
}

static uint8_t *append(uint8_t *to, const uint8_t *from, size_t size) {
    if (size)
        memcpy(to, from, size);
    return to + size;
}

bool write_patched(uint8_t *to, struct span whole, const struct patches *patches) {
    const uint8_t *at = whole.at;
    for (int i = 0; i < patches->count; i++) {
        const struct patch *patch = &patches->patch[i];
        if (patch->old.at < at)
            return false;
        to = append(to, at, (size_t)(patch->old.at - at));
        to = append(to, patch->head, patch->head_size);
        to = append(to, patch->kept.at, patch->kept.size);
        to = append(to, patch->added.at, patch->added.size);
        at = patch->old.at + patch->old.size;
    }
    append(to, at, (size_t)(whole.at + whole.size - at));
    return true;
}
