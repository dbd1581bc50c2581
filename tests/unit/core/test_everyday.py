"""The short way in C is in use only where it knows the structs as they are."""

import os

import pytest

import build_native
from schemas.codec import state_encoder
from schemas.ids import key_hash
from stream.core import account, compiled, everyday, everyday_touches, stitch
from stream.core.frames import by_node
from stream.core.rulebook import rulebook_of
from stream.core.seen import Seen
from stream.core.sources import DIRECT_SOURCE
from stream.core.state import Records
from tests.support.everyday import blocks, needs_c
from tests.support.everyday_fuzz import ANN, NODE, RULES, SCENES, START, Scene, in_c, lines_of

LIMITS = {"gap_ms": 1_800_000, "max_ms": 86_400_000, "engaged_ms": 10_000, "engaged_views": 2, "trusting": True}
SHAPES = (*compiled._RECORDS, *compiled._ROWS, *compiled._READ)


def layout():
    if compiled.native is None and os.environ.get("CI") != "true":
        pytest.skip(f"{compiled.WHY_NOT}; python build_native.py builds it")
    return dict(compiled.native.LAYOUT)


def test_in_ci_it_is_built():
    if os.environ.get("CI") != "true":
        pytest.skip("CI is not set: this checkout may be without a compiler")
    assert compiled.WHY_NOT == ""


def test_the_c_code_has_the_fields_of_the_structs_that_it_reads_and_writes():
    """If this fails: change stream/core/native/layout.h, think about what an everyday hit does to the field, build again."""
    assert compiled.difference(layout()) == ""


def test_the_module_is_made_of_the_sources_that_are_there():
    layout()

    assert build_native.sources() == compiled.native.SOURCES, "python build_native.py builds it anew"


@pytest.mark.parametrize("shape", SHAPES)
def test_a_field_that_the_c_code_does_not_know_is_a_reason_not_to_take_that_way(shape):
    known = layout()
    name = shape.__name__
    known[name] = known[name].rsplit(" ", 2)[0]

    said = compiled.difference(known)

    assert said.startswith(f"{name} is not what stream/core/native says")


def test_a_build_with_other_arguments_is_a_reason():
    known = layout()

    assert "interface" in compiled.difference(known | {"interface": "1"})


def test_two_fields_that_changed_places_are_a_reason():
    known = layout()
    known["Session"] = known["Session"].replace("points key", "key points")

    assert compiled.difference(known) != ""


@pytest.mark.parametrize("room", ["16385 2048 1408", "16384 2056 1408", "16384 2048 704"])
def test_other_room_for_hits_ids_or_a_sheet_is_a_reason(room):
    known = layout()

    assert known["room"] == "16384 2048 1408"
    assert "16384 2048 1408" in compiled.difference(known | {"room": room})


def test_the_stitch_stage_asks_it_first_if_there_is_no_reason():
    used = stitch.events_step.__kwdefaults__["first"]

    assert used is (everyday.left_to_python if compiled.WHY_NOT else everyday.take_in_c)


def test_the_account_stage_does_so_too():
    used = account.frame_step.__kwdefaults__["first"]

    assert used is (everyday_touches.left_to_python if compiled.WHY_NOT else everyday_touches.take_in_c)


def way_of(**answers):
    """C's part under the rules, with other answers."""
    book = rulebook_of(RULES)
    usual = {
        "page_of": lambda question: everyday.page_of(book, question),
        "company_of": everyday.company_of, "origin_of": everyday.said_of_origin, "owner_of": everyday.owner_of,
        "user_of": lambda question: everyday.user_of(book, question),
        "known_since": lambda question: everyday.known_from(book, question),
    }  # fmt: skip
    return compiled.native.Everyday(
        **LIMITS, direct=state_encoder.encode(DIRECT_SOURCE), blank=state_encoder.encode(Seen()), **usual | answers
    )


def records(get=lambda _name: None, put=lambda *_: None):
    return Records(get, put, {}, {}, {})


def go_on(way, packed, lines):
    """What it makes of lines after the record ``packed``: rows, sessions' rows, messages, what is left."""
    taken = way.frame(b"\n".join(lines), records(lambda _name: packed), START, b"\0" * 8, 9, b",", ",")
    rows, _, shown, _, messages, _, _, _, left = taken.go_on(0, 0)
    return rows, shown, messages, left


