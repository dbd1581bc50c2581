/* Answers of Python by what was asked, those that were given lately. Each lies in one piece, so finding one touches few places in
   memory: a set of four, and the answer itself. A set that is full forgets its oldest, so questions that collide cost no more than
   others. */
#ifndef TOUCHLINE_CACHE_H
#define TOUCHLINE_CACHE_H

#include "objects.h"

/* Bytes or a number, as the answer's tuple has them. */
struct value {
    struct span text;
    int64_t number;
};

#define VALUES 8 /* of an answer, at most */
struct answer {
    struct answer *next; /* of those that were forgotten */
    struct span question;
    bool refused;
    struct value value[];
};

struct cache {
    PyObject *ask; /* bytes -> tuple of bytes and numbers, None if Python's way is to decide */
    void *memory;
    struct slot *slots;
    struct answer *forgotten;
};

/* Takes a reference to ``ask``. False with an exception; ``drop_cache`` is to be called in any case. */
bool make_cache(struct cache *cache, PyObject *ask);
void drop_cache(struct cache *cache);

/* The answer, with ``count`` values; it lasts until ``tidy``. */
enum verdict look_up(struct cache *cache, struct span question, int count, const struct answer **answer);

/* No answer is in use: those that were forgotten go. */
void tidy(struct cache *cache);

#endif
