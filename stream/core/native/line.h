/* One canonical line of an event, as ``schemas.codec.line_of`` writes it: keys in the order of the struct, none twice,
   nothing between tokens. What looks otherwise is refused, though it may be an event: Python decodes it. What is
   accepted, msgspec's decoder accepts, too. */
#ifndef TOUCHLINE_LINE_H
#define TOUCHLINE_LINE_H

#include "layout.h"
#include "span.h"

struct line {
    struct span text;
    /* Value by key as it is written, with its quotes; of size 0 if the key is absent. */
    struct span value[EVENT_COUNT];
    /* The number that it is; 0 if the key is absent. */
    int64_t whole[EVENT_COUNT];
};

bool read_line(struct span text, struct line *line);

/* The node that a line names first, without the rest being looked at (``groups.h``). */
bool read_node(struct span text, struct span *node);

/* The member as it is written, from the comma before its key to the end of its value. Not for the first one. */
struct span member_of(const struct line *line, int key);

/* What a text says, if it is written without escapes; "" if the key is absent. */
bool plain_text(const struct line *line, int key, struct span *text);

/* The tenant, if it is written without escapes; the default one if the key is absent. */
bool tenant_of(const struct line *line, struct span *tenant);

/* Whether a text is absent or "". */
static inline bool is_blank(const struct line *line, int key) { return line->value[key].size <= 2; }

#endif
