"""``touchline verify``: recompute everything from the log and compare with ClickHouse."""

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Final

import click
import msgspec

from schemas.errors import Retryable
from stream.cli.options import settings_options
from stream.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from stream.cli.verification import Compared
    from stream.stages.exchange import Exchange

_ORDERS: Final = {
    "any": "Recomputed from the events alone, in another order than they came in.",
    "log": "Recomputed in the log's order, each record under the rules that held there.",
}


@click.command(
    epilog="\b\nExamples:\n  touchline verify\n  touchline verify --wait 300 --json\n  touchline verify --order log --keep"
)
@settings_options(
    "data",
    "config",
    "kafka",
    "clickhouse",
    "clickhouse_user",
    "database",
    "host",
    "http_port",
    "broker_port",
    "sql_port",
    "topic_prefix",
    "partitions",
)
@click.option("--wait", "wait_s", default=60.0, show_default=True, help="Seconds to wait until nothing is on its way.")
@click.option(
    "--order",
    type=click.Choice(["auto", "any", "log"]),
    default="auto",
    show_default=True,
    help="any: from the events alone, in another order than they came in. log: as the records lie on the log, the only"
    " way once rules have changed in mid-stream. auto: any, as long as they have not.",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable result.")
@click.option("--keep", is_flag=True, help="Keep the recomputed database <database>_verify to look into.")
def command(settings: Settings, wait_s: float, order: str, as_json: bool, keep: bool) -> None:
    """Compute everything again from the log, in one thread, and compare it with ClickHouse, table by table.

    After a change of rules each record is recomputed under the rules that held where it lies, and what the stages told
    each other is compared, too (table `messages`).

    Exit code 0: they agree, no row is there twice and the ledger sums up. 1: they do not; the differences are printed.
    """
    from aiokafka.errors import KafkaError  # noqa: PLC0415 - slow import

    try:
        sys.exit(asyncio.run(_verify(settings, wait_s, order, as_json=as_json, keep=keep)))
    except KafkaError as error:
        raise Retryable(
            f"broker at {settings.bootstrap}: {type(error).__name__}; verify reads a running Touchline, so start `touchline up` "
            "in another terminal, or correct TOUCHLINE_KAFKA"
        ) from error


async def _verify(settings: Settings, wait_s: float, order: str, *, as_json: bool, keep: bool) -> int:
    from rich.console import Console  # noqa: PLC0415 - slow imports

    from stream.cli import verification  # noqa: PLC0415

    console = Console(stderr=True)
    behind = await _settle(settings, wait_s)
    if behind:
        console.print(f"[red]{behind} records are still on their way after {wait_s:.0f} s[/]; is the worker running?")
        return 1
    order, beside, exchange = await _recomputed(settings, order, console)
    compared = verification.compare(settings, beside, history=exchange is not None)
    if exchange is not None:
        compared.append(verification.compare_messages(exchange))
    broken = verification.audit(settings)
    if not keep:
        verification.drop(beside)
    if as_json:
        found = {"order": order, "tables": compared, "audit": broken}
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
    else:
        _print(order, compared, broken)
    return 1 if broken or any(table.differing for table in compared) else 0


async def _recomputed(settings: Settings, order: str, console: "Console") -> "tuple[str, Settings, Exchange | None]":
    """The order taken, where the recomputed tables are, and the messages if they were replayed."""
    from rich.progress import Progress  # noqa: PLC0415

    from stream.cli import recomputation  # noqa: PLC0415

    until = await recomputation.ends(settings)
    asked = recomputation.LOG if order == recomputation.LOG else await recomputation.order_of(settings, until)
    if order == recomputation.ANY != asked:
        raise click.UsageError(
            "the rules changed in mid-stream, so the numbers depend on the order of the log: use --order log (or auto)"
        )
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("recomputing", total=sum(until.values()))

        def advance(records: int) -> None:
            progress.advance(task, records)

        if asked == recomputation.LOG:
            return asked, *await recomputation.in_the_logs_order(settings, until, advance)
        return asked, await recomputation.in_any_order(settings, until, advance), None


def _print(order: str, compared: "list[Compared]", broken: list[str]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, header_style="bold")
    for name in ("table", "rows", "recomputed", "differing"):
        table.add_column(name, justify="left" if name == "table" else "right")
    for one in compared:
        colour = "red" if one.differing else "green"
        table.add_row(one.table, f"{one.rows:,}", f"{one.recomputed:,}", f"[{colour}]{one.differing:,}[/]")
    console = Console()
    console.print(table)
    console.print(_ORDERS[order])
    for one in compared:
        for example in one.examples:
            console.print(f"[bold]{example.table}[/], only {example.side}:", example.row, highlight=False)
    for line in broken:
        console.print(f"[red]{line}[/]")
    if not broken and not any(one.differing for one in compared):
        console.print("[green]ClickHouse says what the log says.[/]")


async def _settle(settings: Settings, wait_s: float) -> int:
    """Wait until all readers are at the end of what they read, twice in a row. Returns what is left."""
    from stream.cli.lag import lags  # noqa: PLC0415

    deadline = time.monotonic() + wait_s
    calm = 0
    while True:
        behind = sum(lag.behind for lag in await lags(settings))
        calm = 0 if behind else calm + 1
        if calm == 2 or time.monotonic() > deadline:  # noqa: PLR2004
            return behind
        await asyncio.sleep(0.7)
