"""The setting ``fsync``, for broker and SQL server alike, and what both sync besides files."""

import os
from pathlib import Path

from schemas.errors import ConfigError


def sync_interval_s(fsync: str) -> float | None:
    """Seconds between syncs; None for ``always``. Raises: ConfigError."""
    if fsync == "always":
        return None
    if fsync.isdecimal() and int(fsync) > 0:
        return int(fsync) / 1000
    raise ConfigError(f"fsync must be 'always' or a number of milliseconds > 0, not {fsync!r}")


def sync_folder(folder: Path) -> None:
    """Bring a folder's list of files to the disk. Raises: OSError."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
