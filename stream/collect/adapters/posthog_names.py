"""What PostHog's names mean: whose an event is, which of its groups is the account, what kind of client sent it.

>>> group_of({"team": "red", "company": "acme"}), group_of({"workspace": 7}), group_of({"team": "red"})
('acme', '7', '')
"""

from typing import Final

from schemas import event as kinds
from stream.collect import normal

KINDS: Final = {
    "$pageview": kinds.PAGE,
    "$screen": kinds.SCREEN,
    "$identify": kinds.IDENTIFY,
    "$set": kinds.IDENTIFY,
    "$set_once": kinds.IDENTIFY,
    "$create_alias": kinds.ALIAS,
    "$groupidentify": kinds.GROUP,
}
"""All other events are track calls of that name."""
IGNORED: Final = frozenset({"$feature_flag_called", "$snapshot", "$web_vitals", "$$heatmap"})
"""Not what anybody did: kept by nobody, counted as ignored."""
ACCOUNT_TYPES: Final = ("account", "company", "organization", "organisation", "customer", "workspace")
"""Group types that mean a customer, the first that is there counts. A team or a project is no account."""
_WEB: Final = frozenset({"web", "js", "posthog-js"})
_APPS: Final = ("ios", "android", "flutter", "react-native", "unity")


def group_of(groups: object) -> str:
    """The account among ``$groups``, "" if none is one."""
    if not isinstance(groups, dict):
        return ""
    found = (normal.identifier(groups.get(kind)) for kind in ACCOUNT_TYPES)
    return next(filter(None, found), "")


def platform_of(kind: str, library: str) -> str:
    """Platform of an event by ``$lib``."""
    if kind == kinds.SCREEN or any(part in library for part in _APPS):
        return kinds.APP
    return kinds.WEB if kind == kinds.PAGE or library in _WEB else kinds.SERVER


def is_client(library: str) -> bool:
    """Whether the SDK runs at the visitor's, so that its connection is the visitor's own."""
    return library in _WEB or any(part in library for part in _APPS)


def who(distinct_id: object, property_of: dict[str, object]) -> tuple[str, str]:
    """Visitor and user of an event.

    PostHog has one id for both. What an SDK made up for a device (``$device_id``), called anonymous
    (``$anon_distinct_id``), does not want to be a person (``$process_person_profile``) or says that nobody has logged in
    (``$is_identified``) is a visitor; all else a user.
    """
    known = normal.identifier(distinct_id if distinct_id is not None else property_of.get("distinct_id"))
    device = normal.identifier(property_of.get("$device_id"))
    visitor = normal.identifier(property_of.get("$anon_distinct_id")) or device
    if not known or known in {visitor, device}:
        return known or visitor, ""
    if property_of.get("$process_person_profile") is False or property_of.get("$is_identified") is False:
        return visitor or known, ""
    return visitor, known
