/* A visitor's node in the identity forest as it lies in the record (``stream.core.nodes.NodeState``). */
#ifndef TOUCHLINE_NODE_H
#define TOUCHLINE_NODE_H

#include "span.h"

/* From which time on it is no news to the node that the user has the address: it told the user so. The user is a node of that
   tenant (``tenant/u:ID``), the address is bare. False if the node does not know it, or cannot be read, or the user is none. */
bool told_of_address(struct span node, struct span user, struct span tenant, struct span address, int64_t *since);

#endif
