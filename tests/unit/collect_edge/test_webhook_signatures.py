"""What a provider's key signed is taken, everything else is refused, with real keys of every kind."""

import base64
import json
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from stream.collect.webhooks.registry import PROVIDERS, fault_of
from stream.collect.webhooks.verification import Refusal
from stream.settings import Webhook
from tests.support import webhooks
from tests.support.webhooks import CERTIFICATE_URL, KEY, MAIL_KEY, PUBLIC, SENDERS, TOPIC, Signed, certificate
from tests.unit.collect_edge.deliveries import BY_NAME, SENT_S, verdict

SIGNING = ["sendgrid", "mailgun", "ses", "mandrill", "resend", "hubspot"]
COVERED = ["sendgrid", "mandrill", "resend", "hubspot"]
"""Whose signature is over every byte of the body."""
TIMED = ["sendgrid", "mailgun", "ses", "resend", "hubspot"]


def signed(name: str, at_s: int = SENT_S) -> Signed:
    return SENDERS[name].sign(SENDERS[name].click, at_s)


def test_every_provider_has_a_sender_here_and_is_configured_well():
    assert list(SENDERS) == [provider.name for provider in PROVIDERS]
    assert {name: fault_of(sender.webhook) for name, sender in SENDERS.items()} == dict.fromkeys(SENDERS, "")


@pytest.mark.parametrize("name", ["", "a/b"])
def test_a_name_that_no_path_can_have_is_a_fault(name):
    assert "name" in fault_of(msgspec.structs.replace(SENDERS["mailgun"].webhook, name=name))


@pytest.mark.parametrize("name", SENDERS)
def test_what_the_provider_sent_is_genuine(name):
    assert verdict(name, signed(name)) is None


@pytest.mark.parametrize("name", COVERED)
def test_one_changed_byte_is_not(name):
    assert verdict(name, signed(name)._replace(body=signed(name).body + b"&x=")) is Refusal.SIGNATURE


@pytest.mark.parametrize("name", SENDERS)
def test_without_its_headers_and_parameters_nothing_is_genuine(name):
    bare = signed(name)._replace(headers={}, query="")
    if name == "mailgun":  # signs in the body
        bare = Signed(b"{}", {})
    assert verdict(name, bare) is Refusal.SIGNATURE


@pytest.mark.parametrize("name", SENDERS)
@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b"\xff\xfe", b"[" * 5000, b'{"signature":5}'])
def test_an_unsigned_body_of_any_shape_is_refused(name, body):
    assert verdict(name, Signed(body, {})) is Refusal.SIGNATURE


@pytest.mark.parametrize("name", [name for name in SENDERS if name not in {"ses", "sendgrid"}])
@pytest.mark.parametrize("secret", ["", "another", "whsec_" + base64.b64encode(b"x" * 24).decode()])
def test_with_another_secret_or_none_nothing_is_genuine(name, secret):
    webhook = msgspec.structs.replace(SENDERS[name].webhook, secret=secret)
    assert verdict(name, signed(name), webhook) is Refusal.SIGNATURE
    assert bool(fault_of(webhook)) is (secret == "")


@pytest.mark.parametrize("name", [name for name in TIMED if name != "sendgrid"])
@pytest.mark.parametrize(("age_s", "holds"), [(0, True), (299, True), (302, False), (-298, True), (-302, False)])
def test_a_signature_holds_for_five_minutes(name, age_s, holds):
    assert verdict(name, signed(name, SENT_S - age_s)) is (None if holds else Refusal.TIME)


@pytest.mark.parametrize(("age_s", "holds"), [(0, True), (86_399, True), (86_402, False), (-299, True), (-302, False)])
def test_sendgrids_holds_for_a_day_since_it_repeats_for_a_day(age_s, holds):
    assert verdict("sendgrid", signed("sendgrid", SENT_S - age_s)) is (None if holds else Refusal.TIME)


@pytest.mark.parametrize("name", TIMED)
def test_the_window_is_a_setting_of_each_webhook(name):
    wide = msgspec.structs.replace(SENDERS[name].webhook, window_s=100_000)
    narrow = msgspec.structs.replace(SENDERS[name].webhook, window_s=60)
    assert verdict(name, signed(name, SENT_S - 99_999), wide) is None
    assert verdict(name, signed(name, SENT_S - 62), narrow) is Refusal.TIME
    assert verdict(name, signed(name, SENT_S + 62), narrow) is Refusal.TIME


@pytest.mark.parametrize(
    ("name", "header"),
    [("sendgrid", "x-twilio-email-event-webhook-timestamp"), ("resend", "svix-timestamp"),
     ("hubspot", "x-hubspot-request-timestamp")],
)  # fmt: skip
@pytest.mark.parametrize("timestamp", ["", "1e9", "9" * 5000, "\u0661", "-5", "0x10", "NaN"])
def test_a_time_that_is_none_is_refused(name, header, timestamp):
    given = signed(name)
    refusal = verdict(name, given._replace(headers=given.headers | {header: timestamp}))
    assert refusal in {Refusal.SIGNATURE, Refusal.TIME}


