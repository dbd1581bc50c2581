"""The short way in C up to the bounds of what it holds, and beyond: the effects are those of the general way."""

import pytest

from schemas.codec import lines
from schemas.event import GROUP, PAGE, PING, Event
from schemas.rules import Rules
from stream.core.state import MemoryState
from stream.core.stitch import events_step
from tests.support.everyday import WAYS, needs_c
from tests.support.stitch import step_of

START = 1_800_000_000_000
RULES = Rules()
pytestmark = needs_c


def run(frames, way):
    """Effects after the last frame, and of each frame whether the ``way`` took all of it without the general one."""
    state, taken, rows = MemoryState(), [], []

    def noted(*args):
        taken[-1] = WAYS[way]["everyday"](*args)
        return taken[-1]

    def first(*args):
        for node, own, general in WAYS[way]["first"](*args):
            taken[-1] = not general  # then nobody else is asked
            yield node, own, general

    for offset, frame in enumerate(frames):
        step = step_of(state, RULES, offset=offset, at=START + 10**9)
        taken.append(True)
        events_step(step, lines(frame), **WAYS[way] | {"first": first, "everyday": noted})
        rows.append((step.rows, step.sends, step.refused))
    return (state.encoded, rows), taken


def hit(number, *, at=None, name="v1", id_="", **more):
    at = START + number * 1000 if at is None else at
    return Event(
        id=id_ or f"e{number}", node=f"default/v:{name}", type=more.pop("type", PAGE), at=at, received_at=at, visitor=name,
        **{"url": "https://acme.com/"} | more,
    )  # fmt: skip


def same(frames):
    """How many frames after the first one C takes, with the same effects."""
    found, taken = run(frames, "in C")
    general, _ = run(frames, "general")
    assert found == general
    return sum(taken[1:])


def test_a_visit_longer_than_its_record_holds():
    """256 ids, 16 kB of hits: then ids spill and hits go to a chunk, by the general way; after it C goes on where it may."""
    frames = [[hit(number, url=f"https://acme.com/{number}/{'x' * 30}")] for number in range(300)]

    assert 100 < same(frames) < 299


def test_a_visit_of_many_pings():
    assert same([[hit(0)], *([hit(n, type=PING, url="")] for n in range(1, 300))]) == 255, "as many as ids are kept"


@pytest.mark.parametrize(("many", "taken"), [(255, 1), (256, 0), (400, 0)])
def test_a_frame_with_as_many_ids_as_the_record_holds(many, taken):
    pings = [hit(number, type=PING, url="") for number in range(1, many + 1)]

    assert same([[hit(0)], pings]) == taken


@pytest.mark.parametrize(("size", "taken"), [(700, 1), (900, 0), (3000, 0)])
def test_a_frame_with_as_many_hits_as_the_record_holds(size, taken):
    assert same([[hit(0)], [hit(n, url="https://acme.com/" + "x" * size) for n in range(1, 21)]]) == taken


@pytest.mark.parametrize(("size", "taken"), [(31, 1), (32, 1), (127, 1), (128, 1), (129, 0), (300, 0)])
def test_long_ids(size, taken):
    assert same([[hit(0)], [hit(1, id_="i" * size)]]) == taken


@pytest.mark.parametrize(("size", "taken"), [(255, 1), (256, 1), (4000, 1), (4100, 0), (60_000, 0)])
def test_long_addresses(size, taken):
    assert same([[hit(0)], [hit(1, url="https://a.com/" + "x" * (size - 14))]]) == taken


@pytest.mark.parametrize(("size", "taken"), [(30, 1), (60, 1), (110, 0), (245, 0), (300, 0)])
def test_long_visitors_who_come_back(size, taken):
    """The session's id is made of at most 128 bytes here."""
    name = "ü" * (size // 2)

    assert same([[hit(0, name=name)], [hit(1, name=name)], [hit(2, name=name, at=START + 3_600_000)]]) == 1 + taken


def test_the_same_id_twice():
    assert same([[hit(0)], [hit(1), hit(2, id_="e1")], [hit(3, id_="e0")], [hit(4)]]) == 1


def test_a_visit_begins_with_any_line():
    later, found = START + 3_600_000, "https://www.google.com/"

    assert same([[hit(0)], [hit(1, at=later), hit(2, at=later + 1)]]) == 1
    assert same([[hit(0)], [hit(1), hit(2, at=later), hit(3, at=later + 1, referrer=found), hit(4, at=2 * later)]]) == 1
    assert same([[hit(0)], [hit(1, at=START + 5, referrer=found)], [hit(2, at=START)]]) == 1


def test_a_ping_begins_none_whatever_its_page_says():
    later, found = START + 3_600_000, "https://www.google.com/"

    assert same([[hit(0)], [hit(1, at=later, type=PING)]]) == 0
    assert same([[hit(0)], [hit(1, type=PING, referrer=found), hit(2)]]) == 1
    assert same([[hit(0, type=PING)], [hit(1)]]) == 0, "what comes before the first visit is Python's"


def test_the_first_visit_and_those_that_are_no_visitors():
    first, other = hit(0), hit(1)
    other.node = "default/e:ann@corp.example"
    frames = [[first], [other], [hit(2, name="v2")]]
    found, taken = run(frames, "in C")

    assert taken == [True, False, True]
    assert found == run(frames, "general")[0]


def test_who_is_named_in_the_middle_of_a_visit_has_its_row_at_the_same_place_without_c():
    """Python's short way takes them, too: the general way would show them after everybody else."""
    later = START + 3_600_000
    back = [[hit(0, user="u1")], [hit(1, at=later)]]
    for named in (
        [hit(2, at=later + 1, user="u1"), hit(3, name="v2")],
        [hit(2, at=later + 1), hit(3, at=2 * later, user="u1"), hit(4, name="v2")],
    ):
        assert run([*back, named], "all")[0] == run([*back, named], "short")[0]
        assert same([*back, named[:-1]]) == 2


def test_a_visit_of_somebody_whose_account_depends_on_the_time_is_left_to_python():
    one, other = (hit(n, user="u1", type=GROUP, group=f"A{n}") for n in range(2))
    back = hit(2, at=START + 3_600_000)

    assert same([[one], [back]]) == 1
    assert same([[one], [other], [back]]) == 0


@pytest.mark.parametrize(("after", "taken"), [(-1, 0), (0, 1), (1, 2), (1_800_000, 2), (1_800_001, 2)])
def test_a_visit_at_the_edges_of_its_time(after, taken):
    """Of the second and third hit; what is not after all others is Python's."""
    assert same([[hit(0)], [hit(1, at=START + after)], [hit(2, at=START + after + 1)]]) == taken


def test_a_visit_that_lasts_longer_than_one_may():
    day = RULES.session_max_s * 1000
    pings = [[hit(n, at=START + n * 1_700_000, type=PING)] for n in range(1, day // 1_700_000 + 1)]

    for at in (day, day + 1):
        assert same([[hit(0)], *pings, [hit(10_000, at=START + at)]]) == len(pings) + 1


@pytest.mark.parametrize(
    ("engaged_ms", "taken"),
    [(2**40, 3), (7 * 10**17, 3), (10**18 - 1, 2), (10**18, 0), (-(7 * 10**17), 3), (-(2**61), 0)],
)
def test_large_numbers(engaged_ms, taken):
    """Of three hits: 18 digits are read, sums are below 2**61."""
    assert same([[hit(0)], *([hit(n, engaged_ms=engaged_ms)] for n in range(1, 4))]) == taken
