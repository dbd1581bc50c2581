"""CPU per event of a worker, step by step, on traffic like a real site's: the stages as they run, without Faust.

    python -m bench.stage [--profile] [--frames N] [--without-c]

700 people browse at any moment, out of 60,000 visitors that the warm state knows and some new ones: sessions of 5 to 20
page views about 40 s apart, a third of them from campaigns; three in ten visitors are identified and belong to one of
4,000 accounts; pings, forms, product events, replies to emails and CRM contacts and deals among them. Frames of 1,000
events hit about 580 visitors. Each frame goes through ``compute`` on the worker's own store, its outputs for accounts
through the account stage, everything that is produced through the producer's zstd, as in a worker on one partition.

The floor does nothing with the events: unpack the same record, decode the frame, encode one row of each. Times are CPU
time of the process; ``calm`` is the calmest tenth of the frames, for machines that do other things too. ``--without-c``
measures the stitch stage as it is without a compiler.
"""

import argparse
import contextlib
import gc
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

import msgspec
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from schemas import topics
from schemas.codec import lines
from schemas.event import Event
from stream.core import compiled
from stream.stages.compute import Record, compute
from stream.stages.definitions import ACCOUNT, IN_PYTHON, STITCH
from stream.stages.partition import SAVE_CHANGES
from stream.stages.store import PartitionStore

FRAME = 1000
VISITORS = 60_000
DEALS = 8000
"""Those that the warm state knows."""
NEW_DEALS = 800
ACTIVE = 700
PAUSE_MS = 57
"""Between two events of the site: each of the active people does something every 40 s."""
START = 1_790_000_000_000
ZSTD = DefaultRecordBatch.CODEC_ZSTD
CAMPAIGNS = [
    "?utm_source=google&utm_medium=cpc&utm_campaign=brand&gclid=Cj0KCQ{}",
    "?utm_source=linkedin&utm_medium=paid_social&utm_campaign=abm-q{}",
    "?utm_source=newsletter&utm_medium=email&utm_campaign=week-{}",
]
PATHS = [f"/blog/post-{n}" for n in range(300)] + ["/", "/pricing", "/docs/start", "/demo", "/customers"] * 30
PROPERTIES = msgspec.Raw(
    b'{"path":"/pricing","search":"","title":"Pricing | Acme","url":"https://www.acme.com/pricing"}'
)


class Visit:
    """One person's session on the site."""

    def __init__(self, rng, visitor):
        self.rng = rng
        self.number = visitor
        self.left = rng.randint(5, 20)
        self.fresh = True
        self.visitor = f"{visitor:08x}-5e1f-4bbb-9d1c-{visitor * 7919 % (1 << 48):012x}"
        self.who = {}
        if visitor % 10 < 3:
            self.who = {"user": f"user-{visitor}"}
            self.email = f"person{visitor}@company{visitor % 4000}.example"

    def next(self, id_, at):
        rng = self.rng
        self.left -= 1
        kind, more, referrer = "page", {}, "https://www.acme.com/"
        url = "https://www.acme.com" + rng.choice(PATHS)
        dice = rng.random()
        if self.fresh:
            self.fresh = False
            if dice < 0.35:
                url += rng.choice(CAMPAIGNS).format(rng.randrange(30))
                referrer = "https://www.google.com/" if dice < 0.2 else ""
            else:
                referrer = "https://www.google.com/" if dice < 0.7 else ""
        elif self.who and self.left == 3:
            kind, more = "identify", {"email": self.email, "traits": msgspec.Raw(b'{"plan":"team","seats":12}')}
        elif dice < 0.06:
            kind, more = "ping", {"engaged_ms": 15_000}
        elif dice < 0.09:
            kind, more = "track", {"name": "Clicked", "properties": PROPERTIES}
        elif dice < 0.1:
            kind, more = "track", {"name": "Form Submitted", "properties": PROPERTIES}
        if kind == "page":
            more = {"name": "Pricing", "title": "Pricing | Acme", "properties": PROPERTIES}
        return Event(
            id=id_, node=f"default/v:{self.visitor}", type=kind, at=at, received_at=at + 120, source="website",
            protocol="segment", visitor=self.visitor, url=url, referrer=referrer, original_at=at - 7, sent_at=at + 20,
            device="desktop", browser="Chrome", os="Windows", country="DE", region="BE", city="Berlin",
            locale="en-US", library="analytics.js 2.1", **self.who, **more,
        )  # fmt: skip


