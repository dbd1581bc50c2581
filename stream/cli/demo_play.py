"""Plays the story into an installation, waits until all of it is worked out, asks for the tables, rings the bell."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from schemas.errors import Retryable
from stream.cli.demo_delivery import Sender
from stream.cli.demo_live import Rang, ring
from stream.cli.demo_results import Results, results
from stream.cli.demo_story.story import Story
from stream.cli.lag import lags
from stream.settings import Settings

_PATIENCE_S: Final = 60.0
_POLL_S: Final = 0.4
_CALM: Final = 2
"""Polls without anything to go: a record may be between two readers at one of them."""


class Played(msgspec.Struct, frozen=True):
    """What came of it. Times in seconds since the first request."""

    found: Results
    rang: Rang | None
    sent_s: float
    complete_s: float


async def play(settings: Settings, sender: Sender, told: Story, key: str, console: Console, *, alone: bool) -> Played:
    """Play ``told`` with a progress bar. ``alone``: the installation has no other events.

    Raises: TouchlineError if a request is refused; Retryable if the installation stands still.
    """
    columns = (
        TextColumn("{task.description:<22}"),
        BarColumn(30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[what]}"),
    )
    began = time.monotonic()
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        sending = progress.add_task("half a year of events", total=told.sent, what="events acknowledged")
        await sender.play(told.deliveries, lambda delivery: progress.advance(sending, delivery.events))
        sent_s = time.monotonic() - began
        working = progress.add_task("working them out", total=None, what="records done")
        await _settled(settings, lambda left, most: progress.update(working, completed=most - left, total=most))
    complete_s = time.monotonic() - began
    found = await asyncio.to_thread(results, settings, told, sender.unwanted, alone=alone)
    return Played(found, await ring(settings, sender, told.live, key), sent_s, complete_s)


async def _settled(settings: Settings, progress: Callable[[int, int], object]) -> None:
    """Wait until every reader is at the end of what it reads.

    Raises: Retryable after a minute in which nothing moved.
    """
    most = calm = 0
    before = -1
    moved = time.monotonic()
    while True:
        left = sum(lag.behind for lag in await lags(settings))
        most = max(most, left)
        progress(left, most)
        calm = 0 if left else calm + 1
        if calm == _CALM:
            return
        if left != before:
            before, moved = left, time.monotonic()
        elif time.monotonic() - moved > _PATIENCE_S:
            raise Retryable(f"{left} records are still on their way and nothing moves; see `touchline doctor`")
        await asyncio.sleep(_POLL_S)
