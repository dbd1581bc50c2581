#include "line.h"

#include "groups.h"
#include "json.h"

enum kind { TEXT, WHOLE, TRUTH, CONSENT, ANY };
struct key {
    const char *name;
    size_t size;
    enum kind kind;
};
#define AS_KEY(name, kind) {#name, sizeof #name - 1, kind},
static const struct key keys[EVENT_COUNT] = {EVENT_FIELDS(AS_KEY)};

/* null, or an object of truths. */
static const uint8_t *past_consent(const uint8_t *at, const uint8_t *end) {
    const uint8_t *behind = PAST(at, end, "null");
    if (behind || (behind = PAST(at, end, "{}")))
        return behind;
    if (at >= end || *at != '{')
        return NULL;
    do {
        at = past_key(at + 1, end);
        if (!at || !(at = past_truth(at, end)) || at >= end)
            return NULL;
    } while (*at == ',');
    return *at == '}' ? at + 1 : NULL;
}

static const uint8_t *past_value(const uint8_t *at, const uint8_t *end, enum kind kind, int64_t *whole) {
    switch (kind) {
    case TEXT: return at < end && *at == '"' ? past_text(at + 1, end) : NULL;
    case WHOLE: return past_whole(at, end, whole);
    case TRUTH: return past_truth(at, end);
    case CONSENT: return past_consent(at, end);
    default: return past_any(at, end);
    }
}

/* Which key stands at ``at``, beginning with its quote: one of those from ``next`` on; EVENT_COUNT if none. */
static int find_key(const uint8_t *at, const uint8_t *end, int next) {
    size_t left = (size_t)(end - at);
    for (; next < EVENT_COUNT; next++) {
        const struct key *key = &keys[next];
        if (left >= key->size + 3 && at[0] == '"' && at[key->size + 1] == '"' && at[key->size + 2] == ':' &&
            memcmp(at + 1, key->name, key->size) == 0)
            break;
    }
    return next;
}

bool read_line(struct span text, struct line *line) {
    const uint8_t *at = text.at, *end = text.at + text.size;
    int next = 0;
    memset(line, 0, sizeof *line);
    line->text = text;
    if (at >= end || *at != '{')
        return false;
    do {
        int key = find_key(at + 1, end, next);
        if (key == EVENT_COUNT)
            return false;
        const uint8_t *begin = at + 1 + keys[key].size + 3;
        at = past_value(begin, end, keys[key].kind, &line->whole[key]);
        if (!at || at >= end)
            return false;
        line->value[key] = (struct span){begin, (size_t)(at - begin)};
        next = key + 1;
    } while (*at == ',');
    return at + 1 == end && *at == '}' && line->value[EVENT_node].size && line->value[EVENT_event_id].size &&
           line->value[EVENT_occurred_at].size && line->value[EVENT_received_at].size && line->value[EVENT_type].size;
}

bool read_node(struct span text, struct span *node) { return read_name_after(text, SPAN("{\"node\":\""), node); }

struct span member_of(const struct line *line, int key) {
    struct span value = line->value[key];
    if (!value.size)
        return value;
    size_t before = 1 + 1 + keys[key].size + 2;
    return (struct span){value.at - before, value.size + before};
}

bool plain_text(const struct line *line, int key, struct span *text) {
    struct span value = line->value[key];
    if (!value.size)
        return *text = (struct span){value.at, 0}, true;
    *text = (struct span){value.at + 1, value.size - 2};
    return !text->size || !memchr(text->at, '\\', text->size);
}

bool tenant_of(const struct line *line, struct span *tenant) {
    if (line->value[EVENT_tenant].size)
        return plain_text(line, EVENT_tenant, tenant);
    return *tenant = SPAN("default"), true;
}