class Site:
    """A source of frames, the same for the same seed."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.seed = seed
        self.at = START
        self.count = 0
        self.active = []

    def frame(self, size=FRAME):
        """One frame: its append time, its events."""
        events = []
        rng = self.rng
        while len(self.active) < ACTIVE:
            self.active.append(Visit(rng, rng.randrange(VISITORS + 5000)))
        for _ in range(size):
            self.at += PAUSE_MS
            self.count += 1
            id_ = f"{self.seed:04x}{self.count:08x}-4ccc-8ddd-{self.count * 7919:012x}"
            events.append(self._other(id_) if rng.random() < 0.015 else self._hit(id_))
        return self.at + 300, events

    def _hit(self, id_):
        place = self.rng.randrange(ACTIVE)
        visit = self.active[place]
        if not visit.left:
            visit = self.active[place] = Visit(self.rng, self.rng.randrange(VISITORS + 5000))
        return visit.next(id_, self.at)

    def _other(self, id_):
        rng, at = self.rng, self.at
        person = rng.randrange(VISITORS)
        company = person % 4000
        email = f"person{person}@company{company}.example"
        kind = rng.choice(["email", "crm.contact", "crm.opportunity"])
        common = {"id": id_, "type": kind, "at": at, "received_at": at + 120, "platform": "server", "source": "crm"}
        if kind == "email":
            return Event(
                node=f"default/e:{email}", protocol="sendgrid", name=rng.choice(["opened", "clicked"]), email=email,
                properties=msgspec.Raw(b'{"message_id":"m-1","campaign":"week-12"}'), **common,
            )  # fmt: skip
        if kind == "crm.contact":
            said = b'{"account_id":"acct-%d"}' % company
            node = f"default/u:contact:{person}"
            return Event(node=node, protocol="crm", email=email, properties=msgspec.Raw(said), **common)
        return deal_version(rng.randrange(DEALS + NEW_DEALS), **common)


def deal_version(number, **common):
    """What a nightly sync says of a deal: the same as before, unless the deal is new. Each has one account."""
    said = b'{"account_id":"acct-%d","stage":"open","amount":"1200.00","currency":"EUR"}' % (number % 4000)
    node = f"default/o:deal-{number}"
    return Event(node=node, protocol="crm", name="Deal", properties=msgspec.Raw(said), **common)


class Worker:
    """Both stages on one partition, with a stopwatch around every step."""

    def __init__(self, folder, stage=STITCH):
        self.stage = stage
        self.stitch = PartitionStore(folder / "stitch")
        self.account = PartitionStore(folder / "account")
        self.spent = {}
        self.sizes = {"messages": 0, "bytes": 0}

    def apply(self, at, value):
        """One frame and all that comes of it, as ``Partition`` does it."""
        begin = time.process_time()
        record = unpacked(value, at)
        self._lap("read", begin)
        outputs = self._stage(self.stage, self.stitch, record, "stitch")
        for output in [o for o in outputs if o.topic == topics.ACCOUNTS]:
            headers = dict(output.headers)
            came = Record(self.account.next_offset, at, output.value, headers)
            self.sizes["messages"] += output.value.count(b"\n") + 1
            outputs += self._stage(ACCOUNT, self.account, came, "account")
        begin = time.process_time()
        for output in outputs:
            packed(output.value, at, output.headers)
        self._lap("produce", begin)
        self.sizes["bytes"] += sum(len(o.value) for o in outputs)
        for output in outputs:
            if output.topic == topics.EVENTS:
                # Tokens and the like; with one partition nearly nothing.
                self._stage(self.stage, self.stitch, Record(0, at, output.value, dict(output.headers)), "stitch")

    def _stage(self, stage, store, record, name):
        record = msgspec.structs.replace(record, offset=store.next_offset)
        begin = time.process_time()
        outputs = compute(stage, store, record, partition=0, partitions=1)
        done = self._lap(name, begin)
        if store.changes >= SAVE_CHANGES:
            store.commit(store.seal())
        self._lap(f"{name} save", done)
        return outputs

    def _lap(self, name, begin):
        now = time.process_time()
        self.spent[name] = self.spent.get(name, 0.0) + now - begin
        return now


def framed(events, at):
    """A frame as the collector produces it."""
    return packed(lines(events), at, [(topics.PACKER_HEADER, b"1")])


def packed(value, at, headers=()):
    """A record batch as the producer sends it."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=ZSTD, is_transactional=0, producer_id=1, producer_epoch=0, base_sequence=0,
        batch_size=1 << 22,
    )  # fmt: skip
    builder.append(0, at, None, value, list(headers))
    return bytes(builder.build())


def unpacked(batch, at):
    """The record of a batch as the consumer gives it."""
    (found,) = list(DefaultRecordBatch(batch))
    return Record(0, at, found.value, dict(found.headers))


