"""Events per second of the stitch stage's pure core: dedupe, sessions, channels, touches, identity, rows. One thread.

    python -m bench.stitch_core [--profile]

Frames of 500 events (page views, 4 % of them other kinds) of visitors who are known, a third of the events from visitors
already in the frame, half of the visitors identified (their touches go to 4,000 accounts). State is live objects in a
dict, as the store's cache has them; ``encode`` is what encoding the changed state objects adds, ``decode`` what decoding
the frames does. Times are CPU time; the calmest tenth of the frames tells the cost when others leave the machine alone.
"""

import argparse
import cProfile
import gc
import pstats
import random
import time

import msgspec

from schemas.codec import lines, state_encoder
from schemas.event import Event
from schemas.rules import Rules
from stream.core.step import Step
from stream.core.stitch import events_step

VISITORS = 20_000
FRAME = 500
FRAMES = 200
WARM_FRAMES = 120
START = 1_790_000_000_000


class LiveState:
    """Live objects in a dict; the names below ("i", node) are found through their node."""

    def __init__(self):
        self.objects = {}
        self.groups = {}
        self.changed = {}

    def get(self, name, _type, /):
        return self.objects.get(name)

    def put(self, name, value, /):
        if name not in self.objects:
            self.groups.setdefault(_group(name), {})[name] = None
        self.objects[name] = value
        self.changed[name] = value

    def delete(self, name, /):
        if self.objects.pop(name, None) is not None:
            del self.groups[_group(name)][name]
        self.changed.pop(name, None)

    def scan(self, prefix, _type, /, *, start="", reverse=False, limit=None):
        names = sorted((n for n in self.groups.get(_group(prefix), ()) if n.startswith(prefix)), reverse=reverse)
        if start:
            names = [n for n in names if (n <= start if reverse else n >= start)]
        return [(n, self.objects[n]) for n in names[:limit]]


def _group(name):
    return "\x00".join(name.split("\x00", 2)[:2])


def frames(count, seed, at):
    """Encoded frames whose visitors come back after minutes, sometimes hours."""
    rng = random.Random(seed)
    paths = [f"/p/{i}" for i in range(300)] + ["/pricing", "/docs/start", "/"]
    tags = [
        "",
        "",
        "",
        "?utm_source=google&utm_medium=cpc&utm_campaign=brand",
        "?utm_source=linkedin&utm_medium=social",
    ]
    made = []
    for f in range(count):
        frame = []
        recent = []
        for i in range(FRAME):
            at += rng.randint(1, 60)
            visitor = (
                rng.choice(recent) if recent and rng.random() < 0.33 else f"{rng.randrange(VISITORS):08x}-aaaa-4bbb"
            )
            recent = [*recent[-20:], visitor]
            frame.append(_event(rng, f"{seed}-{f:06x}-{i:04x}-4ccc-8ddd-eeeeeeeeeeee", visitor, at, paths, tags))
        made.append((at, lines(frame)))
    return made


def introductions():
    """Frames in which every second visitor tells who it is."""
    rng = random.Random(0)
    made = []
    for begin in range(0, VISITORS, 2 * FRAME):
        at = START - 86_400_000 + begin
        frame = [
            msgspec.structs.replace(
                _event(rng, f"hello-{n}", f"{n:08x}-aaaa-4bbb", at, ["/"], [""]),
                type="identify", user=f"u{n}", email=f"p{n}@company{n % 4000}.example",
            )
            for n in range(begin + 1, begin + 2 * FRAME, 2)
        ]  # fmt: skip
        made.append((at, lines(frame)))
    return made


def _event(rng, id_, visitor, at, paths, tags):  # noqa: PLR0917
    kind = "page" if rng.random() < 0.96 else rng.choice(["track", "identify"])
    number = int(visitor[:8], 16)
    who = {}
    if kind == "identify" and number % 2:
        who = {"user": f"u{number}", "email": f"p{number}@company{number % 4000}.example"}
    return Event(
        id=id_, node=f"default/v:{visitor}", type=kind, at=at, received_at=at + 120, source="website",
        protocol="segment", name="Pricing" if kind == "page" else "Clicked", visitor=visitor,
        url="https://www.acme.com" + rng.choice(paths) + (rng.choice(tags) if rng.random() < 0.1 else ""),
        referrer="https://www.acme.com/" if rng.random() < 0.8 else "https://www.google.com/",
        title="Pricing | Acme", original_at=at - 7, sent_at=at + 20, device="Desktop", browser="Chrome", os="Windows",
        country="DE", region="BE", city="Berlin", locale="en-US", library="analytics.js",
        properties=msgspec.Raw(b'{"path":"/pricing","search":"","title":"Pricing | Acme"}'), **who,
    )  # fmt: skip


def run(state, made, offset, rules):
    decoder = msgspec.json.Decoder(Event)
    spent = {"core": [], "decode": [], "encode": []}
    rows = size = touches = 0
    for at, value in made:
        begin = time.thread_time()
        events = decoder.decode_lines(value)
        decoded = time.thread_time()
        step = Step(state, rules, partition=0, partitions=1, offset=offset, at=at)
        events_step(step, events)
        stepped = time.thread_time()
        for changed in state.changed.values():
            state_encoder.encode(changed)
        state.changed.clear()
        spent["decode"].append(decoded - begin)
        spent["core"].append(stepped - decoded)
        spent["encode"].append(time.thread_time() - stepped)
        rows += sum(map(len, step.rows.values()))
        touches += sum(map(len, step.sends.values()))
        size += sum(len(row) for rows_ in step.rows.values() for row in rows_)
        offset += 1
    return spent, rows, touches, size


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    state, rules = LiveState(), Rules()
    run(state, introductions(), 0, rules)
    warm = frames(WARM_FRAMES, 1, START)
    run(state, warm, 0, rules)
    made = frames(FRAMES, 2, warm[-1][0])
    gc.collect()
    gc.freeze()
    profiler = cProfile.Profile() if arguments.profile else None
    if profiler:
        profiler.enable()
    spent, rows, touches, size = run(state, made, WARM_FRAMES, rules)
    if profiler:
        profiler.disable()
        pstats.Stats(profiler).sort_stats("tottime").print_stats(35)
    events = FRAMES * FRAME
    for name, seconds in spent.items():
        calm = sorted(seconds)[len(seconds) // 10] / FRAME
        print(f"{name:8} mean {sum(seconds) / events * 1e6:6.2f}, calmest tenth {calm * 1e6:6.2f} us/event")
    print(f"core {events / sum(spent['core']):,.0f} events/s")
    print(
        f"{rows / events:.2f} rows, {touches / events:.2f} touch messages, {size / events:.0f} bytes of rows an event"
    )


if __name__ == "__main__":
    main()
