"""Domains of a CRM's accounts: people type them as hosts, as addresses of pages, and several into one field."""

import re
from collections.abc import Iterable
from typing import Final

from stream.collect import normal
from stream.core.identity.domains import website_host

_BETWEEN: Final = re.compile(r"[\s,;]+")


def hosts_of(given: Iterable[object]) -> tuple[list[str], bool]:
    """The hosts in what was given, without repeats, and whether all of it could be read.

    >>> hosts_of(["https://www.Acme.com/en", "acme.com; acme.io", None])
    (['acme.com', 'acme.io'], True)
    >>> hosts_of(["acme.com (old)"])
    (['acme.com'], False)
    """
    hosts = [website_host(text) for one in given if one is not None for text in _texts(one)]
    return list(dict.fromkeys(filter(None, hosts))), all(hosts)


def _texts(one: object) -> list[str]:
    """What is no text is no host either, and one thing that cannot be read."""
    return [text for text in _BETWEEN.split(normal.printable(one)) if text] if isinstance(one, str) else [""]
