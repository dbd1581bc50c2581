/* A node's name, ``tenant/kind:value`` (``schemas.ids``), and its parts; all of size 0 if it is nobody's. */
#ifndef TOUCHLINE_NAME_H
#define TOUCHLINE_NAME_H

#include "span.h"

struct name {
    struct span whole, tenant, bare, value;
    uint8_t kind;
};

/* False if it is none, or would have to be escaped in JSON. */
bool read_name(struct span whole, struct name *name);

/* An account as tables write it (``schemas.ids.account_id``): the journey of a person without an account has none. */
struct span account_id(const struct name *account);

#endif
