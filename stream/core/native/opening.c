#include "opening.h"

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
    if (!slash || visit->node.size < own + 3 || slash[1] != 'v' || slash[2] != ':')
        return false; /* nobody else has sessions */
    struct span parts[] = {
        {visit->node.at, own}, {slash + 3, visit->node.size - own - 3}, decimal(digits, at), hit_id,
    };
    struct span touch_parts[] = {SPAN("session"), {visit->session_id + 2, ID_BYTES - 2}};
    return derive_id(visit->session_id, parts, 4) && derive_id(visit->touch_id, touch_parts, 2);
}

bool open_session(struct visit *visit, const struct line *line, struct span id, const struct page *page) {
    struct record *record = &visit->record;
    struct span *field = record->session, source = page->source;
    int64_t at = line->whole[EVENT_occurred_at];
    if (visit->node.size > NODE_BYTES || record->packed.size > HITS_BYTES || !derive_ids(visit, at, id))
        return false;
    visit->begun = true;
    visit->apart = record->blank || at - visit->end > visit->rules->gap_ms;
    if (is_nil(source) && !span_of_bytes(visit->rules->direct, &source))
        return PyErr_Clear(), false;
    for (int i = 0; i < SESSION_COUNT; i++)
        field[i] = PACKED_TEXT;
    field[SESSION_id] = SPAN_OF(visit->session_id);
    field[SESSION_touch] = SPAN_OF(visit->touch_id);
    field[SESSION_start] = (struct span){visit->start, write_whole(visit->start, at)};
    size_t head = write_text_head(visit->person, visit->node.size);
    memcpy(visit->person + head, visit->node.at, visit->node.size);
    field[SESSION_person] = (struct span){visit->person, head + visit->node.size};
    field[SESSION_source] = source;
    field[SESSION_users] = field[SESSION_items] = PACKED_ARRAY;
    field[SESSION_held] = field[SESSION_by_network] = PACKED_NO;
    record->start = at;
    record->key = record->landed = record->networked = visit->key = false;
    record->user = PACKED_TEXT;
    record->user_text = record->exit = SPAN("");
    visit->page_views = visit->events = visit->engaged_ms = visit->points = 0;
    visit->end = at - 1; /* so its first hit goes on with it */
    return read_source(source, record);
}
