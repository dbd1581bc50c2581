"""The stitch stage: one record of the ``events`` topic -> dedupe, sessions, touches, conversions, identity, and rows.

Events of a frame are taken node by node, so that a visitor's state is read and written once per frame. The results are a
pure function of the set of events; only row versions and addresses depend on how they were framed.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from schemas import event as kinds
from schemas import messages as wire
from schemas.codec import properties_of
from schemas.event import Event
from schemas.facts import SupersededRow
from schemas.ids import ACCOUNT, ACTIVITY, OPPORTUNITY, VISITOR, kind
from schemas.rejections import Rejected, RejectReason
from schemas.rules import Rules
from stream.core.activities import take_activity
from stream.core.clusters import Clusters
from stream.core.costs import take_cost
from stream.core.digest import digest
from stream.core.everyday import First, first
from stream.core.frames import Line, decode
from stream.core.fx import reporting_row, take_rate
from stream.core.hits import ACTION, PING, VIEW, Hit, Item
from stream.core.identity import company_node, entered, flush, handle, link, observe, rules_changed, session_link
from stream.core.identity.node import level, node_of
from stream.core.identity.operators import registry_of
from stream.core.items import items_of, may_make_items
from stream.core.leaf import put_item, remove_items_of, settle, show_changes
from stream.core.mail import Mailbox, sweep_messages
from stream.core.opportunities import take_opportunity
from stream.core.profiles import take_account
from stream.core.rows import email_row, event_row
from stream.core.rulebook import Page, Rulebook, rulebook_of
from stream.core.seen import Entry, Seen, find, forget, id_hash, overdue, record_key, remember, replace, sweep
from stream.core.state import State
from stream.core.step import Step
from stream.core.visit import HIT_KINDS, LATEST, SITES, go_on

RULES_KEY: Final = "rules"
Said = tuple[Event, bytes]
"""An event and its line."""
Everyday = Callable[[Step, Rulebook, str, Sequence[Line]], bool]
_FOLDS: Final = {
    kinds.CRM_OPPORTUNITY: (OPPORTUNITY, take_opportunity),
    kinds.CRM_ACTIVITY: (ACTIVITY, take_activity),
    kinds.CRM_ACCOUNT: (ACCOUNT, take_account),
}
_RESTATED: Final = {kinds.COST: take_cost, kinds.FX: take_rate}
"""Figures: their nodes are nobody, so identity does not hear of them."""
_CLAIMING: Final = (
    kinds.ALIAS, kinds.CRM_ACCOUNT, kinds.CRM_CONTACT, kinds.CRM_OPPORTUNITY, kinds.CRM_ACTIVITY, *kinds.OPERATOR_EVENTS,
)  # fmt: skip
"""Types that may say something of identity without naming a user, an address or a group."""


def rules_of(state: State) -> Rules:
    """The rules that hold in this partition; the defaults until some were sent."""
    return state.get(RULES_KEY, Rules) or Rules()


def events_step(step: Step, frame: bytes, *, first: First = first, everyday: Everyday = go_on) -> None:
    """Apply one frame of canonical events, one a line.

    ``first`` takes what it can and gives the lines of those nodes that are left, ``everyday`` those of a node if it can, unless
    they are known to be for the general way. That is gone once all others are done: code that runs now and then between them
    is in no cache of the CPU's, which took 5 % of the stage.

    Lines are decoded when their node's turn comes: so no more is decoded than is needed, and it is still in the CPU's
    cache then.
    """
    book = rulebook_of(step.rules)
    step.table("events")
    left = [own for node, own, general in first(step, book, frame) if general or not everyday(step, book, node, own)]
    leaves: list[_Leaf] = []
    for own in left:
        said = _decoded(step, own)
        if said:
            leaf = _Leaf(step, book, said[0][0].node)
            leaf.let_in(said)
            leaves.append(leaf)
    # What the events say of identity comes first: then most of what they do has an owner at once.
    _drain(step)
    for leaf in leaves:
        leaf.apply()
    _work_off(step)


def _decoded(step: Step, group: list[Line]) -> list[Said]:
    """The events of one node's lines that can be taken, each with its line."""
    said: list[Said] = []
    for number, line in group:
        try:
            event = decode(line)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            step.refused.append((number, Rejected(RejectReason.MALFORMED, str(error)[:200], line)))
            continue
        if not (-LATEST < event.at < LATEST and 0 <= event.received_at < LATEST):
            step.reject(event, RejectReason.BAD_TIME, "a time is out of range")
        elif event.type in _CLAIMING and not _has_object(event):
            step.reject(event, RejectReason.MALFORMED, "properties is not a JSON object")
        elif (event.node != said[0][0].node) if said else not _can_enter(step, event.node):
            step.reject(event, RejectReason.BAD_VALUE, "the entry node is not tenant/kind:value")
        else:
            said.append((event, line))
    return said


