"""Coordinator of consumer groups: Kafka's classic protocol, where the leader's client assigns the partitions.

A group prepares (waits for everybody to join), completes (waits for the leader's assignment) and is stable until somebody
comes, leaves or dies. A member whose connection is lost is given ``GRACE_S`` to come back and is then out: on one machine
a lost connection nearly always is a dead process, and without this the next rebalance would wait for its session to end.
A static member (``group.instance.id``) keeps its place for its whole session and gets it back without a rebalance.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from stream.embedded.broker import codes
from stream.embedded.broker.members import (
    LONGEST_SESSION_MS,
    Group,
    GroupState,
    Joined,
    Joining,
    Member,
    Synced,
    refused,
    restored,
)

GRACE_S: Final = 1.0
_INITIAL_HOLD_S: Final = 0.2
"""A new group waits this long for more members, so that several workers that start together rebalance once."""


class Groups:
    """All groups. Requests that must wait for other members are answered with a future."""

    def __init__(self, saved: Mapping[str, Any], save: Callable[[str, Any], object]) -> None:
        self.by_id = {ident: restored(ident, dump) for ident, dump in saved.items()}
        self._save = save

    # -- requests -----------------------------------------------------------------------------------------------------

    def join(self, asked: Joining) -> "Joined | asyncio.Future[Joined]":
        """A member comes, comes back, or answers the call to a rebalance."""
        error = self._objection(asked)
        if error:
            return refused(error, asked.member)
        group = self.by_id.setdefault(asked.group, Group(asked.group))
        if not _protocols_fit(group, asked):
            return refused(codes.INCONSISTENT_GROUP_PROTOCOL, asked.member)
        group.kind = asked.kind
        if not asked.member:
            former = group.instance(asked.instance)
            return self._admit(group, asked) if former is None else self._take_over(group, former, asked)
        return self._rejoin(group, group.members[asked.member], asked)

    def _objection(self, asked: Joining) -> int:
        if not asked.group:
            return codes.INVALID_GROUP_ID
        if not 1 <= asked.session_ms <= LONGEST_SESSION_MS or asked.rebalance_ms < 0:
            return codes.INVALID_SESSION_TIMEOUT
        if not asked.protocols or not asked.kind:
            return codes.INCONSISTENT_GROUP_PROTOCOL
        group = self.by_id.get(asked.group)
        return _identity_error(group, asked.member, asked.instance) if asked.member else codes.NONE

    def _admit(self, group: Group, asked: Joining) -> "asyncio.Future[Joined]":
        ident = f"{asked.instance or asked.client}-{uuid.uuid4()}"
        member = group.members[ident] = Member(ident, asked)
        return self._wait_for_all(group, member)

    def _take_over(self, group: Group, former: Member, asked: Joining) -> "Joined | asyncio.Future[Joined]":
        """A static member came back under its name: it gets its place, the former owner is fenced."""
        leader = group.leader
        fresh = Member(f"{asked.instance}-{uuid.uuid4()}", asked)
        fresh.assignment = former.assignment
        former.dismiss(codes.FENCED_INSTANCE_ID)
        group.members = {(fresh if m is former else m).id: fresh if m is former else m for m in group.members.values()}
        if leader == former.id:
            group.leader = fresh.id
        if group.state is GroupState.STABLE and group.favourite_protocol() == group.protocol:
            self._save(group.id, group.dump())
            # The leader's former name, as Kafka answers: nobody is to assign partitions, everything stays as it is.
            return Joined(codes.NONE, group.generation, group.protocol, leader, fresh.id, [])
        return self._wait_for_all(group, fresh)

    def _rejoin(self, group: Group, member: Member, asked: Joining) -> "Joined | asyncio.Future[Joined]":
        changed = member.protocols != asked.protocols
        member.take(asked)
        settled = group.state is GroupState.COMPLETING or (
            group.state is GroupState.STABLE and member.id != group.leader
        )
        if settled and not changed:  # its answer got lost: the same generation again
            return group.joined(member)
        return self._wait_for_all(group, member)

    def _wait_for_all(self, group: Group, member: Member) -> "asyncio.Future[Joined]":
        member.answer_join(refused(codes.UNKNOWN_MEMBER_ID, member.id))
        answer: asyncio.Future[Joined] = asyncio.get_running_loop().create_future()
        member.joining = answer
        if group.state is not GroupState.PREPARING:
            self._prepare(group)
        self._complete_if_all_joined(group)
        return answer

    def sync(
        self,
        ident: str,
        generation: int,
        name: str,
        instance: str | None,
        *,
        assignments: dict[str, bytes],
        connection: object,
    ) -> "Synced | asyncio.Future[Synced]":
        """A member asks for its assignment; the leader brings everybody's."""
        group, member, error = self._member(ident, generation, name, instance)
        if error or group is None or member is None:
            return Synced(error, b"")
        member.seen(connection)
        if group.state is GroupState.PREPARING:
            return Synced(codes.REBALANCE_IN_PROGRESS, b"")
        if group.state is GroupState.STABLE:
            return Synced(codes.NONE, member.assignment)
        if name == group.leader:
            self._assign(group, assignments)
            return Synced(codes.NONE, member.assignment)
        member.answer_sync(Synced(codes.UNKNOWN_MEMBER_ID, b""))
        answer: asyncio.Future[Synced] = asyncio.get_running_loop().create_future()
        member.syncing = answer
        return answer

    def _assign(self, group: Group, assignments: dict[str, bytes]) -> None:
        for member in group.members.values():
            member.assignment = assignments.get(member.id, b"")
            member.seen(member.connection)
            member.answer_sync(Synced(codes.NONE, member.assignment))
        group.state = GroupState.STABLE
        self._save(group.id, group.dump())

    def heartbeat(self, ident: str, generation: int, name: str, instance: str | None, connection: object) -> int:
        """A sign of life; the answer calls to a rebalance."""
        group, member, error = self._member(ident, generation, name, instance)
        if error or group is None or member is None:
            return error
        member.seen(connection)
        return codes.REBALANCE_IN_PROGRESS if group.state is GroupState.PREPARING else codes.NONE

    def leave(self, ident: str, name: str, instance: str | None) -> int:
        """A member goes; a static one may be named by its instance alone."""
        group = self.by_id.get(ident)
        if group is not None and not name:
            former = group.instance(instance)
            name = former.id if former else ""
        error = _identity_error(group, name, instance)
        if error or group is None:
            return error
        self._remove(group, group.members[name])
        return codes.NONE

    def commit_error(self, ident: str, generation: int, name: str, instance: str | None, connection: object) -> int:
        """Whether this member may commit offsets now, as an error code. Outsiders may if the group has no members."""
        group = self.by_id.get(ident)
        if generation < 0 and (group is None or not group.members):
            return codes.NONE
        group, member, error = self._member(ident, generation, name, instance)
        if error or group is None or member is None:
            return error
        member.seen(connection)
        return codes.REBALANCE_IN_PROGRESS if group.state is GroupState.COMPLETING else codes.NONE

    def forget(self, ident: str) -> int:
        """Delete a group; the error says why not."""
        group = self.by_id.get(ident)
        if group is not None and group.members:
            return codes.NON_EMPTY_GROUP
        self.by_id.pop(ident, None)
        return codes.NONE

    # -- time and connections -----------------------------------------------------------------------------------------

    def lost(self, connection: object) -> None:
        """A connection is gone: its members have ``GRACE_S`` to come back on another one."""
        soon = time.monotonic() + GRACE_S
        for group in list(self.by_id.values()):
            for member in list(group.members.values()):
                if member.connection is connection:
                    member.joining = member.syncing = None  # nobody is there to hear the answers
                    if member.instance is None:
                        member.deadline = min(member.deadline, soon)

    def tick(self) -> None:
        """End sessions and overdue rebalances; called a few times a second."""
        now = time.monotonic()
        for group in list(self.by_id.values()):
            for member in list(group.members.values()):
                if now > member.deadline and member.joining is None:
                    self._remove(group, member)
            self._complete_if_all_joined(group)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _member(
        self, ident: str, generation: int, name: str, instance: str | None
    ) -> tuple[Group | None, Member | None, int]:
        group = self.by_id.get(ident)
        error = _identity_error(group, name, instance)
        if error or group is None:
            return group, None, error
        if generation != group.generation:
            return group, None, codes.ILLEGAL_GENERATION
        return group, group.members[name], codes.NONE

    def _prepare(self, group: Group) -> None:
        now = time.monotonic()
        group.hold_until = now + _INITIAL_HOLD_S if group.state is GroupState.EMPTY else 0.0
        group.join_deadline = now + max((member.rebalance_s for member in group.members.values()), default=0.0)
        group.state = GroupState.PREPARING
        for member in group.members.values():
            member.answer_sync(Synced(codes.REBALANCE_IN_PROGRESS, b""))
        if group.hold_until:
            asyncio.get_running_loop().call_later(_INITIAL_HOLD_S + 0.001, self._complete_if_all_joined, group)

    def _complete_if_all_joined(self, group: Group) -> None:
        now = time.monotonic()
        if group.state is not GroupState.PREPARING or now < group.hold_until:
            return
        missing = [member for member in group.members.values() if member.joining is None]
        if missing and now < group.join_deadline:
            return
        for member in missing:
            del group.members[member.id]
        group.generation += 1
        if not group.members:
            group.state, group.leader, group.protocol = GroupState.EMPTY, "", ""
            self._save(group.id, group.dump())
            return
        self._announce(group)

    def _announce(self, group: Group) -> None:
        if group.leader not in group.members:
            group.leader = next(iter(group.members))
        group.protocol = group.favourite_protocol()
        group.state = GroupState.COMPLETING
        for member in group.members.values():
            member.seen(member.connection)
            member.answer_join(group.joined(member))

    def _remove(self, group: Group, member: Member) -> None:
        del group.members[member.id]
        member.dismiss(codes.UNKNOWN_MEMBER_ID)
        if group.state in (GroupState.STABLE, GroupState.COMPLETING):
            self._prepare(group)
        self._complete_if_all_joined(group)


def _identity_error(group: Group | None, name: str, instance: str | None) -> int:
    if group is None:
        return codes.UNKNOWN_MEMBER_ID
    owner = group.instance(instance)
    if owner is not None and owner.id != name:
        return codes.FENCED_INSTANCE_ID
    return codes.NONE if name in group.members else codes.UNKNOWN_MEMBER_ID


def _protocols_fit(group: Group, asked: Joining) -> bool:
    others = [
        member
        for member in group.members.values()
        if member.id != asked.member and (asked.instance is None or member.instance != asked.instance)
    ]
    if not others:
        return True
    common = set(asked.protocols).intersection(*(member.protocols for member in others))
    return group.kind == asked.kind and bool(common)
