"""Who owns a data folder: one process at a time, until it ends, however it ends."""

import fcntl
import time
from pathlib import Path
from typing import IO, Final

PATIENCE_S: Final = 5.0
"""How long the next owner waits: who killed ``up`` and starts it again at once finds the processes before still stopping."""


def own(lock: Path, patience_s: float = PATIENCE_S) -> IO[str] | None:
    """Own the file ``lock``, made if it is not there, until what is returned is closed or this process ends.

    Returns: the file, at its end; None if another process still owns it after ``patience_s``. Raises: OSError.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    held = lock.open("a+", encoding="utf-8")
    until = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                held.close()
                return None
            time.sleep(0.05)
        else:
            return held
