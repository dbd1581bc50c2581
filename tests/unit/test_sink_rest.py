"""Between two blocks the server rests for half as long as the first one took."""

import asyncio
import math
import time

import pytest

from sinks.exactly_once import Operations
from sinks.runner import Sink
from stream.settings import Settings


class SlowServer:
    """Takes its time for every block."""

    async def run(self, operations: Operations[None]) -> None:
        operations.close()
        await asyncio.sleep(0.2)


@pytest.mark.parametrize(("sink_s", "rests"), [(0.0, True), (60.0, False)])
async def test_a_block_waits_for_its_rows_and_for_the_server(sink_s, rests):
    sink = Sink(Settings(sink_s=sink_s))
    sink._executor = SlowServer()
    sink._prune_at = math.inf
    began = time.monotonic()
    await sink._write()
    ended = time.monotonic()
    first_row = sink._due_at = ended + sink_s
    if rests:
        assert began + 0.2 + 0.1 <= sink._begin_at() <= ended + (ended - began) / 2
    else:
        assert sink._begin_at() == first_row
    await sink._consumer.stop()
