"""What an import shows: a bar on a terminal, a line now and then elsewhere, a summary at the end."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

import click
import msgspec

from stream.cli.importing.run import Plan, Tally

_EVERY_S: Final = 5.0
_REASONS: Final = 10
"""Reasons named in the summary, the most frequent ones."""
_CELLS: Final = 12


class Shown(Protocol):
    """Where progress goes."""

    def progress(self, tally: Tally) -> None:
        """So far."""

    def waiting(self, said: str) -> None:
        """The collector takes nothing at the moment."""


class Lines:
    """For logs: at most a line every few seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def progress(self, tally: Tally) -> None:
        """See ``Shown``."""
        if time.monotonic() - self._last >= _EVERY_S:
            self._last = time.monotonic()
            click.echo(f"{tally.rows:,} rows, {tally.sent:,} sent, {tally.bad:,} bad", err=True)

    def waiting(self, said: str) -> None:
        """See ``Shown``."""
        click.echo(f"waiting: {said}", err=True)


class Bar:
    """For people: rows by the size of the file, since nobody knows how many there are."""

    def __init__(self, task: Any, update: Any) -> None:
        self._task = task
        self._update = update
        self._last = 0.0

    def progress(self, tally: Tally) -> None:
        """See ``Shown``."""
        if time.monotonic() - self._last >= 0.1:  # noqa: PLR2004
            self._last = time.monotonic()
            said = f"{tally.rows:,} rows, {tally.sent:,} sent" + (f", [red]{tally.bad:,} bad[/]" if tally.bad else "")
            self._update(self._task, completed=tally.rows, description=said)

    def waiting(self, said: str) -> None:
        """See ``Shown``."""
        self._update(self._task, description=f"[yellow]waiting[/]: {said}")


@contextmanager
def showing(total: int | None) -> Iterator[Shown]:
    """Progress on standard error, as it suits where that goes. ``total``: rows, if they are known."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = BarColumn(), TextColumn("[progress.description]{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Bar(progress.add_task("", total=total), progress.update)


class Summary(msgspec.Struct):
    """How an import went."""

    file: str
    kind: str
    dry_run: bool
    rows: int
    sent: int
    """Objects that the collector acknowledged; of a dry run those that it would be sent."""
    skipped: int
    bad: int
    bad_file: str
    reasons: dict[str, int]
    notes: dict[str, int]
    """What of rows that are sent could not be read; since the last ``--resume``."""
    version: str
    """Time of versions that have none of their own."""
    requests: int
    waits: int
    seconds: float
    resumed_after: int | None = None
    """Rows that an interrupted import had done: this one began behind them. 0: none was. None: not asked to resume."""


def summary_of(plan: Plan, tally: Tally, *, dry_run: bool, bad_file: str) -> Summary:
    """The summary, without what only the sender knows."""
    return Summary(
        str(plan.source.path), plan.kind, dry_run, tally.rows, tally.sent, tally.skipped, tally.bad,
        bad_file if tally.bad else "", dict(tally.reasons.most_common()), dict(tally.notes.most_common()),
        plan.version, 0, 0, 0.0,
    )  # fmt: skip


def print_summary(summary: Summary) -> None:
    """For people."""
    verb = "would be sent" if summary.dry_run else "sent"
    click.echo(f"{summary.rows:,} rows of {summary.file}: {summary.sent:,} {summary.kind} {verb}", nl=False)
    click.echo(f", {summary.skipped:,} rows skipped" if summary.skipped else "", nl=False)
    click.echo(f", {click.style(f'{summary.bad:,} bad', fg='red')}" if summary.bad else ", none bad")
    for reason, count in list(summary.reasons.items())[:_REASONS]:
        click.echo(f"  {count:,} x {reason}")
    if len(summary.reasons) > _REASONS:
        click.echo(f"  and {len(summary.reasons) - _REASONS} other reasons")
    for note, count in list(summary.notes.items())[:_REASONS]:
        click.echo(f"  {count:,} sent without what cannot be read: {note}")
    if summary.bad_file:
        click.echo(f"The bad rows are in {summary.bad_file}: repair them there and import that file.")


def print_examples(tally: Tally) -> None:
    """What the first rows become."""
    for number, (row, objects) in enumerate(tally.examples, 1):
        cells = [f"{name}={cell}" for name, cell in row.items() if cell not in ("", None)]
        more = f" ... ({len(cells)} cells)" if len(cells) > _CELLS else ""
        click.echo(click.style(f"row {number}: ", bold=True) + "; ".join(cells[:_CELLS]) + more)
        for found in objects[:3]:
            click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
        if len(objects) > 3:  # noqa: PLR2004
            click.echo(f"and {len(objects) - 3} more of this row")
    if tally.examples:
        click.echo()
