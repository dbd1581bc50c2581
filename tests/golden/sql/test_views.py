"""Rows in, views out. Every expected value here was worked out by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from schemas.codec import lines
from sinks.clickhouse.client import ClickHouse
from tests.support.fact_rows import put
from tests.support.shares import book

T0 = 1_790_000_000_000
"""2026-09-21 14:13:20 UTC."""
MINUTE = 60_000
DAY = 86_400_000
BEGINNING = -(2**62)


def moment(at_ms: int) -> datetime:
    """As clickhouse-connect gives times of UTC columns: without a zone."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).replace(tzinfo=None)


def test_times_in_milliseconds_come_out_as_they_went_in(database: ClickHouse) -> None:
    put(database, "email", *({"event_id": str(at), "occurred_at": at} for at in (0, 1, T0 + 123, -5_000)))
    rows = database.rows("SELECT toInt64(event_id), toUnixTimestamp64Milli(occurred_at) FROM v_email ORDER BY 1")
    assert [(at, read) for at, read in rows] == [(at, at) for at in (-5_000, 0, 1, T0 + 123)]


def test_objects_are_kept_as_their_text(database: ClickHouse) -> None:
    line = b'{"tenant":"t","event_id":"e","properties":{"plan":"pro","n":[1,{"x":null}]},"traits":{},"_p":0,"_o":0,"_i":0}\n'
    database.insert("events", line, "t1")
    assert database.rows("SELECT properties, traits FROM v_events") == [('{"plan":"pro","n":[1,{"x":null}]}', "{}")]


def test_newest_version_counts_and_deleted_ones_are_gone(database: ClickHouse) -> None:
    put(database, "sessions", {"session_id": "a", "events": 1, "started_at": T0, "version": 1})
    put(database, "sessions", {"session_id": "b", "events": 1, "started_at": T0 + 5, "version": 2})
    put(database, "sessions", {"session_id": "a", "events": 3, "started_at": T0, "version": 7})
    put(database, "sessions", {"session_id": "b", "events": 1, "started_at": T0 + 5, "version": 7, "deleted": True})
    put(database, "sessions", {"session_id": "a", "events": 2, "started_at": T0, "version": 5})
    assert database.rows("SELECT session_id, events FROM v_sessions") == [("a", 3)]
    put(database, "touches", {"touch_id": "t", "account_id": "", "occurred_at": T0, "version": 1})
    put(database, "touches", {"touch_id": "t", "account_id": "acme.com", "occurred_at": T0, "version": 2})
    assert database.rows("SELECT touch_id, account_id FROM v_touches") == [("t", "acme.com")]


def test_events_take_the_session_around_them_and_all_others_what_their_node_resolves_to(database: ClickHouse) -> None:
    session = {"node": "v:1", "visitor_id": "1", "channel": "Paid Search", "version": 1, "started_at": T0}
    put(
        database, "sessions",
        session | {"session_id": "s1", "ended_at": T0 + 10 * MINUTE, "person_id": "ann@acme.com", "account_id": "acme.com"},
        session | {"session_id": "s2", "started_at": T0 + 60 * MINUTE, "ended_at": T0 + 70 * MINUTE},
        session | {"session_id": "gone", "started_at": T0 + 5 * MINUTE, "ended_at": T0 + 70 * MINUTE, "deleted": True},
        session | {"session_id": "other", "node": "v:2", "ended_at": T0 + 99 * MINUTE},
    )  # fmt: skip
    put(
        database, "identity",
        {"node": "v:1", "since": [BEGINNING], "person_id": ["bob@globex.com"], "account_id": ["globex.com"], "source": ["x"]},
        {"node": "e:c@initech.com", "since": [BEGINNING, T0 + MINUTE], "person_id": ["c@initech.com"] * 2,
         "account_id": ["initech.com", "umbrella.com"], "source": ["domain", "crm.contact"]},
    )  # fmt: skip
    hit = {"platform": "web", "node": "v:1", "visitor_id": "1", "channel": "Direct"}
    mail = {"platform": "server", "node": "e:c@initech.com", "email": "c@initech.com", "type": "email"}
    put(
        database, "events",
        hit | {"event_id": "01 first of the session", "occurred_at": T0},
        hit | {"event_id": "02 within", "occurred_at": T0 + 5 * MINUTE},
        hit | {"event_id": "03 last of the session", "occurred_at": T0 + 10 * MINUTE},
        hit | {"event_id": "04 after it", "occurred_at": T0 + 10 * MINUTE + 1},
        hit | {"event_id": "05 before all", "occurred_at": T0 - 1},
        hit | {"event_id": "06 in the second", "occurred_at": T0 + 65 * MINUTE, "user_id": "u7"},
        hit | {"event_id": "07 a bot", "occurred_at": T0 + 5 * MINUTE, "is_bot": True},
        hit | {"event_id": "08 from a server", "occurred_at": T0 + 5 * MINUTE, "platform": "server"},
        mail | {"event_id": "09 while at initech", "occurred_at": T0 + MINUTE - 1},
        mail | {"event_id": "10 once at umbrella", "occurred_at": T0 + MINUTE},
        {"event_id": "11 unknown user", "node": "u:9", "user_id": "9", "visitor_id": "77", "occurred_at": T0},
    )  # fmt: skip
    rows = database.rows("SELECT event_id, session_id, person_id, account_id, channel FROM v_events ORDER BY event_id")
    ann, bob = ("ann@acme.com", "acme.com"), ("bob@globex.com", "globex.com")
    assert rows == [
        ("01 first of the session", "s1", *ann, "Paid Search"),
        ("02 within", "s1", *ann, "Paid Search"),
        ("03 last of the session", "s1", *ann, "Paid Search"),
        ("04 after it", "", *bob, "Direct"),
        ("05 before all", "", *bob, "Direct"),
        ("06 in the second", "s2", "bob@globex.com", "", "Paid Search"),
        ("07 a bot", "", *bob, "Direct"),
        ("08 from a server", "", *bob, "Direct"),
        ("09 while at initech", "", "c@initech.com", "initech.com", "Email"),
        ("10 once at umbrella", "", "c@initech.com", "umbrella.com", "Email"),
        ("11 unknown user", "", "9", "", ""),
    ]


