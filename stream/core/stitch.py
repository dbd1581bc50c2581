"""The stitch stage: one record of the ``events`` topic -> dedupe, sessions, touches, conversions, identity, and rows.

Events of a frame are taken node by node, so that a visitor's state is read and written once per frame. The results are a
pure function of the set of events; only row versions and addresses depend on how they were framed.
"""

from collections.abc import Sequence
from typing import Final

from schemas import event as kinds
from schemas import messages as wire
from schemas.event import Event
from schemas.facts import SupersededRow
from schemas.ids import VISITOR
from schemas.rules import Rules
from stream.core.clusters import Clusters
from stream.core.digest import digest
from stream.core.hits import ACTION, PING, VIEW, Hit, Item
from stream.core.identity import flush, handle, link, observe, rules_changed, session_link
from stream.core.items import items_of
from stream.core.leaf import put_item, remove_items_of, settle, show_changes
from stream.core.opportunities import take_account, take_opportunity
from stream.core.rows import cost_row, email_row, event_row
from stream.core.rulebook import Page, Rulebook, rulebook_of
from stream.core.seen import Entry, Seen, Verdict, expire, find, id_hash, judge, remember, replace, sweep
from stream.core.state import State, key
from stream.core.step import Step

RULES_KEY: Final = "rules"
_SITES: Final = (kinds.WEB, kinds.APP)
"""Platforms whose events make sessions."""
_HIT_KINDS: Final = {
    kinds.PING: PING, kinds.PAGE: VIEW, kinds.SCREEN: VIEW,
    kinds.TRACK: ACTION, kinds.IDENTIFY: ACTION, kinds.GROUP: ACTION, kinds.ALIAS: ACTION,
}  # fmt: skip


def rules_of(state: State) -> Rules:
    """The rules that hold in this partition; the defaults until some were sent."""
    return state.get(RULES_KEY, Rules) or Rules()


def events_step(step: Step, events: Sequence[Event]) -> None:
    """Apply one frame of canonical events."""
    by_node: dict[str, list[Event]] = {}
    for event in events:
        group = by_node.get(event.node)
        if group is None:
            by_node[event.node] = [event]
        else:
            group.append(event)
    book = rulebook_of(step.rules)
    leaves = [_Leaf(step, book, node) for node in by_node]
    for leaf, group in zip(leaves, by_node.values(), strict=True):
        leaf.let_in(group)
    # What the events say of identity comes first: then most of what they do has an owner at once.
    _drain(step)
    for leaf in leaves:
        leaf.apply()
    _work_off(step)


def messages_step(step: Step, messages: Sequence[wire.Identity]) -> None:
    """Apply one frame of what identity nodes tell each other."""
    for message in messages:
        handle(step, message, settle)
    _work_off(step)


def control_step(step: Step, messages: Sequence[wire.Control]) -> None:
    """Apply ticks and new rules. New rules hold for what comes after them; ``replay`` applies them to the past."""
    for message in messages:
        if isinstance(message, wire.Tick):
            sweep(step.state, step.at)
        else:
            before, step.rules = step.rules, message.rules
            step.state.put(RULES_KEY, message.rules)
            rules_changed(step, before)
    _work_off(step)


def _drain(step: Step) -> None:
    """Handle the messages to nodes of this partition, first in first out."""
    while step.local:
        handle(step, step.local.popleft(), settle)


def _work_off(step: Step) -> None:
    _drain(step)
    flush(step)


