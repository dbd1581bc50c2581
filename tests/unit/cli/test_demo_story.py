"""The demo's story: the same for the same seed, all in the past, and with numbers that its own requests add up to."""

import json
from collections import Counter
from decimal import Decimal

import pytest

from stream.cli.demo_story import crm, wire
from stream.cli.demo_story.cast import DAY, DAYS
from stream.cli.demo_story.story import MAIL, Story, story

ENDS_AT = 1_795_219_200_000
"""2026-11-21T00:00:00Z."""


@pytest.fixture(scope="module")
def told() -> Story:
    return story(7, ENDS_AT)


def rows(told: Story, path: str) -> list[dict]:
    return [json.loads(line) for d in told.deliveries if d.path == path for line in d.body.splitlines()]


def web_events(told: Story) -> list[tuple[str, str, int | str]]:
    """(sender, id, time) of every web event as it is on the wire."""
    found: list[tuple[str, str, int | str]] = []
    for delivery in told.deliveries:
        if delivery.path == wire.TRACKER:
            found += [(e["visitor"], e["id"], e["at"]) for e in json.loads(delivery.body)["events"]]
        elif delivery.path == wire.SEGMENT:
            items = json.loads(delivery.body)["batch"]
            found += [(e.get("anonymousId", ""), e["messageId"], e.get("timestamp", "")) for e in items]
        elif delivery.path == wire.SNOWPLOW:
            found += [(e["duid"], e["eid"], int(e["dtm"])) for e in json.loads(delivery.body)["data"]]
    return found


def test_the_same_seed_tells_the_same_story(told):
    assert story(7, ENDS_AT) == told


def test_another_seed_tells_another_story(told):
    assert story(8, ENDS_AT).won_cents != told.won_cents


def test_told_on_another_day_it_has_the_same_visits_and_deals(told):
    later = story(7, ENDS_AT + 3 * DAY)
    assert (later.sent, later.kept, later.won_cents) == (told.sent, told.kept, told.won_cents)
    assert [d.at - 3 * DAY for d in later.deliveries] == [d.at for d in told.deliveries]


def test_everything_happens_within_the_story(told):
    times = [at for _, _, at in web_events(told) if isinstance(at, int)]
    times += [row["timestamp"] * 1000 for d in told.deliveries if d.path == MAIL for row in json.loads(d.body)]
    assert told.starts_at == ENDS_AT - DAYS * DAY
    assert told.starts_at < min(times)
    assert max(times) < ENDS_AT


def test_won_revenue_is_what_the_last_versions_of_the_deals_say(told):
    latest: dict[str, dict] = {}
    for row in sorted(rows(told, crm.OPPORTUNITIES), key=lambda row: row["updated_at"]):
        latest[row["id"]] = row
    won = [Decimal(row["amount"]) for row in latest.values() if row["stage"] == "Closed Won"]
    assert sum(won) * 100 == told.won_cents
    assert len(won) == told.won
    assert sum(row["stage"] == "Closed Lost" for row in latest.values()) == told.lost
    assert len(latest) == told.won + told.lost + told.open


def test_repetitions_and_rubbish_are_counted_right(told):
    web = Counter((sender, event) for sender, event, _ in web_events(told))
    others = [
        row
        for path in (crm.ACCOUNTS, crm.CONTACTS, crm.OPPORTUNITIES, crm.ACTIVITIES, crm.COSTS)
        for row in rows(told, path)
    ]
    mails = [row["sg_event_id"] for d in told.deliveries if d.path == MAIL for row in json.loads(d.body)]
    assert len(set(mails)) == len(mails)
    assert told.repeated == sum(web.values()) - len(web) > 0
    assert told.refused == 3
    assert told.kept == len(web) - 3 + len(mails) + len(others)


def test_no_request_says_when_it_was_sent(told):
    assert not any(b"sentAt" in d.body or b'"stm"' in d.body for d in told.deliveries)


def test_nobody_in_it_exists(told):
    addresses = {row["email"] for row in rows(told, crm.CONTACTS)}
    assert all(address.endswith(".example") for address in addresses)
    assert all(company.domain.endswith(".example") for company in told.companies)
