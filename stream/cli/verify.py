"""``touchline verify``: recompute everything from the log and compare with ClickHouse."""

import asyncio
import sys
import time

import click
import msgspec

from stream.cli.options import settings_options
from stream.settings import Settings


@click.command(epilog="\b\nExamples:\n  touchline verify\n  touchline verify --wait 300 --json")
@settings_options(
    "kafka",
    "clickhouse",
    "clickhouse_user",
    "database",
    "host",
    "broker_port",
    "sql_port",
    "topic_prefix",
    "partitions",
)
@click.option("--wait", "wait_s", default=60.0, show_default=True, help="Seconds to wait until nothing is on its way.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable result.")
@click.option("--keep", is_flag=True, help="Keep the recomputed database <database>_verify to look into.")
def command(settings: Settings, wait_s: float, as_json: bool, keep: bool) -> None:
    """Compute everything again from the `events` topic, in one thread, and compare it with ClickHouse, table by table.

    Exit code 0: they agree, no row is there twice and the ledger sums up. 1: they do not; the differences are printed.
    """
    sys.exit(asyncio.run(_verify(settings, wait_s, as_json=as_json, keep=keep)))


async def _verify(settings: Settings, wait_s: float, *, as_json: bool, keep: bool) -> int:
    from rich.console import Console  # noqa: PLC0415 - slow imports
    from rich.progress import Progress  # noqa: PLC0415

    from schemas import topics  # noqa: PLC0415
    from stream.cli import verification  # noqa: PLC0415

    console = Console(stderr=True)
    behind = await _settle(settings, wait_s)
    if behind:
        console.print(f"[red]{behind} records are still on their way after {wait_s:.0f} s[/]; is the worker running?")
        return 1
    ends = await _ends(settings, topics.EVENTS)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("recomputing", total=sum(ends.values()))
        beside = await verification.recompute(settings, ends, lambda n: progress.advance(task, n))
    compared = verification.compare(settings, beside)
    broken = verification.audit(settings)
    if not keep:
        verification.drop(beside)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"tables": compared, "audit": broken})))
    else:
        _print(compared, broken)
    return 1 if broken or any(table.differing for table in compared) else 0


def _print(compared: list, broken: list[str]) -> None:  # type: ignore[type-arg]
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


async def _ends(settings: Settings, topic: str) -> dict[int, int]:
    from stream.stages.log import Log  # noqa: PLC0415

    log = Log(settings)
    return {partition: (await log.bounds(topic, partition))[1] for partition in range(settings.partitions)}
