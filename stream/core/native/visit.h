/* The decision: do a frame's lines of one visitor go on with the newest session, or does the first of them begin one,
   and what do they make of the record? A session begins here only if nobody ever said anything of the visitor: then it
   is no account's, its person is the visitor (``stream.core.identity.leaf.owner_of``), and it is shown at once. */
#ifndef TOUCHLINE_VISIT_H
#define TOUCHLINE_VISIT_H

#include "line.h"
#include "objects.h"
#include "record.h"

/* Bounds of what one frame may add to a record: as much as may lie in it (stream.core.clusters.CHUNK,
   stream.core.seen.PACKED_BYTES). */
#define HITS_BYTES (16 << 10)
#define IDS 256

/* What holds for all visitors as long as the rules do. */
struct rules {
    int64_t gap_ms, max_ms;
    int64_t engaged_ms, engaged_views; /* more than, at least */
    bool trusting;                     /* no ids are blocked, so a user named before is a user */
    struct answers pages, companies, sessions;
    PyObject *direct; /* the source of a session that came from nowhere, in MessagePack */
};

/* What holds for a whole frame, and where its next rows go. */
struct frame {
    int64_t at, offset;
    int64_t event_rows, session_rows;
    struct span forgotten, address, version_and_address;
};

/* A derived id (``schemas.ids.derived_id``) in MessagePack: a text of 32 characters. */
#define ID_BYTES 34
/* Of a visitor who begins a session here. Longer ids are rare, and Python's way takes them. */
#define NODE_BYTES 256

struct visit {
    struct rules *rules;
    const struct frame *frame;
    struct span node;
    struct record record;
    int64_t end, page_views, events, engaged_ms, points;
    bool key;
    size_t count, hits_size;
    uint8_t hits[HITS_BYTES], hashes[IDS * HASH_BYTES], entries[IDS * ENTRY_BYTES];
    bool begun, apart; /* whether a session began, and a cluster with it */
    uint8_t session_id[ID_BYTES], touch_id[ID_BYTES], start[HEAD_BYTES], person[HEAD_BYTES + NODE_BYTES];
    PyObject *opened, *first_landed; /* answers of the pages that it began with: source and landing lie in them */
    struct span cause;   /* id of the last line, with quotes */
    PyObject *last_line; /* keeps it */
    PyObject *landed;    /* answer of the last page with a URL */
    PyObject *rows;      /* list of the events' rows */
};

/* What came of it: the record, the session's row, the account with the message to it (None if it has none), and the
   cluster that is no longer the newest (NULL if it is). */
struct outcome {
    PyObject *record, *session_row, *account, *message, *shelved;
};

enum verdict begin_visit(struct visit *visit, struct span packed);
enum verdict take_line(struct visit *visit, PyObject *line);
enum verdict end_visit(struct visit *visit, struct outcome *outcome);
void drop_visit(struct visit *visit);

#endif