def floor(frames):
    """CPU seconds a frame of reading, decoding and writing one row an event."""
    decoder = msgspec.json.Decoder(Event)
    spent = []
    for at, value in frames:
        begin = time.process_time()
        lines(decoder.decode_lines(unpacked(value, at).value))
        spent.append(time.process_time() - begin)
    return spent


def warm_up(worker, visits=VISITORS):
    """Every visitor was here once; the known ones said who they are."""
    rng = random.Random(0)
    at = START - 30 * 86_400_000
    for begin in range(0, visits, 250):
        events = []
        for number in range(begin, begin + 250):
            visit = Visit(rng, number)
            visit.left = 5  # so that the second event is the identify of those who have one
            at += 2
            events += [visit.next(f"warm-{number}-{i}", at + i * 40_000) for i in range(2)]
        worker.apply(at, framed(events, at))
    for begin in range(0, DEALS, 250):
        worker.apply(at, framed([known_deal(number, at) for number in range(begin, begin + 250)], at))


def known_deal(number, at):
    """A deal's first version."""
    id_ = f"warm-deal-{number}"
    return deal_version(
        number, id=id_, type="crm.opportunity", at=at, received_at=at + 120, platform="server", source="crm"
    )


def calm(seconds):
    """µs an event in the calmest tenth of the frames."""
    return sorted(seconds)[len(seconds) // 10] / FRAME * 1e6


def floors_of(seconds, floors):
    """How many floors, over all frames; the floor of each frame ran just before it."""
    return sum(seconds) / sum(floors)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true", help="where the time goes, sampled line by line")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--without-c", action="store_true", help="the short way in Python")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="touchline-bench-"))
    try:
        gc.set_threshold(50_000, 20, 50)
        worker = Worker(folder, IN_PYTHON[STITCH.name] if arguments.without_c else STITCH)
        print(f"the short way in C: {compiled.WHY_NOT or ('left out' if arguments.without_c else 'in use')}")
        warm_up(worker)
        site = Site(1)
        for _ in range(40):
            at, events = site.frame()
            worker.apply(at, framed(events, at))
        frames, nodes = [], 0
        for _ in range(arguments.frames):
            at, events = site.frame()
            nodes += len({event.node for event in events})
            frames.append((at, framed(events, at)))
        gc.collect()
        gc.freeze()
        measure(worker, frames, nodes, profile=arguments.profile)
    finally:
        shutil.rmtree(folder)


class Sampler:
    """Counts where the interpreter is, every ms of CPU: cProfile doubles the cost of calls and hides that of lines."""

    def __init__(self):
        self.lines = Counter()
        self.inside = Counter()

    def __enter__(self):
        signal.signal(signal.SIGPROF, self._take)
        signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)

    def __exit__(self, *_):
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _take(self, _number, frame):
        self.lines[f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}"] += 1
        found = set()
        while frame is not None:
            found.add(f"{Path(frame.f_code.co_filename).name} {frame.f_code.co_qualname}")
            frame = frame.f_back
        self.inside.update(found)

    def show(self):
        whole = sum(self.lines.values())
        for title, counts, many in (("within", self.inside, 50), ("line", self.lines, 60)):
            print(title)
            for place, count in counts.most_common(many):
                print(f"  {count / whole:6.1%}  {place}")


def measure(worker, frames, nodes, *, profile):
    worker.sizes = dict.fromkeys(worker.sizes, 0)
    spent = {}
    floors = []
    sampler = Sampler() if profile else None
    for frame in frames:
        floors += floor([frame])
        worker.spent = {}
        with sampler or contextlib.nullcontext():
            worker.apply(*frame)
        for name, seconds in worker.spent.items():
            spent.setdefault(name, []).append(seconds)
        spent.setdefault("whole", []).append(sum(worker.spent.values()))
    if sampler:
        sampler.show()
    events = FRAME * len(frames)
    print(f"{nodes / len(frames):.0f} visitors a frame of {FRAME}; per event: ", end="")
    print(", ".join(f"{count / events:.2f} {name}" for name, count in worker.sizes.items()))
    base = calm(floors)
    print(f"{'floor':16} mean {sum(floors) / events * 1e6:6.2f}  calm {base:6.2f} us/event")
    for name, seconds in spent.items():
        low = calm(seconds)
        many = floors_of(seconds, floors)
        print(f"{name:16} mean {sum(seconds) / events * 1e6:6.2f}  calm {low:6.2f} us/event  {many:5.2f} floors")
    whole, many = calm(spent["whole"]), floors_of(spent["whole"], floors)
    print(f"whole pipeline: {1 / many:.3f} of the floor's events/s, {1e6 / whole:,.0f} events/s a core (calm)")


if __name__ == "__main__":
    main()
