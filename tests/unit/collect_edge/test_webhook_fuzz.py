"""Laws of all providers, on any input: nothing raises, nothing forged is genuine, nothing genuine gets lost."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import json_encoder, properties_of
from schemas.event import EVENT_TYPES, Event
from stream.collect.request import Parsed
from tests.support.webhooks import SENDERS, Signed
from tests.unit.collect_edge.deliveries import BY_NAME, SENT_S, delivery, parsed, read, verdict
from tests.unit.collect_edge.requests import NOW, relaxed

NASTY = st.sampled_from([
    "", "null", "\x00", "\ud800", "a@b.co", "9999-12-31", "0000-01-01", "2026-01-01T00:00:00Z", "1e999", "x" * 300,
    "Ann <a@b.co>, Bob <c@d.eu>", "<>", "@", "ann@acme.com\nbcc: eve@globex.com", "%ff", "=?utf-8?b?/w==?=", "Fri, 99 Foo 2026",
])  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | NASTY
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | NASTY, inner, max_size=3),
    max_leaves=6,
)
decode_event = msgspec.json.Decoder(Event).decode


def places(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Where in a payload something can be changed."""
    found = [path] if path else []
    for name, inner in value.items() if isinstance(value, dict) else ():
        found += places(inner, (*path, name))
    return found


def put(value: Any, path: tuple[str, ...], new: Any) -> Any:
    if not path:
        return new
    inner = value.get(path[0]) if isinstance(value, dict) else None
    return (value if isinstance(value, dict) else {}) | {path[0]: put(inner, path[1:], new)}


EXTRA = {
    "postmark": [("FromFull",), ("FromFull", "Email"), ("Headers",), ("Date",), ("RecordType",), ("SuppressSending",), ("Type",)],
    "ses": [("mail", "headers"), ("mail", "commonHeaders"), ("notificationType",), ("subscription",), ("mail", "destination")],
    "mandrill": [("msg", "headers"), ("msg", "from_email"), ("reject",)],
    "resend": [("data", "headers"), ("data", "from"), ("data", "cc"), ("data", "bounce"), ("data", "open")],
    "brevo": [("items",), ("Uuid",), ("From",)],
    "mailgun": [("severity",), ("reject",), ("campaigns",), ("delivery-status", "message")],
    "hubspot": [("objectTypeId",), ("associationType",), ("fromObjectTypeId",), ("toObjectId",), ("isPrimaryAssociation",)],
    "sendgrid": [("sg_machine_open",), ("reason",), ("smtp-id",)],
}  # fmt: skip


@st.composite
def payloads(draw, name):
    """A click with some parts changed, of any event that the provider knows."""
    payload = SENDERS[name].click
    known = [*places(payload), *EXTRA[name]]
    for path in draw(st.lists(st.sampled_from(known), max_size=4)):
        payload = put(payload, path, draw(VALUES))
    return payload


def sound(found: Parsed) -> None:
    """Whatever comes out can be written, read again, and worked with."""
    assert found.fault is None
    for event in found.events:
        line = json_encoder.encode(event)
        assert b"\n" not in line
        again = decode_event(line)
        assert again.id
        assert "\x00" not in again.node
        assert again.node.startswith("acme/")
        assert again.type in EVENT_TYPES
        assert 946_684_800_000 <= again.at <= NOW
        properties_of(again.properties)


@pytest.mark.parametrize("name", SENDERS)
def test_every_genuine_event_is_taken_refused_or_ignored(name):
    @relaxed
    @given(payloads(name))
    def law(payload):
        signed = SENDERS[name].sign(payload, SENT_S)
        assert verdict(name, signed) is None
        found = read(name, signed.body, signed.headers)
        sound(found)
        assert len(found.events) + len(found.rejected) + found.ignored >= 1

    law()


@pytest.mark.parametrize("name", SENDERS)
def test_any_json_is_taken_or_refused(name):
    @relaxed
    @given(VALUES | st.lists(VALUES, max_size=4))
    def law(payload):
        sound(parsed(name, payload))

    law()


HEADERS = [
    "authorization", "x-amz-sns-message-type", "x-amz-sns-message-id", "x-mandrill-signature", "svix-id", "svix-timestamp",
    "svix-signature", "x-hubspot-signature-v3", "x-hubspot-request-timestamp", "x-twilio-email-event-webhook-signature",
    "x-twilio-email-event-webhook-timestamp",
]  # fmt: skip


@pytest.mark.parametrize("name", SENDERS)
def test_no_bytes_make_it_fail_and_none_are_genuine(name):
    @relaxed
    @given(
        st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()),
        st.dictionaries(st.sampled_from(HEADERS), st.text(max_size=30) | st.just(str(SENT_S))),
        st.text(max_size=20),
    )
    def law(junk, headers, query):
        sound(read(name, junk, headers))
        asked = delivery(Signed(junk, headers, query))
        assert BY_NAME[name].verify(asked, SENDERS[name].webhook) is not None

    law()


@pytest.mark.parametrize("name", SENDERS)
def test_a_delivery_damaged_anywhere_is_judged(name):
    @relaxed
    @given(st.data())
    def law(data):
        signed = SENDERS[name].sign(SENDERS[name].click, SENT_S)
        at = data.draw(st.integers(0, len(signed.body) - 1))
        body = signed.body[:at] + data.draw(st.binary(max_size=3)) + signed.body[at + 1 :]
        refusal = verdict(name, signed._replace(body=body))
        if name not in {"postmark", "brevo", "mailgun", "ses", "mandrill"} and body != signed.body:
            assert refusal is not None
        sound(read(name, body, signed.headers))

    law()
