"""The address of a page as Segment's and RudderStack's browser SDKs tell it: the canonical one, as the page has it.

That is how search engines want to know the page, not where the visitor was: the attribute of the tag as it is written,
and if it has parameters of its own, the visit's are in ``search`` alone.

>>> address_of("https://bücher.example/?p=3", "?p=3&gclid=G1", ""), address_of("/pricing", "", "https://www.ex.com")
('https://xn--bcher-kva.example/?p=3&gclid=G1', 'https://www.ex.com/pricing')
"""

from typing import Final
from urllib.parse import urlsplit

from stream.collect import normal
from stream.core.sources import names_source

_DEVIANT: Final = frozenset("ßς\u200c\u200d")
"""Browsers keep these letters in a host's name; Python's codec writes others for them, which is another host."""


def address_of(url: object, search: object, site: str) -> str:
    """Address of a page, comparable with what browsers tell as the referrer of the next one.

    Args:
        url: as the SDK tells it.
        search: parameters of the visit; those that say where it comes from are added if ``url`` lacks them.
        site: the call's ``Origin``: scheme and host of the page, ``null`` or "" if that is unknown.
    """
    address = normal.text(url, normal.URL_LIMIT)
    if site.startswith("http") and address.startswith("/") and not address.startswith("//"):
        address = site + address
    elif not address.isascii():
        address = _in_punycode(address)
    asked = search.removeprefix("?") if isinstance(search, str) else ""
    if address and asked and asked not in address:
        address = _with_campaign(address, asked)
    return normal.text(address, normal.URL_LIMIT)


def _in_punycode(address: str) -> str:
    try:
        host = urlsplit(address).netloc
        if host.isascii() or not _DEVIANT.isdisjoint(host):
            return address
        return address.replace(host, host.lower().encode("idna").decode("ascii"), 1)
    except ValueError:
        return address


def _with_campaign(address: str, asked: str) -> str:
    page, sign, fragment = address.partition("#")
    bare, _, query = page.partition("?")
    pairs = query.split("&") if query else []
    known = {_parameter(pair) for pair in pairs}
    pairs += [pair for pair in asked.split("&") if names_source(_parameter(pair)) and _parameter(pair) not in known]
    return f"{bare}?{'&'.join(pairs)}{sign}{fragment}" if pairs else address


def _parameter(pair: str) -> str:
    return pair.partition("=")[0].lower()
