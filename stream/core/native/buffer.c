#include "buffer.h"

static bool make_room(struct buffer *buffer, size_t size) {
    size_t room = buffer->room ? buffer->room : 1 << 16;
    if (buffer->room - buffer->size >= size)
        return true;
    while (room - buffer->size < size)
        room *= 2;
    uint8_t *at = PyMem_Realloc(buffer->at, room);
    if (!at)
        return PyErr_NoMemory(), false;
    buffer->at = at;
    buffer->room = room;
    return true;
}

bool add_line(struct buffer *buffer, const struct span *pieces, int count) {
    size_t size = size_of(pieces, count) + 1;
    if (!make_room(buffer, size))
        return false;
    *copy_pieces(buffer->at + buffer->size, pieces, count) = '\n';
    buffer->size += size;
    buffer->lines++;
    return true;
}

PyObject *emptied(struct buffer *buffer) {
    size_t size = buffer->size ? buffer->size - 1 : 0;
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)buffer->at, (Py_ssize_t)size);
    buffer->size = 0;
    buffer->lines = 0;
    return bytes;
}

void drop_buffer(struct buffer *buffer) {
    PyMem_Free(buffer->at);
    *buffer = (struct buffer){NULL, 0, 0, 0};
}
