"""Answers to the requests of administrators: topics, settings, groups. ``requests`` explains the form of a handler."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from stream.embedded.broker import codes, configs
from stream.embedded.broker.catalog import Catalog
from stream.embedded.broker.groups import Groups
from stream.embedded.broker.members import GroupState
from stream.embedded.broker.requests import Answer, Caller, Response
from stream.embedded.broker.topics import MAX_PARTITIONS, Topics

_TOPIC: Final = 2
_BROKER: Final = 4
_FROM_TOPIC: Final = 1
_FROM_DEFAULT: Final = 5
_NO_OPERATIONS: Final = -(1 << 31)
_DEFAULT_PARTITIONS: Final = 1


class Admin:
    """Handlers of one broker."""

    def __init__(self, topics: Topics, catalog: Catalog, groups: Groups) -> None:
        self._topics = topics
        self._catalog = catalog
        self._groups = groups

    # -- topics -------------------------------------------------------------------------------------------------------

    async def create_topics(self, _caller: Caller, asked: Any) -> Response:
        """Create topics, or only say whether they could be."""
        return 0, [await self._create_topic(wanted, validate=asked.validate) for wanted in asked.topics or ()]

    async def _create_topic(self, wanted: Any, *, validate: bool) -> Response:
        count = len(wanted.assignments or ()) or (_DEFAULT_PARTITIONS if wanted.partitions == -1 else wanted.partitions)
        replication = 1 if wanted.assignments else wanted.replication
        error = self._topics.objection(wanted.name, count, replication)
        if error:
            return wanted.name, error, _reason(error)
        own = dict(wanted.configs or ())
        wrong = configs.mistakes(own)
        if wrong:
            return wanted.name, codes.INVALID_CONFIG, wrong
        if not validate:
            await self._topics.create(wanted.name, count, own)
        return wanted.name, codes.NONE, None

    async def create_partitions(self, _caller: Caller, asked: Any) -> Response:
        """Give topics more partitions."""
        rows: list[Response] = []
        for wanted in asked.topics or ():
            topic = self._topics.by_name.get(wanted.name)
            error = codes.NONE
            if topic is None:
                error = codes.UNKNOWN_TOPIC_OR_PARTITION
            elif not len(topic.partitions) < wanted.count <= MAX_PARTITIONS:
                error = codes.INVALID_PARTITIONS
            elif not asked.validate:
                await self._topics.extend(wanted.name, wanted.count)
            rows.append((wanted.name, error, _reason(error)))
        return 0, rows

    async def delete_topics(self, _caller: Caller, asked: Any) -> Response:
        """Delete topics with everything in them."""
        rows: list[Response] = []
        for name in asked.names or ():
            known = name in self._topics.by_name
            if known:
                await self._topics.delete(name)
            rows.append((name, codes.NONE if known else codes.UNKNOWN_TOPIC_OR_PARTITION))
        return 0, rows

    # -- settings -----------------------------------------------------------------------------------------------------

    def describe_configs(self, _caller: Caller, asked: Any) -> Answer:
        """The settings of topics; a broker has none to show."""
        return 0, [self._described(kind, name, keys) for kind, name, keys in asked.resources or ()]

    def _described(self, kind: int, name: str, keys: list[str] | None) -> Response:
        if kind == _BROKER:
            return codes.NONE, None, kind, name, []
        error = self._resource_error(kind, name)
        if error:
            return error, _reason(error), kind, name, []
        own = self._topics.by_name[name].own
        rows: list[Response] = [
            (key, value, False, key not in own, _FROM_TOPIC if key in own else _FROM_DEFAULT, False, [])
            for key, value in {**configs.ALL, **own}.items()
            if keys is None or key in keys
        ]
        return codes.NONE, None, kind, name, rows

    def _resource_error(self, kind: int, name: str) -> int:
        if kind != _TOPIC:
            return codes.INVALID_REQUEST
        return codes.NONE if name in self._topics.by_name else codes.UNKNOWN_TOPIC_OR_PARTITION

    async def alter_configs(self, _caller: Caller, asked: Any) -> Response:
        """Replace topics' own settings."""
        rows = [
            await self._configure(kind, name, partial(_replaced, given), validate=asked.validate)
            for kind, name, given in asked.resources or ()
        ]
        return 0, rows

    async def change_configs(self, _caller: Caller, asked: Any) -> Response:
        """Change single settings of topics (IncrementalAlterConfigs)."""
        rows = [
            await self._configure(kind, name, partial(_applied, given), validate=asked.validate)
            for kind, name, given in asked.resources or ()
        ]
        return 0, rows

    async def _configure(
        self, kind: int, name: str, change: Callable[[dict[str, str]], dict[str, Any]], *, validate: bool
    ) -> Response:
        error = self._resource_error(kind, name)
        if error:
            return error, _reason(error), kind, name
        after = change(self._topics.by_name[name].own)
        wrong = configs.mistakes(after)
        if wrong:
            return codes.INVALID_CONFIG, wrong, kind, name
        if not validate:
            await self._topics.configure(name, after)
        return codes.NONE, None, kind, name

    # -- groups -------------------------------------------------------------------------------------------------------

    def list_groups(self, _caller: Caller, _asked: Any) -> Answer:
        """Groups with members and groups that only have offsets."""
        kinds = {name: "" for name, committed in self._catalog.offsets.items() if committed}
        kinds |= {group.id: group.kind for group in self._groups.by_id.values()}
        return 0, codes.NONE, list(kinds.items())

    def describe_groups(self, _caller: Caller, asked: Any) -> Answer:
        """Members and assignments."""
        return 0, [self._described_group(name) for name in asked.groups or ()]

    def _described_group(self, name: str) -> Response:
        group = self._groups.by_id.get(name)
        if group is None:
            state = "Empty" if self._catalog.offsets.get(name) else "Dead"
            return codes.NONE, name, state, "", "", [], _NO_OPERATIONS
        settled = group.state in (GroupState.STABLE, GroupState.COMPLETING)
        members = [
            (
                member.id,
                member.instance,
                member.client,
                member.host,
                member.protocols.get(group.protocol, b"") if settled else b"",
                member.assignment if settled else b"",
            )
            for member in group.members.values()
        ]
        protocol = group.protocol if settled else ""
        return codes.NONE, name, str(group.state), group.kind, protocol, members, _NO_OPERATIONS

    async def delete_groups(self, _caller: Caller, asked: Any) -> Response:
        """Delete groups that have no members, with their offsets."""
        rows: list[Response] = []
        for name in asked.groups or ():
            known = name in self._groups.by_id or bool(self._catalog.offsets.get(name))
            error = self._groups.forget(name) if known else codes.GROUP_ID_NOT_FOUND
            if not error:
                await self._catalog.delete_group(name)
            rows.append((name, error))
        return 0, rows


def _replaced(given: Any, _own: dict[str, str]) -> dict[str, Any]:
    return dict(given or ())


def _applied(changes: Any, own: dict[str, str]) -> dict[str, Any]:
    after: dict[str, Any] = dict(own)
    for change in changes or ():
        after = dict(configs.changed(after, change.name, change.operation, change.value))
    return after


_REASONS: Final = {
    codes.INVALID_TOPIC_EXCEPTION: "a topic's name has 1 to 249 characters out of A-Z a-z 0-9 . _ -",
    codes.TOPIC_ALREADY_EXISTS: "the topic exists already",
    codes.INVALID_PARTITIONS: f"a topic has 1 to {MAX_PARTITIONS} partitions, and their number can only grow",
    codes.INVALID_REPLICATION_FACTOR: "this is a single broker: the replication factor can only be 1",
    codes.UNKNOWN_TOPIC_OR_PARTITION: "there is no such topic",
    codes.INVALID_REQUEST: "only topics have settings here",
}


def _reason(error: int) -> str | None:
    return _REASONS.get(error)
