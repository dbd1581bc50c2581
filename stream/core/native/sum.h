/* A sum of engagement (``stream.core.engagement``): an integer of thousands of bits, nearly all of which are zeros at its end. What
   is before them is kept. */
#ifndef TOUCHLINE_SUM_H
#define TOUCHLINE_SUM_H

#include "half_life.h"

/* Digits of 32 bits. Half-lives between an account's first entry and its last take a bit each. */
#define LIMBS 32

struct sum {
    int64_t exponent;
    bool negative;
    int size; /* digits, the smallest first; the last one is not 0 */
    uint32_t limb[LIMBS];
};

/* False if it takes more digits than there are: then Python's way is to decide. */
bool read_sum(struct span packed, struct sum *sum);
bool add_to_sum(struct sum *sum, int64_t times, struct weight weight); /* times: less than 2**32, either way */

bool add_sums(struct sum *sum, const struct sum *other, bool minus);

/* -1, 0 or 1 in ``sign``: how the sum compares with ``times * weight``. */
bool compare_sum(const struct sum *sum, int64_t times, struct weight weight, int *sign);
static inline int sign_of(const struct sum *sum) { return !sum->size ? 0 : sum->negative ? -1 : 1; }

/* As ``stream.core.engagement.pack`` writes it. */
#define SUM_BYTES (4 + 4 * LIMBS + 1)
struct span write_sum(uint8_t *to, struct sum *sum);

/* The sum's size, which is not 0, as ``fraction * 2**exponent`` with the fraction in [0.5, 1) rounded to a double. */
double fraction_of(const struct sum *sum, int64_t *exponent);

#endif
