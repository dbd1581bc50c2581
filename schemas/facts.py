"""Facts: rows for ClickHouse in its own JSONEachRow, computed by the stages, written by the sink as bytes.

A fact record's value is one index line and then the blocks, one a table, in the index's order::

    [["events",2,512],["sessions",1,230]]\\n
    {...}\\n{...}\\n            <- 512 bytes of ``events``
    {...}\\n                    <- 230 bytes of ``sessions``

Every row ends with its address ``_p,_o,_i``: partition and offset of the input frame and the row's number in the
frame's table, so that ``count() - uniqExact(_p,_o,_i)`` is 0 as long as nothing was written twice. ``version`` of the
mutable tables is the input offset: for one key it only grows, since a key lives in one partition.
Times are integer ms, also in the tables (JSONEachRow would read an integer into DateTime64 as seconds); the views make
DateTime64(3, 'UTC') of them. Nodes are given without their tenant prefix.

Of the four tables with most rows, columns at their default ("", 0, false) are not written: ClickHouse fills them in, and
rows are a third smaller to encode, pack and send. Columns that are always written have a default that never occurs.
"""

import msgspec


class PageColumns(msgspec.Struct, omit_defaults=True, gc=False):
    """What an event's addresses say: columns of ``events`` that follow the event's own."""

    path: str
    """Always written."""
    channel: str
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    utm_term: str = ""
    utm_content: str = ""
    click_id: str = ""


class EventRow(msgspec.Struct, gc=False):
    """``events``: immutable, one a kept event. Person, account and session are joined by the view.

    Never built: a row is the event's line as the log has it, then ``PageColumns``, then the address. What the line leaves
    out, ClickHouse fills in; what it says beyond these columns, ClickHouse leaves out.
    """

    tenant: str
    event_id: str
    occurred_at: int
    received_at: int
    source: str
    protocol: str
    platform: str
    type: str
    name: str
    node: str
    """Entry node with its tenant, e.g. ``default/v:3f2a``; the view shows it without."""
    visitor_id: str
    user_id: str
    email: str
    group_id: str
    url: str
    path: str
    referrer: str
    title: str
    channel: str
    utm_source: str
    utm_medium: str
    utm_campaign: str
    utm_term: str
    utm_content: str
    click_id: str
    engaged_ms: int
    is_bot: bool
    bot: str
    bot_reason: str
    device: str
    browser: str
    os: str
    country: str
    region: str
    city: str
    company: str
    clock_suspect: bool
    client_session: str
    locale: str
    library: str
    properties: msgspec.Raw
    traits: msgspec.Raw
    _p: int
    _o: int
    _i: int


class SupersededRow(msgspec.Struct, gc=False):
    """``events_superseded``: an event row that a smaller content of the same id replaced (rare; the view hides it)."""

    tenant: str
    event_id: str
    node: str
    row_p: int
    row_o: int
    row_i: int
    _p: int
    _o: int
    _i: int


class SessionColumns(msgspec.Struct, omit_defaults=True, gc=False):
    """Columns of ``sessions`` that seldom change while a session goes on: they come first in its row."""

    tenant: str
    session_id: str
    node: str
    visitor_id: str
    person_id: str
    account_id: str
    started_at: int
    channel: str = ""
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    landing_url: str = ""
    touch_id: str = ""
    """Its touch; ``v_touches`` has sessions from here."""
    by_network: bool = False
    """Nothing but the company of the network says that it is the account's."""


class SessionRow(msgspec.Struct, omit_defaults=True, gc=False):
    """``sessions``: latest version counts; ``deleted`` when a late event dissolved it.

    Never built: a row is its ``SessionColumns``, the same bytes each time, then the columns that change, then the address.
    """

    tenant: str
    session_id: str
    node: str
    visitor_id: str
    person_id: str
    account_id: str
    started_at: int
    ended_at: int
    page_views: int = 0
    events: int = 0
    engaged_ms: int = 0
    engaged: bool = False
    channel: str = ""
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    landing_url: str = ""
    exit_url: str = ""
    touch_id: str = ""
    points: float = 0.0
    deleted: bool = False
    by_network: bool = False
    version: int = -1
    _p: int = -1
    _o: int = -1
    _i: int = -1


