/* BLAKE2b of ids, CRC-32 (as zlib has it) of an event's content, and what Kafka takes of a key. */
#ifndef TOUCHLINE_DIGESTS_H
#define TOUCHLINE_DIGESTS_H

#include "span.h"

#define HASH_BYTES 8

void make_crc_tables(void);
uint32_t crc32_of(struct span text);

/* ``text`` is one block at most, ``size`` at most 64 bytes. */
#define HASHED_AT_MOST 128
void blake2b(struct span text, uint8_t *hash, size_t size);

/* Spreads texts over a table in memory; nothing that is kept depends on it. */
uint64_t spread(struct span text);

/* ``schemas.ids.key_hash``: by it a key has its partition. */
uint32_t key_hash(struct span key);

#endif
