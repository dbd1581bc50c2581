import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.embedded.broker import wire
from stream.embedded.broker.apis import APIS

VERSIONS = [(key, version) for key, api in APIS.items() for version in range(api.first, api.last + 1)]
_RANGES = {"i1": 7, "i2": 15, "i4": 31, "i8": 63}


def values(fields: tuple[wire.Field, ...], version: int) -> st.SearchStrategy[tuple[Any, ...]]:
    """Any value of a schema; fields that the version lacks have what a decoder puts there."""
    return st.tuples(*(_one(field, version) if field.carried(version) else st.just(field.absent) for field in fields))


def _one(field: wire.Field, version: int) -> st.SearchStrategy[Any]:
    if field.kind in _RANGES:
        top = 1 << _RANGES[field.kind]
        return st.integers(-top, top - 1)
    if field.kind == "bool":
        return st.booleans()
    if field.kind == "s":
        return st.none() | st.text(max_size=20)
    if field.kind == "b":
        return st.none() | st.binary(max_size=20)
    item = values(field.inner, version) if field.inner[0].name else _one(field.inner[0], version)
    return st.none() | st.lists(item, max_size=3)


def plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(plain(v) for v in value)
    if isinstance(value, list):
        return [plain(v) for v in value]
    return bytes(value) if isinstance(value, memoryview) else value


@given(st.data())
def test_what_is_encoded_decodes_to_the_same(data: st.DataObject) -> None:
    key, version = data.draw(st.sampled_from(VERSIONS))
    flexible = data.draw(st.booleans())
    text = data.draw(st.sampled_from([APIS[key].request, APIS[key].response]))
    value = data.draw(values(wire.fields(text), version))
    raw = wire.encoded(text, version, value, flexible=flexible)
    decoded, end = wire.decoder(text, version, flexible=flexible)(memoryview(raw), 0)
    assert (plain(decoded), end) == (value, len(raw))


@given(st.data(), st.binary(max_size=80))
def test_no_bytes_make_a_decoder_fail_otherwise_than_declared(data: st.DataObject, raw: bytes) -> None:
    key, version = data.draw(st.sampled_from(VERSIONS))
    decode = wire.decoder(APIS[key].request, version, flexible=data.draw(st.booleans()))
    try:
        _, end = decode(memoryview(raw), 0)
    except (wire.Malformed, struct.error, UnicodeDecodeError):
        return
    assert end <= len(raw)


@pytest.mark.parametrize(("value", "raw"), [(0, b"\0"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02")])
def test_a_variable_length_integer_has_seven_bits_a_byte(value: int, raw: bytes) -> None:
    assert wire.varint(value) == raw


def test_an_array_longer_than_the_frame_is_refused_before_it_is_read() -> None:
    with pytest.raises(wire.Malformed):
        wire.decoder("xs:[i1]", 0, flexible=False)(memoryview(b"\x7f\xff\xff\xff\0\0"), 0)


def test_a_response_with_a_field_too_few_is_a_programmers_error() -> None:
    with pytest.raises(ValueError, match="values for"):
        wire.encoded("a:i1 b:i1", 0, (1,), flexible=False)
