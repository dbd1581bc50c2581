"""Broken lines and broken records for the short way in C: it refuses them, or does what Python does with them.

    python -m tests.support.everyday_fuzz [--rounds N] [--seed N] [--module PATH]

``--module`` is another build of ``stream.core._everyday``, with the sanitizers of the compiler in it, say
(``tests/unit/core/test_everyday_fuzz.py``).
"""

import argparse
import importlib.util
import random
import sys

ROUNDS = 2_000
NODE = "default/v:v1"
START = 1_800_000_000_000
PIECES = (
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"-", b"0", b"1.5", b"1e9", b"null", b"true", b" ", b"\t", b"\n", b"\x00",
    b"\x1f", b"\x7f", b"\x80", b"\xc3\xa9", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xe2\x80", b"\\u00e9",
    b"\\ud83d\\ude00", b"\\ud83d", b"\\u12", b"\\x", b"9" * 18, b"9" * 19, b"-" + b"9" * 30, b"[" * 59, b"[" * 70,
    b',"user_id":"u1"', b',"email":"ann@corp.example"', b',"bot":"tool"', b',"url":""', b',"more":1', b',"type":"page"',
    b'"engaged_ms":-7', b'"tenant":"t"', b'"platform":"app"', b"\xc0", b"\xc1", b"\xc4\xff", b"\xc6\xff\xff\xff\xff", b"\xca",
    b"\xcf" + b"\xff" * 8, b"\xd3\x80" + b"\x00" * 7, b"\xd9\x05", b"\xdb\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdf\xff",
    b"\x90", b"\x9f", b"\xa0", b"\xc2", b"\xc3", b"\xff",
)  # fmt: skip
"""What is put in: tokens of JSON and MessagePack, whole and cut short, at their edges and beyond."""
OPERATIONS = ("put", "replace", "drop", "flip", "double", "cut")


def broken(text, changes):
    """``text`` after changes: each is an operation, a place and a size (both of 65,536), and a piece. Or a function."""
    if callable(changes):
        return changes(text)
    for operation, place, size, piece in changes:
        at = len(text) * place >> 16
        end = min(len(text), at + 1 + (24 * size >> 16))
        if operation == "put":
            text = text[:at] + piece + text[at:]
        elif operation == "replace":
            text = text[:at] + piece + text[at + len(piece) :]
        elif operation == "drop":
            text = text[:at] + text[end:]
        elif operation == "double":
            text = text[:end] + text[at:]
        elif operation == "cut":
            text = text[:at]
        elif text:
            text = text[:at] + bytes([text[at] ^ 1 << (size & 7)]) + text[at + 1 :]
    return text


class Scene:
    """A visitor after some events, four mostly, and what comes next.

    ``always``: what all its events say. ``said``: what single ones say, by number. ``pauses``: ms before one, by number.
    """

    def __init__(self, *, always=None, said=None, pauses=None, many=4):
        self.always, self.said, self.pauses, self.many = always or {}, said or {}, pauses or {}, many
        self.state = MemoryState()
        for offset in range(many):
            step = step_of(self.state, RULES, offset=offset, at=START + 10**9)
            events_step(step, lines_of(self, offset, 1)[0], first=everyday.left_to_python)


def events(scene, begin, many):
    """A visitor's events, of the kinds that the way in C takes."""
    from schemas.event import Event

    for number in range(begin, begin + many):
        usual = (
            {"type": "track", "name": "Clicked"},
            {"type": "page", "name": "Home"},
            {"type": "ping", "engaged_ms": 15_000},
        )
        at = START + number * 20_000 + sum(ms for before, ms in scene.pauses.items() if before <= number)
        common = {
            "id": f"e{number}-ü", "node": NODE, "at": at, "received_at": at + 50, "original_at": 7, "visitor": "v1",
            "source": "website", "url": f"https://acme.com/{number % 2}?a=ä", "title": '"Hello" \\ wörld',
            "consent": {"ads": True}, "gpc": True,
            "properties": msgspec.Raw(b'{"a":[1,-0.5e3,{"b":null}],"c":"\\u00e9\\ud83d\\ude00\\n"}'),
        }  # fmt: skip
        yield Event(**common | usual[number % 3] | scene.always | scene.said.get(number, {}))


