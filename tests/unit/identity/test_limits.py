"""What has too much to be one person or account is nobody, whatever came first; who takes back what is too much returns."""

import random

import pytest

from schemas import event as kinds
from schemas.messages import Claim, Merge, Retract, Unsubscribe
from schemas.rules import Rules
from stream.core.identity import registry as merging
from stream.core.identity.book import Book
from stream.core.identity.protection import protections
from tests.support.claims import known_of
from tests.unit.identity.forest import Forest, event, name, registry

SHARED = event(kinds.IDENTIFY, "u:admin", 1, user="admin", email="ann@acme.com")


def visitors(count: int) -> list[str]:
    return [f"v:{number}" for number in range(count)]


def test_an_id_that_more_than_a_thousand_devices_share_is_nobody():
    forest = Forest(chunk=5000)
    forest.observe(SHARED)
    for visitor in visitors(1000):
        forest.link(visitor, "u:admin")
    assert (forest.account("v:3"), forest.person("v:3")) == ("d:acme.com", "e:ann@acme.com")

    forest.link("v:one-more", "u:admin")
    assert (forest.account("v:3"), forest.person("v:3")) == ("", "v:3")
    assert (forest.account("u:admin"), forest.person("u:admin")) == ("", "")

    # Without the one it is a person again: only what belongs to it now counts, not the order.
    forest.link("v:one-more", "u:admin", -1)
    assert (forest.account("v:3"), forest.person("v:3")) == ("d:acme.com", "e:ann@acme.com")


def test_it_does_not_count_whether_the_devices_or_the_address_came_first():
    forest = Forest(chunk=5000)
    for visitor in visitors(1001):
        forest.link(visitor, "u:admin")
    forest.observe(SHARED)
    assert (forest.account("v:3"), forest.person("v:3")) == ("", "v:3")


def test_an_operator_may_say_whose_it_is_all_the_same():
    forest = Forest(chunk=5000)
    for visitor in visitors(1001):
        forest.link(visitor, "u:kiosk")
    words = {"claim": "k", "parent": "a:fair"}
    forest.observe(event(kinds.IDENTITY_LINK, "u:kiosk", 1, id="k", properties=words))
    assert forest.account("v:3") == "a:fair"


def test_the_audit_knows_of_it_so_an_explanation_says_the_same():
    forest = Forest(chunk=5000)
    forest.observe(SHARED)
    for visitor in visitors(1001):
        forest.link(visitor, "u:admin")
    book = Book(known_of(forest.step.rows["identity_claims"]), Rules())
    assert book.decision(name("v:3"), 5).owner == forest.owner("v:3", 5)


def limits(forest: Forest, short: str) -> list[str]:
    book = Book(known_of(forest.step.rows["identity_claims"]), Rules())
    assert book.decision(name(short), 5).owner == forest.owner(short, 5)
    return [rule.why for rule in protections(book, name(short)) if rule.rule == "limit"]


def test_a_visitor_of_more_than_five_hundred_users_is_told_to_be_over_the_limit():
    forest = Forest(chunk=5000)
    for number in range(500):
        forest.link("v:kiosk", f"u:{number}")
    assert limits(forest, "v:kiosk") == []
    forest.link("v:kiosk", "u:one-more")
    (why,) = limits(forest, "v:kiosk")
    assert "more than 500 users" in why


def test_users_that_left_a_visitor_again_count_towards_that_limit_and_those_that_a_replaced_content_named():
    """Which of them were ever there at a time depends on the order in which contents of events came."""
    forest = Forest(chunk=5000)
    for number in range(250):
        forest.link("v:lent", f"u:{number}")
        forest.link("v:lent", f"u:{number}", -1)
    for number in range(250, 500):
        forest.link("v:lent", f"u:{number}", 0)
    forest.link("v:lent", "u:0", 0)  # known already
    assert limits(forest, "v:lent") == []
    forest.link("v:lent", "u:1")
    assert forest.person("v:lent") == "u:1"
    forest.link("v:lent", "u:one-more", 0)
    (why,) = limits(forest, "v:lent")
    assert "more than 500 users" in why
    assert forest.person("v:lent") == "v:lent"


def claimed(number: int) -> Claim:
    account = name(f"a:{number}")
    return Claim(name("u:busy"), "c", id=f"group {account}", parent=account, precedence=60, at=number, since=number)


def test_what_more_than_a_thousand_claims_were_made_of_is_told_to_be_over_that_limit():
    forest = Forest(chunk=5000)
    forest.tell(*map(claimed, range(1000)))
    assert limits(forest, "u:busy") == []
    forest.tell(claimed(1000))
    (why,) = limits(forest, "u:busy")
    assert "more than 1000 claims" in why


def test_claims_that_were_taken_back_count_towards_that_limit_even_if_none_is_left():
    forest = Forest(chunk=5000)
    for number in range(1001):
        forest.tell(claimed(number), Retract(name("u:busy"), "c", f"group {name(f'a:{number}')}"))
        if number in {999, 1000}:
            assert (limits(forest, "u:busy") != []) == (number == 1000)
    forest.tell(claimed(5000))  # refused, so not booked
    assert forest.account("u:busy") == ""


