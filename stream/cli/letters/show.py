"""What the commands show: a table of letters, progress on standard error, a summary."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import click

from stream.cli.letters.reading import Letter
from stream.cli.letters.sending import Tally
from stream.collect import clock

_EVERY_S: Final = 5.0
_REASONS: Final = 10
_DETAIL: Final = 60


def members(letter: Letter) -> dict[str, Any]:
    """A letter for JSON."""
    return {
        "id": letter.id, "received_at": clock.text_of(letter.received_at), "tenant": letter.tenant, "source": letter.source,
        "reason": letter.reason, "detail": letter.detail, "path": letter.path, "address": letter.address,
        "gpc": letter.gpc, "size_bytes": letter.size,
    }  # fmt: skip


def print_letters(letters: Sequence[Letter], total: int) -> None:
    """A line each; what it was is on the right, so that lines may be cut there."""
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.table import Table  # noqa: PLC0415

    table = Table("received", "id", "source", "reason", "detail", "sent to", "bytes", box=None, header_style="bold")
    for letter in letters:
        where = letter.path or letter.address
        table.add_row(
            clock.text_of(letter.received_at),
            letter.id,
            letter.source,
            letter.reason,
            letter.detail[:_DETAIL],
            where,
            f"{letter.size:,}",
        )
    # Elsewhere than on a terminal nothing is cut.
    Console(width=None if sys.stdout.isatty() else 240, markup=False).print(table)
    if total > len(letters):
        click.echo(f"{total - len(letters):,} more; see --limit", err=True)


class Progress:
    """On standard error: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._last = time.monotonic()
        self._shown = 0

    def progress(self, tally: Tally) -> None:
        """So far."""
        if self._bar is not None:
            self._bar.update(tally.letters - self._shown)
            self._shown = tally.letters
        elif time.monotonic() - self._last >= _EVERY_S:
            self._last = time.monotonic()
            click.echo(f"{tally.letters:,} letters, {tally.items:,} items sent, {tally.left:,} letters left", err=True)

    def waiting(self, said: str) -> None:
        """The collector takes nothing at the moment."""
        click.echo(f"waiting: {said}", err=True)


@contextmanager
def showing(total: int) -> Iterator[Progress]:
    """Progress of ``total`` letters."""
    if not sys.stderr.isatty():
        yield Progress(None)
        return
    with click.progressbar(length=total, label="letters", file=sys.stderr) as bar:
        yield Progress(bar)


def print_summary(tally: Tally, *, dry_run: bool) -> None:
    """How it went, in words."""
    would = "would be sent" if dry_run else "sent"
    parts = [f"{tally.letters:,} letters", f"{tally.sent:,} {would}"]
    parts += [f"{tally.partly:,} in part"] if tally.partly else []
    click.echo(f"{', '.join(parts)} ({tally.items:,} calls and rows); {tally.left:,} left")
    for why, count in list(tally.reasons.items())[:_REASONS]:
        click.echo(f"  {count:,}  {why}")
    if len(tally.reasons) > _REASONS:
        click.echo(f"  and {len(tally.reasons) - _REASONS} other reasons; see --json")
