"""Segment's email events become ours: named, of the recipient, judged for machines."""

import json

import pytest

from stream.collect.adapters.segment import events_of
from stream.collect.request import Edge
from tests.unit.collect.senders import only, request

SENT = {
    "email_id": "m-1",
    "email_subject": "Spring",
    "campaign_id": "c-9",
    "campaign_name": "spring",
    "link_id": "l-1",
    "link_url": "https://www.example.com/pricing?utm_source=news",
}
ANN = {"traits": {"email": "Ann@Acme.com"}}


def mail(name, context=ANN, properties=SENT, **changes):
    item = {"type": "track", "event": name, "anonymousId": "random", "messageId": "1"}
    body = json.dumps({"batch": [item | {"context": context, "properties": properties}]}).encode()
    return only(events_of(body, request(**changes)))


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("Email Delivered", "delivered"),
        ("Email Opened", "opened"),
        ("Email Link Clicked", "clicked"),
        ("Email Bounced", "bounced"),
        ("Email Marked as Spam", "complained"),
        ("Unsubscribed", "unsubscribed"),
    ],
)
def test_each_has_its_name_and_enters_by_the_recipient(name, ours):
    event = mail(name)
    assert (event.type, event.name, event.platform) == ("email", ours, "server")
    assert (event.node, event.email, event.visitor) == ("default/e:ann@acme.com", "ann@acme.com", "")


def test_a_click_has_message_campaign_and_link_and_keeps_the_rest():
    event = mail("Email Link Clicked")
    assert event.url == SENT["link_url"]
    assert json.loads(bytes(event.properties)) == {
        "message_id": "m-1",
        "campaign": "spring",
        "url": SENT["link_url"],
        "reason": "",
        "useragent": "",
        "custom": {"email_subject": "Spring", "campaign_id": "c-9", "link_id": "l-1"},
    }


def test_a_campaign_without_a_name_is_known_by_its_id():
    event = mail("Email Opened", properties={"campaign_id": "c-9"})
    assert json.loads(bytes(event.properties))["campaign"] == "c-9"


def test_the_address_of_the_properties_is_whom_the_mail_went_to():
    assert mail("Email Opened", properties=SENT | {"recipient": "Bob@acme.com"}).node == "default/e:bob@acme.com"
    assert mail("Email Opened", {}, SENT | {"email": "Bob@acme.com"}).node == "default/e:bob@acme.com"


def test_a_user_without_an_address_is_a_recipient_too():
    body = {"type": "track", "event": "Email Opened", "userId": "u1", "anonymousId": "v", "properties": SENT}
    event = only(events_of(json.dumps({"batch": [body]}).encode(), request()))
    assert (event.type, event.node, event.user, event.email, event.visitor) == ("email", "default/u:u1", "u1", "", "")


def test_a_mail_of_nobody_stays_a_track_call():
    event = mail("Email Opened", {})
    assert (event.type, event.name, event.node) == ("track", "Email Opened", "default/v:random")
    assert json.loads(bytes(event.properties)) == SENT


def test_unsubscribed_without_a_word_of_mails_is_the_products_own_event():
    assert mail("Unsubscribed", properties={"plan": "pro"}).type == "track"
    assert mail("Unsubscribed", properties={"list_id": "l"}).type == "email"


def test_machines_are_marked_as_for_webhooks():
    def bot(name, agent):
        event = mail(name, ANN | {"userAgent": agent}, enrich=lambda _, a: Edge(bot="tool" if "curl" in a else ""))
        return event.bot, event.bot_reason

    assert bot("Email Opened", "Mozilla/5.0") == ("machine", "apple-mpp")
    assert bot("Email Link Clicked", "curl/8") == ("scanner", "")
    assert bot("Email Delivered", "curl/8") == ("", "")


def test_a_mail_event_lends_no_connection():
    event = mail("Email Link Clicked", ANN | {"direct": True, "library": {"name": "analytics.js"}})
    assert (event.city, event.browser, event.gpc) == ("", "", False)


def test_a_user_with_an_address_enters_by_the_user_whose_account_is_known():
    body = {"type": "track", "event": "Email Opened", "userId": "u1", "context": ANN, "properties": SENT}
    event = only(events_of(json.dumps({"batch": [body]}).encode(), request()))
    assert (event.node, event.user, event.email) == ("default/u:u1", "u1", "ann@acme.com")
