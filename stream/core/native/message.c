#include "message.h"

#include "groups.h"
#include "json.h"
#include "layout.h"

enum kind { TEXT, WHOLE, TRUTH, TOUCH };
struct key {
    struct span name; /* with its quotes and its colon */
    enum kind kind;
};
#define AS_KEY(name, kind) {{(const uint8_t *)"\"" #name "\":", sizeof #name + 2}, kind},
static const struct key said[SAID_COUNT] = {TOUCH_PUT_FIELDS(AS_KEY)};
static const struct key told[TOLD_COUNT] = {TOUCH_FIELDS(AS_KEY)};

/* What stands behind a key: a text without its quotes, a number, a truth. */
struct member {
    bool found;
    struct span text;
    int64_t number;
};

static const uint8_t *past_members(const uint8_t *at, const uint8_t *end, const struct key *keys, int count,
                                   struct member *members, struct member *inner);

static const uint8_t *past_member(const uint8_t *at, const uint8_t *end, enum kind kind, struct member *member,
                                  struct member *inner) {
    const uint8_t *begin = at;
    switch (kind) {
    case TEXT:
        at = at < end && *at == '"' ? past_text(at + 1, end) : NULL;
        if (!at || memchr(begin, '\\', (size_t)(at - begin)))
            return NULL;
        member->text = (struct span){begin + 1, (size_t)(at - begin) - 2};
        return at;
    case WHOLE: return past_whole(at, end, &member->number);
    case TRUTH:
        member->number = at < end && *at == 't';
        return past_truth(at, end);
    default: return at < end && *at == '{' ? past_members(at, end, told, TOLD_COUNT, inner, NULL) : NULL;
    }
}

/* Which key stands at ``at``; ``count`` if none. They come in the struct's order or nearly, so it is looked for from ``next`` on. */
static int find_key(const uint8_t *at, const uint8_t *end, const struct key *keys, int count, int next) {
    for (int tried = 0; tried < count; tried++, next++) {
        const struct key *key = &keys[next % count];
        if ((size_t)(end - at) >= key->name.size && memcmp(at, key->name.at, key->name.size) == 0)
            return next % count;
    }
    return count;
}

/* ``at`` is what stands before the first key: a brace or a comma. Ends behind the closing brace. */
static const uint8_t *past_members(const uint8_t *at, const uint8_t *end, const struct key *keys, int count,
                                   struct member *members, struct member *inner) {
    int next = 0;
    do {
        int key = find_key(++at, end, keys, count, next);
        if (key == count || members[key].found)
            return NULL;
        members[key].found = true;
        at = past_member(at + keys[key].name.size, end, keys[key].kind, &members[key], inner);
        next = key + 1;
    } while (at && at < end && *at == ',');
    return at && at < end && *at == '}' ? at + 1 : NULL;
}

bool read_message(struct span text, struct touch *touch, int64_t *at) {
    static const struct span head = {(const uint8_t *)"{\"m\":\"A\"", 8};
    struct member message[SAID_COUNT] = {{0}}, put[TOLD_COUNT] = {{0}};
    const uint8_t *end = text.at + text.size;
    if (text.size <= head.size || memcmp(text.at, head.at, head.size) != 0 || text.at[head.size] != ',')
        return false;
    if (past_members(text.at + head.size, end, said, SAID_COUNT, message, put) != end)
        return false;
    if (!message[SAID_to].found || !message[SAID_at].found || !message[SAID_touch].found)
        return false;
    if (!put[TOLD_id].found || !put[TOLD_at].found || !put[TOLD_type].found || !put[TOLD_channel].found ||
        !put[TOLD_person].found || !put[TOLD_node].found)
        return false;
    *at = message[SAID_at].number;
    *touch = (struct touch){
        put[TOLD_id].text, put[TOLD_type].text, put[TOLD_channel].text, put[TOLD_person].text, put[TOLD_utm_source].text,
        put[TOLD_utm_medium].text, put[TOLD_utm_campaign].text, put[TOLD_at].number, put[TOLD_points].number,
        put[TOLD_last_at].number, !put[TOLD_eligible].found || put[TOLD_eligible].number,
    };
    return true; /* 18 digits are within bounds */
}

bool read_addressee(struct span text, struct span *account) {
    static const uint8_t head[] = "{\"m\":\"", to[] = "\",\"to\":\"";
    const size_t first = sizeof head - 1, second = sizeof to - 1;
    if (text.size <= first || memcmp(text.at, head, first) != 0)
        return false;
    const uint8_t *tag = text.at + first, *quote = memchr(tag, '"', text.size - first);
    size_t size = quote ? (size_t)(quote - tag) : 0;
    if (!quote || text.size - first - size < second || memcmp(quote, to, second) != 0)
        return false;
    return read_name_after(text, (struct span){text.at, first + size + second}, account);
}
