"""One measured figure, the table of figures that ``python -m bench`` prints, and their record in ``bench/results``."""

import os
import time
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from stream.cli.doctor_measurement import malloc, python

RESULTS = Path(__file__).parent / "results"


def loop_ms() -> float:
    """CPU of a million turns of a Python loop, in ms: the mean of three, so that it is not one lucky moment."""
    began = time.process_time()
    for _ in range(3):
        total = 0
        for number in range(1_000_000):
            total += number * number % 7
    return round(1e3 * (time.process_time() - began) / 3, 1)


class Figure(msgspec.Struct, kw_only=True, omit_defaults=True):
    """``value`` is what ``must`` and ``aim`` speak of: a ratio to the yardstick, or a duration, or a size."""

    name: str
    broker: str = ""
    value: float
    unit: str = ""
    must: float | None = None
    aim: float | None = None
    more_is_better: bool = True
    measured: str = ""
    """What was measured and what it is compared with, for people."""
    details: dict[str, float] = {}
    command: str = ""
    at: str = msgspec.field(default_factory=lambda: time.strftime("%Y-%m-%d %H:%M"))
    load: float = msgspec.field(default_factory=lambda: round(os.getloadavg()[0], 1))
    """Load average of the last minute, when the figure was ready: our own processes and all others."""
    loop_ms: float = msgspec.field(default_factory=loop_ms)
    """What this machine needed for a fixed piece of work then: who shares it with others gets half of it at times."""
    python: str = msgspec.field(default_factory=lambda: python().what)
    """Its version, and whether it is a slow one."""
    malloc: str = msgspec.field(default_factory=lambda: malloc().what)
    """What workers allocated with."""

    @property
    def verdict(self) -> str:
        if self.must is None:
            return ""
        for bound, word in ((self.aim, "aim"), (self.must, "must")):
            if bound is not None and (self.value >= bound if self.more_is_better else self.value <= bound):
                return word
        return "missed"


def record(figure: Figure) -> None:
    """Append to ``bench/results/<day>.jsonl``."""
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{figure.at[:10]}.jsonl").open("ab") as out:
        out.write(msgspec.json.encode(figure) + b"\n")


def show(figures: list[Figure]) -> None:
    table = Table(box=None, header_style="bold", title_justify="left")
    for name in ("figure", "broker", "value", "must", "aim", "", "load"):
        table.add_column(name, justify="left" if name in {"figure", "broker", ""} else "right")
    table.add_column("measured", overflow="fold")
    for f in figures:
        colour = {"aim": "green", "must": "yellow", "missed": "red"}.get(f.verdict, "white")
        table.add_row(
            f.name, f.broker, f"[{colour}]{number(f.value)}{f.unit}[/]", number(f.must), number(f.aim),
            f"[{colour}]{f.verdict}[/]", f"{f.load:.1f}", f.measured,
        )  # fmt: skip
    if figures:
        table.caption = f"Python {figures[0].python}; malloc: {figures[0].malloc}"
    Console().print(table)


def number(value: float | None) -> str:
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) < 1 else f"{value:.3g}"


def quantile(values: list[float], part: float) -> float:
    """Of any values; nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
