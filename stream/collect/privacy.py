"""What is taken out of an event before it leaves the edge: by the visitor's choice, and by the list of blocked ids.

adapter -> events -> respect, without_blocked -> log

One place for all adapters. Who refused analytics is counted and nothing more; a browser that sends ``Sec-GPC`` is not
looked up in the company file; an id that the rules block is nobody's.

>>> refused({"Analytics": False, "Advertising": True}), refused({"analytics": True}), refused({}), refused(None)
(True, False, True, False)
>>> refused({"C0001": True, "C0002": True}), refused({"cookies-2": True}), refused({"cookies-2": True}, ("cookies-2",))
(False, True, False)
"""

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from msgspec import UNSET

from schemas.codec import json_encoder
from schemas.event import Event
from schemas.ids import kind, value
from schemas.rejections import Rejected, RejectReason
from stream.collect import normal
from stream.settings import ANALYTICS_CONSENT

_EPHEMERAL: Final = frozenset({"tracker"})
"""Protocols whose visitor id lives no longer than the page, where analytics were refused."""
_PEOPLE: Final = frozenset("vue")


def refused(consent: Mapping[str, bool] | None, categories: Iterable[str] = ANALYTICS_CONSENT) -> bool:
    """Whether the visitor refused analytics, or was not asked yet where asking comes first. None: nothing is known.

    Args:
        consent: answers by category.
        categories: those that stand for analytics. Each of them that there is an answer to must be a yes, at least one.
    """
    if consent is None:
        return False
    wanted = {category.lower() for category in categories}
    answers = [given for category, given in consent.items() if category.lower() in wanted]
    return not (answers and all(answers))


def respect(events: Iterable[Event], categories: Iterable[str] = ANALYTICS_CONSENT) -> None:
    """Take out of each event what its visitor does not want to be known. ``categories``: see ``refused``."""
    for event in events:
        if event.gpc:
            event.company = ""
        if event.consent is not None and refused(event.consent, categories):
            _keep_counts_only(event)


def _keep_counts_only(event: Event) -> None:
    """Strip who it was, where exactly, and whatever free text might say it."""
    if event.protocol not in _EPHEMERAL or not event.visitor:
        # Derived, so that a repeat of the event is a repeat; from the event alone, so that it links no two of them.
        event.visitor = normal.unnamed(event.tenant, event.source, event.id)
    event.node = normal.entry_node(event.tenant, event.visitor)
    event.user = event.group = event.email = event.client_session = ""
    event.region = event.city = event.company = event.locale = ""
    event.url, event.referrer = _campaign_only(event.url), _campaign_only(event.referrer)
    event.properties = event.traits = UNSET


def _campaign_only(url: str) -> str:
    """The address without fragment and parameters, which hold click ids and addresses, except for ``utm_*``."""
    if "?" not in url and "#" not in url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    campaign = "&".join(pair for pair in parts.query.split("&") if pair[:4].lower() == "utm_")
    return parts._replace(query=campaign, fragment="").geturl()


def without_blocked(events: Iterable[Event], blocked: frozenset[str]) -> tuple[list[Event], list[Rejected]]:
    """The events with the blocked ids removed; those that are left without an entry node are refused.

    Args:
        events: from an adapter.
        blocked: ``rules.blocked_ids``; the shipped list holds already, see ``normal.identifier``.
    """
    kept: list[Event] = []
    rejected: list[Rejected] = []
    for event in events:
        if blocked.isdisjoint((event.visitor, event.user, event.email, event.group, value(event.node))):
            kept.append(event)
            continue
        body = json_encoder.encode(event)
        _unblock(event, blocked)
        if event.node:
            kept.append(event)
        else:
            rejected.append(Rejected(RejectReason.MISSING_FIELD, "an id that rules.blocked_ids does not name", body))
    return kept, rejected


def _unblock(event: Event, blocked: frozenset[str]) -> None:
    entry, named = kind(event.node), value(event.node)
    for name in ("visitor", "user", "email", "group"):
        if getattr(event, name) in blocked:
            setattr(event, name, "")
    if named in blocked:
        person = entry in _PEOPLE
        event.node = normal.entry_node(event.tenant, event.visitor, event.user, event.email) if person else ""
