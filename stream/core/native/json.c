#include "json.h"

/* Values may be nested so deep. Senders may nest theirs deeper: then Python says what becomes of them. */
#define DEEPEST 60

static bool is_digit(uint8_t byte) { return '0' <= byte && byte <= '9'; }

const uint8_t *past_word(const uint8_t *at, const uint8_t *end, const char *word, size_t size) {
    return (size_t)(end - at) >= size && memcmp(at, word, size) == 0 ? at + size : NULL;
}

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

const uint8_t *past_text(const uint8_t *at, const uint8_t *end) {
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

const uint8_t *past_key(const uint8_t *at, const uint8_t *end) {
    if (at >= end || *at != '"' || !(at = past_text(at + 1, end)))
        return NULL;
    at = past_space(at, end);
    return at < end && *at == ':' ? past_space(at + 1, end) : NULL;
}

/* No recursion: of each container that is open a bit says whether it is an object. */
const uint8_t *past_any(const uint8_t *at, const uint8_t *end) {
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

const uint8_t *past_whole(const uint8_t *at, const uint8_t *end, int64_t *number) {
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

const uint8_t *past_truth(const uint8_t *at, const uint8_t *end) {
    const uint8_t *behind = PAST(at, end, "true");
    return behind ? behind : PAST(at, end, "false");
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
