#include "msgpack.h"

/* How a value begins: its kind, how much follows the tag (bytes or values), and where that begins. */
enum kind { NIL, TRUTH, WHOLE, NEGATIVE, FLOAT, TEXT, BYTES, ARRAY, MAP };
struct head {
    enum kind kind;
    uint64_t number; /* the value of a number or truth, else the size */
};

static bool read_number(struct reader *from, int bytes, uint64_t *number) {
    if (from->end - from->at < bytes)
        return false;
    *number = read_big_endian(from->at, bytes);
    from->at += bytes;
    return true;
}

static bool sized(struct reader *from, struct head *head, enum kind kind, int bytes) {
    head->kind = kind;
    return read_number(from, bytes, &head->number);
}

/* Integers: of the signed ones the sign is spread over 64 bits. */
static bool signed_number(struct reader *from, struct head *head, int bytes) {
    if (!sized(from, head, WHOLE, bytes))
        return false;
    uint64_t sign = UINT64_C(1) << (8 * bytes - 1);
    if (head->number & sign) {
        head->kind = NEGATIVE;
        head->number = (head->number ^ sign) - sign;
    }
    return true;
}

static bool read_head(struct reader *from, struct head *head) {
    if (from->at >= from->end)
        return false;
    uint8_t tag = *from->at++;
    if (tag <= 0x7F)
        return *head = (struct head){WHOLE, tag}, true;
    if (tag <= 0x8F)
        return *head = (struct head){MAP, tag & 15}, true;
    if (tag <= 0x9F)
        return *head = (struct head){ARRAY, tag & 15}, true;
    if (tag <= 0xBF)
        return *head = (struct head){TEXT, tag & 31}, true;
    if (tag >= 0xE0)
        return *head = (struct head){NEGATIVE, (uint64_t)(int64_t)(int8_t)tag}, true;
    switch (tag) {
    case 0xC0: return *head = (struct head){NIL, 0}, true;
    case 0xC2: case 0xC3: return *head = (struct head){TRUTH, tag & 1}, true;
    case 0xC4: return sized(from, head, BYTES, 1);
    case 0xC5: return sized(from, head, BYTES, 2);
    case 0xC6: return sized(from, head, BYTES, 4);
    case 0xCA: return *head = (struct head){FLOAT, 4}, true;
    case 0xCB: return *head = (struct head){FLOAT, 8}, true;
    case 0xCC: return sized(from, head, WHOLE, 1);
    case 0xCD: return sized(from, head, WHOLE, 2);
    case 0xCE: return sized(from, head, WHOLE, 4);
    case 0xCF: return sized(from, head, WHOLE, 8);
    case 0xD0: return signed_number(from, head, 1);
    case 0xD1: return signed_number(from, head, 2);
    case 0xD2: return signed_number(from, head, 4);
    case 0xD3: return signed_number(from, head, 8);
    case 0xD9: return sized(from, head, TEXT, 1);
    case 0xDA: return sized(from, head, TEXT, 2);
    case 0xDB: return sized(from, head, TEXT, 4);
    case 0xDC: return sized(from, head, ARRAY, 2);
    case 0xDD: return sized(from, head, ARRAY, 4);
    case 0xDE: return sized(from, head, MAP, 2);
    case 0xDF: return sized(from, head, MAP, 4);
    default: return false; /* extensions: no struct has any */
    }
}

/* No recursion: what is still to come is a number of values. Nearly all are of the kinds that are looked for first. */
bool skip_value(struct reader *from, struct span *raw) {
    uint64_t left = 1;
    raw->at = from->at;
    for (; left; left--) {
        struct head head;
        uint8_t tag = from->at < from->end ? *from->at : 0xC1;
        if (0xA0 <= tag && tag <= 0xBF && from->end - from->at > (tag & 31)) {
            from->at += 1 + (tag & 31);
            continue;
        }
        if (tag <= 0x7F || tag == 0xC0 || tag == 0xC2 || tag == 0xC3) {
            from->at++;
            continue;
        }
        if (0x90 <= tag && tag <= 0x9F) {
            from->at++;
            left += tag & 15;
            continue;
        }
        if (!read_head(from, &head))
            return false;
        if (head.kind == TEXT || head.kind == BYTES || head.kind == FLOAT) {
            if (head.number > (uint64_t)(from->end - from->at))
                return false;
            from->at += head.number;
        } else if (head.kind == ARRAY) {
            left += head.number;
        } else if (head.kind == MAP) {
            left += 2 * head.number;
        }
    }
    raw->size = (size_t)(from->at - raw->at);
    return true;
}

