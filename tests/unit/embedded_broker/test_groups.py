import asyncio
from typing import Any

from stream.embedded.broker import codes
from stream.embedded.broker.groups import Groups
from stream.embedded.broker.members import Joined, Joining, Synced


class Coordinator(Groups):
    """Groups that remember what they saved."""

    def __init__(self, saved: dict[str, Any] | None = None) -> None:
        self.saved: dict[str, Any] = dict(saved or {})
        super().__init__(self.saved, self.saved.__setitem__)


def joining(member: str = "", instance: str | None = None, connection: object = None, **given: Any) -> Joining:
    protocols = given.pop("protocols", {"range": b"meta"})
    return Joining("g", 300_000, 300_000, member, instance, "consumer", protocols, "client", "/host", connection)


async def settled(answer: Joined | asyncio.Future[Joined]) -> Joined:
    return answer if isinstance(answer, Joined) else await asyncio.wait_for(answer, 5)


def sync(groups: Groups, joined: Joined, assignments: dict[str, bytes] | None = None) -> Any:
    return groups.sync("g", joined.generation, joined.member, None, assignments=assignments or {}, connection=None)


async def pair(groups: Groups) -> tuple[Joined, Joined]:
    """A stable group of two; the first one leads."""
    first, second = await asyncio.gather(settled(groups.join(joining())), settled(groups.join(joining())))
    waiting = sync(groups, second)
    assert sync(groups, first, {first.member: b"1", second.member: b"2"}) == Synced(codes.NONE, b"1")
    assert await waiting == Synced(codes.NONE, b"2")
    return first, second


async def test_members_that_start_together_are_in_one_generation_with_one_leader() -> None:
    groups = Coordinator()
    first, second = await pair(groups)
    assert (first.generation, second.generation) == (1, 1)
    assert first.leader == second.leader == first.member
    assert [name for name, _, _ in first.members] == [first.member, second.member]
    assert second.members == []


async def test_a_newcomer_calls_everybody_to_a_new_generation() -> None:
    groups = Coordinator()
    first, second = await pair(groups)
    newcomer = groups.join(joining())
    assert groups.heartbeat("g", 1, first.member, None, None) == codes.REBALANCE_IN_PROGRESS
    answers = await asyncio.gather(
        settled(newcomer), settled(groups.join(joining(first.member))), settled(groups.join(joining(second.member)))
    )
    assert {answer.generation for answer in answers} == {2}
    assert groups.heartbeat("g", 1, first.member, None, None) == codes.ILLEGAL_GENERATION


async def test_a_lost_connection_ends_a_dynamic_member_and_not_a_static_one() -> None:
    groups = Coordinator()
    wire_a, wire_b = object(), object()
    static, dynamic = await asyncio.gather(
        settled(groups.join(joining(instance="box", connection=wire_a))),
        settled(groups.join(joining(connection=wire_b))),
    )
    groups.lost(wire_a)
    groups.lost(wire_b)
    await asyncio.sleep(1.1)
    groups.tick()
    assert list(groups.by_id["g"].members) == [static.member]
    assert groups.heartbeat("g", 1, dynamic.member, None, None) == codes.UNKNOWN_MEMBER_ID


async def test_a_member_that_comes_back_on_another_connection_stays() -> None:
    groups = Coordinator()
    old, new = object(), object()
    member = await settled(groups.join(joining(connection=old)))
    assert sync(groups, member, {member.member: b"1"}).error == codes.NONE
    groups.lost(old)
    assert groups.heartbeat("g", 1, member.member, None, new) == codes.NONE
    groups.lost(old)
    await asyncio.sleep(1.1)
    groups.tick()
    assert member.member in groups.by_id["g"].members


async def test_a_static_member_takes_its_place_over_and_fences_the_former_owner() -> None:
    groups = Coordinator()
    former = await settled(groups.join(joining(instance="box")))
    assert sync(groups, former, {former.member: b"all"}).assignment == b"all"
    back = await settled(groups.join(joining(instance="box")))
    assert (back.error, back.generation, back.members) == (codes.NONE, 1, [])
    assert back.member != former.member == back.leader
    assert sync(groups, back) == Synced(codes.NONE, b"all")
    assert groups.heartbeat("g", 1, former.member, "box", None) == codes.FENCED_INSTANCE_ID
    assert groups.leave("g", "", "box") == codes.NONE


async def test_a_group_outlives_the_coordinator() -> None:
    groups = Coordinator()
    first, second = await pair(groups)
    reborn = Coordinator(groups.saved)
    assert reborn.heartbeat("g", 1, first.member, None, None) == codes.NONE
    assert sync(reborn, second) == Synced(codes.NONE, b"2")


async def test_members_without_a_common_protocol_do_not_share_a_group() -> None:
    groups = Coordinator()
    await settled(groups.join(joining()))
    answer = await settled(groups.join(joining(protocols={"sticky": b""})))
    assert answer.error == codes.INCONSISTENT_GROUP_PROTOCOL


async def test_wrong_requests_get_kafkas_errors() -> None:
    groups = Coordinator()
    assert (await settled(groups.join(joining("stranger")))).error == codes.UNKNOWN_MEMBER_ID
    assert (await settled(groups.join(joining()._replace(group="")))).error == codes.INVALID_GROUP_ID
    assert (await settled(groups.join(joining()._replace(session_ms=0)))).error == codes.INVALID_SESSION_TIMEOUT
    assert groups.leave("nobody", "x", None) == codes.UNKNOWN_MEMBER_ID
    assert groups.commit_error("outsider", -1, "", None, None) == codes.NONE
    first, _ = await pair(groups)
    assert groups.commit_error("g", -1, "", None, None) == codes.UNKNOWN_MEMBER_ID
    assert groups.commit_error("g", 1, first.member, None, None) == codes.NONE
    assert groups.forget("g") == codes.NON_EMPTY_GROUP
