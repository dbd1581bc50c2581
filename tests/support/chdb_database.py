"""ClickHouse's engine inside the test process, through the product's own client: no server, no port.

chDB allows one folder a process, so all tests of a run share one engine; each test gets a database of its own.
"""

from collections.abc import Iterator
from itertools import count

import clickhouse_connect
import pytest

from schemas.facts import DEAD_LETTERS_TABLE, TABLES
from sinks.clickhouse.client import ClickHouse
from sinks.clickhouse.migrations import apply_migrations, apply_views, read_migrations

_numbers = count(1)


@pytest.fixture(scope="session")
def chdb_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("chdb"))


def connect(folder: str, database: str) -> ClickHouse:
    return ClickHouse(clickhouse_connect.get_client(interface="chdb", path=folder, database=database, query_limit=0))


@pytest.fixture
def bare_database(chdb_folder: str) -> Iterator[ClickHouse]:
    """An empty database."""
    name = f"t{next(_numbers)}"
    with_default = connect(chdb_folder, "default")
    with_default.command(f"CREATE DATABASE {name}")
    database = connect(chdb_folder, name)
    yield database
    with_default.command(f"DROP DATABASE {name}")
    database.close()
    with_default.close()


@pytest.fixture(scope="session")
def _set_up_database(chdb_folder: str) -> Iterator[ClickHouse]:
    with_default = connect(chdb_folder, "default")
    with_default.command("CREATE DATABASE set_up")
    database = connect(chdb_folder, "set_up")
    apply_migrations(database, read_migrations())
    apply_views(database)
    yield database
    database.close()
    with_default.close()


@pytest.fixture
def database(_set_up_database: ClickHouse) -> Iterator[ClickHouse]:
    """A database with all tables, empty, and views. Setting one up takes a second, emptying it does not."""
    yield _set_up_database
    for table in [*TABLES, DEAD_LETTERS_TABLE, "identity_history", "ledger", "sink_ledger"]:
        _set_up_database.command(f"TRUNCATE TABLE {table}")
