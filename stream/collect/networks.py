"""What a network tells of its users: place and company, from mmdb files that the operator brings.

    enrich -> Networks.of(address) -> Place (country, region, city, company, gateway)

The address itself is never kept: it is looked up and dropped. Answers are cached by network (IPv4 /24, IPv6 /48), and
only where the files say that the whole of that network has the same answer, so that what is cached is what a lookup
would give.
"""

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any, Final

import maxminddb
import msgspec

from schemas.errors import ConfigError

NETWORKS_CACHED: Final = 1 << 16
"""About 200 bytes each: 13 MB when full."""
_IPV4_BITS: Final = 24
_IPV6_BITS: Final = 48
_NOT_COMPANIES: Final = frozenset({"isp", "hosting", "mobile", "vpn", "proxy", "tor", "cdn", "residential", "cellular"})
"""Types of networks whose owner is not the visitor's employer."""
_GATEWAYS: Final = (
    "mimecast.com", "proofpoint.com", "pphosted.com", "barracuda.com", "barracudanetworks.com", "cisco.com", "ironport.com",
    "microsoft.com", "messagelabs.com",
)  # fmt: skip
"""Domains of who looks into mails before they are delivered. People work there, too: a hint, never a proof."""


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a network is and whose it is; "" where unknown."""

    country: str = ""
    """ISO 3166 code."""
    region: str = ""
    city: str = ""
    company: str = ""
    """Domain."""
    gateway: str = ""
    """Domain of the mail gateway whose network it is, of whatever type."""


NOWHERE: Final = Place()


def network_of(address: str) -> str:
    """The address cut to its network: IPv4 to /24, IPv6 to /48; "" if it is not an address.

    >>> network_of("203.0.113.77"), network_of("2001:db8:1:2::9"), network_of("::ffff:203.0.113.77"), network_of("x")
    ('203.0.113', '2001:db8:1', '203.0.113', '')
    """
    if ":" not in address:
        parts = address.split(".")
        return ".".join(parts[:3]) if len(parts) == 4 and all(map(str.isdecimal, parts)) else ""  # noqa: PLR2004
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""
    assert isinstance(parsed, IPv6Address)  # it has a colon
    if parsed.ipv4_mapped:
        return network_of(str(parsed.ipv4_mapped))
    return ":".join(
        f"{part:x}" for part in (int(parsed) >> 112, int(parsed) >> 96 & 0xFFFF, int(parsed) >> 80 & 0xFFFF)
    )


class Networks:
    """The two files and the cache in front of them. Without files it knows nothing and costs nothing."""

    def __init__(self, geo_file: str, company_file: str, cached: int = NETWORKS_CACHED) -> None:
        self._geo = _opened(geo_file, "geo_file")
        self._companies = _opened(company_file, "company_file")
        self._known = self._geo is not None or self._companies is not None
        self._cached = cached
        self._cache: dict[str, Place] = {}

    def of(self, address: str) -> Place:
        """The place of an address, NOWHERE if it is unknown or not an address."""
        if not self._known:
            return NOWHERE
        network = network_of(address)
        if not network:
            return NOWHERE
        place = self._cache.pop(network, None)
        if place is None:
            place, whole = self._looked_up(address)
            if not whole:
                return place
            if len(self._cache) >= self._cached:
                del self._cache[next(iter(self._cache))]
        self._cache[network] = place
        return place

    def _looked_up(self, address: str) -> tuple[Place, bool]:
        """The place, and whether the whole network has it."""
        geo, geo_whole = _record(self._geo, address)
        company, company_whole = _record(self._companies, address)
        domain = _text(company, "domain").lower()
        place = Place(
            _text(geo, "country_code") or _code(geo, "country"),
            _text(geo, "region", "state1") or _subdivision(geo),
            _text(geo, "city") or _english(geo.get("city")),
            "" if _text(company, "type").lower() in _NOT_COMPANIES else domain,
            domain if f".{domain}".endswith(tuple(f".{name}" for name in _GATEWAYS)) else "",
        )
        return place, geo_whole and company_whole


def _opened(path: str, setting: str) -> maxminddb.Reader | None:
    if not path:
        return None
    try:
        return maxminddb.open_database(path)
    except (OSError, maxminddb.InvalidDatabaseError) as error:
        raise ConfigError(f"{setting}: {path} is not a readable mmdb file: {error}") from None


def _record(reader: maxminddb.Reader | None, address: str) -> tuple[Mapping[str, Any], bool]:
    if reader is None:
        return {}, True
    try:
        record, prefix_bits = reader.get_with_prefix_len(address)
    except ValueError:  # an IPv6 address in a file of IPv4
        return {}, True
    limit = _IPV6_BITS if ":" in address else _IPV4_BITS
    return (record if isinstance(record, dict) else {}), prefix_bits <= limit


def _text(record: Mapping[str, Any], *names: str) -> str:
    return next((v for name in names if isinstance(v := record.get(name), str) and v), "")


def _code(record: Mapping[str, Any], name: str) -> str:
    """``country`` is an object with ``iso_code`` in MaxMind's layout and plain text in others."""
    value = record.get(name)
    return _text(value, "iso_code") if isinstance(value, dict) else _text(record, name)


def _subdivision(record: Mapping[str, Any]) -> str:
    subdivisions = record.get("subdivisions")
    if isinstance(subdivisions, list) and subdivisions and isinstance(subdivisions[0], dict):
        return _text(subdivisions[0], "iso_code") or _english(subdivisions[0])
    return ""


def _english(value: Any) -> str:
    names = value.get("names") if isinstance(value, dict) else None
    return _text(names, "en") if isinstance(names, dict) else ""
