"""PostHog's JSON as structs: the members that mean something to us, all of them optional."""

from typing import Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from stream.collect.fitting import fitted

Id = str | int | float | None
Text = str | None


class Item(msgspec.Struct, gc=False):
    """One event: an element of ``batch`` or a whole body."""

    event: Text = None
    uuid: Text = None
    distinct_id: Id = None
    timestamp: Id = None
    api_key: Text = None
    """Single events only; a batch says it once."""
    sent_at: Id = None
    properties: Raw | UnsetType = UNSET
    set: Raw | UnsetType = msgspec.field(name="$set", default=UNSET)
    """Where Python's SDK has it for ``set``; elsewhere it is a property."""
    set_once: Raw | UnsetType = msgspec.field(name="$set_once", default=UNSET)
    """Likewise."""


class Batch(msgspec.Struct, gc=False):
    """The envelope."""

    batch: list[Raw] | UnsetType = UNSET
    api_key: Text = None
    sent_at: Id = None


_item: Final = msgspec.json.Decoder(Item).decode
_batch: Final = msgspec.json.Decoder(Batch).decode


def read_item(raw: bytes | Raw) -> Item:
    """The event. Raises: one of ``bodies.UNREADABLE``."""
    try:
        return _item(raw)
    except msgspec.ValidationError:
        return fitted(Item, raw)


def read_batch(body: bytes) -> Batch:
    """The envelope; ``batch`` is UNSET for a single event. Raises: one of ``bodies.UNREADABLE``."""
    try:
        return _batch(body)
    except msgspec.ValidationError:
        return fitted(Batch, body)