@pytest.mark.parametrize("step", [1, -1])
def test_of_sessions_that_begin_at_the_same_time_the_last_to_end_has_what_follows(
    database: ClickHouse, step: int
) -> None:
    """A direct view and a tagged one in the same millisecond; the second began a session, and the visit went on."""
    session = {"node": "v:1", "started_at": T0, "version": 1}
    direct = session | {"session_id": "a", "ended_at": T0, "account_id": "", "person_id": "1", "channel": "Direct"}
    tagged = session | {"session_id": "b", "ended_at": T0 + MINUTE, "account_id": "acme.com", "person_id": "ann@acme.com",
                        "channel": "Paid Search"}  # fmt: skip
    twin = {"node": "v:2", "started_at": T0, "ended_at": T0, "version": 1, "person_id": "2"}
    hit = {"platform": "web", "node": "v:1", "visitor_id": "1"}
    put(
        database, "events",
        hit | {"event_id": "1 at once", "occurred_at": T0},
        hit | {"event_id": "2 later", "occurred_at": T0 + MINUTE},
        hit | {"event_id": "3 afterwards", "occurred_at": T0 + MINUTE + 1},
        hit | {"event_id": "4 of two that are over", "node": "v:2", "visitor_id": "2", "occurred_at": T0},
    )  # fmt: skip
    # Each in a part of its own, in one order and in the other.
    for row in (direct, tagged, twin | {"session_id": "c"}, twin | {"session_id": "d"})[::step]:
        put(database, "sessions", row)
    rows = database.rows("SELECT event_id, session_id, person_id, account_id, channel FROM v_events ORDER BY event_id")
    assert rows == [
        ("1 at once", "b", "ann@acme.com", "acme.com", "Paid Search"),
        ("2 later", "b", "ann@acme.com", "acme.com", "Paid Search"),
        ("3 afterwards", "", "1", "", ""),
        ("4 of two that are over", "d", "2", "", ""),
    ]


def test_late_event_that_joins_two_sessions_gives_all_their_events_the_older_one(database: ClickHouse) -> None:
    session = {"node": "v:1", "started_at": T0, "ended_at": T0 + MINUTE, "version": 1}
    later = {"started_at": T0 + 40 * MINUTE, "ended_at": T0 + 41 * MINUTE}
    put(database, "sessions", session | {"session_id": "old"}, session | later | {"session_id": "young"})
    hit = {"platform": "web", "node": "v:1", "visitor_id": "1"}
    for offset in (0, 20, 40):
        put(database, "events", hit | {"event_id": f"at {offset}", "occurred_at": T0 + offset * MINUTE})
    question = "SELECT event_id, session_id FROM v_events ORDER BY event_id"
    assert database.rows(question) == [("at 0", "old"), ("at 20", ""), ("at 40", "young")]
    put(
        database, "sessions",
        session | {"session_id": "old", "ended_at": T0 + 41 * MINUTE, "version": 9},
        session | later | {"session_id": "young", "version": 9, "deleted": True},
    )  # fmt: skip
    assert database.rows(question) == [("at 0", "old"), ("at 20", "old"), ("at 40", "old")]