def lines_of(scene, begin, many):
    return [json_encoder.encode(event) for event in events(scene, begin, many)]


def in_c(state, lines):
    """What C makes of the lines after ``state``, which stays as it is; None if it leaves any. What it leaves did nothing."""
    step = step_of(copy_of(state), RULES, offset=99, at=START + 10**9)
    step.table("events")
    left = list(everyday.take_in_c(step, rulebook_of(RULES), b"\n".join(lines)))
    if len(left) == len(by_node(b"\n".join(lines))):
        assert [found[:2] for found in left] == list(by_node(b"\n".join(lines)).items())
        assert not step.sends
        assert step.rows == {"events": Lines()}
        assert step.state.encoded == state.encoded
    return None if left else effects_of(step)


def in_turn(state, lines):
    """What C makes of them, and Python of what is left."""
    step = step_of(copy_of(state), RULES, offset=99, at=START + 10**9)
    events_step(step, b"\n".join(lines), first=everyday.take_in_c)
    return effects_of(step)


def in_python(state, lines, *, short=False):
    """The same by the general way, or the short one where that takes them."""
    step = step_of(copy_of(state), RULES, offset=99, at=START + 10**9)
    way = {} if short else {"everyday": lambda *_: False}
    events_step(step, b"\n".join(lines), first=everyday.left_to_python, **way)
    return effects_of(step)


def effects_of(step):
    """What is stored is compared decoded: what was not in its shortest form is copied by one way, and encoded by the other."""
    name = "x\x00" + NODE
    others = {other: msgspec.msgpack.decode(packed) for other, packed in step.state.encoded.items() if other != name}
    return step.state.get(name, Seen), others, step.rows, step.sends, step.refused


def copy_of(state):
    other = MemoryState()
    other.encoded, other.order = dict(state.encoded), list(state.order)
    return other


def byte_by_byte(scene, bytes_in_line=b'"\\}0', bytes_in_record=b"\xc0\xff\x00"):
    """Every byte of a line and of a record, changed in some ways. Returns: how many C took."""
    taken = 0
    line = lines_of(scene, scene.many, 1)[0]
    for place, old in enumerate(line):
        for new in {old ^ 1, old ^ 32, old ^ 128, *bytes_in_line} - {old}:
            taken += check_line(scene, lambda text, at=place, new=new: text[:at] + bytes([new]) + text[at + 1 :])
    for place, old in enumerate(scene.state.encoded["x\x00" + NODE]):
        for new in {old ^ 1, old ^ 128, *bytes_in_record} - {old}:
            taken += check_record(scene, lambda text, at=place, new=new: text[:at] + bytes([new]) + text[at + 1 :])
    return taken


def check_line(scene, changes, whole=0):
    """A broken line (and ``whole`` others before it) has the same effects as without C. Returns: whether C took it."""
    *others, last = lines_of(scene, scene.many, whole + 1)
    lines = [*others, broken(last, changes)]
    found = in_c(scene.state, lines)
    assert found is None or found == in_python(scene.state, lines), lines
    assert in_turn(scene.state, lines) == in_python(scene.state, lines, short=True), lines
    return found is not None


def check_record(scene, changes):
    """A broken record: the same, as far as Python can read it at all. Returns: whether C took it.

    The short way is the judge: like C it takes the record's word for whose the session is.
    """
    name = "x\x00" + NODE
    other = copy_of(scene.state)
    other.encoded[name] = broken(other.encoded[name], changes)
    lines = lines_of(scene, scene.many, 2)
    try:
        other.get(name, Seen)
        state_encoder.encode(other.get(name, Seen))
    except (msgspec.MsgspecError, UnicodeError, OverflowError):
        step = step_of(copy_of(other), RULES, offset=99, at=START + 10**9)
        return not list(everyday.take_in_c(step, rulebook_of(RULES), b"\n".join(lines)))
    found = in_c(other, lines)
    assert found is None or found == in_python(other, lines, short=True), other.encoded[name]
    return found is not None


