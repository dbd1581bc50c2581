"""What the CRM's versions of an object or a contact come to: its folds, which lie in the record of the node they entered by.

There they are kept encoded: that record is read and written with every event of the node, and only the CRM's need them.
Since updates are kept without limit, folds that grew large get a key of their own, for good.
"""

from typing import Final

import msgspec

from schemas.codec import state_encoder
from schemas.messages import BEGINNING
from stream.core.seen import Seen, record_key
from stream.core.state import State, key

LARGEST: Final = 4 << 10
"""Bytes of folds in a record: about a hundred versions. Most contacts have a handful."""
LEFT: Final = "left "
"""Before an account, of an opportunity: it is off that one, if it was there."""
DELETED: Final = "deleted"
PERSON: Final = "person"
"""Of an activity: whom it was with. The link stands beside that to the account."""
CONTACTS: Final = "contacts"
"""Of an opportunity: the users of all its contacts."""
USER: Final = "user "
"""Before a user, of an opportunity: a contact of its."""


class ContactFold(msgspec.Struct, array_like=True, gc=False):
    """All versions of the contacts of one address or user, and the claims that stand for them."""

    versions: list[tuple[int, str]] = msgspec.field(default_factory=list)
    """(event time, word as in ``contacts.Words.accounts``), ascending."""
    standing: dict[str, str] = msgspec.field(default_factory=dict)
    """What is claimed, by a name that tells it from everything else -> id of the claim that was sent and not retracted."""
    given: int = 0
    """Ids given away so far."""
    heirs: dict[str, int] = msgspec.field(default_factory=dict)
    """User of the contact that this one was merged into -> time from which on its addresses are that user's."""
    erased: bool = False
    addresses: dict[str, list[int]] = msgspec.field(default_factory=dict)
    """Address of the contact -> event times of the versions that name it, ascending. Of a user's fold only."""
    logins: list[str] = msgspec.field(default_factory=list)
    """Users of the customer's own that versions with an address name for this contact."""


class ObjectFold(msgspec.Struct, array_like=True, gc=False):
    """An account, opportunity or activity: the latest word on everything, and the claims that stand for that."""

    said: dict[str, tuple[int, tuple[str, ...]]] = msgspec.field(default_factory=dict)
    """About what -> event time and nodes of the latest word; of two at one time the greater names count."""
    first: dict[str, int] = msgspec.field(default_factory=dict)
    """Node -> event time of the earliest version that names it."""
    standing: dict[str, tuple[str, int]] = msgspec.field(default_factory=dict)
    """Node -> id and earliest time of the claim that was sent and not retracted."""
    given: int = 0
    """Ids given away so far."""
    weak: bool = False
    """Whether what stands was claimed as a deleted account's."""

    def names(self) -> tuple[str, ...]:
        """The nodes that are to be linked: of an opportunity without account those of its first contact."""
        return self._owners() + self.said.get(PERSON, (0, ()))[1]

    def _owners(self) -> tuple[str, ...]:
        for about in ("domains", "account", "contact"):
            at, found = self.said.get(about, (0, ()))
            if found and self.said.get(f"{LEFT}{found[0]}", (at, ()))[0] <= at:
                return found
        users = self._contacts()
        return (min(users, key=lambda name: (self.first[name], users[name], name)),) if users else ()

    def _contacts(self) -> dict[str, int]:
        """Users of an opportunity's contacts -> places in the latest list. What was said of one alone since then counts more."""
        at, listed = self.said.get(CONTACTS, (BEGINNING, ()))
        users = {name: place for place, name in reversed(list(enumerate(listed)))}
        for about, (said_at, found) in self.said.items():
            if about.startswith(USER) and said_at >= at:
                user = about.removeprefix(USER)
                if found:
                    users.setdefault(user, len(listed))
                else:
                    users.pop(user, None)
        return users

    def is_deleted(self) -> bool:
        """Whether the CRM's latest word is that it is deleted."""
        return bool(self.said.get(DELETED, (0, ()))[1])


class Folds(msgspec.Struct, array_like=True, gc=False):
    """Of one node by which events of the CRM come in."""

    contacts: dict[str, ContactFold] = msgspec.field(default_factory=dict)
    """By the node of the person."""
    own: ObjectFold | None = None
    """Accounts, opportunities and activities."""


_decode: Final = msgspec.msgpack.Decoder(Folds).decode


def folds_of(state: State, name: str) -> Folds:
    """The folds of the node ``name``; ``keep_folds`` stores what is changed in them."""
    record = state.get(record_key(name), Seen)
    if record is None or record.crm == b"":
        return Folds()
    if record.crm is None:
        return state.get(_place(name), Folds) or Folds()
    return _decode(record.crm)


def keep_folds(state: State, name: str, folds: Folds) -> None:
    """Store the folds of the node ``name``."""
    record = state.get(record_key(name), Seen) or Seen()
    packed = None if record.crm is None else state_encoder.encode(folds)
    if packed is None or len(packed) > LARGEST:
        state.put(_place(name), folds)
        if record.crm is None:
            return
        packed = None
    record.crm = packed
    state.put(record_key(name), record)


def _place(name: str) -> str:
    return key("f", name, "claims")
