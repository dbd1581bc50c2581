/* One line of what an account is told that is a touch put (``schemas.messages.TouchPut``): nothing between tokens, no key twice, no
   text with an escape. What looks otherwise is refused, though it may be one: Python decodes it. */
#ifndef TOUCHLINE_MESSAGE_H
#define TOUCHLINE_MESSAGE_H

#include "span.h"

/* A touch as its account keeps it, and what is compared of it. */
struct touch {
    struct span id, type, channel, person, utm_source, utm_medium, utm_campaign;
    int64_t at, points, last_at;
    bool eligible;
};

/* ``at`` is when it was said. */
bool read_message(struct span text, struct touch *touch, int64_t *at);

/* The account that a line names first, whatever it says to it (``groups.h``). */
bool read_addressee(struct span text, struct span *account);

#endif