def test_superseded_events_are_hidden_and_nothing_else(database: ClickHouse) -> None:
    put(database, "events", *({"event_id": name, "_p": 1, "_o": 5, "_i": i} for i, name in enumerate("abc")))
    put(database, "events", {"event_id": "b2", "_p": 2, "_o": 5, "_i": 1})
    put(database, "events_superseded", {"event_id": "b", "row_p": 1, "row_o": 5, "row_i": 1})
    assert database.rows("SELECT event_id FROM v_events ORDER BY 1") == [("a",), ("b2",), ("c",)]


def test_identity_is_a_row_for_each_stretch_of_time(database: ClickHouse) -> None:
    node = {"node": "e:c@x.com", "kind": "email"}
    put(
        database,
        "identity",
        node | {"since": [BEGINNING], "person_id": ["p"], "account_id": ["x.com"], "source": ["domain"]},
    )
    put(
        database, "identity",
        node | {"since": [BEGINNING, T0], "person_id": ["p", "q"], "account_id": ["x.com", "y.com"],
                "source": ["domain", "crm.contact"], "version": 3},
    )  # fmt: skip
    rows = database.rows("SELECT node, kind, person_id, account_id, since, source FROM v_identity ORDER BY since")
    assert rows == [
        ("e:c@x.com", "email", "p", "x.com", moment(0), "domain"),
        ("e:c@x.com", "email", "q", "y.com", moment(T0), "crm.contact"),
    ]


def test_moved_conversion_is_with_its_new_account_only(database: ClickHouse) -> None:
    deal = {"conversion_id": "c1", "stage": "won", "occurred_at": T0, "amount": "1200.50", "currency": "EUR"}
    put(database, "conversions", deal | {"account_id": "acme.com", "version": 900})
    put(database, "conversions", deal | {"account_id": "acme.com", "version": 901, "deleted": True})
    # The new account lives in another partition, where offsets are lower.
    put(database, "conversions", deal | {"account_id": "globex.com", "version": 4})
    rows = database.rows("SELECT conversion_id, account_id, amount, currency FROM v_conversions")
    assert rows == [("c1", "globex.com", Decimal("1200.50"), "EUR")]


BOOKING = {"conversion_id": "c1", "account_id": "acme.com", "stage": "won", "model": "linear", "currency": "EUR",
           "conversion_at": T0}  # fmt: skip


def book_two_halves_then_move_one(database: ClickHouse) -> None:
    """A deal of 1000 on two touches; a day later the second touch turns out to be paid search, not direct."""
    first = BOOKING | {"touch_id": "t1", "channel": "Email", "credit": "0.5", "amount": "500", "recorded_at": T0}
    second = BOOKING | {
        "touch_id": "t2",
        "channel": "Direct",
        "credit": "0.500000000",
        "amount": "500.0000",
        "recorded_at": T0,
    }
    away = second | {"credit": "-0.5", "amount": "-500", "recorded_at": T0 + DAY, "reason": "changed"}
    book(database, first, second)
    book(database, away, away | {"channel": "Paid Search", "credit": "0.5", "amount": "500"})


def test_rows_that_earlier_versions_booked_count_too(database: ClickHouse) -> None:
    """Until migration 31 each share was a row of the table ledger."""
    row = BOOKING | {
        "tenant": "default", "model_version": "1", "touch_id": "t1", "channel": "Email", "credit": "1", "amount": "70",
        "touch_at": T0 - 5, "recorded_at": T0, "reason": "new_conversion", "cause_event_id": "e1", "_p": 0, "_o": 7, "_i": 0,
    }  # fmt: skip
    database.insert("ledger", lines([row]), token="earlier")
    book(
        database,
        BOOKING | {"touch_id": "t1", "channel": "Email", "credit": "-1", "amount": "-70", "recorded_at": T0 + DAY},
    )
    book(
        database,
        BOOKING | {"touch_id": "t2", "channel": "Events", "credit": "1", "amount": "70", "recorded_at": T0 + DAY},
    )

    trail = database.rows("SELECT touch_id, credit, amount, touch_at FROM v_ledger ORDER BY recorded_at, touch_id")
    assert [booked[:3] for booked in trail] == [
        ("t1", Decimal(1), Decimal(70)),
        ("t1", Decimal(-1), Decimal(-70)),
        ("t2", Decimal(1), Decimal(70)),
    ]
    assert trail[0][3].replace(tzinfo=UTC) == datetime.fromtimestamp((T0 - 5) / 1000, UTC)
    assert database.rows("SELECT channel, amount FROM v_attribution") == [("Events", Decimal(70))]
    assert database.rows("SELECT sum(duplicates) FROM v_audit_duplicates") == [(0,)]


