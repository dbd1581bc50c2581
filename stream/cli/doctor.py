"""``touchline doctor``: look at everything this installation depends on, say how it is and what to do."""

import asyncio
import logging
import sys
from typing import TYPE_CHECKING, Final

import click
import msgspec

from stream.cli.options import settings_options
from stream.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream.cli.doctor_judgement import Check

_MARKS: Final = {"ok": "[green]✓ ok[/]", "warn": "[yellow]! warn[/]", "fail": "[red]✗ fail[/]"}


@click.command(
    epilog="\b\nExamples:\n  touchline doctor\n  touchline doctor --json | jq '.[] | select(.level != \"ok\")'"
)
@settings_options(
    "data",
    "config",
    "host",
    "http_port",
    "sql_port",
    "broker_port",
    "kafka",
    "clickhouse",
    "clickhouse_user",
    "database",
    "topic_prefix",
    "partitions",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def command(settings: Settings, as_json: bool) -> None:
    """Check broker, topics, ClickHouse, migrations, lag, freshness, dead letters, the laws of the numbers, this machine.

    Changes nothing. Exit code 0: nothing failed (there may be warnings). 1: something did.
    """
    from stream.cli.doctor_measurement import examine  # noqa: PLC0415 - Kafka and ClickHouse clients

    # A server that is not there is a finding here, and not one for a log.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    checks = asyncio.run(examine(settings))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(checks)))
    else:
        _print(checks)
    sys.exit(1 if any(check.level == "fail" for check in checks) else 0)


def _print(checks: "Sequence[Check]") -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for check in checks:
        what = escape(check.what)
        if check.advice:
            what += f"\n[dim]→ {escape(check.advice)}[/]"
        table.add_row(_MARKS[check.level], check.name, what)
    console = Console()
    console.print(table)
    failed, warned = (sum(check.level == level for check in checks) for level in ("fail", "warn"))
    if failed or warned:
        console.print(f"\n{failed} failed, {warned} warnings, {len(checks) - failed - warned} fine")
    else:
        console.print(f"\n[green]All {len(checks)} checks are fine.[/]")
