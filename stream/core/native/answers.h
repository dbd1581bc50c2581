/* What is asked of Python: what pages, companies, sources and visitors mean (stream/core/everyday.py). A question is bytes
   of the line or the record. Answers are kept for a while, but for those that change with each question. */
#ifndef TOUCHLINE_ANSWERS_H
#define TOUCHLINE_ANSWERS_H

#include "visit.h"

enum { PING, VIEW, ACTION };

/* Of a page, in this order. */
enum { PAGE_kind, PAGE_points, PAGE_key, PAGE_columns, PAGE_url, PAGE_exit, PAGE_source, PAGE_visit, PAGE_COUNT };
struct page {
    int64_t kind, points;
    bool key;
    struct span columns; /* of the event's row */
    struct span url;     /* in MessagePack */
    struct span exit;    /* the same in JSON */
    struct span source;  /* in MessagePack, nil if it is no external one */
    struct span visit;   /* what of it makes a visit, in MessagePack; "" if it is none */
};
/* What is said of a session's source: as stream.core.touches.Origin. */
enum { ORIGIN_row, ORIGIN_channel, ORIGIN_campaign, ORIGIN_COUNT };
struct origin {
    struct span row, channel, campaign;
};
/* Of a visitor's node: whose a session is, in MessagePack, and the node with one more session of its user. */
enum { OWNER_account, OWNER_person, OWNER_node, OWNER_COUNT };

/* The page of a line, by what decides it: type, platform, name and addresses. */
enum verdict find_page(struct visit *visit, const struct line *line, struct page *page);

/* Whose network a hit came from, in MessagePack. A session that knew none would have to be told, so that is REFUSED. */
enum verdict find_company(struct visit *visit, const struct line *line, struct span *company);

/* The node of the user whom a hit names, in MessagePack, into ``to``. REFUSED if it is larger than ``room``. */
enum verdict find_user(struct visit *visit, const struct line *line, uint8_t *to, size_t room, struct span *user);

/* TAKEN if what the line says of user, address and group was all said of this visitor before. */
enum verdict hears_nothing_new(struct visit *visit, const struct line *line);

/* Whose the session is that began, or is named now; one that goes on stays whose it was. If nobody ever said anything of
   the visitor it is no account's, and its person is the visitor. */
enum verdict find_owner(struct visit *visit);

/* Where the session comes from. */
enum verdict find_origin(struct visit *visit, struct origin *origin);

#endif
