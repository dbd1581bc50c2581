"""PostHog's capture API."""

import json

import pytest

from schemas.rejections import RejectReason
from stream.collect.adapters.posthog import events_of
from tests.unit.collect.senders import RECEIVED_AT, SHOP, only, request


def batch(*items, path="/batch/", **envelope):
    return events_of(json.dumps({"api_key": "dev", "batch": list(items)} | envelope).encode(), request(path))


def item(event="Demo Requested", distinct_id="u1", **members):
    return {"event": event, "distinct_id": distinct_id, **members}


def whose(**members):
    event = only(batch(item(**members)))
    return event.visitor, event.user, event.node


def test_one_event_has_its_key_and_its_times_itself():
    sent = item(api_key="shop-key", timestamp="2026-01-02T03:04:00Z", sent_at="2026-01-02T03:04:05Z", uuid="e1")
    parsed = events_of(json.dumps(sent).encode(), request("/capture/", source=None))
    event = only(parsed)
    assert (parsed.source, event.tenant, event.id, event.at) == (SHOP, "shop-tenant", "e1", RECEIVED_AT - 5000)


def test_a_batchs_time_of_sending_corrects_the_clock():
    event = only(batch(item(timestamp="2026-01-02T03:04:00Z"), sent_at="2026-01-02T03:04:05Z"))
    assert (event.at, event.original_at) == (RECEIVED_AT - 5000, 1767323040000)


def test_the_key_of_the_body_counts_and_an_unknown_one_is_a_dead_letter():
    parsed = events_of(json.dumps({"api_key": "nope", "batch": [item()]}).encode(), request("/batch/", source=None))
    assert [refusal.reason for refusal in parsed.rejected] == [RejectReason.UNKNOWN_KEY]


def test_a_distinct_id_is_a_user_unless_something_says_that_it_is_nobodys_name():
    assert whose() == ("", "u1", "default/u:u1")
    assert whose(properties={"$process_person_profile": False}) == ("u1", "", "default/v:u1")
    assert whose(properties={"$is_identified": False}) == ("u1", "", "default/v:u1")
    assert whose(properties={"$is_identified": True}) == ("", "u1", "default/u:u1")
    assert whose(properties={"$device_id": "u1"}) == ("u1", "", "default/v:u1")
    assert whose(properties={"$device_id": "d1"}) == ("d1", "u1", "default/v:d1")
    assert whose(event="$identify", properties={"$anon_distinct_id": "v1"}) == ("v1", "u1", "default/v:v1")
    assert whose(distinct_id=None, properties={"$device_id": "d1"}) == ("d1", "", "default/v:d1")
    assert whose(distinct_id=None, properties={"distinct_id": "u1"}) == ("", "u1", "default/u:u1")


def test_the_address_is_that_of_set_then_of_set_once_then_a_distinct_id_that_is_one():
    def email(distinct_id="u1", **properties):
        return only(batch(item(distinct_id=distinct_id, properties=properties))).email

    assert email(**{"$set": {"email": "A@acme.com"}, "$set_once": {"email": "b@acme.com"}}) == "a@acme.com"
    assert email(**{"$set_once": {"email": "B@acme.com"}}) == "b@acme.com"
    assert email(distinct_id="C@acme.com") == "c@acme.com"


@pytest.mark.parametrize("event", ["$set_once", "$identify"])
def test_what_pythons_sdk_sets_once_lies_beside_the_properties(event):
    # ``posthog.set_once`` of posthog 7.9.
    found = only(batch(item(event, **{"$set_once": {"email": "Ann@acme.com"}})))
    assert (found.type, found.user, found.email) == ("identify", "u1", "ann@acme.com")
    assert json.loads(bytes(found.traits)) == {"email": "Ann@acme.com"}


def test_what_is_set_counts_before_what_is_set_once():
    found = only(batch(item("$identify", **{"$set": {"email": "a@acme.com"}, "$set_once": {"email": "b@acme.com"}})))
    assert found.email == "a@acme.com"


