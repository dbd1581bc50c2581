#include "line.h"

enum kind { TEXT, WHOLE, TRUTH, CONSENT, ANY };
struct key {
    const char *name;
    size_t size;
    enum kind kind;
};
#define AS_KEY(name, kind) {#name, sizeof #name - 1, kind},
static const struct key keys[EVENT_COUNT] = {EVENT_FIELDS(AS_KEY)};

/* Values may be nested so deep. Senders may nest theirs deeper: then Python says what becomes of them. */
#define DEEPEST 60

/* Everything below goes through the text from ``at`` and returns where it came to, NULL if it does not fit. */

static bool is_digit(uint8_t byte) { return '0' <= byte && byte <= '9'; }

static const uint8_t *past(const uint8_t *at, const uint8_t *end, const char *word, size_t size) {
    return (size_t)(end - at) >= size && memcmp(at, word, size) == 0 ? at + size : NULL;
}
#define PAST(at, end, word) past(at, end, word, sizeof word - 1)

static bool continues(const uint8_t *at, const uint8_t *end, int many, uint8_t low, uint8_t high) {
    if (end - at < many || at[0] < low || at[0] > high)
        return false;
    for (int i = 1; i < many; i++)
        if ((at[i] & 0xC0) != 0x80)
            return false;
    return true;
}

/* One character of two to four bytes (RFC 3629: no surrogates, nothing longer than it need be). */
static const uint8_t *past_character(const uint8_t *at, const uint8_t *end) {
    uint8_t first = *at++;
    int many = first < 0xC2 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : first < 0xF5 ? 3 : 0;
    uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    return many && continues(at, end, many, low, high) ? at + many : NULL;
}

/* Four hexadecimal digits. */
static const uint8_t *past_unit(const uint8_t *at, const uint8_t *end, unsigned *unit) {
    if (end - at < 4)
        return NULL;
    *unit = 0;
    for (int i = 0; i < 4; i++, at++) {
        uint8_t low = *at | 0x20;
        if (!is_digit(*at) && !('a' <= low && low <= 'f'))
            return NULL;
        *unit = *unit << 4 | (unsigned)(is_digit(*at) ? *at - '0' : low - 'a' + 10);
    }
    return at;
}

/* What follows a backslash; of surrogates whole pairs only. */
static const uint8_t *past_escape(const uint8_t *at, const uint8_t *end) {
    unsigned unit;
    if (at >= end)
        return NULL;
    if (*at != 'u')
        return *at && strchr("\"\\/bfnrt", *at) ? at + 1 : NULL;
    at = past_unit(at + 1, end, &unit);
    if (!at || unit < 0xD800 || unit > 0xDFFF)
        return at;
    if (unit > 0xDBFF || !(at = PAST(at, end, "\\u")) || !(at = past_unit(at, end, &unit)))
        return NULL;
    return 0xDC00 <= unit && unit <= 0xDFFF ? at : NULL;
}

/* Whether of eight bytes none is a quote, a backslash, a control character or beyond ASCII. A false "no" costs time. */
static bool are_plain(const uint8_t *at) {
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    uint64_t word, quote, slash;
    memcpy(&word, at, 8);
    quote = word ^ ones * '"';
    slash = word ^ ones * '\\';
    return !((word | (word - ones * 0x20) | (quote - ones) | (slash - ones)) & highs);
}

/* ``at`` is behind the opening quote. */
static const uint8_t *past_text(const uint8_t *at, const uint8_t *end) {
    for (;;) {
        while (end - at >= 8 && are_plain(at))
            at += 8;
        if (at >= end || *at < 0x20)
            return NULL;
        if (*at == '"')
            return at + 1;
        at = *at == '\\' ? past_escape(at + 1, end) : *at < 0x80 ? at + 1 : past_character(at, end);
        if (!at)
            return NULL;
    }
}

static const uint8_t *past_digits(const uint8_t *at, const uint8_t *end) {
    if (at >= end || !is_digit(*at))
        return NULL;
    while (at < end && is_digit(*at))
        at++;
    return at;
}

static const uint8_t *past_number(const uint8_t *at, const uint8_t *end) {
    if (at < end && *at == '-')
        at++;
    at = at < end && *at == '0' ? at + 1 : past_digits(at, end);
    if (at && at < end && *at == '.')
        at = past_digits(at + 1, end);
    if (at && at < end && (*at | 0x20) == 'e') {
        at++;
        at = past_digits(at < end && (*at == '+' || *at == '-') ? at + 1 : at, end);
    }
    return at;
}

static const uint8_t *past_simple(const uint8_t *at, const uint8_t *end) {
    if (at >= end)
        return NULL;
    switch (*at) {
    case '"': return past_text(at + 1, end);
    case 't': return PAST(at, end, "true");
    case 'f': return PAST(at, end, "false");
    case 'n': return PAST(at, end, "null");
    default: return past_number(at, end);
    }
}

static const uint8_t *past_space(const uint8_t *at, const uint8_t *end) {
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

/* A key of an object, and its colon. */
static const uint8_t *past_key(const uint8_t *at, const uint8_t *end) {
    if (at >= end || *at != '"' || !(at = past_text(at + 1, end)))
        return NULL;
    at = past_space(at, end);
    return at < end && *at == ':' ? past_space(at + 1, end) : NULL;
}

/* One JSON value. No recursion: of each container that is open a bit says whether it is an object. */
static const uint8_t *past_any(const uint8_t *at, const uint8_t *end) {
    uint64_t objects = 0;
    int depth = 0;
    for (;;) {
        if (at < end && (*at == '{' || *at == '[')) {
            bool object = *at == '{';
            at = past_space(at + 1, end);
            if (at >= end || depth == DEEPEST)
                return NULL;
            if (*at != (object ? '}' : ']')) {
                objects = objects << 1 | object;
                depth++;
                if (object && !(at = past_key(at, end)))
                    return NULL;
                continue;
            }
            at++;
        } else if (!(at = past_simple(at, end))) {
            return NULL;
        }
        /* A value has ended, and perhaps what it lies in. */
        for (;;) {
            if (!depth)
                return at;
            at = past_space(at, end);
            if (at >= end)
                return NULL;
            if (*at == ',')
                break;
            if (*at != (objects & 1 ? '}' : ']'))
                return NULL;
            at++;
            objects >>= 1;
            depth--;
        }
        at = past_space(at + 1, end);
        if (objects & 1 && !(at = past_key(at, end)))
            return NULL;
    }
}

/* An integer of at most 18 digits. */
static const uint8_t *past_whole(const uint8_t *at, const uint8_t *end, int64_t *number) {
    bool negative = at < end && *at == '-';
    const uint8_t *first = at += negative;
    *number = 0;
    for (; at < end && is_digit(*at); at++) {
        if (at - first == 18)
            return NULL;
        *number = *number * 10 + (*at - '0');
    }
    if (at == first || (*first == '0' && (negative || at - first > 1)))
        return NULL;
    if (negative)
        *number = -*number;
    return at;
}

static const uint8_t *past_truth(const uint8_t *at, const uint8_t *end) {
    const uint8_t *behind = PAST(at, end, "true");
    return behind ? behind : PAST(at, end, "false");
}

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

bool needs_no_escape(struct span text) {
    const uint8_t *at = text.at, *end = text.at + text.size;
    while (at && at < end) {
        if (end - at >= 8 && are_plain(at))
            at += 8;
        else if (*at < 0x20 || *at == '"' || *at == '\\')
            return false;
        else
            at = *at < 0x80 ? at + 1 : past_character(at, end);
    }
    return at != NULL;
}
