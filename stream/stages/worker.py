"""The worker: a Faust app whose agents hand frames to their partition and nothing else.

    create_app -> one agent a stage -> Partitions.take -> a lane a partition -> Partition (stream.stages.partition)

Faust gives the consumer group, the assignment and the delivery; state, outputs and commit order are ours (ADR 0003).
"""

import asyncio
import gc
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import faust
import structlog
from faust.types import StreamT

from schemas.errors import ConfigError
from stream.kafka import EventLoop
from stream.logs import configure_logs
from stream.settings import Settings
from stream.stages import heap
from stream.stages.checkpoint import keep_checkpoints, restore
from stream.stages.compute import Record, Stage
from stream.stages.kept import folder_of, kept_states, refuse_other_formats, refuse_shorter_log, refuse_shorter_logs
from stream.stages.lanes import Lanes
from stream.stages.log import Log
from stream.stages.partition import Partition, Revoked
from stream.stages.state_format import refuse_other_format
from stream.stages.store import PartitionStore
from stream.stages.transport import Transport, credentials
from stream.stages.turns import Turns
from stream.stages.unheard import Inbox, Unheard

_STOP_S: Final = 8.0
"""Faust sometimes does not end; after this long we do."""

log = structlog.get_logger()


class Partitions:
    """All open partitions of one stage in this worker."""

    def __init__(self, stage: Stage, settings: Settings, outputs: Log, turns: Turns, unheard: Unheard) -> None:
        self.stage = stage
        self.settings = settings
        self.outputs = outputs
        self.turns = turns
        self.unheard = unheard
        self.open: dict[int, Partition] = {}
        self._lanes: Lanes[faust.EventT[bytes]] = Lanes(self._apply)
        self._checkpoints: dict[int, asyncio.Task[None]] = {}
        self._revocations = 0
        self._closed = False

    async def take(self, frame: faust.EventT[bytes]) -> None:
        """See to it that a delivered frame is applied to its partition, after those before it."""
        await self._lanes.put(frame.message.partition, frame, len(frame.value or b""))

    async def _apply(self, frame: faust.EventT[bytes]) -> None:
        """Never raises: a failure stops the worker, unacknowledged."""
        if self._closed:
            return
        message = frame.message
        try:
            partition = self.open.get(message.partition)
            if partition is None:
                partition = await self._open(message.partition)
            at = round(message.timestamp * 1000)
            headers = dict(message.headers or ())
            await partition.apply(Record(message.offset, at, frame.value or b"", headers), frame.ack)
        except asyncio.CancelledError:
            raise
        except Revoked:
            log.info("frame left to the next owner", stage=self.stage.name, partition=message.partition)
        except BaseException as bug:  # noqa: BLE001 - Faust would acknowledge the frame and go on
            stop_now(self.stage.name, message.partition, bug)

    def offer(self, number: int, record: Record) -> None:
        """A record of partition ``number`` that this worker has just written; taken if the partition is open here."""
        partition = self.open.get(number)
        if partition is not None and not self._closed:
            partition.offer(record)

    def settle(self, number: int, offset: int, acknowledge: Callable[[], None]) -> bool:
        """See to the acknowledgement of a delivered record that was applied before (``offer``); False if it was not."""
        partition = self.open.get(number)
        return partition is not None and not self._closed and partition.settle(offset, acknowledge)

    async def revoke(self, numbers: set[int]) -> None:
        """Close partitions that are another worker's now; their files stay for a warm return."""
        self._revocations += 1
        for number in numbers:
            self._lanes.forget(number)
        for number in numbers & self.open.keys():
            self._checkpoints.pop(number).cancel()
            await self.open.pop(number).close()

    async def close(self) -> None:
        """Take no more frames, make everything in flight durable and close."""
        self._closed = True
        for partition in list(self.open.values()):
            await partition.drain()
        await self.revoke(set(self.open))

    async def _open(self, number: int) -> Partition:
        path = folder_of(self.settings, self.stage, number)
        store = PartitionStore(path)
        revocations = self._revocations
        if store.next_offset == 0:
            await restore(self.stage, number, store, self.outputs)
        else:
            refuse_other_format(store.format, stage=self.stage.name, partition=number, where=str(path))
        await self._check_log(number, store)
        if revocations != self._revocations or self._closed:
            # All that took a while. Opened now, it would be worked on and checkpointed beside its new owner, or after the end.
            store.close()
            raise Revoked
        partition = Partition(
            self.stage,
            number,
            self.settings.partitions,
            store,
            self.outputs,
            turns=self.turns,
            inbox=Inbox(self.unheard),
            on_failure=lambda bug: stop_now(self.stage.name, number, bug),
        )
        keeper = keep_checkpoints(self.stage, number, store, self.outputs, self.settings.checkpoint_s)
        task = asyncio.create_task(keeper, name=f"{self.stage.name}-{number}-checkpoints")
        task.add_done_callback(_report)
        self._checkpoints[number] = task
        self.open[number] = partition
        log.info("partition opened", stage=self.stage.name, partition=number, next_offset=store.next_offset)
        return partition

    async def _check_log(self, number: int, store: PartitionStore) -> None:
        """The same check as before ``ready``, for state that came from a checkpoint since.

        Raises: Fatal.
        """
        _, end = await self.outputs.bounds(self.stage.input, number)
        refuse_shorter_log(self.stage.input, number, applied=store.next_offset, end=end)