def test_attribution_is_the_sum_of_bookings_without_what_nets_to_zero(database: ClickHouse) -> None:
    book_two_halves_then_move_one(database)
    rows = database.rows(
        "SELECT model, stage, channel, conversions, amount, currency, month FROM v_attribution ORDER BY channel"
    )
    half, money, month = Decimal("0.5"), Decimal(500), date(2026, 9, 1)
    assert rows == [
        ("linear", "won", "Email", half, money, "EUR", month),
        ("linear", "won", "Paid Search", half, money, "EUR", month),
    ]


def test_attribution_as_of_a_moment_is_what_was_booked_by_then(database: ClickHouse) -> None:
    book_two_halves_then_move_one(database)

    def channels(as_of: str) -> list[str]:
        return [
            c for (c,) in database.rows(f"SELECT channel FROM v_attribution_as_of(as_of = '{as_of}') ORDER BY channel")
        ]

    assert channels("2026-09-21") == []
    assert channels("2026-09-21 14:13:19") == []
    assert channels("2026-09-21 14:13:20") == ["Direct", "Email"]
    assert channels("2026-09-21T16:13:20+02:00") == ["Direct", "Email"]
    assert channels("2026-09-22") == ["Direct", "Email"]
    assert channels("2026-09-23") == ["Email", "Paid Search"]


def test_ledger_check_shows_violations_and_only_those(database: ClickHouse) -> None:
    book_two_halves_then_move_one(database)
    put(database, "conversions", {"conversion_id": "c1", "account_id": "acme.com", "amount": "1000", "version": 1})
    # No eligible touch; withdrawn and booked back: both fine.
    put(database, "conversions", {"conversion_id": "c2", "account_id": "acme.com", "amount": "70", "version": 1})
    whole = BOOKING | {"conversion_id": "c3", "credit": "1", "amount": "9"}
    book(database, whole, whole | {"credit": "-1", "amount": "-9"})
    assert database.rows("SELECT * FROM v_ledger_check") == []
    book(database, BOOKING | {"model": "first", "credit": "0.9", "amount": "1000"})
    book(database, BOOKING | {"model": "last", "credit": "1", "amount": "999.99"})
    book(database, BOOKING | {"conversion_id": "dead", "credit": "1", "amount": "5"})
    rows = database.rows(
        "SELECT conversion_id, model, credit, amount, live FROM v_ledger_check ORDER BY conversion_id, model"
    )
    assert rows == [
        ("c1", "first", Decimal("0.9"), Decimal(1000), True),
        ("c1", "last", Decimal(1), Decimal("999.99"), True),
        ("dead", "linear", Decimal(1), Decimal(5), False),
    ]


def test_scores_decay_to_this_moment(database: ClickHouse) -> None:
    [(now,)] = database.rows("SELECT toUnixTimestamp64Milli(now64(3))")
    half_life = 14 * DAY
    # 40 points one half-life ago are 20 now: log2(40 * 2 ** ((now - half_life) / half_life)).
    log2_score = 5.321928094887363 + (now - half_life) / half_life
    account = {"half_life_days": 14.0, "version": 1}
    put(
        database, "accounts",
        account | {"account_id": "a", "log2_score": log2_score, "touches": 1, "first_touch_at": T0, "last_touch_at": T0 + 1},
        account | {"account_id": "b", "log2_score": -1e308},
        account | {"account_id": "gone", "log2_score": log2_score, "deleted": True},
    )  # fmt: skip
    rows = database.rows(
        "SELECT account_id, round(engagement, 3), round(intent, 2), first_touch_at, last_touch_at FROM v_accounts ORDER BY 1"
    )
    assert rows == [("a", 20.0, 48.66, moment(T0), moment(T0 + 1)), ("b", 0.0, 0.0, None, None)]
    person = {"account_id": "a", "half_life_days": 14.0, "touches": 2, "log2_score": log2_score, "version": 1}
    put(
        database, "engagement",
        person | {"person_id": "liked", "sign": 1},
        person | {"person_id": "annoyed", "sign": -1},
        person | {"person_id": "neutral", "sign": 0},
        person | {"person_id": "unsubscribed", "sign": -1, "touches": 0},
        person | {"person_id": "withdrawn", "sign": 0, "touches": 0},
    )  # fmt: skip
    rows = database.rows("SELECT person_id, round(score, 3) FROM v_engagement ORDER BY person_id")
    assert rows == [("annoyed", -20.0), ("liked", 20.0), ("neutral", 0.0), ("unsubscribed", -20.0)]


