"""Stories of who belongs where: events in, owners and credit out. Every expected value was worked out by hand.

Each is told in several orders, in one partition and in two, and with everything twice: the end is the same.
"""

from decimal import Decimal

import pytest

from schemas import event as kinds
from tests.support.both_stages import in_many_orders, outcome
from tests.support.events import DAY, MINUTE, T0, hit, make, page, track


def login(id_, at, visitor, user, address="", **fields):
    return hit(kinds.IDENTIFY, id_, at, visitor, user=user, email=address, **fields)


def contact(id_, at, address, account, number="c1"):
    properties = {"id": number, "email": address, "account_id": account}
    entry = f"default/u:contact:{number}"
    return make(kinds.CRM_CONTACT, entry, id_, at, email=address, group=account, properties=properties)


def crm_account(id_, at, account, *domains):
    properties = {"id": account, "name": account, "domains": list(domains)}
    return make(kinds.CRM_ACCOUNT, f"default/a:{account}", id_, at, group=account, properties=properties)


def won(id_, at, account, amount="900.00"):
    properties = {"id": "o1", "account_id": account, "stage": "won", "amount": amount, "currency": "EUR"}
    return make(kinds.CRM_OPPORTUNITY, "default/o:o1", id_, at, group=account, properties=properties)


def link(claim, at, child, parent, **words):
    said = {"claim": claim, "parent": parent} | words
    return make(kinds.IDENTITY_LINK, f"default/{child}", claim, at, properties=said)


def unlink(claim, at, child):
    return make(kinds.IDENTITY_UNLINK, f"default/{child}", f"un {claim}", at, properties={"claim": claim})


def merge(claim, at, loser, winner):
    said = {"claim": claim, "loser": loser, "parent": winner}
    return make(kinds.IDENTITY_MERGE, "default/r:accounts", claim, at, properties=said)


def unmerge(claim, at):
    return make(kinds.IDENTITY_UNMERGE, "default/r:accounts", f"un {claim}", at, properties={"claim": claim})


def all_say(events, touches):
    for found in in_many_orders(events):
        assert found.touches() == touches


def test_three_anonymous_pages_move_to_the_account_when_their_visitor_logs_in():
    pages = [page(str(day), day * DAY) for day in range(3)]
    assert outcome(pages).touches() == [(day * DAY, "", "ann") for day in range(3)]
    mine = ("acme.com", "ann@acme.com")
    all_say([*pages, login("in", 3 * DAY, "ann", "7", "ann@acme.com")], [(day * DAY, *mine) for day in range(4)])


def test_two_devices_of_one_person_are_one_journey():
    events = [
        page("1", 0, "phone"),
        login("2", DAY, "phone", "7"),
        page("3", 2 * DAY, "laptop"),
        login("4", 3 * DAY, "laptop", "7", "ann@acme.com"),
    ]
    mine = ("acme.com", "ann@acme.com")
    all_say(events, [(0, *mine), (DAY, *mine), (2 * DAY, *mine), (3 * DAY, *mine)])


def test_of_two_people_on_one_device_each_has_the_own_sessions_and_nobody_the_others():
    events = [
        page("0", 0, "kiosk"),
        login("1", DAY, "kiosk", "7", "ann@acme.com"),
        login("2", 2 * DAY, "kiosk", "8", "eve@beta.org"),
    ]
    all_say(events, [(0, "", "kiosk"), (DAY, "acme.com", "ann@acme.com"), (2 * DAY, "beta.org", "eve@beta.org")])


def test_an_office_behind_one_address_is_as_many_people_as_it_has_devices():
    # What they have in common is the network, which is no identifier: only who signs in is known.
    shared = {"country": "DE", "city": "Berlin"}
    events = [page(f"p{n}", 0, f"desk{n}", **shared) for n in range(3)] + [
        login("in", DAY, "desk1", "7", "ann@acme.com")
    ]
    mine = ("acme.com", "ann@acme.com")
    all_say(events, [(0, "", "desk0"), (0, "", "desk2"), (0, *mine), (DAY, *mine)])


def test_a_consultant_works_for_the_account_that_was_joined_last_and_the_past_stays():
    def joins(id_, at, account):
        return hit(kinds.GROUP, id_, at, "ann", user="7", group=account)

    events = [
        page("1", 0, user="7"),
        joins("2", DAY, "acme"),
        page("3", 2 * DAY, user="7"),
        joins("4", 3 * DAY, "beta"),
        page("5", 4 * DAY, user="7"),
    ]
    all_say(
        events,
        [(0, "acme", "7"), (DAY, "acme", "7"), (2 * DAY, "acme", "7"), (3 * DAY, "beta", "7"), (4 * DAY, "beta", "7")],
    )


