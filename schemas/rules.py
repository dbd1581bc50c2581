"""The business rules: what counts as a session, a channel, a conversion, a point, an alert. Versioned, on the log.

``touchline.toml`` [rules] overrides the defaults below; ``touchline setup`` puts a changed set on the log, so that a
replay sees the rules which held at each offset. Durations carry their unit in the name.
"""

from typing import Annotated, Literal

import msgspec

Model = Literal["first", "last", "last_non_direct", "linear", "time_decay", "u_shaped"]
MODELS: tuple[Model, ...] = ("first", "last", "last_non_direct", "linear", "time_decay", "u_shaped")


class EventConversion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A product event that is a conversion: its name, the stage it reaches, where its value is."""

    event: str
    stage: str
    value_property: str = ""
    currency_property: str = "currency"
    default_value: str = "0"


class PointRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Engagement of an event; the first rule that matches counts. Empty fields match everything."""

    points: float
    type: str = ""
    name: str = ""
    path_prefix: str = ""


class AlertRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fires when the account's score reaches ``threshold``; armed again once it has decayed to ``rearm_share`` of it."""

    name: str = "hot-account"
    threshold: float = 30.0
    rearm_share: float = 0.7


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All rules of one tenant-wide version."""

    version: str = "default"
    session_gap_s: int = 1800
    session_max_s: int = 86400
    internal_domains: tuple[str, ...] = ()
    """Own registrable domains: referrers from there are internal (the page's own domain always is)."""
    excluded_referrers: tuple[str, ...] = (
        "paypal.com", "checkout.stripe.com", "buy.stripe.com", "adyen.com", "klarna.com", "accounts.google.com",
        "login.microsoftonline.com", "login.live.com", "appleid.apple.com", "okta.com", "auth0.com", "docusign.net",
    )  # fmt: skip
    key_events: tuple[str, ...] = ("Form Submitted", "Demo Requested", "Signed Up", "Trial Started")
    """Make a session engaged, whatever its length."""
    form_events: tuple[str, ...] = ("Form Submitted", "Demo Requested")
    """Each is a touch of its own (type form)."""
    conversions: tuple[EventConversion, ...] = (
        EventConversion("Signed Up", "signup"),
        EventConversion("Demo Requested", "lead"),
        EventConversion("Trial Started", "trial"),
    )
    lookback_days: int = 180
    lookback_days_by_stage: dict[str, int] = msgspec.field(default_factory=lambda: {"won": 365, "lost": 365})
    models: tuple[Model, ...] = MODELS
    time_decay_half_life_days: float = 7.0
    score_half_life_days: float = 14.0
    points: tuple[PointRule, ...] = (
        PointRule(30, "track", "Demo Requested"),
        PointRule(25, "track", "Signed Up"),
        PointRule(25, "track", "Trial Started"),
        PointRule(8, "track", "Form Submitted"),
        PointRule(10, "email", "replied"),
        PointRule(3, "email", "clicked"),
        PointRule(-10, "email", "unsubscribed"),
        PointRule(-20, "email", "complained"),
        PointRule(10, "page", "", "/pricing"),
        PointRule(4, "page", "", "/docs"),
        PointRule(4, "page", "", "/customers"),
        PointRule(-5, "page", "", "/careers"),
        PointRule(1, "page"),
        PointRule(1, "screen"),
        PointRule(30, "crm.activity", "meeting"),
        PointRule(12, "crm.activity", "webinar"),
        PointRule(1, "crm.activity"),
    )
    alerts: tuple[AlertRule, ...] = (AlertRule(),)
    freemail_domains: tuple[str, ...] = ()
    """In addition to the shipped list."""
    blocked_ids: tuple[str, ...] = ()
    """In addition to the shipped list (null, undefined, anonymous, ...)."""
    reporting_currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")] = "EUR"
    """What the views ``*_reporting`` convert to (ISO 4217)."""
    fx_max_age_days: Annotated[int, msgspec.Meta(ge=0)] = 31
    """How many days a rate holds if no newer one is known; 0: for ever."""
