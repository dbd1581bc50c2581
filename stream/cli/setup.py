"""``touchline setup``: topics, tables, views and rules, as often as you like."""

import asyncio
from pathlib import Path

import click

from schemas.rules import Rules
from sinks.setup import prepare_database
from stream.cli.options import settings_options
from stream.settings import Settings, read_config
from stream.topology import create_topics, publish_rules


@click.command(epilog="\b\nExamples:\n  touchline setup --kafka broker:9092 --clickhouse http://clickhouse:8123")
@settings_options(
    "config", "kafka", "clickhouse", "clickhouse_user", "database", "topic_prefix", "partitions", "replication"
)
def command(settings: Settings) -> None:
    """Create topics and tables, refresh views, put changed rules on the log. Safe to repeat at any time."""
    for line in prepare(settings):
        click.echo(line)


def prepare(settings: Settings) -> list[str]:
    """Make broker and ClickHouse ready for ``settings``. Returns a line for each thing done.

    Raises: ConfigError for a wrong rules file or a contradiction to what exists; Retryable if something does not answer.
    """
    rules = read_config(Path(settings.config)).rules
    return [*asyncio.run(_prepare_log(settings, rules)), *prepare_database(settings)]


async def _prepare_log(settings: Settings, rules: Rules) -> list[str]:
    done = [f"created topic {name}" for name in await create_topics(settings)]
    if await publish_rules(settings, rules):
        done.append(f"rules {rules.version} hold from here on")
    return done
