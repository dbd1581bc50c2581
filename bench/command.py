"""The command line of ``python -m bench`` and of each figure's own module."""

import argparse
import importlib
import shlex
import signal
import sys
from collections.abc import Iterator

from rich.console import Console

from bench.figure import Figure, record, show
from bench.place import APACHE, EMBEDDED, Broker, place
from bench.scale import Scale
from tests.support.kafka import KafkaMissing

NAMES = (
    "account_cost", "identity_share", "stitch_stage", "peer_quix", "pipeline", "machinery", "collector", "latency",
    "identity_move", "identity_hub", "restart", "memory",
)  # fmt: skip
"""The figures of docs/performance.md, each a module of this package with ``measure(broker, scale)``."""
_ONCE = frozenset({"account_cost", "identity_share"})
"""Need no broker."""


def run(*names: str) -> None:
    """Measure ``names`` (or those on the command line, or all) and print them. Each is recorded as soon as it is there."""
    parser = argparse.ArgumentParser(
        prog=f"python -m bench.{names[0]}" if names else "python -m bench",
        description="Measure Touchline, each figure against its yardstick in the same run. See docs/performance.md.",
    )
    if not names:
        parser.add_argument("names", nargs="*", metavar="NAME", help=f"figures: {', '.join(NAMES)}; default: all")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--embedded", action="store_true", help="on the embedded broker only")
    where.add_argument("--kafka", action="store_true", help="on Apache Kafka only (fetched through Maven; needs Java)")
    default = Scale()
    parser.add_argument("--events", type=int, default=default.events, help="for throughput (default %(default)s)")
    parser.add_argument("--goes", type=int, default=default.goes, help="of so many events each (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=default.seconds, help="of latency (default %(default)s)")
    parser.add_argument("--visitors", type=int, default=default.visitors, help="before a restart (default %(default)s)")
    parser.add_argument(
        "--minutes", type=float, default=default.minutes, help="of load for memory (default %(default)s)"
    )
    parser.add_argument("--touches", type=int, default=default.touches, help="that move (default %(default)s)")
    parser.add_argument("--addresses", type=int, default=default.addresses, help="that move (default %(default)s)")
    parser.add_argument(
        "--companies", type=float, default=default.companies, help="a second, beside a move (default %(default)s)"
    )
    given = parser.parse_args()
    chosen = list(names or given.names or NAMES)
    if unknown := set(chosen) - set(NAMES):
        parser.error(f"no such figure: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    # Whoever ends us early must not leave brokers and workers behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    brokers = [APACHE] if given.kafka else [EMBEDDED] if given.embedded else [EMBEDDED, APACHE]
    scale = Scale(**{name: getattr(given, name) for name in Scale.__struct_fields__})
    sys.exit(_measure_all(chosen, brokers, scale))


def _measure_all(chosen: list[str], brokers: list[str], scale: Scale) -> int:
    console = Console(stderr=True)
    figures: list[Figure] = []
    failed = 0
    for position, where in enumerate(brokers):
        todo = [name for name in chosen if position == 0 or name not in _ONCE]
        if not todo:
            continue
        try:
            with place(where) as broker:
                for name in todo:
                    console.print(f"[dim]{name} on {where} ...[/]")
                    try:
                        figures += _measured(name, broker, scale)
                    except Exception:  # noqa: BLE001 - the other figures are still worth having
                        failed += 1
                        console.print_exception(max_frames=4)
        except KafkaMissing as missing:
            console.print(f"[yellow]without Apache Kafka: {missing}[/]")
    show(figures)
    return 1 if failed else 0


def _measured(name: str, broker: Broker, scale: Scale) -> Iterator[Figure]:
    figure: Figure
    for figure in importlib.import_module(f"bench.{name}").measure(broker, scale):
        if name in _ONCE:
            figure.broker = ""
        words = [word for word in sys.argv[1:] if word not in NAMES]
        figure.command = figure.command or shlex.join(["python", "-m", "bench", name, *words])
        record(figure)
        yield figure
