"""Names of things: identity nodes, derived ids, and the partition that a key belongs to.

A node is ``tenant/kind:value``, e.g. ``default/v:3f2a`` or ``default/e:ann@acme.com``. The node that an event
enters by is its Kafka key, so that everything one node must see arrives in one partition, in order.

    >>> node("default", EMAIL, "ann@acme.com")
    'default/e:ann@acme.com'
    >>> kind("default/e:ann@acme.com"), value("default/e:ann@acme.com"), tenant("default/e:ann@acme.com")
    ('e', 'ann@acme.com', 'default')
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Final

VISITOR: Final = "v"
USER: Final = "u"
EMAIL: Final = "e"
DOMAIN: Final = "d"
ACCOUNT: Final = "a"
OPPORTUNITY: Final = "o"
"""A leaf like a visitor: it owns its conversions and points at the account (or person) that it belongs to."""
ACTIVITY: Final = "m"
"""A leaf too: a meeting, call or task of the CRM. It owns its touch and points at the person and account of it."""
REGISTRY: Final = "r"
"""One per tenant (value ``accounts``): holds all account merges (forest rule 7)."""

ACCOUNTS: Final = frozenset({DOMAIN, ACCOUNT})
"""Kinds of an account. A journey may also be a person's (visitor, user, email), where no account is known."""
LEVEL: Final = {VISITOR: 0, OPPORTUNITY: 0, ACTIVITY: 0, USER: 1, EMAIL: 2, DOMAIN: 3, ACCOUNT: 4}
"""Claims point to a strictly higher level only; that is why the graph has no cycle (forest rule 6)."""


def node(tenant_id: str, kind_letter: str, value_text: str) -> str:
    """The node's name. ``tenant_id`` holds no ``/``; ``value_text`` holds no NUL (both checked at the edge)."""
    return f"{tenant_id}/{kind_letter}:{value_text}"


def tenant(name: str) -> str:
    """Tenant part of a node name."""
    return name[: name.index("/")]


def kind(name: str) -> str:
    """Kind letter of a node name."""
    return name[name.index("/") + 1]


def value(name: str) -> str:
    """Value part of a node name: the visitor id, the address, the account id."""
    return name[name.index("/") + 3 :]


def account_id(name: str) -> str:
    """An account as tables write it; "" for nobody ("") and for the journey of a person without an account.

    >>> account_id("default/d:acme.com"), account_id("default/e:joe@gmail.com"), account_id("")
    ('acme.com', '', '')
    """
    return value(name) if name and kind(name) in ACCOUNTS else ""


def derived_id(*parts: str) -> str:
    """A 32-character hexadecimal id that is a pure function of ``parts`` (order counts), so a replay derives it again."""
    return blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def murmur2(key: bytes) -> int:
    """Kafka's 32-bit murmur2 with seed 0x9747b28c, as an unsigned integer (Java ``Utils.murmur2`` gives it signed)."""
    mask = 0xFFFFFFFF
    m = 0x5BD1E995
    size = len(key)
    h = 0x9747B28C ^ size
    body = size & ~3
    for i in range(0, body, 4):
        k = int.from_bytes(key[i : i + 4], "little") * m & mask
        k = (k ^ (k >> 24)) * m & mask
        h = (h * m & mask) ^ k
    if size > body:
        h = (h ^ int.from_bytes(key[body:], "little")) * m & mask
    h = (h ^ (h >> 13)) * m & mask
    return h ^ (h >> 15)


@lru_cache(maxsize=1 << 17)
def partition_of(key: str, partitions: int) -> int:
    """The partition of ``key`` by Kafka's default partitioner, so foreign producers land where we do."""
    return key_hash(key) % partitions


def key_hash(key: str) -> int:
    """What ``partition_of`` takes modulo the number of partitions."""
    return murmur2(key.encode()) & 0x7FFFFFFF
