"""``touchline topology``: topics, who writes and reads them, stages and tables, from ``schemas.topics``."""

import click
import msgspec

from schemas.facts import TABLES
from schemas.topics import TOPICS, Topic
from stream.cli.options import settings_options
from stream.settings import Settings

_OUTSIDE = {"sink": "ClickHouse", "notify": "webhooks, Slack, email, CRM"}


class Stage(msgspec.Struct, frozen=True):
    """A program that reads or writes topics."""

    name: str
    reads: list[str]
    writes: list[str]


class Table(msgspec.Struct, frozen=True):
    """A table in ClickHouse that facts go to."""

    name: str
    what: str
    columns: list[str]


class Topology(msgspec.Struct, frozen=True):
    """All of it, with the names that this installation uses."""

    topics: list[Topic]
    partitions: int
    replication: int
    stages: list[Stage]
    tables: list[Table]


def topology_of(settings: Settings) -> Topology:
    """What runs where. Pure."""
    topics = [msgspec.structs.replace(topic, name=settings.topic(topic.name)) for topic in TOPICS]
    stages = dict.fromkeys(name for topic in topics for name in (*_names(topic.producer), *_names(topic.consumer)))
    return Topology(
        topics,
        settings.partitions,
        settings.replication,
        [
            Stage(
                name,
                [topic.name for topic in topics if name in _names(topic.consumer)],
                [topic.name for topic in topics if name in _names(topic.producer)],
            )
            for name in stages
        ],
        [Table(name, _what(shape), list(shape.__struct_fields__)) for name, shape in TABLES.items()],
    )


@click.command(epilog="\b\nExamples:\n  touchline topology\n  touchline topology --json | jq '.topics[].name'")
@settings_options("topic_prefix", "partitions", "replication")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(settings: Settings, as_json: bool) -> None:
    """Show topics with keys and settings, the stages between them, and the tables."""
    found = topology_of(settings)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
    else:
        _print(found)


def _names(text: str) -> list[str]:
    """``collect, stitch`` -> both; ``stitch (recovery)`` -> stitch."""
    return [part.split()[0] for part in text.split(",")]


def _what(shape: type[msgspec.Struct]) -> str:
    """First sentence of a row's docstring, without the table's name."""
    text = " ".join((shape.__doc__ or "").split())
    return text.partition("``: ")[2].partition(". ")[0].rstrip(".").replace("``", "")


def _print(found: Topology) -> None:
    from rich.console import Console  # noqa: PLC0415  # slow to import, and --json needs none of it
    from rich.table import Table as Grid  # noqa: PLC0415

    console = Console()
    console.print("[bold]Stages[/] (what they read, what they write)")
    stages = Grid(box=None, show_header=False, pad_edge=False, padding=(0, 1))
    for stage in found.stages:
        reads, writes = ", ".join(stage.reads) or "HTTP", ", ".join(stage.writes) or _OUTSIDE.get(stage.name, "")
        stages.add_row(f"  {reads}", f"→ [bold cyan]\\[{stage.name}][/] →", writes)
    console.print(stages)
    console.print(f"\n[bold]Topics[/] ({found.partitions} partitions, replication {found.replication})")
    grid = Grid(box=None, header_style="dim", pad_edge=False, padding=(0, 1))
    for name in ("topic", "key", "settings"):
        grid.add_column(f" {name}" if name == "topic" else name, overflow="fold")
    for topic in found.topics:
        config = " ".join(f"{name}={value}" for name, value in topic.config.items())
        grid.add_row(f"  [cyan]{topic.name}[/]", topic.key, f"[dim]{config}[/]")
    console.print(grid)
    console.print("\n[bold]Tables[/]")
    tables = Grid(box=None, show_header=False, pad_edge=False, padding=(0, 1))
    for table in found.tables:
        tables.add_row(f"  [cyan]{table.name}[/]", table.what)
    console.print(tables)
