#include "groups.h"

#include "digests.h"
#include "json.h"

bool read_name_after(struct span line, struct span head, struct span *node) {
    if (line.size <= head.size || memcmp(line.at, head.at, head.size) != 0 || line.at[line.size - 1] != '}')
        return false;
    const uint8_t *begin = line.at + head.size, *end = memchr(begin, '"', line.size - head.size);
    if (!end || memchr(begin, '\\', (size_t)(end - begin)))
        return false;
    *node = (struct span){begin, (size_t)(end - begin)};
    return true;
}

size_t count_line_ends(struct span frame) {
    size_t count = 0;
    for (const uint8_t *at = frame.at, *end = frame.at + frame.size; (at = memchr(at, '\n', (size_t)(end - at))); at++)
        count++;
    return count;
}

/* Places of groups by their node: at least twice as many as there are lines. */
struct places {
    uint32_t *group, mask;
};

static void add_to_group(struct groups *groups, struct places *places, struct span node) {
    uint32_t line = groups->lines++;
    uint32_t place = (uint32_t)spread(node) & places->mask;
    groups->line[line].next = NO_LINE;
    for (; places->group[place]; place = (place + 1) & places->mask) {
        struct group *group = &groups->group[places->group[place] - 1];
        if (!same(group->node, node))
            continue;
        groups->line[group->last].next = line;
        group->last = line;
        return;
    }
    groups->group[groups->count++] = (struct group){node, line, line};
    places->group[place] = groups->count;
}

static enum verdict group_lines(struct groups *groups, struct places *places, struct span frame, name_reader read_name) {
    const uint8_t *at = frame.at, *end = frame.at + frame.size;
    for (uint32_t number = 0; at; number++) {
        const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));
        struct span node, text = {at, (size_t)((stop ? stop : end) - at)};
        at = stop ? stop + 1 : NULL;
        if (!text.size)
            continue;
        if (!read_name(text, &node) || !needs_no_escape(node)) /* two names that are not UTF-8 may be one in Python */
            return REFUSED;
        groups->line[groups->lines].text = text;
        groups->line[groups->lines].number = number;
        add_to_group(groups, places, node);
    }
    return TAKEN;
}

enum verdict make_groups(struct groups *groups, struct span frame, name_reader read_name) {
    struct places places = {NULL, 15};
    *groups = (struct groups){NULL, NULL, 0, 0};
    if (frame.size > UINT32_MAX / 4)
        return REFUSED;
    size_t lines = count_line_ends(frame) + 1;
    while (places.mask < 2 * lines)
        places.mask = 2 * places.mask + 1;
    places.group = PyMem_Calloc((size_t)places.mask + 1, sizeof *places.group);
    groups->line = PyMem_Malloc(lines * sizeof *groups->line);
    groups->group = PyMem_Malloc(lines * sizeof *groups->group);
    enum verdict verdict = FAILED;
    if (places.group && groups->line && groups->group)
        verdict = group_lines(groups, &places, frame, read_name);
    else
        PyErr_NoMemory();
    PyMem_Free(places.group);
    return verdict;
}

void drop_groups(struct groups *groups) {
    PyMem_Free(groups->line);
    PyMem_Free(groups->group);
    *groups = (struct groups){NULL, NULL, 0, 0};
}

/* Node and lines of a group. */
static PyObject *group_for_python(const struct groups *groups, const struct group *group) {
    PyObject *lines = PyList_New(0);
    for (uint32_t i = group->first; lines && i != NO_LINE; i = groups->line[i].next) {
        const struct own_line *line = &groups->line[i];
        PyObject *pair = Py_BuildValue("(Iy#)", (unsigned)line->number, (const char *)line->text.at, (Py_ssize_t)line->text.size);
        if (!pair || PyList_Append(lines, pair) < 0)
            Py_CLEAR(lines);
        Py_XDECREF(pair);
    }
    PyObject *node = lines ? PyUnicode_DecodeUTF8((const char *)group->node.at, (Py_ssize_t)group->node.size, NULL) : NULL;
    PyObject *left = node ? PyTuple_Pack(2, node, lines) : NULL;
    Py_XDECREF(node);
    Py_XDECREF(lines);
    return left;
}

PyObject *take_groups(const struct groups *groups, uint32_t *next, group_taker take, void *taker) {
    while (*next < groups->count) {
        const struct group *group = &groups->group[(*next)++];
        enum verdict verdict = take(taker, group);
        if (verdict != TAKEN)
            return verdict == REFUSED ? group_for_python(groups, group) : NULL;
    }
    return Py_INCREF(Py_None), Py_None;
}
