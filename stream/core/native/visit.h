/* The decision: do a frame's lines of one visitor go on with the newest session, or begin others, and what do they make
   of the record? What a frame adds to one session is a run. At its end the record is written and the session shown, and the
   next run reads that record: so several sessions in a frame are as one in each of several frames. */
#ifndef TOUCHLINE_VISIT_H
#define TOUCHLINE_VISIT_H

#include "buffer.h"
#include "cache.h"
#include "line.h"
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
    struct cache pages, companies, origins, users, owners;
    PyObject *known_since; /* asked each time: hardly two of its questions are the same */
    PyObject *direct; /* the source of a session that came from nowhere, in MessagePack */
    PyObject *blank;  /* the record of who was never here */
    int busy;         /* how many visits are under way */
};

/* If no visit is under way, nobody uses an answer that was forgotten. */
void tidy_up(struct rules *rules);

/* What holds for a whole frame, what it made, and from which number on its rows are counted. */
struct frame {
    int64_t at, offset;
    int64_t event_rows, first_session_row;
    struct span forgotten, address, version_and_address;
    struct buffer rows, session_rows;
    /* Lists: messages with the hash of the account that each is for, clusters that are no longer the newest, with their
       nodes and starts, and sheets of entries with their nodes and numbers, those to be forgotten without entries. */
    PyObject *messages, *shelved, *sheets;
};

/* A derived id (``schemas.ids.derived_id``) in MessagePack: a text of 32 characters. */
#define ID_BYTES 34
/* Of a visitor who begins a session here, or a user who is named. Longer ids are rare, and Python's way takes them. */
#define NODE_BYTES 256

struct visit {
    struct rules *rules;
    struct frame *frame;
    struct span node;
    PyObject *packed; /* the record, as the last run left it */
    bool general;     /* whether it is REFUSED for what Python's short way refuses, too */
    /* Of the run. */
    struct record record;
    int64_t first_sheet; /* before any was forgotten */
    int64_t end, page_views, events, engaged_ms, points;
    bool key;
    size_t count, hits_size;
    uint8_t hits[HITS_BYTES], hashes[IDS * HASH_BYTES], entries[IDS * ENTRY_BYTES];
    bool begun, apart; /* whether a session began, and a cluster with it */
    bool named;        /* whether its hits say whose the session is, and nothing did before */
    uint8_t session_id[ID_BYTES], touch_id[ID_BYTES], start[HEAD_BYTES], person[HEAD_BYTES + NODE_BYTES];
    uint8_t users[2 + 2 * HEAD_BYTES + NODE_BYTES];
    struct span named_users; /* then the session's users, which lie there */
    PyObject *owner;         /* answer, if it is not kept: account, person and node lie in it */
    struct span owner_node;  /* the visitor's node with one more session of its user */
    struct span cause;       /* id of the last line, with quotes */
    bool landed;             /* whether a page had a URL */
    struct span url, exit;   /* the last one's, as of ``struct page`` */
};

/* All PyObjects are NULL before; ``drop_visit`` is to be called whatever came of it. The lines last until then. */
enum verdict begin_visit(struct visit *visit, PyObject *packed);
enum verdict take_line(struct visit *visit, struct span text);
/* The record is written and the session shown. */
enum verdict end_run(struct visit *visit);
void drop_visit(struct visit *visit);

#endif