@needs_c
@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize(
    "change", [(), (b'"type"', b'"tipe"'), (b"/0?a", b"/0?\\u00"), (b'"gpc":true', b'"email":"a@b.c"')]
)
def test_nothing_is_left_in_memory(scene, change):
    """Whether the lines are taken, or refused early or late."""
    lines = [line.replace(*change) if change else line for line in lines_of(scene, 4, 3)]
    for _ in range(20):
        in_c(scene.state, lines)
    before = blocks()
    for _ in range(500):
        in_c(scene.state, lines)

    assert blocks() - before < 100


@needs_c
def test_more_pages_than_it_remembers_are_asked_for_again_and_leave_nothing():
    scene, asked, book = SCENES[0], [], rulebook_of(RULES)

    def page_of(question):
        asked.append(question)
        return everyday.page_of(book, question)

    way = way_of(page_of=page_of)
    packed, (line,) = scene.state.get_packed("x\x00" + NODE), lines_of(scene, 4, 1)

    def rows_of(number):
        rows, shown, _, left = go_on(way, packed, [line.replace(b"acme.com/", b"acme.com/%d/" % number)])
        return left is None and rows + shown

    first = [rows_of(number) for number in range(40_000)]
    before = blocks()
    for number in range(40_000, 80_000):
        rows_of(number)

    assert blocks() - before < 100, "what was forgotten is free again"
    assert len(asked) == 80_000
    assert rows_of(79_999)
    assert len(asked) == 80_000, "it is remembered"
    assert [rows_of(number) for number in range(0, 40_000, 1000)] == first[::1000]


@needs_c
@pytest.mark.parametrize("group", ["A", "A1", "A12", "A123", "A1234", "ä", "A12345678901"])
def test_an_account_is_told_in_its_partition(group):
    scene = Scene(said={0: ANN | {"group": group}})
    packed = scene.state.get_packed("x\x00" + NODE)

    _, _, messages, _ = go_on(way_of(), packed, lines_of(scene, 4, 2))

    assert [(hashed, f'"to":"default/a:{group}"'.encode() in told) for hashed, told in messages] == [
        (key_hash(f"default/a:{group}"), True)
    ]


@needs_c
@pytest.mark.parametrize(
    ("fails", "scene"),
    [
        ("page_of", 0),
        ("company_of", 0),
        ("origin_of", 0),
        ("owner_of", 5),
        ("user_of", 5),
        ("known_since", 9),
    ],
)
def test_a_failure_in_what_it_asks_is_told_and_leaves_nothing(fails, scene):
    def fail(_question):
        raise KeyError(fails)

    def refuse(_question):
        return None

    scene = SCENES[scene]
    packed, lines = scene.state.get_packed("x\x00" + NODE), lines_of(scene, 4, 2)
    assert go_on(way_of(), packed, lines)[-1] is None, "it is asked"
    before = blocks()
    for _ in range(300):
        for answer in (fail, refuse, lambda _question: "no tuple", lambda _question: (), lambda _question: (1,) * 9):
            try:
                left = go_on(way_of(**{fails: answer}), packed, lines)[-1]
            except (KeyError, TypeError):
                continue
            assert left == (NODE, list(enumerate(lines)))

    assert blocks() - before < 200


@needs_c
def test_it_is_not_entered_twice():
    packed, raised = SCENES[0].state.get_packed("x\x00" + NODE), []

    def again(_name):
        with pytest.raises(RuntimeError, match="called by what it called"):
            taken.go_on(0, 0)
        raised.append(1)
        return packed

    taken = way_of().frame(lines_of(SCENES[0], 4, 1)[0], records(again), START, b"\0" * 8, 9, b",", ",")
    assert taken.go_on(0, 0)[-1] is None
    assert raised


