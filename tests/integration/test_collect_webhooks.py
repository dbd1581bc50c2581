"""Webhooks over HTTP with a real broker: every refusal stores nothing, everything genuine is on the log."""

import asyncio
import base64
import json
import time

import pytest

from schemas import topics
from schemas.errors import Retryable
from stream.collect.webhooks.certificates import AWAY_S
from stream.settings import Config
from tests.support import webhooks
from tests.support.collecting import collecting, collector_settings
from tests.support.webhooks import CERTIFICATE_URL, SENDERS, TOPIC, Signed, certificate

CONFIG = Config(webhooks=tuple(sender.webhook for sender in SENDERS.values()))
TIMED = ["sendgrid", "mailgun", "ses", "resend", "hubspot"]


class Amazon:
    """What is fetched from Amazon; nothing else may be."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.away = False

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if self.away:
            raise Retryable("away")
        return certificate() if url == CERTIFICATE_URL else b"<ConfirmSubscriptionResponse/>"


@pytest.fixture
def amazon():
    return Amazon()


@pytest.fixture
async def collector(embedded_broker, amazon):
    async with collecting(collector_settings(embedded_broker), CONFIG, fetch=amazon.fetch) as running:
        yield running


async def send(collector, name, signed: Signed) -> tuple[int, str]:
    """Status and, if it is an error, the reason."""
    url = SENDERS[name].path + (f"?{signed.query}" if signed.query else "")
    async with collector.client.post(url, data=signed.body, headers=signed.headers) as answer:
        said = await answer.json()
        return answer.status, said.get("error", {}).get("reason", "")


async def stored(collector) -> int:
    """Records of any topic that hold events or letters."""
    return len(await collector.events()) + len(await collector.dead_letters())


def now() -> int:
    return int(time.time())


def click(name: str, at_s: int | None = None) -> Signed:
    return SENDERS[name].sign(SENDERS[name].click, now() if at_s is None else at_s)


def spoiled(name: str) -> Signed:
    """As from somebody who knows everything but the secret."""
    signed = click(name)
    if name in {"mailgun", "ses"}:  # the signature is in the body
        envelope = json.loads(signed.body)
        held = envelope["signature"] if name == "mailgun" else envelope
        key = "signature" if name == "mailgun" else "Signature"
        held[key] = ("0" if name == "mailgun" else "AAAA") + held[key][1 if name == "mailgun" else 4 :]
        if name == "mailgun":
            held[key] = "".join("1" if letter == "0" else "0" for letter in held[key])
        return signed._replace(body=json.dumps(envelope).encode())
    if name == "postmark":
        return webhooks.postmark({}, 0, "user:wrong")
    if name == "brevo":
        return signed._replace(query="token=wrong")
    return signed._replace(body=signed.body + b" ")


@pytest.mark.parametrize("name", SENDERS)
async def test_what_the_provider_signed_is_on_the_log(collector, name):
    assert await send(collector, name, click(name)) == (200, "")
    (event,) = await collector.events()
    assert (event["protocol"], event["source"], event["tenant"]) == (name, "main", "acme")
    assert await collector.dead_letters() == []


@pytest.mark.parametrize("name", SENDERS)
async def test_a_wrong_signature_is_answered_401_and_only_counted(collector, name):
    assert await send(collector, name, spoiled(name)) == (401, "bad_signature")
    assert await stored(collector) == 0
    async with collector.client.get("/metrics") as answer:
        line = f'touchline_collect_webhooks_refused_total{{provider="{name}",reason="bad_signature"}} 1.0'
        assert line in await answer.text()


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize("age_s", [90_000, -310])
async def test_a_time_outside_the_window_is_answered_401_and_only_counted(collector, name, age_s):
    assert await send(collector, name, click(name, now() - age_s)) == (401, "bad_timestamp")
    assert await stored(collector) == 0


async def test_a_token_with_another_event_is_answered_401_and_only_counted(collector):
    first = webhooks.mailgun(SENDERS["mailgun"].click, now(), token="t1")
    forged = webhooks.mailgun(SENDERS["mailgun"].click | {"recipient": "eve@globex.com"}, now(), token="t1")
    assert await send(collector, "mailgun", first) == (200, "")
    assert await send(collector, "mailgun", forged) == (401, "replayed_token")
    assert await stored(collector) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"SigningCertURL": "https://evil.example/sns.eu-west-1.amazonaws.com/a.pem"}, "foreign_certificate"),
        ({"SigningCertURL": "https://sns.eu-west-1.amazonaws.com.evil.example/a.pem"}, "foreign_certificate"),
        ({"TopicArn": TOPIC.replace("1234", "4321")}, "foreign_topic"),
        ({"TopicArn": TOPIC.replace("1234", "4321"), "Type": "SubscriptionConfirmation", "Token": "t",
          "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"}, "foreign_topic"),
    ],
)  # fmt: skip
async def test_amazons_signature_for_somebody_else_is_answered_401_and_only_counted(collector, amazon, change, reason):
    assert await send(collector, "ses", webhooks.ses(SENDERS["ses"].click, now(), **change)) == (401, reason)
    assert await stored(collector) == 0
    assert amazon.asked == []


async def test_headers_that_differ_from_the_body_are_answered_401_and_only_counted(collector):
    signed = click("ses")
    other = signed._replace(headers=signed.headers | {"x-amz-sns-message-id": "another"})
    assert await send(collector, "ses", other) == (401, "bad_signature")
    assert await stored(collector) == 0


async def test_a_subscription_to_a_topic_of_ours_is_confirmed(collector, amazon):
    url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=x&Token=t"
    asked = webhooks.ses(
        "You have chosen to subscribe", now(), Type="SubscriptionConfirmation", Token="t", SubscribeURL=url
    )
    assert await send(collector, "ses", asked) == (200, "")
    assert amazon.asked == [CERTIFICATE_URL, url]
    amazon.away = True
    assert await send(collector, "ses", asked) == (503, "unavailable")
    assert await stored(collector) == 0


async def test_without_the_certificate_the_delivery_is_to_come_again(collector, amazon):
    amazon.away = True
    assert await send(collector, "ses", click("ses")) == (503, "unavailable")
    amazon.away = False
    await asyncio.sleep(AWAY_S)
    assert await send(collector, "ses", click("ses")) == (200, "")
    assert await stored(collector) == 1


@pytest.mark.parametrize("name", ["sendgrid", "postmark", "resend", "brevo", "hubspot"])
async def test_a_genuine_body_that_is_no_json_is_a_dead_letter_with_its_bytes(collector, name):
    body = b'{"event": "click", '
    assert await send(collector, name, SENDERS[name].sign(body, now())) == (200, "")
    (letter,) = await collector.dead_letters()
    assert (letter["reason"], letter["source"], letter["tenant"]) == ("malformed", "main", "acme")
    assert base64.b64decode(letter["body"]) == body
    assert await collector.events() == []


async def test_a_genuine_form_and_a_genuine_message_that_are_no_json_are_dead_letters(collector):
    assert await send(collector, "mandrill", webhooks.mandrill_form({"mandrill_events": "[{"})) == (200, "")
    assert await send(collector, "mandrill", webhooks.mandrill_form({"events": "[]"})) == (200, "")
    assert await send(collector, "ses", webhooks.ses("something else", now())) == (200, "")
    assert await send(collector, "mailgun", webhooks.mailgun("nothing", now())) == (200, "")
    reasons = sorted(letter["reason"] for letter in await collector.dead_letters())
    assert reasons == ["malformed", "malformed", "missing_field", "unsupported"]
    assert await collector.events() == []


async def test_mandrill_asks_by_head_whether_the_address_exists(collector):
    for path, status in ((SENDERS["mandrill"].path, 200), ("/webhooks/mandrill/other", 404)):
        async with collector.client.head(path) as answer:
            assert answer.status == status


@pytest.mark.parametrize("name", SENDERS)
async def test_a_webhook_that_is_not_configured_is_answered_404(collector, name):
    async with collector.client.post(f"/webhooks/{name}/other", data=b"{}") as answer:
        assert answer.status == 404
    assert await stored(collector) == 0


async def test_what_is_no_event_by_design_is_only_counted(collector):
    greeting = "Successfully validated SNS topic for Amazon SES event publishing."
    assert await send(collector, "ses", webhooks.ses(greeting, now())) == (200, "")
    assert len(await collector.records(topics.EVENTS)) == len(await collector.dead_letters()) == 0
    async with collector.client.get("/metrics") as answer:
        assert 'touchline_collect_ignored_total{path="/webhooks/ses/{name}"} 1.0' in await answer.text()
