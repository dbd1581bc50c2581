"""The data folder: who owns it, and where bodies wait that are too large for memory."""

import fcntl
import os
import shutil
from pathlib import Path
from typing import IO

from schemas.errors import ConfigError


def lock(folder: Path) -> IO[str]:
    """Own ``folder`` until the returned file is closed or the process ends, however it ends.

    Raises: ConfigError if another process owns it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held = (folder / "lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.seek(0)
        owner = held.read().strip() or "unknown"
        held.close()
        raise ConfigError(
            f"{folder} is in use by process {owner}; stop it or choose another folder with --data"
        ) from None
    held.truncate(0)
    held.write(str(os.getpid()))
    held.flush()
    return held


def fresh_spool(folder: Path) -> Path:
    """An empty folder for bodies; what a killed process left there is removed."""
    spool = folder / "spool"
    shutil.rmtree(spool, ignore_errors=True)
    spool.mkdir(parents=True)
    return spool
