/* The two digests of an event: BLAKE2b with 8 bytes of its id, CRC-32 (as zlib has it) of its content. */
#ifndef TOUCHLINE_DIGESTS_H
#define TOUCHLINE_DIGESTS_H

#include "span.h"

#define HASH_BYTES 8

void make_crc_tables(void);
uint32_t crc32_of(struct span text);

/* ``text`` is one block at most: 128 bytes. */
#define HASHED_AT_MOST 128
void blake2b_8(struct span text, uint8_t hash[HASH_BYTES]);

#endif
