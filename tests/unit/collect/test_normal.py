"""Ids, addresses, texts, times, keys: the normal forms that all adapters share."""

import contextlib
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rejections import RejectReason
from stream.collect import access, clock, network_id, normal
from stream.collect.bodies import Unfit, clean, depth_fault
from stream.collect.compression import decompressed
from stream.settings import Source


@pytest.mark.parametrize(
    "value",
    [
        None, "", "  ", "null", "NULL", "undefined", "anonymous", "Guest", "distinct_id", "not_authenticated", "true",
        "false", "[object Object]", "NaN", "none", "0", "000", "-", "00000000-0000-0000-0000-000000000000", "-1", '"null"',
        "'undefined'", True, False, 0, 1.5, float("nan"), float("inf"), [], {}, "x" * 257, "\x00", "\ud800",
    ],
)  # fmt: skip
def test_what_names_nobody_is_no_identifier(value):
    assert normal.identifier(value) == ""


@pytest.mark.parametrize(
    ("value", "form"),
    [(" u1 ", "u1"), (42, "42"), (42.0, "42"), ("a\x00b\nc", "ab c"), ("Ann@X.com", "Ann@X.com"), ("é", "é")],
)
def test_identifiers_have_one_normal_form(value, form):
    assert normal.identifier(value) == form


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (" Ann@Acme.COM ", "ann@acme.com"),
        ("mailto:a@b.co", "a@b.co"),
        ("MailTo: A@b.co", "a@b.co"),
        ("a@b.co.", "a@b.co"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("a+b@c.example", "a+b@c.example"),
    ],
)
def test_addresses_are_lower_case_with_their_host_in_punycode(value, form):
    assert normal.address(value) == form


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        "",
        "a",
        "@b.co",
        "a@",
        "a@b",
        "a b@c.de",
        "a@@b.co",
        "<a@b.co>",
        "a@.co",
        "x" * 250 + "@b.co",
        "a@b..ü.co",
    ],
)
def test_what_is_no_address_is_none(value):
    assert normal.address(value) == ""


@given(st.text() | st.none() | st.integers() | st.floats() | st.booleans() | st.binary())
def test_normal_forms_never_fail_and_are_stable(value):
    for form in (normal.identifier, normal.address, normal.text):
        once = form(value)
        assert form(once) == once
        assert "\x00" not in once
        once.encode()


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        ("2026-01-02T03:04:05.678Z", 1767323045678),
        ("2026-01-02T03:04:05.678+00:00", 1767323045678),
        ("2026-01-02T04:04:05.678901+01:00", 1767323045678),
        ("2026-01-02 03:04:05.678", 1767323045678),
        ("2026-01-02t03:04:05.678z", 1767323045678),
        ("2026-01-02", 1767312000000),
        ("2026-01-02T03:04:60Z", 1767323099000),
        ("1767323045678", 1767323045678),
        ("1767323045", 1767323045000),
        (1767323045678, 1767323045678),
        (1767323045.678, 1767323045678),
        (True, None),
        ("", None),
        ("2026-13-01", None),
        ("0000-01-01", None),
        ("x" * 10_000, None),
        (float("nan"), None),
        (10**400, None),
    ],
)
def test_moments_of_every_spelling(value, ms):
    assert clock.moment(value) == ms


@given(st.text() | st.integers() | st.floats())
def test_moments_never_fail(value):
    assert clock.moment(value) is None or isinstance(clock.moment(value), int)


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("Basic ZGV2Og==", "dev"),
        ("Basic ZGV2", "dev"),
        ("basic ZGV2Og", "dev"),
        ("Bearer dev", "dev"),
        ("Basic ZGV2OnNlY3JldA==", "dev"),
        ("Basic %%%", ""),
        ("Basic /w==", ""),
        ("Digest x", ""),
        ("", ""),
    ],
)
def test_write_keys_of_every_spelling(header, key):
    assert access.write_key(header) == key


def test_only_the_sources_own_pages_may_send():
    own = Source("site", "k", origins=("https://www.example.com",))
    assert access.may_send(own, "https://www.example.com")
    assert access.may_send(own, None)
    assert not access.may_send(own, "https://evil.example")
    assert access.may_send(Source("site", "k"), "https://any.example")


def test_network_id_is_kept_only_if_it_is_one_of_ours():
    kept = "983a0132-2ae8-43e2-8543-09d9c98cd8ad"
    assert network_id.of({"Cookie": f"a=b; sp={kept}"}) == kept
    assert network_id.of({"Cookie": "sp=somebody"}) != "somebody"
    assert network_id.of({"SP-Anonymous": "*", "Cookie": f"sp={kept}"}) == ""


def test_compressed_bodies_come_out_as_they_went_in():
    plain = b'{"a":1}' * 100
    raw = zlib.compressobj(wbits=-15)
    assert decompressed(gzip.compress(plain), "gzip", 1000) == plain
    assert decompressed(gzip.compress(plain) + gzip.compress(plain), "GZIP", 2000) == plain * 2
    assert decompressed(zlib.compress(plain), "deflate", 1000) == plain
    assert decompressed(raw.compress(plain) + raw.flush(), "deflate", 1000) == plain
    assert decompressed(plain, "identity", 1) == plain


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (gzip.compress(b"x" * 1000)[:-9], "gzip", RejectReason.MALFORMED),
        (b"nonsense", "gzip", RejectReason.MALFORMED),
        (gzip.compress(bytes(10_000_000)), "gzip", RejectReason.TOO_LARGE),
        (gzip.compress(b"x" * 600) * 2, "gzip", RejectReason.TOO_LARGE),
        (b"x", "br", RejectReason.UNSUPPORTED),
    ],
)
def test_bombs_and_broken_compression_are_refused(body, encoding, reason):
    with pytest.raises(Unfit) as caught:
        decompressed(body, encoding, 1000)
    assert caught.value.reason is reason


@given(st.binary(), st.sampled_from(["gzip", "deflate"]))
def test_any_bytes_decompress_or_are_refused(body, encoding):
    with contextlib.suppress(Unfit):
        assert len(decompressed(body, encoding, 100)) <= 100


def test_cleaning_leaves_escaped_backslashes_alone():
    assert clean(rb'"\\ud800 \ud83d\ude00 \ud800 \u00e9 \u0000"') == rb'"\\ud800 \ud83d\ude00 \ufffd \u00e9 "'


def test_depth_counts_nesting_not_brackets_in_texts():
    assert not depth_fault(b'{"a":"' + b"[" * 500 + b'"}')
    assert not depth_fault(b"[" * 64 + b"]" * 64)
    assert depth_fault(b"[" * 65 + b"]" * 65)


def test_entry_node_is_the_most_specific_one_known():
    node = normal.entry_node
    assert node("t", "v", "u", "e@x.co", account="a") == "t/v:v"
    assert node("t", "", "u", "e@x.co") == "t/u:u"
    assert node("t", "", "", "e@x.co") == "t/e:e@x.co"
    assert node("t", account="a", opportunity="o") == "t/o:o"
    assert node("t", account="a") == "t/a:a"
    assert node("t") == ""
