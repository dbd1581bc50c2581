"""Segment's and RudderStack's JSON as structs: only the members that mean something to us, all of them optional.

``fitted`` reads an item whose members have other types than the protocol says: what does not fit is left out.
"""

from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

Id = str | int | float | None
"""SDKs pass ids on as the caller gave them."""
Text = str | None
T = TypeVar("T", bound=msgspec.Struct)


class Library(msgspec.Struct, gc=False):
    """``context.library``: the SDK."""

    name: Text = None
    version: Text = None


class Page(msgspec.Struct, gc=False):
    """``context.page``."""

    url: Text = None
    referrer: Text = None
    title: Text = None


class Campaign(msgspec.Struct, gc=False):
    """``context.campaign``."""

    name: Text = None
    source: Text = None
    medium: Text = None
    term: Text = None
    content: Text = None


class ContextTraits(msgspec.Struct, gc=False):
    """``context.traits``: what was known of the user at the time of the call."""

    email: Text = None


class ExternalId(msgspec.Struct, gc=False):
    """An element of ``context.externalIds``."""

    id: Id = None
    type: Text = None
    collection: Text = None


class Consent(msgspec.Struct, gc=False, rename="camel"):
    """``context.consent``."""

    category_preferences: dict[str, bool] | None = None


class Context(msgspec.Struct, gc=False, rename="camel"):
    """``context``."""

    campaign: Campaign | None = None
    page: Page | None = None
    ip: Text = None
    user_agent: Text = None
    group_id: Id = None
    traits: ContextTraits | None = None
    external_ids: list[ExternalId] | None = None
    consent: Consent | None = None
    locale: Text = None
    library: Library | None = None
    session_id: Id = None
    """RudderStack's browser SDK."""


class Item(msgspec.Struct, gc=False, rename="camel"):
    """One call: an element of ``batch`` or a whole body."""

    type: Text = None
    event: Text = None
    name: Text = None
    user_id: Id = None
    anonymous_id: Id = None
    group_id: Id = None
    previous_id: Id = None
    message_id: Id = None
    timestamp: Id = None
    original_timestamp: Id = None
    sent_at: Id = None
    channel: Text = None
    """RudderStack: web, mobile, server."""
    context: Context | None = None
    properties: Raw | UnsetType = UNSET
    traits: Raw | UnsetType = UNSET


class Batch(msgspec.Struct, gc=False, rename="camel"):
    """The envelope."""

    batch: list[Raw]
    sent_at: Id = None
    write_key: Text = None
    context: Raw | UnsetType = UNSET


class Sender(msgspec.Struct, gc=False, rename="camel"):
    """Of a single call: who sends it."""

    write_key: Text = None


decode_batch = msgspec.json.Decoder(Batch).decode
decode_item = msgspec.json.Decoder(Item).decode
decode_context = msgspec.json.Decoder(Context).decode
decode_sender = msgspec.json.Decoder(Sender).decode
decode_members = msgspec.json.Decoder(dict[str, Raw]).decode


def fitted(kind: type[T], json: bytes | Raw) -> T:
    """The struct ``kind`` with those members of the JSON object that have the right type.

    Raises: msgspec.DecodeError if it is no JSON object.
    """
    given = decode_members(json)
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        raw = given.get(field.encode_name)
        if raw is not None:
            fits = _fit(field.type, raw)
            if fits is not UNSET:
                fields[field.name] = fits
    return kind(**fields)


def _fit(wanted: Any, raw: Raw) -> Any:
    try:
        return msgspec.json.decode(raw, type=wanted)
    except (msgspec.ValidationError, UnicodeDecodeError):
        inner = next((t for t in getattr(wanted, "__args__", ()) if isinstance(t, type)), None)
        if inner is not None and issubclass(inner, msgspec.Struct) and bytes(raw)[:1] == b"{":
            return fitted(inner, raw)
        return UNSET


def read_item(raw: bytes | Raw) -> Item:
    """The call. Raises: one of ``bodies.UNREADABLE``."""
    try:
        return decode_item(raw)
    except msgspec.ValidationError:
        return fitted(Item, raw)


def read_context(raw: Raw | UnsetType) -> Context | None:
    """The envelope's context, None if it has none."""
    if raw is UNSET or bytes(raw)[:1] != b"{":
        return None
    try:
        return decode_context(raw)
    except msgspec.ValidationError:
        return fitted(Context, raw)


def merged(inner: Context | None, outer: Context | None) -> Context | None:
    """The item's context with what only the envelope says."""
    if inner is None or outer is None:
        return inner or outer
    changes = {
        f: v for f in Context.__struct_fields__ if getattr(inner, f) is None and (v := getattr(outer, f)) is not None
    }
    return msgspec.structs.replace(inner, **changes) if changes else inner
