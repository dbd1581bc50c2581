"""Gives back memory that loading the engine touched and serving does not need.

Loading chDB pages in most of its 700 MB library (172 MB resident on Linux), of which queries use a fraction. Those
pages are clean copies of the file: dropped ones come back from the page cache when they are next used.
"""

import ctypes
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_LIBRARY: Final = "_chdb.abi3.so"
_DONTNEED: Final = 4
_HEADER = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) .*?(\S*)$")
_SMAPS: Final = Path("/proc/self/smaps")


def release_library_pages() -> None:
    """Unmap the library's clean pages; nothing happens where there is no ``/proc``."""
    if not _SMAPS.exists():
        return
    libc = ctypes.CDLL(None)
    for start, size in clean_mappings(_SMAPS.read_text("utf-8").splitlines()):
        libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), _DONTNEED)


def clean_mappings(smaps: list[str]) -> Iterator[tuple[int, int]]:
    """Address and size of the library's mappings that nothing was ever written to.

    SURPRISE: a read-only mapping can hold relocated pages (RELRO), which dropping would undo; hence the counts.
    """
    here: tuple[int, int] | None = None
    dirty = 0
    for line in smaps:
        if found := _HEADER.fullmatch(line):
            start, end = int(found[1], 16), int(found[2], 16)
            ours = found[4].endswith(_LIBRARY) and "w" not in found[3]
            here = (start, end - start) if ours else None
            dirty = 0
        elif here and line.startswith(("Private_Dirty:", "Shared_Dirty:", "Anonymous:")):
            dirty += int(line.split()[1])
        elif here and line.startswith("VmFlags:") and not dirty:
            yield here
