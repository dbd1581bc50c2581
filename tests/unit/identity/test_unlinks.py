"""What an operator takes back of the CRM's words stays taken back, whichever version of the object says it."""

import itertools

import msgspec
import pytest

from schemas import event as kinds
from schemas.facts import IdentityClaimRow
from schemas.rules import Rules
from stream.core.identity.book import Book, Known
from stream.core.identity.node import node_of
from stream.core.identity.prediction import without_claims
from tests.support.claims import known_of
from tests.unit.identity.forest import Forest, event, name

_row = msgspec.json.Decoder(IdentityClaimRow)


def company(at: int, *domains: str, account: str = "1", **more):
    said = {"id": account, "domains": list(domains)} | more
    return event(kinds.CRM_ACCOUNT, f"a:{account}", at, group=account, properties=said)


def unlink(child: str, claim: str, at: int = 99):
    return event(kinds.IDENTITY_UNLINK, child, at, id=f"un {claim}", properties={"claim": claim})


def numbered(statement: str, number: int = 0) -> str:
    return f"{statement}\0{number:08x}"


def in_every_order(*events):
    for order in itertools.permutations(events):
        forest = Forest()
        forest.observe(*order)
        yield forest


OURS = "default/a:1"


def test_a_domain_that_an_operator_took_off_an_account_is_off_it_also_if_an_older_version_of_the_account_comes_later():
    events = [company(20, "acme.com"), unlink("d:acme.com", numbered(OURS)), company(10, "acme.com")]
    for forest in in_every_order(*events):
        assert forest.account("d:acme.com") == "d:acme.com"


@pytest.mark.parametrize("number", [0, 7])
def test_it_holds_under_whatever_number_the_claim_was_or_will_be_made(number):
    events = [company(20, "acme.com"), unlink("d:acme.com", numbered(OURS, number)), company(10, "acme.com")]
    for forest in in_every_order(*events):
        assert forest.account("d:acme.com") == "d:acme.com"


def test_it_holds_also_if_the_crm_had_taken_the_same_back_meanwhile_and_says_it_again():
    events = [
        company(10, "acme.com"),
        company(20),
        unlink("d:acme.com", numbered(OURS)),
        company(30, "acme.com"),
    ]
    for forest in in_every_order(*events):
        assert forest.account("d:acme.com") == "d:acme.com"


def test_it_holds_also_if_the_account_is_deleted_in_the_crm_and_is_back():
    events = [
        company(10, "acme.com"),
        unlink("d:acme.com", numbered(OURS)),
        company(20, "acme.com", deleted=True),
        company(30, "acme.com", deleted=False),
    ]
    for forest in in_every_order(*events):
        assert forest.account("d:acme.com") == "d:acme.com"


def test_it_holds_for_that_account_and_domain_alone():
    events = [
        company(10, "acme.com", "acme.org"),
        unlink("d:acme.com", numbered(OURS)),
        company(20, "acme.com", account="2"),
    ]
    for forest in in_every_order(*events):
        assert (forest.account("d:acme.com"), forest.account("d:acme.org")) == ("a:2", "a:1")


def test_it_holds_until_the_operator_links_it_himself():
    words = {"claim": "k", "parent": "a:1"}
    events = [
        company(10, "acme.com"),
        unlink("d:acme.com", numbered(OURS)),
        event(kinds.IDENTITY_LINK, "d:acme.com", 100, id="k", properties=words),
        company(5, "acme.com"),
    ]
    for forest in in_every_order(*events):
        assert forest.account("d:acme.com") == "a:1"


def contact(at: int, account: str, address: str = "ann@acme.com", number: str = "1", **more):
    said = {"id": number, "email": address, "account_id": account}
    entry = f"u:contact:{number}"
    return event(kinds.CRM_CONTACT, entry, at, id=f"{number} {at}", email=address, properties=said, **more)


