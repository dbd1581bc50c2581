"""Where a visit comes from: campaign tags, click ids and referrer of one page, decided by one pure function.

Order: explicit tags, the URL's tags, the click id of a paid click or of a mail tool, the referrer, any other click id. What
says nothing new is ``direct``, ``internal`` (own pages) or ``excluded`` (payment and login pages) and never splits a session.
"""

from typing import Final, Literal, NamedTuple
from urllib.parse import SplitResult, parse_qsl, urlsplit

import msgspec

from stream.core.channels import AI_CAMPAIGN, AI_MEDIUM, DIRECT, channel_of
from stream.core.domains import registrable
from stream.core.referrers import category_of, look_up

Kind = Literal["external", "direct", "internal", "excluded"]


class Source(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a session or touch comes from."""

    channel: str
    source: str = ""
    medium: str = ""
    campaign: str = ""
    term: str = ""
    content: str = ""
    click_id: str = ""
    """``name=value`` of the click id that counts, its value verbatim."""
    kind: Kind = "external"

    @property
    def visit(self) -> tuple[str, ...]:
        """What makes a visit: sources with the same are one.

        A network's click id is of one click and stays in the link, while its referrer says which network it was on one opening
        and is missing on the next. So beside it the source does not count.
        """
        shared = self.medium, self.campaign, self.click_id
        return shared if self.click_id.partition("=")[0] in _NETWORKS_IDS else (*shared, self.source)

    def same_visit(self, other: "Source") -> bool:
        """Whether a hit with ``other`` goes on with what this source began."""
        return self.visit == other.visit


class Tags(NamedTuple):
    """The campaign fields that the sender gave explicitly; "" where it gave none."""

    source: str = ""
    medium: str = ""
    campaign: str = ""
    term: str = ""
    content: str = ""


NO_SOURCE: Final = Source("", kind="direct")
"""An event without page, referrer or tags: it says nothing about where anybody came from."""
DIRECT_SOURCE: Final = Source(DIRECT, kind="direct")
_INTERNAL: Final = Source("", kind="internal")
_EXCLUDED: Final = Source("", kind="excluded")


class _Click(NamedTuple):
    """What a click id tells where tags are missing. ``paid``: it beats the referrer."""

    source: str
    medium: str
    paid: bool


_CLICK_IDS: Final = {
    "gclid": _Click("google", "cpc", True),
    "gbraid": _Click("google", "cpc", True),
    "wbraid": _Click("google", "cpc", True),
    "dclid": _Click("google", "display", True),
    "msclkid": _Click("bing", "cpc", True),
    "li_fat_id": _Click("linkedin", "cpc", True),
    # Meta puts it on every outgoing link: no proof of a paid click.
    "fbclid": _Click("facebook", "social", False),
    "ttclid": _Click("tiktok", "cpc", True),
    "twclid": _Click("twitter", "cpc", True),
    "_hsenc": _Click("hubspot", "email", False),
    "_hsmi": _Click("hubspot", "email", False),
    "epik": _Click("pinterest", "social", False),
    "gad_source": _Click("google", "cpc", True),
    "gclsrc": _Click("google", "cpc", True),
    "igsh": _Click("instagram", "social", False),
    "igshid": _Click("instagram", "social", False),
    "irclickid": _Click("impact", "affiliate", True),
    "mc_cid": _Click("mailchimp", "email", False),
    "mc_eid": _Click("mailchimp", "email", False),
    "mkt_tok": _Click("marketo", "email", False),
    "qclid": _Click("quora", "cpc", True),
    "rdt_cid": _Click("reddit", "cpc", True),
    "sccid": _Click("snapchat", "cpc", True),
    "yclid": _Click("yandex", "cpc", True),
}
"""In the order in which they count: the fixed ones, then by alphabet."""
_NETWORKS_IDS: Final = frozenset(name for name, click in _CLICK_IDS.items() if click.medium == "social")
_LONGEST_TAG: Final = 500


class Place(NamedTuple):
    """A parsed URL: host without port, lower-case ("" if it has none), path, and query parameters by lower-case name."""

    host: str
    path: str
    query: dict[str, str]


def place_of(url: str) -> Place:
    """Parse ``url`` leniently: what is not a URL has no host, no path and no query."""
    try:
        parts: SplitResult = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        pairs = parse_qsl(parts.query, max_num_fields=200) if parts.query else []
    except ValueError:
        return Place("", "", {})
    query: dict[str, str] = {}
    for name, value in pairs:
        query.setdefault(name.lower(), value[:_LONGEST_TAG].strip())
    return Place(host, parts.path or ("/" if host else ""), query)


def names_source(parameter: str) -> bool:
    """Whether a query parameter of this name says where a visit comes from.

    >>> names_source("UTM_Source"), names_source("gclid"), names_source("page")
    (True, True, False)
    """
    name = parameter.lower()
    return name.startswith("utm_") or name in _CLICK_IDS or name in ("source", "ref")


def source_of(
    page: Place,
    referrer: str,
    tags: Tags,
    internal: frozenset[str] = frozenset(),
    excluded: frozenset[str] = frozenset(),
) -> Source:
    """The source that one hit shows.

    Args:
        page: of the hit itself.
        referrer: its URL or "".
        tags: explicit campaign fields; where empty the page's own parameters count.
        internal: own registrable domains beside the page's.
        excluded: hosts or domains whose referrals are to be ignored.
    """
    came_from = place_of(referrer)
    kind = _referrer_kind(page, came_from, internal, excluded)
    given = _tags_of(page, tags, with_short=kind != "internal")
    clicks = [name for name in _CLICK_IDS if page.query.get(name)]
    click_id = f"{clicks[0]}={page.query[clicks[0]]}" if clicks else ""
    click = _CLICK_IDS[clicks[0]] if clicks else None
    if given.source or given.medium or given.campaign:
        return _tagged(given, click, came_from if kind == "external" else None, click_id)
    if click is not None and (kind != "external" or _beats(click, came_from)):
        return _source(given._replace(source=click.source, medium=click.medium), click_id)
    if kind == "external":
        return _referred(given, came_from, click_id)
    if kind == "direct":
        return DIRECT_SOURCE if page.host or page.path else NO_SOURCE
    return _INTERNAL if kind == "internal" else _EXCLUDED


def _beats(click: _Click, came_from: Place) -> bool:
    """Whether the click id says more than the page that somebody came from.

    A link in a mail is opened from whatever shows the mail, often the company's own webmail. Found on a social network or by a
    search it was passed on.
    """
    if click.medium != "email":
        return click.paid
    known = look_up(came_from.host, came_from.path)
    return known is None or known.category == "email"


def _referrer_kind(page: Place, came_from: Place, internal: frozenset[str], excluded: frozenset[str]) -> Kind:
    host = came_from.host
    if not host or host in ("localhost", "127.0.0.1", "::1"):
        return "direct"
    domain = registrable(host)
    if host == page.host or domain in internal or (page.host and domain == registrable(page.host)):
        # An assistant or search engine on its own domain's subdomain is still a page of that site.
        return "internal"
    if _is_listed(host, excluded):
        return "excluded"
    return "external"


def _is_listed(host: str, listed: frozenset[str]) -> bool:
    rest, dot = host, "."
    while dot:
        if rest in listed:
            return True
        _, dot, rest = rest.partition(".")
    return False


def _tags_of(page: Place, tags: Tags, *, with_short: bool) -> Tags:
    query = page.query
    source = tags.source or query.get("utm_source", "")
    if not source and with_short:
        # ``ref`` and ``source`` are also used for links inside a site; there they are no campaign.
        source = query.get("source") or query.get("ref") or ""
    return Tags(
        source.strip(),
        (tags.medium or query.get("utm_medium", "")).strip(),
        (tags.campaign or query.get("utm_campaign", "")).strip(),
        (tags.term or query.get("utm_term", "")).strip(),
        (tags.content or query.get("utm_content", "")).strip(),
    )


def _tagged(given: Tags, click: _Click | None, came_from: Place | None, click_id: str) -> Source:
    source, medium, campaign = given.source, given.medium, given.campaign
    if not source and click is not None:
        source = click.source
    if not source and came_from is not None:
        known = look_up(came_from.host, came_from.path)
        source = known.name if known else came_from.host.removeprefix("www.")
    if not medium and click is not None and click.paid and category_of(source) == category_of(click.source):
        medium = click.medium
    if not medium and category_of(source) == "ai":
        # Assistants tag their links with utm_source alone.
        medium, campaign = AI_MEDIUM, campaign or AI_CAMPAIGN
    return _source(Tags(source, medium, campaign, given.term, given.content), click_id)


def _referred(given: Tags, came_from: Place, click_id: str) -> Source:
    known = look_up(came_from.host, came_from.path)
    if known is None:
        return _source(given._replace(source=came_from.host.removeprefix("www."), medium="referral"), click_id)
    if known.category == "ai":
        return _source(given._replace(source=known.name, medium=AI_MEDIUM, campaign=AI_CAMPAIGN), click_id)
    medium = {"search": "organic", "social": "social", "email": "email"}.get(known.category, "referral")
    return _source(given._replace(source=known.name, medium=medium), click_id)


def _source(tags: Tags, click_id: str) -> Source:
    return Source(channel_of(tags.source, tags.medium, tags.campaign), *tags, click_id)
