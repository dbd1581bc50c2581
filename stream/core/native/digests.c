#include "digests.h"

/* CRC-32, eight bytes at a time: table k has the effect of a byte that k others follow. */
static uint32_t crc_tables[8][256];

void make_crc_tables(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
        crc_tables[0][byte] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (int byte = 0; byte < 256; byte++) {
            uint32_t before = crc_tables[k - 1][byte];
            crc_tables[k][byte] = before >> 8 ^ crc_tables[0][before & 255];
        }
}

uint32_t crc32_of(struct span text) {
    uint32_t crc = 0xFFFFFFFFu;
    const uint8_t *at = text.at, *end = text.at + text.size;
    for (; end - at >= 8; at += 8) {
        crc ^= (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        crc = crc_tables[7][crc & 255] ^ crc_tables[6][crc >> 8 & 255] ^ crc_tables[5][crc >> 16 & 255] ^
              crc_tables[4][crc >> 24] ^ crc_tables[3][at[4]] ^ crc_tables[2][at[5]] ^ crc_tables[1][at[6]] ^
              crc_tables[0][at[7]];
    }
    for (; at < end; at++)
        crc = crc >> 8 ^ crc_tables[0][(crc ^ *at) & 255];
    return ~crc;
}

/* BLAKE2b (RFC 7693) of a single block, without key. */
static const uint64_t blake2b_start[8] = {
    UINT64_C(0x6A09E667F3BCC908), UINT64_C(0xBB67AE8584CAA73B), UINT64_C(0x3C6EF372FE94F82B),
    UINT64_C(0xA54FF53A5F1D36F1), UINT64_C(0x510E527FADE682D1), UINT64_C(0x9B05688C2B3E6C1F),
    UINT64_C(0x1F83D9ABFB41BD6B), UINT64_C(0x5BE0CD19137E2179),
};
static const uint8_t blake2b_order[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static uint64_t little_endian(const uint8_t *from) {
    uint64_t number = 0;
    for (int i = 7; i >= 0; i--)
        number = number << 8 | from[i];
    return number;
}

static uint64_t turned(uint64_t number, int bits) { return number >> bits | number << (64 - bits); }

static void mix(uint64_t *v, int a, int b, int c, int d, uint64_t x, uint64_t y) {
    v[a] += v[b] + x;
    v[d] = turned(v[d] ^ v[a], 32);
    v[c] += v[d];
    v[b] = turned(v[b] ^ v[c], 24);
    v[a] += v[b] + y;
    v[d] = turned(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = turned(v[b] ^ v[c], 63);
}

void blake2b(struct span text, uint8_t *hash, size_t size) {
    uint8_t block[HASHED_AT_MOST] = {0};
    uint64_t m[16], v[16];
    uint64_t first = blake2b_start[0] ^ 0x01010000u ^ size; /* without key, one leaf */
    memcpy(block, text.at, text.size);
    for (int i = 0; i < 16; i++)
        m[i] = little_endian(block + 8 * i);
    for (int i = 0; i < 8; i++)
        v[i] = v[i + 8] = blake2b_start[i];
    v[0] = first;
    v[12] ^= text.size;
    v[14] = ~v[14]; /* the last block */
    for (int round = 0; round < 12; round++) {
        const uint8_t *s = blake2b_order[round % 10];
        mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
        mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
        mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
        mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
        mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
        mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
        mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
        mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
    }
    for (size_t i = 0; i < size; i++) {
        uint64_t word = (i < 8 ? first : blake2b_start[i / 8]) ^ v[i / 8] ^ v[i / 8 + 8];
        hash[i] = (uint8_t)(word >> 8 * (i % 8));
    }
}

/* Kafka's murmur2. */
uint32_t key_hash(struct span key) {
    const uint32_t factor = 0x5BD1E995u;
    const uint8_t *at = key.at, *end = key.at + key.size;
    uint32_t hash = 0x9747B28Cu ^ (uint32_t)key.size;
    for (; end - at >= 4; at += 4) {
        uint32_t word = ((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24) * factor;
        hash = hash * factor ^ (word ^ word >> 24) * factor;
    }
    for (int left = (int)(end - at) - 1; left >= 0; left--)
        hash = left ? hash ^ (uint32_t)at[left] << 8 * left : (hash ^ at[0]) * factor;
    hash = (hash ^ hash >> 13) * factor;
    return (hash ^ hash >> 15) & 0x7FFFFFFF;
}

uint64_t spread(struct span text) {
    const uint64_t factor = UINT64_C(0x9E3779B97F4A7C15);
    const uint8_t *at = text.at, *end = text.at + text.size;
    uint64_t hash = text.size * factor, word;
    for (; end - at >= 8; at += 8) {
        memcpy(&word, at, 8);
        hash = (hash ^ word) * factor;
        hash ^= hash >> 29;
    }
    word = 0;
    if (at < end)
        memcpy(&word, at, (size_t)(end - at));
    hash = (hash ^ word) * factor;
    return hash ^ hash >> 32;
}
