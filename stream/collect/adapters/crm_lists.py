"""Lists in a CRM's rows: a JSON list, or one text with ``;`` or ``,`` between, as exports and joins write them.

A text is cut where what is cut can only be several. An address has no separator in it and no blank; an id may have both,
so a text is several ids only if each of them looks like one.
"""

import re
from collections.abc import Sequence
from typing import Final

from stream.collect import normal

Read = tuple[list[str], bool]
"""What could be read, without repeats, and whether that is all."""

_BETWEEN: Final = re.compile(r"[\s,;]+")
_BETWEEN_IDS: Final = re.compile(r"\s*[,;]\s*")
_ID: Final = re.compile(r"\S*\d\S*")
"""Names have no digits: ``Lee, Ann`` may be one id."""


def words_of(given: object) -> list[object]:
    """The items of a list of things that have no blank, comma or semicolon in them.

    >>> words_of("a.com; b.com,"), words_of(["a.com b.com", 7, None]), words_of(None)
    (['a.com', 'b.com'], ['a.com', 'b.com', 7], [])
    """
    items = given if isinstance(given, list) else [given]
    texts = (_BETWEEN.split(normal.printable(one)) if isinstance(one, str) else [one] for one in items)
    return [text for some in texts for text in some if text is not None and text != ""]


def addresses_of(items: Sequence[object]) -> Read:
    """The addresses.

    >>> addresses_of(["Ann@acme.com", "ann@acme.com", "bob"])
    (['ann@acme.com'], False)
    """
    found = [normal.address(one) for one in items]
    return list(dict.fromkeys(filter(None, found))), all(found)


def ids_in(text: str) -> list[str] | None:
    """The ids in one text, None if it may be one or several.

    >>> ids_in("c1; c2"), ids_in("Ann Lee"), ids_in("Lee, Ann")
    (['c1', 'c2'], ['Ann Lee'], None)
    """
    parts = [part for part in _BETWEEN_IDS.split(text.strip()) if part]
    return parts if len(parts) < 2 or all(map(_ID.fullmatch, parts)) else None  # noqa: PLR2004  # one is no list


def ids_of(items: Sequence[object]) -> Read:
    """The ids; words that name nobody (``null``) are none, and no mistake.

    >>> ids_of(["c1", 7, "null", True])
    (['c1', '7'], False)
    """
    found = [normal.identifier(one) for one in items]
    unread = (_unread(one) for one, known in zip(items, found, strict=True) if not known)
    return list(dict.fromkeys(filter(None, found))), not any(unread)


def _unread(one: object) -> bool:
    """Whether what names nobody is no word for nobody."""
    return len(one) > normal.ID_LIMIT if isinstance(one, str) else one is not None and one != 0
