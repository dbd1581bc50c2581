"""Whether rules changed in mid-stream: if they did, numbers depend on where, and not on the events alone."""

from collections.abc import Iterator

import msgspec

from schemas import topics
from schemas.messages import Control, RulesChanged
from schemas.rules import Rules
from stream.stages.compute import Record

_control = msgspec.json.Decoder(Control)


class RulesHistory:
    """The rules of one partition; ``take`` its records in order.

    Attributes:
        rules: those that hold now; the defaults until some were sent.
        changed: whether there were others before, with something under them.
    """

    def __init__(self) -> None:
        self.rules = Rules()
        self.changed = False
        self._in_use = False

    def take(self, record: Record) -> None:
        """The next record. A set that was sent counts as used, whatever lies under it here: on other topics more may."""
        if not is_control(record):
            self._in_use = True
            return
        for rules in _sent(record):
            self.changed |= self._in_use and rules != self.rules
            self.rules = rules
            self._in_use = True


def is_control(record: Record) -> bool:
    """Whether the record has rules or ticks."""
    return record.headers.get(topics.KIND_HEADER) == topics.CONTROL_FRAME.encode()


def _sent(record: Record) -> Iterator[Rules]:
    for line in record.value.split(b"\n"):
        try:
            message = _control.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue  # the stage refuses it, too
        if isinstance(message, RulesChanged):
            yield message.rules
