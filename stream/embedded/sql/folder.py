"""The data folder: who owns it, and where bodies wait that are too large for memory."""

import os
import shutil
from pathlib import Path
from typing import IO

from schemas.errors import ConfigError
from stream.embedded.owner import own


def lock(folder: Path) -> IO[str]:
    """Own ``folder`` until the returned file is closed or the process ends, however it ends.

    Raises: ConfigError if another process owns it.
    """
    held = own(folder / "lock")
    if held is None:
        owner = (folder / "lock").read_text("utf-8").strip() or "unknown"
        raise ConfigError(f"{folder} is in use by process {owner}; stop it or choose another folder with --data")
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
