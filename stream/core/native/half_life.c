#include "half_life.h"

/* 2100-01-01: times are cut to [1970, 2100). */
#define LATEST INT64_C(4102444800000)
#define SCALE_BITS 30
#define FRACTION_BITS 60

/* ``limb`` has ``size`` digits of 32 bits, the smallest first, and two more become it. */
static void multiply(uint32_t *limb, int size, uint64_t factor) {
    uint32_t product[8] = {0};
    for (int i = 0; i < size; i++) {
        uint64_t carry = 0;
        for (int k = 0; k < 2; k++) {
            carry += (uint64_t)limb[i] * (uint32_t)(factor >> 32 * k) + product[i + k];
            product[i + k] = (uint32_t)carry;
            carry >>= 32;
        }
        product[i + 2] = (uint32_t)carry;
    }
    memcpy(limb, product, (size_t)(size + 2) * sizeof *limb);
}

/* The product of three numbers, of whose 180 bits of fraction SCALE_BITS are kept. */
static int64_t rounded_product(uint64_t first, uint64_t second, uint64_t third) {
    const int drop = GROWTH_LEVELS * FRACTION_BITS - SCALE_BITS, half = drop - 1;
    uint32_t limb[8] = {(uint32_t)first, (uint32_t)(first >> 32)};
    multiply(limb, 2, second);
    multiply(limb, 4, third);
    uint64_t carry = UINT64_C(1) << half % 32;
    for (int i = half / 32; i < 8; i++) {
        carry += limb[i];
        limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    uint64_t high = (uint64_t)limb[drop / 32 + 1] << 32 | limb[drop / 32];
    return (int64_t)(high >> drop % 32);
}

struct weight growth_at(const struct growth *growth, int64_t time) {
    const uint64_t low = GROWTH_ENTRIES - 1;
    int64_t whole = time / growth->half_life, rest = time % growth->half_life;
    if (rest < 0) {
        rest += growth->half_life;
        whole--;
    }
    uint64_t fraction = ((uint64_t)rest << SCALE_BITS) / (uint64_t)growth->half_life;
    int64_t number = rounded_product(growth->table[0][fraction >> 2 * GROWTH_BITS], growth->table[1][fraction >> GROWTH_BITS & low],
                                     growth->table[2][fraction & low]);
    return (struct weight){number, whole};
}

struct weight weight_at(const struct growth *growth, int64_t at) {
    return growth_at(growth, at < 0 ? 0 : at > LATEST ? LATEST : at);
}

int64_t day_of(int64_t at) { return (at < 0 ? 0 : at >= LATEST ? LATEST - 1 : at) / DAY_MS; }

static bool fill_table(PyObject *bytes, uint64_t *table) {
    struct span packed;
    if (!span_of_bytes(bytes, &packed))
        return false;
    if (packed.size != 8 * GROWTH_ENTRIES) {
        PyErr_SetString(PyExc_ValueError, "a table of growth has another size");
        return false;
    }
    for (int i = 0; i < GROWTH_ENTRIES; i++) {
        table[i] = read_big_endian(packed.at + 8 * i, 8);
        if (table[i] >> 61) {
            PyErr_SetString(PyExc_ValueError, "an entry of a table of growth is out of bounds");
            return false;
        }
    }
    return true;
}

bool fill_growth(struct growth *growth, long long half_life, PyObject *tables) {
    if (half_life <= 0 || half_life >= LONGEST_HALF_LIFE) {
        PyErr_SetString(PyExc_ValueError, "half_life_ms is out of bounds");
        return false;
    }
    growth->half_life = half_life;
    bool done = is_tuple(tables, GROWTH_LEVELS);
    for (int i = 0; done && i < GROWTH_LEVELS; i++)
        done = fill_table(PyTuple_GetItem(tables, i), growth->table[i]);
    return done;
}
