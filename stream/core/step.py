"""One step: the computation on one input frame, with all that it reads and all that it produces.

A step is a pure function of (state, frame). Its effects are listed here, in order, and carried out by the shell
(``stream.stages``): facts for ClickHouse, messages to other partitions, and state. Messages to nodes of the own
partition are handled within the step, first in first out; tokens always go through the log (forest rules 14, 18).
"""

from collections import deque

import msgspec

from schemas import topics
from schemas.alerts import Alert
from schemas.codec import json_encoder
from schemas.event import Event
from schemas.ids import derived_id, partition_of
from schemas.messages import AccountMessage, IdentityMessage, Token
from schemas.rejections import Rejected, RejectReason, dead_letter
from schemas.rules import Rules
from stream.core.lines import Lines
from stream.core.seen import forgotten_before
from stream.core.state import State


class Step:
    """Collects the effects of one frame.

    Attributes:
        state: the partition's state.
        rules: the rules that hold at this offset.
        partition: of the input frame.
        offset: of the input frame.
        forgotten: ids of events that were packed less than this are forgotten (``stream.core.seen``).
        row_address: where a row says that it comes from, up to its number.
        version_and_address: the same with the version before it, for mutable tables.
        at: append time (ms) of the input frame, from the log: the only clock there is.
        local: messages to nodes of this partition that are still to be handled in this step.
        changed: identity nodes whose resolution changed in this step, with the cause (``identity.flush`` books them).
        rows: encoded fact rows by table.
        sends: encoded messages by (topic, partition).
        refused: lines that are no event, by their number in the frame.
        counts: things worth a metric that have no row, by name.
    """

    __slots__ = (
        "at",
        "changed",
        "counts",
        "forgotten",
        "local",
        "offset",
        "partition",
        "partitions",
        "refused",
        "row_address",
        "rows",
        "rules",
        "sends",
        "state",
        "version_and_address",
    )

    def __init__(self, state: State, rules: Rules, *, partition: int, partitions: int, offset: int, at: int) -> None:
        self.state = state
        self.rules = rules
        self.partition = partition
        self.partitions = partitions
        self.offset = offset
        self.at = at
        self.forgotten = forgotten_before(at)
        self.row_address = b',"_p":%d,"_o":%d,"_i":' % (partition, offset)
        self.version_and_address = f',"version":{offset},"_p":{partition},"_o":{offset},"_i":'
        self.local: deque[IdentityMessage] = deque()
        self.changed: dict[str, str] = {}
        self.rows: dict[str, Lines] = {}
        self.sends: dict[tuple[str, int], list[bytes]] = {}
        self.refused: list[tuple[int, Rejected]] = []
        self.counts: dict[str, int] = {}

    def table(self, name: str) -> Lines:
        """The rows of a table so far."""
        rows = self.rows.get(name)
        if rows is None:
            rows = self.rows[name] = Lines()
        return rows

    def next_row(self, table: str) -> int:
        """The ``_i`` of the row that ``fact`` will take next for ``table``."""
        rows = self.rows.get(table)
        return 0 if rows is None else rows.count

    def fact(self, table: str, row: msgspec.Struct) -> None:
        """Book one row of ``table`` (a struct of ``schemas.facts``)."""
        self.table(table).append(json_encoder.encode(row))

    def tell(self, message: IdentityMessage) -> None:
        """Send ``message`` to its node: handled in this step if it lives here, else through the log."""
        home = partition_of(message.to, self.partitions)
        if home == self.partition and not isinstance(message, Token):
            self.local.append(message)
        else:
            self._send(topics.EVENTS, home, message)

    def tell_account(self, message: AccountMessage) -> None:
        """Send ``message`` to its account, on the ``accounts`` topic."""
        self._send(topics.ACCOUNTS, partition_of(message.to, self.partitions), message)

    def tell_account_encoded(self, to: str, message: bytes) -> None:
        """The same for the account node ``to`` and a message that is already JSON."""
        self.tell_home(partition_of(to, self.partitions), message)

    def tell_home(self, home: int, message: bytes) -> None:
        """The same for an account that lives in partition ``home``."""
        place = topics.ACCOUNTS, home
        sent = self.sends.get(place)
        if sent is None:
            self.sends[place] = [message]
        else:
            sent.append(message)

    def alert(self, key: str, alert: Alert) -> None:
        """Send ``alert`` to people, on the ``alerts`` topic, by the partition of its account node ``key``."""
        self._send(topics.ALERTS, partition_of(key, self.partitions), alert)

    def reject(self, event: Event, reason: RejectReason, detail: str) -> None:
        """Dead-letter ``event``, or note what of it could not be used. ``detail`` repeats no personal data."""
        letter = dead_letter(
            Rejected(reason, detail, json_encoder.encode(event)),
            letter_id=derived_id("dead", event.node, event.id, detail),
            received_at=event.received_at,
            tenant=event.tenant,
            source=event.source,
            address=f"{topics.EVENTS}/{self.partition}/{self.offset}",
        )
        self._send(topics.DEAD_LETTERS, self.partition, letter)

    def _send(self, topic: str, partition: int, message: msgspec.Struct) -> None:
        self.sends.setdefault((topic, partition), []).append(json_encoder.encode(message))
