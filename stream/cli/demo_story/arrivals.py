"""How people come to the website: landing page, campaign tags and referrer of each way, with how often it is taken."""

from itertools import accumulate
from random import Random
from typing import Final

import msgspec

SITE: Final = "https://www.acme.example"


class Arrival(msgspec.Struct, frozen=True):
    """One way to come: where one lands and what the browser says of where one was."""

    weight: int
    path: str
    tags: str = ""
    referrer: str = ""
    click_id: str = ""
    """Name of the click id that the ad network adds, each time with another value."""

    def url(self, chance: Random, path: str = "") -> str:
        """The landing address; ``path`` instead of the usual page."""
        click = f"{self.click_id}={chance.getrandbits(48):012x}" if self.click_id else ""
        query = "&".join(filter(None, (self.tags, click)))
        return SITE + (path or self.path) + (f"?{query}" if query else "")


def _tags(source: str, medium: str, campaign: str) -> str:
    return f"utm_source={source}&utm_medium={medium}&utm_campaign={campaign}"


_GOOGLE: Final = "https://www.google.com/"
NEWSLETTER_PATH: Final = "/blog/attribution-that-adds-up"

DISCOVERY: Final = (
    Arrival(24, "/", referrer=_GOOGLE),
    Arrival(8, "/blog/what-is-multi-touch-attribution", referrer=_GOOGLE),
    Arrival(3, "/", referrer="https://www.bing.com/"),
    Arrival(15, "/lp/attribution", _tags("google", "cpc", "generic-attribution"), _GOOGLE, "gclid"),
    Arrival(12, "/lp/abm", _tags("linkedin", "paid-social", "abm-2026"), "https://www.linkedin.com/", "li_fat_id"),
    Arrival(6, "/blog/attribution-that-adds-up", referrer="https://www.linkedin.com/"),
    Arrival(7, "/docs", "utm_source=chatgpt.com"),
    Arrival(3, "/", referrer="https://www.perplexity.ai/"),
    Arrival(6, "/compare", referrer="https://www.g2.com/products/acme/reviews"),
    Arrival(2, "/compare", referrer="https://www.capterra.com/p/acme"),
    Arrival(5, "/webinars/stop-guessing", _tags("partner-list", "webinar", "stop-guessing")),
    Arrival(4, "/integrations", referrer="https://stack.partner.example/listing"),
    Arrival(9, "/"),
)
"""The first visit."""
RETURN: Final = (
    Arrival(42, "/"),
    Arrival(17, "/", referrer=_GOOGLE),
    Arrival(9, "/pricing", _tags("google", "cpc", "brand"), _GOOGLE, "gclid"),
    Arrival(
        9, "/customers", _tags("linkedin", "paid-social", "retargeting-2026"), "https://www.linkedin.com/", "li_fat_id"
    ),
    Arrival(6, "/compare", referrer="https://www.g2.com/products/acme/reviews"),
    Arrival(5, "/docs", "utm_source=chatgpt.com"),
    Arrival(5, "/webinars/stop-guessing", _tags("house-list", "webinar", "stop-guessing")),
    Arrival(4, "/demo", _tags("sdr", "outbound", "spring-sequence")),
)
"""Every later one."""
NEWSLETTER: Final = Arrival(0, NEWSLETTER_PATH, _tags("newsletter", "email", "product-news"))


def any_of(chance: Random, ways: tuple[Arrival, ...]) -> Arrival:
    """One of the ways, as often as its weight says."""
    return chance.choices(ways, cum_weights=list(accumulate(way.weight for way in ways)))[0]
