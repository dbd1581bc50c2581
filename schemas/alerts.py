"""The record of the ``alerts`` topic: what a person or a program needs to act on an alert, and to judge it.

An alert that no longer holds because its touches were withdrawn is sent again with ``withdrawn_at`` set. If it stands again
later, it is sent again with ``withdrawn_at`` 0, however old its activity is by then: the last record of an id is what holds.
"""

import msgspec


class EvidenceTouch(msgspec.Struct, frozen=True, gc=False):
    """One of the touches behind an alert."""

    touch_id: str
    at: int
    type: str
    channel: str
    person_id: str
    points: float
    """As of ``at``, before any decay."""


class Evidence(msgspec.Struct, frozen=True):
    """Why an alert fired, as of the moment when it did."""

    day: str
    """UTC day on which the score reached the threshold."""
    score_before: float
    """At the start of that day."""
    half_life_days: float
    touches: list[EvidenceTouch]
    """Those of that day with the most points, most first."""


class Alert(msgspec.Struct, frozen=True):
    """One alert. Times are integer ms since 1970 UTC."""

    alert_id: str
    """Derived from tenant, rule, account and day: the same whenever and however often it is computed."""
    rule: str
    rule_version: str
    tenant: str
    account_id: str
    account_name: str
    domain: str
    score: float
    """At the latest touch of the day, when it fired."""
    threshold: float
    fired_at: int
    withdrawn_at: int
    """0 while it stands."""
    evidence: Evidence
