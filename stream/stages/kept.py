"""What a worker's data folder has of its partitions' state, looked at before the worker takes any work.

A folder may be old: while another worker has the partition it does not grow. So it may be behind the log, but never ahead.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from stream.settings import Settings
from stream.stages.compute import Stage
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
    return _folder_of(settings, stage) / str(partition)


def kept_states(settings: Settings, stages: Iterable[Stage]) -> list[Kept]:
    """What is there of ``stages``, without folders that have no state yet."""
    found = []
    for stage in stages:
        for folder in sorted(_folder_of(settings, stage).glob("[0-9]*")):
            format_, next_offset = saved(folder)
            if next_offset:
                found.append(Kept(stage, int(folder.name), folder, format_, next_offset))
    return found


def refuse_other_formats(kept: Iterable[Kept]) -> None:
    """Stop if one of them was written by another version.

    Raises: Fatal.
    """
    for state in kept:
        refuse_other_format(
            state.format, stage=state.stage.name, partition=state.partition, where=str(state.folder.absolute())
        )


def _folder_of(settings: Settings, stage: Stage) -> Path:
    return Path(settings.data) / "state" / settings.worker_id / stage.name
