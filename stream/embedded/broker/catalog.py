"""What the broker must remember besides the logs, in SQLite: topics, committed offsets, groups, producer ids.

Reads come from memory (loaded at start). Writes go to one thread that puts everything that waits into one transaction,
so neither SQLite nor its syncs ever hold up the loop, and many commits share one sync.
"""

import asyncio
import contextlib
import json
import os
import queue
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

_SCHEMA: Final = """
create table if not exists topics(name text primary key, partitions integer, config text) without rowid;
create table if not exists offsets(grp text, topic text, partition integer, offset integer, metadata text,
    primary key(grp, topic, partition)) without rowid;
create table if not exists groups(id text primary key, state text) without rowid;
create table if not exists facts(name text primary key, value text) without rowid;
"""
_FIRST_PID: Final = 1000
_PID_BLOCK: Final = 1000

Statement = tuple[str, Sequence[Sequence[Any]]]


class Committed(NamedTuple):
    """A committed offset."""

    offset: int
    metadata: str | None


class _Write(NamedTuple):
    statements: list[Statement]
    done: "asyncio.Future[None]"


class Catalog:
    """The catalog of one data folder. ``durable``: a write is answered when it is on disk."""

    def __init__(self, path: Path, *, durable: bool) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("pragma journal_mode=wal")
        self._db.execute(f"pragma synchronous={'full' if durable else 'normal'}")
        self._db.executescript(_SCHEMA)
        self.cluster = self._fact("cluster", os.urandom(12).hex())
        self._pid = self._pid_limit = int(self._fact("pid", str(_FIRST_PID)))
        self.topics: dict[str, tuple[int, dict[str, str]]] = {
            name: (count, json.loads(config))
            for name, count, config in self._db.execute("select name, partitions, config from topics")
        }
        self.offsets: dict[str, dict[tuple[str, int], Committed]] = {}
        for group, topic, partition, offset, metadata in self._db.execute("select * from offsets"):
            self.offsets.setdefault(group, {})[topic, partition] = Committed(offset, metadata)
        self.groups: dict[str, Any] = {
            name: json.loads(state) for name, state in self._db.execute("select id, state from groups")
        }
        self._waiting: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="catalog", daemon=True)
        self._writer.start()

    def _fact(self, name: str, default: str) -> str:
        self._db.execute("insert or ignore into facts values(?, ?)", (name, default))
        found: str = self._db.execute("select value from facts where name = ?", (name,)).fetchone()[0]
        return found

    # -- writes -------------------------------------------------------------------------------------------------------

    def save_topic(self, name: str, partitions: int, config: dict[str, str]) -> "asyncio.Future[None]":
        """Store a topic, new or changed."""
        self.topics[name] = (partitions, config)
        return self._write([("replace into topics values(?, ?, ?)", [(name, partitions, json.dumps(config))])])

    def delete_topic(self, name: str) -> "asyncio.Future[None]":
        """Forget a topic and what groups had committed on it."""
        self.topics.pop(name, None)
        for committed in self.offsets.values():
            for place in [place for place in committed if place[0] == name]:
                del committed[place]
        return self._write(
            [("delete from topics where name = ?", [(name,)]), ("delete from offsets where topic = ?", [(name,)])]
        )

    def commit(self, group: str, rows: Iterable[tuple[str, int, int, str | None]]) -> "asyncio.Future[None]":
        """Store offsets: (topic, partition, offset, metadata)."""
        given = list(rows)
        committed = self.offsets.setdefault(group, {})
        for topic, partition, offset, metadata in given:
            committed[topic, partition] = Committed(offset, metadata)
        return self._write([("replace into offsets values(?, ?, ?, ?, ?)", [(group, *row) for row in given])])

    def save_group(self, group: str, state: Any) -> "asyncio.Future[None]":
        """Store a group's members and generation."""
        return self._write([("replace into groups values(?, ?)", [(group, json.dumps(state))])])

    def delete_group(self, group: str) -> "asyncio.Future[None]":
        """Forget a group and its offsets."""
        self.offsets.pop(group, None)
        return self._write(
            [("delete from groups where id = ?", [(group,)]), ("delete from offsets where grp = ?", [(group,)])]
        )

    async def next_pid(self) -> int:
        """A producer id that was never given out; ids are reserved by the thousand."""
        if self._pid == self._pid_limit:
            self._pid_limit += _PID_BLOCK
            pid = self._pid
            self._pid += 1
            await self._write([("replace into facts values('pid', ?)", [(str(self._pid_limit),)])])
            return pid
        self._pid += 1
        return self._pid - 1

    def _write(self, statements: list[Statement]) -> "asyncio.Future[None]":
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put(_Write(statements, done))
        return done

    # -- the writing thread -------------------------------------------------------------------------------------------

    def _write_all(self) -> None:
        running = True
        while running:
            taken = [self._waiting.get()]
            with contextlib.suppress(queue.Empty):
                while True:
                    taken.append(self._waiting.get_nowait())
            running = None not in taken
            self._write_together([write for write in taken if write is not None])

    def _write_together(self, writes: list[_Write]) -> None:
        failure: Exception | None = None
        try:
            self._db.execute("begin immediate")
            for write in writes:
                for statement, rows in write.statements:
                    self._db.executemany(statement, rows)
            self._db.execute("commit")
        except sqlite3.Error as error:
            failure = error
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("rollback")
        for loop in {write.done.get_loop() for write in writes}:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the broker has stopped and nobody waits
                loop.call_soon_threadsafe(_settle, [w.done for w in writes if w.done.get_loop() is loop], failure)

    def close(self) -> None:
        """Write what waits and close the file."""
        self._waiting.put(None)
        self._writer.join()
        self._db.close()


def _settle(waiting: "list[asyncio.Future[None]]", failure: Exception | None) -> None:
    for done in waiting:
        if done.done():
            continue
        if failure is None:
            done.set_result(None)
        else:
            done.set_exception(failure)
            done.exception()  # a write nobody awaits (a group's state) is not an unhandled error
