"""The worker's heap: records of a few kB, each a little longer than its last version, leave holes that malloc keeps.

jemalloc is made for that, so a worker uses it where the machine has it (docs/adr/0021). glibc is told what to keep, and to
give back; without either nothing is done.
"""

import asyncio
import ctypes
import ctypes.util
import os
import sys
from collections.abc import Callable
from typing import Final

EVERY_S: Final = 12.0
"""Between two times that free memory is given back, which takes 8 to 28 ms under full load."""
# Of glibc's malloc.h.
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8

_PRELOAD: Final = "LD_PRELOAD"
_CONF: Final = "MALLOC_CONF"
_TWO_ARENAS: Final = "narenas:2"
"""As many as glibc may have here. Each gives back in its turn what is free for 10 s: a worker that polls always takes turns."""


def jemalloc() -> str | None:
    """The name by which the machine's jemalloc is loaded; None if it has none. Takes 10 ms."""
    return ctypes.util.find_library("jemalloc") if sys.platform == "linux" else None


def in_jemalloc() -> bool:
    """Whether this process has it in the place of malloc."""
    return hasattr(ctypes.CDLL(None), "mallctl")


def use_jemalloc() -> None:
    """Let this process begin anew with jemalloc, if there is one, and nobody has said what to load (``LD_PRELOAD``).

    Has to come before anything else is done: what was imported is imported again, and files that were opened are closed, but
    those that children inherit.
    """
    library = None if _PRELOAD in os.environ else jemalloc()
    if library is not None:
        chosen = os.environ | {_PRELOAD: library, _CONF: os.environ.get(_CONF, _TWO_ARENAS)}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], chosen)  # noqa: S606 - ourselves, no shell


def keep_small() -> None:
    """Let threads share two of malloc's arenas, and give back what is free at the top of the heap: 50 of 480 MB under load.

    By default each thread (RocksDB has several) gets an arena of its own, and keeps the largest that it ever needed. Has to
    come before threads do.

    SURPRISE: naming one threshold fixes the other, too, at 128 kB: then each frame's buffers are fresh pages of the kernel's,
    three page faults and 6 µs an event (with 1 MB still a sixteenth of the worker). So both are named, above the largest
    records.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is not None:
        mallopt(_ARENA_MAX, 2)
        mallopt(_MMAP_THRESHOLD, 4 << 20)
        mallopt(_TRIM_THRESHOLD, 8 << 20)


async def give_back(every_s: float = EVERY_S) -> None:
    """For ever, give the kernel the pages that are free in the middle of the heap; jemalloc does it itself."""
    trim = _of_glibc("malloc_trim")
    if trim is None:
        return
    while True:
        await asyncio.sleep(every_s)
        trim(0)


def _of_glibc(name: str) -> Callable[..., int] | None:
    """A function of glibc's malloc; None where that is not in use."""
    return None if in_jemalloc() else getattr(ctypes.CDLL(None), name, None)
