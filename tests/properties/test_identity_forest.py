"""Laws of the identity forest: whatever the order, the partitions and the crashes, the result is the batch result."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.rules import Rules
from stream.core.identity import protocol, registry, resolution
from tests.simulation.identity.inputs import Input
from tests.simulation.identity.laws import check_all, owners
from tests.simulation.identity.strategies import input_sets
from tests.simulation.identity.world import World

FREEMAIL_HERE = Rules(freemail_domains=("beta.org",))
unhurried = settings(deadline=None, suppress_health_check=list(HealthCheck))


def played(
    inputs: list[Input], rng: random.Random, *, partitions: int, chunk: int, crashes: int, rules: Rules
) -> World:
    world = World(partitions, rng, chunk=chunk, rules=rules)
    shuffled = list(inputs)
    rng.shuffle(shuffled)
    for one in shuffled:
        world.put_in(one)
    world.run(crashes)
    return world


@settings(unhurried, max_examples=300)
@given(
    inputs=input_sets(),
    seed=st.integers(0, 2**32),
    partitions=st.integers(1, 4),
    chunk=st.sampled_from([1, 2, 500]),
    crashes=st.integers(0, 4),
    rules=st.sampled_from([Rules(), FREEMAIL_HERE]),
)
def test_any_order_any_partitions_any_crashes_give_the_batch_result(*, inputs, seed, partitions, chunk, crashes, rules):
    world = played(inputs, random.Random(seed), partitions=partitions, chunk=chunk, crashes=crashes, rules=rules)
    check_all(world, inputs)


@settings(unhurried, max_examples=100)
@given(
    inputs=input_sets(),
    rng=st.randoms(use_true_random=False),
    partitions=st.integers(1, 3),
    chunk=st.sampled_from([1, 500]),
    crashes=st.integers(0, 3),
)
def test_no_schedule_that_can_be_chosen_breaks_it(inputs, rng, partitions, chunk, crashes):
    world = played(inputs, rng, partitions=partitions, chunk=chunk, crashes=crashes, rules=Rules())
    check_all(world, inputs)


@settings(unhurried, max_examples=150)
@given(inputs=input_sets(), seeds=st.tuples(st.integers(0, 2**32), st.integers(0, 2**32)), crashes=st.integers(0, 3))
def test_where_limits_are_reached_the_order_does_not_count_either(inputs, seeds, crashes):
    with pytest.MonkeyPatch.context() as patched:
        # One of each is the most that anybody may have: nearly every set of inputs reaches a limit.
        for module in (protocol, resolution):
            patched.setattr(module, "MOST_IDS", 1)
        patched.setattr(resolution, "MOST_DOMAINS", 1)
        patched.setattr(registry, "MOST_MERGED", 1)
        one, other = (
            played(inputs, random.Random(seed), partitions=1 + seed % 3, chunk=1, crashes=crashes, rules=Rules())
            for seed in seeds
        )
    assert one.held() == other.held()
    assert owners(one) == owners(other)