@pytest.mark.parametrize(
    ("type_", "child", "said"),
    [
        (kinds.CRM_ACCOUNT, "a:A1", {"domains": ["acme.com"]}),
        (kinds.CRM_OPPORTUNITY, "o:O1", {"account_id": "A1"}),
        (kinds.CRM_CONTACT, "u:contact:1", {"account_id": "A1"}),
    ],
)
def test_a_thousand_versions_of_a_crm_object_that_say_the_same_are_one_claim_also_if_the_newest_comes_first(
    type_, child, said
):
    node = {"a:A1": "d:acme.com"}.get(child, child)
    for order in (range(1001), reversed(range(1001))):
        forest = Forest(chunk=5000)
        forest.observe(*(event(type_, child, at, id=f"v{at}", properties=said) for at in order))
        assert forest.account(node) == "a:A1"
        assert limits(forest, node) == []


@pytest.mark.parametrize(("type_", "child"), [(kinds.CRM_OPPORTUNITY, "o:O1"), (kinds.CRM_ACTIVITY, "m:M1")])
def test_an_opportunity_or_activity_that_was_on_a_thousand_accounts_is_on_the_last_whatever_the_order(type_, child):
    """Which of them were claimed on the way depends on the order; it is never on two at a time."""
    for order in (range(1002), reversed(range(1002))):
        forest = Forest(chunk=5000)
        moved = [event(type_, child, at, id=f"v{at}", name="call", properties={"account_id": f"A{at}"}) for at in order]
        forest.observe(*moved)
        assert forest.account(child) == "a:A1001"
        assert limits(forest, child) == []


def address(number: int, at: int = 1):
    email = f"a{number}@company{number}.com"
    return event(kinds.IDENTIFY, "u:7", at, id=email, user="7", email=email)


def test_a_user_with_addresses_of_more_than_five_companies_is_nobody_whatever_the_order():
    six = [address(number) for number in range(6)]
    for seed in range(5):
        forest = Forest(chunk=5000)
        forest.observe(*random.Random(seed).sample(six, 6))
        assert (forest.account("u:7"), forest.person("u:7")) == ("", "")

    forest = Forest(chunk=5000)
    forest.observe(*six[:5])
    assert forest.account("u:7").startswith("d:company")


def test_a_login_of_six_companies_has_no_group_either_until_an_operator_says_whose_it_is():
    group = event(kinds.GROUP, "u:7", 3, user="7", group="agency")
    words = {"claim": "k", "parent": "a:agency"}
    link = event(kinds.IDENTITY_LINK, "u:7", 4, id="k", properties=words)
    forest = Forest(chunk=5000)
    forest.observe(*(address(number) for number in range(6)), group)
    assert (forest.account("u:7"), forest.person("u:7")) == ("", "")

    forest.observe(link)
    assert forest.account("u:7") == "a:agency"


def test_private_addresses_and_further_ones_of_a_company_do_not_count():
    forest = Forest(chunk=5000)
    forest.observe(*(address(number) for number in range(5)))
    for email in ("b@company1.com", "ann@gmail.com", "ann@hey.com", "c@company1.com"):
        forest.observe(event(kinds.IDENTIFY, "u:7", 2, id=email, user="7", email=email))
    assert forest.account("u:7").startswith("d:company")


def test_a_claim_taken_back_makes_it_a_person_again_also_if_it_was_taken_back_first():
    six = [address(number) for number in range(6)]
    back = Retract(name("u:7"), "c", f"trait {name('e:a5@company5.com')}")
    late, early = Forest(), Forest()
    late.observe(*six)
    late.tell(back)
    early.tell(back)
    early.observe(*six)
    assert late.account("u:7") == early.account("u:7") == "d:company4.com"


def test_an_account_takes_in_a_hundred_others_the_strongest_first():
    merges = [Merge(registry(), "c", f"m{n:03}", name(f"a:{n}"), name("a:top"), 100, n) for n in range(1, 102)]
    for seed in range(3):
        forest = Forest(chunk=5000)
        forest.tell(*random.Random(seed).sample(merges, len(merges)))
        assert forest.account("a:2") == "a:top"
        assert forest.account("a:1") == "a:1"  # the earliest word is the weakest


def test_accounts_that_took_in_others_count_with_them():
    held = {f"m{n}": merging.HeldMerge(f"a:{n}", "a:one" if n < 60 else "a:two", 100, 1000 - n) for n in range(110)}
    held["both"] = merging.HeldMerge("a:two", "a:one", 100, 0)
    accepted = merging.accepted(held)
    assert "a:two" not in accepted  # 60 + 50 + 1
    assert len(accepted) == 110


def test_who_unsubscribes_twice_is_counted_once():
    forest = Forest(chunk=5000)
    forest.observe(SHARED)
    for visitor in visitors(1001):
        forest.link(visitor, "u:admin")
    forest.tell(*[Unsubscribe(name("u:admin"), "c", name("v:unknown"))] * 3)
    assert forest.account("u:admin") == ""


@pytest.mark.parametrize("taking_back", [False, True])
def test_a_contact_whose_user_is_a_crowd_names_no_address_whichever_came_first(taking_back):
    said = {"id": "1", "email": "ann@acme.com", "account_id": "acme"}
    contact = event(kinds.CRM_CONTACT, "u:contact:1", 10, id="c", email="ann@acme.com", properties=said)
    many = [
        event(kinds.IDENTITY_UNLINK, "u:contact:1", 5, id=f"r{n}", properties={"claim": f"never {n}"})
        if taking_back
        else event(kinds.GROUP, "u:contact:1", 5, id=f"g{n}", user="contact:1", group=f"g{n}")
        for n in range(1002)
    ]
    owners = []
    for events in ([contact, *many], [*many, contact], [*many[:500], contact, *many[500:]]):
        forest = Forest(chunk=5000)
        forest.observe(*events)
        owners.append(forest.account("e:ann@acme.com", 50))
    assert owners == ["d:acme.com"] * 3
