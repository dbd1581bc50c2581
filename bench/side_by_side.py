"""Two versions at once on one core: what a change brings, or another Python, where runs in turn say nothing.

    python -m bench.side_by_side OTHER [--python PYTHON] [--events N]

OTHER is another checkout (``git worktree add ../before HEAD~1``, with ``python build_native.py`` run in it), or this one
with another ``--python``. Both work off the same events (``bench.both_stages``) on one core, so both get the same share of
what this machine's others leave. On a machine where runs in turn differ by 15 to 50 % the sums of two equal versions differ
by 1 % in 300,000 events, single parts by up to 4 %.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

_HERE = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.side_by_side", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("other", type=Path, metavar="OTHER", help="another checkout, or this one")
    parser.add_argument("--python", default=sys.executable, help="for the other one (default: this one)")
    parser.add_argument("--events", type=int, default=300_000, help="that are measured (default %(default)s)")
    given = parser.parse_args()
    core = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})  # of those that are started from here, too
    console = Console(stderr=True)
    with console.status(f"both at once on core {core} ..."):
        started = [
            _started(sys.executable, _HERE, given.events),
            _started(given.python, given.other.resolve(), given.events),
        ]
        ours, other = (_spent(process) for process in started)
    table = Table(box=None)
    for name in ("us CPU an event", "this", "other", "this / other"):
        table.add_column(name, justify="left" if name.startswith("us") else "right")
    for part in (*ours, ""):
        mine, its = (spent[part] if part else sum(spent.values()) for spent in (ours, other))
        table.add_row(part or "all", f"{mine:.2f}", f"{its:.2f}", f"{mine / its:.3f}")
    Console().print(table)


def _started(python: str, checkout: Path, events: int) -> "subprocess.Popen[bytes]":
    # Ours measures both, so that an older checkout need not have it; -P, or it would find our modules first.
    command = [python, "-P", str(_HERE / "bench" / "both_stages.py"), "--events", str(events)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(checkout)})


def _spent(process: "subprocess.Popen[bytes]") -> dict[str, float]:
    said, _ = process.communicate()
    if process.returncode:
        sys.exit(f"{process.args!r} ended with {process.returncode}")
    return msgspec.json.decode(said, type=dict[str, float])


if __name__ == "__main__":
    main()
