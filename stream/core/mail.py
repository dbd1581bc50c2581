"""Machines told by several signals together: what the events of one message to one recipient say of each other.

    stitch -> Mailbox.hear (each content of each event) -> take (what counts) -> judge -> touches, rows of email_verdicts

A gateway that calls itself a browser gives itself away only by what else happens to the message: it follows many links
at once, or seconds after the delivery. Docs: docs/email.md. The verdict is a pure function of the set of contents that
were heard, so it may change when a signal comes late; then the click's touch is withdrawn, or given again.

Kept is at most ``LIMIT`` clicks and opens of a message, the first ones by time, which is a function of the set, too. All
of it is forgotten 30 days after the message's first record came, by the time of the log, like ids (``stream.core.seen``).
"""

from bisect import bisect_left
from typing import Final

import msgspec

from schemas import event as kinds
from schemas.codec import properties_of
from schemas.event import Event
from schemas.facts import EmailVerdictRow
from schemas.ids import EMAIL, USER, kind, tenant
from stream.core.hits import Item
from stream.core.items import text_of
from stream.core.leaf import put_item, remove_item
from stream.core.seen import KEEP_MS, Seen, find, id_hash
from stream.core.state import State, key, time_part
from stream.core.step import Step

LIMIT: Final = 256
"""Clicks, and opens, of a message that are judged. A gateway takes each link two or three times; a person far fewer. All
beyond are a machine's."""
DELIVERIES: Final = 16
"""Deliveries of a message that count as a signal, the first ones. There is one, unless an id is used for several mails."""
SOON_MS: Final = 5_000
"""So shortly before or after its delivery nobody has read a mail yet. Before: some gateways look before they take it."""
LINKS: Final = 3
LINKS_MS: Final = 2_000
"""So many distinct links in less than this are no person's."""
SCAN_MS: Final = 10_000
"""How long a scan of one mail takes: a scanner's clicks speak against what happens within this time of them."""
NEEDED: Final = 2
"""Signals. One alone may be chance, or somebody in a hurry."""

HONEYPOT: Final = "honeypot"
TOO_MANY: Final = "too-many"
_SWEPT_AT_ONCE: Final = 5000
"""Messages that one tick forgets: about 50 ms. They count as forgotten before."""
_PEOPLE: Final = (EMAIL, USER)
"""Nodes of one recipient. A message to several is not judged: two readers are no signal."""
_JUDGED: Final = ("clicked", "opened")
_HEARD: Final = ("delivered", *_JUDGED)


class Act(msgspec.Struct, array_like=True, gc=False):
    """One content of a click or open. What comes before ``row_o`` says which one it is, and is a signal for others."""

    at: int
    id: str
    link: bytes = b""
    """Stands for the address; b"" if it is not known."""
    trap: bool = False
    """The link was a honeypot, which no reader sees."""
    marked: bool = False
    """The edge knows that it was a machine: a HEAD request, a scanner's name, the provider's word."""
    gateway: bool = False
    """It came from the network of a mail gateway."""
    row_o: int = -1
    """Offset of its row of ``email``; -1: it does not count itself, since another content of its id does."""
    row_i: int = 0
    item: Item | None = None
    """The touch that it makes if a person did it."""
    told: str | None = None
    """Why it was told to be a machine's, "" for a person's; None: nothing was told yet."""

    def order(self) -> tuple[int, str, bytes, bool, bool, bool]:
        """Which one it is, by time first."""
        return self.at, self.id, self.link, self.trap, self.marked, self.gateway


class Message(msgspec.Struct, array_like=True, gc=False):
    """What happened to one message to one recipient."""

    log_at: int
    """When its first record came, by the log."""
    delivered: list[int] = msgspec.field(default_factory=list)
    """Times, each once, in order."""
    clicks: list[Act] = msgspec.field(default_factory=list)
    opens: list[Act] = msgspec.field(default_factory=list)
    """Both in their order."""


class Due(msgspec.Struct, array_like=True, gc=False):
    """Names a message by the time of its removal; all there is to know is in the key."""


