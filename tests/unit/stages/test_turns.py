"""Long steps one after the other, and everybody else in between. Counted in order, never by how long it took."""

import asyncio
import time

from stream.stages.turns import Turns


def busy(seconds: float) -> None:
    """Use the CPU for so long, as a step does."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


async def step(turns: Turns, order: list[str], name: str, seconds: float = 0.0) -> None:
    async with turns.turn():
        busy(seconds)
        order.append(name)


def test_first_come_first_served():
    async def play() -> list[str]:
        turns, order = Turns(0), []
        await asyncio.gather(*(step(turns, order, name) for name in "abcd"))
        return order

    assert asyncio.run(play()) == ["a", "b", "c", "d"]


def test_what_is_ready_goes_before_the_first_turn_and_between_two():
    """A chain of callbacks stands for a small record, which has to pass the loop again and again."""

    async def play() -> list[str]:
        turns, order = Turns(0.3), []

        async def small(name: str) -> None:
            for _ in range(20):
                await asyncio.sleep(0)
            order.append(name)

        async def large(name: str, follower: str) -> None:
            async with turns.turn():
                order.append(name)
                small_ones.append(asyncio.create_task(small(follower)))

        small_ones = [asyncio.create_task(small("before"))]
        await asyncio.gather(large("one", "between"), large("two", "after"))
        await asyncio.gather(*small_ones)
        return order

    assert asyncio.run(play()) == ["before", "one", "between", "two", "after"]


def test_a_pause_goes_on_while_others_use_it_but_not_longer_than_the_last_turn_took():
    async def play(last_turn_s: float) -> int:
        """How many pieces of 2 ms others did before the second turn."""
        turns, order = Turns(0.001), []
        done = 0

        async def others() -> None:
            nonlocal done
            while len(order) < 2:
                busy(0.002)
                done += len(order)
                await asyncio.sleep(0)

        long = asyncio.create_task(step(turns, order, "long", last_turn_s))
        second = asyncio.create_task(step(turns, order, "second"))
        await asyncio.gather(long, second, others())
        return done

    few, many = asyncio.run(play(0.0)), asyncio.run(play(0.2))
    assert few < many
    assert many >= 10


def test_a_turn_that_fails_or_is_given_up_lets_the_next_one_go():
    async def play() -> list[str]:
        turns, order = Turns(0.001), []

        async def failing() -> None:
            async with turns.turn():
                raise ValueError

        bad = asyncio.create_task(failing())
        waiting = asyncio.create_task(step(turns, order, "given up"))
        last = asyncio.create_task(step(turns, order, "last"))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({bad, waiting, last}, timeout=5)
        assert isinstance(bad.exception(), ValueError)
        await asyncio.wait_for(step(turns, order, "much later"), 5)
        return order

    assert asyncio.run(play()) == ["last", "much later"]


def test_who_may_not_begin_yet_lets_the_next_ones_go_until_it_may():
    async def play() -> list[str]:
        turns, order = Turns(0), []

        async def held() -> None:
            async with turns.turn(lambda: "b" in order):
                order.append("held")

        await asyncio.gather(held(), step(turns, order, "a"), step(turns, order, "b"), step(turns, order, "c"))
        return order

    assert asyncio.run(play()) == ["a", "b", "held", "c"]


def test_patience_ends():
    async def play() -> list[str]:
        turns, order = Turns(0, patience_s=0.01), []
        async with asyncio.timeout(10), turns.turn(lambda: False):
            order.append("never ready")
        await step(turns, order, "next")
        return order

    assert asyncio.run(play()) == ["never ready", "next"]