# -- one by one --------------------------------------------------------------------------------------------------------


def test_sendgrid_another_key_is_not_ours():
    other = webhooks.sendgrid(SENDERS["sendgrid"].click, SENT_S, generate_ec_key(SECP256R1()))
    assert verdict("sendgrid", other) is Refusal.SIGNATURE


@pytest.mark.parametrize(
    "secret",
    ["", "none", base64.b64encode(b"x" * 91).decode(), webhooks.public_text(generate_ec_key(SECP384R1()))],
)
def test_sendgrid_with_a_wrong_key_configured_nothing_is_genuine(secret):
    webhook = Webhook("sendgrid", "main", secret)
    assert verdict("sendgrid", signed("sendgrid"), webhook) is Refusal.SIGNATURE
    assert "verification key" in fault_of(webhook)


def test_sendgrid_the_key_may_stand_in_a_pem_frame():
    pem = MAIL_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert verdict("sendgrid", signed("sendgrid"), Webhook("sendgrid", "main", pem)) is None


def test_mailgun_a_subaccounts_event_is_signed_by_the_main_account_too():
    assert verdict("mailgun", webhooks.mailgun({}, SENT_S, parent=True)) is None
    assert verdict("mailgun", webhooks.mailgun({}, SENT_S, "another", parent=True)) is Refusal.SIGNATURE


@pytest.mark.parametrize("credentials", ["user:wrong", "user", "", f"other:{KEY}", f":{KEY}"])
def test_postmark_other_credentials_are_refused(credentials):
    assert verdict("postmark", webhooks.postmark({}, SENT_S, credentials)) is Refusal.SIGNATURE


@pytest.mark.parametrize("name", ["postmark", "brevo"])
def test_the_secret_may_be_in_a_header_of_ones_own(name):
    webhook = Webhook(name, "main", KEY, header="X-Touchline-Secret")
    assert verdict(name, Signed(b"{}", {"x-touchline-secret": KEY}), webhook) is None
    assert verdict(name, Signed(b"{}", {"x-touchline-secret": KEY + "x"}), webhook) is Refusal.SIGNATURE
    assert verdict(name, webhooks.postmark({}, SENT_S, KEY), webhook) is Refusal.SIGNATURE


@pytest.mark.parametrize("query", ["", "token=", "token=wrong", "key=" + KEY, "&" * 1000, "%ff=%ff"])
def test_brevo_another_token_is_refused(query):
    assert verdict("brevo", Signed(b"{}", {}, query)) is Refusal.SIGNATURE


def test_brevo_may_send_basic_authorization():
    webhook = Webhook("brevo", "main", f"user:{KEY}")
    assert verdict("brevo", webhooks.postmark({}, SENT_S), webhook) is None
    assert verdict("brevo", Signed(b"{}", {}, f"token={quote('user:' + KEY)}"), webhook) is None


def test_postmark_does_not_take_a_token_in_the_address():
    assert verdict("postmark", Signed(b"{}", {}, "token=" + quote(f"user:{KEY}"))) is Refusal.SIGNATURE


def test_mandrill_signs_the_address_that_it_has():
    click = SENDERS["mandrill"].click
    assert verdict("mandrill", webhooks.mandrill(click, SENT_S, f"{PUBLIC}/mandrill/other")) is Refusal.SIGNATURE
    elsewhere = msgspec.structs.replace(SENDERS["mandrill"].webhook, url="https://user:pw@x.example/a?b=%20")
    assert verdict("mandrill", webhooks.mandrill(click, SENT_S, elsewhere.url), elsewhere) is None


def test_mandrill_signs_all_fields_sorted_by_name():
    many = webhooks.mandrill_form({"z": "ä ö", "mandrill_events": "[]", "a": ""})
    assert verdict("mandrill", many) is None
    assert verdict("mandrill", many._replace(body=many.body.replace(b"a=", b"a=1"))) is Refusal.SIGNATURE


@pytest.mark.parametrize("name", ["mandrill", "hubspot"])
def test_without_the_public_address_nothing_is_genuine(name):
    webhook = msgspec.structs.replace(SENDERS[name].webhook, url="")
    assert verdict(name, signed(name), webhook) is Refusal.SIGNATURE
    assert "public address" in fault_of(webhook)


def test_hubspot_signs_the_decoded_address():
    webhook = msgspec.structs.replace(SENDERS["hubspot"].webhook, url=f"{PUBLIC}/hubspot/main?to=%40a%2Cb%20c")
    given = webhooks.hubspot([], SENT_S, f"{PUBLIC}/hubspot/main?to=@a,b%20c")
    assert verdict("hubspot", given, webhook) is None