@needs_c
@pytest.mark.parametrize("fails", ["get", "put"])
def test_a_failure_of_the_state_is_told_and_leaves_nothing(fails):
    def fail(*_args):
        raise KeyError(fails)

    way, frame = way_of(), lines_of(SCENES[0], 4, 1)[0]
    packed = SCENES[0].state.get_packed("x\x00" + NODE)
    get, put = fail if fails == "get" else lambda _: packed, fail if fails == "put" else lambda *_: None
    before = blocks()
    for _ in range(300):
        try:
            way.frame(frame, records(get, put), START, b"\0" * 8, 9, b",", ",").go_on(0, 0)
        except KeyError:
            continue
        raise AssertionError("it is told")

    assert blocks() - before < 100


@needs_c
def test_what_is_no_argument_of_its_is_an_error():
    way = way_of()
    whole = [b'{"node":"t/v:n"}', records(lambda _: b"\x90"), 1, b"\0" * 8, 1, b"", ""]
    assert way.frame(*whole).go_on(0, 0)[-1] == ("t/v:n", [(0, whole[0])])
    wrongs = [(0, "x"), (2, "1"), (3, b"short"), (4, None), (5, ""), (6, b"")]
    wrongs += [(1, whole[1][:4]), *((1, whole[1]._replace(**{name: []})) for name in ("at_hand", "changed", "scans"))]
    for place, wrong in wrongs:
        with pytest.raises((TypeError, ValueError)):
            way.frame(*whole[:place], wrong, *whole[place + 1 :])
    whole[1] = records(lambda _: "no record", lambda *_: "no record")
    with pytest.raises(TypeError):
        way.frame(*whole).go_on(0, 0)
    with pytest.raises(TypeError):
        way.frame(*whole).go_on(0)
    with pytest.raises(TypeError):
        way.frame(*whole[1:])
    for number in (2**70, -1):
        assert way.frame(*whole[:2], number, *whole[3:]) is None, "no time of the log: Python says what becomes of it"


@needs_c
def test_lines_are_taken_by_node_in_the_order_of_their_first():
    """All are left: they are no events."""
    lines = [
        b'{"node":"t/v:%b","event_id":"%d"}' % (name, n) for n, name in enumerate([b"b", b"a", b"b", "ü".encode()])
    ]
    frame = b"\n".join((*lines[:2], b"", *lines[2:], b""))
    taken = way_of().frame(frame, records(), START, b"\0" * 8, 9, b",", ",")

    left = [taken.go_on(0, 0)[-1] for _ in range(4)]

    assert left == [
        ("t/v:b", [(0, lines[0]), (3, lines[2])]), ("t/v:a", [(1, lines[1])]), ("t/v:ü", [(4, lines[3])]), None,
    ]  # fmt: skip
    assert dict(left[:3]) == by_node(frame)


@needs_c
def test_a_frame_of_thousands_of_nodes_is_put_together():
    lines = [b'{"node":"t/v:%d","event_id":"%d"}' % (n * n % 4093, n) for n in range(10_000)]
    frame = b"\n".join(lines)
    taken = way_of().frame(frame, records(), START, b"\0" * 8, 9, b",", ",")

    assert list(iter(lambda: taken.go_on(0, 0)[-1], None)) == list(by_node(frame).items())


@needs_c
@pytest.mark.parametrize(
    "odd",
    [
        b"{}", b'{"node":"t/v:a"', b'{"node":"t/v:a', b'{"node":"t/v:\\u0061"}', b' {"node":"t/v:a"}', b'{"node": "a"}',
        b"\x00", b'{"node":"t/v:\xff"}', b'{"node":"t/v:\xed\xa0\x80"}',
    ],
)  # fmt: skip
def test_frames_that_are_not_as_our_encoder_writes_them_are_left_to_python(odd):
    for frame in (odd, b'{"node":"t/v:a"}\n' + odd, odd + b'\n{"node":"t/v:a"}'):
        assert way_of().frame(frame, records(), START, b"\0" * 8, 9, b",", ",") is None


@needs_c
def test_a_frame_leaves_nothing_in_memory():
    lines = [b'{"node":"t/v:%d"}' % (n % 7) for n in range(50)]
    way = way_of()
    for frame in (lines, [*lines, b"odd"]):
        before = blocks()
        for _ in range(300):
            taken = way.frame(b"\n".join(frame), records(), START, b"\0" * 8, 9, b",", ",")
            if taken is not None:
                taken.go_on(0, 0)
        assert blocks() - before < 50