class Evidence:
    """What the events of a message say together; times in order.

    >>> burst = [Act(at, str(at), bytes([at // 500])) for at in (0, 500, 1500)]
    >>> Evidence(Message(0, [-3000], burst)).reason_of(burst[0])
    'links+delivery'
    """

    __slots__ = ("_bursts", "_delivered", "_marked", "_traps")

    def __init__(self, message: Message) -> None:
        self._delivered = message.delivered
        self._traps = [click.at for click in message.clicks if click.trap]
        self._marked = [click.at for click in message.clicks if click.marked]
        self._bursts = bursts_of(message.clicks)

    def reason_of(self, act: Act) -> str:
        """Why ``act`` is a machine's: the honeypot, or its signals; "" for a person's."""
        at = act.at
        if _near(self._traps, at, SCAN_MS):
            return HONEYPOT
        signals = []
        if any(max(last, at) - min(first, at) < LINKS_MS for first, last in self._bursts):
            signals.append("links")
        if _near(self._delivered, at, SOON_MS):
            signals.append("delivery")
        if _near(self._marked, at, SCAN_MS):
            signals.append("scanner")
        if act.gateway:
            signals.append("gateway")
        return "+".join(signals) if len(signals) >= NEEDED else ""


def bursts_of(clicks: list[Act]) -> list[tuple[int, int]]:
    """The shortest stretches from one click on, less than ``LINKS_MS`` long, that hold ``LINKS`` distinct links.

    Args:
        clicks: in their order.
    """
    bursts = []
    for number, first in enumerate(clicks):
        links: set[bytes] = set()
        for click in clicks[number:]:
            if click.at - first.at >= LINKS_MS:
                break
            if click.link:
                links.add(click.link)
            if len(links) == LINKS:
                bursts.append((first.at, click.at))
                break
    return bursts


def _near(times: list[int], at: int, reach_ms: int) -> bool:
    if not times:
        return False
    place = bisect_left(times, at - reach_ms)
    return place < len(times) and times[place] <= at + reach_ms


