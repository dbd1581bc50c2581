"""Load for end-to-end tests: page views, sign-ins, forms and deals, as the SDKs send them."""

import json
import random
import time

FIRMS = 40
VISITORS = 300
START = 1_790_000_000
URLS = ("https://shop.example/pricing", "https://shop.example/?utm_source=x&utm_medium=cpc")


def moment(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def batch(name: str, size: int, chance: random.Random) -> bytes:
    """A Segment batch of ``size`` calls whose ids begin with ``name``; times are spread over forty days, in no order."""
    return json.dumps({"batch": [_call(f"{name}-{n}", n, chance) for n in range(size)]}).encode()


def _call(message_id: str, n: int, chance: random.Random) -> dict:
    visitor = chance.randrange(VISITORS)
    call = {
        "type": "page",
        "messageId": message_id,
        "anonymousId": f"v{visitor}",
        "timestamp": moment(START + chance.randrange(0, 40 * 86400, 600)),
        "context": {"page": {"url": chance.choice(URLS)}},
    }
    if n % 10 == 0:
        call |= {
            "type": "identify",
            "userId": f"u{visitor}",
            "traits": {"email": f"p{visitor}@firm{visitor % FIRMS}.com"},
        }
    if n % 17 == 0:
        call |= {"type": "track", "event": "Demo Requested"}
    return call


def deal(number: int) -> bytes:
    """One version of one of sixty opportunities, walking through the stages."""
    stage = ["open", "proposal", "won", "lost"][number % 4]
    row = {"id": f"O{number % 60}", "account_id": f"F{number % FIRMS}", "stage": stage, "amount": "1234.56"}
    return json.dumps([row | {"currency": "EUR", "updated_at": moment(START + number * 86400 // 4)}]).encode()


def accounts() -> bytes:
    """The forty firms, each with its domain."""
    rows = [{"id": f"F{n}", "name": f"Firm {n}", "domain": f"firm{n}.com"} for n in range(FIRMS)]
    return json.dumps([row | {"updated_at": "2026-01-01T00:00:00Z"} for row in rows]).encode()
