#include "name.h"

#include "json.h"

bool read_name(struct span whole, struct name *name) {
    *name = (struct name){.whole = whole};
    if (!whole.size)
        return true;
    const uint8_t *slash = memchr(whole.at, '/', whole.size), *end = whole.at + whole.size;
    if (!slash || end - slash < 3 || slash[2] != ':' || !needs_no_escape(whole))
        return false;
    name->tenant = (struct span){whole.at, (size_t)(slash - whole.at)};
    name->bare = (struct span){slash + 1, (size_t)(end - slash - 1)};
    name->value = (struct span){slash + 3, (size_t)(end - slash - 3)};
    name->kind = slash[1];
    return true;
}

struct span account_id(const struct name *account) {
    return account->kind == 'd' || account->kind == 'a' ? account->value : SPAN("");
}