def accounts_claimed(forest: Forest, short: str) -> list[str]:
    parents = [held.parent for held in node_of(forest.state, name(short)).claims.values()]
    return [parent.removeprefix("default/") for parent in parents if parent.startswith(name("a:"))]


def test_a_contact_that_an_operator_took_off_an_account_was_never_on_it_however_its_versions_follow():
    events = [
        contact(20, "acme"),
        contact(30, "beta"),
        contact(40, "acme"),
        unlink("u:contact:1", numbered("crm.contact default/a:acme")),
    ]
    for forest in in_every_order(*events):
        assert accounts_claimed(forest, "u:contact:1") == ["a:beta"]
        # What the CRM says of the address is another statement.
        assert [forest.account("e:ann@acme.com", at) for at in (0, 20, 30, 40)] == [
            "a:acme",
            "a:acme",
            "a:beta",
            "a:acme",
        ]


def test_an_address_that_an_operator_took_off_a_contacts_account_stays_off_it_and_the_contact_on_it():
    claim = numbered("crm.contact default/a:acme default/u:contact:1")
    events = [contact(20, "acme"), contact(30, "beta"), contact(40, "acme"), unlink("e:ann@acme.com", claim)]
    for forest in in_every_order(*events):
        # The first version that is left holds for the time before it, too.
        assert [forest.account("e:ann@acme.com", at) for at in (0, 20, 30, 40)] == [
            "a:beta", "a:beta", "a:beta", "d:acme.com",
        ]  # fmt: skip
        assert [forest.account("u:contact:1", at) for at in (20, 30, 40)] == ["a:acme", "a:beta", "a:acme"]


def test_an_address_that_an_operator_took_off_a_merged_contacts_heir_is_not_on_the_heirs_account():
    address = "e:ann@acme.com"
    merged = event(kinds.CRM_CONTACT, "u:contact:1", 50, properties={"id": "1", "merged_into": "contact:2"})
    events = [
        contact(10, "acme"),
        merged,
        contact(60, "beta", address="eve@beta.org", number="2"),
        unlink("u:contact:2", numbered(f"crm.merge {name(address)} {name('u:contact:1')}")),
    ]
    for forest in in_every_order(*events):
        assert [forest.account(address, at) for at in (10, 60)] == ["a:acme", "a:acme"]
        assert forest.person("u:contact:2", 60) == "e:eve@beta.org"


def deal(at: int, **said):
    return event(kinds.CRM_OPPORTUNITY, "o:1", at, properties={"id": "1"} | said)


def test_an_opportunity_that_an_operator_took_off_an_account_may_be_another_ones():
    events = [
        deal(20, account_id="acme"),
        unlink("o:1", numbered("default/o:1 default/a:acme")),
        deal(10, account_id="acme"),
    ]
    for forest in in_every_order(*events):
        assert forest.account("o:1") == ""
        forest.observe(deal(30, account_id="beta"))
        assert forest.account("o:1") == "a:beta"
        forest.observe(deal(40, account_id="acme"))
        assert forest.account("o:1") == ""


def meeting(at: int, **said):
    return event(kinds.CRM_ACTIVITY, "m:1", at, name="meeting", properties={"id": "1"} | said)


def test_an_activity_may_lose_its_account_or_its_person_and_keeps_the_other():
    versions = [meeting(20, account_id="acme", email="ann@beta.org"), meeting(10, account_id="acme")]
    for forest in in_every_order(*versions, unlink("m:1", numbered("default/m:1 default/a:acme"))):
        assert (forest.account("m:1"), forest.person("m:1")) == ("d:beta.org", "e:ann@beta.org")
    for forest in in_every_order(*versions, unlink("m:1", numbered("default/m:1 default/e:ann@beta.org"))):
        assert (forest.account("m:1"), forest.person("m:1")) == ("a:acme", "")


