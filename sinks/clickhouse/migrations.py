"""Migrations: the numbered files of ``schemas/clickhouse``, each applied once and then frozen; views applied whole.

A file holds one statement and can be repeated (``IF NOT EXISTS``), so a crash between a statement and its record in
``schema_migrations`` is harmless.
"""

import re
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

import schemas
from schemas.codec import json_encoder
from schemas.errors import ConfigError
from sinks.clickhouse.client import ClickHouse

FOLDER: Final = Path(schemas.__file__).parent / "clickhouse"
PUBLIC: Final = ("views", "reporting", "kpi")
"""Folders of views for people, which docs/sql.md lists."""
VIEW_FOLDERS: Final = ("inner", *PUBLIC)
"""In this order: the later read the earlier."""

_NAME: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


class Migration(msgspec.Struct, frozen=True):
    """One numbered file."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, hexadecimal."""
        return sha256(self.sql.encode()).hexdigest()


def read_migrations(folder: Path = FOLDER) -> list[Migration]:
    """All numbered files in order.

    Raises: ConfigError if a file is misnamed or a number is missing or taken twice.
    """
    found: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is None or int(match[1]) != len(found) + 1:
            raise ConfigError(f"{path}: migrations are named 0001_verb_noun.sql, 0002_..., without gaps")
        found.append(Migration(int(match[1]), path.stem, path.read_text("utf-8")))
    return found


def apply_migrations(database: ClickHouse, migrations: list[Migration]) -> list[str]:
    """Apply what is not applied yet. Returns the names of what was.

    Raises: ConfigError if an applied file was changed or is gone; Retryable if the server fails.
    """
    database.command(migrations[0].sql)  # the table of the others
    applied = {
        int(number): (str(name), checksum.decode() if isinstance(checksum, bytes) else str(checksum))
        for number, name, checksum in database.rows("SELECT number, name, checksum FROM schema_migrations")
    }
    _refuse_changed(applied, migrations)
    fresh = [migration for migration in migrations if migration.number not in applied]
    for migration in fresh:
        database.command(migration.sql)
        _record(database, migration)
    return [migration.name for migration in fresh]


def _refuse_changed(applied: dict[int, tuple[str, str]], migrations: list[Migration]) -> None:
    shipped = {migration.number: migration for migration in migrations}
    for number, (name, checksum) in sorted(applied.items()):
        migration = shipped.get(number)
        if migration is None:
            raise ConfigError(
                f"the database has migration {name}, which this version does not know: it was set up by a newer one"
            )
        if migration.checksum != checksum:
            raise ConfigError(
                f"migration {migration.name} was changed after it was applied (as {name});"
                " restore the file and put the change into a new one"
            )


def _record(database: ClickHouse, migration: Migration) -> None:
    row = {"number": migration.number, "name": migration.name, "checksum": migration.checksum}
    database.insert("schema_migrations", json_encoder.encode(row), token=f"migration/{migration.checksum}")


def apply_views(database: ClickHouse, folder: Path = FOLDER) -> int:
    """Create or replace every view. Returns how many there are."""
    files = [path for name in VIEW_FOLDERS for path in sorted((folder / name).glob("*.sql"))]
    for path in files:
        database.command(path.read_text("utf-8"))
    return len(files)
