"""Whatever the order, duplication and framing of a message's events: rows, touches and ledger are those of a batch
computation over the set, by brute force and without the core's code."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import properties_of
from schemas.ids import derived_id
from stream.core import mail
from tests.properties.test_stitch_laws import played, schedules
from tests.support.both_stages import outcome
from tests.support.events import T0, email, make, track

TIMES = st.sampled_from(
    [0, 1, 1000, 1999, 2000, 2001, 4000, 5000, 5001, 6999, 10_000, 10_001, 12_000, 15_000, 20_001, 90_000]
)
ADDRESSES = st.sampled_from(["ann@corp.example", "bob@corp.example"])


@st.composite
def happenings(draw, number):
    name = draw(st.sampled_from(["delivered", "clicked", "clicked", "clicked", "clicked", "opened", "replied", "sent"]))
    said = {"message_id": draw(st.sampled_from(["m1", "m1", "m1", "m2", ""]))}
    bot = draw(st.sampled_from(["", "", "", "", "scanner"]))
    if name == "clicked":
        said["url"] = draw(st.sampled_from(["a", "b", "c", "d", ""]))
        said |= draw(st.sampled_from([{}, {}, {}, {"gateway": "mimecast.com"}]))
        if draw(st.integers(0, 9)) == 0:
            said["honeypot"], bot = True, "scanner"
    at, fields = draw(TIMES), {"bot": bot, "bot_reason": "known" if bot else "", "properties": said}
    shared = draw(st.sampled_from(["", "", "", "", "default/d:corp.example"]))
    if shared:
        return make("email", shared, f"m{number}", at, name=name, platform="server", **fields)
    return email(f"m{number}", at, name, draw(ADDRESSES), **fields)


@st.composite
def sets(draw, most=14):
    return [draw(happenings(number)) for number in range(draw(st.integers(1, most)))]


def judged(counting, contents=None):
    """(id of each counting click and open) -> why it is a machine's; ``contents`` are all that were ever heard."""
    heard = [(e, properties_of(e.properties)) for e in contents or counting]
    found = {}
    for event in counting:
        said = properties_of(event.properties)
        if event.name not in ("clicked", "opened"):
            continue
        found[event.id] = "known" if event.bot else ""
        if event.bot or not said["message_id"] or "/d:" in event.node:
            continue
        mates = [(e, p) for e, p in heard if e.node == event.node and p["message_id"] == said["message_id"]]
        found[event.id] = verdict(event, said, mates)
    return found


def verdict(event, said, mates):
    clicks = [(e, p) for e, p in mates if e.name == "clicked"]

    def within(reach, others):
        return any(abs(e.at - event.at) <= reach for e in others)

    if within(10_000, [e for e, p in clicks if p.get("honeypot")]):
        return "honeypot"
    signals = []
    starts = {t for e, _ in mates for t in (e.at, e.at - 1999)}
    if any(
        start <= event.at < start + 2000
        and len({p["url"] for e, p in clicks if p["url"] and start <= e.at < start + 2000}) >= 3
        for start in starts
    ):
        signals.append("links")
    if within(5000, [e for e, _ in mates if e.name == "delivered"]):
        signals.append("delivery")
    if within(10_000, [e for e, _ in clicks if e.bot]):
        signals.append("scanner")
    if "gateway" in said:
        signals.append("gateway")
    return "+".join(signals) if len(signals) >= 2 else ""


def shown(stage):
    return {r["event_id"]: r["reason"] for r in stage.mails() if r["event"] in ("clicked", "opened")}


def agree(stage, events, expected):
    assert shown(stage) == expected
    assert all(r["is_machine"] == (r["reason"] != "") for r in stage.mails())
    people = {e.id for e in events if e.name == "clicked" and not expected[e.id]}
    people |= {e.id for e in events if e.name == "replied" and not e.bot}
    touches = {t.event_id: t for t in stage.touches.get("default/d:corp.example", {}).values()}
    assert set(touches) == people
    rows = stage.table("touches").values()
    assert {r["event_id"] for r in rows} == people
    for event in events:
        if event.id in people:
            points = 3000 if event.name == "clicked" else 10_000
            assert (touches[event.id].id, touches[event.id].at, touches[event.id].points) == (
                derived_id("touch", event.node, event.id), event.at, points,
            )  # fmt: skip


