"""CRM objects and costs: from rows of any origin to canonical events."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rejections import RejectReason
from stream.collect.adapters import cost, crm, fx
from stream.collect.request import Parsed
from tests.unit.collect_edge.requests import DEV, NOW, properties, relaxed, request

UPDATED = "2026-01-01T10:00:00Z"
UPDATED_MS = 1_767_261_600_000
OPPORTUNITY = {
    "id": "o1", "account_id": "acme", "name": "Platform", "stage": "Closed Won", "amount": 1999.9, "currency": "eur",
    "contact_emails": ["Ann@acme.com", "ann@acme.com"], "created_at": "2025-12-01", "closed_at": "2026-03-31T00:00:00Z",
    "updated_at": UPDATED, "region": "DACH",
}  # fmt: skip


def parsed(objects: str, *rows: Any, received_at: int = NOW) -> Parsed:
    return crm.events_of(json.dumps(rows).encode(), request(f"/v1/crm/{objects}", source=DEV, received_at=received_at))


def test_an_opportunity_enters_by_itself_with_its_fields_in_normal_form() -> None:
    (event,) = parsed("opportunities", OPPORTUNITY).events
    assert (event.type, event.node, event.at, event.group) == ("crm.opportunity", "default/o:o1", UPDATED_MS, "acme")
    assert (event.platform, event.protocol, event.source) == ("server", "crm", "website")
    assert properties(event) == {
        "id": "o1", "account_id": "acme", "name": "Platform", "stage": "won", "amount": "1999.9", "currency": "EUR",
        "contact_emails": ["ann@acme.com"], "created_at": 1_764_547_200_000, "closed_at": 1_774_915_200_000,
        "custom": {"region": "DACH"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("spelling", "stage"),
    [("Closed Won", "won"), ("closedwon", "won"), ("CLOSED_LOST", "lost"), ("Closed-Lost", "lost"), ("Won", "won"),
     ("Proposal/Price  Quote", "proposal/price quote"), ("Wonder", "wonder"), ("", "")],
)  # fmt: skip
def test_every_spelling_of_won_and_lost_is_one_stage(spelling: str, stage: str) -> None:
    (event,) = parsed("opportunities", {"id": "o1", "stage": spelling}).events
    assert properties(event)["stage"] == stage


def test_a_history_is_in_normal_form() -> None:
    told = [{"stage": "Closed Won", "at": UPDATED}, {"stage": " Demo ", "at": 1_767_000_000, "by": "kim"}]
    (event,) = parsed("opportunities", {"id": "o1", "stages": told, "deleted": False}).events
    assert properties(event) == {
        "id": "o1",
        "stages": [{"stage": "won", "at": UPDATED_MS}, {"stage": "demo", "at": 1_767_000_000_000}],
        "deleted": False,
    }
    (event,) = parsed("opportunities", {"id": "o1", "stages": None}).events
    assert properties(event)["stages"] == []


@pytest.mark.parametrize(
    ("given", "at"),
    # 2026-01-01 is 1,767,225,600 s; a day alone is its last millisecond.
    [
        ("2026-01-01", 1_767_311_999_999),
        ("20260101", 1_767_311_999_999),
        ("2026-01-01T00:00:00Z", 1_767_225_600_000),
        (1_767_225_600, 1_767_225_600_000),
    ],
)
def test_a_closing_day_is_its_end(given: object, at: int) -> None:
    (event,) = parsed("opportunities", {"id": "o1", "closed_at": given}).events
    assert properties(event)["closed_at"] == at


def test_what_a_row_does_not_say_is_not_in_its_properties() -> None:
    (event,) = parsed("opportunities", {"id": "o1", "updated_at": UPDATED}).events
    assert properties(event) == {"id": "o1"}
    (event,) = parsed("opportunities", {"id": "o1", "account_id": None, "contact_emails": None}).events
    assert properties(event) == {"id": "o1", "account_id": "", "contact_emails": []}


def test_contacts_by_their_ids_are_the_users_that_stand_for_them() -> None:
    row = {"id": "o1", "contact_ids": ["c1", 7, "hubspot:7", "c1", "null", ""]}
    assert properties(parsed("opportunities", row).events[0]) == {
        "id": "o1",
        "contact_users": ["contact:c1", "contact:7", "hubspot:7"],
    }
    for nobody in (None, "", []):
        assert properties(parsed("opportunities", {"id": "o1", "contact_ids": nobody}).events[0])["contact_users"] == []
    (event,) = parsed("activities", {"id": "t1", "type": "call", "contact_id": "c1"}).events
    assert (event.node, event.email, event.user, event.group) == ("default/m:t1", "", "", "")
    assert properties(event) == {"id": "t1", "type": "call", "contact_user": "contact:c1"}
    row = {"id": "t1", "type": "call", "contact_id": "", "account_id": "acme"}
    assert properties(parsed("activities", row).events[0])["contact_user"] == ""


@pytest.mark.parametrize(
    "given",
    [
        "Ann@acme.com;bob@acme.com",
        "ann@acme.com, bob@acme.com",
        "ann@acme.com bob@acme.com;",
        ["ann@acme.com;bob@acme.com"],
    ],
)
def test_contact_emails_may_be_one_text(given: object) -> None:
    found = parsed("opportunities", {"id": "o1", "contact_emails": given})
    assert properties(found.events[0])["contact_emails"] == ["ann@acme.com", "bob@acme.com"]
    assert (found.noted, found.rejected) == ([], [])


@pytest.mark.parametrize(
    ("given", "users"),
    [
        ("c1;c2", ["contact:c1", "contact:c2"]),
        ("7, hubspot:8", ["contact:7", "hubspot:8"]),
        ("c1;", ["contact:c1"]),
        ("c1", ["contact:c1"]),
        # No list: nobody separates ids by blanks.
        ("Ann Lee", ["contact:Ann Lee"]),
        # Of a list each is one id, as it is.
        (["Lee, Ann", "c1;c2"], ["contact:Lee, Ann", "contact:c1;c2"]),
    ],
)
def test_contact_ids_may_be_one_text(given: object, users: list[str]) -> None:
    found = parsed("opportunities", {"id": "o1", "contact_ids": given})
    assert properties(found.events[0])["contact_users"] == users
    assert (found.noted, found.rejected) == ([], [])


@pytest.mark.parametrize(
    ("field", "given", "ours", "taken"),
    [
        ("contact_emails", "Ann Lee", "contact_emails", None),
        ("contact_emails", "ann@acme.com; bob", "contact_emails", ["ann@acme.com"]),
        ("contact_emails", ["ann@acme.com", "bob", 7], "contact_emails", ["ann@acme.com"]),
        ("contact_emails", {"email": "ann@acme.com"}, "contact_emails", None),
        # May be one id or two.
        ("contact_ids", "Lee, Ann", "contact_users", None),
        ("contact_ids", "c1; Ann", "contact_users", None),
        ("contact_ids", ["c1", {"id": "c2"}, True], "contact_users", ["contact:c1"]),
        ("contact_ids", "x" * 257, "contact_users", None),
    ],
)
def test_what_is_no_contact_is_noted_and_the_deal_is_taken(
    field: str, given: object, ours: str, taken: list[str] | None
) -> None:
    row = {"id": "o1", field: given}
    found = parsed("opportunities", row)
    assert properties(found.events[0]).get(ours) == taken
    assert [(note.reason, note.detail, json.loads(note.body)) for note in found.noted] == [
        (RejectReason.BAD_VALUE, field, row)
    ]


def test_a_note_names_both_lists_of_contacts() -> None:
    found = parsed("opportunities", {"id": "o1", "contact_emails": "Ann", "contact_ids": "Lee, Ann"})
    assert [note.detail for note in found.noted] == ["contact_emails and contact_ids"]


@pytest.mark.parametrize(
    ("objects", "field", "one"),
    [
        ("accounts", "domains", "acme.com"),
        ("opportunities", "contact_emails", "a@b.co"),
        ("opportunities", "contact_ids", "c1"),
    ],
)
def test_a_text_holds_no_more_than_a_list(objects: str, field: str, one: str) -> None:
    assert not parsed(objects, {"id": "x", field: ";".join([one] * 200)}).rejected
    (refused,) = parsed(objects, {"id": "x", field: ";".join([one] * 201)}).rejected
    assert (refused.reason, refused.detail) == (RejectReason.BAD_VALUE, field)


@pytest.mark.parametrize(
    "type_", ["meeting", "call", "email_reply", "event", "webinar", "conference", "tradeshow", "task"]
)
def test_an_activity_has_one_of_these_types(type_: str) -> None:
    (event,) = parsed("activities", {"id": "t1", "type": type_, "account_id": "acme"}).events
    assert event.name == type_


def test_an_account_has_all_its_domains_once() -> None:
    row = {"id": 42, "name": " Acme ", "domain": "Acme.com", "domains": ["acme.com", "acme.io."], "parent_id": "p",
           "owner": "kim", "stage": "Customer", "updated_at": UPDATED}  # fmt: skip
    (event,) = parsed("accounts", row).events
    assert (event.type, event.node, event.group, event.at) == ("crm.account", "default/a:42", "42", UPDATED_MS)
    assert properties(event) == {
        "id": "42", "name": "Acme", "domains": ["acme.com", "acme.io"], "parent_id": "p", "owner": "kim",
        "stage": "customer",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "hosts"),
    [("https://www.done.com", ["done.com"]), ("https://www.sfacme.com/en", ["sfacme.com"]), ("dtwo.com/", ["dtwo.com"]),
     ("dfive.com/about", ["dfive.com"]), ("www.x.com", ["x.com"]), ("HTTP://Six.com:8080/?a#b", ["six.com"]),
     ("//seven.com", ["seven.com"]), ("a.com;b.com", ["a.com", "b.com"]), ("a.com, b.com", ["a.com", "b.com"]),
     ("a.com b.com\nwww.a.com", ["a.com", "b.com"]), ("eu.acme.co.uk", ["eu.acme.co.uk"]), ("www.co", ["www.co"]),
     ("https://www.b\u00fccher.de/", ["xn--bcher-kva.de"]), ("https://www.linkedin.com/", ["linkedin.com"]),
     (None, []), (" ; ", [])],
)  # fmt: skip
@pytest.mark.parametrize("field", ["domain", "domains"])
def test_domains_are_bare_hosts_however_they_were_typed(field: str, given: str | None, hosts: list[str]) -> None:
    found = parsed("accounts", {"id": "a", field: given})
    assert (properties(found.events[0])["domains"], found.noted, found.rejected) == (hosts, [], [])


@pytest.mark.parametrize(
    "given",
    ["Acme", "n/a", "n.a.", "-", "192.168.0.1", "info@acme.com", "https://", "linkedin.com/company/acme", "a..com",
     f"{'a' * 64}.com", 7, True, {"host": "acme.com"}],
)  # fmt: skip
def test_what_is_no_domain_is_noted_and_the_account_is_taken(given: object) -> None:
    row = {"id": "a", "name": "Acme", "domain": given}
    found = parsed("accounts", {"id": "b"}, row)
    # It is not "there is none", which would take the account off a domain that it has.
    assert [properties(event) for event in found.events] == [{"id": "b"}, {"id": "a", "name": "Acme"}]
    assert [(note.reason, note.detail, json.loads(note.body)) for note in found.noted] == [
        (RejectReason.BAD_VALUE, "domain", row)
    ]
    assert found.rejected == []


def test_a_domain_among_things_that_are_none_counts() -> None:
    found = parsed("accounts", {"id": "a", "domain": "acme.com (old)", "domains": ["acme.io", 7]})
    assert properties(found.events[0])["domains"] == ["acme.com", "acme.io"]
    assert [note.detail for note in found.noted] == ["domain and domains"]


@pytest.mark.parametrize(
    ("given", "emails", "noted"),
    [
        ("Ann@acme.com; bob@acme.com,eve@acme.com ann@acme.com", ["ann@acme.com", "bob@acme.com", "eve@acme.com"], []),
        (["ann@acme.com", "Bob Burns", "", None], ["ann@acme.com"], ["contact_emails"]),
        (["n/a"], None, ["contact_emails"]),
        (7, None, ["contact_emails"]),
        ("", [], []),
        ([], [], []),
        (None, [], []),
    ],
)
def test_a_deals_addresses_may_be_one_text_and_what_is_none_is_noted(
    given: object, emails: list[str] | None, noted: list[str]
) -> None:
    found = parsed("opportunities", {"id": "o", "contact_emails": given})
    assert [properties(event).get("contact_emails") for event in found.events] == [emails]
    assert ([note.detail for note in found.noted], found.rejected) == (noted, [])


def test_an_account_that_is_gone_says_so_as_hubspots_webhooks_do() -> None:
    row = {"id": "b", "merged_into": 7, "deleted": "TRUE"}
    assert properties(parsed("accounts", row).events[0]) == {"id": "b", "merged_into": "7", "deleted": True}
    row = {"id": "b", "merged_into": "", "deleted": False}
    assert properties(parsed("accounts", row).events[0]) == {"id": "b", "deleted": False}
    assert properties(parsed("accounts", {"id": "b", "deleted": None}).events[0]) == {"id": "b"}


def test_a_contact_enters_by_its_id() -> None:
    row = {"id": "c1", "email": "Ann@Acme.com", "account_id": "acme", "user_id": "u1", "title": "CTO"}
    (event,) = parsed("contacts", row).events
    assert (event.type, event.node) == ("crm.contact", "default/u:contact:c1")
    assert (event.email, event.user, event.group) == ("ann@acme.com", "u1", "acme")
    assert properties(event) == {
        "id": "c1",
        "email": "ann@acme.com",
        "account_id": "acme",
        "user_id": "u1",
        "title": "CTO",
    }


@pytest.mark.parametrize(("user", "prefix"), [({}, "contact:"), ({"user_id": "hubspot:c1"}, "hubspot:")])
def test_a_contact_that_is_gone_says_so_without_its_address(user: dict[str, str], prefix: str) -> None:
    (event,) = parsed("contacts", {"id": "c1", "merged_into": "c2", "deleted": "true", **user}).events
    assert event.node == f"default/u:{prefix}c1"
    assert properties(event) == {"id": "c1", "merged_into": f"{prefix}c2", "deleted": True, **user}
    (fault,) = parsed("contacts", {"id": "c1", "deleted": False}).rejected
    assert (fault.reason, fault.detail) == (RejectReason.MISSING_FIELD, "email")


@pytest.mark.parametrize("who", [{"email": "a@acme.com", "account_id": "acme"}, {"account_id": "acme"}])
def test_an_activity_enters_by_itself_whoever_it_was_with(who: dict[str, str]) -> None:
    row = {
        "id": "t1",
        "type": "Email-Reply",
        "occurred_at": "2026-01-01",
        "updated_at": UPDATED,
        "status": "Not Started",
    }
    (event,) = parsed("activities", {**row, "subject": "Re: offer", "deleted": "false", **who}).events
    assert (event.type, event.name, event.node, event.at) == ("crm.activity", "email_reply", "default/m:t1", UPDATED_MS)
    assert (event.email, event.group) == (who.get("email", ""), "acme")
    said = {"occurred_at": 1_767_225_600_000, "status": "not_started", "deleted": False, "subject": "Re: offer"}
    assert properties(event) == {"id": "t1", "type": "email_reply", **who, **said}


def test_who_deletes_an_activity_need_not_say_what_it_was() -> None:
    (event,) = parsed("activities", {"id": "t1", "deleted": True}).events
    assert (event.node, properties(event)) == ("default/m:t1", {"id": "t1", "deleted": True})


@pytest.mark.parametrize(
    ("objects", "row", "reason", "detail"),
    [
        ("accounts", {"name": "Acme"}, RejectReason.MISSING_FIELD, "id"),
        ("accounts", {"id": ""}, RejectReason.MISSING_FIELD, "id"),
        ("accounts", {"id": None}, RejectReason.MISSING_FIELD, "id"),
        ("accounts", {"id": "null"}, RejectReason.BAD_VALUE, "id that names nobody"),
        ("contacts", {"id": 0, "email": "a@b.co"}, RejectReason.BAD_VALUE, "id that names nobody"),
        ("accounts", {"id": "a", "deleted": "perhaps"}, RejectReason.BAD_VALUE, "deleted"),
        ("contacts", {"id": "c"}, RejectReason.MISSING_FIELD, "email"),
        ("contacts", {"id": "c", "email": "nobody"}, RejectReason.BAD_VALUE, "email"),
        ("opportunities", {"id": "o", "amount": "many"}, RejectReason.BAD_VALUE, "amount"),
        ("opportunities", {"id": "o", "amount": 1e300}, RejectReason.BAD_VALUE, "amount"),
        ("opportunities", {"id": "o", "amount": True}, RejectReason.BAD_VALUE, "amount"),
        ("opportunities", {"id": "o", "currency": "Euro"}, RejectReason.BAD_VALUE, "currency"),
        ("opportunities", {"id": "o", "updated_at": "0000-00-00"}, RejectReason.BAD_TIME, "updated_at"),
        ("opportunities", {"id": "o", "closed_at": "soon"}, RejectReason.BAD_TIME, "closed_at"),
        ("opportunities", {"id": "o", "stages": "demo"}, RejectReason.BAD_VALUE, "stages"),
        ("opportunities", {"id": "o", "stages": ["demo"]}, RejectReason.BAD_VALUE, "stages"),
        ("opportunities", {"id": "o", "stages": [{"stage": "demo", "at": "soon"}]}, RejectReason.BAD_TIME, "at"),
        (
            "opportunities",
            {"id": "o", "stages": [{"stage": "demo"}]},
            RejectReason.MISSING_FIELD,
            "stages: every entry has a stage and an at",
        ),
        ("opportunities", {"id": "o", "deleted": "perhaps"}, RejectReason.BAD_VALUE, "deleted"),
        ("opportunities", {"id": "o", "contact_emails": ["a@b.co"] * 201}, RejectReason.BAD_VALUE, "contact_emails"),
        ("opportunities", {"id": "o", "contact_ids": ["c"] * 201}, RejectReason.BAD_VALUE, "contact_ids"),
        ("activities", {"id": "t", "account_id": "a"}, RejectReason.MISSING_FIELD, "type"),
        ("activities", {"id": "t", "type": "nap", "account_id": "a"}, RejectReason.BAD_VALUE, "type"),
        ("activities", {"id": "t", "type": "call"}, RejectReason.MISSING_FIELD, "email, contact_id or account_id"),
        (
            "activities",
            {"id": "t", "type": "call", "contact_id": "n/a"},
            RejectReason.MISSING_FIELD,
            "email, contact_id or account_id",
        ),
        ("activities", {"id": "t", "type": "nap", "deleted": True}, RejectReason.BAD_VALUE, "type"),
        (
            "activities",
            {"id": "t", "type": "call", "account_id": "a", "occurred_at": "soon"},
            RejectReason.BAD_TIME,
            "occurred_at",
        ),
        ("accounts", "acme", RejectReason.MALFORMED, "a row is a JSON object"),
    ],
)
def test_a_bad_row_costs_its_neighbours_nothing(objects: str, row: object, reason: RejectReason, detail: str) -> None:
    good = {"id": "g", "email": "g@acme.com", "type": "call"}
    found = parsed(objects, good, row, good)
    assert len(found.events) == 2
    (refused,) = found.rejected
    assert (refused.reason, refused.detail, json.loads(refused.body)) == (reason, detail, row)


def test_a_version_is_one_event_however_often_and_whenever_it_comes() -> None:
    (first,) = parsed("opportunities", OPPORTUNITY).events
    (again,) = parsed("opportunities", dict(reversed(OPPORTUNITY.items())), received_at=NOW + 60_000).events
    assert first.id == again.id
    later = {**OPPORTUNITY, "updated_at": "2026-01-01T11:00:00Z"}
    other = {**OPPORTUNITY, "amount": 2000}
    assert (
        len({first.id, parsed("opportunities", later).events[0].id, parsed("opportunities", other).events[0].id}) == 3
    )


def test_without_its_own_time_a_value_that_comes_back_is_news() -> None:
    row = {"id": "o1", "stage": "open"}
    ids = {parsed("opportunities", row, received_at=NOW + delay).events[0].id for delay in (0, 1_000)}
    assert len(ids) == 2


def test_a_planned_activity_that_is_sent_again_after_its_time_says_more() -> None:
    row = {"id": "t1", "type": "call", "account_id": "acme", "updated_at": UPDATED, "occurred_at": NOW + 1_000}
    ids = [parsed("activities", row, received_at=NOW + late).events[0].id for late in (0, 999, 1_000, 2_000)]
    assert ids[0] == ids[1] != ids[2] == ids[3]


@pytest.mark.parametrize(
    "body",
    [
        b'[{"id": "a"}, {"id": "b"}]',
        b'{"id": "a"}\n{"id": "b"}\n',
        b'\xef\xbb\xbf{"id": "a"}\r\n\r\n{"id": "b"}',
    ],
)
def test_arrays_and_lines_say_the_same(body: bytes) -> None:
    found = crm.events_of(body, request("/v1/crm/accounts", source=DEV))
    assert [event.node for event in found.events] == ["default/a:a", "default/a:b"]


def test_one_object_over_several_lines_is_one_row() -> None:
    found = crm.events_of(b'{\n  "id": "a"\n}', request("/v1/crm/accounts", source=DEV))
    assert [event.node for event in found.events] == ["default/a:a"]


def test_a_broken_line_is_refused_alone() -> None:
    found = crm.events_of(b'{"id": "a"}\n{"id": \n{"id": "\xff"}\n{"id": "b"}', request("/v1/crm/accounts", source=DEV))
    assert [event.node for event in found.events] == ["default/a:a", "default/a:b"]
    assert [(r.reason, r.body) for r in found.rejected] == [
        (RejectReason.MALFORMED, b'{"id": '),
        (RejectReason.NOT_UTF8, b'{"id": "\xff"}'),
    ]


@pytest.mark.parametrize("junk", [b"", b"  \n", b"[", b"hello", b"[{]", b"\x00"])
def test_what_is_neither_is_a_fault(junk: bytes) -> None:
    assert crm.events_of(junk, request("/v1/crm/accounts", source=DEV)).fault is not None


COST = {"date": "2026-01-01", "channel": "Paid Search", "utm_source": "google", "utm_medium": "cpc",
        "utm_campaign": "brand", "amount": "120.50", "currency": "EUR", "updated_at": UPDATED}  # fmt: skip


def costs(*rows: Any, received_at: int = NOW) -> Parsed:
    return cost.events_of(json.dumps(rows).encode(), request("/v1/costs", source=DEV, received_at=received_at))


def test_a_cost_has_its_key_as_node_and_all_its_fields() -> None:
    (event,) = costs(COST).events
    said = properties(event)
    assert event.node == f"default/o:cost/{said.pop('cost_id')}"
    assert said == {"day": "2026-01-01", **{k: v for k, v in COST.items() if k not in ("date", "updated_at")}}
    assert (event.type, event.at) == ("cost", UPDATED_MS)


def test_a_corrected_amount_is_another_event_of_the_same_node() -> None:
    (first, second) = costs(COST, {**COST, "amount": 121}).events
    assert first.node == second.node
    assert first.id != second.id


@pytest.mark.parametrize(
    ("given", "channel"),
    [
        ({"channel": "paid search"}, "Paid Search"),
        ({"channel": " PAID  Search "}, "Paid Search"),
        ({"channel": "ai assistant"}, "AI Assistant"),
        ({"channel": "Trade Press"}, "Trade Press"),
        ({"channel": "direct"}, "Direct"),
        ({}, "Unassigned"),
        ({"channel": "", "utm_source": None}, "Unassigned"),
        ({"utm_campaign": "brand"}, "Unassigned"),
        ({"utm_source": "linkedin", "utm_medium": "cpc"}, "Paid Social"),
    ],
)
def test_a_cost_is_of_the_channel_that_touches_have_or_of_none(given: dict[str, str | None], channel: str) -> None:
    (event,) = costs({"date": "2026-01-01", "amount": "1", "currency": "EUR", **given}).events
    assert properties(event)["channel"] == channel


def test_a_cost_without_a_channel_is_that_of_the_channel_it_paid_for() -> None:
    named = costs(COST).events[0]
    found = costs({name: value for name, value in COST.items() if name != "channel"}).events[0]
    assert (found.node, found.id) == (named.node, named.id)


def test_another_day_is_another_cost() -> None:
    (first, second) = costs(COST, {**COST, "date": "2026-01-02"}).events
    assert first.node != second.node


@pytest.mark.parametrize(
    ("change", "reason", "detail"),
    [
        ({"date": None}, RejectReason.MISSING_FIELD, "date"),
        ({"date": "01/02/2026"}, RejectReason.BAD_TIME, "date"),
        ({"date": "0001-01-01"}, RejectReason.BAD_TIME, "date"),
        ({"amount": None}, RejectReason.MISSING_FIELD, "amount"),
        ({"amount": "NaN"}, RejectReason.BAD_VALUE, "amount"),
        ({"currency": ""}, RejectReason.MISSING_FIELD, "currency"),
    ],
)
def test_a_cost_without_day_amount_or_currency_is_refused(
    change: dict[str, object], reason: RejectReason, detail: str
) -> None:
    found = costs(COST, {**COST, **change})
    assert [(r.reason, r.detail) for r in found.rejected] == [(reason, detail)]
    assert len(found.events) == 1


RATE = {"date": "2026-01-01", "from": "eur", "to": "USD", "rate": "1.0842", "updated_at": UPDATED}


def rates(*rows: Any, received_at: int = NOW) -> Parsed:
    return fx.events_of(json.dumps(rows).encode(), request("/v1/fx", source=DEV, received_at=received_at))


def test_rates_are_older_than_events() -> None:
    assert properties(rates(RATE | {"date": "1999-01-04"}).events[0])["day"] == "1999-01-04"


def test_a_rate_enters_by_its_pair_and_day() -> None:
    first, other_way = rates(RATE, RATE | {"from": "USD", "to": "EUR"}).events
    assert first.node == other_way.node == "default/o:fx/EUR-USD/2026-01-01"
    assert first.id != other_way.id
    assert (first.type, first.protocol, first.at) == ("fx", "fx", UPDATED_MS)
    assert properties(first) == {"day": "2026-01-01", "base": "EUR", "quote": "USD", "rate": "1.0842"}


@pytest.mark.parametrize(
    ("change", "reason", "detail"),
    [
        ({"date": None}, RejectReason.MISSING_FIELD, "date"),
        ({"date": "31.01.2026"}, RejectReason.BAD_TIME, "date"),
        ({"from": ""}, RejectReason.MISSING_FIELD, "from"),
        ({"to": "Euro"}, RejectReason.BAD_VALUE, "to"),
        ({"to": "EUR"}, RejectReason.BAD_VALUE, "to"),
        ({"rate": None}, RejectReason.MISSING_FIELD, "rate"),
        ({"rate": 0}, RejectReason.BAD_VALUE, "rate"),
        ({"rate": "1,0842"}, RejectReason.BAD_VALUE, "rate"),
        ({"rate": "1e999999999"}, RejectReason.BAD_VALUE, "rate"),
    ],
)
def test_a_rate_without_day_pair_or_number_is_refused(
    change: dict[str, object], reason: RejectReason, detail: str
) -> None:
    found = rates(RATE, {**RATE, **change})
    assert [(r.reason, r.detail) for r in found.rejected] == [(reason, detail)]
    assert len(found.events) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
FIELDS = sorted(
    {
        *OPPORTUNITY,
        *COST,
        *RATE,
        "stages",
        "deleted",
        "merged_into",
        "email",
        "user_id",
        "type",
        "domain",
        "domains",
        "occurred_at",
        "subject",
    }
)


@relaxed
@given(
    st.sampled_from(["accounts", "contacts", "opportunities", "activities"]),
    st.dictionaries(st.sampled_from(FIELDS), JSON),
)
def test_every_row_is_taken_or_refused_whatever_it_holds(objects: str, row: dict[str, object]) -> None:
    taken = parsed(objects, {"id": "x", "email": "a@acme.com", **row}), costs({**COST, **row}), rates({**RATE, **row})
    for found in taken:
        assert len(found.events) + len(found.rejected) == 1
        assert len(found.noted) <= len(found.events)
        assert all(event.node and event.id and 0 < event.at <= NOW for event in found.events)


@relaxed
@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(junk: bytes) -> None:
    for wrapped in (junk, b"[" + junk + b"]", b'{"id": "a"}\n' + junk):
        crm.events_of(wrapped, request("/v1/crm/accounts", source=DEV))
        cost.events_of(wrapped, request("/v1/costs", source=DEV))
        fx.events_of(wrapped, request("/v1/fx", source=DEV))
