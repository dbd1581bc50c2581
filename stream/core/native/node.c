#include "node.h"

#include "layout.h"
#include "msgpack.h"
#include "name.h"
#include "objects.h"

/* Longer ones are rare, and Python is asked. */
#define NAME_BYTES 1024

/* What the map has under the name: a whole number. */
static bool find_number(struct span map, struct span name, int64_t *number) {
    struct reader reader = {map.at, map.at + map.size};
    struct span key, value, text;
    uint32_t count;
    if (!read_map(&reader, &count))
        return false;
    while (count--) {
        if (!skip_value(&reader, &key) || !skip_value(&reader, &value))
            return false;
        if (text_of(key, &text) && same(text, name))
            return whole_of(value, number);
    }
    return false;
}

/* What it told others (``NodeState.said``); old nodes have fewer fields behind it. */
static bool said_of(struct span node, struct span *said) {
    struct reader reader = {node.at, node.at + node.size};
    uint32_t count;
    if (!read_array(&reader, &count) || count <= NODE_said)
        return false;
    for (int i = 0; i <= NODE_said; i++)
        if (!skip_value(&reader, said))
            return false;
    return true;
}

bool told_of_address(struct span node, struct span user, struct span tenant, struct span address, int64_t *since) {
    uint8_t text[NAME_BYTES];
    struct name name;
    struct span said;
    if (!read_name(user, &name) || name.kind != 'u' || !same(name.tenant, tenant))
        return false;
    /* As stream.core.identity.sources names such a claim: child, source, parent. */
    struct span pieces[] = {user, SPAN(" trait "), tenant, SPAN("/e:"), address};
    const int count = sizeof pieces / sizeof *pieces;
    const size_t size = size_of(pieces, count);
    if (size > sizeof text)
        return false;
    copy_pieces(text, pieces, count);
    return said_of(node, &said) && find_number(said, (struct span){text, size}, since);
}
