/* The fields of the structs that are read and written here, in their order. The names are compared with those of the
   classes when the module is loaded (stream/core/everyday.py): if one was added or moved, the way in C is not taken.
   Whoever changes a class changes this file, and thinks about what an everyday hit does to the field. */
#ifndef TOUCHLINE_LAYOUT_H
#define TOUCHLINE_LAYOUT_H

/* What Python calls, and how: counted up whenever arguments or results change, so that an older build is not taken. */
#define INTERFACE "2"

#define SEEN_FIELDS(F) F(hashes) F(entries) F(spilled) F(newest) F(node) F(spread) F(crm)
#define CLUSTER_FIELDS(F) F(start) F(end) F(last) F(count) F(chunks) F(packed) F(sessions)
#define SESSION_FIELDS(F)                                                                                          \
    F(id) F(touch) F(start) F(end) F(source) F(landing) F(exit) F(page_views) F(events) F(engaged_ms) F(points)    \
    F(key) F(users) F(items) F(account) F(person) F(held) F(company) F(counted) F(by_network)
#define SOURCE_FIELDS(F) F(channel) F(source) F(medium) F(campaign) F(term) F(content) F(click_id) F(kind)
#define ITEM_FIELDS(F)                                                                                             \
    F(id) F(at) F(event) F(touch) F(conversion) F(user) F(eligible) F(account) F(person) F(held) F(by_network)
#define HIT_FIELDS(F)                                                                                              \
    F(at) F(id) F(kind) F(url) F(user) F(engaged_ms) F(points) F(key) F(source) F(items) F(company)

/* An event's keys on the wire, and what their values are: TEXT, WHOLE (a number), TRUTH, CONSENT, ANY. */
#define EVENT_FIELDS(F)                                                                                            \
    F(node, TEXT) F(event_id, TEXT) F(occurred_at, WHOLE) F(received_at, WHOLE) F(original_at, WHOLE)              \
    F(sent_at, WHOLE) F(type, TEXT) F(tenant, TEXT) F(source, TEXT) F(protocol, TEXT) F(platform, TEXT)            \
    F(name, TEXT) F(visitor_id, TEXT) F(user_id, TEXT) F(email, TEXT) F(group_id, TEXT) F(client_session, TEXT)    \
    F(clock_suspect, TRUTH) F(url, TEXT) F(referrer, TEXT) F(title, TEXT) F(campaign_source, TEXT)                 \
    F(campaign_medium, TEXT) F(campaign_name, TEXT) F(campaign_term, TEXT) F(campaign_content, TEXT)               \
    F(engaged_ms, WHOLE) F(bot, TEXT) F(bot_reason, TEXT) F(device, TEXT) F(browser, TEXT) F(os, TEXT)             \
    F(country, TEXT) F(region, TEXT) F(city, TEXT) F(company, TEXT) F(consent, CONSENT) F(gpc, TRUTH)              \
    F(locale, TEXT) F(library, TEXT) F(properties, ANY) F(traits, ANY)

/* What a session's row and the message about it say; outcome.c writes them. */
#define SESSION_COLUMNS                                                                                            \
    "tenant session_id node visitor_id person_id account_id started_at channel utm_source utm_medium utm_campaign " \
    "landing_url touch_id by_network"
#define TOUCH_FIELDS                                                                                               \
    "id at type channel person node utm_source utm_medium utm_campaign session_id event_id points last_at eligible"
#define TOUCH_PUT_FIELDS "to at cause reason touch"

#define IN_SEEN(name) SEEN_##name,
#define IN_CLUSTER(name) CLUSTER_##name,
#define IN_SESSION(name) SESSION_##name,
#define IN_SOURCE(name) SOURCE_##name,
#define IN_ITEM(name) ITEM_##name,
#define IN_HIT(name) HIT_##name,
#define IN_EVENT(name, kind) EVENT_##name,

enum { SEEN_FIELDS(IN_SEEN) SEEN_COUNT };
enum { CLUSTER_FIELDS(IN_CLUSTER) CLUSTER_COUNT };
enum { SESSION_FIELDS(IN_SESSION) SESSION_COUNT };
enum { SOURCE_FIELDS(IN_SOURCE) SOURCE_COUNT };
enum { ITEM_FIELDS(IN_ITEM) ITEM_COUNT };
enum { HIT_FIELDS(IN_HIT) HIT_COUNT };
enum { EVENT_FIELDS(IN_EVENT) EVENT_COUNT };

#endif
