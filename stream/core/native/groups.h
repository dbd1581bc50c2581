/* A frame's lines by the node that each names first, in the order in which nodes first appear
   (``stream.core.frames.by_node`` has it in Python). */
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

/* REFUSED if a line does not look as our encoder writes it. ``drop_groups`` is to be called in any case. The frame lasts longer. */
enum verdict make_groups(struct groups *groups, struct span frame);
void drop_groups(struct groups *groups);

#endif
