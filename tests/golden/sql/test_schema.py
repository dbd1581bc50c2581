"""The tables are what ``schemas.facts`` says, and migrations are frozen."""

import re

import msgspec
import pytest

from schemas.errors import ConfigError
from schemas.facts import DEAD_LETTERS_TABLE, TABLES, DeadLetterRow
from sinks.clickhouse.client import ClickHouse
from sinks.clickhouse.migrations import FOLDER, apply_migrations, apply_views, read_migrations

SHAPES = TABLES | {DEAD_LETTERS_TABLE: DeadLetterRow}


def test_tables_have_the_columns_of_their_rows_in_the_same_order(database: ClickHouse) -> None:
    columns = {table: [name for (name, *_) in database.rows(f"DESCRIBE TABLE {table}")] for table in SHAPES}
    assert columns == {table: [f.name for f in msgspec.structs.fields(shape)] for table, shape in SHAPES.items()}


def test_every_table_remembers_tokens(database: ClickHouse) -> None:
    tables = database.rows(
        "SELECT name, create_table_query FROM system.tables"
        " WHERE database = currentDatabase() AND engine NOT IN ('View', 'MaterializedView')"
    )
    earlier = {"ledger"}  # rows of earlier versions
    assert {name for name, _ in tables} == {*SHAPES, *earlier, "identity_history", "sink_ledger", "schema_migrations"}
    assert [name for name, ddl in tables if "non_replicated_deduplication_window = 10000" not in ddl] == []


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.sql")), ids=lambda path: path.stem)
def test_migration_says_why_whether_it_blocks_and_how_to_undo_it(path) -> None:
    text = path.read_text()
    for header in ("-- why: ", "-- blocking: no", "-- undo: "):
        assert re.search(f"^{header}", text, re.MULTILINE)
    assert re.search(r" IF (NOT )?EXISTS |^    MODIFY COLUMN ", text, re.MULTILINE), "it can be repeated"


def test_set_up_again_changes_nothing(database: ClickHouse) -> None:
    assert apply_migrations(database, read_migrations()) == []
    assert apply_views(database) > 0


def test_every_migration_can_be_repeated(database: ClickHouse) -> None:
    before = database.rows("SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()")
    for migration in read_migrations():
        database.command(migration.sql)
    after = database.rows("SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()")
    assert sorted(after) == sorted(before)


def test_interrupted_set_up_goes_on_where_it_stopped(bare_database: ClickHouse) -> None:
    everything = read_migrations()
    assert apply_migrations(bare_database, everything[:4]) == [m.name for m in everything[:4]]
    assert apply_migrations(bare_database, everything) == [m.name for m in everything[4:]]


def test_applied_migration_that_was_changed_is_refused(database: ClickHouse) -> None:
    first, second, *rest = read_migrations()
    edited = msgspec.structs.replace(second, sql=second.sql + "\n-- oops")
    with pytest.raises(ConfigError, match=second.name):
        apply_migrations(database, [first, edited, *rest])


def test_database_of_a_newer_version_is_refused(database: ClickHouse) -> None:
    with pytest.raises(ConfigError, match="newer"):
        apply_migrations(database, read_migrations()[:-1])


def test_misnumbered_migration_is_refused(tmp_path) -> None:
    (tmp_path / "0002_create_nothing.sql").write_text("SELECT 1")
    with pytest.raises(ConfigError, match="without gaps"):
        read_migrations(tmp_path)


def test_same_token_inserts_once_and_another_token_again(database: ClickHouse) -> None:
    line = b'{"tenant":"t","event_id":"e","node":"v:1","row_p":0,"row_o":1,"row_i":2,"_p":0,"_o":3,"_i":4}'
    for token in ("a", "a", "b"):
        database.insert("events_superseded", line, token)
    assert database.rows("SELECT count() FROM events_superseded") == [(2,)]
    assert database.rows("SELECT duplicates FROM v_audit_duplicates WHERE table = 'events_superseded'") == [(1,)]
