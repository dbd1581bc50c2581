"""Whatever the order, duplication and framing of a set of events: sessions, touches, conversions and owners are those of a
batch computation over the set."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.rules import Rules
from stream.core.identity import node
from tests.support.events import GAP, T0, email, hit, make
from tests.support.stitch import Stage
from tests.support.stitch_oracle import Oracle

RULES = Rules(session_max_s=7200)
TIMES = st.sampled_from([0, 1, 1000, 5 * 60_000, GAP - 1, GAP, GAP + 1, 2 * GAP, 2 * GAP + 1, 7_200_000, 7_200_001,
                         3 * GAP + 2, 5 * GAP, 6 * GAP + 6])  # fmt: skip
USERS = {"1": "ann@corp.example", "2": "bob@gmail.com", "3": "eve@other.example"}
URLS = [
    "https://www.acme.com/", "https://www.acme.com/pricing", "",
    "https://www.acme.com/?utm_source=google&utm_medium=cpc&utm_campaign=a",
    "https://www.acme.com/?utm_source=google&utm_medium=cpc&utm_campaign=b",
    "https://www.acme.com/?fbclid=1", "https://www.acme.com/?fbclid=2",
]  # fmt: skip
REFERRERS = [
    "",
    "https://www.acme.com/x",
    "https://www.google.com/",
    "https://www.linkedin.com/",
    "https://l.instagram.com/",
]


@st.composite
def visits(draw, number):
    who = draw(st.sampled_from(["", "", "", *USERS]))
    known = draw(st.booleans()) and who
    return hit(
        draw(st.sampled_from(["page", "page", "track", "identify", "ping"])),
        f"v{number}",
        draw(TIMES),
        draw(st.sampled_from(["ann", "bob"])),
        user=who,
        email=USERS[who] if known else "",
        url=draw(st.sampled_from(URLS)),
        referrer=draw(st.sampled_from(REFERRERS)),
        name=draw(st.sampled_from(["", "Form Submitted", "Demo Requested", "Signed Up", "Clicked"])),
        engaged_ms=draw(st.sampled_from([0, 0, 6000])),
        platform=draw(st.sampled_from(["web", "web", "app", "server"])),
        bot=draw(st.sampled_from(["", "", "", "crawler"])),
    )


@st.composite
def mails(draw, number):
    name = draw(st.sampled_from(["clicked", "opened", "replied", "unsubscribed"]))
    return email(f"m{number}", draw(TIMES), name, draw(st.sampled_from(list(USERS.values()))),
                 bot=draw(st.sampled_from(["", "scanner"])))  # fmt: skip


STAGES = st.sampled_from(["open", "demo", "offer", "won", "lost"])
MOMENTS = TIMES.map(lambda at: T0 + at)
HISTORIES = st.lists(st.fixed_dictionaries({"stage": STAGES, "at": MOMENTS}), max_size=5)


@st.composite
def deals(draw, number):
    deal = draw(st.sampled_from(["A", "B"]))
    said = {"stage": STAGES, "amount": st.sampled_from([0, 1, 250]), "closed_at": MOMENTS, "created_at": MOMENTS,
            "stages": HISTORIES, "deleted": st.just(True)}  # fmt: skip
    odds = {"stage": 9, "amount": 8, "closed_at": 3, "created_at": 2, "stages": 3, "deleted": 1}
    properties = {name: draw(values) for name, values in said.items() if draw(st.integers(1, 10)) <= odds[name]}
    return make(
        "crm.opportunity", f"default/o:{deal}", f"o{number}", draw(TIMES), platform="server",
        properties={"currency": "EUR", "account_id": deal, **properties},
    )  # fmt: skip


@st.composite
def meetings(draw, number):
    said = {"email": st.sampled_from(["", *USERS.values()]), "account_id": st.sampled_from(["", "A"]),
            "occurred_at": MOMENTS, "status": st.sampled_from(["", "scheduled", "cancelled", "completed"]),
            "deleted": st.booleans()}  # fmt: skip
    odds = {"email": 8, "account_id": 3, "occurred_at": 6, "status": 4, "deleted": 3}
    properties = {name: draw(values) for name, values in said.items() if draw(st.integers(1, 10)) <= odds[name]}
    return make(
        "crm.activity", f"default/m:{draw(st.sampled_from(['7', '8']))}", f"m{number}", draw(TIMES), platform="server",
        name=draw(st.sampled_from(["meeting", "call"])), properties=properties, received_at=draw(MOMENTS),
    )  # fmt: skip


@st.composite
def unlinks(draw, number):
    """Of what a deal or a meeting says of its account or person, whichever version says it."""
    links = {"o:A": ["a:A"], "o:B": ["a:B"], "m:7": ["a:A", "e:ann@corp.example"], "m:8": ["a:A", "e:bob@gmail.com"]}
    child = draw(st.sampled_from(sorted(links)))
    claim = f"default/{child} default/{draw(st.sampled_from(links[child]))}\0{draw(st.integers(0, 2)):08x}"
    return make(
        "identity.unlink", f"default/{child}", f"u{number}", draw(TIMES), platform="server", properties={"claim": claim}
    )


@st.composite
def sets(draw):
    count = draw(st.integers(1, 14))
    kinds = draw(
        st.lists(
            st.sampled_from([visits, visits, visits, visits, mails, deals, meetings, unlinks]),
            min_size=count,
            max_size=count,
        )
    )
    return [draw(kind(i)) for i, kind in enumerate(kinds)]


@st.composite
def schedules(draw, events, *, contents=True):
    """The events in some order, some of them twice, cut into frames."""
    again = draw(st.lists(st.sampled_from(events), max_size=4))
    resent = [msgspec.structs.replace(e, received_at=e.received_at + 9) for e in again]
    order = draw(st.permutations([*events, *resent]))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=5)))
    frames = [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    return [f for f in frames if f]


def played(frames, partitions=1, turns=()):
    stage = Stage(partitions, RULES)
    for frame in frames:
        stage.put(frame)
    return stage.run(turns)


def seen_sessions(stage):
    return {
        s["session_id"]: (
            s["account_id"], s["person_id"], s["started_at"], s["ended_at"], s["page_views"], s["events"],
            s["engaged_ms"], s["engaged"], s["channel"], s["landing_url"], s["exit_url"],
        )
        for s in stage.table("sessions").values()
    }  # fmt: skip


def agree(stage, oracle):
    bare = {id_: (row[0][10:], row[1][10:], *row[2:]) for id_, row in oracle.sessions.items()}
    assert seen_sessions(stage) == bare
    result = stage.result()
    assert result["touches"] == oracle.touches
    assert result["conversions"] == oracle.conversions


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_order_duplication_and_framing_gives_the_batch_result(data):
    events = data.draw(sets())
    stage = played(data.draw(schedules(events)))
    agree(stage, Oracle(events, RULES))
    assert len(stage.table("events")) == len(events)
    assert stage.rejected == []


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_partitions_and_their_turns_do_not_count(data):
    events = data.draw(sets())
    turns = data.draw(st.lists(st.integers(0, 2), max_size=30))
    stage = played(data.draw(schedules(events)), data.draw(st.integers(2, 3)), turns)
    agree(stage, Oracle(events, RULES))


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_of_two_contents_with_one_id_the_same_one_wins_in_every_order(data):
    events = data.draw(sets())
    other = data.draw(sets())
    # What a CRM event said is not taken back by an operator's event with its id (roadmap, known gaps).
    alike = [(a, b) for a, b in zip(events, other, strict=False) if a.node == b.node and of_crm(a) == of_crm(b)]
    clashing = [msgspec.structs.replace(b, id=a.id) for a, b in alike]
    both = [*events, *clashing]
    one = played(data.draw(schedules(both)))
    two = played(data.draw(schedules(both)))
    assert one.result() == two.result()
    assert alive(one) == alive(two)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.integers(1, 2))
def test_where_a_visitor_has_too_many_users_the_order_of_contents_does_not_count_either(data, most):
    contents = st.tuples(
        st.integers(0, 2), st.sampled_from(["page", "page", "track", "ping"]), st.sampled_from([0, 1, GAP + 1]),
        st.sampled_from(["", *USERS]), st.sampled_from(["web", "web", "web", "server"]), st.sampled_from(["", "", "", "crawler"]),
    )  # fmt: skip
    both = [
        hit(type_, f"v{number}", at, "ann", user=user, email=USERS.get(user, ""), platform=platform, bot=bot)
        for number, type_, at, user, platform, bot in data.draw(st.lists(contents, min_size=3, max_size=6))
    ]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(node, "MOST_USERS", most)
        one, two = (played(data.draw(schedules(both))) for _ in range(2))
    assert one.result() == two.result()
    assert seen_sessions(one) == seen_sessions(two)


def of_crm(event):
    return event.type.startswith("crm.")


def alive(stage):
    """Content of the events whose rows no other row superseded."""
    gone = {(r["row_p"], r["row_o"], r["row_i"]) for r in stage.rows.get("events_superseded", [])}
    rows = [r for r in stage.rows.get("events", []) if (r["_p"], r["_o"], r["_i"]) not in gone]
    hidden = {"_p", "_o", "_i"}
    return sorted(msgspec.json.encode({k: v for k, v in r.items() if k not in hidden}) for r in rows)


def test_the_oracle_tells_a_lost_event():
    events = [hit("page", "a", 0), hit("page", "b", 10)]
    stage = played([[events[0]]])
    assert seen_sessions(stage) != Oracle(events, RULES).sessions
    assert T0 in {row[2] for row in Oracle(events, RULES).sessions.values()}