def _can_enter(step: Step, node: str) -> bool:
    """Whether events may come in by it: identifiers, and the registry with what operators say of accounts.

    What has a record is one of them, and the record is needed next.
    """
    known = step.state.get(record_key(node), Seen) is not None
    return known or level(node) >= 0 or node == registry_of(node.partition("/")[0])


def _has_object(event: Event) -> bool:
    try:
        properties_of(event.properties)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


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
            sweep_messages(step.state, step.at)
        else:
            before, step.rules = step.rules, message.rules
            step.state.put(RULES_KEY, message.rules)
            step.fact("reporting", reporting_row(step))
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

    __slots__ = ("_book", "_clusters", "_kept", "_mailbox", "_node", "_record", "_rows", "_seen", "_step", "_visitor")

    def __init__(self, step: Step, book: Rulebook, node: str) -> None:
        self._step = step
        self._book = book
        self._node = node
        self._visitor = node[node.index("/") + 1] == VISITOR
        self._record = record_key(node)
        self._seen = step.state.get(self._record, Seen) or Seen()
        self._rows = step.rows["events"]
        self._clusters: Clusters | None = None
        self._mailbox = Mailbox(step, node)
        self._kept: list[tuple[Event, Page, bool, Entry | None, int]] = []
        """What counts: event, page, whether it is a hit, what it replaces, and the number of its row."""

    def let_in(self, said: Sequence[Said]) -> None:
        """Drop duplicates, book the rows of the others, and send the claims that they make."""
        step, seen, node, rows = self._step, self._seen, self._node, self._rows
        if not self._visitor and not seen.hashes and not seen.spilled and said[0][0].type not in _RESTATED:
            entered(step, node, said[0][0].id)
        forget(step.state, node, seen, *overdue(seen, step.forgotten))
        for event, line in said:
            page = self._book.page(event)
            number = len(rows)
            if event.type == kinds.EMAIL_EVENT:
                self._mailbox.hear(event, number)
            hashed = id_hash(event.id)
            check, size = digest(line)
            old = find(step.state, node, seen, hashed, step.forgotten)
            if old is None:
                remember(
                    step.state, node, seen, hashed,
                    step.at, check, size, event.received_at, event.at, step.offset, number,
                )  # fmt: skip
            elif not self._replaces(event, old, check, size):
                continue
            else:
                self._name_replaced(event.id)
            rows.append(event_row(step, line, page, number))
            is_hit = self._is_hit(event)
            self._kept.append((event, page, is_hit, old, number))
            if event.user or event.email or event.group or event.type in _CLAIMING:
                self._identify(event, is_hit=is_hit)

    def _is_hit(self, event: Event) -> bool:
        return self._visitor and event.type in HIT_KINDS and event.platform in SITES and not event.bot

    def _replaces(self, event: Event, old: Entry, check: int, size: int) -> bool:
        """Whether an event whose id is known counts instead of what is known; then that is noted."""
        step = self._step
        entry = Entry(step.at, check, size, event.received_at, event.at, step.offset, len(self._rows))
        if entry.content() < old.content():
            replace(step.state, self._node, self._seen, id_hash(event.id), entry)
            return True
        if (old.digest, old.size, old.at) != (check, size, event.at):
            # The claims of both contents count, whichever is kept: so their order does not matter. Of one content with two
            # times, too (the clock of who sent it was ahead, so its time is that of each receipt).
            is_hit = self._is_hit(event)
            self._identify(event, is_hit=is_hit)
            self._name(event, is_hit=is_hit)
        return False

    def _name_replaced(self, event_id: str) -> None:
        """An earlier content of this very frame does not count: its hit is in no session, but it named somebody."""
        for event, _, is_hit, _, _ in self._kept:
            if event.id == event_id:
                self._name(event, is_hit=is_hit)

    def _name(self, event: Event, *, is_hit: bool) -> None:
        """Note whom a hit named that another content of its id replaces: how many a visitor has must not depend on the order."""
        user = session_link(event, self._step.rules) if is_hit and event.type != kinds.PING else ""
        if user:
            link(self._step, self._node, user, 0, event.id)

    def _identify(self, event: Event, *, is_hit: bool) -> None:
        """The claims that the event makes. A session's user is its own matter (forest rule 8)."""
        if event.bot:
            return
        if event.email or event.group or event.type in _CLAIMING or event.name in self._book.form_events:
            observe(self._step, event)  # who names a user alone says nothing of anybody else
        if self._visitor and not is_hit:
            user = session_link(event, self._step.rules)
            if user:
                link(self._step, self._node, user, 1, event.id)

    def apply(self) -> None:
        """Let the events that were let in count."""
        state = self._step.state
        stored = state.get(self._record, Seen)
        if stored is not None:
            # Since ``let_in`` messages may have given the newest cluster to another owner, and told the node.
            self._seen.newest, self._seen.node, self._seen.spread = stored.newest, stored.node, stored.spread
            self._seen.crm = stored.crm
        clusters: Clusters | None = None
        others: dict[str, tuple[Event, int]] = {}
        for event, page, is_hit, old, number in self._kept:
            if old is not None:
                self._supersede(event, old)
                others.pop(event.id, None)
            if is_hit:
                if clusters is None:
                    clusters = self._opened()
                clusters.add(self._hit(event, page), event.id)
            else:
                others[event.id] = event, number
        clusters = self._clusters
        if clusters is not None:
            show_changes(self._step, self._node, clusters.finish())
            clusters.write()
            self._seen.newest, self._seen.spread = clusters.newest, clusters.spread
        if self._visitor:
            self._seen.node = node_of(state, self._node)  # its sessions may have named somebody
        self._seen.spread |= any(may_make_items(self._book, event) for event, _ in others.values())
        state.put(self._record, self._seen)
        # After the sessions: what a hit made is taken away before another content of its id makes the same again.
        for event, number in others.values():
            self._apply(event, number)
        self._mailbox.judge(self._seen)

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
            seen = self._seen
            self._clusters = Clusters(self._step.state, self._node, self._book, seen.newest, spread=seen.spread)
        return self._clusters

    def _apply(self, event: Event, number: int) -> None:
        """Let an event count that is no hit."""
        step = self._step
        if event.type == kinds.EMAIL_EVENT:
            step.fact("email", email_row(step, event, number))
        elif event.type in _RESTATED:
            _RESTATED[event.type](step, event)
        elif event.type in _FOLDS:
            wanted, fold = _FOLDS[event.type]
            if kind(event.node) == wanted:
                fold(step, event)
            else:
                step.reject(event, RejectReason.BAD_VALUE, f"{event.type} did not come by its own node")
        if not event.bot:
            self._put_items(event, number)

    def _put_items(self, event: Event, number: int) -> None:
        items = items_of(self._step, self._book, event)
        if event.type == kinds.EMAIL_EVENT and self._mailbox.take(event, number, items[0] if items else None):
            return
        if not items:
            return
        user = session_link(event, self._step.rules) if self._visitor else ""
        for item in items:
            item.user = user
            put_item(self._step, self._node, item, "new", event.id)

    def _hit(self, event: Event, page: Page) -> Hit:
        book, name = self._book, event.name
        hit_kind = HIT_KINDS[event.type]
        if hit_kind == PING:
            return Hit(event.at, event.id, PING, engaged_ms=event.engaged_ms)
        user = session_link(event, self._step.rules) if event.user or event.email else ""
        company = company_node(event.tenant, event.company) if event.company else ""
        if hit_kind == VIEW:
            points = book.points(event.type, name, page.path)
            return Hit(
                event.at, event.id, VIEW, event.url, user, event.engaged_ms, points, False, page.opens, None, company
            )
        items: list[Item] | None = None
        is_track = event.type == kinds.TRACK
        if is_track:
            items = items_of(self._step, book, event)
        # A form is a touch of its own and brings its own points.
        is_form = is_track and name in book.form_events
        points = 0 if is_form else book.points(event.type, name, page.path)
        key_event = is_track and name in book.key_events
        return Hit(
            event.at, event.id, ACTION, event.url, user, event.engaged_ms, points, key_event, page.opens, items, company
        )
