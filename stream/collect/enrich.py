"""Edge enrichment: what an address and a user agent tell, behind bounded caches. Then both are dropped.

app -> Request.enrich -> Enricher.edge(address, user agent) -> Edge -> fields of Event

>>> from stream.settings import Settings
>>> Enricher(Settings()).edge("203.0.113.7", "curl/8.5.0").bot
'tool'
"""

from functools import lru_cache
from typing import Final

import msgspec
from ua_parser import Domain, load_lazy_builtins
from ua_parser.regex import Resolver

from stream.collect.bots import bot_of
from stream.collect.networks import Networks, Place
from stream.collect.request import Edge
from stream.settings import Settings

AGENTS_CACHED: Final = 1 << 13
"""Distinct user agents remembered: a busy site sees some thousands a day; about 1 KB each, 8 MB when full."""
EDGES_CACHED: Final = 1 << 14
AGENT_CHARACTERS: Final = 512
"""A user agent is cut here first: real ones are shorter, and neither regexes nor the cache's memory may depend on more."""
_TABLETS: Final = ("ipad", "tablet", "kindle", "silk/", "playbook")


class Client(msgspec.Struct, frozen=True, gc=False):
    """What a user agent tells."""

    bot: str
    bot_reason: str
    device: str
    """desktop, mobile, tablet, tv; "" if unknown."""
    browser: str
    os: str


class Enricher:
    """One for the process. ``edge`` fits ``stream.collect.request.Enrich``.

    Raises: ConfigError if a configured mmdb file cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self._networks = Networks(settings.geo_file, settings.company_file)
        self._resolve = Resolver(load_lazy_builtins())
        self._client = lru_cache(AGENTS_CACHED)(self._client_of)
        self._joined = lru_cache(EDGES_CACHED)(_edge)

    def edge(self, address: str, user_agent: str) -> Edge:
        """What the two tell; either may be "". Neither is kept beyond the caches' cut keys."""
        return self._joined(self._client(user_agent[:AGENT_CHARACTERS]), self._networks.of(address))

    def _client_of(self, user_agent: str) -> Client:
        if not user_agent:
            return Client("", "", "", "", "")
        bot, reason = bot_of(user_agent)
        parsed = self._resolve(user_agent, Domain.USER_AGENT | Domain.OS)
        browser = parsed.user_agent.family if parsed.user_agent else ""
        system = parsed.os.family if parsed.os else ""
        return Client(bot, reason, "" if bot else _device(user_agent, system), browser, system)


def _edge(client: Client, place: Place) -> Edge:
    return Edge(
        bot=client.bot,
        bot_reason=client.bot_reason,
        device=client.device,
        browser=client.browser,
        os=client.os,
        country=place.country,
        region=place.region,
        city=place.city,
        company=place.company,
        gateway=place.gateway,
    )


def _device(user_agent: str, system: str) -> str:
    """Class of the device. Android without "Mobile" is a tablet (Google's own rule for its browser)."""
    lowered = user_agent.lower()
    if any(word in lowered for word in _TABLETS):
        return "tablet"
    if "smart-tv" in lowered or "smarttv" in lowered or "appletv" in lowered or "crkey" in lowered:
        return "tv"
    if "mobi" in lowered or "iphone" in lowered:
        return "mobile"
    if system == "Android":
        return "tablet"
    return "desktop" if system and system != "Other" else ""