def test_alerts_stand_until_withdrawn(database: ClickHouse) -> None:
    put(
        database,
        "alerts",
        {"alert_id": "x", "fired_at": T0, "version": 1},
        {"alert_id": "y", "fired_at": T0, "version": 1},
    )
    put(database, "alerts", {"alert_id": "y", "fired_at": T0, "withdrawn_at": T0 + 5, "version": 2})
    rows = database.rows("SELECT alert_id, fired_at, withdrawn_at, delivered_at FROM v_alerts ORDER BY alert_id")
    assert rows == [("x", moment(T0), None, None), ("y", moment(T0), moment(T0 + 5), None)]


def test_dead_letters_give_back_the_bytes(database: ClickHouse) -> None:
    database.insert("dead_letters", b'{"tenant":"t","received_at":%d,"reason":"malformed","body":"e25v"}' % T0, "t1")
    assert database.rows("SELECT tenant, received_at, reason, bytes FROM v_dead_letters") == [
        ("t", moment(T0), "malformed", "{no")
    ]


def test_values_from_outside_never_make_a_row_unwritable(database: ClickHouse) -> None:
    put(
        database,
        "cost_ledger",
        *({"cost_id": day, "day": day, "standing": 1} for day in ("", "soon", "2026-13-45", "2026-02-03")),
    )
    days = {date(1900, 1, 1): 3, date(2026, 2, 3): 1}
    assert dict(database.rows("SELECT day, count() FROM v_costs GROUP BY day")) == days
    odd = {"name": "a\x00\u2028", "engaged_ms": -1, "occurred_at": -62135596800000, "received_at": 253402300799999}
    put(database, "events", odd)
    assert database.rows("SELECT count() FROM v_events WHERE engaged_ms = -1") == [(1,)]


def test_what_a_message_says_together_is_shown_on_its_events_and_can_be_taken_back(database: ClickHouse) -> None:
    put(
        database, "email",
        {"event_id": "person", "event": "clicked", "_p": 1, "_o": 5, "_i": 0},
        {"event_id": "known", "event": "clicked", "_p": 1, "_o": 5, "_i": 1, "is_machine": True, "reason": "curl"},
        {"event_id": "machine", "event": "clicked", "_p": 1, "_o": 5, "_i": 2},
        {"event_id": "taken back", "event": "clicked", "_p": 1, "_o": 5, "_i": 3},
        {"event_id": "replaced", "event": "clicked", "_p": 1, "_o": 5, "_i": 4},
        {"event_id": "bounced", "event": "bounced", "_p": 1, "_o": 5, "_i": 5, "reason": "550"},
        {"event_id": "elsewhere", "event": "clicked", "_p": 2, "_o": 5, "_i": 2},
    )  # fmt: skip
    put(database, "events_superseded", {"event_id": "replaced", "row_p": 1, "row_o": 5, "row_i": 4})
    told = {"row_p": 1, "row_o": 5, "is_machine": True, "reason": "links+delivery"}
    put(
        database, "email_verdicts",
        told | {"row_i": 2, "version": 6}, told | {"row_i": 3, "version": 6}, told | {"row_i": 4, "version": 6},
    )  # fmt: skip
    put(database, "email_verdicts", told | {"row_i": 3, "version": 9, "is_machine": False, "reason": ""})
    rows = database.rows("SELECT event_id, is_machine, reason FROM v_email ORDER BY event_id")
    assert rows == [
        ("bounced", False, "550"),
        ("elsewhere", False, ""),
        ("known", True, "curl"),
        ("machine", True, "links+delivery"),
        ("person", False, ""),
        ("taken back", False, ""),
    ]
