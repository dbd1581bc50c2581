/* A frame's lines by the node that each names first, in the order in which nodes first appear (``stream.core.frames`` has it in
   Python). */
#ifndef TOUCHLINE_GROUPS_H
#define TOUCHLINE_GROUPS_H

#include "objects.h"

#define NO_LINE UINT32_MAX
struct own_line {
    struct span text;
    uint32_t number; /* in the frame */
    uint32_t next;   /* of the same node; NO_LINE if there is none */
};
struct group {
    struct span node;
    uint32_t first, last;
};
struct groups {
    struct own_line *line;
    struct group *group;
    uint32_t lines, count;
};

/* The node that a line names first, false if it does not look as our encoder writes it. */
typedef bool (*name_reader)(struct span line, struct span *node);

/* REFUSED if there is such a line. ``drop_groups`` is to be called in any case. The frame lasts longer. */
enum verdict make_groups(struct groups *groups, struct span frame, name_reader read_name);
void drop_groups(struct groups *groups);

size_t count_line_ends(struct span frame);

/* A group's effects, or none. */
typedef enum verdict (*group_taker)(void *taker, const struct group *group);

/* Lets groups be taken from ``next`` on, which is moved on. Returns: node and lines of the first that is REFUSED, for Python; None if
   all are done; NULL with an exception. */
PyObject *take_groups(const struct groups *groups, uint32_t *next, group_taker take, void *taker);

/* What follows ``head`` up to the next quote. False if the line does not begin so and end with a brace, or has an escape there. */
bool read_name_after(struct span line, struct span head, struct span *node);

#endif
