"""Who a referring host is: a search engine, a social network, an AI assistant, webmail, a shop, a video site, a reviewer.

The hosts of the first three come from Matomo's lists (``data/README.md``); the short lists here add what those lack, and
the plain names that people write into ``utm_source`` (``google``, ``fb``).

    >>> look_up("www.google.co.uk", "/")
    Known(category='search', name='google')
    >>> look_up("gemini.google.com", "/app").category, category_of("LinkedIn")
    ('ai', 'social')
"""

import re
from functools import lru_cache
from importlib.resources import files
from typing import Final, Literal, NamedTuple

import msgspec

Category = Literal["search", "social", "ai", "email", "shopping", "video", "review", ""]


class Known(NamedTuple):
    """What a list says of a host. ``name`` is what becomes the source, lower-case."""

    category: Category
    name: str


_OWN_HOSTS: Final[dict[Category, dict[str, tuple[str, ...]]]] = {
    "search": {
        "google": ("com.google.android.googlequicksearchbox",),
        "kagi": ("kagi.com",),
        "brave": ("search.brave.com",),
        "startpage": ("startpage.com",),
    },
    "social": {
        "linkedin": ("linkedin.com", "lnkd.in", "com.linkedin.android"),
        "facebook": ("facebook.com", "fb.com", "fb.me", "messenger.com", "com.facebook.katana"),
        "instagram": ("instagram.com",),
        "twitter": ("twitter.com", "x.com", "t.co", "com.twitter.android"),
        "reddit": ("reddit.com", "redd.it"),
        "threads": ("threads.net", "threads.com"),
        "mastodon": ("mastodon.social",),
        "hacker news": ("news.ycombinator.com",),
        "product hunt": ("producthunt.com",),
        "slack": ("slack.com",),
    },
    "ai": {},
    "email": {
        "gmail": ("mail.google.com", "com.google.android.gm"),
        "outlook": ("outlook.live.com", "outlook.office.com", "outlook.office365.com"),
        "yahoo mail": ("mail.yahoo.com",),
        "yandex mail": ("mail.yandex.ru",),
        "proton mail": ("mail.proton.me",),
        "gmx": ("navigator.gmx.net",),
    },
    "shopping": {
        "amazon": ("amazon.com", "amazon.de", "amazon.co.uk", "amazon.fr", "amazon.co.jp"),
        "ebay": ("ebay.com", "ebay.de", "ebay.co.uk"),
        "etsy": ("etsy.com",),
        "aliexpress": ("aliexpress.com",),
        "walmart": ("walmart.com",),
        "idealo": ("idealo.de",),
    },
    "video": {
        "youtube": ("youtube.com", "youtu.be", "m.youtube.com", "com.google.android.youtube"),
        "vimeo": ("vimeo.com",),
        "twitch": ("twitch.tv",),
        "dailymotion": ("dailymotion.com",),
        "wistia": ("wistia.com",),
    },
    "review": {
        "g2": ("g2.com",),
        "capterra": ("capterra.com",),
        "trustradius": ("trustradius.com",),
        "getapp": ("getapp.com",),
        "software advice": ("softwareadvice.com",),
    },
}
_NAMED: Final[dict[Category, str]] = {
    "search": (
        "google, bing, yahoo, duckduckgo, ecosia, baidu, yandex, naver, qwant, brave, kagi, startpage, "
        "adwords, google ads, seznam, sogou, msn, ask, aol"
    ),
    "social": (
        "linkedin, facebook, fb, instagram, ig, twitter, reddit, threads, bluesky, mastodon, pinterest, "
        "quora, tiktok, snapchat, whatsapp, telegram, xing, hackernews, hacker news, producthunt, product "
        "hunt, slack, discord, meta, vk, weibo, tumblr"
    ),
    "ai": "chatgpt, openai, claude, perplexity, gemini, copilot, grok",
    "shopping": (
        "amazon, ebay, etsy, aliexpress, walmart, idealo, shopping, google shopping, shopify, shopzilla, "
        "alibaba, mercadolibre"
    ),
    "video": "youtube, vimeo, twitch, dailymotion, wistia, netflix, hulu",
    "review": "g2, g2crowd, capterra, trustradius, getapp",
}
_NAMES: Final[dict[str, Category]] = {name: c for c, names in _NAMED.items() for name in names.split(", ")}
_SUFFIX_MATCH: Final = ("social", "ai", "email", "shopping", "video", "review")
"""Categories whose listed hosts stand for their subdomains too; search engines are listed host by host."""
_COUNTRY: Final = re.compile(r"[a-z]{2,3}(?:\.[a-z]{2})?")


class _Lists:
    """All hosts, split by how they match: exactly, with a path, and with ``{}`` at an end."""

    def __init__(self) -> None:
        self.exact: dict[str, Known] = {}
        self.paths: dict[str, list[tuple[str, Known]]] = {}
        self.tails: dict[str, Known] = {}
        self.heads: dict[str, Known] = {}
        raw = msgspec.json.decode((files("stream.core") / "data" / "referrers.json").read_bytes())
        for category in ("search", "social", "ai"):
            for name, hosts in raw[category].items():
                self._add(Known(category, name.lower().rstrip("!")), hosts)
        for category, names in _OWN_HOSTS.items():
            for name, own in names.items():
                self._add(Known(category, name), own)

    def _add(self, known: Known, hosts: tuple[str, ...]) -> None:
        for listed in hosts:
            host, slash, path = listed.removeprefix("www.").partition("/")
            if slash:
                self.paths.setdefault(host, []).append(("/" + path, known))
            elif host.endswith(".{}"):
                self.tails[host[:-3]] = known
            elif host.startswith("{}."):
                self.heads[host[3:]] = known
            else:
                self.exact[host] = known

    def find(self, host: str, path: str) -> Known | None:
        bare = host.removeprefix("www.")
        return self._with_path(bare, path) or self.exact.get(bare) or self._below(bare) or self._by_country(bare)

    def _with_path(self, host: str, path: str) -> Known | None:
        candidates = [(start, known) for start, known in self.paths.get(host, ()) if path.startswith(start)]
        return max(candidates, key=lambda c: len(c[0]))[1] if candidates else None

    def _below(self, host: str) -> Known | None:
        _, dot, parent = host.partition(".")
        while dot:
            known = self.exact.get(parent)
            if known is not None and known.category in _SUFFIX_MATCH:
                return known
            _, dot, parent = parent.partition(".")
        return None

    def _by_country(self, host: str) -> Known | None:
        first, _, rest = host.partition(".")
        if rest in self.heads and _COUNTRY.fullmatch(first):
            return self.heads[rest]
        at = host.find(".")
        while at != -1:
            if host[:at] in self.tails and _COUNTRY.fullmatch(host, at + 1):
                return self.tails[host[:at]]
            at = host.find(".", at + 1)
        return None


_LISTS: Final = _Lists()


@lru_cache(maxsize=1 << 14)
def look_up(host: str, path: str = "/") -> Known | None:
    """What is known of ``host`` (lower-case; ``www.`` does not matter); the longest match counts."""
    return _LISTS.find(host, path)


@lru_cache(maxsize=1 << 14)
def category_of(source: str) -> Category:
    """Category of a source as people write it, a plain name or a host; "" if it is on no list."""
    text = source.strip().lower()
    named = _NAMES.get(text)
    if named is not None:
        return named
    host, _, path = text.partition("/")
    known = _LISTS.find(host, "/" + path) if "." in host else None
    return known.category if known else ""
