"""Frames over an in-memory log: what is packed together, when it is sent, and whom the acks reach."""

import asyncio

import pytest

from schemas.errors import Retryable
from schemas.event import Event
from schemas.ids import partition_of
from stream.collect.frames import FRAME_BYTES, Frames
from stream.collect.pace import HELD_S
from stream.settings import Settings
from tests.support import virtual_time

PARTITIONS = 4


class MemoryLog:
    """Takes records, each in ``takes_s``; acknowledges while ``open`` is set, refuses while ``refusing``."""

    def __init__(self, takes_s: float = 0.0) -> None:
        self.takes_s = takes_s
        self.records: list[tuple[int, bytes]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.refusing = False
        self.asked = 0

    async def append(self, topic: str, value: bytes, partition: int, headers) -> None:
        self.asked += 1
        await asyncio.sleep(self.takes_s)
        await self.open.wait()
        if self.refusing:
            raise Retryable("refused")
        assert (topic, dict(headers)) == ("events", {"by": b"collect"})
        self.records.append((partition, value))

    def ids(self) -> list[str]:
        return [line.split(b'"')[7].decode() for _, value in self.records for line in value.split(b"\n")]


def events(count: int, node: str = "default/v:{}", size: int = 0) -> list[Event]:
    return [
        Event(id=str(n), node=node.format(n), type="track", at=1, received_at=1, name="x" * size) for n in range(count)
    ]


def frames(log: MemoryLog, *, wait_s: float = 5.0, **changes: object) -> Frames:
    return Frames(log.append, Settings(partitions=PARTITIONS, **changes), wait_s=wait_s)  # type: ignore[arg-type]


async def test_events_of_many_requests_share_one_frame_per_partition():
    log = MemoryLog()
    packed = frames(log)
    await asyncio.gather(*(packed.submit([event]) for event in events(100)))
    assert len(log.records) == PARTITIONS
    assert sorted(log.ids(), key=int) == [str(n) for n in range(100)]


async def test_every_event_lies_in_the_partition_of_its_node():
    log = MemoryLog()
    sent = events(200)
    await frames(log).submit(sent)
    node = {event.id: event.node for event in sent}
    for partition, value in log.records:
        for line in value.split(b"\n"):
            assert partition_of(node[line.split(b'"')[7].decode()], PARTITIONS) == partition


async def test_events_of_one_node_keep_their_order():
    log = MemoryLog()
    await frames(log, frame_events=7).submit(events(100, node="default/v:same"))
    assert log.ids() == [str(n) for n in range(100)]


async def test_a_frame_holds_at_most_its_number_of_events():
    log = MemoryLog()
    await frames(log, frame_events=10).submit(events(95, node="default/v:same"))
    assert [value.count(b"\n") + 1 for _, value in log.records] == [10] * 9 + [5]


async def test_a_frame_stays_below_its_size():
    log = MemoryLog()
    await frames(log).submit(events(100, node="default/v:same", size=30_000))
    assert len(log.ids()) == 100
    assert all(len(value) <= FRAME_BYTES for _, value in log.records)


async def one_by_one(packed: Frames, sent: list[Event], pause_s: float = 0.06) -> list[asyncio.Task[None]]:
    """Each as a request of its own, by default three frames' time apart."""
    requests = []
    for event in sent:
        requests.append(asyncio.create_task(packed.submit([event])))
        await asyncio.sleep(pause_s)
    return requests


async def test_what_comes_while_a_frame_is_not_safe_yet_shares_the_next_one():
    log = MemoryLog()
    log.open.clear()
    requests = await one_by_one(frames(log), events(4, node="default/v:same"))
    assert log.asked == 1
    log.open.set()
    await asyncio.gather(*requests)
    assert [value.count(b"\n") + 1 for _, value in log.records] == [1, 3]
    assert log.ids() == ["0", "1", "2", "3"]


async def test_a_frame_that_was_kept_back_goes_out_as_soon_as_the_one_before_it_is_safe():
    log = MemoryLog()
    log.open.clear()
    requests = await one_by_one(frames(log, frame_ms=200), events(2, node="default/v:same"), pause_s=0.21)
    assert log.asked == 1
    log.open.set()
    began = asyncio.get_running_loop().time()
    await asyncio.gather(*requests)
    assert len(log.records) == 2
    assert asyncio.get_running_loop().time() - began < 0.1, "not with the next round, which is due in 180 ms"


async def test_a_slow_partition_keeps_back_no_other():
    log = MemoryLog()
    log.open.clear()
    requests = await one_by_one(frames(log), [events(1, node=f"default/v:{name}")[0] for name in "aab"])
    assert len({partition_of(f"default/v:{name}", PARTITIONS) for name in "ab"}) == 2
    assert log.asked == 2
    log.open.set()
    await asyncio.gather(*requests)


async def test_a_frame_is_kept_back_for_a_moment_only():
    log = MemoryLog()
    log.open.clear()
    requests = await one_by_one(frames(log), events(2, node="default/v:same"))
    await asyncio.sleep(HELD_S)
    assert log.asked == 2
    log.open.set()
    await asyncio.gather(*requests)


ACK_S = 0.05
"""Of a log that takes more than two ticks to make a record safe."""


def sizes_of_a_steady_flow(**changes: object) -> list[int]:
    """Events in each frame: one request every 0.25 ms for a second, all of one partition: 4,000 a second."""
    log = MemoryLog(ACK_S)

    async def flow() -> None:
        packed = frames(log, **changes)
        requests = []
        for event in events(4000, node="default/v:same"):
            requests.append(asyncio.create_task(packed.submit([event])))
            await asyncio.sleep(0.00025)
        await asyncio.gather(*requests)

    virtual_time.run(flow())
    assert log.ids() == [str(n) for n in range(4000)]
    return [value.count(b"\n") + 1 for _, value in log.records]


def test_a_frame_stays_open_for_a_quarter_of_a_second_while_it_fills():
    *full, last = sizes_of_a_steady_flow()
    assert len(full) == 3
    assert all(HELD_S * 4000 <= size <= (HELD_S + 0.04) * 4000 for size in full), "and a tick or two"
    assert last < 1000


def test_a_frame_that_fills_is_full_at_its_number_of_events():
    assert sizes_of_a_steady_flow(frame_events=500) == [500] * 8


def answer_times(clients: int, requests: int, *, batch: int, work_s: float = 0.0) -> list[float]:
    """When each request was answered: ``clients`` of one partition that send the next one when they have an answer.

    A request of ``batch`` events takes the collector ``work_s``, one after the other; the log takes 4 ms.
    """
    log = MemoryLog(0.004)
    answered = []

    async def client(packed: Frames, turn: asyncio.Lock) -> None:
        for _ in range(requests):
            async with turn:
                await asyncio.sleep(work_s)
            await packed.submit(events(batch, node="default/v:same"))
            answered.append(asyncio.get_running_loop().time())

    async def all_clients() -> None:
        packed, turn = frames(log), asyncio.Lock()
        await asyncio.gather(*(client(packed, turn) for _ in range(clients)))

    virtual_time.run(all_clients())
    return answered


def test_a_client_that_waits_for_its_answers_has_each_within_two_ticks_and_mostly_within_one():
    answered = answer_times(1, 200, batch=100)
    took = [round(later - sooner, 3) for sooner, later in zip([0.0, *answered], answered, strict=False)]
    # A tick and the log's 4 ms; a tick more for the first, and for one every two seconds after it: 4.8 s in all.
    assert sorted(set(took)) == [0.024, 0.044]
    assert took.count(0.044) == 3


def test_clients_that_wait_for_their_answers_keep_the_collector_busy():
    # 8 ms a request are 125 a second, if nobody waits for a frame that nothing is added to.
    assert answer_times(8, 125, batch=30, work_s=0.008)[-1] < 1.05 * 8


async def test_submit_returns_only_when_all_its_frames_are_safe():
    log = MemoryLog()
    log.open.clear()
    packed = frames(log)
    waiting = asyncio.create_task(packed.submit(events(50)))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    assert packed.buffered_bytes > 0
    log.open.set()
    await waiting
    assert packed.buffered_bytes == 0


async def test_a_refused_frame_fails_every_request_in_it_and_frees_its_buffer():
    log = MemoryLog()
    log.refusing = True
    packed = frames(log)
    outcomes = await asyncio.gather(*(packed.submit([e]) for e in events(5)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Retryable] * 5
    assert packed.buffered_bytes == 0


async def test_a_full_buffer_refuses_at_once_and_takes_again_when_it_is_empty():
    log = MemoryLog()
    log.open.clear()
    packed = frames(log, buffer_bytes=3000)
    first = asyncio.create_task(packed.submit(events(2, size=1000)))
    await asyncio.sleep(0)
    with pytest.raises(Retryable):
        await packed.submit(events(2, size=1000))
    log.open.set()
    await first
    await packed.submit(events(2, size=1000))


async def test_a_silent_broker_is_given_up_on_and_then_refused_at_once():
    log = MemoryLog()
    log.open.clear()
    packed = frames(log, wait_s=0.1)
    with pytest.raises(Retryable):
        await packed.submit(events(1))
    await asyncio.sleep(0.05)
    with pytest.raises(Retryable, match="does not answer"):
        await packed.submit(events(1))
    log.open.set()
    await asyncio.sleep(0.05)
    await packed.submit(events(1))


async def test_a_client_that_goes_away_takes_nothing_from_the_others():
    log = MemoryLog()
    packed = frames(log)
    gone, stays = (asyncio.create_task(packed.submit([event])) for event in events(2, node="default/v:same"))
    await asyncio.sleep(0)
    gone.cancel()
    await stays
    assert log.ids() == ["0", "1"]


async def test_drain_sends_what_is_open():
    log = MemoryLog()
    packed = frames(log, frame_ms=60_000)
    waiting = asyncio.create_task(packed.submit(events(10)))
    await asyncio.sleep(0)
    await packed.drain(1.0)
    await waiting
    assert len(log.ids()) == 10


async def test_drain_gives_up_on_a_silent_broker_and_says_so():
    log = MemoryLog()
    log.open.clear()
    packed = frames(log, frame_ms=60_000)
    waiting = asyncio.create_task(packed.submit(events(1)))
    await asyncio.sleep(0)
    await packed.drain(0.05)
    with pytest.raises(Retryable):
        await waiting
