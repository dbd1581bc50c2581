"""Deliveries of ``tests.support.webhooks`` as the gate and the adapters see them, at one fixed moment."""

from typing import Any

from schemas.event import Event
from stream.collect.request import Parsed
from stream.collect.webhooks.registry import PROVIDERS
from stream.collect.webhooks.verification import Delivery, Refusal
from stream.settings import Webhook
from tests.support.webhooks import SENDERS, Signed, certificate
from tests.unit.collect_edge.requests import ENRICHER, NOW, request

BY_NAME = {provider.name: provider for provider in PROVIDERS}
SENT_S = NOW // 1000
CERTIFICATE = certificate()


def delivery(signed: Signed, *, now: int = NOW, pem: bytes = CERTIFICATE) -> Delivery:
    return Delivery(body=signed.body, headers=signed.headers, query=signed.query, now=now, certificate=pem)


def verdict(name: str, signed: Signed, webhook: Webhook | None = None, **changes: Any) -> Refusal | None:
    return BY_NAME[name].verify(delivery(signed, **changes), webhook or SENDERS[name].webhook)


def read(name: str, body: bytes, headers: dict[str, str] | None = None, webhook: Webhook | None = None) -> Parsed:
    asked = request(
        SENDERS[name].path,
        webhook=webhook or SENDERS[name].webhook,
        enrich=ENRICHER.edge,
        headers=headers,
    )
    return BY_NAME[name].events_of(body, asked)


def parsed(name: str, payload: Any, webhook: Webhook | None = None) -> Parsed:
    signed = SENDERS[name].sign(payload, SENT_S)
    return read(name, signed.body, signed.headers, webhook)


def only(name: str, payload: Any, webhook: Webhook | None = None) -> Event:
    """The one event of a payload without refusals."""
    found = parsed(name, payload, webhook)
    assert (found.rejected, found.fault) == ([], None)
    (event,) = found.events
    return event


def merged(payload: Any, change: Any) -> Any:
    """The payload with some members changed, also within objects; ... removes one."""
    if not isinstance(change, dict) or not isinstance(payload, dict):
        return change
    result = payload | {name: merged(payload.get(name), value) for name, value in change.items()}
    return {name: value for name, value in result.items() if value is not ...}