bool read_array(struct reader *from, uint32_t *count) {
    struct head head;
    if (!read_head(from, &head) || head.kind != ARRAY)
        return false;
    *count = (uint32_t)head.number;
    return true;
}

bool read_map(struct reader *from, uint32_t *count) {
    struct head head;
    if (!read_head(from, &head) || head.kind != MAP)
        return false;
    *count = (uint32_t)head.number;
    return true;
}

bool read_fields(struct reader *from, struct span *raw, uint32_t count) {
    uint32_t found;
    if (!read_array(from, &found) || found != count)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!skip_value(from, &raw[i]))
            return false;
    return true;
}

static bool head_of(struct span raw, struct head *head, struct reader *rest) {
    *rest = (struct reader){raw.at, raw.at + raw.size};
    return read_head(rest, head);
}

bool whole_of(struct span raw, int64_t *number) {
    struct head head;
    struct reader rest;
    if (raw.size && raw.at[0] <= 0x7F)
        return *number = raw.at[0], true;
    if (!head_of(raw, &head, &rest) || (head.kind != WHOLE && head.kind != NEGATIVE))
        return false;
    if (head.kind == WHOLE && head.number >= (uint64_t)BOUND)
        return false;
    *number = (int64_t)head.number;
    return within_bounds(*number);
}

bool truth_of(struct span raw, bool *truth) {
    if (!raw.size || (raw.at[0] != 0xC2 && raw.at[0] != 0xC3))
        return false;
    *truth = raw.at[0] == 0xC3;
    return true;
}

static bool body_of(struct span raw, enum kind kind, struct span *body) {
    struct head head;
    struct reader rest;
    if (!head_of(raw, &head, &rest) || head.kind != kind || head.number != (uint64_t)(rest.end - rest.at))
        return false;
    *body = (struct span){rest.at, (size_t)head.number};
    return true;
}

bool text_of(struct span raw, struct span *text) {
    if (raw.size && 0xA0 <= raw.at[0] && raw.at[0] <= 0xBF && raw.size == 1 + (size_t)(raw.at[0] & 31))
        return *text = (struct span){raw.at + 1, raw.size - 1}, true;
    return body_of(raw, TEXT, text);
}

bool bytes_of(struct span raw, struct span *bytes) { return body_of(raw, BYTES, bytes); }

static size_t tagged(uint8_t *to, uint8_t tag, uint64_t number, int bytes) {
    to[0] = tag;
    write_big_endian(to + 1, number, bytes);
    return 1 + (size_t)bytes;
}

size_t write_whole(uint8_t *to, int64_t number) {
    uint64_t bits = (uint64_t)number;
    if (-32 <= number && number <= 0x7F)
        return to[0] = (uint8_t)bits, 1;
    if (number >= 0)
        return number <= 0xFF         ? tagged(to, 0xCC, bits, 1)
               : number <= 0xFFFF     ? tagged(to, 0xCD, bits, 2)
               : number <= 0xFFFFFFFF ? tagged(to, 0xCE, bits, 4)
                                      : tagged(to, 0xCF, bits, 8);
    return number >= INT8_MIN    ? tagged(to, 0xD0, bits, 1)
           : number >= INT16_MIN ? tagged(to, 0xD1, bits, 2)
           : number >= INT32_MIN ? tagged(to, 0xD2, bits, 4)
                                 : tagged(to, 0xD3, bits, 8);
}

size_t write_text_head(uint8_t *to, size_t size) {
    if (size < 32)
        return to[0] = (uint8_t)(0xA0 | size), 1;
    return size <= 0xFF     ? tagged(to, 0xD9, size, 1)
           : size <= 0xFFFF ? tagged(to, 0xDA, size, 2)
                            : tagged(to, 0xDB, size, 4);
}

size_t write_bytes_head(uint8_t *to, size_t size) {
    return size <= 0xFF     ? tagged(to, 0xC4, size, 1)
           : size <= 0xFFFF ? tagged(to, 0xC5, size, 2)
                            : tagged(to, 0xC6, size, 4);
}

size_t write_array_head(uint8_t *to, uint32_t count) {
    if (count < 16)
        return to[0] = (uint8_t)(0x90 | count), 1;
    return count <= 0xFFFF ? tagged(to, 0xDC, count, 2) : tagged(to, 0xDD, count, 4);
}
