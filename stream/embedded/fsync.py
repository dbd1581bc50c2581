"""The setting ``fsync``, for broker and SQL server alike."""

from schemas.errors import ConfigError


def sync_interval_s(fsync: str) -> float | None:
    """Seconds between syncs; None for ``always``. Raises: ConfigError."""
    if fsync == "always":
        return None
    if fsync.isdecimal() and int(fsync) > 0:
        return int(fsync) / 1000
    raise ConfigError(f"fsync must be 'always' or a number of milliseconds > 0, not {fsync!r}")
