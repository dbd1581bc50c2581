"""Who may use ``/v1/identity``: holders of an operator's key, which is never a write key."""

from collections.abc import Iterable, Mapping
from hmac import compare_digest

from stream.collect.access import write_key
from stream.settings import Operator


def operator_of(headers: Mapping[str, str], operators: Iterable[Operator]) -> Operator | None:
    """The operator whose key the Authorization header has (Bearer, or Basic user name); None if nobody's.

    Every key is compared, in constant time, so that the time of the answer tells nothing about any of them.
    """
    given = write_key(headers.get("Authorization", "")).encode()
    found: Operator | None = None
    for operator in operators:
        if compare_digest(given, operator.key.encode()):
            found = operator
    return found