def random_changes(rng):
    """What ``broken`` takes."""
    return [
        (rng.choice(OPERATIONS), rng.randrange(1 << 16), rng.randrange(1 << 16), rng.choice(PIECES))
        for _ in range(rng.choice((1, 1, 1, 2, 3)))
    ]


def fuzz(rounds, seed):
    """Break lines and records at random. Returns: how many of each there were, and how many of them C took."""
    rng = random.Random(seed)
    taken = {"lines": 0, "records": 0}
    for scene in SCENES:
        assert check_line(scene, []), "a whole line is taken"
        assert check_record(scene, []), "a whole record is, too"
    for _ in range(rounds):
        scene = rng.choice(SCENES)
        changes = random_changes(rng)
        taken["lines"] += check_line(scene, changes, rng.randrange(3))
        taken["records"] += check_record(scene, changes)
    return taken


def main(about, fuzz, byte_by_byte, scenes):
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    assert not compiled.WHY_NOT, compiled.WHY_NOT
    print(f"{arguments.rounds} of each; taken: {fuzz(arguments.rounds, arguments.seed)}; {compiled.native.__file__}")
    print(f"single bytes: {sum(map(byte_by_byte, scenes))} taken")


def use(path):
    """Let another build be ``stream.core._everyday``. Comes before anything is imported from there."""
    name = "stream.core._everyday"
    assert name not in sys.modules
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


if "--module" in sys.argv:
    place = sys.argv.index("--module")
    use(sys.argv[place + 1])
    del sys.argv[place : place + 2]

import msgspec  # noqa: E402 - after the build is chosen

from schemas.codec import json_encoder, state_encoder  # noqa: E402
from schemas.rules import Rules  # noqa: E402
from stream.core import compiled, everyday  # noqa: E402
from stream.core.frames import by_node  # noqa: E402
from stream.core.lines import Lines  # noqa: E402
from stream.core.rulebook import rulebook_of  # noqa: E402
from stream.core.seen import Seen  # noqa: E402
from stream.core.state import MemoryState  # noqa: E402
from stream.core.stitch import events_step  # noqa: E402
from tests.support.stitch import step_of  # noqa: E402

RULES = Rules(key_events=("Signed Up",))
GAP = 31 * 60_000
FOUND = {"referrer": "https://www.google.com/"}
PASSED_ON = {"referrer": "https://l.instagram.com/"}
ANN = {"type": "identify", "user": "u1", "email": "ann@corp.example"}
SCENES = (
    Scene(always={"user": "u1", "company": "net.example"}),
    Scene(said={2: {"type": "track", "name": "Form Submitted"}}),
    Scene(pauses={4: GAP}),
    Scene(said={4: FOUND}),
    Scene(pauses={4: 25 * 3_600_000}, said={4: FOUND}),
    Scene(always={"user": "u1"}, pauses={4: GAP}),
    Scene(said={0: ANN}, pauses={2: GAP, 4: GAP}),
    Scene(said={0: ANN, 4: ANN}, pauses={3: GAP}),
    Scene(said={0: ANN | {"group": "A1"}, 4: FOUND, 5: ANN, 6: FOUND}, pauses={6: GAP}),
    Scene(said={0: ANN | {"group": "A1"}, 4: ANN | {"group": "A1"}}),
    Scene(said={number: {"platform": "server"} for number in range(4)}),
    Scene(always={"url": "https://acme.com/?q=" + "a" * 1100}, pauses={4: GAP}),
    Scene(
        always={"url": "https://acme.com/?fbclid=1"}, said={2: PASSED_ON, 5: PASSED_ON | {"url": "https://acme.com/"}}
    ),
    Scene(many=63, pauses={61: GAP}),
)
"""One who goes on, known, and unknown with a form; one who comes back, by a page that opens a visit, and both; one
whose user comes back, and one who comes back and is known without saying so; one who says who it is in the middle
of a visit, and in the second of three in one frame; one who names the company again; one whose first visit this is;
one whose addresses are too long to be remembered; one who opens a network's link again and again; one whose next id fills
the second sheet."""

if __name__ == "__main__":
    main(__doc__, fuzz, byte_by_byte, SCENES)
