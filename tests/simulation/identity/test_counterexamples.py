"""Every rule of the forest, with what happens if it is left out.

Each test plays one small set of inputs under many schedules: with the rule every one of them ends at the oracle's
answer, without it at least one does not. The rules are taken out here, never by a switch in the product.
"""

import random
from collections import deque

import pytest

from schemas import topics
from schemas.ids import partition_of
from schemas.messages import BEGINNING, Claim, Merge, Owner, Resolved, Retract, Subscribe, Token, Unsubscribe
from schemas.rules import Rules
from stream.core import identity
from stream.core.identity import node, protocol, resolution, subscribers, timeline
from stream.core.nodes import Held
from stream.core.state import MemoryState
from stream.core.step import Step
from tests.simulation.identity.inputs import Hit, Input, SessionUser, decoder, n
from tests.simulation.identity.laws import check_all, nodes
from tests.simulation.identity.leaves import Leaves
from tests.simulation.identity.world import OUTSIDE, Laws, World, Wrong

SCHEDULES = 150


def claim(child: str, parent: str, at: int = 0, **more) -> Claim:
    return Claim(
        n(child), "cause", **{"id": f"{child}>{parent}", "parent": n(parent), "precedence": 50, "at": at} | more
    )


def hit(leaf: str, when: int = 1, **more) -> Hit:
    return Hit(n(leaf), "hit", **{"id": f"h{leaf}{when}", "when": when} | more)


def merge(loser: str, winner: str, at: int = 0) -> Merge:
    return Merge(n("r:accounts"), "cause", f"{loser}>{winner}", n(loser), n(winner), 100, at)


def failures(inputs: list[Input], *, crashes: int = 0, **world_options) -> list[str]:
    """What went wrong under each of many schedules; [] if all of them end right."""
    found = []
    for seed in range(SCHEDULES):
        rng = random.Random(seed)
        world = World(rng.randint(1, 4), rng, **{"chunk": rng.choice([1, 500])} | world_options)
        shuffled = list(inputs)
        rng.shuffle(shuffled)
        for one in shuffled:
            world.put_in(one)
        try:
            world.run(crashes, limit=2000)
            check_all(world, inputs)
        except (Wrong, KeyError, RecursionError) as wrong:
            found.append(str(wrong))
    return found


def test_a_retraction_counts_also_if_it_comes_before_its_claim(monkeypatch):
    inputs = [claim("u:1", "d:acme.com"), Retract(n("u:1"), "c", "u:1>d:acme.com"), hit("u:1")]
    assert failures(inputs) == []

    forgetful = protocol._retract

    def without_tombstone(step, message, turn):
        forgetful(step, message, turn)
        state = node.node_of(step.state, message.to)
        state.retracted.clear()
        node.keep_node(step.state, message.to, state)

    monkeypatch.setattr(protocol, "_retract", without_tombstone)
    assert failures(inputs)


def test_of_equal_claims_the_greater_id_wins_not_the_last_to_arrive(monkeypatch):
    inputs = [claim("u:1", "a:1", at=3), claim("u:1", "a:2", at=3), hit("u:1")]
    assert failures(inputs) == []

    right = timeline.strongest

    def by_arrival(claims):
        return right([(f"{i:04}", held) for i, (_, held) in enumerate(claims)])

    monkeypatch.setattr(resolution, "strongest", by_arrival)
    assert failures(inputs)


def test_of_two_contents_of_one_claim_the_smaller_wins_not_the_first(monkeypatch):
    inputs = [claim("u:1", "a:1", id="k"), claim("u:1", "a:2", id="k"), hit("u:1")]
    assert failures(inputs) == []

    monkeypatch.setattr(Held, "content", lambda _held: ())
    assert failures(inputs)


def test_of_two_contents_of_one_touch_the_smaller_wins_not_the_first():
    inputs = [claim("u:1", "a:1", until=2, since=0), hit("u:1", 1, id="k"), hit("u:1", 3, id="k")]
    assert failures(inputs) == []

    assert failures(inputs, leaves=Leaves(smallest_wins=False))


def test_a_new_content_reaches_the_account_also_if_the_owner_stays():
    inputs = [hit("e:ann@acme.com", content="a", id="k"), hit("e:ann@acme.com", content="b", id="k")]
    assert failures(inputs) == []

    assert failures(inputs, leaves=Leaves(resend_content=False))


