"""A leaf's records and their owners: what a node owns is shown to whoever owns the node, now and when that changes.

Records lie below ``key("i", node)``: clusters of a visitor's hits under "s", single touches and conversions under "t".
The newest cluster of a visitor lies in its own record (``stream.core.seen``).
"""

from schemas.ids import VISITOR, kind
from schemas.messages import Owner
from stream.core.clusters import Changes, Cluster, cluster_prefix
from stream.core.hits import Item
from stream.core.identity import link, link_company, owner_of, visitor_of
from stream.core.seen import Seen, record_key
from stream.core.sessions import Session
from stream.core.state import key, time_part
from stream.core.step import Step
from stream.core.touches import drop_item, drop_session, show_item, show_session


def item_prefix(node: str) -> str:
    """Prefix of the keys of a node's single touches and conversions."""
    return key("i", node, "t", "")


def item_key(node: str, at: int, item_id: str) -> str:
    """State key of a single touch or conversion."""
    return item_prefix(node) + key(time_part(at), item_id)


def show_changes(step: Step, node: str, changes: Changes) -> None:
    """Say what a frame did to a visitor's sessions. Links come first: owners are asked through them."""
    cause = next((cause for _, cause, _ in changes.changed.values()), "")
    for user in sorted(changes.users):
        link(step, node, user, changes.users[user], cause)
    follow_companies(step, node, changes, cause)
    for session in changes.dissolved:
        drop_session(step, node, session, cause)
    for item in changes.withdrawn:
        drop_item(step, node, item, cause)
    for session, event_id, late in changes.changed.values():
        reason = "late" if late else "changed" if session.account else "new"
        session.held = True
        show(step, node, session, reason, event_id)


def follow_companies(step: Step, node: str, changes: Changes, cause: str) -> None:
    """Let the visitor's node know in which companies' networks its sessions are."""
    for session in changes.dissolved:
        if session.counted:
            link_company(step, node, session.counted, -1, cause)
    for session, _, _ in changes.changed.values():
        if session.company != session.counted:
            if session.counted:
                link_company(step, node, session.counted, -1, cause)
            if session.company:
                link_company(step, node, session.company, 1, cause)
            session.counted = session.company


def show(step: Step, node: str, session: Session, reason: str, cause: str) -> bool:
    """Show a session with its items. Returns: whether anything in its record changed."""
    owner, by_network = _owner(step, node, session, session.start)
    changed = show_session(step, node, session, owner, reason=reason, cause=cause, by_network=by_network)
    for item in session.items:
        owner, by_network = _owner(step, node, session, item.at, visit=item.touch is not None)
        shown = show_item(step, node, item, owner, reason=reason, cause=cause, by_network=by_network)
        changed = shown or changed
    return changed


def _owner(step: Step, node: str, session: Session, at: int, *, visit: bool = True) -> tuple[Owner | None, bool]:
    """Whose what happened in the session at ``at`` is, and whether only the network says so."""
    owner = owner_of(step, node, at, session.user_at(at))
    if not (session.company and visit) or owner is None or owner.account:
        return owner, False
    owner = visitor_of(step, node, at, session.company, owner)
    return owner, owner is not None and bool(owner.account)


def put_item(step: Step, node: str, item: Item, reason: str, cause: str) -> None:
    """Store a single touch or conversion (new, or with new content) and show it."""
    name = item_key(node, item.at, item.id)
    old = step.state.get(name, Item)
    if old is not None:
        item.account, item.person, item.by_network = old.account, old.person, old.by_network
        item.held = old.held or not item.same_content(old) or item.user != old.user
    show_item(step, node, item, owner_of(step, node, item.at, item.user), reason=reason, cause=cause)
    step.state.put(name, item)


def remove_item(step: Step, node: str, at: int, item_id: str, cause: str, *, reason: str = "changed") -> None:
    """Take a single touch or conversion away."""
    name = item_key(node, at, item_id)
    old = step.state.get(name, Item)
    if old is not None:
        drop_item(step, node, old, cause, reason=reason)
        step.state.delete(name)


def remove_items_of(step: Step, node: str, at: int, event_id: str, cause: str) -> None:
    """Take away all that one event made outside sessions."""
    for name, item in step.state.scan(item_prefix(node) + key(time_part(at), ""), Item):
        if item.event == event_id:
            drop_item(step, node, item, cause)
            step.state.delete(name)


def settle(step: Step, node: str, after: str, limit: int, cause: str) -> str:
    """``stream.core.identity.Settle``: give the node's own records to their present owners."""
    items = item_prefix(node)
    left = limit
    if after < items:
        record = step.state.get(record_key(node), Seen) or Seen()
        if kind(node) == VISITOR:
            settled = _settle_clusters(step, node, record, after, left, cause=cause)
            if len(settled) == left:
                return settled[-1]
            left -= len(settled)
        if not record.spread:
            return ""
        after = ""
    start = after + "\x00" if after else ""
    singles = step.state.scan(items, Item, start=start, limit=left)
    for name, item in singles:
        owner = owner_of(step, node, item.at, item.user)
        reason = "new" if item.held else "moved"
        if show_item(step, node, item, owner, reason=reason, cause=cause):
            step.state.put(name, item)
    return singles[-1][0] if len(singles) == left else ""


def _settle_clusters(step: Step, node: str, record: Seen, after: str, limit: int, *, cause: str) -> list[str]:
    """Settle at most ``limit`` clusters whose key is above ``after``. Returns their keys.

    The newest comes last, as if it lay under the key that it will get: so the order stays as it is when that happens.
    """
    prefix = cluster_prefix(node)
    settled = []
    start = after + "\x00" if after else ""
    for name, cluster in step.state.scan(prefix, Cluster, start=start, limit=limit) if record.spread else ():
        if _settle_cluster(step, node, cluster, cause):
            step.state.put(name, cluster)
        settled.append(name)
    if record.newest is not None and len(settled) < limit:
        name = prefix + time_part(record.newest.start)
        if name > after:
            if _settle_cluster(step, node, record.newest, cause):
                step.state.put(record_key(node), record)
            settled.append(name)
    return settled


def _settle_cluster(step: Step, node: str, cluster: Cluster, cause: str) -> bool:
    changed = False
    for session in cluster.sessions:
        changed = show(step, node, session, "new" if session.held else "moved", cause) or changed
    return changed