def create_app(settings: Settings, stages: dict[str, Partitions]) -> faust.App:
    """The Faust app: agents only; no tables, no web, no Faust producer on any path that counts."""
    app = faust.App(
        settings.topic("touchline" if len(stages) > 1 else f"touchline-{next(iter(stages))}"),
        broker=[f"kafka://{address}" for address in settings.bootstrap.split(",")],
        broker_credentials=credentials(settings),
        store="memory://",
        datadir=str(Path(settings.data) / "faust" / settings.worker_id),
        topic_partitions=settings.partitions,
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        producer_threaded=False,
        table_standby_replicas=0,
        stream_wait_empty=False,
        stream_buffer_maxsize=64,  # frames a stage, of up to 1 MB: what a long backlog may take of memory
        # Of each partition one fetch is under way and one unpacked, to several times its size: with 8 MB, a worker that
        # was a minute behind kept all of that minute. A larger frame comes whole all the same.
        consumer_max_fetch_size=512 << 10,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=f"worker-{settings.worker_id}",
        broker_session_timeout=10,
        broker_heartbeat_interval=2,
        broker_commit_every=1000,
        broker_commit_interval=0.5,
    )
    app.transport = Transport(app.conf.broker_consumer, app)
    app.transport.settle = {settings.topic(partitions.stage.input): partitions.settle for partitions in stages.values()}
    for partitions in stages.values():
        _add_agent(app, settings, partitions)
    return app


def _add_agent(app: faust.App, settings: Settings, partitions: Partitions) -> None:
    topic = app.topic(
        settings.topic(partitions.stage.input),
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
        partitions=settings.partitions,
    )

    @app.agent(topic, name=partitions.stage.name)  # type: ignore[untyped-decorator]
    async def agent(frames: StreamT[bytes]) -> None:
        async for frame in frames.noack().events():
            await partitions.take(frame)

    @app.on_partitions_revoked.connect(weak=False)  # type: ignore[untyped-decorator]
    async def revoked(_app: faust.App, revoked: set[Any], **_: Any) -> None:
        await partitions.revoke({place.partition for place in revoked if place.topic == topic.get_topic_name()})


def chosen(settings: Settings, known: Mapping[str, Stage]) -> list[Stage]:
    """The stages that this worker runs, of those that exist.

    Raises: ConfigError for an unknown name.
    """
    names = [name.strip() for name in settings.stages.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ConfigError(f"stages must be some of {', '.join(known)}; got {settings.stages!r}")
    return [known[name] for name in names]


async def run(settings: Settings, known: Mapping[str, Stage]) -> None:
    """Run until SIGTERM or SIGINT, then finish what is in hand, commit and return.

    Raises: Fatal before anything is begun if the state of an earlier run cannot be used.
    """
    offers: dict[str, Callable[[int, Record], None]] = {}
    unheard = Unheard()
    outputs = Log(settings, offers, unheard)
    turns = Turns()
    stages = {stage.name: Partitions(stage, settings, outputs, turns, unheard) for stage in chosen(settings, known)}
    offers |= {partitions.stage.input: partitions.offer for partitions in stages.values()}
    kept = kept_states(settings, [partitions.stage for partitions in stages.values()])
    refuse_other_formats(kept)
    await refuse_shorter_logs(kept, outputs)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await outputs.start()
    app = create_app(settings, stages)
    app.finalize()
    await app.start()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    giving_back = asyncio.create_task(heap.give_back(), name="give-back")
    print(f"ready worker={settings.worker_id} stages={','.join(stages)}", flush=True)  # noqa: T201
    await stop.wait()
    giving_back.cancel()
    loop.call_later(_STOP_S, os._exit, 0)
    for partitions in stages.values():
        await partitions.close()
    await app.stop()
    await outputs.stop()


def main(settings: Settings, known: Mapping[str, Stage]) -> None:
    """Run a worker process with the stages that ``settings`` chooses from ``known``."""
    configure_logs(settings)
    heap.keep_small()
    scratch = Path(settings.data) / "faust" / settings.worker_id  # Faust wants a folder; nothing of ours is in it
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    with asyncio.Runner(loop_factory=EventLoop) as runner:
        runner.run(run(settings, known))


def stop_now(stage: str, partition: int, bug: BaseException) -> None:
    """End the process without acknowledging: the frames in hand will come again, and nothing is lost."""
    log.error("worker stops: a frame could not be applied", stage=stage, partition=partition, exc_info=bug)
    os._exit(70)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("checkpoints stopped", task=task.get_name(), error=repr(task.exception()))
