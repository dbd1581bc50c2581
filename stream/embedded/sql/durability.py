"""What a power failure takes, and that it is noticed.

``always``: the engine syncs each insert before it is acknowledged. Otherwise the kernel writes when it likes, and all of it is
synced at once when nothing was written for so many milliseconds: every sync holds up the broker, which writes to the same
disk. While something may not be on the disk, a mark lies in the folder. A process that finds one of an earlier boot of the
machine knows that rows may be missing which were acknowledged, and does not start. ``kill -9`` takes nothing: what was
written is the kernel's then.
"""

import asyncio
import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from schemas.errors import ConfigError
from stream.embedded.fsync import sync_folder

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_MARK: Final = "unsynced"
_FAILED: Final = "the disk failed"


class Durability:
    """Of one folder, whose lock this process holds.

    Args:
        folder: it exists.
        quiet_s: seconds without a write after which all is synced; None if the engine syncs each insert.
        boot: names the machine's present run; the default asks the kernel.

    Raises: ConfigError if the machine went down while something was not synced.
    """

    def __init__(self, folder: Path, quiet_s: float | None, boot: str | None = None) -> None:
        boot = _boot() if boot is None else boot
        self.each_insert: Final = quiet_s is None or not boot
        """Whether the engine has to sync what it inserts. Also where a boot cannot be told from another."""
        self._quiet_s = quiet_s
        self._boot = boot
        self._folder = folder
        self._mark = folder / _MARK
        self._lock = threading.Lock()
        self._marked = self._mark.exists()
        self._writing = 0
        self._writes = 0
        if self._marked and self._mark.read_text("utf-8") != boot:
            raise ConfigError(
                f"the machine went down, or its disk failed, while rows in {folder} were not on the disk: some may be missing. "
                'Play a copy of the events topic into a fresh folder (docs/operations.md, "Durability"). '
                f"TOUCHLINE_FSYNC=always keeps it from happening. To look at what is left, remove {self._mark}"
            )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around whatever writes, in any thread. Raises: OSError if the mark cannot be written; then nothing may be."""
        if self.each_insert:
            yield
            return
        with self._lock:
            if not self._marked:
                self._set_mark()
            self._writing += 1
        try:
            yield
        finally:
            with self._lock:
                self._writing -= 1
                self._writes += 1

    async def keep_synced(self) -> None:
        """Sync whenever it has become quiet, for ever, if that is left to us. Raises: OSError if the disk fails."""
        if self.each_insert:
            await asyncio.to_thread(self.sync)  # what a killed process with another policy left
        while self._quiet_s is not None and not self.each_insert:
            before = self._writes
            await asyncio.sleep(self._quiet_s)
            if self._marked and not self._writing and self._writes == before:
                await asyncio.to_thread(self.sync)

    def sync(self) -> None:
        """Bring what was written to the disk, and take the mark away unless more is written meanwhile.

        Raises: OSError.
        """
        with self._lock:
            if not self._marked:
                return
            before = self._writes
        try:
            _sync_file_system(self._folder)
        except OSError:
            # The kernel may have dropped the pages: what it could not write is not written later either.
            self._mark.write_text(_FAILED, "utf-8")
            raise
        with self._lock:
            if not self._writing and self._writes == before:
                self._mark.unlink(missing_ok=True)
                sync_folder(self._folder)  # or it might be back after a power failure
                self._marked = False

    def _set_mark(self) -> None:
        with self._mark.open("w", encoding="utf-8") as file:
            file.write(self._boot)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self._folder)
        self._marked = True


def _boot() -> str:
    """The kernel's name for this boot; "" where it has none."""
    try:
        return _BOOT.read_text("ascii").strip()
    except OSError:
        return ""


def _sync_file_system(folder: Path) -> None:
    """syncfs(2), which Python does not have. Without the GIL."""
    libc = ctypes.CDLL(None, use_errno=True)
    opened = os.open(folder, os.O_RDONLY)
    try:
        if libc.syncfs(opened) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(opened)
