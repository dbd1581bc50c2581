"""Payloads that others have published of what providers really send, each signed as the provider signs.

``anymail.json`` are those of the tests of django-anymail (https://github.com/anymail/django-anymail, commit 8c40cc4 of
2026-07-30, licence beside it): by its comments from the providers' documentation and from live tests. What is expected is
read off each payload by hand.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from schemas.event import Event
from schemas.rejections import RejectReason
from stream.collect.webhooks.verification import Refusal
from stream.settings import Webhook
from tests.support.webhooks import SENDERS, Signed
from tests.unit.collect_edge.deliveries import SENT_S, parsed, read, verdict
from tests.unit.collect_edge.requests import NOW, properties

PAYLOADS: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "anymail.json").read_text())
SES = "7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000"
BREVO, BREVO_2020 = "201803011158.9876543210@smtp-relay.mailin.fr", "201798300811.5787683@relay.domain.com"
BREVO_AT = "2018-03-06T19:10:23Z"
MANDRILL, MANDRILL_AT = "abcdef012345789abcdef012345789", "2016-04-19T19:47:26Z"
POSTMARK, POSTMARK_BOUNCE = "f4830d10-9c35-4f0c-bca3-3d9b459821f8", "2706ee8a-737c-4285-b032-ccd317af53ed"
RESEND = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
SENDGRID, SENDGRID_AT = "wrfRRvF7Q0GgwUo2CvDmEA", "2016-04-19T19:47:30Z"
UNDATED = datetime.fromtimestamp(NOW / 1000).astimezone().isoformat()
"""The payload has no time, or none whose zone is known: that of the receipt, ..."""
NOTIFIED = datetime.fromtimestamp(SENT_S).astimezone().isoformat()
"""... or of the notification about it."""


class Said(NamedTuple):
    """One event as we have it."""

    name: str
    who: str
    """Address, or node if the provider does not say which of several recipients it was."""
    at: str
    message: str
    url: str = ""
    bot: str = ""


def machine(name: str, who: str, at: str, message: str) -> Said:
    return Said(name, who, at, message, bot="machine")


EXPECTED: dict[str, dict[str, list[Said]]] = {
    "ses": {
        "bounce": [Said("bounced", "jane@example.com", "2016-01-27T14:59:44.101Z",
                        "00000138111222aa-33322211-cccc-cccc-cccc-ddddaaaa0680-000000")],
        "multiple_bounce": [Said("bounced", f"{who}@example.com", NOTIFIED,
                                 "00000137860315fd-34208509-5b74-41f3-95c5-22c1edc3c924-000000")
                            for who in ("jane", "richard")],
        "complaint": [Said("complained", "richard@example.com", NOTIFIED,
                           "000001378603177f-7a5433e7-8edb-42ae-af10-f0181f34d6ee-000000")],
        "delivery": [Said("delivered", "jane@example.com", "2016-01-27T14:59:38.237Z",
                          "0000014644fe5ef6-9a483358-9170-4cb4-a269-f5dcdf415321-000000")],
        "send": [Said("sent", "recipient@example.com", "2016-10-14T05:02:16.645Z", SES)],
        "reject": [Said("rejected", "recipient@example.com", NOTIFIED, SES)],
        "open": [Said("opened", "recipient@example.com", "2017-08-09T22:00:19.652Z", SES)],
        "click": [Said("clicked", "recipient@example.com", "2017-08-09T23:51:25.570Z", SES,
                       "https://docs.aws.amazon.com/ses/latest/DeveloperGuide/")],
        "rendering_failure": [Said("rejected", "recipient@example.com", NOTIFIED, SES[1:])],
    },
    "brevo": {
        "sent": [Said("sent", "recipient@example.com", BREVO_AT, "201803062010.27287306012@smtp-relay.mailin.fr")],
        "delivered": [Said("delivered", "recipient@example.com", BREVO_AT, BREVO)],
        "hard_bounce": [Said("bounced", "not-a-user@example.com", BREVO_AT, BREVO)],
        "soft_bounce": [Said("bounced", "recipient@no-mx.example.com", BREVO_AT, BREVO)],
        "blocked": [Said("rejected", "recipient@example.com", BREVO_AT, BREVO)],
        "spam": [Said("complained", "recipient@example.com", BREVO_AT, BREVO)],
        "complaint": [Said("complained", "example@domain.com", UNDATED, BREVO_2020)],
        "invalid_email": [Said("bounced", "recipient@example.com", BREVO_AT, BREVO)],
        "error_email": [Said("rejected", "example@domain.com", "2020-11-09T14:53:43Z", BREVO_2020)],
        "deferred": [Said("deferred", "notauser@example.com", BREVO_AT, BREVO)],
        "opened": [Said("opened", "recipient@example.com", BREVO_AT, BREVO)],
        "unique_opened": [Said("opened", "recipient@example.com", BREVO_AT, BREVO)],
        "proxy_open": [machine("opened", "example@domain.com", UNDATED, BREVO_2020)],
        "unique_proxy_open": [machine("opened", "example@domain.com", UNDATED, BREVO_2020)],
        "clicked": [Said("clicked", "recipient@example.com", BREVO_AT, BREVO, "https://example.com/click/me")],
        "unsubscribe": [Said("unsubscribed", "recipient@example.com", BREVO_AT, BREVO)],
    },
    "mailgun": {
        "delivered": [Said("delivered", "recipient@example.com", "2018-08-12T21:17:17.153Z",
                           "20180812211713.1.DF5966851B4BAA99@example.org")],
        "failed_permanent": [Said("bounced", "invalid@example.com", "2018-08-12T21:47:02.389Z",
                                  "20180812214658.1.0DF563D0B3597700@example.org")],
        "failed_temporary": [Said("deferred", "undeliverable@nomx.example.com", "2018-08-12T22:11:39.659Z",
                                  "20180812214638.1.4A7D468E9BC18C5D@example.org")],
        "failed_greylisted": [Said("deferred", "undeliverable@mx.example.com", "2018-08-12T22:11:39.659Z",
                                   "20180812214638.1.4A7D468E9BC18C5D@example.org")],
        "rejected": [Said("rejected", "recipient@example.org", "2018-06-22T22:02:56.104Z",
                          "20180622220256.1.B31A451A2E5422BB@sandbox55887.mailgun.org")],
        "complained": [Said("complained", "recipient@example.com", "2013-08-22T23:31:00.049Z",
                            "20130718032413.263EE2E0926@example.org")],
        "unsubscribed": [Said("unsubscribed", "recipient@example.com", "2013-08-22T23:23:11.421Z",
                              "20130822232216.13966.79700@samples.mailgun.org")],
        "opened": [Said("opened", "recipient@example.com", "2018-08-12T21:33:20.089Z",
                        "20180812213139.1.BC6694A917BB7E6A@example.org")],
        "clicked": [Said("clicked", "recipient@example.com", "2018-08-12T21:33:20.089Z", "",
                         "https://example.com/test")],
    },
    "mandrill": {
        "send": [Said("sent", "recipient@example.com", MANDRILL_AT, MANDRILL)],
        "hard_bounce": [Said("bounced", "bounce@example.com", MANDRILL_AT, MANDRILL)],
        "click": [Said("clicked", "recipient@example.com", MANDRILL_AT, MANDRILL, "http://example.com")],
        "old_tracking_url": [Said("sent", "recipient@example.com", MANDRILL_AT, MANDRILL)],
    },
    "postmark": {
        "bounce": [Said("bounced", "bounce@example.com", "2016-04-27T20:28:50.396Z", POSTMARK_BOUNCE)],
        "delivered": [Said("delivered", "recipient@example.com", "2014-08-01T17:28:10.273Z",
                           "883953f4-6105-42a2-a16a-77a8eac79483")],
        "open": [Said("opened", "recipient@example.com", "2016-04-27T20:21:41.249Z", POSTMARK)],
        "click": [Said("clicked", "recipient@example.com", "2017-10-25T15:21:11.906Z", POSTMARK,
                       "https://example.com/click/me")],
        "spam": [Said("complained", "spam@example.com", "2016-04-27T20:28:50.396Z", POSTMARK_BOUNCE)],
        "unsubscribe": [Said("unsubscribed", "john@example.com", "2022-06-05T17:17:32Z",
                             "a4909a96-73d7-4c49-b148-a54522d3f7ac")],
        "resubscribe": [Said("subscribed", "john@example.com", "2022-06-05T17:17:32Z",
                             "a4909a96-73d7-4c49-b148-a54522d3f7ac")],
        "subscription_change_bounce": [],  # the bounce itself comes as one
    },
    "resend": {
        "sent": [Said("sent", "acme/d:example.org", "2023-09-28T17:19:43.736Z", RESEND)],
        "delivered": [Said("delivered", "to@example.org", "2023-09-28T17:19:44.823Z", RESEND)],
        "hard_bounced": [Said("bounced", "bounced@resend.dev", "2023-10-02T18:11:26.101Z", RESEND)],
        "suppressed": [Said("bounced", "blocked@example.org", "2023-10-01T20:01:01.598Z", RESEND)],
        "delivery_delayed": [Said("deferred", "delivered@resend.dev", "2023-02-22T23:41:12.126Z",
                                  "56761188-7520-42d8-8898-ff6fc54ce618")],
        "complained": [Said("complained", "complained@resend.dev", "2023-10-02T18:10:03.690Z", RESEND)],
        "opened": [Said("opened", "to@example.org", "2023-09-28T17:20:38.990Z", RESEND)],
        "clicked": [Said("clicked", "to@example.org", "2023-09-28T17:21:35.257Z", RESEND, "https://example.com/test")],
    },
    "sendgrid": {
        "processed": [Said("sent", "recipient@example.com", "2016-04-19T19:47:26Z", SENDGRID)],
        "delivered": [Said("delivered", "recipient@example.com", SENDGRID_AT, SENDGRID)],
        "dropped_bounced": [Said("rejected", "example@example.com", "2017-12-15T00:59:29Z", "14c5d75ce93.dfd.64b469")],
        # Dropped before it got an id of its own: sg_message_id begins with the server, which other mails share.
        "dropped_unsubscribed": [Said("rejected", "unsubscribe@example.com", SENDGRID_AT, SENDGRID)],
        "bounce": [Said("bounced", "noreply@example.com", SENDGRID_AT, "Lli-03HcQ5-JLybO9fXsJg")],
        "deferred": [Said("deferred", "recipient@example.com", "2016-04-21T01:09:50Z", "u9Gvi3mzT6iC2poAb58_qQ")],
        "open": [Said("opened", "recipient@example.com", SENDGRID_AT, SENDGRID)],
        "click": [Said("clicked", "recipient@example.com", SENDGRID_AT, "_fjPjuJfRW-IPs5SuvYotg",
                       "http://www.example.com")],
        "compatibility_message_id_from_smtp_id": [Said("delivered", "recipient@example.com", SENDGRID_AT, SENDGRID)],
    },
}  # fmt: skip
REFUSED = {
    ("mandrill", "sync"): (RejectReason.UNSUPPORTED, "event"),
    ("postmark", "bounce_unsubscribe_variant"): (RejectReason.MISSING_FIELD, "recipient"),
    ("sendgrid", "dropped_invalid"): (RejectReason.MISSING_FIELD, "recipient"),
}
"""No event of an email, or of nobody: kept in the dead letters."""


def reported(provider: str, name: str) -> Any:
    payload = PAYLOADS[provider][name]
    return payload["event-data"] if provider == "mailgun" else payload


def said(event: Event) -> Said:
    message = properties(event)["message_id"]
    return Said(event.name, event.email or event.node, str(event.at / 1000), message, event.url, event.bot)


def _seconds(expected: Said) -> Said:
    return expected._replace(at=str(datetime.fromisoformat(expected.at).timestamp()))


@pytest.mark.parametrize(("provider", "name"), [(p, name) for p, rows in EXPECTED.items() for name in rows])
def test_what_a_provider_sends_is_taken_as_it_says(provider, name):
    payload = reported(provider, name)
    found = parsed(provider, payload)
    assert verdict(provider, SENDERS[provider].sign(payload, SENT_S)) is None
    assert (found.rejected, found.fault) == ([], None)
    assert [said(event) for event in found.events] == [_seconds(event) for event in EXPECTED[provider][name]]


def test_a_delivery_that_sendgrid_signed_itself_is_genuine():
    """Key, body and signature as SendGrid publishes them (sendgrid-python 76788e7, MIT licence, test_eventwebhook.py)."""
    key = (
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eN"
        "Ec6wEA3F+g=="
    )
    signature = "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
    body = (
        b'[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address",'
        b'"sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",'
        b'"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",'
        b'"smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n'
    )
    webhook = Webhook("sendgrid", "main", key, "acme")
    head = "x-twilio-email-event-webhook-"
    signed = Signed(body, {head + "signature": signature, head + "timestamp": "1600112502"})
    assert verdict("sendgrid", signed, webhook, now=1_600_112_503_000) is None
    assert verdict("sendgrid", signed._replace(body=body.strip()), webhook, now=1_600_112_503_000) is Refusal.SIGNATURE
    (event,) = read("sendgrid", body, signed.headers, webhook).events
    assert said(event) == _seconds(
        Said("rejected", "hello@world.com", "2020-09-14T19:41:32Z", "LRzXl_NHStOGhQ4kofSm_A")
    )


def test_a_signature_that_svix_publishes_is_genuine():
    """Key, message and signature of Svix's own tests (svix-webhooks, MIT licence); Resend signs with Svix."""
    webhook = Webhook("resend", "main", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "acme")
    headers = {
        "svix-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "svix-timestamp": "1614265330",
        "svix-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    signed = Signed(b'{"test": 2432232314}', headers)
    assert verdict("resend", signed, webhook, now=1_614_265_331_000) is None
    assert (
        verdict("resend", signed._replace(body=b'{"test":2432232314}'), webhook, now=1_614_265_331_000)
        is Refusal.SIGNATURE
    )


def test_a_signature_that_hubspot_publishes_is_genuine():
    """Secret, address, body and signature of HubSpot's own tests (hubspot-api-python a2a528a, Apache-2.0)."""
    address = "https://www.example.com/webhook_uri"
    webhook = Webhook("hubspot", "main", "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy", "acme", url=address)
    headers = {
        "x-hubspot-signature-v3": "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=",
        "x-hubspot-request-timestamp": "1693657560000",
    }
    signed = Signed(b"{'example_field':'example_value'}", headers)
    assert verdict("hubspot", signed, webhook, now=1_693_657_561_000) is None
    assert verdict("hubspot", signed._replace(body=b"{}"), webhook, now=1_693_657_561_000) is Refusal.SIGNATURE


@pytest.mark.parametrize(("provider", "name"), REFUSED)
def test_what_is_no_event_of_an_email_goes_to_the_dead_letters(provider, name):
    found = parsed(provider, reported(provider, name))
    assert found.events == []
    assert [(r.reason, r.detail) for r in found.rejected] == [REFUSED[provider, name]]


def test_all_of_them_are_looked_at():
    assert {(p, name) for p, rows in PAYLOADS.items() for name in rows} == {
        *((p, name) for p, rows in EXPECTED.items() for name in rows),
        *REFUSED,
    }