def test_resend_another_message_id_or_body_is_not_what_was_signed():
    given = webhooks.resend(SENDERS["resend"].click, SENT_S)
    assert verdict("resend", given._replace(headers=given.headers | {"svix-id": "msg_x"})) is Refusal.SIGNATURE
    for broken in ("", "v1", "v1,", "v1,!!", "v2," + "A" * 44, ",".join(["v1"] * 900)):
        damaged = given._replace(headers=given.headers | {"svix-signature": broken})
        assert verdict("resend", damaged) is Refusal.SIGNATURE
    assert verdict("resend", given._replace(body=b"\xff")) is Refusal.SIGNATURE


# -- Amazon SNS ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1", "2"])
def test_sns_signs_by_both_versions(version):
    assert verdict("ses", webhooks.ses({}, SENT_S, version=version)) is None


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_sns_signs_other_fields_of_a_confirmation(version, kind):
    url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
    given = webhooks.ses("You have chosen", SENT_S, version=version, Type=kind, Token="t", SubscribeURL=url)
    assert verdict("ses", given) is None


def test_sns_a_subject_is_signed_where_there_is_one():
    given = webhooks.ses({}, SENT_S, Subject="Amazon SES Email Event")
    assert verdict("ses", given) is None
    assert verdict("ses", given._replace(body=given.body.replace(b"SES Email", b"SES email"))) is Refusal.SIGNATURE
    # An explicit null is no subject.
    envelope = json.loads(webhooks.ses({}, SENT_S).body) | {"Subject": None}
    assert verdict("ses", webhooks.ses({}, SENT_S)._replace(body=json.dumps(envelope).encode())) is None


@pytest.mark.parametrize("name", ["Message", "MessageId", "Timestamp", "Type"])
def test_sns_each_field_is_signed(name):
    given = webhooks.ses({}, SENT_S)
    changed = json.loads(given.body) | {name: "2026-01-02T03:04:00.000Z" if name == "Timestamp" else "Notification "}
    headers = given.headers | {"x-amz-sns-message-type": changed["Type"], "x-amz-sns-message-id": changed["MessageId"]}
    assert verdict("ses", Signed(json.dumps(changed).encode(), headers)) is Refusal.SIGNATURE


def test_sns_a_version_is_not_taken_for_the_other():
    given = webhooks.ses({}, SENT_S, version="2")
    changed = json.loads(given.body) | {"SignatureVersion": "1"}
    assert verdict("ses", given._replace(body=json.dumps(changed).encode())) is Refusal.SIGNATURE
    assert verdict("ses", webhooks.ses({}, SENT_S, version="3")) is Refusal.SIGNATURE


@pytest.mark.parametrize("header", ["x-amz-sns-message-type", "x-amz-sns-message-id"])
@pytest.mark.parametrize("value", ["", "SubscriptionConfirmation"])
def test_sns_the_headers_must_say_what_the_body_says(header, value):
    given = webhooks.ses({}, SENT_S)
    assert verdict("ses", given._replace(headers=given.headers | {header: value})) is Refusal.SIGNATURE


def test_sns_a_topic_that_is_not_ours_is_refused_whoever_signed():
    theirs = TOPIC.replace("123456789012", "210987654321")
    assert verdict("ses", webhooks.ses({}, SENT_S, TopicArn=theirs)) is Refusal.TOPIC
    assert verdict("ses", webhooks.ses({}, SENT_S), Webhook("ses", "main")) is Refusal.TOPIC
    assert "topics is empty" in fault_of(Webhook("ses", "main"))


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.eu-west-1.amazonaws.com.evil.example/a.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/a.pem",
        "http://sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com:444/a.pem",
        "https://s3.eu-west-1.amazonaws.com/bucket/a.pem",
        "https://sns.eu.west.1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com/../a.pem",
        "https://sns.eu-west-1.amazonaws.com/a.pem?x=1",
        "https://sns.eu-west-1.amazonaws.com/a.pem\n",
        "https://sns.eu-west-1.amazonaws.com/a.txt",
        "",
    ],
)  # fmt: skip
def test_sns_a_certificate_from_elsewhere_is_refused_before_it_is_fetched(url):
    assert verdict("ses", webhooks.ses({}, SENT_S, SigningCertURL=url)) is Refusal.CERTIFICATE


@pytest.mark.parametrize("url", [CERTIFICATE_URL, "https://sns.cn-north-1.amazonaws.com.cn/a.pem"])
def test_sns_amazons_own_hosts_are_asked(url):
    given = webhooks.ses({}, SENT_S, SigningCertURL=url)
    find = BY_NAME["ses"].certificate_url
    assert find is not None
    assert verdict("ses", given) is None


def test_sns_another_certificate_an_expired_one_and_none_are_refused():
    given = webhooks.ses({}, SENT_S)
    assert verdict("ses", given, pem=certificate(generate_rsa_key(65537, 2048))) is Refusal.SIGNATURE
    assert verdict("ses", given, pem=certificate(days=1)) is Refusal.CERTIFICATE
    assert verdict("ses", given, pem=certificate(start=datetime(2030, 1, 1, tzinfo=UTC))) is Refusal.CERTIFICATE
    for junk in (b"", b"x", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        assert verdict("ses", given, pem=junk) is Refusal.CERTIFICATE