class TouchRow(msgspec.Struct, omit_defaults=True, gc=False):
    """``touches`` other than sessions: latest version counts. ``account_id`` is "" while nobody owns it."""

    tenant: str
    touch_id: str
    node: str
    account_id: str
    person_id: str
    occurred_at: int
    type: str
    channel: str = ""
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    session_id: str = ""
    event_id: str = ""
    points: float = 0.0
    deleted: bool = False
    by_network: bool = False
    version: int = -1
    _p: int = -1
    _o: int = -1
    _i: int = -1


class IdentityRow(msgspec.Struct, gc=False):
    """``identity``: the whole present step function of a node (parallel arrays); latest version counts.

    Empty arrays: nothing refers to the node any more, and views show it no longer.
    """

    tenant: str
    node: str
    kind: str
    """visitor, user, email, domain, account, opportunity."""
    since: list[int]
    person_id: list[str]
    account_id: list[str]
    source: list[str]
    version: int
    recorded_at: int
    cause_event_id: str
    _p: int
    _o: int
    _i: int


class IdentityClaimRow(msgspec.Struct, gc=False):
    """``identity_claims``: append-only, one a claim, retraction or limit. Of one claim the last row says how it stands."""

    tenant: str
    node: str
    """Who belongs; of a merge the account that is merged into another."""
    claim_id: str
    action: str
    """claim, retract, late (its retraction came first), limit (the node has too many; no longer counts)."""
    parent: str
    source: str
    """What said so: trait, group, crm.contact, operator, session (a session's user), merge, ..."""
    precedence: int
    confidence: float
    at: int
    """Event time, ms: of two of one precedence the later counts. 0 for sessions, which have many."""
    since: int
    until: int
    """``2**62`` without an end."""
    cause_event_id: str
    recorded_at: int
    _p: int
    _o: int
    _i: int


class AccountRow(msgspec.Struct, gc=False):
    """``accounts``: profile and totals of an account; latest version counts."""

    tenant: str
    account_id: str
    name: str
    domain: str
    parent_id: str
    owner: str
    people: int
    touches: int
    first_touch_at: int
    last_touch_at: int
    stage: str
    log2_score: float
    """log2 of the score's sum of w * 2**(t / half-life), t in ms since 1970; -inf is written as -1e308."""
    half_life_days: float
    deleted: bool
    """True while the account has neither touches nor conversions nor a profile."""
    version: int
    _p: int
    _o: int
    _i: int


class EngagementRow(msgspec.Struct, gc=False):
    """``engagement``: score of one person on one account; latest version counts."""

    tenant: str
    account_id: str
    person_id: str
    log2_score: float
    sign: int
    """-1 if the sum is negative (then log2_score is of its absolute value), 0 if it is zero."""
    touches: int
    half_life_days: float
    version: int
    _p: int
    _o: int
    _i: int


class ConversionRow(msgspec.Struct, gc=False):
    """``conversions``: latest version counts; ``deleted`` when it was withdrawn or moved."""

    tenant: str
    conversion_id: str
    account_id: str
    journey: str
    """The person's node where there is no account; "" where there is one."""
    person_id: str
    stage: str
    occurred_at: int
    amount: str
    currency: str
    opportunity_id: str
    event_id: str
    deleted: bool
    version: int
    _p: int
    _o: int
    _i: int


class BookingRow(msgspec.Struct, gc=False):
    """``bookings``: append-only and signed; sums are right without FINAL.

    What a restatement gives a conversion's touches by one model, as parallel arrays; ``ledger_shares`` has a row for each.
    """

    tenant: str
    conversion_id: str
    account_id: str
    stage: str
    model: str
    model_version: str
    currency: str
    conversion_at: int
    touch_ids: list[str]
    channels: list[str]
    utm_sources: list[str]
    utm_mediums: list[str]
    utm_campaigns: list[str]
    touched_at: list[int]
    credits: list[str]
    """Decimal texts with 9 places; 1 = whole."""
    amounts: list[str]
    recorded_at: int
    reason: str
    cause_event_id: str
    _p: int
    _o: int
    _i: int


