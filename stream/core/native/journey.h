/* What a frame's touches make of one account's journey (``stream.core.journey``): which are new, what they change in its
   counts and sums (``stream.core.engagement``), and which alerts follow from it (``stream.core.intent``). Whatever is less certain
   is REFUSED. */
#ifndef TOUCHLINE_JOURNEY_H
#define TOUCHLINE_JOURNEY_H

#include "layout.h"
#include "message.h"
#include "msgpack.h"
#include "name.h"
#include "records.h"
#include "sum.h"

/* In one frame, of one account. */
#define TOUCHES 16
#define PEOPLE 8
#define ALERTS 8
/* Bytes of a name or an id. Longer ones are rare, and Python's way takes them. */
#define NAME_BYTES 512

struct alert {
    struct span name;           /* in MessagePack */
    int64_t threshold, rearmed; /* in thousandths of a point */
};

/* What holds for all accounts as long as the rules do. */
struct scoring {
    struct growth growth;
    struct span rules_name; /* of the alerts, in MessagePack */
    PyObject *blank;        /* the header of an account that nobody heard of */
    struct alert alert[ALERTS];
    int alerts;
};

struct change {
    struct touch before, after;
    bool existed;
    PyObject *packed;     /* where ``before`` lies */
    struct weight weight; /* of a thousandth of a point */
};

struct person {
    struct span id;
    PyObject *packed; /* where the score came from */
    int64_t entries, touches;
    struct sum score;
};

struct header {
    struct span field[HEADER_COUNT];
    int64_t entries, newest_at, touches, people, first_touch_at, last_touch_at, newest_day;
    struct sum score;
};

/* Engagement of the one day that changes, and how. */
struct day {
    int64_t number, entries, negatives; /* -1: none changes */
    struct sum score, change;
    bool grew;
    struct span before, fired; /* in MessagePack */
    uint8_t after[ALERTS]; /* which rules are disarmed when it ends, by their numbers */
    uint8_t fires[ALERTS]; /* whose alerts are new */
    int disarmed, alerts;
    struct sum score_before; /* of all entries before it */
    PyObject *packed; /* where ``before`` and ``fired`` lie */
};

struct journey {
    const struct scoring *scoring;
    const struct records *records;
    struct name account;
    PyObject *packed; /* the header, as it was */
    struct header header;
    struct change touch[TOUCHES];
    struct change *changed[TOUCHES]; /* in the order in which they first did */
    struct person person[PEOPLE];
    int touches, changes, people;
    int64_t said_at; /* of the latest message */
    struct day day;
};

/* ``drop_journey`` is to be called whatever came of it. */
enum verdict begin_journey(struct journey *journey, const struct scoring *scoring, struct span account,
                           const struct records *records);
enum verdict take_touch(struct journey *journey, struct span line);
/* What comes of it is decided; nothing is stored. With ``changes`` 0 nothing comes of it. */
enum verdict settle_journey(struct journey *journey);
enum verdict store_journey(struct journey *journey);
void drop_journey(struct journey *journey);

#endif
