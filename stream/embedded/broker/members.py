"""Consumer groups as values: members, generations, and what the coordinator answers them."""

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stream.embedded.broker import codes

if TYPE_CHECKING:
    import asyncio


class GroupState(StrEnum):
    """States of a group, with Kafka's names."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"


class Joined(NamedTuple):
    """Answer to a join."""

    error: int
    generation: int
    protocol: str
    leader: str
    member: str
    members: list[tuple[str, str | None, bytes]]


class Synced(NamedTuple):
    """Answer to a sync."""

    error: int
    assignment: bytes


class Joining(NamedTuple):
    """A request to join."""

    group: str
    session_ms: int
    rebalance_ms: int
    member: str
    instance: str | None
    kind: str
    protocols: dict[str, bytes]
    client: str
    host: str
    connection: object


def refused(error: int, member: str) -> Joined:
    """A join that failed."""
    return Joined(error, -1, "", "", member, [])


class Member:
    """One member. ``joining`` and ``syncing`` are its requests that wait for the others."""

    def __init__(self, ident: str, asked: Joining) -> None:
        self.id = ident
        self.instance = asked.instance
        self.client = asked.client
        self.host = asked.host
        self.assignment = b""
        self.joining: asyncio.Future[Joined] | None = None
        self.syncing: asyncio.Future[Synced] | None = None
        self.take(asked)

    def take(self, asked: Joining) -> None:
        """Take over what the latest join says."""
        self.session_s = asked.session_ms / 1000
        self.rebalance_s = asked.rebalance_ms / 1000
        self.protocols = asked.protocols
        self.seen(asked.connection)

    def seen(self, connection: object) -> None:
        """It gave a sign of life on ``connection``."""
        self.connection = connection
        self.deadline = time.monotonic() + self.session_s

    def answer_join(self, answer: Joined) -> None:
        """Answer the join that waits, if one does."""
        if self.joining is not None and not self.joining.done():
            self.joining.set_result(answer)
        self.joining = None

    def answer_sync(self, answer: Synced) -> None:
        """Answer the sync that waits, if one does."""
        if self.syncing is not None and not self.syncing.done():
            self.syncing.set_result(answer)
        self.syncing = None

    def dismiss(self, error: int) -> None:
        """Answer everything that waits with an error."""
        self.answer_join(refused(error, self.id))
        self.answer_sync(Synced(error, b""))

    def dump(self) -> list[Any]:
        """As JSON, for the catalog."""
        protocols = {name: metadata.hex() for name, metadata in self.protocols.items()}
        return [
            self.id,
            self.instance,
            self.client,
            self.host,
            self.session_s,
            self.rebalance_s,
            protocols,
            self.assignment.hex(),
        ]


class Group:
    """One group."""

    def __init__(self, ident: str) -> None:
        self.id = ident
        self.state = GroupState.EMPTY
        self.generation = 0
        self.kind = ""
        self.protocol = ""
        self.leader = ""
        self.members: dict[str, Member] = {}
        self.join_deadline = 0.0
        self.hold_until = 0.0

    def instance(self, name: str | None) -> Member | None:
        """The member with this static name."""
        if name is None:
            return None
        return next((member for member in self.members.values() if member.instance == name), None)

    def common_protocols(self) -> set[str]:
        """Protocols that every member knows."""
        return set.intersection(*(set(member.protocols) for member in self.members.values()))

    def favourite_protocol(self) -> str:
        """The common protocol that most members prefer."""
        common = self.common_protocols()
        votes = [next(p for p in member.protocols if p in common) for member in self.members.values()]
        return max(sorted(common), key=votes.count)

    def joined(self, member: Member) -> Joined:
        """What ``member`` is told about this generation; the leader gets everybody's metadata."""
        members = (
            [(each.id, each.instance, each.protocols[self.protocol]) for each in self.members.values()]
            if member.id == self.leader
            else []
        )
        return Joined(codes.NONE, self.generation, self.protocol, self.leader, member.id, members)

    def dump(self) -> list[Any]:
        """As JSON, for the catalog."""
        members = [member.dump() for member in self.members.values()]
        return [self.generation, self.kind, self.protocol, self.leader, members]


def restored(ident: str, dump: list[Any]) -> Group:
    """A group as it was when it was stored. Members outlive a restart of the broker, as in Kafka."""
    group = Group(ident)
    group.generation, group.kind, group.protocol, group.leader, members = dump
    for name, instance, client, host, session_s, rebalance_s, protocols, assignment in members:
        known = {protocol: bytes.fromhex(metadata) for protocol, metadata in protocols.items()}
        asked = Joining(
            ident, int(session_s * 1000), int(rebalance_s * 1000), name, instance, group.kind, known, client, host, None
        )
        member = group.members[name] = Member(name, asked)
        member.assignment = bytes.fromhex(assignment)
    group.state = GroupState.STABLE if group.members else GroupState.EMPTY
    return group


LONGEST_SESSION_MS: Final = 1_800_000
