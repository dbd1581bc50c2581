"""``touchline sink``: facts from Kafka to ClickHouse, exactly once."""

import click

from sinks.service import main
from stream.cli.options import settings_options
from stream.settings import Settings


@click.command(epilog="\b\nExamples:\n  touchline sink --kafka broker:9092 --clickhouse http://clickhouse:8123")
@settings_options("kafka", "clickhouse", "clickhouse_user", "database", "topic_prefix", "sink_rows", "sink_s")
def command(settings: Settings) -> None:
    """Write facts to ClickHouse, exactly once. Start as many as you like; they share the partitions."""
    main(settings)
