"""What a worker's data folder has of its partitions' state, looked at before the worker takes any work.

A folder may be old: while another worker has the partition it does not grow. So it may be behind the log, but never ahead.
"""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from schemas.errors import Fatal
from stream.settings import Settings
from stream.stages.compute import Stage
from stream.stages.log import Log
from stream.stages.state_format import refuse_other_format
from stream.stages.store import saved


class Kept(NamedTuple):
    """The state of one partition as an earlier run left it."""

    stage: Stage
    partition: int
    folder: Path
    format: int
    next_offset: int


def folder_of(settings: Settings, stage: Stage, partition: int) -> Path:
    """Where this worker keeps the state of a partition."""
    return Path(settings.data) / "state" / settings.worker_id / stage.name / str(partition)


def kept_states(settings: Settings, stages: Iterable[Stage]) -> list[Kept]:
    """What is there of ``stages``, without folders that have no state yet."""
    found = []
    for stage in stages:
        for partition in range(settings.partitions):
            folder = folder_of(settings, stage, partition)
            format_, next_offset = saved(folder)
            if next_offset:
                found.append(Kept(stage, partition, folder, format_, next_offset))
    return found


def refuse_other_formats(kept: Iterable[Kept]) -> None:
    """Stop if one of them was written by another version.

    Raises: Fatal.
    """
    for state in kept:
        refuse_other_format(
            state.format, stage=state.stage.name, partition=state.partition, where=str(state.folder.absolute())
        )


async def refuse_shorter_logs(kept: Collection[Kept], log: Log) -> None:
    """Stop if one of them is ahead of its log: records that were applied are lost, and new ones would take their offsets.

    Only before new ones are written does the end of the log tell. One question for all of them.

    Raises: Fatal.
    """
    if not kept:
        return
    ends = await log.ends([(state.stage.input, state.partition) for state in kept])
    for state in kept:
        topic = state.stage.input
        refuse_shorter_log(topic, state.partition, applied=state.next_offset, end=ends[topic, state.partition])


def refuse_shorter_log(topic: str, partition: int, *, applied: int, end: int) -> None:
    """Stop if less than what was ``applied`` is on the log.

    Raises: Fatal.
    """
    if applied > end:
        raise Fatal(
            f"{topic}/{partition} ends at {end}, but {applied} records of it are applied: the broker lost records (power"
            " failure without fsync=always), or it is another broker; see docs/operations.md"
        )