def test_a_touch_is_withdrawn_from_where_it_was_sent_not_from_where_it_should_have_been():
    inputs = [claim("u:1", "a:1"), hit("u:1")]
    assert failures(inputs) == []

    assert any("-1" in wrong for wrong in failures(inputs, leaves=Leaves(stored_root=False)))


def _between_accounts(monkeypatch, allowed) -> None:
    """Let accounts make claims on accounts, as merges would without the registry."""
    right = protocol.acceptable

    def acceptable(message):
        if "/a:" in message.to and "/a:" in message.parent:
            return allowed(message.to, message.parent)
        return right(message)

    monkeypatch.setattr(protocol, "acceptable", acceptable)


def test_merges_in_a_circle_come_to_rest_at_one_account(monkeypatch):
    assert failures([merge("a:1", "a:2"), merge("a:2", "a:1", at=1), hit("a:1"), hit("a:2")]) == []

    _between_accounts(monkeypatch, lambda *_: True)
    inputs = [claim("a:1", "a:2"), claim("a:2", "a:1", at=1), hit("a:1")]
    found = _run_only(inputs)
    assert any("stuck" in outcome or "busy" in outcome for outcome in found)


def _run_only(inputs: list[Input]) -> set[str]:
    """Whether each schedule comes to rest, with all gates open."""
    found = set()
    for seed in range(SCHEDULES):
        rng = random.Random(seed)
        world = World(rng.randint(1, 3), rng)
        shuffled = list(inputs)
        rng.shuffle(shuffled)
        for one in shuffled:
            world.put_in(one)
        try:
            world.run(limit=2000)
        except Wrong as wrong:
            found.add(str(wrong))
            continue
        states = nodes(world).values()
        found.add("stuck" if any(s.waiting for s in states) else str(sorted(world.held())))
    return found


def test_two_accounts_merged_into_a_third_are_both_found_there(monkeypatch):
    inputs = [merge("a:1", "a:3"), merge("a:2", "a:3", at=1), hit("a:1"), hit("a:2")]
    assert failures(inputs) == []

    # Merges as claims, made free of circles by always pointing to the smaller id.
    _between_accounts(monkeypatch, lambda loser, winner: winner < loser)
    by_id = [claim("a:3", "a:1"), claim("a:3", "a:2", at=1), hit("a:1"), hit("a:2")]
    apart = "[('t/a:1', 'ha:11'), ('t/a:2', 'ha:21')]"
    assert _run_only(by_id) == {apart}


def test_messages_between_two_partitions_stay_in_order():
    inputs = [hit("u:1", w) for w in range(4)] + [claim("u:1", f"a:{i}", at=i) for i in range(1, 5)]
    assert failures(inputs) == []

    assert any("-1" in wrong for wrong in failures(inputs, laws=Laws(in_order=False)))


def _lost_its_unsent_messages(laws: Laws) -> World:
    """A worker dies after a snapshot, with what it sent before it not yet on the log."""
    world = World(4, random.Random(1), laws=laws)
    inputs = [hit("e:ann@acme.com")]
    email, domain = ((topics.EVENTS, partition_of(n(x), 4)) for x in ("e:ann@acme.com", "d:acme.com"))
    assert email != domain
    world.put_in(*inputs)
    world.deliver((OUTSIDE, email))
    world.work(email)  # asks the domain
    world.parts[email].snapshot()
    world.crash(email, lose=True)
    world.drain()
    check_all(world, inputs)
    return world


def test_a_snapshot_is_used_only_when_all_that_was_sent_before_it_is_durable():
    assert _lost_its_unsent_messages(Laws()).crashes == 1

    with pytest.raises(Wrong):
        _lost_its_unsent_messages(Laws(sends_durable_first=False))


def test_the_marks_of_what_was_applied_go_back_with_the_state():
    inputs = [hit("e:ann@acme.com")]
    assert failures(inputs, crashes=4) == []

    assert failures(inputs, crashes=4, laws=Laws(marks_roll_back=False))