@settings(max_examples=500)
@given(st.data())
def test_any_order_duplication_and_framing_of_a_messages_events_gives_the_batch_verdict(data):
    events = data.draw(sets())
    turns = data.draw(st.lists(st.integers(0, 2), max_size=20))
    stage = played(data.draw(schedules(events)), data.draw(st.integers(1, 3)), turns)
    agree(stage, events, judged(events))
    assert stage.rejected == []


@settings(max_examples=300)
@given(st.data())
def test_of_two_contents_with_one_id_one_counts_and_both_are_signals(data):
    events, other = data.draw(sets(8)), data.draw(sets(8))
    clashing = [msgspec.structs.replace(b, id=a.id) for a, b in zip(events, other, strict=False) if a.node == b.node]
    both = [*events, *clashing]
    one, two = (played(data.draw(schedules(both))) for _ in range(2))
    assert one.mails() == two.mails()
    assert one.result() == two.result()
    addresses = {(e.node, e.id, e.name, e.at, bytes(e.properties), e.bot): e for e in both}
    counting = []
    for row in one.mails():
        node = "default/" + row["node"]
        matching = [
            e for (n, id_, name, *_), e in addresses.items() if (n, id_, name) == (node, row["event_id"], row["event"])
            and e.at == row["occurred_at"]
        ]  # fmt: skip
        counting += matching if len(matching) == 1 else []
    expected = judged(counting, both)
    assert {id_: shown(one)[id_] for id_ in expected} == expected


@settings(max_examples=300)
@given(st.data())
def test_the_first_ones_of_too_many_are_the_same_in_every_order(data):
    events = data.draw(sets(20))
    with pytest.MonkeyPatch.context() as few:
        few.setattr(mail, "LIMIT", 4)
        few.setattr(mail, "DELIVERIES", 2)
        one, two = (played(data.draw(schedules(events))) for _ in range(2))
    assert one.mails() == two.mails()
    assert one.result() == two.result()
    for name in ("clicked", "opened"):
        acts = {}
        for event in events:
            said = properties_of(event.properties)
            if event.name == name and said["message_id"] and "/d:" not in event.node:
                acts.setdefault((event.node, said["message_id"]), []).append(event)
        for found in acts.values():
            kept = sorted((e for e in found if name == "clicked" or not e.bot), key=lambda e: (e.at, e.id))
            for event in kept[4:]:
                assert shown(one)[event.id] == ("known" if event.bot else "too-many")
            assert "too-many" not in {shown(one)[event.id] for event in kept[:4]}


@settings(max_examples=200)
@given(st.data())
def test_of_too_many_with_two_contents_each_the_same_ones_count_in_every_order(data):
    events, other = data.draw(sets(10)), data.draw(sets(10))
    both = [*events, *(msgspec.structs.replace(b, id=a.id) for a, b in zip(events, other, strict=False))]
    with pytest.MonkeyPatch.context() as few:
        few.setattr(mail, "LIMIT", 3)
        few.setattr(mail, "DELIVERIES", 1)
        one, two = (played(data.draw(schedules(both))) for _ in range(2))
    assert one.mails() == two.mails()
    assert one.result() == two.result()


@settings(max_examples=25)
@given(st.data())
def test_the_ledger_credits_no_machine_in_any_order(data):
    events = data.draw(sets(8))
    demo = track("demo", 200_000, "Demo Requested", user="7", email="ann@corp.example")
    frames = data.draw(schedules([*events, demo]))
    found = outcome(*frames, partitions=data.draw(st.integers(1, 2)))
    expected = judged(events)
    people = {e.at - T0 for e in events if e.name == "clicked" and not expected[e.id]}
    people |= {e.at - T0 for e in events if e.name == "replied" and not e.bot}
    assert {at for _, at in found.credit()} == people | {200_000}
    assert sum(found.credit().values()) == len(found.conversions()) == 1
    rows = [msgspec.json.decode(row) for row in found.tables.get("email", {})]
    assert {r["event_id"]: r["reason"] for r in rows if r["event"] in ("clicked", "opened")} == expected


def test_the_oracle_tells_a_persons_click_from_a_machines():
    person, machine = email("1", 60_000, "clicked", properties={"message_id": "m1", "url": "a"}), email(
        "2", 10, "clicked", properties={"message_id": "m1", "url": "a", "gateway": "x"}
    )  # fmt: skip
    delivered = email("d", 0, "delivered", properties={"message_id": "m1"})
    assert judged([person, machine, delivered]) == {"1": "", "2": "delivery+gateway"}
    assert delivered.at == T0
