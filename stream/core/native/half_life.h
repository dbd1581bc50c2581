/* Exact powers of two, as ``stream.core.half_life`` has them: integers, the same on every machine. */
#ifndef TOUCHLINE_HALF_LIFE_H
#define TOUCHLINE_HALF_LIFE_H

#include "objects.h"

#define GROWTH_BITS 10
#define GROWTH_ENTRIES (1 << GROWTH_BITS)
#define GROWTH_LEVELS 3

/* Longer ones (198 days) are handled in Python: what is divided by them has to fit into 64 bits. */
#define LONGEST_HALF_LIFE (INT64_C(1) << 34)

struct growth {
    int64_t half_life; /* ms, more than 0 and less than the longest */
    uint64_t table[GROWTH_LEVELS][GROWTH_ENTRIES]; /* fixed point, 60 bits of fraction; less than 2**61 */
};

/* ``number * 2**exponent``; number is at most 2**31. */
struct weight {
    int64_t number, exponent;
};

/* False, with an exception, if these are no half-life (0 < it < LONGEST_HALF_LIFE) or not the tables of ``GROWTH``, whose entries
   are packed in 8 bytes each. */
bool fill_growth(struct growth *growth, long long half_life, PyObject *tables);

/* ``2**(time / half-life)`` in units of ``2**-30``. The time is within bounds. */
struct weight growth_at(const struct growth *growth, int64_t time);

/* What a thousandth of a point at ``at`` (ms) adds to a sum (``stream.core.engagement.entry_unit``). */
struct weight weight_at(const struct growth *growth, int64_t at);

#define DAY_MS INT64_C(86400000)
/* Number of the UTC day, as ``stream.core.engagement.day_of``. */
int64_t day_of(int64_t at);

#endif