def test_a_step_is_identical_when_it_is_replayed(monkeypatch):
    # Taking the strongest claim back uncovers several others at once: their parents are asked in one step.
    hidden = [claim("u:1", f"d:{i}.example.com", since=i, until=i + 1, at=i) for i in range(6)]
    covering = claim("u:1", "a:1", precedence=100)
    inputs = [*hidden, covering, Retract(n("u:1"), "c", covering.id), hit("u:1")]
    assert failures(inputs, crashes=4) == []

    right = resolution.Decider.parents
    process = random.Random(1)

    def in_any_order(decider):
        wanted = right(decider)
        process.shuffle(wanted)  # as a set of texts does from one process to the next
        return wanted

    monkeypatch.setattr(resolution.Decider, "parents", in_any_order)
    assert any("not identical" in wrong for wrong in failures(inputs, crashes=4))


def test_a_step_is_one_frame_not_whatever_is_pending():
    inputs = [claim("u:1", "a:1"), claim("u:1", "a:2", at=1), *(hit("u:1", w) for w in range(6))]
    assert failures(inputs, crashes=8) == []

    assert failures(inputs, crashes=8, laws=Laws(one_frame_a_step=False))


class Hub:
    """One domain node, alone in its world with a chunk of one: what each subscriber heard last."""

    def __init__(self) -> None:
        self.name = n("d:acme.com")
        self.state = MemoryState()
        self.heard: dict[str, object] = {}
        self.tokens: deque[Token] = deque()
        self.offset = 0
        self.partitions = 64
        self.home = partition_of(self.name, self.partitions)

    def take(self, message) -> None:
        step = Step(self.state, Rules(), partition=self.home, partitions=self.partitions, offset=self.offset, at=0)
        self.offset += 1
        identity.handle(step, message, lambda *_: "", chunk=1)
        assert not step.local
        for (topic, _), lines in step.sends.items():
            assert topic == topics.EVENTS
            for line in lines:
                told = decoder.decode(line)
                if isinstance(told, Token):
                    self.tokens.append(told)
                    assert len(self.tokens) == 1, "at most one token is out"
                elif isinstance(told, Resolved):
                    self.heard[told.to] = told.resolution

    def rest(self) -> None:
        while self.tokens:
            self.take(self.tokens.popleft())

    def resolution(self):
        return node.node_of(self.state, self.name).resolution


def _change_leave_change_return(hub: Hub) -> None:
    """Two subscribers; the second leaves between two changes and comes back while the first fan-out is still on."""
    claimed = Claim(hub.name, "c", "k1", n("a:1"), 100, 1)
    elsewhere = (
        n(f"e:{i}@acme.com") for i in range(99) if partition_of(n(f"e:{i}@acme.com"), hub.partitions) != hub.home
    )
    first, second = next(elsewhere), next(elsewhere)
    hub.take(Subscribe(hub.name, "c", first))
    hub.take(Subscribe(hub.name, "c", second))
    hub.take(Resolved(hub.name, "c", n("a:1"), ()))  # nobody asked: dropped
    hub.take(claimed)
    hub.take(Resolved(hub.name, "c", n("a:1"), resolution_of("a:1")))
    hub.take(Unsubscribe(hub.name, "c", second))
    hub.take(Retract(hub.name, "c", "k1"))
    hub.take(Subscribe(hub.name, "c", second))
    hub.rest()


def test_a_fan_out_tells_everybody_in_steps_of_a_chunk_with_one_token_between_them():
    hub = Hub()
    everybody = [n(f"e:{i}@acme.com") for i in range(40)]
    elsewhere = [name for name in everybody if partition_of(name, hub.partitions) != hub.home]
    for name in elsewhere:
        hub.take(Subscribe(hub.name, "c", name))
    hub.heard.clear()

    hub.take(Claim(hub.name, "c", "k1", n("a:1"), 100, 1))
    hub.take(Resolved(hub.name, "c", n("a:1"), resolution_of("a:1")))
    steps = 1
    while hub.tokens:
        assert len(hub.heard) == steps
        hub.take(hub.tokens.popleft())
        steps += 1

    assert steps == len(elsewhere)
    assert set(hub.heard) == set(elsewhere)
    assert set(hub.heard.values()) == {resolution_of("a:1")}


def resolution_of(account: str):
    return ((BEGINNING, Owner(n(account), 100, "")),)


