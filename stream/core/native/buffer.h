/* Lines that are being collected, one after the other, each with its end. */
#ifndef TOUCHLINE_BUFFER_H
#define TOUCHLINE_BUFFER_H

#include "objects.h"

struct buffer {
    uint8_t *at;
    size_t size, room;
    int64_t lines;
};

/* How far a buffer was filled: to return to. */
struct mark {
    size_t size;
    int64_t lines;
};

/* Adds a line made of pieces. False with an exception. */
bool add_line(struct buffer *buffer, const struct span *pieces, int count);
static inline struct mark marked(const struct buffer *buffer) { return (struct mark){buffer->size, buffer->lines}; }
static inline void return_to(struct buffer *buffer, struct mark mark) {
    buffer->size = mark.size;
    buffer->lines = mark.lines;
}

/* All lines, with ends between them; the buffer is empty then. */
PyObject *emptied(struct buffer *buffer);
void drop_buffer(struct buffer *buffer);

#endif
