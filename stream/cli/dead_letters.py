"""``touchline dead-letters``: look at what was refused, and send it again."""

import time
from collections.abc import Callable
from contextlib import closing
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from schemas.errors import TouchlineError
from schemas.rejections import RejectReason
from stream.cli.options import patience_option, settings_options, url_option
from stream.settings import Settings, read_config

if TYPE_CHECKING:
    from sinks.clickhouse.client import ClickHouse
    from stream.cli.letters.reading import Wanted
    from stream.cli.letters.sending import Tally

_REASONS: Final = tuple(reason.value for reason in RejectReason)
_FILTERS: Final = ("ids", "reasons", "source", "detail", "path", "tenant", "since", "until")
_FEW: Final = 20


@click.group(
    epilog="""\b
Examples:
  touchline dead-letters list --reason unknown_key --since 2026-11-01
  touchline dead-letters show 4f1d2c7be0a94d0f
  touchline dead-letters resend --reason unknown_key --key web --dry-run
  touchline dead-letters resend --source crm-sync --detail contact_emails
"""
)
def command() -> None:
    """What was refused, and sending it again.

    See docs/operations.md#dead-letters for what can be sent again and what cannot.
    """


def _chooses(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the filters, and pass ``wanted`` and ``settings``."""

    @click.argument("ids", nargs=-1, metavar="[ID]...")
    @click.option("--reason", "reasons", multiple=True, type=click.Choice(_REASONS), help="May be repeated.")
    @click.option("--source", default=None, help="Name of the source; '' for letters of none that was known.")
    @click.option("--detail", default="", metavar="TEXT", help="What is in the detail, e.g. the name of a field.")
    @click.option("--sent-to", "path", default="", metavar="PATH", help="The endpoint, e.g. /v1/crm/opportunities.")
    @click.option("--tenant", default="", help="Whose.")
    @click.option("--since", default="", metavar="TIME", help="Received from then on (ISO 8601).")
    @click.option("--until", default="", metavar="TIME", help="Received before.")
    @wraps(function)
    def call(**given: Any) -> Any:
        from stream.cli.letters.reading import Wanted  # noqa: PLC0415 - the client of ClickHouse is slow to import

        filters = {name: given.pop(name) for name in _FILTERS}
        return function(wanted=Wanted(**filters), **given)

    return call


@command.command("list")
@_chooses
@click.option("--limit", default=_FEW, show_default=True, metavar="N", help="Most letters shown, the newest; 0: all.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@settings_options("clickhouse", "sql_port", "database")
def list_letters(settings: Settings, wanted: "Wanted", limit: int, *, as_json: bool) -> None:
    """Show letters, the newest first, without their bytes."""
    from stream.cli.letters import reading, show  # noqa: PLC0415

    with closing(_database(settings)) as database:
        letters = reading.letters_of(database, wanted, limit=limit, newest_first=True)
        if as_json:
            for letter in letters:
                click.echo(msgspec.json.encode(show.members(letter)))
            return
        show.print_letters(letters, reading.count_of(database, wanted))


@command.command("show")
@click.argument("letter_id", metavar="ID")
@click.option("--bytes", "only_bytes", is_flag=True, help="Only what was refused, byte for byte.")
@click.option("--json", "as_json", is_flag=True, help="JSON; bytes that are no text are marked as replaced.")
@settings_options("clickhouse", "sql_port", "database")
def show_letter(settings: Settings, letter_id: str, *, only_bytes: bool, as_json: bool) -> None:
    """Show one letter with what was refused.

    To repair something by hand: `show ID --bytes > file`, and send the file to where it belongs.
    """
    from stream.cli.letters import reading, show  # noqa: PLC0415

    with closing(_database(settings)) as database:
        letters = reading.letters_of(database, reading.Wanted(ids=(letter_id,)))
        found = next(iter(reading.with_bytes(database, letters)), None)
    if found is None:
        raise TouchlineError(f"there is no dead letter {letter_id}")
    letter, body, envelope = found
    if only_bytes:
        click.get_binary_stream("stdout").write(body)
        return
    said = show.members(letter) | {"envelope": envelope.decode("utf-8", "replace")}
    if as_json:
        said["body"] = body.decode("utf-8", "replace")
        click.echo(msgspec.json.format(msgspec.json.encode(said)))
        return
    for name, value in said.items():
        if value not in ("", False):
            click.echo(f"{click.style(name, fg='cyan')}  {value}")
    click.echo()
    click.echo(body.decode("utf-8", "replace"))


@command.command()
@_chooses
@click.option("--all", "everything", is_flag=True, help="Without any filter.")
@click.option("--key", default="", envvar="TOUCHLINE_KEY", help="Write key for letters of no source in touchline.toml.")
@click.option("--path", "target", default="", metavar="PATH", help="Where to send letters of earlier versions.")
@url_option
@click.option("--dry-run", is_flag=True, help="Send nothing; say what would be sent, and why the rest cannot be.")
@patience_option
@click.option("--json", "as_json", is_flag=True, help="Machine-readable summary.")
@settings_options("config", "host", "http_port", "clickhouse", "sql_port", "database")
def resend(
    settings: Settings, wanted: "Wanted", *, everything: bool, dry_run: bool, as_json: bool, **given: Any
) -> int:
    """Send letters again, the oldest first, as if they came when they came.

    What would be refused again is not sent. Sending twice is harmless for 30 days: each thing has the id that it had, or one
    made of the letter's. Letters stay where they are.

    Exit code 0: all was sent. 1: something was not, see the summary.
    """
    if wanted.is_any() and not everything:
        raise click.UsageError("say which letters: IDs, a filter, or --all; see `touchline dead-letters resend --help`")
    began = time.monotonic()
    tally = _resend(settings, wanted, dry_run=dry_run, **given)
    if as_json:
        said = {"dry_run": dry_run, "seconds": round(time.monotonic() - began, 2)} | msgspec.to_builtins(tally)
        click.echo(msgspec.json.format(msgspec.json.encode(said)))
    else:
        from stream.cli.letters import show  # noqa: PLC0415

        show.print_summary(tally, dry_run=dry_run)
    return 1 if tally.left or tally.partly else 0


def _resend(
    settings: Settings, wanted: "Wanted", *, key: str, target: str, url: str, dry_run: bool, patience_s: float
) -> "Tally":
    from stream.cli.letters import reading, show  # noqa: PLC0415
    from stream.cli.letters.again import again  # noqa: PLC0415 - the collector's adapters take a while to import
    from stream.cli.letters.sending import Sender  # noqa: PLC0415

    sources = {(source.tenant, source.name): source for source in read_config(Path(settings.config)).sources}
    now = time.time_ns() // 1_000_000
    there = "" if dry_run else url or f"http://{settings.host}:{settings.http_port}"
    with closing(_database(settings)) as database:
        letters = reading.letters_of(database, wanted)
        with show.showing(len(letters)) as shown:
            sender = Sender(there, patience_s=patience_s, waiting=shown.waiting)
            found = (
                (letter, again(letter, body, envelope, path=target, key=key, sources=sources, now=now))
                for letter, body, envelope in reading.with_bytes(database, letters)
            )
            try:
                return sender.take(found, shown.progress)
            except TouchlineError as error:
                raise type(error)(f"{error}; {sender.tally.items:,} calls and rows are sent, run it again") from None
            finally:
                sender.close()


def _database(settings: Settings) -> "ClickHouse":
    from sinks.clickhouse.client import ClickHouse  # noqa: PLC0415

    return ClickHouse.connect(settings)
