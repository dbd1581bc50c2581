"""Answers to the requests of consumer groups: membership and offsets. ``requests`` explains the form of a handler."""

from collections.abc import Awaitable
from typing import Any

from stream.embedded.broker import codes
from stream.embedded.broker.catalog import Catalog
from stream.embedded.broker.groups import Groups
from stream.embedded.broker.members import Joined, Joining, Synced
from stream.embedded.broker.requests import Answer, Caller, Response
from stream.embedded.broker.topics import Topics


class Coordination:
    """Handlers of one broker."""

    def __init__(self, topics: Topics, catalog: Catalog, groups: Groups) -> None:
        self._topics = topics
        self._catalog = catalog
        self._groups = groups

    # -- offsets --------------------------------------------------------------------------------------------

    def commit_offsets(self, caller: Caller, asked: Any) -> Answer:
        """Store a group's offsets."""
        group = asked.group or ""
        refused = self._groups.commit_error(group, asked.generation, asked.member or "", asked.instance, caller)
        rows: list[tuple[str, int, int, str | None]] = []
        results: list[Response] = []
        for name, partitions in asked.topics or ():
            answers = []
            for wanted in partitions:
                known = self._topics.partition(name, wanted.index) is not None
                error = refused or (codes.NONE if known else codes.UNKNOWN_TOPIC_OR_PARTITION)
                if not error:
                    rows.append((name, wanted.index, wanted.offset, wanted.metadata))
                answers.append((wanted.index, error))
            results.append((name, answers))
        return self._committed(group, rows, results) if rows else (0, results)

    async def _committed(
        self, group: str, rows: list[tuple[str, int, int, str | None]], results: list[Response]
    ) -> Response:
        await self._catalog.commit(group, rows)
        return 0, results

    def fetch_offsets(self, _caller: Caller, asked: Any) -> Answer:
        """A group's offsets: those asked for, or all."""
        committed = self._catalog.offsets.get(asked.group or "", {})
        wanted: dict[str, list[int]] = {}
        if asked.topics is None:
            for name, index in committed:
                wanted.setdefault(name, []).append(index)
        else:
            wanted = {name: partitions or [] for name, partitions in asked.topics}
        topics = []
        for name, partitions in wanted.items():
            found = [(index, committed.get((name, index))) for index in partitions]
            topics.append(
                (name, [(i, c.offset, -1, c.metadata, 0) if c else (i, -1, -1, "", codes.NONE) for i, c in found])
            )
        return 0, topics, codes.NONE

    # -- membership ---------------------------------------------------------------------------------------------------

    def join_group(self, caller: Caller, asked: Any) -> Answer:
        """See ``Groups.join``."""
        joining = Joining(
            asked.group or "",
            asked.session_ms,
            asked.rebalance_ms,
            asked.member or "",
            asked.instance,
            asked.kind or "",
            {name: bytes(metadata or b"") for name, metadata in asked.protocols or ()},
            caller.client,
            caller.host,
            caller,
        )
        answer = self._groups.join(joining)
        return (0, *answer) if isinstance(answer, Joined) else _throttled(answer)

    def sync_group(self, caller: Caller, asked: Any) -> Answer:
        """See ``Groups.sync``."""
        assignments = {ident: bytes(assignment or b"") for ident, assignment in asked.assignments or ()}
        answer = self._groups.sync(
            asked.group or "",
            asked.generation,
            asked.member or "",
            asked.instance,
            assignments=assignments,
            connection=caller,
        )
        return (0, *answer) if isinstance(answer, Synced) else _throttled(answer)

    def heartbeat(self, caller: Caller, asked: Any) -> Answer:
        """See ``Groups.heartbeat``."""
        return 0, self._groups.heartbeat(
            asked.group or "", asked.generation, asked.member or "", asked.instance, caller
        )

    def leave_group(self, _caller: Caller, asked: Any) -> Answer:
        """See ``Groups.leave``; version 3 names several members."""
        if asked.members is None:
            return 0, self._groups.leave(asked.group or "", asked.member or "", None), []
        rows = [
            (name, instance, self._groups.leave(asked.group or "", name or "", instance))
            for name, instance in asked.members
        ]
        return 0, codes.NONE, rows


async def _throttled(answer: Awaitable[Any]) -> Response:
    return 0, *(await answer)
