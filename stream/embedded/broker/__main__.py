"""``python -m stream.embedded.broker --data DIR --host 127.0.0.1 --port N --fsync always|MS``.

Prints ``ready port=N`` when it serves. SIGTERM stops it.
"""

import argparse
import logging
import sys
from pathlib import Path

import uvloop

from schemas.errors import Fatal
from stream.embedded.broker.server import Broker, run

_SWITCH_S = 0.0005
"""How long a thread (compaction) may keep the interpreter from the loop; Python's 5 ms would show in every latency."""


def _ready(port: int) -> None:
    print(f"ready port={port}", flush=True)  # noqa: T201 - who started us waits for this line


def main() -> None:
    """Run a broker until it is told to stop."""
    parser = argparse.ArgumentParser(prog="python -m stream.embedded.broker", description="Embedded Kafka broker.")
    parser.add_argument("--data", type=Path, required=True, help="folder of its log")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind to")
    parser.add_argument("--port", type=int, default=9092, help="0: any free one")
    parser.add_argument("--fsync", default="1000", help="always, or ms between syncs")
    parser.add_argument("--housekeeping", type=float, default=15.0, metavar="S", help="seconds between expiry rounds")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s broker: %(message)s")
    sys.setswitchinterval(_SWITCH_S)
    try:
        broker = Broker(
            given.data, host=given.host, port=given.port, fsync=given.fsync, housekeeping_s=given.housekeeping
        )
        uvloop.run(run(broker, _ready))
    except Fatal as error:
        raise SystemExit(f"broker: {error}") from None


if __name__ == "__main__":
    main()
