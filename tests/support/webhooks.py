"""Providers of webhooks as they send: payloads in their shape, with real signatures by keys that are made here.

    SENDERS["mailgun"].sign({"event": "opened", ...}, at_s) -> Signed(body, headers, query)

``payload`` is what the provider reports (for Mailgun the event-data, for SES the SES event); ``sign`` puts it in its
envelope.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
)
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import CertificateBuilder, Name, NameAttribute, random_serial_number
from cryptography.x509.oid import NameOID

from stream.settings import Webhook

KEY = "key-of-the-tests"
MAIL_KEY = generate_ec_key(SECP256R1())
RSA_KEY = generate_rsa_key(65537, 2048)
SVIX_KEY = base64.b64encode(b"twenty-four-bytes-of-key").decode()
PUBLIC = "https://collect.example.com/webhooks"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:ses-events"
CERTIFICATE_NAME = "SimpleNotificationService-0123456789abcdef.pem"
CERTIFICATE_URL = f"https://sns.eu-west-1.amazonaws.com/{CERTIFICATE_NAME}"


class Signed(NamedTuple):
    """A request as the provider sends it."""

    body: bytes
    headers: dict[str, str]
    query: str = ""


class Sender(NamedTuple):
    """One provider: how the webhook is configured, how it signs, and an event it may report."""

    webhook: Webhook
    sign: Callable[[Any, int], Signed]
    click: dict[str, Any]
    """A click of ann@acme.com on /pricing in message m-1, but for the time of sending."""

    @property
    def path(self) -> str:
        return f"/webhooks/{self.webhook.provider}/{self.webhook.name}"


AT = "2026-01-02T03:03:05Z"
AT_MS = 1_767_322_985_000
URL = "https://www.example.com/pricing?utm_campaign=spring"
PERSON = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"
)
IP = "203.0.113.9"


def public_text(key: EllipticCurvePrivateKey) -> str:
    """As SendGrid's console shows it."""
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def certificate(key: RSAPrivateKey = RSA_KEY, *, days: int = 7_000, start: datetime | None = None) -> bytes:
    """A certificate of the key, PEM."""
    name = Name([NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    begin = start or datetime(2020, 1, 1, tzinfo=UTC)
    builder = CertificateBuilder(name, name, key.public_key(), random_serial_number())
    builder = builder.not_valid_before(begin).not_valid_after(begin + timedelta(days=days))
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def _json(payload: Any) -> bytes:
    """As JSON; bytes as they are, for what is none."""
    return payload if isinstance(payload, bytes) else json.dumps(payload).encode("utf-8", "surrogatepass")


def _b64_hmac(content: bytes, digest: Any, key: bytes = KEY.encode()) -> str:
    return base64.b64encode(hmac.new(key, content, digest).digest()).decode()


def sendgrid(payload: Any, at_s: int, key: EllipticCurvePrivateKey = MAIL_KEY) -> Signed:
    body = _json(payload if isinstance(payload, list | bytes) else [payload])
    signature = base64.b64encode(key.sign(str(at_s).encode() + body, ECDSA(SHA256()))).decode()
    head = "x-twilio-email-event-webhook-"
    return Signed(body, {head + "signature": signature, head + "timestamp": str(at_s)})


def mailgun(payload: Any, at_s: int, key: str = KEY, token: str = "", *, parent: bool = False) -> Signed:
    # A real token is random; here it goes by the event, so that an event sent again is a repeat.
    token = token or hashlib.sha256(_json(payload)).hexdigest()[:50]
    right = hmac.new(key.encode(), f"{at_s}{token}".encode(), hashlib.sha256).hexdigest()
    signature = {"timestamp": str(at_s), "token": token, "signature": "0" * 64 if parent else right}
    if parent:
        signature["parent-signature"] = right
    return Signed(_json({"signature": signature, "event-data": payload}), {})


def postmark(payload: Any, _at_s: int, credentials: str = f"user:{KEY}") -> Signed:
    return Signed(_json(payload), {"authorization": "Basic " + base64.b64encode(credentials.encode()).decode()})


def brevo(payload: Any, _at_s: int) -> Signed:
    return Signed(_json(payload), {}, f"token={KEY}")


def ses(
    payload: Any,
    at_s: int,
    *,
    version: str = "2",
    key: RSAPrivateKey = RSA_KEY,
    **changes: Any,
) -> Signed:
    """An SNS message. ``changes`` are made before it is signed; what is None is left out."""
    message = payload if isinstance(payload, str) else json.dumps(payload)
    envelope: dict[str, Any] = {
        "Type": "Notification",
        # As with Mailgun's token: a repeat has the same.
        "MessageId": hashlib.sha256(message.encode("utf-8", "surrogatepass")).hexdigest()[:36],
        "TopicArn": TOPIC,
        "Message": message,
        "Timestamp": datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE_URL,
    } | changes
    envelope = {name: value for name, value in envelope.items() if value is not None}
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    if envelope["Type"] == "Notification":
        names = [name for name in names if name not in {"SubscribeURL", "Token"}]
    text = "".join(f"{name}\n{envelope[name]}\n" for name in names if name in envelope)
    digest = SHA1() if version == "1" else SHA256()
    signature = key.sign(text.encode("utf-8", "surrogatepass"), PKCS1v15(), digest)
    envelope["Signature"] = base64.b64encode(signature).decode()
    headers = {"x-amz-sns-message-type": envelope["Type"], "x-amz-sns-message-id": envelope["MessageId"]}
    return Signed(_json(envelope), headers | {"content-type": "text/plain; charset=UTF-8"})


def mandrill(payload: Any, _at_s: int, url: str = f"{PUBLIC}/mandrill/main") -> Signed:
    events = json.dumps(payload if isinstance(payload, list) else [payload])
    return mandrill_form({"mandrill_events": events}, url)


def mandrill_form(fields: dict[str, str], url: str = f"{PUBLIC}/mandrill/main", key: str = KEY) -> Signed:
    content = url + "".join(name + fields[name] for name in sorted(fields))
    signature = _b64_hmac(content.encode("utf-8", "surrogatepass"), hashlib.sha1, key.encode())
    body = urlencode(fields, errors="surrogatepass").encode()
    return Signed(body, {"x-mandrill-signature": signature, "content-type": "application/x-www-form-urlencoded"})


def resend(payload: Any, at_s: int, message: str = "") -> Signed:
    body = _json(payload)
    message = message or "msg_" + hashlib.sha256(body).hexdigest()[:27]
    content = f"{message}.{at_s}.".encode() + body
    signature = "v1," + _b64_hmac(content, hashlib.sha256, base64.b64decode(SVIX_KEY))
    # While a key is changed there are two, of which one is ours.
    other = "v1," + base64.b64encode(bytes(32)).decode()
    return Signed(body, {"svix-id": message, "svix-timestamp": str(at_s), "svix-signature": f"{other} {signature}"})


def hubspot(payload: Any, at_s: int, url: str = f"{PUBLIC}/hubspot/main") -> Signed:
    body = _json(payload if isinstance(payload, list | bytes) else [payload])
    timestamp = f"{at_s}000"
    signature = _b64_hmac(b"POST" + url.encode() + body + timestamp.encode(), hashlib.sha256)
    return Signed(body, {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": timestamp})


def _mail(destination: list[str]) -> dict[str, Any]:
    return {
        "timestamp": AT, "messageId": "m-1", "source": "news@example.com", "destination": destination,
        "tags": {"ses:configuration-set": ["main"], "campaign": ["spring"], "offer": ["a7"]},
    }  # fmt: skip


SENDERS = {
    "sendgrid": Sender(
        Webhook("sendgrid", "main", public_text(MAIL_KEY), "acme"),
        sendgrid,
        {
            "email": "ann@acme.com", "timestamp": AT_MS // 1000, "event": "click", "sg_event_id": "c2ctZXZlbnQ",
            "sg_message_id": "m-1.filter0001.16648.5515E0B88.0", "category": ["spring", "all"], "ip": IP, "url": URL,
            "useragent": PERSON, "offer": "a7",
        },
    ),
    "mailgun": Sender(
        Webhook("mailgun", "main", KEY, "acme"),
        mailgun,
        {
            "event": "clicked", "timestamp": AT_MS / 1000, "id": "Ase7i2zsRYeDXztHGENqRA", "recipient": "ann@acme.com",
            "message": {"headers": {"message-id": "m-1"}}, "tags": ["spring", "all"], "url": URL, "ip": IP,
            "client-info": {"client-type": "browser", "client-name": "Chrome", "user-agent": PERSON, "bot": ""},
            "delivery-status": None, "user-variables": {"offer": "a7"}, "geolocation": {"country": "AT"},
        },
    ),
    "postmark": Sender(
        Webhook("postmark", "main", f"user:{KEY}", "acme"),
        postmark,
        {
            "RecordType": "Click", "MessageID": "m-1", "Recipient": "ann@acme.com", "ReceivedAt": AT,
            "OriginalLink": URL, "ClickLocation": "HTML", "UserAgent": PERSON, "Tag": "spring",
            "Metadata": {"offer": "a7"}, "Geo": {"IP": IP, "Country": "Austria"}, "MessageStream": "outbound",
        },
    ),
    "ses": Sender(
        Webhook("ses", "main", tenant="acme", topics=(TOPIC,)),
        ses,
        {
            "eventType": "Click", "mail": _mail(["ann@acme.com"]),
            "click": {"timestamp": AT, "ipAddress": IP, "userAgent": PERSON, "link": URL, "linkTags": None},
        },
    ),
    "mandrill": Sender(
        Webhook("mandrill", "main", KEY, "acme", url=f"{PUBLIC}/mandrill/main"),
        mandrill,
        {
            "event": "click", "ts": AT_MS // 1000, "_id": "m-1", "url": URL, "ip": IP, "user_agent": PERSON,
            "msg": {
                "_id": "m-1", "email": "ann@acme.com", "ts": AT_MS // 1000 - 60, "tags": ["spring", "all"],
                "metadata": {"offer": "a7"}, "state": "sent", "subject": "Spring offers",
            },
        },
    ),
    "resend": Sender(
        Webhook("resend", "main", "whsec_" + SVIX_KEY, "acme"),
        resend,
        {
            "type": "email.clicked", "created_at": AT,
            "data": {
                "created_at": "2026-01-02T01:00:00Z", "email_id": "m-1", "from": "News <news@example.com>",
                "to": ["ann@acme.com"], "subject": "Spring offers", "tags": {"campaign": "spring", "offer": "a7"},
                "click": {"ipAddress": IP, "link": URL, "timestamp": AT, "userAgent": PERSON},
            },
        },
    ),
    "brevo": Sender(
        Webhook("brevo", "main", KEY, "acme"),
        brevo,
        {
            "event": "click", "email": "ann@acme.com", "id": 26224, "date": "2026-01-02 04:03:05",
            "ts": AT_MS // 1000 + 3600, "ts_event": AT_MS // 1000 + 3600, "ts_epoch": AT_MS, "message-id": "<m-1>",
            "subject": "Spring offers", "tags": ["spring"], "link": URL, "user_agent": PERSON, "ip": IP,
            "X-Mailin-custom": "a7",
        },
    ),
    "hubspot": Sender(
        Webhook("hubspot", "main", KEY, "acme", url=f"{PUBLIC}/hubspot/main"),
        hubspot,
        {
            "eventId": 100, "subscriptionId": 7, "portalId": 62515, "appId": 5, "occurredAt": AT_MS,
            "subscriptionType": "deal.propertyChange", "attemptNumber": 0, "objectId": 123, "propertyName": "dealstage",
            "propertyValue": "closedwon", "changeSource": "CRM_UI",
        },
    ),
}  # fmt: skip
EMAIL_SENDERS = [name for name in SENDERS if name != "hubspot"]


def config_text() -> str:
    """``[[webhooks]]`` of all senders for ``touchline.toml``, in the default tenant."""
    parts = []
    for sender in SENDERS.values():
        hook = sender.webhook
        given = {"provider": hook.provider, "name": hook.name, "secret": hook.secret, "url": hook.url}
        lines = [f"{name} = {json.dumps(value)}" for name, value in given.items() if value]
        lines += [f"topics = {json.dumps(hook.topics)}"] if hook.topics else []
        parts.append("\n".join(["[[webhooks]]", *lines, ""]))
    return "\n".join(parts)
