"""Lenient decoding: an object whose members have other types than its protocol says loses those members, not itself.

>>> class Page(msgspec.Struct):
...     url: str | None = None
...     title: str | None = None
>>> fitted(Page, b'{"url": 5, "title": "Pricing"}')
Page(url=None, title='Pricing')
"""

from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Raw

T = TypeVar("T", bound=msgspec.Struct)
_members = msgspec.json.Decoder(dict[str, Raw]).decode


def fitted(kind: type[T], json: bytes | Raw) -> T:
    """The struct ``kind`` with those members of the JSON object that have the right type.

    Raises: msgspec.DecodeError if it is no JSON object.
    """
    given = _members(json)
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        raw = given.get(field.encode_name)
        if raw is not None:
            fits = _fit(field.type, raw)
            if fits is not UNSET:
                fields[field.name] = fits
    return kind(**fields)


def _fit(wanted: Any, raw: Raw) -> Any:
    try:
        return msgspec.json.decode(raw, type=wanted)
    except (msgspec.ValidationError, UnicodeDecodeError):
        inner = next((t for t in getattr(wanted, "__args__", ()) if isinstance(t, type)), None)
        if inner is not None and issubclass(inner, msgspec.Struct) and bytes(raw)[:1] == b"{":
            return fitted(inner, raw)
        return UNSET