def booked(forest: Forest) -> list[tuple[str, str, str, str]]:
    rows = [_row.decode(row) for row in forest.step.rows["identity_claims"]]
    return [(r.action, r.claim_id, r.parent, r.cause_event_id) for r in rows]


def test_each_claim_that_is_taken_back_or_refused_is_told_with_the_event_that_took_it_back():
    first, second, taken = company(20, "acme.com"), company(10, "acme.com"), unlink("d:acme.com", numbered(OURS))
    forest = Forest()
    forest.observe(first, taken, second)
    assert booked(forest) == [
        ("claim", numbered(OURS, 0), "a:1", first.id),
        ("retract", numbered(OURS, 0), "a:1", taken.id),
        ("late", numbered(OURS, 1), "a:1", second.id),
        ("retract", numbered(OURS, 1), "a:1", taken.id),
    ]


def test_taking_back_what_the_crm_has_just_withdrawn_tells_of_no_claim_that_nobody_made():
    events = company(20, "acme.com"), company(30), unlink("d:acme.com", numbered(OURS)), company(40, "acme.com")
    made, withdrawn, taken, again = events
    forest = Forest()
    forest.observe(made, withdrawn, taken)
    assert booked(forest) == [
        ("claim", numbered(OURS, 0), "a:1", made.id),
        ("retract", numbered(OURS, 0), "a:1", withdrawn.id),
    ]
    # It counts all the same, and who said it stands in the row of what it keeps from counting.
    forest.observe(again)
    assert booked(forest)[2:] == [
        ("late", numbered(OURS, 1), "a:1", again.id),
        ("retract", numbered(OURS, 1), "a:1", taken.id),
    ]
    assert forest.account("d:acme.com") == "d:acme.com"


def test_of_a_contact_that_was_on_the_account_twice_both_claims_are_told_to_be_gone_once():
    statement = "crm.contact default/a:acme"
    forest = Forest()
    forest.observe(contact(20, "acme"), contact(30, "beta"), contact(40, "acme"))
    mine = [row[1] for row in booked(forest) if row[0] == "claim" and row[1].startswith(f"{statement}\0")]
    gone = [row[1] for row in booked(forest) if row[0] == "retract"]
    live = [claim_id for claim_id in mine if claim_id not in gone]
    before = len(booked(forest))

    taken = unlink("u:contact:1", numbered(statement))
    forest.observe(taken)
    assert booked(forest)[before:] == [("retract", claim_id, "a:acme", taken.id) for claim_id in live]
    assert len(live) == 2

    # The CRM takes its claim back when it learns of an end: that is no news.
    ended = contact(50, "beta")
    forest.observe(ended)
    later = [(action, cause) for action, claim_id, _, cause in booked(forest)[before + 2 :] if claim_id in mine]
    assert later == []
    known = known_of(forest.step.rows["identity_claims"])
    assert [k.id for k in known if k.live and k.node == name("u:contact:1") and k.held.parent == name("a:acme")] == []


def test_a_preview_says_that_all_times_of_a_contact_at_an_account_go_with_one_of_its_claims():
    statement = "crm.contact default/a:acme default/u:contact:1"
    forest = Forest()
    forest.observe(contact(20, "acme"), contact(30, "beta"), contact(40, "acme"))
    claims: dict[str, list[Known]] = {}
    for known in known_of(forest.step.rows["identity_claims"]):
        claims.setdefault(known.node, []).append(known)
    ours = [k for k in claims[name("e:ann@acme.com")] if k.live and k.id.startswith(f"{statement}\0")]
    assert [k.held.since for k in ours] == [20, 40]

    forest.observe(unlink("e:ann@acme.com", ours[1].id))
    book = Book([k for some in without_claims(claims, ours[1:]).values() for k in some], Rules())
    for at, account in ((20, "a:beta"), (30, "a:beta"), (40, "d:acme.com")):
        assert book.decision(name("e:ann@acme.com"), at).owner.account == name(account)
        assert forest.account("e:ann@acme.com", at) == account
