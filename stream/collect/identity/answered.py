"""Answers of ``/v1/identity``, as OpenAPI describes them. Identifiers and times are in people's words."""

import msgspec
from msgspec import UNSET, UnsetType

Time = str | None
"""ISO 8601; null: always, for good, not known."""


class Booked(msgspec.Struct, frozen=True):
    """A claim that was made or taken back, and the event on the log that says so."""

    claim: str
    event_id: str
    type: str


class Said(msgspec.Struct, frozen=True):
    """It is on the log; the warnings say what may be a slip of the pen."""

    success: bool
    said: list[Booked]
    warnings: list[str]


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Who says that ``node`` belongs to ``belongs_to``, how strongly, and for which time."""

    node: str
    claim: str
    source: str
    rank: int
    confidence: float
    belongs_to: str
    since: Time = msgspec.field(name="from")
    until: Time = msgspec.field(name="to")
    said_at: Time
    said_by: str
    reason: str
    known_since: Time
    event_id: str


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """What decides, or lost: a claim, or else the ``rule`` for what nobody claimed."""

    source: str
    rank: int
    belongs_to: str
    why: str | UnsetType = UNSET
    """Why it lost."""
    account_id: str | UnsetType = UNSET
    """Account that it leads to."""
    rule: str | UnsetType = UNSET
    claim: str | UnsetType = UNSET
    confidence: float | UnsetType = UNSET
    since: Time | UnsetType = msgspec.field(name="from", default=UNSET)
    until: Time | UnsetType = msgspec.field(name="to", default=UNSET)
    said_at: Time | UnsetType = UNSET
    said_by: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    known_since: Time | UnsetType = UNSET
    event_id: str | UnsetType = UNSET


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the way up: ``as`` is ``person`` (who it is) or ``account`` (where it belongs)."""

    node: str
    belongs_to: str
    role: str = msgspec.field(name="as")
    because: Reason
    lost: list[Reason]
    more_lost: int
    """Those that are left out; so it is with every ``more_``."""


class Protection(msgspec.Struct, frozen=True):
    """A rule that keeps ``node`` from being somebody's."""

    node: str
    rule: str
    why: str


class Parent(msgspec.Struct, frozen=True):
    """The account above one in the CRM's hierarchy."""

    account: str
    """Now, after merges; empty if there is a problem."""
    named: str
    """As the CRM names it."""
    problem: str
    """``circle``, ``too deep``, or empty."""
    said_at: Time
    said_by: str
    event_id: str


class Child(msgspec.Struct, frozen=True):
    """An account below one in the CRM's hierarchy."""

    account: str
    name: str


class Domain(msgspec.Struct, frozen=True):
    """A domain that was named for an account, and whose it is."""

    domain: str
    counts: bool
    """Whether it is this account's."""
    belongs_to: str
    claims: list[Reason]
    """What names it for this account; ``why`` says why one does not count."""
    more_claims: int
    instead: Reason | None
    """What decides where the domain is another's."""
    protections: list[Protection]


class Direct(msgspec.Struct, frozen=True):
    """How many identifiers of a kind have a claim of that source to belong to the account. Not all of them need win."""

    kind: str
    source: str
    identifiers: int


class AccountMerge(msgspec.Struct, frozen=True):
    """A merge into the account, into one that was merged into it, or of it."""

    loser: str
    winner: str
    counts: bool
    because: Reason


class MadeOf(msgspec.Struct, frozen=True):
    """What an account is made of. ``people`` and ``touches`` are those of ``v_accounts``."""

    name: str
    people: int
    touches: int
    parent: Parent | None
    children: list[Child]
    more_children: int
    domains: list[Domain]
    more_domains: int
    direct: list[Direct]
    merges: list[AccountMerge]
    more_merges: int


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Whose ``node`` is at ``at``, and why."""

    node: str
    at: Time
    account_id: str
    """As tables write it; empty if nobody's."""
    account: str
    person: str
    rank: int
    source: str
    session_user: str
    steps: list[Step]
    protections: list[Protection]
    taken_back: list[Claim]
    more_taken_back: int
    made_of: MadeOf | UnsetType = UNSET
    """Accounts only."""
    warnings: list[str]


class Credit(msgspec.Struct, frozen=True):
    """What a model has booked; decimal numbers as texts."""

    model: str
    currency: str
    credit: str
    amount: str


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """What would go from one account to another; empty is nobody."""

    source: str = msgspec.field(name="from")
    target: str = msgspec.field(name="to")
    touches: int
    conversions: int
    other_person: int
    """Those that stay on their account but get another person."""
    credit: list[Credit]


class Previewed(msgspec.Struct, frozen=True):
    """What would move below ``node``, of so many identifiers, touches and conversions."""

    node: str
    identifiers: int
    records: int
    moves: list[Move]
