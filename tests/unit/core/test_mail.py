"""Scanners told by several signals together: the edge of every rule, and what becomes of touches, rows and points."""

import msgspec
import pytest

from schemas.messages import TouchWithdrawn
from stream.core.mail import LIMIT, Message
from tests.support.events import DAY, T0, email, make
from tests.support.stitch import Stage

ACCOUNT = "default/d:corp.example"


def sent(id_, at, name, message="m1", **fields):
    """An email event of the message to bob@corp.example, ``at`` ms after T0; ``url`` is the link's letter."""
    said = {"message_id": message} | fields.pop("said", {})
    if "url" in fields:
        said["url"] = "https://www.acme.com/" + fields.pop("url")
    return email(id_, at, name, properties=said, **fields)


def delivered(at=0, **fields):
    return sent("d", at, "delivered", **fields)


def click(id_, at, link="a", **fields):
    return sent(id_, at, "clicked", url=link, **fields)


def played(*events, frames=None):
    stage = Stage()
    for frame in frames if frames is not None else [events]:
        stage.put(frame)
    return stage.run()


def verdicts(stage):
    """Why each open and click is a machine's, "" for people's."""
    rows = [row for row in stage.mails() if row["event"] in ("opened", "clicked")]
    assert all(row["is_machine"] == (row["reason"] != "") for row in rows)
    return {row["event_id"]: row["reason"] for row in rows}


def touched(stage):
    return {touch.event_id for touch in stage.touches.get(ACCOUNT, {}).values()}


HOUR = 3_600_000
BURST = [click("1", HOUR, "a"), click("2", HOUR + 900, "b"), click("3", HOUR + 1999, "c")]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        # One signal is not enough.
        (BURST, {"1": "", "2": "", "3": ""}),
        ([delivered(), click("1", 5000)], {"1": ""}),
        ([click("1", 0, said={"gateway": "mimecast.com"})], {"1": ""}),
        ([click("1", 0), click("2", 5, bot="scanner", bot_reason="head-request")], {"1": "", "2": "head-request"}),
        # Any two are, whichever they are.
        ([delivered(HOUR - 3001), *BURST], {"1": "links+delivery", "2": "links+delivery", "3": "links+delivery"}),
        ([delivered(HOUR - 4000), *BURST], {"1": "links+delivery", "2": "links+delivery", "3": ""}),
        ([delivered(), click("1", 5000, said={"gateway": "mimecast.com"})], {"1": "delivery+gateway"}),
        ([delivered(), click("1", 5001, said={"gateway": "mimecast.com"})], {"1": ""}),
        ([delivered(), click("1", -5000, said={"gateway": "mimecast.com"})], {"1": "delivery+gateway"}),
        ([delivered(), click("1", -5001, said={"gateway": "mimecast.com"})], {"1": ""}),
        ([click("1", 0, said={"gateway": "x.com"}), click("2", 10_000, bot="tool", bot_reason="curl")],
         {"1": "scanner+gateway", "2": "curl"}),
        ([click("1", 0, said={"gateway": "x.com"}), click("2", 10_001, bot="tool", bot_reason="curl")],
         {"1": "", "2": "curl"}),
        # The honeypot alone is, for what happens within 10 s of it.
        ([click("1", 0), click("h", 10_000, "trap", bot="scanner", bot_reason="honeypot", said={"honeypot": True}),
          click("2", 20_000), click("3", 20_001)],
         {"1": "honeypot", "h": "honeypot", "2": "honeypot", "3": ""}),
        # Three links in 2 s: distinct ones, in less than 2 s, whatever happens between.
        ([delivered(), click("1", 0, "a"), click("2", 900, "b"), click("3", 2000, "c")], {"1": "", "2": "", "3": ""}),
        ([delivered(), click("1", 0, "a"), click("2", 900, "b"), click("3", 950, "a")], {"1": "", "2": "", "3": ""}),
        ([delivered(), click("1", 0, "a"), click("2", 900, "a"), click("3", 901, "b"), click("4", 1999, "c")],
         {"1": "links+delivery", "2": "links+delivery", "3": "links+delivery", "4": "links+delivery"}),
        ([delivered(), sent("1", 0, "clicked"), sent("2", 1, "clicked"), sent("3", 2, "clicked")],
         {"1": "", "2": "", "3": ""}),
        # Opens are judged by the same signals, but are none themselves.
        ([delivered(), sent("o", 1000, "opened")], {"o": ""}),
        ([delivered(), sent("o", 1000, "opened"), click("1", 2000, bot="scanner", bot_reason="proofpoint")],
         {"o": "delivery+scanner", "1": "proofpoint"}),
        ([delivered(), sent("o", 100, "opened"), click("1", 500, "a"), click("2", 600, "b"), click("3", 2099, "c")],
         {"o": "links+delivery", "1": "links+delivery", "2": "links+delivery", "3": "links+delivery"}),
        ([delivered(), sent("o", 99, "opened"), click("1", 500, "a"), click("2", 600, "b"), click("3", 2099, "c")],
         {"o": "", "1": "links+delivery", "2": "links+delivery", "3": "links+delivery"}),
        ([delivered(), sent("o", 100, "opened", bot="machine", bot_reason="apple-mpp"), click("1", 500)],
         {"o": "apple-mpp", "1": ""}),
        # Only the same message counts, and only if it has an id.
        ([delivered(message="m2"), *BURST], {"1": "", "2": "", "3": ""}),
        ([delivered(HOUR, message=""), click("1", HOUR, message="", said={"gateway": "x.com"})], {"1": ""}),
    ],
)  # fmt: skip
def test_two_signals_or_the_honeypot_are_a_machine(events, expected):
    stage = played(*events)
    assert verdicts(stage) == expected
    people = {e.id for e in events if e.name == "clicked" and not e.bot and not expected[e.id]}
    assert touched(stage) == people
    assert {row["event_id"] for row in stage.table("touches").values()} == people


