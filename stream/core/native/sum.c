#include "sum.h"

static void strip(struct sum *sum) {
    while (sum->size && !sum->limb[sum->size - 1])
        sum->size--;
}

static int bits_of(uint32_t limb) {
    int bits = 0;
    for (; limb; limb >>= 1)
        bits++;
    return bits;
}

static int64_t bit_length(const struct sum *sum) {
    return sum->size ? 32 * (int64_t)(sum->size - 1) + bits_of(sum->limb[sum->size - 1]) : 0;
}

/* Takes the zeros at the end away. */
static void normalise(struct sum *sum) {
    int zeros = 0, bits = 0;
    if (!sum->size)
        return;
    while (!sum->limb[zeros])
        zeros++;
    while (!(sum->limb[zeros] >> bits & 1))
        bits++;
    sum->size -= zeros;
    memmove(sum->limb, sum->limb + zeros, (size_t)sum->size * sizeof *sum->limb);
    for (int i = 0; bits && i < sum->size; i++)
        sum->limb[i] = sum->limb[i] >> bits | (i + 1 < sum->size ? sum->limb[i + 1] << (32 - bits) : 0);
    strip(sum);
    sum->exponent += 32 * (int64_t)zeros + bits;
}

/* The same number with ``exponent``, which is not greater than its own. */
static bool lower_exponent(struct sum *sum, int64_t exponent) {
    int64_t shift = sum->exponent - exponent;
    sum->exponent = exponent;
    if (!sum->size || !shift)
        return true;
    if (shift + bit_length(sum) > 32 * (LIMBS - 1)) /* one is left for what is carried */
        return false;
    int limbs = (int)(shift / 32), bits = (int)(shift % 32);
    for (int i = sum->size; i >= 0; i--) {
        uint32_t high = i < sum->size ? sum->limb[i] : 0, low = i ? sum->limb[i - 1] : 0;
        sum->limb[i + limbs] = bits ? high << bits | low >> (32 - bits) : high;
    }
    memset(sum->limb, 0, (size_t)limbs * sizeof *sum->limb);
    sum->size += limbs + 1;
    strip(sum);
    return true;
}

static uint32_t limb_of(const struct sum *sum, int place) { return place < sum->size ? sum->limb[place] : 0; }

/* Of two of one exponent. */
static int compare_sizes(const struct sum *one, const struct sum *other) {
    if (one->size != other->size)
        return one->size < other->size ? -1 : 1;
    for (int i = one->size - 1; i >= 0; i--)
        if (one->limb[i] != other->limb[i])
            return one->limb[i] < other->limb[i] ? -1 : 1;
    return 0;
}

/* ``sum`` becomes the larger plus or minus the smaller; both have one exponent. False if it has no room. */
static bool combine(struct sum *sum, const struct sum *larger, const struct sum *smaller, bool minus) {
    int64_t carry = 0;
    int size = larger->size;
    for (int i = 0; i < size; i++) {
        carry += (int64_t)limb_of(larger, i) + (minus ? -(int64_t)limb_of(smaller, i) : (int64_t)limb_of(smaller, i));
        sum->limb[i] = (uint32_t)carry;
        carry = carry < 0 ? -1 : carry >> 32;
    }
    if (carry && size == LIMBS)
        return false;
    if (carry)
        sum->limb[size++] = (uint32_t)carry;
    sum->size = size;
    strip(sum);
    return true;
}

static void set_sum(struct sum *sum, int64_t times, struct weight weight) {
    uint64_t size = (uint64_t)(times < 0 ? -times : times) * (uint64_t)weight.number;
    *sum = (struct sum){.exponent = weight.exponent, .negative = times < 0, .size = 2};
    sum->limb[0] = (uint32_t)size;
    sum->limb[1] = (uint32_t)(size >> 32);
    strip(sum);
}

static bool add(struct sum *sum, struct sum *other) {
    if (!other->size)
        return true;
    if (!sum->size) {
        *sum = *other;
        return true;
    }
    int64_t exponent = sum->exponent < other->exponent ? sum->exponent : other->exponent;
    if (!lower_exponent(sum, exponent) || !lower_exponent(other, exponent))
        return false;
    bool minus = sum->negative != other->negative, less = compare_sizes(sum, other) < 0;
    if (less)
        sum->negative = other->negative;
    return less ? combine(sum, other, sum, minus) : combine(sum, sum, other, minus);
}

bool add_to_sum(struct sum *sum, int64_t times, struct weight weight) {
    struct sum other;
    set_sum(&other, times, weight);
    return add(sum, &other);
}

bool add_sums(struct sum *sum, const struct sum *other, bool minus) {
    struct sum added = *other;
    added.negative = added.negative != minus;
    return add(sum, &added);
}

bool compare_sum(const struct sum *sum, int64_t times, struct weight weight, int *sign) {
    struct sum difference = *sum;
    bool done = add_to_sum(&difference, -times, weight);
    *sign = sign_of(&difference);
    return done;
}

bool read_sum(struct span packed, struct sum *sum) {
    *sum = (struct sum){.size = 0};
    if (!packed.size)
        return true;
    if (packed.size < 5 || packed.size - 4 > 4 * (LIMBS - 1))
        return false;
    const uint8_t *byte = packed.at + 4;
    size_t count = packed.size - 4;
    for (int i = 3; i >= 0; i--)
        sum->exponent = sum->exponent << 8 | packed.at[i];
    sum->negative = byte[count - 1] & 0x80;
    uint32_t carry = sum->negative; /* of its two's complement; none is left, since the last byte is 0x80 at least */
    for (size_t i = 0; i < count; i++) {
        carry += sum->negative ? (uint8_t)~byte[i] : byte[i];
        sum->limb[i / 4] |= (carry & 0xFF) << 8 * (i % 4);
        carry >>= 8;
    }
    sum->size = (int)(count + 3) / 4;
    strip(sum);
    return true;
}

struct span write_sum(uint8_t *to, struct sum *sum) {
    normalise(sum);
    if (!sum->size)
        return (struct span){to, 0};
    size_t count = (size_t)bit_length(sum) / 8 + 1;
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(sum->exponent >> 8 * i);
    uint32_t carry = sum->negative;
    for (size_t i = 0; i < count; i++) {
        uint8_t byte = (uint8_t)(limb_of(sum, (int)(i / 4)) >> 8 * (i % 4));
        carry += sum->negative ? (uint8_t)~byte : byte;
        to[4 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    return (struct span){to, 4 + count};
}

/* Half of the last place goes to the even one, as everywhere. */
double fraction_of(const struct sum *sum, int64_t *exponent) {
    int64_t bits = bit_length(sum), drop = bits - 64;
    uint64_t top = 0, rest = 0;
    for (int i = sum->size - 1; i >= 0; i--) {
        int64_t place = 32 * (int64_t)i - drop; /* of the digit's last bit in ``top`` */
        uint64_t limb = sum->limb[i];
        if (place >= 0)
            top |= limb << place;
        else if (place > -32)
            top |= limb >> -place, rest |= limb & ((UINT64_C(1) << -place) - 1);
        else
            rest |= limb;
    }
    uint64_t kept = top >> 11, dropped = top & 0x7FF;
    if (dropped > 0x400 || (dropped == 0x400 && (rest || kept & 1)))
        kept++;
    *exponent = sum->exponent + bits;
    double fraction = (double)kept / 9007199254740992.0; /* 2**53 */
    if (fraction == 1.0)
        return ++*exponent, 0.5;
    return fraction;
}