def test_a_contact_whose_address_the_crm_corrects_is_found_by_the_new_one():
    events = [
        login("1", 0, "ann", "7", "ann@acme.com"),
        contact("c1", DAY, "ann@acme.com", "acme"),
        # The CRM notices the wrong domain, and says so of the contact alone.
        contact("c2", 2 * DAY, "ann@acme.org", "acme"),
        login("2", 3 * DAY, "ann", "7", "ann@acme.org"),
    ]
    # Both addresses are work addresses: the one that was first seen last is the person, for all time.
    all_say(events, [(0, "acme", "ann@acme.org"), (3 * DAY, "acme", "ann@acme.org")])


def test_an_address_that_the_crm_corrected_earns_its_account_nothing_from_then_on():
    def visit(id_, at, visitor, address):
        return hit(kinds.IDENTIFY, id_, at, visitor, email=address)

    wrong, right = "p@wrongdom.com", "p@rightdom.com"
    events = [
        contact("c1", DAY, wrong, "crm1", "c9"),
        visit("v1", 2 * DAY, "other", wrong),
        contact("c2", 3 * DAY, right, "crm1", "c9"),
        # Somebody at that domain does exist, and is nobody that the CRM knows.
        visit("v2", 4 * DAY, "other", wrong),
        visit("v3", 5 * DAY, "mine", right),
        won("w", 6 * DAY, "crm1"),
    ]
    # As long as the contact had the address it was the contact's: the past stays. Of open and of won, both of day 6,
    # the two visits of crm1 have a half each; the one between them is another company's.
    for found in in_many_orders(events):
        assert found.touches() == [
            (2 * DAY, "crm1", wrong),
            (4 * DAY, "wrongdom.com", wrong),
            (5 * DAY, "crm1", right),
        ]
        assert found.credit() == {("crm1", 2 * DAY): Decimal(1), ("crm1", 5 * DAY): Decimal(1)}
    # Without the correction both visits with this address are the account's, and none with the other one.
    uncorrected = [event for event in events if event.id != "c2"]
    for found in in_many_orders(uncorrected):
        assert found.touches() == [
            (2 * DAY, "crm1", wrong),
            (4 * DAY, "crm1", wrong),
            (5 * DAY, "rightdom.com", right),
        ]
        assert found.credit() == {("crm1", 2 * DAY): Decimal(1), ("crm1", 4 * DAY): Decimal(1)}


def test_who_changes_employer_and_address_leaves_the_past_with_the_old_one():
    old, new = "ann@acme.com", "ann@beta.org"
    events = [
        contact("c1", 0, old, "crm-a"),
        hit(kinds.IDENTIFY, "1", DAY, "desk", email=old),
        contact("c2", 2 * DAY, new, "crm-b"),
        hit(kinds.IDENTIFY, "2", 3 * DAY, "laptop", email=new),
    ]
    all_say(events, [(DAY, "crm-a", old), (3 * DAY, "crm-b", new)])


def test_what_a_domain_had_is_the_crm_accounts_once_that_names_it():
    visit = login("1", 0, "ann", "7", "ann@acme.com")
    assert outcome([visit]).touches() == [(0, "acme.com", "ann@acme.com")]
    all_say([visit, crm_account("a", DAY, "crm-1", "www.acme.com")], [(0, "crm-1", "ann@acme.com")])


def _two_crm_accounts():
    return [
        contact("c1", 0, "ann@acme.com", "crm-1"),
        contact("c2", 0, "bob@acme.com", "crm-2", "c2"),
        login("1", 0, "ann", "7", "ann@acme.com"),
        login("2", DAY, "bob", "8", "bob@acme.com"),
        won("w", 2 * DAY, "crm-2"),
    ]


def accounts(found):
    """Of each account: what people call it, touches, people."""
    return sorted((a["account_id"], a["name"], a["touches"], a["people"]) for a in found.tables["accounts"].values())


def test_an_account_that_is_named_by_its_domain_is_that_domains():
    """Bob's company was said by ``group``, Ann's is that of her address; the CRM knows it by the same name, without domains."""
    events = [
        page("1", 0, "a"),
        login("2", DAY, "a", "7", "ann@acme.com"),
        page("3", 0, "b"),
        login("4", DAY, "b", "8", group="acme.com"),
        crm_account("acc", 2 * DAY, "acme.com"),
        won("deal", 9 * DAY, "acme.com"),
    ]
    ann, bob = ("acme.com", "ann@acme.com"), ("acme.com", "8")
    for found in in_many_orders(events):
        assert found.touches() == [(0, *bob), (0, *ann), (DAY, *bob), (DAY, *ann)]
        assert accounts(found) == [("acme.com", "acme.com", 4, 2)]
        assert found.credit() == {("acme.com", 0): Decimal(1), ("acme.com", DAY): Decimal(1)}


