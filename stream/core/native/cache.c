#include "cache.h"

#include "digests.h"

#define WAYS 4
#define SETS 4096
#define LINE_BYTES 64
struct slot {
    uint64_t hash;
    struct answer *answer;
};

/* A longer question is asked each time: it is rare, and so large that many of them were much. */
#define KEPT_BYTES 1024

bool make_cache(struct cache *cache, PyObject *ask) {
    cache->ask = ask;
    Py_INCREF(ask);
    cache->memory = PyMem_Calloc(WAYS * SETS * sizeof(struct slot) + LINE_BYTES, 1);
    if (!cache->memory)
        return PyErr_NoMemory(), false;
    uintptr_t at = (uintptr_t)cache->memory;
    cache->slots = (struct slot *)((uint8_t *)cache->memory + (LINE_BYTES - at % LINE_BYTES) % LINE_BYTES);
    return true;
}

void drop_cache(struct cache *cache) {
    tidy(cache);
    for (size_t i = 0; cache->slots && i < WAYS * SETS; i++)
        PyMem_Free(cache->slots[i].answer);
    PyMem_Free(cache->memory);
    cache->memory = cache->slots = NULL;
    Py_CLEAR(cache->ask);
}

void tidy(struct cache *cache) {
    while (cache->forgotten) {
        struct answer *next = cache->forgotten->next;
        PyMem_Free(cache->forgotten);
        cache->forgotten = next;
    }
}

static void forget(struct cache *cache, struct answer *answer) {
    if (!answer)
        return;
    answer->next = cache->forgotten;
    cache->forgotten = answer;
}

static bool read_value(PyObject *object, struct value *value) {
    *value = (struct value){{NULL, 0}, 0};
    if (!PyLong_Check(object))
        return span_of_bytes(object, &value->text);
    value->number = PyLong_AsLongLong(object);
    return !PyErr_Occurred();
}

/* Copies the answer that Python gave; its values become those of ``answer``. */
static struct answer *copied(PyObject *given, int count, struct span question) {
    struct value value[VALUES];
    size_t size = question.size;
    int found = given == Py_None ? 0 : count;
    if (found && !is_tuple(given, count))
        return NULL;
    for (int i = 0; i < found; i++) {
        if (!read_value(PyTuple_GetItem(given, i), &value[i]))
            return NULL;
        size += value[i].text.size;
    }
    size_t head = sizeof(struct answer) + (size_t)found * sizeof(struct value);
    struct answer *answer = PyMem_Malloc(head + size);
    if (!answer)
        return PyErr_NoMemory(), NULL;
    uint8_t *to = (uint8_t *)answer + head;
    answer->next = NULL;
    answer->refused = given == Py_None;
    answer->question = (struct span){to, question.size};
    memcpy(to, question.at, question.size);
    to += question.size;
    for (int i = 0; i < found; i++) {
        struct span text = value[i].text;
        if (text.size)
            memcpy(to, text.at, text.size);
        answer->value[i] = (struct value){{to, text.size}, value[i].number};
        to += text.size;
    }
    return answer;
}

static struct answer *asked(struct cache *cache, struct span question, int count) {
    PyObject *given = PyObject_CallFunction(cache->ask, "y#", (const char *)question.at, (Py_ssize_t)question.size);
    struct answer *answer = given ? copied(given, count, question) : NULL;
    Py_XDECREF(given);
    return answer;
}

static enum verdict told(struct answer *found, const struct answer **answer) {
    *answer = found;
    return !found ? FAILED : found->refused ? REFUSED : TAKEN;
}

enum verdict look_up(struct cache *cache, struct span question, int count, const struct answer **answer) {
    uint64_t hash = spread(question);
    struct slot *set = cache->slots + hash % SETS * WAYS;
    for (int i = 0; i < WAYS; i++)
        if (set[i].answer && set[i].hash == hash && same(set[i].answer->question, question))
            return told(set[i].answer, answer);
    struct answer *found = asked(cache, question, count);
    if (!found)
        return FAILED;
    if (question.size > KEPT_BYTES) {
        forget(cache, found); /* when nobody uses it */
        return told(found, answer);
    }
    forget(cache, set[WAYS - 1].answer);
    memmove(set + 1, set, (WAYS - 1) * sizeof *set);
    set[0] = (struct slot){hash, found};
    return told(found, answer);
}
