"""What stages tell each other: identity messages on ``events``, touches and profiles on ``accounts``, control on both.

Each message names its destination: ``to`` is a node (on ``events``) or an account id key (on ``accounts``); it lies in
the partition ``partition_of(to)``. ``cause`` is the event (or claim) that set it off, for the audit and the ledger.
Step functions of time are tuples of ``(start_ms, value)``; the first start is ``BEGINNING``.
"""

from typing import Final

import msgspec

from schemas.rules import Rules

BEGINNING: Final = -(2**62)
"""Minus infinity of the step functions, in ms."""


class Owner(msgspec.Struct, frozen=True, array_like=True):
    """Whose something is at one moment: the account, how strongly that is known, and the person.

    ``account`` is an account or domain node ("" none), ``rank`` the precedence of the claim that decided it,
    ``person`` the node of the person (email where known, else user, else visitor; "" for domains and accounts).
    """

    account: str = ""
    rank: int = 0
    person: str = ""


Resolution = tuple[tuple[int, Owner], ...]
"""Canonical step function time -> Owner: starts ascend, the first is BEGINNING, no equal neighbours."""


class IdentityMessage(msgspec.Struct, tag_field="m", omit_defaults=True, frozen=True, gc=False):
    """Base of everything that one node tells another."""

    to: str
    cause: str = ""


class Claim(IdentityMessage, tag="C", frozen=True, omit_defaults=True, gc=False):
    """``to`` belongs to ``parent`` during ``[since, until)``. Immutable: to change it, retract and claim anew."""

    id: str = ""
    parent: str = ""
    precedence: int = 0
    at: int = 0
    """Event time: of two claims of one precedence the later wins, then the greater id."""
    since: int = BEGINNING
    until: int | None = None
    source: str = ""
    """Where it comes from, for the audit: identify, trait, group, crm.contact, crm.account, operator, ..."""


class Retract(IdentityMessage, tag="R", frozen=True, omit_defaults=True, gc=False):
    """Claim ``id`` at ``to`` no longer holds, nor will if it arrives later."""

    id: str = ""


class Subscribe(IdentityMessage, tag="S", frozen=True, omit_defaults=True, gc=False):
    """``child`` wants to hear ``to``'s resolution; it is answered at once with the present one."""

    child: str = ""


class Unsubscribe(IdentityMessage, tag="U", frozen=True, omit_defaults=True, gc=False):
    """``child`` no longer belongs to ``to``."""

    child: str = ""


class Resolved(IdentityMessage, tag="P", frozen=True, omit_defaults=True, gc=False):
    """``parent`` publishes its resolution to its subscriber ``to``."""

    parent: str = ""
    resolution: Resolution = ()


class Token(IdentityMessage, tag="K", frozen=True, omit_defaults=True, gc=False):
    """``to`` goes on with the fan-out that it interrupted to let others pass. Always through the log (forest rule 14)."""


class Merge(IdentityMessage, tag="M", frozen=True, omit_defaults=True, gc=False):
    """To the registry: account ``loser`` is account ``winner`` (forest rule 7)."""

    id: str = ""
    loser: str = ""
    winner: str = ""
    precedence: int = 0
    at: int = 0


class Sold(IdentityMessage, tag="B", frozen=True, omit_defaults=True, gc=False):
    """``delta`` more (or fewer) conversions of the person ``to`` are on no account: with any it is a journey of its own."""

    delta: int = 0


class Root(IdentityMessage, tag="L", frozen=True, omit_defaults=True, gc=False):
    """From the registry: account ``to`` is now found under ``root``."""

    root: str = ""


Identity = Claim | Retract | Subscribe | Unsubscribe | Resolved | Token | Merge | Root | Sold


class Touch(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One touch as the account sees it. ``id`` contains its time (``schemas.ids.derived_id``), so a touch never moves."""

    id: str
    at: int
    type: str
    """session, form, email_click, email_reply, meeting, event, call, ..."""
    channel: str
    person: str
    node: str
    """The leaf that owns it."""
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    session_id: str = ""
    event_id: str = ""
    points: int = 0
    """Engagement, in thousandths of a point, as of ``at``."""
    last_at: int = 0
    """Latest activity (for a session its last event)."""
    eligible: bool = True
    """Whether attribution may credit it. False for what only lowers the score (unsubscribed, complained)."""


class Conversion(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A stage reached or a product event with a value."""

    id: str
    at: int
    stage: str
    person: str
    node: str
    amount: int = 0
    """Minor units of ``currency`` (``schemas.money``), e.g. cents."""
    currency: str = ""
    event_id: str = ""
    opportunity: str = ""


class AccountMessage(msgspec.Struct, tag_field="m", omit_defaults=True, frozen=True, gc=False):
    """Base of everything that an account is told. ``to`` is the account or domain node."""

    to: str
    at: int
    """Append time (ms) of the events frame that set it off: the ledger's ``recorded_at``. From the log, never a clock."""
    cause: str = ""
    reason: str = ""
    """new, late, changed, moved (identity changed), bot, duplicate."""


class TouchPut(AccountMessage, tag="A", frozen=True, omit_defaults=True, gc=False):
    """This touch is yours, with this content: an upsert by (touch.at, touch.id)."""

    touch: Touch | None = None


class TouchWithdrawn(AccountMessage, tag="W", frozen=True, omit_defaults=True, gc=False):
    """That touch is no longer yours."""

    id: str = ""
    touched_at: int = 0


class ConversionPut(AccountMessage, tag="CA", frozen=True, omit_defaults=True, gc=False):
    """This conversion is yours, with this content: an upsert by (conversion.at, conversion.id)."""

    conversion: Conversion | None = None


class ConversionWithdrawn(AccountMessage, tag="CW", frozen=True, omit_defaults=True, gc=False):
    """That conversion is no longer yours."""

    id: str = ""
    converted_at: int = 0


class Profile(AccountMessage, tag="F", frozen=True, omit_defaults=True, gc=False):
    """What CRM or ``group`` traits say of the account; the whole present profile, latest by event time."""

    name: str = ""
    domain: str = ""
    stage: str = ""
    parent: str = ""
    owner: str = ""
    profile_at: int = 0


class Owing(AccountMessage, tag="K", frozen=True, omit_defaults=True, gc=False):
    """From an account to itself, always through the log: others had their turn, go on with what has still to be booked."""


Account = TouchPut | TouchWithdrawn | ConversionPut | ConversionWithdrawn | Profile | Owing


class Tick(msgspec.Struct, tag_field="m", tag="tick", frozen=True):
    """Time passes: the only way a stage learns of it. ``at`` is ms."""

    at: int


class RulesChanged(msgspec.Struct, tag_field="m", tag="rules", frozen=True):
    """From this offset on these rules hold."""

    rules: Rules


Control = Tick | RulesChanged