def test_a_chunked_fan_out_tells_the_present_value_never_a_captured_one(monkeypatch):
    hub = Hub()
    _change_leave_change_return(hub)
    assert set(hub.heard.values()) == {hub.resolution()}

    jobs: dict[str, deque] = {}
    right = protocol.refresh

    def capture(step, decider, cause, *, gated):
        before = decider.state.resolution
        right(step, decider, cause, gated=gated)
        if decider.state.resolution != before:
            children = subscribers.subscribers(step.state, decider.name, decider.state)
            queue = jobs.setdefault(decider.name, deque())
            queue.extend((child, decider.state.resolution) for child in children)

    def tell_captured(step, name, state, cause, chunk):
        for _ in range(min(chunk, len(jobs.get(name, ())))):
            child, value = jobs[name].popleft()
            if subscribers.hears(step.state, name, state, child):
                step.tell(Resolved(child, cause, name, value))
        state.telling = "" if jobs.get(name) else None

    monkeypatch.setattr(protocol, "refresh", capture)
    monkeypatch.setattr(protocol, "_tell_next", tell_captured)
    stale = Hub()
    _change_leave_change_return(stale)
    assert set(stale.heard.values()) != {stale.resolution()}


def test_on_a_shared_device_each_session_belongs_to_its_own_user():
    inputs = [
        SessionUser(n("v:1"), "who", "s1", n("u:1"), 1),
        SessionUser(n("v:1"), "who", "s2", n("u:2"), 2),
        claim("u:1", "a:1"),
        claim("u:2", "a:2"),
        hit("v:1", 1, session="s1"),
        hit("v:1", 2, session="s2"),
        hit("v:1", 3, session="s3"),
    ]
    assert failures(inputs) == []

    world = World(2, random.Random(1))
    for one in inputs:
        world.put_in(one)
    world.drain()
    assert sorted(world.held()) == [(n("a:1"), "hv:11"), (n("a:2"), "hv:12")]  # the third is nobody's


def test_claims_that_point_downward_are_refused(monkeypatch):
    inputs = [claim("u:1", "e:ann@acme.com"), claim("e:ann@acme.com", "u:1"), hit("u:1")]
    assert failures(inputs) == []

    monkeypatch.setattr(protocol, "acceptable", lambda _message: True)
    assert failures(inputs)


def test_an_unsubscribed_parent_is_not_heard_any_more(monkeypatch):
    inputs = [claim("u:1", "d:acme.com"), claim("u:1", "d:beta.org", at=1), claim("d:acme.com", "a:1"), hit("u:1")]
    assert failures(inputs) == []

    # Without the answer to every Subscribe, whoever comes back waits for ever (forest rule 9).
    def silent(step, message, turn):
        state = protocol.opened(step, message.to, message.cause)
        subscribers.subscribe(step.state, message.to, state, message.child)

    monkeypatch.setattr(protocol, "_subscribe", silent)
    assert failures(inputs)


def test_an_operators_claim_is_not_stretched_to_the_time_before_it(monkeypatch):
    inputs = [claim("u:1", "a:1", precedence=100, since=3), hit("u:1", 1), hit("u:1", 4)]
    assert failures(inputs) == []

    monkeypatch.setattr(timeline, "OPERATOR", 1000)
    assert failures(inputs)


def _outcomes(inputs: list[Input]) -> set[str]:
    """Whose the hits are in the end, over many schedules."""
    found = set()
    for seed in range(SCHEDULES):
        rng = random.Random(seed)
        world = World(rng.randint(1, 3), rng)
        shuffled = list(inputs)
        rng.shuffle(shuffled)
        for one in shuffled:
            world.put_in(one)
        world.run(limit=2000)
        found.add(str(sorted(world.held())))
    return found


def test_a_limit_counts_who_belongs_now_not_who_ever_did(monkeypatch):
    for module in (protocol, resolution):
        monkeypatch.setattr(module, "MOST_IDS", 1)
    inputs = [
        claim("u:1", "a:1"),
        *(SessionUser(n(f"v:{i}"), "who", "s", n("u:1"), 1) for i in (1, 2)),
        # The second device turns out to be another user's.
        SessionUser(n("v:2"), "who", "s", n("u:2"), 2),
        hit("v:1", 1, session="s"),
    ]
    assert _outcomes(inputs) == {str([(n("a:1"), "hv:11")])}

    right = protocol._count_child

    def never_fewer(step, message, delta, state, turn):
        right(step, message, max(delta, 0), state, turn)

    monkeypatch.setattr(protocol, "_count_child", never_fewer)
    assert len(_outcomes(inputs)) > 1
