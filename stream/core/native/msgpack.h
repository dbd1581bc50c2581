/* MessagePack, as much of it as records have. Readers return false for what is cut short, of another kind or
   out of bounds; the reader is of no use then. Writers take the shortest form, as msgspec does. */
#ifndef TOUCHLINE_MSGPACK_H
#define TOUCHLINE_MSGPACK_H

#include "span.h"

struct reader {
    const uint8_t *at, *end;
};

/* One value of any kind, whatever it contains; ``raw`` is where it lies. */
bool skip_value(struct reader *from, struct span *raw);
bool read_array(struct reader *from, uint32_t *count);
bool read_map(struct reader *from, uint32_t *count);
/* An array of exactly ``count`` values, each of which is noted in ``raw`` and not looked at. */
bool read_fields(struct reader *from, struct span *raw, uint32_t count);

/* A whole value that was noted before. */
bool whole_of(struct span raw, int64_t *number);
bool truth_of(struct span raw, bool *truth);
bool text_of(struct span raw, struct span *text);
bool bytes_of(struct span raw, struct span *bytes);
static inline bool is_nil(struct span raw) { return raw.size == 1 && raw.at[0] == 0xC0; }

/* The shortest values: nothing, false, true, 0, "", [] and {}. */
#define PACKED_NIL SPAN("\xC0")
#define PACKED_NO SPAN("\xC2")
#define PACKED_YES SPAN("\xC3")
#define PACKED_ZERO SPAN("\x00")
#define PACKED_TEXT SPAN("\xA0")
#define PACKED_ARRAY SPAN("\x90")
#define PACKED_MAP SPAN("\x80")

/* ``to`` has room for HEAD_BYTES. They return the size. */
#define HEAD_BYTES 9
size_t write_whole(uint8_t *to, int64_t number);
size_t write_text_head(uint8_t *to, size_t size);
size_t write_bytes_head(uint8_t *to, size_t size);
size_t write_array_head(uint8_t *to, uint32_t count);

#endif