class AlertRow(msgspec.Struct, gc=False):
    """``alerts``: latest version counts. ``withdrawn_at`` is 0 while it stands."""

    tenant: str
    alert_id: str
    rule: str
    rule_version: str
    account_id: str
    fired_at: int
    withdrawn_at: int
    score: float
    threshold: float
    evidence: msgspec.Raw
    version: int
    _p: int
    _o: int
    _i: int


class EmailRow(msgspec.Struct, gc=False):
    """``email``: one a provider event."""

    tenant: str
    event_id: str
    message_id: str
    recipient: str
    campaign: str
    event: str
    occurred_at: int
    url: str
    is_machine: bool
    reason: str
    provider: str
    node: str
    """Whose it is, so that mails of people without a known address are told apart."""
    _p: int
    _o: int
    _i: int


class EmailVerdictRow(msgspec.Struct, gc=False):
    """``email_verdicts``: what the events of a message together say of one of them; of an event's row the latest counts."""

    tenant: str
    event_id: str
    row_p: int
    row_o: int
    row_i: int
    """Address of its row of ``email``."""
    is_machine: bool
    """False: what made it look like a machine's was taken back."""
    reason: str
    version: int
    _p: int
    _o: int
    _i: int


class CostLedgerRow(msgspec.Struct, gc=False):
    """``cost_ledger``: ad cost of a day, append-only and signed; a restated cost books the difference."""

    tenant: str
    cost_id: str
    day: str
    channel: str
    utm_source: str
    utm_medium: str
    utm_campaign: str
    amount: str
    currency: str
    standing: int
    """1 when a cost is booked for the first time, -1 when it is withdrawn, else 0: the sum says whether it stands."""
    reason: str
    """new_cost, restated, withdrawn."""
    cause_event_id: str
    recorded_at: int
    _p: int
    _o: int
    _i: int


class FxRateRow(msgspec.Struct, gc=False):
    """``fx_rates``: one unit of ``base`` in ``quote`` on a day; all that ever counted, the latest booking counts now."""

    tenant: str
    base: str
    quote: str
    day: str
    rate: str
    """Decimal text with 18 places."""
    deleted: bool
    cause_event_id: str
    recorded_at: int
    _p: int
    _o: int
    _i: int


class ReportingRow(msgspec.Struct, gc=False):
    """``reporting``: the currency of reports as the rules name it, from when on."""

    rules_version: str
    currency: str
    decimal_places: int
    """Of the currency's minor unit."""
    fx_max_age_days: int
    recorded_at: int
    _p: int
    _o: int
    _i: int


TABLES: dict[str, type[msgspec.Struct]] = {
    "events": EventRow,
    "events_superseded": SupersededRow,
    "sessions": SessionRow,
    "touches": TouchRow,
    "identity": IdentityRow,
    "identity_claims": IdentityClaimRow,
    "accounts": AccountRow,
    "engagement": EngagementRow,
    "conversions": ConversionRow,
    "bookings": BookingRow,
    "alerts": AlertRow,
    "email": EmailRow,
    "email_verdicts": EmailVerdictRow,
    "cost_ledger": CostLedgerRow,
    "fx_rates": FxRateRow,
    "reporting": ReportingRow,
}
"""Table name -> row shape. The DDL in ``schemas/clickhouse`` has exactly these columns in this order (tested)."""

EARLIER = {"ledger": "bookings"}
"""Tables that earlier versions wrote, and what took their place. Facts for them may still be on the log."""


class DeadLetterRow(msgspec.Struct, gc=False):
    """``dead_letters``: a ``schemas.rejections.DeadLetter`` with its address on the ``dead-letters`` topic."""

    tenant: str
    id: str
    received_at: int
    source: str
    reason: str
    detail: str
    body: str
    """Base64."""
    address: str
    path: str
    gpc: bool
    envelope: str
    """Base64."""
    _p: int
    _o: int
    _i: int


DEAD_LETTERS_TABLE = "dead_letters"
"""Written by the sink itself, from the ``dead-letters`` topic."""