class Mailbox:
    """The messages to one recipient during one frame: ``hear`` everything, ``take`` what counts, then ``judge``."""

    __slots__ = ("_beyond", "_heard", "_messages", "_node", "_step")

    def __init__(self, step: Step, node: str) -> None:
        self._step = step
        self._node = node
        self._messages: dict[str, tuple[Message, str]] = {}
        """By the key of its record: the message, and the event that was heard last."""
        self._heard: dict[int, tuple[str, Act]] = {}
        """By the number of the row: key of the message, and what its event says."""
        self._beyond: list[tuple[Act, str]] = []
        """What is no longer kept, with the event that set it off."""

    def hear(self, event: Event, number: int) -> None:
        """Let one content of an event be a signal, whether it counts itself or not: so their order does not matter.

        ``number`` is that of the row that it gets if it counts.
        """
        said = _said(event, self._node)
        if said is None:
            self._heard.pop(number, None)  # of one before it that did not count
            return
        name, act = self._heard[number] = said
        message = self._opened(name, event.id)
        if event.name == "delivered":
            _keep_first(message.delivered, event.at)
            return
        if event.name == "opened" and act.marked:
            return  # known for a machine's, and speaks against nothing else: images are fetched for many reasons
        acts = _acts(message, event)
        place = bisect_left(acts, act.order(), key=Act.order)
        if place < len(acts) and acts[place].order() == act.order():
            return
        acts.insert(place, act)
        if len(acts) > LIMIT:
            self._beyond.append((acts.pop(), event.id))

    def take(self, event: Event, number: int, item: Item | None) -> bool:
        """Let a click or open that was heard count with its message.

        Returns: whether it is judged there. If not, it belongs to no message, and counts for what it says alone.
        """
        heard = self._heard.get(number)
        if heard is None or event.name not in _JUDGED:
            return False
        name, act = heard
        acts = _acts(self._opened(name, event.id), event)
        place = bisect_left(acts, act.order(), key=Act.order)
        if place < len(acts) and acts[place].order() == act.order():
            act = acts[place]
        else:
            self._beyond.append((act, event.id))
        act.row_o, act.row_i, act.item, act.told = self._step.offset, number, item, None
        return True

    def judge(self, seen: Seen) -> None:
        """Tell what changed, and store the messages; ``seen`` knows which contents count."""
        for act, cause in self._beyond:
            self._tell(act, TOO_MANY, cause, seen)
        for name, (message, cause) in self._messages.items():
            evidence = Evidence(message)
            for act in (*message.clicks, *message.opens):
                self._tell(act, evidence.reason_of(act), cause, seen)
            self._step.state.put(name, message)

    def _opened(self, name: str, event_id: str) -> Message:
        found = self._messages.get(name)
        message = found[0] if found else self._stored(name)
        self._messages[name] = message, event_id
        return message

    def _stored(self, name: str) -> Message:
        step = self._step
        message = step.state.get(name, Message)
        if message is None or message.log_at < step.at - KEEP_MS:
            message = Message(step.at)
            step.state.put(_due_key(message, name), Due())
        return message

    def _tell(self, act: Act, reason: str, cause: str, seen: Seen) -> None:
        """Bring row and touch of a click or open in line with the verdict on it."""
        if act.row_o < 0 or act.told == reason:
            return
        step, node, item = self._step, self._node, act.item
        counted = find(step.state, node, seen, id_hash(act.id), step.forgotten)
        if counted is None or (counted.row_o, counted.row_i) != (act.row_o, act.row_i):
            return  # another content counts by now, or its id is forgotten: then it stays as it is
        if reason or act.told:
            step.fact("email_verdicts", self._row(act, reason))
        if item is not None:
            if not reason:
                fresh = act.told is None
                copy = msgspec.structs.replace(item)
                put_item(step, node, copy, "new" if fresh else "bot", act.id if fresh else cause)
            elif act.told is not None:
                remove_item(step, node, item.at, item.id, cause, reason="bot")
        act.told = reason

    def _row(self, act: Act, reason: str) -> EmailVerdictRow:
        step = self._step
        return EmailVerdictRow(
            tenant(self._node), act.id, step.partition, act.row_o, act.row_i, reason != "", reason,
            step.offset, step.partition, step.offset, step.next_row("email_verdicts"),
        )  # fmt: skip


def sweep_messages(state: State, now: int) -> None:
    """Forget messages whose time is over, at most ``_SWEPT_AT_ONCE``."""
    for due, _ in state.scan(key("w", ""), Due, limit=_SWEPT_AT_ONCE):
        _, log_at, rest = due.split("\x00", 2)
        if log_at >= time_part(now - KEEP_MS):
            return
        name = key("m", rest)
        message = state.get(name, Message)
        if message is not None and time_part(message.log_at) == log_at:
            state.delete(name)
        state.delete(due)


def _said(event: Event, node: str) -> tuple[str, Act] | None:
    """Key of the message that an event belongs to, and what it says; None if it is none of a recipient's message."""
    if event.type != kinds.EMAIL_EVENT or event.name not in _HEARD or kind(node) not in _PEOPLE:
        return None
    try:
        properties = properties_of(event.properties)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None  # whoever writes its row says so
    message_id = text_of(properties, "message_id")
    if not message_id:
        return None
    url = text_of(properties, "url") or event.url
    link = id_hash(url) if url and event.name == "clicked" else b""
    trap = properties.get("honeypot") is True
    gateway = text_of(properties, "gateway") != ""
    return key("m", node, id_hash(message_id).hex()), Act(event.at, event.id, link, trap, event.bot != "", gateway)


def _acts(message: Message, event: Event) -> list[Act]:
    return message.clicks if event.name == "clicked" else message.opens


def _keep_first(times: list[int], at: int) -> None:
    place = bisect_left(times, at)
    if place == len(times) or times[place] != at:
        times.insert(place, at)
        del times[DELIVERIES:]


def _due_key(message: Message, name: str) -> str:
    return key("w", time_part(message.log_at), name[2:])
