"""SendGrid's webhook with real keys: what is signed is taken, everything else is not."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from schemas.event import EMAIL_EVENTS
from schemas.rejections import RejectReason
from stream.collect.request import Parsed
from stream.collect.webhooks.sendgrid import SIGNATURE_HEADER, TIMESTAMP_HEADER, events_of, genuine
from stream.settings import Webhook
from tests.unit.collect_edge.requests import ENRICHER, NOW, properties, relaxed, request

KEY = generate_private_key(SECP256R1())
SENT_S = NOW // 1000
PERSON = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"
)
CLICK = {
    "email": "Ann@acme.com", "timestamp": SENT_S - 60, "event": "click", "sg_event_id": "c2ctZXZlbnQ", "smtp-id": "<1@x>",
    "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0", "category": ["spring", "all"], "ip": "203.0.113.9",
    "url": "https://www.example.com/pricing?utm_campaign=spring", "useragent": PERSON, "offer": "a7",
}  # fmt: skip


def hook(key: EllipticCurvePrivateKey = KEY) -> Webhook:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Webhook("sendgrid", "main", base64.b64encode(der).decode(), "acme")


def signed(body: bytes, at_s: int = SENT_S, key: EllipticCurvePrivateKey = KEY) -> dict[str, str]:
    signature = key.sign(str(at_s).encode() + body, ECDSA(SHA256()))
    return {SIGNATURE_HEADER: base64.b64encode(signature).decode(), TIMESTAMP_HEADER: str(at_s)}


def parsed(*rows: Any) -> Parsed:
    asked = request("/webhooks/sendgrid/main", webhook=hook(), enrich=ENRICHER.edge)
    return events_of(json.dumps(rows).encode(), asked)


def test_what_the_key_signed_is_genuine() -> None:
    body = b'[{"email":"a@acme.com"}]\r\n'
    assert genuine(body, signed(body), hook(), NOW)


def test_one_changed_byte_is_not() -> None:
    body = b'[{"email":"a@acme.com"}]'
    assert not genuine(body + b"\n", signed(body), hook(), NOW)


def test_a_signature_of_another_key_is_not() -> None:
    assert not genuine(b"[]", signed(b"[]", key=generate_private_key(SECP256R1())), hook(), NOW)


def test_a_signature_does_not_hold_for_another_time() -> None:
    assert not genuine(b"[]", signed(b"[]") | {TIMESTAMP_HEADER: str(SENT_S - 1)}, hook(), NOW)


@pytest.mark.parametrize(("age_s", "holds"), [(0, True), (86_399, True), (86_402, False), (-299, True), (-302, False)])
def test_a_signature_holds_for_a_day(age_s: int, holds: bool) -> None:
    assert genuine(b"[]", signed(b"[]", SENT_S - age_s), hook(), NOW) is holds


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {TIMESTAMP_HEADER: str(SENT_S)},
        signed(b"[]") | {SIGNATURE_HEADER: "!!!"},
        signed(b"[]") | {SIGNATURE_HEADER: "AAAA"},
        signed(b"[]") | {TIMESTAMP_HEADER: "1e9"},
        signed(b"[]") | {TIMESTAMP_HEADER: "9" * 5000},
        signed(b"[]") | {TIMESTAMP_HEADER: "\u0661"},
    ],
)
def test_missing_and_broken_headers_are_not_genuine(headers: dict[str, str]) -> None:
    assert not genuine(b"[]", headers, hook(), NOW)


@pytest.mark.parametrize(
    "secret", ["", "none", base64.b64encode(b"x" * 91).decode(), hook(generate_private_key(SECP384R1())).secret]
)  # type: ignore[arg-type]
def test_with_a_wrong_key_configured_nothing_is_genuine(secret: str) -> None:
    assert not genuine(b"[]", signed(b"[]"), Webhook("sendgrid", "main", secret), NOW)


def test_the_key_may_stand_in_a_pem_frame() -> None:
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert genuine(b"[]", signed(b"[]"), Webhook("sendgrid", "main", pem), NOW)


def test_a_click_is_an_event_of_the_recipient() -> None:
    (event,) = parsed(CLICK).events
    assert (event.id, event.type, event.name, event.node) == ("c2ctZXZlbnQ", "email", "clicked", "acme/e:ann@acme.com")
    assert (event.tenant, event.source, event.protocol, event.platform) == ("acme", "main", "sendgrid", "server")
    assert (event.at, event.url, event.bot, event.browser) == ((SENT_S - 60) * 1000, CLICK["url"], "", "Chrome")
    assert properties(event) == {
        "message_id": "14c5d75ce93", "campaign": "spring", "url": CLICK["url"], "reason": "", "useragent": "Chrome",
        "custom": {"offer": "a7"},
    }  # fmt: skip
    assert "203.0.113" not in repr(event)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("processed", "sent"), ("delivered", "delivered"), ("deferred", "deferred"), ("bounce", "bounced"),
     ("dropped", "rejected"), ("open", "opened"), ("click", "clicked"), ("spamreport", "complained"),
     ("unsubscribe", "unsubscribed"), ("group_unsubscribe", "unsubscribed"), ("group_resubscribe", "subscribed")],
)  # fmt: skip
def test_every_event_has_its_canonical_name(theirs: str, ours: str) -> None:
    (event,) = parsed({**CLICK, "event": theirs}).events
    assert event.name == ours
    assert ours in EMAIL_EVENTS


@pytest.mark.parametrize(
    ("change", "bot", "reason"),
    [
        ({"event": "open", "sg_machine_open": True}, "machine", "sg_machine_open"),
        ({"event": "open", "sg_machine_open": False}, "", ""),
        ({"event": "open", "useragent": "Mozilla/5.0"}, "machine", "apple-mpp"),
        (
            {
                "event": "open",
                "useragent": "Mozilla/5.0 (Windows NT 5.1) Firefox/11.0 (via ggpht.com GoogleImageProxy)",
            },
            "",
            "",
        ),
        ({"event": "open", "useragent": "python-requests/2.32"}, "machine", "python-requests"),
        ({"useragent": "Mozilla/5.0"}, "", ""),
        ({"useragent": "Barracuda Sentinel (EE)"}, "scanner", "barracuda"),
        ({"useragent": "Mozilla/5.0 (X11; Linux) HeadlessChrome/150.0 Safari/537.36"}, "scanner", "headlesschrome"),
        ({"event": "delivered", "useragent": "python-requests/2.32"}, "", ""),
    ],
)
def test_machines_that_open_and_click_are_marked(change: dict[str, object], bot: str, reason: str) -> None:
    (event,) = parsed({**CLICK, **change}).events
    assert (event.bot, event.bot_reason) == (bot, reason)


def test_without_an_id_repeats_are_still_one_event() -> None:
    row = {k: v for k, v in CLICK.items() if k != "sg_event_id"}
    first, second, other = parsed(row, row, {**row, "url": "https://www.example.com/docs"}).events
    assert first.id == second.id != other.id


def test_bad_events_are_refused_alone() -> None:
    found = parsed({**CLICK, "event": "nap"}, CLICK, {**CLICK, "email": "?"}, {**CLICK, "timestamp": "x"}, 5)
    assert len(found.events) == 1
    assert [(r.reason, r.detail) for r in found.rejected] == [
        (RejectReason.UNSUPPORTED, "event"),
        (RejectReason.MISSING_FIELD, "email"),
        (RejectReason.BAD_TIME, "timestamp"),
        (RejectReason.MALFORMED, "an event is a JSON object"),
    ]
    assert found.source is not None
    assert (found.source.name, found.source.tenant) == ("main", "acme")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@relaxed
@given(st.dictionaries(st.sampled_from([*sorted(CLICK), "sg_machine_open", "reason", "response"]), JSON))
def test_every_event_is_taken_or_refused_whatever_it_holds(change: dict[str, object]) -> None:
    found = parsed({**CLICK, **change})
    assert len(found.events) + len(found.rejected) == 1


@relaxed
@given(st.binary(max_size=200), st.text(max_size=20), st.text(max_size=20))
def test_no_bytes_make_it_fail(junk: bytes, timestamp: str, signature: str) -> None:
    events_of(junk, request(webhook=hook()))
    assert not genuine(junk, {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: signature}, hook(), NOW)
