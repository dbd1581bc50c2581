"""Everyday hits have the same effects whether they are taken the short way, in C or in Python, or the general one."""

import functools

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import lines
from schemas.event import APP, EMAIL_EVENT, GROUP, IDENTIFY, PAGE, PING, SCREEN, SERVER, TRACK, WEB, Event
from schemas.ids import VISITOR, node
from schemas.rules import EventConversion, PointRule, Rules
from stream.core.everyday import take_in_c
from stream.core.seen import SHEET_BYTES, Seen
from stream.core.state import MemoryState
from stream.core.stitch import events_step
from stream.core.visit import go_on
from tests.support.everyday import WAYS, needs_c
from tests.support.stitch import step_of

MINUTE, DAY = 60_000, 86_400_000
START = 1_800_000_000_000
RULES = Rules(
    key_events=("Signed Up",), conversions=(EventConversion(event="Bought", stage="won"),), session_gap_s=1800
)
EMAILS = ("", "", "", "ann@corp.example", "ann@corp.example", "än@corp.example")
PROPERTIES = (b"{}", b'{"a":[1,-0.5e3,{"b":null}], "c" : "\\u00e9\\ud83d\\ude00\\n"}', b'"text"', b"[[[[]]]]")
PAGES = ("https://acme.com/", "https://acme.com/pricing", "https://acme.com/?utm_source=g&utm_medium=cpc", "",
         "https://acme.com/?fbclid=1")  # fmt: skip


@st.composite
def visits(draw):
    """Frames of one visitor's events, most of which follow each other within a session."""
    users = draw(st.sampled_from([[""], ["u1"] * 5 + [""], ["u1", "u1", "u2", "", ""]]))
    at, frames, number = START, [], 0
    for _ in range(draw(st.integers(1, 6))):
        frame = []
        for _ in range(draw(st.integers(1, 4))):
            at += draw(st.sampled_from([0, 1, 20_000, 5 * MINUTE, 30 * MINUTE, 31 * MINUTE, -2 * MINUTE]))
            number += draw(st.sampled_from([1, 1, 1, 1, 0]))
            kind = draw(st.sampled_from([PAGE, PAGE, PAGE, PING, TRACK, SCREEN, IDENTIFY, GROUP]))
            email = draw(st.sampled_from(EMAILS)) if kind != PAGE else ""
            frame.append(
                Event(
                    id=f"e{number}", node=node("default", VISITOR, "v1"), type=kind, at=at, received_at=at + 50,
                    visitor="v1", user=draw(st.sampled_from(users)), email=email,
                    group=draw(st.sampled_from(["A1", "A2", ""])) if kind in {GROUP, IDENTIFY, PING} else "",
                    platform=draw(st.sampled_from([WEB] * 8 + [APP, SERVER])),
                    company=draw(st.sampled_from(["", "", "net.example"])),
                    url=draw(st.sampled_from(PAGES)), referrer=draw(st.sampled_from(["", "https://www.google.com/", "https://l.instagram.com/"])),
                    name=draw(st.sampled_from(["", "", "Signed Up", "Bought", "Form Submitted", "Clicked"])),
                    engaged_ms=draw(st.sampled_from([0, 15_000])), bot=draw(st.sampled_from([""] * 9 + ["tool"])),
                    title=draw(st.sampled_from(["", 'Prïces \u2028 "now"'])),
                )
            )  # fmt: skip
        frames.append(frame)
    return frames


