"""The gate: certificates are got once and from Amazon only, one-time tokens hold once."""

import asyncio

import pytest

from schemas.errors import Retryable
from stream.collect.webhooks.certificates import ABSENT_S, AWAY_S, KEPT, Certificates
from stream.collect.webhooks.gate import Gate, Tokens
from stream.collect.webhooks.verification import Refusal, Token
from stream.settings import Settings
from tests.support import webhooks
from tests.support.webhooks import CERTIFICATE_NAME, CERTIFICATE_URL, SENDERS, TOPIC
from tests.unit.collect_edge.deliveries import BY_NAME, CERTIFICATE, SENT_S, delivery
from tests.unit.collect_edge.requests import NOW


class Amazon:
    """Amazon's host: it has one certificate, and can be away."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.away = False

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        await asyncio.sleep(0)
        if self.away:
            raise Retryable("away")
        return CERTIFICATE if url == CERTIFICATE_URL else b""


@pytest.fixture
def amazon() -> Amazon:
    return Amazon()


async def admit(gate, name, signed, **changes):
    return await gate.admit(BY_NAME[name], delivery(signed, pem=b"", **changes), SENDERS[name].webhook)


async def test_a_certificate_is_fetched_once(amazon):
    gate = Gate(Settings(), amazon.fetch)
    for number in range(3):
        assert await admit(gate, "ses", webhooks.ses({"n": number}, SENT_S)) is None
    assert amazon.asked == [CERTIFICATE_URL]


async def test_a_burst_of_deliveries_asks_once(amazon):
    gate = Gate(Settings(), amazon.fetch)
    burst = [admit(gate, "ses", webhooks.ses({"n": number}, SENT_S)) for number in range(20)]
    assert await asyncio.gather(*burst) == [None] * 20
    assert amazon.asked == [CERTIFICATE_URL]


async def test_nobody_else_is_ever_asked(amazon):
    gate = Gate(Settings(), amazon.fetch)
    elsewhere = webhooks.ses({}, SENT_S, SigningCertURL="https://evil.example/a.pem")
    other_topic = webhooks.ses({}, SENT_S, TopicArn=TOPIC + "x")
    wrong_head = webhooks.ses({}, SENT_S)._replace(headers={})
    assert await admit(gate, "ses", elsewhere) is Refusal.CERTIFICATE
    assert await admit(gate, "ses", other_topic) is Refusal.TOPIC
    assert await admit(gate, "ses", wrong_head) is Refusal.SIGNATURE
    assert amazon.asked == []


async def test_while_amazon_is_away_the_delivery_is_to_come_again(amazon):
    now = [0.0]
    gate = Gate(Settings(), amazon.fetch, lambda: now[0])
    amazon.away = True
    for _ in range(3):
        with pytest.raises(Retryable):
            await admit(gate, "ses", webhooks.ses({}, SENT_S))
    assert len(amazon.asked) == 1
    amazon.away = False
    now[0] = AWAY_S
    assert await admit(gate, "ses", webhooks.ses({}, SENT_S)) is None


async def test_that_there_is_no_such_certificate_is_remembered_for_a_minute(amazon):
    now = [0.0]
    certificates = Certificates("", amazon.fetch, lambda: now[0])
    url = "https://sns.eu-west-1.amazonaws.com/none.pem"
    assert [await certificates.get(url) for _ in range(3)] == [b"", b"", b""]
    assert amazon.asked == [url]
    now[0] = ABSENT_S
    assert await certificates.get(url) == b""
    assert amazon.asked == [url, url]


async def test_what_forgers_make_us_remember_is_bounded(amazon):
    certificates = Certificates("", amazon.fetch)
    await certificates.get(CERTIFICATE_URL)
    for number in range(3 * KEPT):
        await certificates.get(f"https://sns.eu-west-1.amazonaws.com/{number}.pem")
    asked = len(amazon.asked)
    assert len(certificates._absent) == KEPT
    assert await certificates.get(CERTIFICATE_URL) == CERTIFICATE
    assert len(amazon.asked) == asked


async def test_a_folder_of_certificates_needs_no_network(amazon, tmp_path):
    (tmp_path / CERTIFICATE_NAME).write_bytes(CERTIFICATE)
    amazon.away = True
    gate = Gate(Settings(sns_certificates=str(tmp_path)), amazon.fetch)
    assert await admit(gate, "ses", webhooks.ses({}, SENT_S)) is None
    assert amazon.asked == []


async def test_a_token_may_come_again_with_its_event_and_with_no_other(amazon):
    gate = Gate(Settings(), amazon.fetch)
    first = webhooks.mailgun({"event": "opened", "recipient": "ann@acme.com"}, SENT_S, token="t1")
    other = webhooks.mailgun({"event": "opened", "recipient": "eve@globex.com"}, SENT_S, token="t1")
    assert [await admit(gate, "mailgun", first) for _ in range(3)] == [None] * 3
    assert await admit(gate, "mailgun", other) is Refusal.REPLAY
    assert await admit(gate, "mailgun", first) is None


async def test_what_is_not_genuine_uses_up_no_token(amazon):
    gate = Gate(Settings(), amazon.fetch)
    forged = webhooks.mailgun({"event": "opened", "recipient": "eve@globex.com"}, SENT_S, "another key", token="t1")
    assert await admit(gate, "mailgun", forged) is Refusal.SIGNATURE
    assert await admit(gate, "mailgun", webhooks.mailgun({"event": "opened"}, SENT_S, token="t1")) is None


async def test_a_token_is_kept_at_least_as_long_as_its_signature_holds(amazon):
    gate = Gate(Settings(), amazon.fetch)
    ahead = SENT_S + 299  # the sender's clock is fast: the longest life that a signature can have
    assert await admit(gate, "mailgun", webhooks.mailgun({"n": 1}, ahead, token="t1")) is None
    again = webhooks.mailgun({"n": 2}, ahead, token="t1")
    assert await admit(gate, "mailgun", again, now=NOW + 598_000) is Refusal.REPLAY
    assert await admit(gate, "mailgun", again, now=NOW + 601_000) is Refusal.TIME


def test_tokens_are_forgotten_when_their_time_is_over_or_there_are_too_many():
    tokens = Tokens(kept=2)
    a, b, c, d = (Token(name, name.encode()) for name in "abcd")
    assert tokens.take("w", a, now_s=0, until_s=10)
    assert not tokens.take("w", a._replace(content=b"x"), now_s=10, until_s=20)
    assert tokens.take("other webhook", a._replace(content=b"x"), now_s=10, until_s=20)
    assert tokens.take("w", b, now_s=11, until_s=20)
    assert tokens.take("w", c, now_s=11, until_s=20)
    assert tokens.take("w", d, now_s=11, until_s=20)
    assert len(tokens._used) == 2


async def test_a_subscription_is_confirmed_or_to_be_asked_again(amazon):
    gate = Gate(Settings(), amazon.fetch)
    await gate.confirm(CERTIFICATE_URL)
    with pytest.raises(Retryable):
        await gate.confirm("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription")
