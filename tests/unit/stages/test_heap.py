"""Holes in the heap go back to the kernel, while what is around them is kept."""

import ctypes
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc")

_HOLES = """
import asyncio
from stream.stages import heap

def resident_mb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) // 1024

async def main():
    heap.keep_small()
    records = [bytes([7]) * 6000 for _ in range(20_000)]
    kept = records[::10]  # one of ten, so that no hole is at the top of the heap
    del records
    before = resident_mb()
    giving_back = asyncio.create_task(heap.give_back(0.01))
    await asyncio.sleep(0.1)
    giving_back.cancel()
    print(before, resident_mb(), all(record == bytes([7]) * 6000 for record in kept))

asyncio.run(main())
"""


def test_gives_back_what_is_free_between_what_is_kept() -> None:
    done = subprocess.run([sys.executable, "-c", _HOLES], capture_output=True, text=True, check=True)
    before, after, intact = done.stdout.split()
    assert intact == "True"
    assert int(before) - int(after) > 60, "of 120 MB a tenth is kept; a page that a kept record lies on stays, too"
