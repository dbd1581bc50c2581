/* A visitor's record (``stream.core.seen.Seen``) as it is stored: what everyday hits need of it, and how it grows. */
#ifndef TOUCHLINE_RECORD_H
#define TOUCHLINE_RECORD_H

#include "digests.h"
#include "layout.h"
#include "msgpack.h"

/* Of an id there are its hash and its entry; entries that fill a sheet lie elsewhere, and the record has the time of each sheet. */
#define ENTRY_BYTES 44
#define SHEET 32
#define SHEET_BYTES (SHEET * ENTRY_BYTES)
#define TIME_BYTES 8

struct record {
    struct span whole;
    /* Fields as they lie there. ``session`` is the last one of the newest cluster, ``source`` is its. */
    struct span seen[SEEN_COUNT], cluster[CLUSTER_COUNT], session[SESSION_COUNT], source[SOURCE_COUNT];
    struct span hashes, entries, sheets, packed, exit;
    int64_t first_sheet;
    /* The newest cluster's, and its sessions without the head of their array. */
    int64_t first, end, count;
    uint32_t sessions;
    struct span session_list;
    /* The session's. */
    int64_t start, page_views, events, engaged_ms, points;
    bool key, landed, networked;
    bool blank; /* no hits yet: neither cluster nor session */
    /* The node of the user whose the session is now, as it lies there and as a text; "" for nobody. */
    struct span user, user_text;
};

/* False unless it is whole and its newest session may go on: shown as it is, nothing held back, no ids elsewhere. One that is
   blank has none. */
bool read_record(struct span whole, struct record *record);

/* What a page opens, in MessagePack, is where the session comes from. */
bool read_source(struct span raw, struct record *record);

/* Ids that were noted before that go, and sheets if all of theirs were. */
void forget(struct record *record, struct span before);

/* Whether the id is among those that are remembered. */
bool knows(struct span hashes, const uint8_t hash[HASH_BYTES]);

/* A value that takes the place of another: its head, what is kept of the old one, what is new. */
struct patch {
    struct span old;
    uint8_t head[HEAD_BYTES];
    size_t head_size;
    struct span kept, added;
};

#define PATCHES 17 /* outcome.c makes so many at most */
struct patches {
    int count;
    struct patch patch[PATCHES];
};

void put_whole(struct patches *patches, struct span old, int64_t number);
void put_truth(struct patches *patches, struct span old, bool truth);
void put_raw(struct patches *patches, struct span old, struct span value);
void put_text(struct patches *patches, struct span old, struct span text);
void add_bytes(struct patches *patches, struct span old, struct span kept, struct span added);
/* An array that has ``count`` values now: its old ones without their head, and ``added``. */
void add_value(struct patches *patches, struct span old, struct span kept, uint32_t count, struct span added);

size_t patched_size(struct span whole, const struct patches *patches);
/* Patches come in the order of what they replace; false if they do not. */
bool write_patched(uint8_t *to, struct span whole, const struct patches *patches);

#endif
