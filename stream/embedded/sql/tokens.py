"""Tokens of parts that never came to be.

The engine writes down an insert's token before it puts the insert's part in its place. A process that is killed in between
leaves a token without a part, and the repetition of the insert, which everybody relies on, would do nothing: the rows
would be lost. So before each start such tokens are taken back, in the words in which the engine itself takes one back
when it drops a part.

The log of a table, ``deduplication_logs/deduplication_log_N.txt``, has a line for each token::

    1 <tab> all_29_29_0 <tab> all_962244149912051229_6383349000525298457      1 added, 2 taken back

(ClickHouse, ``MergeTreeDeduplicationLog.cpp``; that newer versions put the part first: ``MergeTreeSink.cpp``.)
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_TAIL: Final = 256 << 10
"""Bytes of a log that are looked at. What was under way when the process was killed is at its end: a line a partition."""
_PART: Final = re.compile(r"([^_]+)_(\d+)_(\d+)_\d+(?:_\d+)?")
_LOG: Final = re.compile(r"deduplication_log_(\d+)\.txt")
_PLACES: Final = ("store/*/*/deduplication_logs", "data/*/*/deduplication_logs")
_ADDED: Final = b"1"
_TAKEN_BACK: Final = b"2"
_FIELDS: Final = 3


def take_back_orphans(store: Path) -> int:
    """Take back the tokens without a part in all tables of a stopped engine's folder; returns how many there were.

    Raises: OSError.
    """
    # Tables of Atomic databases lie under their UUID, and under their name as links; those of Ordinary ones by name only.
    found = {folder.resolve() for pattern in _PLACES for folder in store.glob(pattern)}
    return sum(map(_mend, found))


def orphans(lines: Iterable[bytes], parts: Iterable[str]) -> list[bytes]:
    """Lines of tokens whose part is neither there nor in a merged one, and that were not taken back.

    A part that is gone for another reason (dropped, expired) had a later number than all that are left, or its token
    was taken back then; nobody repeats its insert.
    """
    newest: dict[str, int] = {}
    for name in parts:
        found = _PART.fullmatch(name)
        if found is not None:
            newest[found[1]] = max(newest.get(found[1], -1), int(found[3]))
    standing: dict[bytes, bytes] = {}
    for line in lines:
        fields = line.split(b"\t")
        if len(fields) != _FIELDS:
            continue
        operation, _, token = fields
        standing.pop(token, None)
        if operation == _ADDED:
            standing[token] = line
    return [line for line in standing.values() if _is_missing(line.split(b"\t")[1].decode(), newest)]


def _is_missing(part: str, newest: dict[str, int]) -> bool:
    found = _PART.fullmatch(part)
    return found is not None and int(found[2]) > newest.get(found[1], -1)


def _mend(folder: Path) -> int:
    logs = sorted((int(found[1]), log) for log in folder.iterdir() if (found := _LOG.fullmatch(log.name)))
    if not logs:
        return 0
    newest = logs[-1][1]
    _cut_torn_line(newest)
    lines = [line for _, log in logs[-2:] for line in _tail(log)]  # a new one may just have been begun
    lost = orphans(lines, (part.name for part in folder.parent.iterdir()))
    if lost:
        with newest.open("ab") as log:
            log.writelines(_TAKEN_BACK + line[1:] + b"\n" for line in lost)
            log.flush()
            os.fsync(log.fileno())
    return len(lost)


def _tail(log: Path) -> list[bytes]:
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL))
        lines = file.read().split(b"\n")
    return lines[1:] if size > _TAIL else lines


def _cut_torn_line(log: Path) -> None:
    """The engine stops reading at a line that it cannot read, and would forget what comes after it."""
    with log.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - _TAIL)
        file.seek(start)
        tail = file.read()
        if tail and not tail.endswith(b"\n"):
            file.truncate(start + tail.rfind(b"\n") + 1)
