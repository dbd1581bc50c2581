"""How far an import came, beside its file, so that ``--resume`` goes on there."""

import hashlib
import os
from pathlib import Path

import msgspec

from schemas.errors import ConfigError


class Bookmark(msgspec.Struct):
    """State of one import."""

    digest: str
    """Of the file and of all that decides what becomes of its rows."""
    rows: int = 0
    """Rows, from the first on, that need not be looked at again."""
    sent: int = 0
    bad: int = 0
    skipped: int = 0


def place_of(path: Path, data: Path) -> Path:
    """Beside the file; in the data folder if that cannot be written to."""
    if os.access(path.parent, os.W_OK):
        return path.with_name(f"{path.name}.import.json")
    return data / "imports" / f"{path.name}.import.json"


def digest_of(path: Path, *plan: str) -> str:
    """What an import is: the file's content and the plan for it."""
    with path.open("rb") as file:
        whole = hashlib.file_digest(file, "blake2b")
    for part in plan:
        whole.update(b"\x1f" + part.encode())
    return whole.hexdigest()[:32]


def read_bookmark(place: Path, digest: str) -> Bookmark | None:
    """How far an interrupted run of the same import came; None if there is no word of one.

    Raises: ConfigError if the file, its mapping or its options are others now.
    """
    try:
        found = msgspec.json.decode(place.read_bytes(), type=Bookmark)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, OSError) as error:
        raise ConfigError(f"{place}: {error}; delete it and import without --resume, which is harmless") from None
    if found.digest != digest:
        raise ConfigError(
            f"{place}: the import that stopped here was of another content, mapping or options."
            " Import without --resume: what was sent already does not count twice"
        )
    return found


def write_bookmark(place: Path, bookmark: Bookmark) -> None:
    """Replace the bookmark, whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    # Two imports of one file may run at once: each replaces the bookmark by a file of its own.
    fresh = place.with_name(f"{place.name}.{os.getpid()}")
    fresh.write_bytes(msgspec.json.encode(bookmark))
    fresh.replace(place)