def test_an_account_that_is_named_by_a_domain_of_another_account_is_its_own():
    events = [
        crm_account("acc", 0, "ACME", "acme.com"),
        login("1", DAY, "a", "7", "ann@acme.com"),
        login("2", DAY, "b", "8", group="acme.com"),
    ]
    for found in in_many_orders(events):
        assert found.touches() == [(DAY, "ACME", "ann@acme.com"), (DAY, "acme.com", "8")]


def test_two_crm_accounts_merged_share_the_credit_and_unmerged_each_has_its_own_again():
    apart = {("crm-2", DAY): Decimal(2)}  # of the stages open and won
    for found in in_many_orders(_two_crm_accounts()):
        assert found.credit() == apart
    together = [*_two_crm_accounts(), merge("m", 3 * DAY, "a:crm-2", "a:crm-1")]
    for found in in_many_orders(together):
        assert found.credit() == {("crm-1", 0): Decimal(1), ("crm-1", DAY): Decimal(1)}
        assert found.conversions() == [("open", "crm-1", ""), ("won", "crm-1", "")]
    for found in in_many_orders([*together, unmerge("m", 4 * DAY)]):
        assert found.credit() == apart
        assert found.conversions() == [("open", "crm-2", ""), ("won", "crm-2", "")]


def test_who_changes_employer_leaves_the_past_with_the_old_one():
    events = [
        login("1", 0, "ann", "7", "ann@acme.com"),
        contact("c1", 0, "ann@acme.com", "acme"),
        contact("c2", 2 * DAY, "ann@acme.com", "beta"),
        login("2", DAY, "ann", "7"),
        login("3", 3 * DAY, "ann", "7"),
    ]
    who = "ann@acme.com"
    all_say(events, [(0, "acme", who), (DAY, "acme", who), (3 * DAY, "beta", who)])


def test_an_operator_says_from_when_on_somebody_works_elsewhere():
    events = [
        login("1", 0, "ann", "7", "ann@acme.com"),
        login("2", DAY, "ann", "7"),
        login("3", 3 * DAY, "ann", "7"),
        link("k", 4 * DAY, "e:ann@acme.com", "a:beta", since=T0 + 2 * DAY),
    ]
    who = "ann@acme.com"
    all_say(events, [(0, "acme.com", who), (DAY, "acme.com", who), (3 * DAY, "beta", who)])


def _journey():
    return [
        login("1", 0, "ann", "7", "ann@acme.com"),
        page("2", DAY, "ann"),
        track("3", 2 * DAY, "Form Submitted", "ann"),
        track("4", 3 * DAY, "Signed Up", "ann"),
    ]


def test_link_then_unlink_restores_every_credit_exactly():
    # Five touches up to the sign-up: four sessions, and the form in the third one.
    before = outcome(_journey())
    fifth = Decimal("0.2")
    share = {("acme.com", 0): fifth, ("acme.com", DAY): fifth, ("acme.com", 2 * DAY): 2 * fifth}
    share |= {("acme.com", 3 * DAY): fifth}
    assert before.credit() == share
    linked = [*_journey(), link("k", 4 * DAY, "u:7", "a:beta")]
    for found in in_many_orders(linked):
        assert found.credit() == {("beta", at): credit for (_, at), credit in share.items()}
    for found in in_many_orders([*linked, unlink("k", 5 * DAY, "u:7")]):
        assert found.tables["credits"] == before.tables["credits"]
        assert found.tables["amounts"] == before.tables["amounts"]
        assert found.touches() == before.touches()


@pytest.mark.parametrize("first", ["link", "unlink"])
def test_an_unlink_counts_also_if_it_comes_first(first):
    said = [link("k", DAY, "u:7", "a:beta"), unlink("k", 2 * DAY, "u:7")]
    found = outcome(_journey(), said if first == "link" else said[::-1])
    assert found.credit() == outcome(_journey()).credit()


def _buyer():
    return [
        page("1", 0, "phone"),
        login("2", DAY, "phone", "7", "joe@gmail.com"),
        login("3", 2 * DAY, "laptop", "7"),
        track("4", 3 * DAY, "Signed Up", "laptop"),
        page("5", 4 * DAY, "stranger"),
    ]


def test_who_buys_without_an_account_is_a_journey_of_its_own_with_all_devices():
    for found in in_many_orders(_buyer()):
        assert found.conversions() == [("signup", "", "joe@gmail.com")]
        quarter = Decimal("0.25")
        assert found.credit() == {("", day * DAY): quarter for day in range(4)}
        assert found.tables.get("accounts", {}) == {}  # nobody that sales could call