@st.composite
def calm_visits(draw, most=3):
    """The same of a visitor who mostly goes on: what C takes, and next to it what it must not. ``most`` events a frame."""
    user, company = (
        draw(st.sampled_from(["", "", "u1", "u1", "ü1", 'u"1'])),
        draw(st.sampled_from(["", "", "net.example"])),
    )
    at, frames, number = START, [], 0
    for _ in range(draw(st.integers(2, 8))):
        frame = []
        for _ in range(draw(st.integers(1, most))):
            odd = draw(st.sampled_from([99] * 40 + list(range(13))))
            at += (
                draw(st.sampled_from([1, 999, 9_000, 20_000, 5 * MINUTE]))
                if odd
                else draw(st.sampled_from([0, -1, 30 * MINUTE, 30 * MINUTE + 1, 24 * 60 * MINUTE]))
            )
            number += 1
            kind = draw(st.sampled_from([PAGE, PAGE, PAGE, PING, TRACK, SCREEN, IDENTIFY]))
            frame.append(
                Event(
                    id=draw(st.sampled_from(["e1", f'"{number}', "x" * 125 + str(number)])) if odd == 12 else f"ë{number}",
                    node=node("default", VISITOR, "v1"), type=kind, at=at, received_at=at + 50,
                    visitor="v1" if odd != 1 else "", user=user if odd != 2 else draw(st.sampled_from(["", "u2"])),
                    email="ann@corp.example" if odd == 3 else "", group="A1" if odd == 4 else "",
                    platform=APP if odd == 5 else SERVER if odd == 6 else WEB, company=company if odd > 7 else "net.example",
                    url=draw(st.sampled_from(PAGES if odd == 8 else [*PAGES[:2], PAGES[3] if number > 1 else PAGES[0], "https://acme.com/ü?q=\\\t😀"])),
                    referrer="https://www.google.com/" if odd == 9 else "https://acme.com/",
                    name=draw(st.sampled_from(["Bought", "Form Submitted"] if odd == 10 else ["", "Signed Up", 'Cl"ck'])),
                    engaged_ms=draw(st.sampled_from([0, 7, 15_000, -5, 2**40])), bot="tool" if odd == 7 else "",
                    title=draw(st.sampled_from(["", 'Prïces \u2028 "now"'])), clock_suspect=draw(st.booleans()),
                    consent=draw(st.sampled_from([None, {}, {"ads": False, "ä": True}])),
                    properties=draw(st.sampled_from([msgspec.UNSET, *map(msgspec.Raw, PROPERTIES)])),
                )
            )  # fmt: skip
        frames.append(frame)
    return frames


def run(frames, *ways, rules=RULES, pace=1, **noted):
    """State, rows, messages and refusals after each frame, ``pace`` ms of the log apart; the ways take turns.

    ``noted`` takes the place of what a way has.
    """
    state, effects = MemoryState(), []
    for offset, frame in enumerate(frames):
        step = step_of(state, rules, offset=offset, at=START + 10**9 + offset * pace)
        events_step(step, lines(frame), **WAYS[ways[offset % len(ways)]] | noted)
        effects.append((dict(state.encoded), step.rows, step.sends, step.refused))
    return effects


@given(visits())
@settings(max_examples=400, deadline=None)
def test_the_short_way_has_the_same_effects_as_the_general_one(frames):
    assert run(frames, "short") == run(frames, "general")


@needs_c
@given(
    st.one_of(visits(), calm_visits(), calm_visits(most=30)),
    st.lists(st.sampled_from(sorted(WAYS)), min_size=1, max_size=5),
    st.sampled_from([RULES, RULES, Rules(blocked_ids=("u2",), points=(PointRule(type=PAGE, points=-0.5),))]),
    st.sampled_from([1, -MINUTE, 8 * DAY, 16 * DAY]),
)
@settings(max_examples=800, deadline=None)
def test_all_ways_have_the_same_effects_whichever_takes_turns_with_which(frames, ways, rules, pace):
    general = run(frames, "general", rules=rules, pace=pace)
    assert run(frames, "short", rules=rules, pace=pace) == general
    assert run(frames, "in C", rules=rules, pace=pace) == general
    assert run(frames, *ways, rules=rules, pace=pace) == general


@st.composite
def crowds(draw):
    """Frames of several visitors, some of whom share a user, and most of whom come back."""
    ats = dict.fromkeys(["v1", "v2", "v3"], START)
    frames, number = [], 0
    for _ in range(draw(st.integers(2, 6))):
        frame = []
        for _ in range(draw(st.integers(1, 5))):
            name = draw(st.sampled_from(sorted(ats)))
            ats[name] += draw(st.sampled_from([1, 20_000, 20_000, 31 * MINUTE]))
            number += 1
            user = draw(st.sampled_from(["", "", "u1", "u1", "u2"] if name == "v3" else ["", "", "u1"]))
            kind = draw(st.sampled_from([PAGE, PAGE, PAGE, PING, IDENTIFY]))
            frame.append(
                Event(
                    id=f"e{number}", node=node("default", VISITOR, name), type=kind, at=ats[name], received_at=ats[name] + 50,
                    visitor=name, user=user, email=f"{user}@corp.example" if user and kind == IDENTIFY else "",
                    url=draw(st.sampled_from(PAGES)), engaged_ms=draw(st.sampled_from([0, 15_000])),
                    company=draw(st.sampled_from(["", "", "", "net.example"])),
                )
            )  # fmt: skip
        frames.append(frame)
    return frames


