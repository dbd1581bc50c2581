"""The smallest leaf that there can be: hits as records, each remembering the owner that it was last sent to."""

import msgspec

from schemas.ids import OPPORTUNITY, VISITOR, kind
from schemas.messages import Owner, Touch, TouchPut, TouchWithdrawn
from stream.core import identity
from stream.core.state import key
from stream.core.step import Step
from tests.simulation.identity.inputs import Hit, SessionUser


class Record(msgspec.Struct):
    """One hit of a leaf."""

    when: int
    session: str
    content: str
    owner: Owner | None = None
    """Whom it was given to; None if it was not yet given to anybody."""

    def order(self) -> tuple[int, str, str]:
        return self.when, self.session, self.content


class Session(msgspec.Struct):
    """Whose a session is."""

    user: str = ""
    when: int = -1


class Leaves:
    """Leaf logic, with a switch for each rule of the forest for leaves. All of them on is right."""

    def __init__(self, *, smallest_wins: bool = True, resend_content: bool = True, stored_root: bool = True) -> None:
        self.smallest_wins = smallest_wins
        self.resend_content = resend_content
        self.stored_root = stored_root

    def hit(self, step: Step, hit: Hit) -> None:
        if kind(hit.to) not in {VISITOR, OPPORTUNITY}:
            identity.entered(step, hit.to, "hit")
        place = key("i", hit.to, hit.id)
        record = step.state.get(place, Record)
        if record is None:
            record = Record(hit.when, hit.session, hit.content)
        elif self.smallest_wins and hit.order() < record.order():
            if record.owner is not None and self.resend_content:
                self._withdraw(step, hit.id, record.owner)
                record.owner = None
            record.when, record.session, record.content = hit.order()
        else:
            return
        self._own(step, hit.to, hit.id, record)
        step.state.put(place, record)

    def session_user(self, step: Step, who: SessionUser) -> None:
        place = key("w", who.to, who.session)
        session = step.state.get(place, Session) or Session()
        if (who.when, who.user) <= (session.when, session.user):
            return
        before, session.user, session.when = session.user, who.user, who.when
        step.state.put(place, session)
        if before == who.user:
            return
        identity.link(step, who.to, who.user, 1, "who")
        if before:
            identity.link(step, who.to, before, -1, "who")
        for name, record in step.state.scan(key("i", who.to, ""), Record):
            if record.session == who.session:
                self._own(step, who.to, name.rpartition("\0")[2], record)
                step.state.put(name, record)

    def settle(self, step: Step, node: str, after: str, limit: int, _cause: str) -> str:
        """``stream.core.identity.Settle`` over these records."""
        found = step.state.scan(key("i", node, ""), Record, start=after + "\0" if after else "", limit=limit)
        for name, record in found:
            self._own(step, node, name.rpartition("\0")[2], record)
            step.state.put(name, record)
        return found[-1][0] if len(found) == limit else ""

    def _own(self, step: Step, node: str, hit_id: str, record: Record) -> None:
        session = step.state.get(key("w", node, record.session), Session) if record.session else None
        owner = identity.owner_of(step, node, record.when, session.user if session else "")
        if owner is None or owner == record.owner:
            return
        before = record.owner if self.stored_root else _recomputed(step, node, record)
        if before is not None and before.account and (not self.stored_root or before.account != owner.account):
            self._withdraw(step, hit_id, before)
        if owner.account and (before is None or (before.account, before.person) != (owner.account, owner.person)):
            touch = Touch(hit_id, record.when, "event", record.content, owner.person, node)
            step.tell_account(TouchPut(owner.account, step.at, touch=touch))
        record.owner = owner

    def _withdraw(self, step: Step, hit_id: str, owner: Owner) -> None:
        if owner.account:
            step.tell_account(TouchWithdrawn(owner.account, step.at, id=hit_id))


def _recomputed(step: Step, node: str, record: Record) -> Owner | None:
    """The wrong way to know the old owner: what the node's default domain or self would have said."""
    return Owner("t/a:recomputed", 0, node) if record.owner is None else record.owner
