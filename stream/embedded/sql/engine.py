"""The ClickHouse engine of this process, over one folder.

Besides it only the Parquet reader of imports, in a process of its own, imports chDB.

Connections are cheap (0.6 ms of CPU) and isolated: settings, parameters and the database that one SETs are seen by no other.
So every query gets a connection of its own and nothing has to be undone; only inserts share one (``inserts``). The engine
releases the GIL while it works.
"""

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from schemas.errors import ConfigError
from stream.embedded.sql.configuration import CONSOLE_LIMITS, CONSOLE_PROFILE, write_configuration
from stream.embedded.sql.errors import EngineError
from stream.embedded.sql.footprint import release_library_pages
from stream.embedded.sql.tokens import take_back_orphans

# The engine reads the zone when it is loaded; times in answers must not depend on where the machine stands.
os.environ["TZ"] = "UTC"
# So does its allocator with this. It would keep for 5 s what is freed, and under load there is always a merge or an insert.
os.environ.setdefault("JE_MALLOC_CONF", "dirty_decay_ms:500")

log = logging.getLogger(__name__)

READ: Final = "read"
WRITE: Final = "write"
CONTROL: Final = "control"

_KINDS: Final = {"READ_ONLY": READ, "MUTATING": WRITE, "CONTROL": CONTROL}
_SERVER_MEMORY_BYTES: Final = 2 << 30
_UNSAFE_IN_PATH: Final = "?&#%"


class Answer(msgspec.Struct, frozen=True):
    """Bytes in the format asked for, and what the engine counted."""

    body: bytes = b""
    read_rows: int = 0
    read_bytes: int = 0
    result_rows: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    elapsed_s: float = 0.0


class Connection:
    """One query's view of the engine. Not shared between threads; close it."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget the connection and its settings."""
        self._raw.close()

    def use(self, database: str) -> None:
        """Make ``database`` the one of unqualified names."""
        self._run(f"USE `{database.replace(chr(92), chr(92) * 2).replace('`', chr(92) + '`')}`")

    def set(self, settings: Mapping[str, str]) -> None:
        """SET settings (and ``param_*``); names are checked by the caller."""
        if settings:
            self._run("SET " + ", ".join(f"{name} = {_quoted(value)}" for name, value in settings.items()))

    def confine(self) -> None:
        """Take on the console's limits; what is set afterwards has to stay within the profile's bounds."""
        self._run(f"SET profile = '{CONSOLE_PROFILE}'")
        self.set(CONSOLE_LIMITS)

    def restrict(self, readonly: str) -> None:
        """Last of all: "1" only reads, "2" reads with settings of the statement's own. There is no way back."""
        self.set({"readonly": readonly})

    def kind(self, sql: str) -> tuple[str, int]:
        """READ, WRITE or CONTROL (SET, SYSTEM, KILL, INTO OUTFILE, whatever else), and the number of statements."""
        report = self._raw.classify_query(sql)
        return _KINDS.get(report["query_class"].name, CONTROL), report["statement_count"]

    def canonical(self, sql: str) -> str:
        """The statement as the engine itself writes it; raises EngineError if it is not one statement."""
        try:
            found = self._raw.query("SELECT formatQuery({q:String})", "RawBLOB", params={"q": _escaped(sql)})
        except RuntimeError as error:
            raise EngineError(_about_sql(str(error))) from None
        return bytes(found.bytes()).decode("utf-8", "surrogateescape")

    def query(self, sql: str, output: str) -> Answer:
        """Run any one statement; rows come in format ``output`` unless it has its own."""
        found = self._run(sql, output)
        return Answer(
            found.bytes(),
            found.storage_rows_read(),
            found.storage_bytes_read(),
            found.rows_read(),
            found.rows_written(),
            found.bytes_written(),
            found.elapsed(),
        )

    def insert(self, head: str, rows_format: str, chunks: Iterable[bytes]) -> Answer:
        """Insert rows. Blocks are cut by rows, not by chunks, so identical bytes give identical blocks.

        Args:
            head: ``INSERT INTO t (a, b)``, without FORMAT.
            rows_format: ClickHouse's name of the rows' format.
            chunks: the rows' bytes, cut anywhere.
        """
        try:
            sink = self._raw.send_insert(head, rows_format)
            for chunk in chunks:
                self._raw.insert_append(sink, chunk)
            done = self._raw.insert_done(sink)
        except RuntimeError as error:
            raise EngineError(str(error)) from None
        return Answer(
            b"", written_rows=done.rows_written(), written_bytes=done.bytes_written(), elapsed_s=done.elapsed()
        )

    def _run(self, sql: str, output: str = "TabSeparated") -> Any:
        try:
            return self._raw.query(sql, output)
        except RuntimeError as error:
            raise EngineError(str(error)) from None


class Engine:
    """The engine. One folder a process and one process a folder (``folder.lock`` sees to the second)."""

    def __init__(self, folder: Path, *, sync_inserts: bool) -> None:
        if any(sign in str(folder) for sign in _UNSAFE_IN_PATH):
            raise ConfigError(f"the SQL folder's path may not contain any of {_UNSAFE_IN_PATH}: {folder}")
        config = write_configuration(
            folder / "config", server_memory_bytes=_SERVER_MEMORY_BYTES, sync_inserts=sync_inserts
        )
        store = folder / "store"
        store.mkdir(exist_ok=True)
        orphans = take_back_orphans(store)
        if orphans:
            log.warning("%d inserts were cut short by a kill; whoever sent them repeats them", orphans)
        # SURPRISE: imported here, not above: loading takes a second and 230 MB, and --help needs neither. The public
        # chdb.session would import pandas and pyarrow as well and hides per-connection settings.
        self._open: Callable[[str], Any] = import_module("chdb._chdb").connect
        self._address = f"{store}?config-file={config}"
        self._root = self._open(self._address)  # keeps the engine alive between queries
        with self.connection() as warm:
            _replace_default_database(warm, known=(store / "metadata" / "default.sql").exists())
            found = warm.query("SELECT version(), timezone()", "TabSeparated").body.decode().split()
        self.version, self.timezone = found
        release_library_pages()

    def connection(self) -> Connection:
        """A fresh connection with the defaults."""
        return Connection(self._open(self._address))

    def kill_all(self) -> None:
        """Tell every running query to stop."""
        with self.connection() as connection:
            connection.query("KILL QUERY WHERE 1 ASYNC", "Null")

    def close(self) -> None:
        """Flush and release the folder."""
        self._root.close()


def _replace_default_database(connection: Connection, *, known: bool) -> None:
    """Make ``default`` a database like any other: chDB's own also shows the file system as tables.

    SURPRISE: Ordinary, not Atomic: the engine starts with its own ``default`` and so never learns the UUID of ours, and
    an Atomic one cannot be attached again without it ("Cannot find UUID mapping").
    """
    connection.query("DETACH DATABASE default", "Null")
    connection.set({"allow_deprecated_database_ordinary": "1"})
    connection.query("ATTACH DATABASE default" if known else "CREATE DATABASE default ENGINE = Ordinary", "Null")


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _escaped(text: str) -> str:
    """Parameter values are read as TabSeparated fields."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def _about_sql(text: str) -> str:
    """Drop what an error says about our own wrapping of the statement."""
    head, wrapped, _ = text.partition(": In scope SELECT formatQuery(")
    return f"{head}. (SYNTAX_ERROR)" if wrapped else text