def test_a_late_second_signal_withdraws_the_touch_and_says_why():
    stage = played(frames=[[click("1", 3000, said={"gateway": "mimecast.com"})]])
    assert touched(stage) == {"1"}
    stage.put([delivered()])
    stage.run()
    assert touched(stage) == set()
    assert stage.table("touches") == {}
    assert verdicts(stage) == {"1": "delivery+gateway"}
    withdrawn = stage.told[-1]
    assert isinstance(withdrawn, TouchWithdrawn)
    assert (withdrawn.reason, withdrawn.cause, withdrawn.touched_at) == ("bot", "d", T0 + 3000)


def test_a_late_signal_leaves_what_it_does_not_concern():
    later = click("2", DAY, "b")
    stage = played(frames=[[click("1", 0, said={"gateway": "x.com"})], [later], [delivered()]])
    assert verdicts(stage) == {"1": "delivery+gateway", "2": ""}
    assert touched(stage) == {"2"}
    assert [m.reason for m in stage.told] == ["new", "new", "bot"]


@pytest.mark.parametrize("node", ["default/d:corp.example", "default/o:mail/abc"])
def test_a_message_to_several_recipients_is_not_judged(node):
    said = {"message_id": "m1", "recipients": 3}
    clicks = [
        make("email", node, id_, at, name="clicked", platform="server", properties=said | {"url": link})
        for id_, at, link in (("1", 0, "a"), ("2", 5, "b"), ("3", 9, "c"))
    ]
    stage = played(make("email", node, "d", 0, name="delivered", platform="server", properties=said), *clicks)
    assert set(verdicts(stage).values()) == {""}


def test_a_user_without_an_address_is_one_recipient():
    events = [
        make("email", "default/u:7", "d", 0, name="delivered", user="7", platform="server",
             properties={"message_id": "m"}),
        make("email", "default/u:7", "1", 9, name="clicked", user="7", platform="server",
             properties={"message_id": "m", "url": "a", "gateway": "cisco.com"}),
    ]  # fmt: skip
    assert verdicts(played(*events)) == {"1": "delivery+gateway"}


