"""The rules made ready for the hot path: sets, look-ups by name, and caches of what pages and events mean.

Everything here is a pure function of ``Rules``; the caches only save work.
"""

from typing import NamedTuple, Protocol

from schemas.codec import columns_of
from schemas.facts import PageColumns
from schemas.rules import EventConversion, PointRule, Rules
from stream.core.sources import Source, Tags, place_of, source_of

_CACHED = 1 << 16
"""Entries of each cache. Pages and campaigns repeat; 65,536 of them take about 40 MB."""


class Addressed(Protocol):
    """What has the addresses of an ``Event``."""

    url: str
    referrer: str
    utm_source: str
    utm_medium: str
    utm_campaign: str
    utm_term: str
    utm_content: str


class Page(NamedTuple):
    """What an event's addresses say."""

    path: str
    source: Source
    opens: Source | None
    """The source if it is a new external one, which may split a session."""
    columns: bytes
    """The columns of an event's row that its addresses decide, as they follow the event's line: ``,"path":...``."""


class Rulebook:
    """One version of the rules."""

    __slots__ = (
        "_excluded", "_internal", "_pages", "_points", "_points_by_type", "conversions", "form_events", "gap_ms",
        "key_events", "max_ms", "rules",
    )  # fmt: skip

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.gap_ms = rules.session_gap_s * 1000
        self.max_ms = rules.session_max_s * 1000
        self.key_events = frozenset(rules.key_events)
        self.form_events = frozenset(rules.form_events)
        self.conversions: dict[str, list[EventConversion]] = {}
        for conversion in rules.conversions:
            self.conversions.setdefault(conversion.event, []).append(conversion)
        self._internal = frozenset(domain.lower() for domain in rules.internal_domains)
        self._excluded = frozenset(host.lower() for host in rules.excluded_referrers)
        self._pages: dict[tuple[str, ...], Page] = {}
        self._points: dict[tuple[str, str, str], int] = {}
        self._points_by_type: dict[str, list[PointRule]] = {}

    def page(self, event: Addressed) -> Page:
        """Path and source of an event; equal addresses are worked out once."""
        name = (
            event.url, event.referrer,
            event.utm_source, event.utm_medium, event.utm_campaign, event.utm_term, event.utm_content,
        )  # fmt: skip
        page = self._pages.get(name)
        if page is None:
            if len(self._pages) >= _CACHED:
                self._pages.clear()
            page = self._pages[name] = self._read(*name)
        return page

    def _read(self, url: str, referrer: str, *tags: str) -> Page:
        place = place_of(url)
        source = source_of(place, referrer, Tags(*tags), self._internal, self._excluded)
        said = PageColumns(
            place.path, source.channel,
            source.source, source.medium, source.campaign, source.term, source.content, source.click_id,
        )  # fmt: skip
        columns = b"," + columns_of(said)
        return Page(place.path, source, source if source.kind == "external" else None, columns)

    def points(self, type_: str, name: str, path: str) -> int:
        """Engagement of an event in thousandths of a point: the first rule that matches."""
        asked = (type_, name, path)
        points = self._points.get(asked)
        if points is None:
            if len(self._points) >= _CACHED:
                self._points.clear()
            points = self._points[asked] = self._first_match(type_, name, path)
        return points

    def _first_match(self, type_: str, name: str, path: str) -> int:
        rules = self._points_by_type.get(type_)
        if rules is None:
            rules = self._points_by_type[type_] = [r for r in self.rules.points if r.type in {"", type_}]
        for rule in rules:
            if (not rule.name or rule.name == name) and path.startswith(rule.path_prefix):
                return round(rule.points * 1000)
        return 0


class _Latest:
    """The rulebook in use; a worker has one set of rules at a time."""

    book: Rulebook | None = None


def rulebook_of(rules: Rules) -> Rulebook:
    """The rulebook of ``rules``; it is made anew only when the rules change."""
    book = _Latest.book
    if book is None or (book.rules is not rules and book.rules != rules):
        book = _Latest.book = Rulebook(rules)
    return book
