"""Holes in the heap go back to the kernel, while what is around them is kept."""

import ctypes
import os
import subprocess
import sys

import pytest

from stream.stages import heap

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


_ANEW = """
import os, sys
from stream.stages import heap
print("begun", sys.argv[1:], os.environ.get("FREE"), flush=True)
heap.use_jemalloc()
print(heap.in_jemalloc(), flush=True)
"""


def test_gives_back_what_is_free_between_what_is_kept() -> None:
    before, after, intact = said(_HOLES).split()
    assert intact == "True"
    assert int(before) - int(after) > 60, "of 120 MB a tenth is kept; a page that a kept record lies on stays, too"


def test_a_worker_begins_anew_with_jemalloc_if_the_machine_has_it() -> None:
    if heap.jemalloc() is None:
        assert said(_ANEW, "a", "b", FREE="1") == "begun ['a', 'b'] 1\nFalse\n"
    else:
        assert said(_ANEW, "a", "b", FREE="1") == "begun ['a', 'b'] 1\nbegun ['a', 'b'] 1\nTrue\n"


def test_who_says_what_to_load_is_obeyed() -> None:
    assert said(_ANEW, LD_PRELOAD="") == "begun [] None\nFalse\n"


def said(program: str, *arguments: str, **environment: str) -> str:
    """What a Python of its own says that runs ``program``, without anything of ours preloaded."""
    own = {name: value for name, value in os.environ.items() if name not in {"LD_PRELOAD", "MALLOC_CONF"}}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=own | environment).stdout
