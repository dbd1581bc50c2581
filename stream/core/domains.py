"""Registrable domains (``shop.acme.co.uk`` -> ``acme.co.uk``), by the public suffix list that ships with its package."""

from functools import lru_cache

from publicsuffixlist import PublicSuffixList

_SUFFIXES = PublicSuffixList()


@lru_cache(maxsize=1 << 16)
def registrable(host: str) -> str:
    """The domain that somebody registered, private suffixes included (``foo.github.io`` is its own).

    ``host`` is lower-case; what has no registrable domain (an address, a bare suffix) is returned as it is.
    """
    return _SUFFIXES.privatesuffix(host) or host