@needs_c
@given(crowds())
@settings(max_examples=600, deadline=None)
def test_with_c_a_frame_of_several_visitors_has_the_effects_that_it_has_without(frames):
    """Also in the same order: what goes the general way is shown after what does not, so C must take nothing that Python would
    leave to it."""
    assert run(frames, "all") == run(frames, "short")


@needs_c
@given(st.one_of(visits(), crowds()))
@settings(max_examples=400, deadline=None)
def test_what_c_leaves_to_the_general_way_the_short_one_leaves_too(frames):
    run(frames, "all", first=left_by_both)


def left_by_both(step, book, frame):
    for node_, own, general in take_in_c(step, book, frame):
        assert not (general and go_on(step, book, node_, own))
        yield node_, own, general


@needs_c
def test_forms_and_events_of_no_visitor_are_known_to_be_for_the_general_way():
    found = []

    def noted_way(step, book, frame):
        for left in take_in_c(step, book, frame):
            found.append((left[0], left[2]))
            yield left

    def event(number, kind, who="v:v1", **more):
        return Event(id=f"e{number}", node=f"default/{who}", type=kind, at=START + number, received_at=START, **more)

    mail = {"platform": SERVER, "name": "opened", "email": "a@b.example"}
    frames = [
        [event(0, PAGE), event(1, TRACK, name="Form Submitted"), event(2, EMAIL_EVENT, "e:a@b.example", **mail)],
        [
            event(3, PAGE),
            event(1, PAGE, "v:v2"),
            event(0, PAGE, "v:v2"),
            event(4, IDENTIFY, user="u1", email="c@d.example"),
        ],
    ]
    run(frames, "all", first=noted_way)

    assert found == [
        ("default/v:v1", True),
        ("default/e:a@b.example", True),
        ("default/v:v1", False),
        ("default/v:v2", False),
    ]


@needs_c
def test_the_way_in_c_takes_a_good_part_of_calm_visits():
    """Else the law above would say little."""
    taken = []

    @given(calm_visits())
    @settings(max_examples=100, deadline=None, database=None, derandomize=True)
    def count(frames):
        run(frames, "all", first=functools.partial(noted, taken))

    count()
    assert taken.count(0) > len(taken) / 4


def noted(left, step, book, frame):
    """How many visitors C leaves of each frame."""
    left.append(0)
    for found in take_in_c(step, book, frame):
        left[-1] += 1
        yield found


def test_ids_whose_time_is_over_are_forgotten_on_the_way():
    frames = [
        [Event(id=f"e{n}", node=node("default", VISITOR, "v1"), type=PAGE, at=START + n * MINUTE, received_at=START,
               visitor="v1", url="https://acme.com/")]
        for n in range(6)
    ]  # fmt: skip
    for way in ("short", "all"):
        last = run(frames, way, pace=10 * DAY)[-1][0]["x\x00" + node("default", VISITOR, "v1")]
        assert len(msgspec.msgpack.decode(last, type=Seen).hashes) == 4 * 8, (
            "30 days old ones are kept, older ones are not"
        )


