"""Amazon SNS: who signed a message, of which topic, and with which certificate.

A right signature only says that Amazon sent it; anybody can point a topic of theirs at our address. So the topic has to
be one of the webhook's ``topics``, and the certificate has to come from Amazon's own host.

Source: Amazon SNS developer guide, "Verifying the signatures of Amazon SNS messages".
"""

import re
from datetime import UTC, datetime
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import Certificate, load_pem_x509_certificate

from stream.collect import clock
from stream.collect.bodies import UNREADABLE
from stream.collect.webhooks.verification import Delivery, Refusal, decoded, time_fault
from stream.settings import Webhook

TYPE_HEADER: Final = "x-amz-sns-message-type"
ID_HEADER: Final = "x-amz-sns-message-id"
NOTIFICATION: Final = "Notification"
SUBSCRIPTION: Final = "SubscriptionConfirmation"
UNSUBSCRIPTION: Final = "UnsubscribeConfirmation"
_AMAZON: Final = re.compile(r"https://sns\.[-a-z0-9]+\.amazonaws\.com(\.cn)?/")
_CERTIFICATE: Final = re.compile(_AMAZON.pattern + r"[A-Za-z0-9._-]{1,200}\.pem")
_HASHES: Final = {"1": SHA1, "2": SHA256}
_SIGNED: Final = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    SUBSCRIPTION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    UNSUBSCRIPTION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


class Envelope(msgspec.Struct, rename="pascal"):
    """What SNS posts, by its own names."""

    type: str
    message_id: str
    topic_arn: str
    message: str
    timestamp: str
    signature_version: str
    signature: str
    signing_cert_url: str = msgspec.field(name="SigningCertURL")
    subject: str | None = None
    subscribe_url: str = msgspec.field(default="", name="SubscribeURL")
    token: str = ""


_decode: Final = msgspec.json.Decoder(Envelope).decode


def envelope_of(body: bytes) -> Envelope | None:
    """The envelope; None if it is none."""
    try:
        return _decode(body)
    except UNREADABLE:
        return None


def certificate_url(delivery: Delivery, webhook: Webhook) -> str | Refusal:
    """Where the signing certificate lies, after everything that can be checked without it."""
    envelope = envelope_of(delivery.body)
    if envelope is None or envelope.type not in _SIGNED or envelope.signature_version not in _HASHES:
        return Refusal.SIGNATURE
    headers = delivery.headers
    if (headers.get(TYPE_HEADER), headers.get(ID_HEADER)) != (envelope.type, envelope.message_id):
        return Refusal.SIGNATURE
    if envelope.topic_arn not in webhook.topics:
        return Refusal.TOPIC
    return envelope.signing_cert_url if _CERTIFICATE.fullmatch(envelope.signing_cert_url) else Refusal.CERTIFICATE


def verify(delivery: Delivery, webhook: Webhook) -> Refusal | None:
    """Whether the certificate's key signed what the envelope says, within the window."""
    envelope = envelope_of(delivery.body)
    url = certificate_url(delivery, webhook)
    if envelope is None or isinstance(url, Refusal):
        return url if isinstance(url, Refusal) else Refusal.SIGNATURE
    key = _key(delivery.certificate, delivery.now)
    if key is None:
        return Refusal.CERTIFICATE
    try:
        key.verify(
            decoded(envelope.signature), _signed_text(envelope), PKCS1v15(), _HASHES[envelope.signature_version]()
        )
    except InvalidSignature:
        return Refusal.SIGNATURE
    at = clock.moment(envelope.timestamp)
    return Refusal.TIME if at is None or at < 0 else time_fault(str(at // 1000), delivery, webhook)


def is_amazons(url: str) -> bool:
    """Whether the address is one of SNS: no other may be opened because a message says so."""
    return _AMAZON.match(url) is not None


def _signed_text(envelope: Envelope) -> bytes:
    """Name and value of each signed field, a line each; a subject only where there is one."""
    fields = msgspec.to_builtins(envelope)
    pairs = [(name, fields[name]) for name in _SIGNED[envelope.type] if fields[name] is not None]
    return "".join(f"{name}\n{value}\n" for name, value in pairs).encode("utf-8", "surrogatepass")


def _key(pem: bytes, now: int) -> RSAPublicKey | None:
    """The certificate's key; None if it is no certificate that holds now."""
    try:
        certificate = load_pem_x509_certificate(pem)
        key = certificate.public_key()
    except ValueError:
        return None
    return key if isinstance(key, RSAPublicKey) and _holds(certificate, now) else None


def _holds(certificate: Certificate, now: int) -> bool:
    moment = datetime.fromtimestamp(now / 1000, UTC)
    return certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc
