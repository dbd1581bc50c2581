"""HubSpot's changes as versions of our CRM objects, and what a stage makes of them."""

from typing import Any

import msgspec
import pytest

from schemas.event import Event
from schemas.rejections import RejectReason
from stream.collect.webhooks import hubspot
from stream.settings import Webhook
from tests.support.stitch import Stage
from tests.support.webhooks import AT_MS, SENDERS
from tests.unit.collect_edge.deliveries import SENT_S, only, parsed, read, verdict
from tests.unit.collect_edge.requests import properties, request

HOOK = SENDERS["hubspot"].webhook


def change(kind: str, number: int, name: str, value: object, at: int = AT_MS, **more: Any) -> dict[str, Any]:
    base = {"eventId": 1, "occurredAt": at, "subscriptionType": f"{kind}.propertyChange", "objectId": number}
    return base | {"propertyName": name, "propertyValue": value} | more


def happened(what: str, number: int, at: int = AT_MS, **more: Any) -> dict[str, Any]:
    return {"eventId": 1, "occurredAt": at, "subscriptionType": what, "objectId": number} | more


def association(what: str, start: int, end: int, at: int = AT_MS, **more: Any) -> dict[str, Any]:
    subject = what.partition("_")[0].lower()
    base = {"eventId": 1, "occurredAt": at, "subscriptionType": f"{subject}.associationChange", "associationType": what}
    return (
        base
        | {"fromObjectId": start, "toObjectId": end, "associationRemoved": False, "isPrimaryAssociation": True}
        | more
    )


def removed(what: str, start: int, end: int, at: int = AT_MS) -> dict[str, Any]:
    return association(what, start, end, at, associationRemoved=True)


def merge(kind: str, primary: int, *merged: int, heir: int | None, at: int = AT_MS) -> dict[str, Any]:
    ids = {"primaryObjectId": primary, "mergedObjectIds": list(merged), "newObjectId": heir}
    return {"eventId": 1, "occurredAt": at, "subscriptionType": f"{kind}.merge", "numberOfPropertiesMoved": 3} | ids


def said(event: Event) -> tuple[str, str, str, object]:
    return event.type, event.node, event.group, properties(event)


@pytest.mark.parametrize(
    ("payload", "type_", "node", "expected"),
    [
        (happened("company.creation", 5), "crm.account", "a:5", {}),
        (change("company", 5, "name", "Acme"), "crm.account", "a:5", {"name": "Acme"}),
        (change("company", 5, "domain", " Acme.com"), "crm.account", "a:5", {"domains": ["acme.com"]}),
        (change("company", 5, "domain", "https://www.acme.com/en"), "crm.account", "a:5", {"domains": ["acme.com"]}),
        (change("company", 5, "domain", ""), "crm.account", "a:5", {"domains": []}),
        (change("company", 5, "lifecyclestage", "customer"), "crm.account", "a:5", {"stage": "customer"}),
        (change("company", 5, "hs_parent_company_id", "4"), "crm.account", "a:5", {"parent_id": "4"}),
        (change("company", 5, "industry", "Steel"), "crm.account", "a:5", {"custom": {"industry": "Steel"}}),
        (happened("deal.creation", 9), "crm.opportunity", "o:9", {}),
        (happened("deal.deletion", 9), "crm.opportunity", "o:9", {"deleted": True}),
        (happened("deal.restore", 9), "crm.opportunity", "o:9", {"deleted": False}),
        (change("deal", 9, "dealstage", "closedwon"), "crm.opportunity", "o:9", {"stage": "won"}),
        (change("deal", 9, "dealstage", "qualifiedtobuy"), "crm.opportunity", "o:9", {"stage": "qualifiedtobuy"}),
        (change("deal", 9, "amount", "1500.5"), "crm.opportunity", "o:9", {"amount": "1500.5"}),
        (change("deal", 9, "deal_currency_code", "eur"), "crm.opportunity", "o:9", {"currency": "EUR"}),
        (change("deal", 9, "closedate", str(AT_MS)), "crm.opportunity", "o:9", {"closed_at": AT_MS}),
        (change("deal", 9, "closedate", ""), "crm.opportunity", "o:9", {}),
        (happened("contact.creation", 7), "crm.contact", "u:hubspot:7", {}),
        (change("contact", 7, "email", "Ann@acme.com"), "crm.contact", "u:hubspot:7", {"email": "ann@acme.com"}),
        (change("contact", 7, "email", ""), "crm.contact", "u:hubspot:7", {}),
        (change("contact", 7, "associatedcompanyid", "5"), "crm.contact", "u:hubspot:7", {"account_id": "5"}),
        (change("contact", 7, "jobtitle", "CTO"), "crm.contact", "u:hubspot:7", {"title": "CTO"}),
        (association("DEAL_TO_COMPANY", 9, 5), "crm.opportunity", "o:9", {"account_id": "5"}),
        (association("COMPANY_TO_DEAL", 5, 9), "crm.opportunity", "o:9", {"account_id": "5"}),
        (removed("DEAL_TO_COMPANY", 9, 5), "crm.opportunity", "o:9", {"left_account_id": "5"}),
        (association("CONTACT_TO_COMPANY", 7, 5), "crm.contact", "u:hubspot:7", {"account_id": "5"}),
        (association("COMPANY_TO_CONTACT", 5, 7), "crm.contact", "u:hubspot:7", {"account_id": "5"}),
        (removed("CONTACT_TO_COMPANY", 7, 5), "crm.contact", "u:hubspot:7", {"left_account_id": "5"}),
        (association("DEAL_TO_CONTACT", 9, 7), "crm.opportunity", "o:9", {"contact_user": "hubspot:7"}),
        (association("CONTACT_TO_DEAL", 7, 9), "crm.opportunity", "o:9", {"contact_user": "hubspot:7"}),
        (removed("DEAL_TO_CONTACT", 9, 7), "crm.opportunity", "o:9", {"left_contact_user": "hubspot:7"}),
        (happened("company.deletion", 5), "crm.account", "a:5", {"deleted": True}),
        (happened("company.restore", 5), "crm.account", "a:5", {"deleted": False}),
        (happened("contact.deletion", 7), "crm.contact", "u:hubspot:7", {"deleted": True}),
        (happened("contact.restore", 7), "crm.contact", "u:hubspot:7", {"deleted": False}),
        (happened("contact.privacyDeletion", 7), "crm.contact", "u:hubspot:7", {"erased": True}),
    ],
)
def test_a_change_is_a_version_that_says_only_what_changed(payload, type_, node, expected):
    event = only("hubspot", payload)
    number = {"a": "5", "o": "9", "u": "7", "e": "7"}[node[0]]
    assert (event.type, event.node, event.at, event.protocol) == (type_, f"acme/{node}", AT_MS, "hubspot")
    assert properties(event) == {"id": number} | expected


@pytest.mark.parametrize(
    ("old", "kind"), [(change("deal", 9, "dealname", "Big"), "0-3"), (change("company", 5, "name", "Acme"), "0-2"),
                      (change("contact", 7, "email", "ann@acme.com"), "0-1")],
)  # fmt: skip
def test_the_new_generic_subscriptions_say_the_same(old, kind):
    new = old | {"subscriptionType": "object.propertyChange", "objectTypeId": kind, "eventId": 2}
    assert only("hubspot", new) == only("hubspot", old)


def test_an_association_is_the_same_seen_from_both_ends_and_in_both_formats():
    old = association("DEAL_TO_COMPANY", 9, 5)
    new = old | {"subscriptionType": "object.associationChange", "fromObjectTypeId": "0-3", "toObjectTypeId": "0-2"}
    del new["associationType"]
    assert only("hubspot", old) == only("hubspot", new) == only("hubspot", association("COMPANY_TO_DEAL", 5, 9))


def test_a_company_beside_the_primary_one_changes_nothing():
    found = parsed("hubspot", [association("DEAL_TO_COMPANY", 9, 5, isPrimaryAssociation=False)])
    assert (found.events, found.rejected, found.ignored) == ([], [], 1)


def test_an_association_that_does_not_say_whether_it_is_the_primary_one_counts():
    payload = association("CONTACT_TO_COMPANY", 7, 5)
    del payload["isPrimaryAssociation"]
    assert properties(only("hubspot", payload)) == {"id": "7", "account_id": "5"}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (
            merge("company", 5, 6, heir=77),
            [("crm.account", "acme/a:5", {"id": "5", "merged_into": "77"}),
             ("crm.account", "acme/a:6", {"id": "6", "merged_into": "77"})],
        ),
        # As HubSpot merged contacts and companies until 2025: the primary one goes on.
        (merge("company", 5, 6, heir=5), [("crm.account", "acme/a:6", {"id": "6", "merged_into": "5"})]),
        (merge("company", 5, 5, 6, heir=None), [("crm.account", "acme/a:6", {"id": "6", "merged_into": "5"})]),
        (
            merge("deal", 9, 8, heir=12),
            [("crm.opportunity", "acme/o:9", {"id": "9", "deleted": True, "merged_into": "12"}),
             ("crm.opportunity", "acme/o:8", {"id": "8", "deleted": True, "merged_into": "12"})],
        ),
        (
            merge("contact", 7, 8, heir=11),
            [("crm.contact", "acme/u:hubspot:7", {"id": "7", "merged_into": "hubspot:11", "leads": True}),
             ("crm.contact", "acme/u:hubspot:8", {"id": "8", "merged_into": "hubspot:11", "leads": False})],
        ),
    ],
)  # fmt: skip
def test_a_merge_is_said_of_each_object_that_went_into_another(payload, expected):
    found = parsed("hubspot", payload)
    assert (found.rejected, [(e.type, e.node, properties(e)) for e in found.events]) == ([], expected)
    subject = {"company": "0-2", "deal": "0-3", "contact": "0-1"}[payload["subscriptionType"].partition(".")[0]]
    generic = payload | {"subscriptionType": "object.merge", "objectTypeId": subject}
    assert parsed("hubspot", generic).events == found.events


DOCUMENTED: list[dict[str, Any]] = [
    # In the shape of HubSpot's guides for webhooks, old and generic subscriptions, with every field that they list.
    {
        "eventId": 1, "subscriptionId": 12345, "portalId": 62515, "occurredAt": AT_MS, "subscriptionType": "contact.creation",
        "attemptNumber": 0, "objectId": 123, "changeSource": "CRM", "changeFlag": "NEW", "appId": 54321,
    },
    {
        "eventId": 3829, "subscriptionId": 25, "portalId": 33, "appId": 1160452, "occurredAt": AT_MS,
        "subscriptionType": "object.associationChange", "attemptNumber": 0, "changeSource": "USER",
        "associationType": "CONTACT_TO_COMPANY", "fromObjectId": 123, "toObjectId": 456, "fromObjectTypeId": "0-1",
        "toObjectTypeId": "0-2", "associationTypeId": 1, "associationCategory": "HUBSPOT_DEFINED",
        "associationRemoved": False, "isPrimaryAssociation": True, "sourceId": "userId:882761034",
    },
    {
        "eventId": 3830, "subscriptionId": 26, "portalId": 33, "appId": 1160452, "occurredAt": AT_MS + 1,
        "subscriptionType": "company.merge", "attemptNumber": 0, "changeSource": "CRM_UI", "primaryObjectId": 456,
        "mergedObjectIds": [457], "newObjectId": 999, "numberOfPropertiesMoved": 47,
    },
    {
        "eventId": 3831, "subscriptionId": 27, "portalId": 33, "appId": 1160452, "occurredAt": AT_MS + 2,
        "subscriptionType": "contact.privacyDeletion", "attemptNumber": 0, "objectId": 123, "changeFlag": "DELETED",
        "changeSource": "CRM_UI",
    },
]  # fmt: skip


def test_a_signed_delivery_of_documented_payloads_is_genuine_and_read_to_its_end():
    signed = SENDERS["hubspot"].sign(DOCUMENTED, SENT_S)
    assert verdict("hubspot", signed) is None
    found = read("hubspot", signed.body, signed.headers)
    assert (found.rejected, [(e.type, e.node) for e in found.events]) == (
        [],
        [
            ("crm.contact", "acme/u:hubspot:123"), ("crm.contact", "acme/u:hubspot:123"),
            ("crm.account", "acme/a:456"), ("crm.account", "acme/a:457"), ("crm.contact", "acme/u:hubspot:123"),
        ],
    )  # fmt: skip
    spoiled = signed._replace(body=signed.body.replace(b"999", b"998"))
    assert verdict("hubspot", spoiled) == "bad_signature"


def test_a_privacy_deletion_stores_the_contacts_number_and_nothing_else_of_it():
    event = only("hubspot", happened("contact.privacyDeletion", 7, email="ann@acme.com", propertyValue="Ann"))
    assert b"ann" not in msgspec.json.encode(event).lower()
    assert (event.user, event.email, event.traits) == ("hubspot:7", "", msgspec.UNSET)


@pytest.mark.parametrize(("value", "name"), [("true", "unsubscribed"), ("false", "subscribed"), ("", "subscribed")])
@pytest.mark.parametrize("about", ["hs_email_optout", "hs_email_optout_8812"])
def test_an_opt_out_is_an_email_event_of_the_contact(value, name, about):
    event = only("hubspot", change("contact", 7, about, value))
    assert (event.type, event.name, event.node, event.user) == ("email", name, "acme/u:hubspot:7", "hubspot:7")
    assert properties(event)["reason"] == about


@pytest.mark.parametrize("about", ["hs_email_optout_survey_reason", "hs_email_optout_", "hs_email_optout_8812_x"])
def test_what_is_only_about_an_opt_out_is_a_property_and_nobody_comes_back_by_it(about):
    event = only("hubspot", change("contact", 7, about, "NEVER_SIGNED_UP"))
    assert (event.type, event.node) == ("crm.contact", "acme/u:hubspot:7")
    assert properties(event) == {"id": "7", "custom": {about: "NEVER_SIGNED_UP"}}


@pytest.mark.parametrize(("value", "name"), [(True, "unsubscribed"), (False, "subscribed"), (None, "subscribed")])
def test_an_opt_out_that_is_no_text_means_the_same(value, name):
    assert only("hubspot", change("contact", 7, "hs_email_optout", value)).name == name


def test_own_stages_and_the_only_currency_are_configured():
    hook = Webhook(
        "hubspot", "main", "k", "acme", url=HOOK.url, currency="eur", stages={"11": "Closed Won", "12": "demo"}
    )
    assert properties(only("hubspot", change("deal", 9, "dealstage", "11"), hook))["stage"] == "won"
    assert properties(only("hubspot", change("deal", 9, "dealstage", "12"), hook))["stage"] == "demo"
    assert properties(only("hubspot", change("deal", 9, "amount", "5"), hook)) == {
        "id": "9",
        "amount": "5",
        "currency": "EUR",
    }


@pytest.mark.parametrize(
    ("payload", "reason", "detail"),
    [
        (happened("deal.privacyDeletion", 9), RejectReason.UNSUPPORTED, "subscriptionType"),
        (happened("contact.merge", 7), RejectReason.MISSING_FIELD, "newObjectId and mergedObjectIds"),
        (merge("contact", 7, 7, heir=7), RejectReason.MISSING_FIELD, "newObjectId and mergedObjectIds"),
        (merge("ticket", 7, 8, heir=9), RejectReason.UNSUPPORTED, "subscriptionType"),
        (happened("ticket.creation", 7), RejectReason.UNSUPPORTED, "subscriptionType"),
        (change("contact", 7, "", "x"), RejectReason.UNSUPPORTED, "subscriptionType"),
        (association("DEAL_TO_TICKET", 9, 7), RejectReason.UNSUPPORTED, "associationType"),
        (association("DEAL_TO_LINE_ITEM", 9, 7), RejectReason.UNSUPPORTED, "associationType"),
        (association("DEAL_TO_CONTACT", 9, 0), RejectReason.MISSING_FIELD, "fromObjectId and toObjectId"),
        (happened("deal.creation", 0), RejectReason.MISSING_FIELD, "objectId"),
        (happened("deal.creation", 9, at=None), RejectReason.BAD_TIME, "occurredAt"),  # type: ignore[arg-type]
        (happened("deal.creation", 9, at=5), RejectReason.BAD_TIME, "occurredAt"),
        (change("deal", 9, "amount", "a lot"), RejectReason.BAD_VALUE, "amount"),
        (change("deal", 9, "closedate", "soon"), RejectReason.BAD_TIME, "propertyValue"),
        (change("company", 5, "domain", "Acme"), RejectReason.BAD_VALUE, "propertyValue"),
    ],
)
def test_what_says_nothing_that_we_can_use_is_refused(payload, reason, detail):
    (refusal,) = parsed("hubspot", payload).rejected
    assert (refusal.reason, refusal.detail) == (reason, detail)


def test_repeats_of_a_change_are_one_event():
    first = change("deal", 9, "dealstage", "closedwon", attemptNumber=0)
    assert only("hubspot", first) == only("hubspot", first | {"attemptNumber": 3, "eventId": 77, "subscriptionId": 8})


@pytest.mark.parametrize("name", ["dealstage", "hs_email_optout"])
def test_a_repeat_is_the_same_event_also_while_hubspots_clock_is_ahead_of_ours(name):
    """Nothing is dated later than its receipt, so the two have different times."""
    signed = SENDERS["hubspot"].sign(change("deal" if name == "dealstage" else "contact", 9, name, "true"), SENT_S)
    first, again = (
        hubspot.events_of(signed.body, request(webhook=HOOK, received_at=received_at)).events[0]
        for received_at in (AT_MS - 3000, AT_MS + 60_000)
    )
    assert (first.at, again.at) == (AT_MS - 3000, AT_MS)
    assert first.id == again.id


STORY = [
    happened("company.creation", 5, AT_MS - 9000),
    change("company", 5, "domain", "acme.com", AT_MS - 9000),
    happened("deal.creation", 9, AT_MS - 5000),
    association("DEAL_TO_COMPANY", 9, 5, AT_MS - 4000),
    change("deal", 9, "amount", "1500", AT_MS - 4000),
    change("deal", 9, "deal_currency_code", "EUR", AT_MS - 3900),
    change("deal", 9, "dealstage", "closedwon", AT_MS - 1000),
    change("contact", 7, "hs_email_optout", "true", AT_MS - 2000),
    change("contact", 7, "email", "ann@acme.com", AT_MS - 500),
]


@pytest.mark.parametrize("number", range(1, 9))
def test_a_deal_that_is_entered_or_closed_late_in_one_go_has_the_days_that_were_entered(number):
    """All that is saved together is of one moment, each property in a change of its own."""
    day = 86_400_000
    saved = [
        happened("deal.creation", number), association("DEAL_TO_COMPANY", number, 5),
        change("deal", number, "createdate", str(AT_MS - 30 * day)), change("deal", number, "dealstage", "closedwon"),
        change("deal", number, "closedate", str(AT_MS - 7 * day)),
    ]  # fmt: skip
    stage = Stage()
    stage.put([only("hubspot", payload) for payload in saved])
    told = stage.run().conversions["acme/a:5"].values()
    assert {c.stage: c.at for c in told} == {"open": AT_MS - 30 * day, "won": AT_MS - 7 * day}


@pytest.mark.parametrize("gone", [merge("deal", 9, heir=10, at=AT_MS), happened("deal.deletion", 9)])
@pytest.mark.parametrize("later_ms", [0, 1000])
@pytest.mark.parametrize("contact", range(1, 5))
def test_a_deal_that_is_gone_stays_so_whatever_is_said_of_its_links(gone, later_ms, contact):
    links = removed("DEAL_TO_CONTACT", 9, contact, AT_MS + later_ms)
    stage = Stage()
    stage.put([only("hubspot", payload) for payload in (*STORY[:7], gone, links)])
    assert not any(stage.run().conversions.values())


@pytest.mark.parametrize("order", [STORY, STORY[::-1], STORY[4:] + STORY[:4] + STORY])
def test_pieces_in_any_order_and_repeated_make_a_won_deal_and_an_unsubscribe_of_ann(order):
    stage = Stage()
    for payload in order:
        stage.put([only("hubspot", payload)])
    stage.run()
    (won,) = [c for c in stage.conversions["acme/a:5"].values() if c.stage == "won"]
    assert (won.amount, won.currency, won.at, won.opportunity) == (150_000, "EUR", AT_MS - 1000, "9")
    (touch,) = stage.touches["acme/a:5"].values()
    assert (touch.type, touch.person, touch.at) == ("email_unsubscribe", "acme/e:ann@acme.com", AT_MS - 2000)
