"""Small messages for one partition go to it as one record.

What nodes tell each other is a line or two, and a record of them costs who sends it, the broker and who reads it as much as
several lines do. Each part of a bundle keeps its own address (``schemas.address``), and a reader drops the parts that it has
applied. So nothing depends on what was bundled with what, and it may depend on time.

    companions([a3, b5, c3])     [0, 2]: for partition 3 both
    bundled([a3, c3])            one record of both
"""

from collections.abc import Iterable, Sequence
from typing import Final

from schemas import topics
from schemas.address import bundle
from stream.stages.compute import Output

LARGEST: Final = 48 << 10
"""Bytes of a bundle: less than what has to wait for a turn."""


def companions(outputs: Iterable[Output]) -> list[int]:
    """Which of ``outputs`` go with the first one, in order. None overtakes another one for its partition."""
    found: list[int] = []
    size = 0
    first: Output | None = None
    for number, output in enumerate(outputs):
        if first is None:
            first = output
            if _is_alone(output):
                return [0]
        elif output.partition != first.partition or output.topic != first.topic:
            continue
        elif _is_alone(output) or size + len(output.value) > LARGEST or output.headers[1:] != first.headers[1:]:
            break
        found.append(number)
        size += len(output.value) + 1
    return found


def bundled(outputs: Sequence[Output]) -> Output:
    """One record of all of them; they have one place and one kind."""
    first = outputs[0]
    if len(outputs) == 1:
        return first
    source = bundle((_source(output), len(output.value)) for output in outputs)
    value = b"\n".join([output.value for output in outputs])
    return Output(first.topic, first.partition, value, [(topics.SOURCE_HEADER, source), *first.headers[1:]])


def is_to_itself(output: Output) -> bool:
    """Whether a partition tells itself something: by that it goes on with its work when it has its turn."""
    return _source(output).startswith(f"{output.topic}/{output.partition}/".encode())


def _is_alone(output: Output) -> bool:
    return len(output.value) > LARGEST // 2 or is_to_itself(output)


def _source(output: Output) -> bytes:
    name, source = output.headers[0]
    assert name == topics.SOURCE_HEADER, "what a stage says has its address first"
    return source