@pytest.mark.parametrize("properties", [{"alias": "u1"}, {"alias": "u1", "distinct_id": "anon"}])
def test_an_alias_says_who_it_was_before_as_every_event_does_or_among_its_properties(properties):
    # The first is PostHog's documented payload, the second what its SDKs send.
    found = only(batch(item("$create_alias", "anon", properties=properties)))
    assert (found.type, found.visitor, found.user, found.node) == ("alias", "anon", "u1", "default/v:anon")


def test_a_company_is_the_account_and_a_team_is_not():
    def group(**groups):
        return only(batch(item(properties={"$groups": groups}))).group

    assert (group(team="red", company="acme"), group(team="red"), group(organization=7)) == ("acme", "", "7")
    told = {"$group_type": "team", "$group_key": "red"}
    parsed = batch(item("$groupidentify", properties=told), item())
    assert (len(parsed.events), parsed.rejected, parsed.ignored) == (1, [], 1)


def test_a_group_said_by_a_device_is_the_persons_and_one_said_by_a_server_nobodys():
    told = {"$group_type": "company", "$group_key": "acme", "$group_set": {"name": "Acme", "email": "info@acme.com"}}
    event = only(batch(item("$groupidentify", "any", properties=told)))
    assert (event.node, event.visitor, event.user, event.email) == ("default/a:acme", "", "", "")
    event = only(batch(item("$groupidentify", properties=told | {"$device_id": "d1"})))
    assert (event.node, event.user, event.group, event.email) == ("default/v:d1", "u1", "acme", "")
    assert json.loads(bytes(event.traits))["name"] == "Acme"


def test_addresses_and_agents_are_looked_up_and_dropped():
    private = {"$ip": "198.51.100.1", "$raw_user_agent": "theirs", "seats": 7}
    event = only(batch(item(properties=private)))
    assert (event.city, event.browser) == ("198.51.100.1", "theirs")
    assert json.loads(bytes(event.properties)) == {"seats": 7}


def test_a_servers_connection_is_not_the_visitors():
    event = only(batch(item("$pageview", properties={"$lib": "posthog-python", "$referrer": "$direct"})))
    assert (event.type, event.platform, event.city, event.browser, event.referrer) == ("page", "web", "", "", "")
    assert only(batch(item(properties={"$lib": "posthog-ios"}))).platform == "app"


def test_what_nobody_did_is_only_counted():
    parsed = batch(item("$feature_flag_called"), item())
    assert (len(parsed.events), parsed.ignored) == (1, 1)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (item(event=None), RejectReason.MISSING_FIELD),
        (item(distinct_id=None), RejectReason.MISSING_FIELD),
        (item(distinct_id="[object Object]"), RejectReason.MISSING_FIELD),
        (item("$create_alias"), RejectReason.MISSING_FIELD),
        (item("$groupidentify", properties={"$group_type": "company"}), RejectReason.MISSING_FIELD),
        (item(timestamp="soon"), RejectReason.BAD_TIME),
        (item(properties={"x": "y" * 40_000}), RejectReason.TOO_LARGE),
        (7, RejectReason.MALFORMED),
    ],
)
def test_bad_events_are_refused_and_their_neighbours_kept(bad, reason):
    parsed = batch(bad, item(uuid="good"))
    assert [event.id for event in parsed.events] == ["good"]
    assert [refusal.reason for refusal in parsed.rejected] == [reason]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"batch":5}', b"\xff"])
def test_a_body_that_is_no_batch_is_a_fault(body):
    assert events_of(body, request("/batch/")).fault is not None


@pytest.mark.parametrize("body", [b"", b"[]", b'{"event":"E","distinct_id":"u","x":"' + b"y" * 40_000 + b'"}'])
def test_a_body_that_is_no_event_is_a_fault(body):
    assert events_of(body, request("/capture/")).fault is not None