def test_an_anonymous_buyer_is_a_journey_until_the_person_is_known():
    anonymous = [page("1", 0, "ann"), track("2", DAY, "Signed Up", "ann")]
    for found in in_many_orders(anonymous):
        assert found.conversions() == [("signup", "", "ann")]
        assert found.credit() == {("", 0): Decimal("0.5"), ("", DAY): Decimal("0.5")}
    for found in in_many_orders([*anonymous, login("3", 2 * DAY, "ann", "7", "joe@gmail.com")]):
        assert found.conversions() == [("signup", "", "joe@gmail.com")]
        assert found.credit() == {("", 0): Decimal("0.5"), ("", DAY): Decimal("0.5")}


def test_a_buyers_journey_becomes_the_accounts_once_there_is_one():
    events = [*_buyer(), link("k", 5 * DAY, "e:joe@gmail.com", "a:acme")]
    for found in in_many_orders(events):
        assert found.conversions() == [("signup", "acme", "joe@gmail.com")]
        assert {account for account, _ in found.credit()} == {"acme"}
        assert sum(found.credit().values()) == 1
    before = outcome(_buyer())
    for found in in_many_orders([*events, unlink("k", 6 * DAY, "e:joe@gmail.com")]):
        assert found.tables["credits"] == before.tables["credits"]
        assert found.conversions() == before.conversions()


def test_what_a_person_does_on_an_account_is_not_the_buyers():
    joins = hit(kinds.GROUP, "g", 5 * DAY, "laptop", user="7", group="acme")
    # The group holds for the time before it, too, so the sign-up is the account's.
    for found in in_many_orders([*_buyer(), joins]):
        assert found.conversions() == [("signup", "acme", "joe@gmail.com")]


ACME = {"company": "acme.com"}


def test_a_visit_from_a_companys_network_is_the_companys_and_the_person_stays_unknown():
    events = [page("1", 0, "ann", **ACME), page("2", DAY, "ann"), track("3", 2 * DAY, "Form Submitted", "ann", **ACME)]
    for found in in_many_orders(events):
        assert found.touches() == [
            (0, "acme.com", "ann"), (DAY, "", "ann"), (2 * DAY, "acme.com", "ann"), (2 * DAY, "acme.com", "ann"),
        ]  # fmt: skip
        assert [t.get("by_network") for t in found.tables["touches"].values()].count(True) == 3


def test_a_visit_follows_the_account_that_the_company_belongs_to():
    events = [page("1", 0, "ann", **ACME), crm_account("a", DAY, "crm-1", "acme.com")]
    all_say(events, [(0, "crm-1", "ann")])


def test_a_visit_moves_when_its_visitor_is_known_whatever_the_network_says():
    events = [page("1", 0, "ann", **ACME), login("2", DAY, "ann", "7", "eve@beta.org", **ACME)]
    for found in in_many_orders(events):
        assert found.touches() == [(0, "beta.org", "eve@beta.org"), (DAY, "beta.org", "eve@beta.org")]
        assert not any(t.get("by_network") for t in found.tables["touches"].values())


def test_a_private_person_in_the_office_is_the_companys_visit_and_nobody_elses_is():
    events = [
        login("1", 0, "ann", "7", "joe@gmail.com", **ACME),
        page("2", DAY, "ann"),
        login("3", 2 * DAY, "laptop", "7"),
    ]
    who = "joe@gmail.com"
    all_say(events, [(0, "acme.com", who), (DAY, "", who), (2 * DAY, "", who)])


def test_the_first_company_of_a_session_counts_and_providers_are_none():
    events = [
        page("1", 0, "ann", company="comcast.net"),
        page("2", MINUTE, "ann", company="acme.com"),
        page("3", 2 * MINUTE, "ann", company="beta.org"),
    ]
    all_say(events, [(0, "acme.com", "ann")])


def test_who_converts_in_an_office_is_a_buyer_not_the_companys_guess():
    events = [page("1", 0, "ann", **ACME), track("2", MINUTE, "Signed Up", "ann", **ACME)]
    for found in in_many_orders(events):
        assert found.conversions() == [("signup", "", "ann")]
        assert found.touches() == [(0, "", "ann")]
        assert found.credit() == {("", 0): Decimal(1)}


def test_an_opportunity_without_an_account_is_its_first_contacts():
    properties = {"id": "o2", "stage": "won", "amount": "50.00", "currency": "EUR", "contact_emails": ["joe@gmail.com"]}
    sold = make(kinds.CRM_OPPORTUNITY, "default/o:o2", "w", 3 * DAY, properties=properties)
    events = [login("1", 0, "phone", "7", "joe@gmail.com"), page("2", DAY, "phone"), sold]
    for found in in_many_orders(events):
        assert found.conversions() == [("open", "", "joe@gmail.com"), ("won", "", "joe@gmail.com")]
        assert found.credit() == {("", 0): Decimal(1), ("", DAY): Decimal(1)}