def test_a_click_whose_other_content_counts_makes_no_touch_but_stays_a_signal():
    # By size and digest one of them counts; the honeypot was hit in any case.
    plain = click("1", 0)
    trap = click("1", 500, "trap", bot="scanner", bot_reason="honeypot", said={"honeypot": True})
    near = click("2", 9000, "b")
    one, two = played(frames=[[plain], [trap], [near]]), played(frames=[[near], [trap], [plain]])
    assert verdicts(one) == verdicts(two) == {"1": "honeypot", "2": "honeypot"}
    assert touched(one) == touched(two) == set()


def test_beyond_the_first_256_clicks_of_a_message_all_are_a_machines():
    minute = 60_000
    clicks = [click(f"{number:03}", number * minute) for number in range(1, LIMIT + 2)]
    stage = played(*clicks)
    assert {id_: reason for id_, reason in verdicts(stage).items() if reason} == {"257": "too-many"}
    stage.put([click("000", 0)])  # comes late, and pushes another one out
    stage.run()
    assert {id_: reason for id_, reason in verdicts(stage).items() if reason} == {"256": "too-many", "257": "too-many"}
    assert touched(stage) == {f"{number:03}" for number in range(LIMIT)}


def test_what_was_heard_of_a_message_is_forgotten_after_30_days_of_the_log():
    stage = Stage()
    stage.put([click("1", 0, said={"gateway": "x.com"})])
    stage.run()
    assert any(name.startswith("m\x00") for name in stage.states[0].order)
    stage.tick(stage.at + 30 * DAY)
    stage.run()
    assert any(name.startswith("m\x00") for name in stage.states[0].order)
    stage.tick(stage.at + 1)
    stage.run()
    assert not any(name[0] in "mw" for name in stage.states[0].order)
    stage.put([delivered()])
    stage.run()
    assert verdicts(stage) == {"1": ""}
    assert touched(stage) == {"1"}


def test_a_message_counts_as_forgotten_before_it_is_swept_and_its_sweeping_spares_the_next():
    stage = Stage()
    stage.put([click("1", 0, said={"gateway": "x.com"})])
    stage.run()
    begun = stage.at
    stage.at = begun + 30 * DAY + 1
    stage.put([delivered()])
    stage.run()
    assert verdicts(stage) == {"1": ""}
    stage.tick(stage.at)
    stage.run()
    assert sum(name.startswith("m\x00") for name in stage.states[0].order) == 1
    stage.put([click("2", 1, "b", said={"gateway": "x.com"})])
    stage.run()
    assert verdicts(stage) == {"1": "", "2": "delivery+gateway"}


def test_a_withdrawn_click_that_another_content_makes_a_persons_is_a_touch_again():
    # The same id twice: as a click by a gateway, and plainly; in both orders the same one counts.
    gated = click("1", 0, said={"gateway": "x.com"})
    plain = click("1", 0)
    one = played(frames=[[delivered()], [gated], [plain]])
    two = played(frames=[[plain], [delivered(), gated]])
    assert verdicts(one) == verdicts(two)
    assert touched(one) == touched(two)
    assert (touched(one) == {"1"}) == (verdicts(one) == {"1": ""})


def test_a_click_of_no_message_is_not_taken_for_one_that_came_before_it_in_vain():
    # One of the two contents of 1 does not count; the next event of the frame names no message.
    one, other = click("1", 0, "a"), click("1", 7, "bb")
    for first, second in ((one, other), (other, one)):
        stage = played(frames=[[first], [second, click("2", 50, message="")], [delivered()]])
        assert touched(stage) == {"1", "2"}
        assert {touch.at - T0 for touch in stage.touches[ACCOUNT].values()} in ({0, 50}, {7, 50})
        stored = [stage.states[0].encoded[name] for name in stage.states[0].order if name.startswith("m\x00")]
        (message,) = [msgspec.msgpack.decode(record, type=Message) for record in stored]
        assert [act.row_o for act in message.clicks if act.row_o >= 0 and act.id == "2"] == []
        assert sum(act.item is not None and act.item.event == "2" for act in message.clicks) == 0
