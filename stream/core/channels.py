"""The channel of a source: GA4's default channel group in its order, with AI Assistant and B2B channels (docs/sessions.md).

>>> channel_of("google", "cpc", "brand"), channel_of("linkedin.com", "", ""), channel_of("", "", "")
('Paid Search', 'Organic Social', 'Direct')
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from stream.core.referrers import Category, category_of

DIRECT: Final = "Direct"
UNASSIGNED: Final = "Unassigned"
EMAIL: Final = "Email"
EVENT: Final = "Event"
SALES_OUTREACH: Final = "Sales Outreach"
OFFLINE: Final = "Offline"
AI_MEDIUM: Final = "ai-assistant"
AI_CAMPAIGN: Final = "(ai-assistant)"

_PAID: Final = re.compile(r"^(.*cp.*|ppc|retargeting|paid.*)$")
_SHOP: Final = re.compile(r"^(.*(([^a-df-z]|^)shop|shopping).*)$")
_NO_MEDIUM: Final = ("", "(not set)", "(none)")
_DISPLAY: Final = ("display", "banner", "expandable", "interstitial", "cpm")
_SOCIAL: Final = ("social", "social-network", "social-media", "sm", "social network", "social media")
_EMAIL: Final = ("email", "e-mail", "e_mail", "e mail")


class _Traffic(NamedTuple):
    """What the rules look at, lower-case. ``paid`` and ``shop`` are GA4's two regular expressions."""

    source: str
    medium: str
    campaign: str
    category: Category
    paid: bool
    shop: bool


def _is_push(t: _Traffic) -> bool:
    return t.medium.endswith("push") or "mobile" in t.medium or "notification" in t.medium or t.source == "firebase"


_RULES: Final[tuple[tuple[str, Callable[[_Traffic], bool]], ...]] = (
    (DIRECT, lambda t: t.source in ("", "(direct)") and t.medium in _NO_MEDIUM and (t.source != "" or not t.campaign)),
    ("Cross-network", lambda t: "cross-network" in t.campaign),
    ("Paid Shopping", lambda t: t.paid and (t.category == "shopping" or t.shop)),
    ("Paid Search", lambda t: t.paid and t.category == "search"),
    ("Paid Social", lambda t: t.paid and t.category == "social"),
    ("Paid Video", lambda t: t.paid and t.category == "video"),
    ("Display", lambda t: t.medium in _DISPLAY),
    ("Paid Other", lambda t: t.paid),
    ("Organic Shopping", lambda t: t.category == "shopping" or t.shop),
    ("Organic Social", lambda t: t.category == "social" or t.medium in _SOCIAL),
    ("Organic Video", lambda t: t.category == "video" or "video" in t.medium),
    ("AI Assistant", lambda t: t.medium == AI_MEDIUM),
    ("Organic Search", lambda t: t.category == "search" or t.medium == "organic"),
    ("Review Site", lambda t: t.category == "review"),
    ("Referral", lambda t: t.medium in ("referral", "app", "link")),
    (EMAIL, lambda t: t.source in _EMAIL or t.medium in _EMAIL),
    ("Affiliates", lambda t: t.medium == "affiliate"),
    ("Audio", lambda t: t.medium == "audio"),
    ("SMS", lambda t: t.source == "sms" or t.medium == "sms"),
    ("Mobile Push", _is_push),
    (SALES_OUTREACH, lambda t: t.medium in ("outbound", "sales", "sequence")),
    (EVENT, lambda t: t.medium in ("event", "webinar", "tradeshow")),
    ("Partner", lambda t: t.medium == "partner"),
    (OFFLINE, lambda t: t.medium == "offline" or t.source == "crm"),
)
"""In order; the first that holds counts. Review sites come before Referral, or their referrers would never get there."""
CHANNELS: Final = (*(name for name, _ in _RULES), UNASSIGNED)


@lru_cache(maxsize=1 << 15)
def channel_of(source: str, medium: str, campaign: str) -> str:
    """The channel of (source, medium, campaign) as campaign tags or a referrer gave them; any case."""
    low_source, low_medium, low_campaign = source.strip().lower(), medium.strip().lower(), campaign.strip().lower()
    traffic = _Traffic(
        low_source, low_medium, low_campaign, category_of(source),
        _PAID.match(low_medium) is not None, _SHOP.match(low_campaign) is not None,
    )  # fmt: skip
    return next((name for name, holds in _RULES if holds(traffic)), UNASSIGNED)
