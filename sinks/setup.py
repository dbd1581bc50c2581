"""What ``touchline setup`` does to ClickHouse: database, tables, views. Safe to repeat at any time."""

from sinks.clickhouse.client import ClickHouse
from sinks.clickhouse.migrations import apply_migrations, apply_views, read_migrations
from stream.settings import Settings


def prepare_database(settings: Settings) -> list[str]:
    """Create the database, apply new migrations and all views. Returns a line for each thing done.

    Raises: ConfigError if an applied migration was changed; Retryable if ClickHouse does not answer.
    """
    server = ClickHouse.connect(settings, database="default")
    try:
        server.command(f"CREATE DATABASE IF NOT EXISTS {quoted(settings.database)}")
    finally:
        server.close()
    database = ClickHouse.connect(settings)
    try:
        applied = apply_migrations(database, read_migrations())
        views = apply_views(database)
    finally:
        database.close()
    return [*(f"applied {name}" for name in applied), f"refreshed {views} views"]


def quoted(name: str) -> str:
    """``name`` as an SQL identifier."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