class _Leaf:
    """One entry node during one frame: ``let_in`` its events, then ``apply`` those that count."""

    __slots__ = ("_book", "_clusters", "_kept", "_node", "_rows", "_seen", "_step", "_visitor")

    def __init__(self, step: Step, book: Rulebook, node: str) -> None:
        self._step = step
        self._book = book
        self._node = node
        slash = node.index("/")
        self._visitor = node[slash + 1] == VISITOR
        self._seen = step.state.get(key("x", node), Seen) or Seen()
        self._rows = step.rows.setdefault("events", [])
        self._clusters: Clusters | None = None
        self._kept: list[tuple[Event, Page, Entry | None]] = []
        """What counts: event, page, and what it replaces."""

    def let_in(self, events: Sequence[Event]) -> None:
        """Drop duplicates, book the rows of the others, and send the claims that they make."""
        expire(self._seen, self._step.at)
        for event in events:
            self._let_in(event)

    def apply(self) -> None:
        """Let the events that were let in count."""
        for event, page, old in self._kept:
            if old is not None:
                self._supersede(event, old)
            self._apply(event, page, old)
        if self._clusters is not None:
            show_changes(self._step, self._node, self._clusters.finish())
            self._clusters.write()
            self._seen.newest = self._clusters.newest_start
        self._step.state.put(key("x", self._node), self._seen)

    def _let_in(self, event: Event) -> None:
        step = self._step
        page = self._book.page(event)
        number = len(self._rows)
        row = event_row(event, page, step.partition, step.offset, number)
        hashed = id_hash(event.id)
        old = find(step.state, self._node, self._seen, hashed)
        check, size = digest(row)
        entry = Entry(step.at, check, size, event.received_at, event.at, step.offset, number)
        verdict = judge(old, entry)
        if verdict is Verdict.NEW:
            remember(step.state, self._node, self._seen, hashed, entry)
            self._rows.append(row)
            self._kept.append((event, page, None))
            self._identify(event)
        elif old is not None and (verdict is Verdict.REPLACE or old.digest != check or old.size != size):
            # The claims of both contents count, whichever is kept: so their order does not matter.
            self._identify(event)
            if verdict is Verdict.REPLACE:
                replace(step.state, self._node, self._seen, hashed, entry)
                self._rows.append(row)
                self._kept.append((event, page, old))

    def _identify(self, event: Event) -> None:
        """The claims that the event makes. A session's user is its own matter (IDENTITY 8)."""
        if event.bot:
            return
        observe(self._step, event)
        if self._visitor and not self._is_hit(event) and (event.user or event.email):
            user = session_link(event, self._step.rules)
            if user:
                link(self._step, self._node, user, 1, event.id)

    def _is_hit(self, event: Event) -> bool:
        return self._visitor and event.type in _HIT_KINDS and event.platform in _SITES and not event.bot

    def _supersede(self, event: Event, old: Entry) -> None:
        """Take back what the content made that ``event`` replaces."""
        step = self._step
        node = self._node
        step.fact(
            "events_superseded",
            SupersededRow(
                event.tenant, event.id, node[node.index("/") + 1 :], step.partition, old.row_o, old.row_i,
                step.partition, step.offset, step.next_row("events_superseded"),
            ),
        )  # fmt: skip
        if self._visitor:
            self._opened().remove(old.at, event.id, event.id)
        remove_items_of(step, node, old.at, event.id, event.id)

    def _opened(self) -> Clusters:
        if self._clusters is None:
            self._clusters = Clusters(self._step.state, self._node, self._book, self._seen.newest)
        return self._clusters

    def _apply(self, event: Event, page: Page, old: Entry | None) -> None:
        """Let the event count: as a hit, or as whatever else it is."""
        if self._is_hit(event):
            self._opened().add(self._hit(event, page), event.id)
            return
        step = self._step
        if event.type == kinds.EMAIL_EVENT:
            step.fact("email", email_row(step, event))
        elif event.type == kinds.COST:
            step.fact("costs", cost_row(step, event))
        elif event.type == kinds.CRM_OPPORTUNITY:
            take_opportunity(step, event, replaces=old is not None)
        elif event.type == kinds.CRM_ACCOUNT:
            take_account(step, event, replaces=old is not None)
        if not event.bot:
            self._put_items(event)

    def _put_items(self, event: Event) -> None:
        items = items_of(self._step, self._book, event)
        if not items:
            return
        user = session_link(event, self._step.rules) if self._visitor else ""
        for item in items:
            item.user = user
            put_item(self._step, self._node, item, "new", event.id)

    def _hit(self, event: Event, page: Page) -> Hit:
        step, book = self._step, self._book
        kind = _HIT_KINDS[event.type]
        if kind == PING:
            return Hit(event.at, event.id, PING, engaged_ms=event.engaged_ms)
        user = session_link(event, step.rules) if event.user or event.email else ""
        items: list[Item] | None = None
        points = 0
        key_event = False
        if event.type == kinds.TRACK:
            items = items_of(step, book, event)
            key_event = event.name in book.key_events
        if event.name not in book.form_events or event.type != kinds.TRACK:
            points = book.points(event.type, event.name, page.path)
        return Hit(event.at, event.id, kind, event.url, user, event.engaged_ms, points, key_event, page.opens, items)
