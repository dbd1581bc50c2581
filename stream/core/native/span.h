/* A piece of memory that somebody else keeps, and what is asked of such pieces everywhere here. */
#ifndef TOUCHLINE_SPAN_H
#define TOUCHLINE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *at;
    size_t size;
};

/* Numbers beyond it are refused wherever they are read: two within it can be added without overflow. 2**61 is also the
   bound of times (stream.core.visit.LATEST). */
#define BOUND (INT64_C(1) << 61)

static inline bool within_bounds(int64_t number) { return -BOUND < number && number < BOUND; }

/* The text of a literal. */
#define SPAN(text) ((struct span){(const uint8_t *)(text), sizeof(text) - 1})
#define SPAN_OF(bytes) ((struct span){bytes, sizeof bytes})

static inline bool same(struct span one, struct span other) {
    return one.size == other.size && (!one.size || memcmp(one.at, other.at, one.size) == 0);
}

static inline void write_big_endian(uint8_t *to, uint64_t number, int bytes) {
    for (int i = bytes - 1; i >= 0; i--) {
        to[i] = (uint8_t)number;
        number >>= 8;
    }
}

static inline uint64_t read_big_endian(const uint8_t *from, int bytes) {
    uint64_t number = 0;
    for (int i = 0; i < bytes; i++)
        number = number << 8 | from[i];
    return number;
}

#endif