def test_the_ids_of_a_sheet_are_forgotten_on_the_way_when_the_last_of_them_is_30_days_old():
    name = node("default", VISITOR, "v1")
    frames = [
        [Event(id=f"e{n}", node=name, type=PAGE, at=START + n * MINUTE, received_at=START, visitor="v1", url="https://acme.com/")]
        for n in range(100)
    ]  # fmt: skip
    for way in ("short", "all"):
        effects = run(frames, way, pace=DAY // 2)
        for frame, first in ((31, 0), (91, 0), (92, 32), (99, 32)):
            state = effects[frame][0]
            record = msgspec.msgpack.decode(state["x\x00" + name], type=Seen)
            assert len(record.hashes) == (frame + 1 - first) * 8, (
                "the first sheet goes 30 days after its last id, frame 31"
            )
            sheets = [key for key in state if key.startswith("e\x00" + name)]
            assert len(sheets) == len(record.sheets) / 8 == (frame + 1 - first) // 32
            assert len(record.entries) == (frame + 1) % 32 * 44


@needs_c
def test_an_id_that_comes_again_after_30_days_counts_again_though_its_sheet_is_still_there():
    def page(id_, n):
        return Event(id=id_, node=node("default", VISITOR, "v1"), type=PAGE, at=START + n * MINUTE, received_at=START,
                     visitor="v1", url="https://acme.com/")  # fmt: skip

    early, late = [page(f"e{n}", n) for n in range(31)], [page(f"e{n}", n) for n in range(31, 40)]
    frames = [early, [], [], late, [page("e3", 50)], [page("e3", 50)]]
    for way in sorted(WAYS):
        counted = [len(rows["events"]) for _, rows, _, _ in run(frames, way, pace=10 * DAY)]
        assert counted == [31, 0, 0, 9, 1, 0], "on day 40 those of day 0 are over; those of day 30 are on their sheet"


@needs_c
def test_a_frame_may_fill_several_sheets_in_c():
    events = [
        Event(id=f"e{n}", node=node("default", VISITOR, "v1"), type=PAGE, at=START + n, received_at=START, visitor="v1",
              url="https://acme.com/")
        for n in range(170)
    ]  # fmt: skip
    frames = [events[:1], events[1:10], events[10:105], events[105:]]

    found = run(frames, "in C")

    assert found == run(frames, "short") == run(frames, "general")
    state = found[-1][0]
    assert [len(value) for key, value in state.items() if key.startswith("e\x00")] == [SHEET_BYTES + 4] * 5
    assert len(msgspec.msgpack.decode(state["x\x00default/v:v1"], type=Seen).entries) == (170 - 160) * 44


def test_a_known_visitors_next_page_view_takes_the_short_way():
    taken = []

    def watched(*args):
        taken.append(go_on(*args))
        return taken[-1]

    frames = [
        [Event(id=f"e{n}", node=node("default", VISITOR, "v1"), type=PAGE, at=START + n * MINUTE, received_at=START,
               visitor="v1", user="u1", url="https://acme.com/")]
        for n in range(3)
    ]  # fmt: skip
    run(frames, "short", everyday=watched)
    assert taken == [True, True, True]


def test_who_says_again_who_they_are_takes_the_short_way():
    taken = []

    def watched(*args):
        taken.append(go_on(*args))
        return taken[-1]

    frames = [
        [Event(id=f"e{n}", node=node("default", VISITOR, "v1"), type=kind, at=START + n * MINUTE, received_at=START,
               visitor="v1", user="u1", email="ann@corp.example", group=group)]
        for n, (kind, group) in enumerate([(IDENTIFY, ""), (IDENTIFY, ""), (GROUP, "A1"), (GROUP, "A1"), (TRACK, "")])
    ]  # fmt: skip
    run(frames, "short", everyday=watched)
    assert taken == [False, True, False, True, True]


def test_who_says_who_they_are_in_a_new_visit_moves_the_one_before_as_the_general_way_does():
    """Hypothesis found it: the visit that went on was shown to its old owner, and then moved."""

    def page(number, at, **more):
        return Event(id=f"e{number}", node=node("default", VISITOR, "v1"), type=PAGE, at=START + at, received_at=START,
                     visitor="v1", url="https://acme.com/", **more)  # fmt: skip

    named = {"user": "u1", "referrer": "https://www.google.com/"}
    for more in (named, {"company": "net.example", "referrer": "https://www.google.com/"}):
        frames = [[page(1, 0)], [page(2, 1), page(3, 2, **more)]]
        assert run(frames, "short") == run(frames, "general")


@needs_c
def test_an_address_is_known_of_the_same_tenants_user_only():
    """Two tenants whose names and users run together to one text. The edge lets no such line in: this is what C does of it."""

    def said(number, at, tenant, user):
        return Event(
            id=f"e{number}", node="a/v:v1", type=IDENTIFY, at=at, received_at=at + 50, visitor="v1", tenant=tenant, user=user,
            email="ann@corp.example",
        )  # fmt: skip

    frames = [[said(1, START, "a", "x/u:U7")], [said(2, START + 31 * MINUTE, "a/u:x", "U7")]]

    assert run(frames, "in C") == run(frames, "short")


@needs_c
def test_another_address_of_a_known_user_is_news():
    def said(number, email):
        at = START + number * MINUTE
        return Event(
            id=f"e{number}", node="default/v:v1", type=IDENTIFY, at=at, received_at=at + 50, visitor="v1", user="u1",
            email=email,
        )  # fmt: skip

    known, others = "ann@corp.example", ["bob@corp.example", "ann@corp.exampl", "ann@corp.examples"]
    frames = [[said(0, known)], [said(1, known)], *[[said(2 + number, other)] for number, other in enumerate(others)]]

    found = run(frames, "in C")
    assert found == run(frames, "short")
    record = msgspec.msgpack.decode(found[-1][0]["x\x00default/v:v1"], type=Seen)
    assert len(record.node.said) == 4, "the node told of each address"
