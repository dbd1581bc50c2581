/* The fields of the structs that are read and written here, in their order. The names are compared with those of the
   classes when the module is loaded (stream/core/compiled.py): if one was added or moved, the way in C is not taken.
   Whoever changes a class changes this file, and thinks about what an everyday hit or touch does to the field. */
#ifndef TOUCHLINE_LAYOUT_H
#define TOUCHLINE_LAYOUT_H

/* What Python calls, and how: counted up whenever arguments or results change, so that an older build is not taken. */
#define INTERFACE "6"

#define SEEN_FIELDS(F) F(hashes) F(entries) F(spilled) F(newest) F(node) F(spread) F(crm) F(sheets) F(first_sheet)
#define CLUSTER_FIELDS(F) F(start) F(end) F(last) F(count) F(chunks) F(packed) F(sessions)
#define SESSION_FIELDS(F)                                                                                          \
    F(id) F(touch) F(start) F(end) F(source) F(landing) F(exit) F(page_views) F(events) F(engaged_ms) F(points)    \
    F(key) F(users) F(items) F(account) F(person) F(held) F(company) F(counted) F(by_network)
#define SOURCE_FIELDS(F) F(channel) F(source) F(medium) F(campaign) F(term) F(content) F(click_id) F(kind)
#define ITEM_FIELDS(F)                                                                                             \
    F(id) F(at) F(event) F(touch) F(conversion) F(user) F(eligible) F(account) F(person) F(held) F(by_network)
#define HIT_FIELDS(F)                                                                                              \
    F(at) F(id) F(kind) F(url) F(user) F(engaged_ms) F(points) F(key) F(source) F(items) F(company)

#define NODE_FIELDS(F)                                                                                             \
    F(claims) F(retracted) F(links) F(said) F(parents) F(resolution) F(only) F(root) F(waiting) F(telling)         \
    F(settling) F(token) F(crowd) F(entry) F(orphan) F(companies) F(children) F(sold) F(few)

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

/* What a session's row says; outcome.c writes it. */
#define SESSION_COLUMNS                                                                                            \
    "tenant session_id node visitor_id person_id account_id started_at channel utm_source utm_medium utm_campaign " \
    "landing_url touch_id by_network"

/* What an account is told (outcome.c writes it, message.c reads it), and how its values are written. */
#define TOUCH_PUT_FIELDS(F) F(to, TEXT) F(at, WHOLE) F(cause, TEXT) F(reason, TEXT) F(touch, TOUCH)
#define TOUCH_FIELDS(F)                                                                                            \
    F(id, TEXT) F(at, WHOLE) F(type, TEXT) F(channel, TEXT) F(person, TEXT) F(node, TEXT) F(utm_source, TEXT)      \
    F(utm_medium, TEXT) F(utm_campaign, TEXT) F(session_id, TEXT) F(event_id, TEXT) F(points, WHOLE)               \
    F(last_at, WHOLE) F(eligible, TRUTH)

/* An account's records. */
#define HEADER_FIELDS(F)                                                                                           \
    F(entries) F(newest_at) F(touches) F(people) F(first_touch_at) F(last_touch_at) F(conversions)                 \
    F(opportunities) F(last_conversion_at) F(reach_ms) F(stage) F(score) F(half_life_ms) F(newest_day)             \
    F(alert_rules) F(name) F(domain) F(profile_stage) F(parent) F(owner) F(profile_at) F(owing) F(calm) F(waited)  \
    F(pages) F(alerts_from) F(alerts_grew) F(pages_forgotten)
#define STORED_TOUCH_FIELDS(F)                                                                                     \
    F(id) F(at) F(type) F(channel) F(person) F(points) F(last_at) F(utm_source) F(utm_medium) F(utm_campaign)      \
    F(eligible)
#define TALLY_FIELDS(F) F(entries) F(touches) F(score)
#define DAY_FIELDS(F) F(score) F(entries) F(negatives) F(before) F(after) F(fired)
#define FIRED_FIELDS(F) F(rule_version) F(fired_at) F(score) F(threshold) F(evidence) F(sent)

/* What an account's rows say; journey_rows.c writes them. */
#define ACCOUNT_COLUMNS                                                                                            \
    "tenant account_id name domain parent_id owner people touches first_touch_at last_touch_at stage log2_score "   \
    "half_life_days deleted version _p _o _i"
#define ENGAGEMENT_COLUMNS                                                                                         \
    "tenant account_id person_id log2_score sign touches half_life_days version _p _o _i"

#define IN_SEEN(name) SEEN_##name,
#define IN_CLUSTER(name) CLUSTER_##name,
#define IN_SESSION(name) SESSION_##name,
#define IN_SOURCE(name) SOURCE_##name,
#define IN_ITEM(name) ITEM_##name,
#define IN_HIT(name) HIT_##name,
#define IN_NODE(name) NODE_##name,
#define IN_EVENT(name, kind) EVENT_##name,
#define IN_SAID(name, kind) SAID_##name,
#define IN_TOLD(name, kind) TOLD_##name,
#define IN_HEADER(name) HEADER_##name,
#define IN_STORED(name) STORED_##name,
#define IN_TALLY(name) TALLY_##name,
#define IN_DAY(name) DAY_##name,
#define IN_FIRED(name) FIRED_##name,

enum { SEEN_FIELDS(IN_SEEN) SEEN_COUNT };
enum { CLUSTER_FIELDS(IN_CLUSTER) CLUSTER_COUNT };
enum { SESSION_FIELDS(IN_SESSION) SESSION_COUNT };
enum { SOURCE_FIELDS(IN_SOURCE) SOURCE_COUNT };
enum { ITEM_FIELDS(IN_ITEM) ITEM_COUNT };
enum { HIT_FIELDS(IN_HIT) HIT_COUNT };
enum { NODE_FIELDS(IN_NODE) NODE_COUNT };
enum { EVENT_FIELDS(IN_EVENT) EVENT_COUNT };
enum { TOUCH_PUT_FIELDS(IN_SAID) SAID_COUNT };
enum { TOUCH_FIELDS(IN_TOLD) TOLD_COUNT };
enum { HEADER_FIELDS(IN_HEADER) HEADER_COUNT };
enum { STORED_TOUCH_FIELDS(IN_STORED) STORED_COUNT };
enum { TALLY_FIELDS(IN_TALLY) TALLY_COUNT };
enum { DAY_FIELDS(IN_DAY) DAY_COUNT };
enum { FIRED_FIELDS(IN_FIRED) FIRED_COUNT };

#endif
