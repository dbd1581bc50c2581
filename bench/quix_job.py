"""The peer: sessions per visitor in Quix Streams, on single-event records, state in RocksDB with a changelog topic.

    python -m bench.quix_job BOOTSTRAP TOPIC RECORDS

Does a part of what the stitch stage does: start, end, count, first and last page of a visitor's present session, with a
gap of 30 minutes. No duplicates, late events, identity, channels or output. Prints one JSON line: CPU and wall seconds
from the first record to the last.
"""

import os
import sys
import tempfile
import time

import msgspec
from quixstreams import Application

from schemas.event import COLUMNS

_GAP_MS = 30 * 60_000
_AT = COLUMNS["at"]


class Job:
    """Counts the records and, when all are in, says what they took."""

    def __init__(self, records: int) -> None:
        self.records = records
        self.seen = 0
        self.cpu = self.wall = 0.0

    def __call__(self, event, state):
        if not self.seen:
            self.cpu, self.wall = time.process_time(), time.perf_counter()
        self.seen += 1
        session = state.get("session")
        at, url = event[_AT], event.get("url", "")
        if session is None or at - session["end"] > _GAP_MS:
            session = {"start": at, "end": at, "events": 1, "entry": url, "exit": url}
        else:
            session["end"] = at
            session["events"] += 1
            session["exit"] = url
        state.set("session", session)
        if self.seen == self.records:
            self.finish()

    def finish(self) -> None:
        spent = {"cpu_s": time.process_time() - self.cpu, "wall_s": time.perf_counter() - self.wall}
        print(msgspec.json.encode(spent).decode(), flush=True)
        os._exit(0)


def main(bootstrap: str, name: str, records: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        app = Application(
            broker_address=bootstrap,
            consumer_group=f"quix-{name}",
            auto_offset_reset="earliest",
            state_dir=folder,
            loglevel="WARNING",
            consumer_extra_config={"max.partition.fetch.bytes": 8 << 20, "fetch.min.bytes": 1},
            producer_extra_config={"enable.idempotence": True, "acks": "all", "linger.ms": 5},
        )
        events = app.dataframe(app.topic(name, value_deserializer="json", key_deserializer="str"))
        events.update(Job(records), stateful=True)
        app.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
