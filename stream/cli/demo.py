"""``touchline demo``: half a year of a B2B company in under a minute, through the real endpoints, and its numbers."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from stream.cli.options import settings_options
from stream.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from stream.cli.demo_delivery import MailKey
    from stream.cli.demo_play import Played

FOLDER: Final = "touchline-data/demo"
_DAY_S: Final = 86_400
_PROBLEM: Final = 1
_STOPPED: Final = 130
_WIDTH: Final = 110
"""Columns, where the output is no terminal."""


class Options(msgspec.Struct, frozen=True):
    """What the command line said, beside settings."""

    url: str
    key: str
    seed: int
    fresh: bool
    keep_running: bool
    as_json: bool


@click.command(
    epilog="\b\nExamples:\n"
    "  touchline demo                                  starts everything, plays, shows, runs until Ctrl-C\n"
    "  touchline demo --exit --json > numbers.json     for programs\n"
    "  touchline demo --url http://127.0.0.1:8080      plays into a running installation"
)
@click.option(
    "--data", default=FOLDER, show_default=True, metavar="TEXT", help="Folder of the demo; emptied at the start."
)
@click.option("--fresh/--no-fresh", default=True, show_default=True, help="Empty the folder first.")
@settings_options("host", "http_port", "sql_port", "broker_port", "partitions", "kafka", "clickhouse", "database")
@click.option("--url", default="", metavar="URL", help="Play into the installation whose collector is here.")
@click.option("--key", default="dev", show_default=True, metavar="TEXT", help="Write key to send with.")
@click.option("--seed", default=7, show_default=True, help="Another seed, another story.")
@click.option(
    "--keep-running/--exit", "keep_running", default=None, help="Keep running until Ctrl-C.  [default: on a terminal]"
)
@click.option("--json", "as_json", is_flag=True, help="Tables as one JSON object.")
def command(settings: Settings, data: str, keep_running: bool | None, **given: Any) -> None:
    """Play half a year of a B2B company's web, email and CRM events, and show the numbers.

    All events go through the real HTTP endpoints, with the times at which they happened. The story ends at the last
    midnight UTC; the same seed gives the same numbers every time. Ports that are taken are replaced by free ones.
    """
    if keep_running is None:
        keep_running = sys.stdout.isatty() and not given["url"]
    options = Options(keep_running=keep_running, **given)
    settings = msgspec.structs.replace(settings, data=data)
    sys.exit(asyncio.run(_interruptible(settings, options)))


async def _interruptible(settings: Settings, options: Options) -> int:
    """Run the demo; SIGINT and SIGTERM end it in good order."""
    loop = asyncio.get_running_loop()
    demo = asyncio.create_task(_demo(settings, options))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, demo.cancel)
    try:
        return await demo
    except asyncio.CancelledError:
        return _STOPPED


async def _demo(settings: Settings, options: Options) -> int:
    from rich.console import Console  # noqa: PLC0415 - --help answers without loading any of it

    from stream.cli.demo_delivery import MailKey, Sender  # noqa: PLC0415
    from stream.cli.demo_play import play  # noqa: PLC0415
    from stream.cli.demo_show import holds  # noqa: PLC0415
    from stream.cli.demo_story.story import story  # noqa: PLC0415

    console = Console(stderr=options.as_json, width=None if sys.stdout.isatty() else _WIDTH)
    began = time.monotonic()
    mail_key = MailKey()
    ends_at = int(time.time()) // _DAY_S * _DAY_S * 1000
    telling = asyncio.create_task(asyncio.to_thread(story, options.seed, ends_at, options.key))
    async with _installation(settings, options, mail_key, console) as place:
        start_s = time.monotonic() - began
        url = options.url or f"http://{place.host}:{place.http_port}"
        told = await telling
        async with Sender(url, options.key, mail_key) as sender:
            await sender.check()
            played = await play(place, sender, told, options.key, console, alone=options.fresh and not options.url)
        times = {"start_s": start_s, "sent_s": played.sent_s, "complete_s": played.complete_s}
        times["all_s"] = time.monotonic() - began
        _show(console, place, options, url, played, times)
        if sender.unwanted and not options.as_json:
            console.print(
                f"[yellow]{sender.unwanted:,} email events were left out:[/] no webhook `demo` with the demo's key"
            )
        if options.keep_running:
            if not options.as_json:
                console.print("\nRunning until [bold]Ctrl-C[/].")
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
    return 0 if holds(played.found.proof) else _PROBLEM


def _show(  # noqa: PLR0917 - all that there is
    console: "Console", place: Settings, options: Options, url: str, played: "Played", times: dict[str, float]
) -> None:
    from stream.cli import demo_show  # noqa: PLC0415

    if options.as_json:
        click.echo(_json(place, url, played, times))
        sys.stdout.flush()
        return
    demo_show.show(console, played.found)
    demo_show.show_live(console, played.rang)
    sent = played.found.proof.sent
    console.print(
        f"\n[dim]{times['all_s']:.0f} s in all: everything up after {times['start_s']:.1f} s, {sent:,} events acknowledged in "
        f"{times['sent_s']:.1f} s ({sent / times['sent_s']:,.0f} a second), all tables complete after "
        f"{times['complete_s']:.1f} s[/]",
        highlight=False,
    )
    demo_show.show_addresses(console, place, url)


@contextlib.asynccontextmanager
async def _installation(
    settings: Settings, options: Options, mail_key: "MailKey", console: "Console"
) -> AsyncIterator[Settings]:
    """What the story is played into: one of our own, or the one that runs at ``--url``."""
    if options.url:
        yield settings
        return
    from stream.cli.demo_stage import prepared  # noqa: PLC0415
    from stream.cli.one_machine import OneMachine  # noqa: PLC0415
    from stream.cli.setup import prepare  # noqa: PLC0415

    settings = prepared(settings, options.key, mail_key.shown, fresh=options.fresh)
    machine = OneMachine(settings, lambda text: console.print(text, style="yellow"))
    try:
        with console.status("starting broker, SQL server, sink, worker and collector"):
            await machine.start(prepare)
        yield settings
    finally:
        await machine.stop()


def _json(place: Settings, url: str, played: "Played", times: dict[str, float]) -> str:
    document = {
        **msgspec.to_builtins(played.found),
        "live": msgspec.to_builtins(played.rang),
        "times": {name: round(seconds, 2) for name, seconds in times.items()},
        "addresses": {"events": url, "sql": place.clickhouse_url, "kafka": place.bootstrap},
        "data": str(Path(place.data).absolute()),
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
