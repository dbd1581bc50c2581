"""Lenient decoding: an object whose members have other types than its protocol says loses those members, not itself.

>>> class Page(msgspec.Struct):
...     url: str | None = None
...     title: str | None = None
>>> fitted(Page, b'{"url": 5, "title": "Pricing"}')
Page(url=None, title='Pricing')
"""

from typing import Any, TypeVar, get_args, get_origin

import msgspec
from msgspec import UNSET, Raw

T = TypeVar("T", bound=msgspec.Struct)
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_elements = msgspec.json.Decoder(list[Raw]).decode


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
        first = bytes(raw)[:1]
        for kind in (wanted, *get_args(wanted)):
            if first == b"{" and isinstance(kind, type) and issubclass(kind, msgspec.Struct):
                return fitted(kind, raw)
            if first == b"[" and get_origin(kind) is list:
                return _fitting(get_args(kind)[0], raw)
        return UNSET


def _fitting(wanted: Any, raw: Raw) -> list[Any]:
    """Those elements of a list that have the right type, as far as they have it."""
    found = (_fit(wanted, element) for element in _elements(raw))
    return [element for element in found if element is not UNSET]
