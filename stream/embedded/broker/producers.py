"""What the log remembers of idempotent producers, so that a batch that is sent twice is stored once.

Kafka's rule: per producer id the epoch and the last five batches. A batch that equals one of them is a duplicate and
answered with its offset and time; any other must follow the last one without a gap.

    >>> memory = Producers()
    >>> memory.note(7, 0, 0, 9, base=100, time_ms=5000, at_ms=5001)
    >>> memory.verdict(7, 0, 0, 9)
    Verdict(error=0, duplicate_of=100, time_ms=5000)
    >>> memory.verdict(7, 0, 12, 1).error == codes.OUT_OF_ORDER_SEQUENCE_NUMBER
    True
"""

import json
from collections import deque
from typing import Final, NamedTuple

from stream.embedded.broker import codes

_SEQUENCES: Final = 1 << 31
_REMEMBERED: Final = 5  # Kafka's own number: most batches in flight of one producer
FORGET_MS: Final = 24 * 3_600_000
"""A producer that was silent this long is forgotten, as Kafka does (producer.id.expiration.ms)."""


class Verdict(NamedTuple):
    """What to do with a batch: an error code, and offset and time of the batch it repeats (None: it is new)."""

    error: int
    duplicate_of: int | None
    time_ms: int = -1


class Sent(NamedTuple):
    """A batch that was stored."""

    first: int
    last: int
    base: int
    time_ms: int = -1
    """The latest of its records; -1: not known any more."""


class Producers:
    """Memory of one partition."""

    def __init__(self) -> None:
        self._epochs: dict[int, int] = {}
        self._sent: dict[int, deque[Sent]] = {}
        self._seen_ms: dict[int, int] = {}

    def verdict(self, pid: int, epoch: int, sequence: int, last_delta: int) -> Verdict:
        """Judge a batch. Producers without an id and ids unknown here are always new."""
        known = self._epochs.get(pid)
        if pid < 0 or known is None:
            return Verdict(codes.NONE, None)
        if epoch < known:
            return Verdict(codes.INVALID_PRODUCER_EPOCH, None)
        if epoch > known:
            return Verdict(codes.NONE if sequence == 0 else codes.OUT_OF_ORDER_SEQUENCE_NUMBER, None)
        last = (sequence + last_delta) % _SEQUENCES
        for sent in self._sent[pid]:
            if (sent.first, sent.last) == (sequence, last):
                return Verdict(codes.NONE, sent.base, sent.time_ms)
        follows = sequence == (self._sent[pid][-1].last + 1) % _SEQUENCES
        return Verdict(codes.NONE if follows else codes.OUT_OF_ORDER_SEQUENCE_NUMBER, None)

    def note(
        self, pid: int, epoch: int, sequence: int, last_delta: int, *, base: int, time_ms: int, at_ms: int
    ) -> None:
        """Remember a batch that is now in the log, with the time of its records; ``at_ms`` is the broker's clock."""
        if pid < 0 or sequence < 0:
            return
        if self._epochs.get(pid) != epoch:
            self._epochs[pid] = epoch
            self._sent[pid] = deque(maxlen=_REMEMBERED)
        self._seen_ms[pid] = at_ms
        self._sent[pid].append(Sent(sequence, (sequence + last_delta) % _SEQUENCES, base, time_ms))

    def forget(self, now_ms: int) -> None:
        """Drop producers that were silent for ``FORGET_MS``."""
        for pid in [pid for pid, seen_ms in self._seen_ms.items() if seen_ms < now_ms - FORGET_MS]:
            del self._epochs[pid], self._sent[pid], self._seen_ms[pid]

    def dump(self) -> str:
        """The memory as text, for the file beside a new segment."""
        return json.dumps([(p, e, self._seen_ms[p], list(self._sent[p])) for p, e in self._epochs.items()])

    def restore(self, text: str) -> None:
        """Take over a dump. Raises: ValueError if it is torn."""
        for pid, epoch, seen_ms, sent in json.loads(text):
            self._epochs[pid], self._seen_ms[pid] = epoch, seen_ms
            self._sent[pid] = deque((Sent(*one) for one in sent), _REMEMBERED)
