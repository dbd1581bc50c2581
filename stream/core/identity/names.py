"""How people write identifiers: ``email:ann@acme.com`` for the node ``default/e:ann@acme.com``.

>>> spoken("default/e:ann@acme.com"), spoken("e:ann@acme.com"), spoken("")
('email:ann@acme.com', 'email:ann@acme.com', '')
>>> heard("Email: Ann@ACME.com ", "default")
'default/e:ann@acme.com'
"""

from typing import Final

from schemas.ids import ACCOUNT, ACTIVITY, DOMAIN, EMAIL, OPPORTUNITY, USER, VISITOR, node
from schemas.rules import Rules
from stream.core.identity.blocked import is_blocked
from stream.core.identity.domains import domain_owns, work_host

LETTERS: Final = {
    "visitor": VISITOR,
    "user": USER,
    "email": EMAIL,
    "domain": DOMAIN,
    "account": ACCOUNT,
    "opportunity": OPPORTUNITY,
    "activity": ACTIVITY,
}
WORDS: Final = {letter: word for word, letter in LETTERS.items()}
_LONGEST: Final = 256


class NoNode(ValueError):
    """The text names no identifier; the message says what to write instead."""


def spoken(name: str) -> str:
    """The node as people write it; ``name`` may have its tenant or not."""
    if not name:
        return ""
    bare = name.partition("/")[2] if "/" in name.partition(":")[0] else name
    return f"{WORDS.get(bare[0], bare[0])}:{bare[2:]}"


def heard(text: str, tenant: str, rules: Rules | None = None) -> str:
    """The node that ``text`` names.

    Raises: NoNode if it names none, or one that can be nobody's.
    """
    rules = rules or Rules()
    word, colon, value = text.partition(":")
    letter = LETTERS.get(word.strip().lower(), word.strip() if word.strip() in WORDS else "")
    value = value.strip()
    if not colon and "@" in text:
        raise NoNode(f"an address is written email:{text.strip()}")
    if not colon or not letter or not value:
        raise NoNode(f"an identifier is written {', '.join(f'{w}:...' for w in LETTERS)}")
    if len(value) > _LONGEST or not value.isprintable() or is_blocked(value, rules.blocked_ids):
        raise NoNode(f"{word.strip()}: this value names nobody (docs/identity.md#identifiers)")
    return node(tenant, letter, _normal(letter, value, rules))


def _normal(letter: str, value: str, rules: Rules) -> str:
    if letter == EMAIL:
        local, at, host = value.lower().rpartition("@")
        if not (local and at and host):
            raise NoNode("email: an address has an @")
        return value.lower()
    if letter == DOMAIN:
        domain = work_host(value)
        if not domain or not domain_owns(domain, rules):
            raise NoNode(
                "domain: freemail, disposable, relay and provider domains own nothing, and neither do suffixes"
            )
        return domain
    return value
