"""Segment's and RudderStack's JSON as structs: only the members that mean something to us, all of them optional."""

import msgspec
from msgspec import UNSET, Raw, UnsetType

from stream.collect.fitting import fitted

Id = str | int | float | None
"""SDKs pass ids on as the caller gave them."""
Text = str | None


class Library(msgspec.Struct, gc=False):
    """``context.library``: the SDK."""

    name: Text = None
    version: Text = None


class Page(msgspec.Struct, gc=False):
    """``context.page``."""

    url: Text = None
    referrer: Text = None
    title: Text = None
    search: Text = None


class Campaign(msgspec.Struct, gc=False):
    """``context.campaign``. PHP's and others' encoders make a number of a text of digits."""

    name: Id = None
    source: Id = None
    medium: Id = None
    term: Id = None
    content: Id = None


class ContextTraits(msgspec.Struct, gc=False):
    """``context.traits``: what was known of the user at the time of the call."""

    email: Text = None
    company: object = None
    """``{"id", "name", ...}``; some send the name alone."""


class ExternalId(msgspec.Struct, gc=False):
    """An element of ``context.externalIds``."""

    id: Id = None
    type: Text = None
    collection: Text = None


class Consent(msgspec.Struct, gc=False, rename="camel"):
    """``context.consent``. Its absence says nothing; what it does not grant is not granted."""

    category_preferences: dict[str, object] | None = None

    @property
    def given(self) -> dict[str, bool]:
        """By category. Only a plain ``true`` is a yes: a text may come of anything."""
        return {category: answer is True for category, answer in (self.category_preferences or {}).items()}


class ConsentManagement(msgspec.Struct, gc=False, rename="camel"):
    """``context.consentManagement``, RudderStack's: categories by the ids of whatever consent manager there is."""

    allowed_consent_ids: object = None
    denied_consent_ids: object = None

    @property
    def given(self) -> dict[str, bool]:
        """By category. What is in both lists is denied."""
        return dict.fromkeys(_texts(self.allowed_consent_ids), True) | dict.fromkeys(
            _texts(self.denied_consent_ids), False
        )


def _texts(given: object) -> list[str]:
    return [item for item in given if isinstance(item, str)] if isinstance(given, list) else []


class Context(msgspec.Struct, gc=False, rename="camel"):
    """``context``."""

    campaign: Campaign | None = None
    page: Page | None = None
    ip: Text = None
    direct: bool | None = None
    """The call came straight from the person's device."""
    user_agent: Text = None
    group_id: Id = None
    traits: ContextTraits | None = None
    external_ids: list[ExternalId] | None = None
    consent: Consent | list[object] | str | float | bool | None = None
    """What is neither an object nor a plain ``true`` grants nothing, as an empty object does: PHP writes ``[]`` for it."""
    consent_management: ConsentManagement | None = None
    locale: Text = None
    library: Library | None = None
    session_id: Id = None
    """RudderStack's browser SDK."""

    @property
    def categories(self) -> dict[str, bool] | None:
        """What the visitor consented to, by category; None if nothing is known. Of two words the no counts."""
        said = self._said
        if self.consent_management is None:
            return said
        found = self.consent_management.given
        for category, answer in (said or {}).items():
            found[category] = answer and found.get(category, True)
        return found

    @property
    def _said(self) -> dict[str, bool] | None:
        if isinstance(self.consent, Consent):
            return self.consent.given
        return None if self.consent is None or self.consent is True else {}


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
    write_key: Text = None
    """Single calls only; a batch says it once."""
    channel: Text = None
    """RudderStack: web, mobile, server."""
    context: Context | None = None
    properties: Raw | UnsetType = UNSET
    traits: Raw | UnsetType = UNSET


class Batch(msgspec.Struct, gc=False, rename="camel"):
    """The envelope."""

    batch: list[Raw] | UnsetType = UNSET
    sent_at: Id = None
    write_key: Text = None
    context: Raw | UnsetType = UNSET


_batch = msgspec.json.Decoder(Batch).decode
_item = msgspec.json.Decoder(Item).decode
_context = msgspec.json.Decoder(Context).decode


def read_batch(body: bytes) -> Batch:
    """The envelope. Raises: one of ``bodies.UNREADABLE``, also if it has no list ``batch``."""
    try:
        return _batch(body)
    except msgspec.ValidationError:
        envelope = fitted(Batch, body)
        if envelope.batch is UNSET:
            raise
        return envelope


def read_item(raw: bytes | Raw) -> Item:
    """The call. Raises: one of ``bodies.UNREADABLE``."""
    try:
        return _item(raw)
    except msgspec.ValidationError:
        return fitted(Item, raw)


def read_context(raw: Raw | UnsetType) -> Context | None:
    """The envelope's context, None if it has none."""
    if raw is UNSET or bytes(raw)[:1] != b"{":
        return None
    try:
        return _context(raw)
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


class _ContextOfIdentify(msgspec.Struct, gc=False):
    traits: Raw | UnsetType = UNSET


class _Identify(msgspec.Struct, gc=False):
    context: _ContextOfIdentify | None = None


_read_identify = msgspec.json.Decoder(_Identify).decode


def traits_in_context(item: bytes) -> Raw | UnsetType:
    """``context.traits`` as JSON: where RudderStack's server SDKs put the traits of an ``identify`` call."""
    try:
        found = _read_identify(item).context
    except msgspec.ValidationError:
        return UNSET
    return UNSET if found is None else found.traits
