"""Why something is whose, and what would move: worked out by hand from a handful of claims."""

from decimal import Decimal

import pytest

from schemas.messages import BEGINNING
from schemas.rules import Rules
from stream.core.identity.book import Book, Held, Known
from stream.core.identity.explanation import explain
from stream.core.identity.prediction import Credit, Move, Record, predict, with_claim, without_claims

V, U, E, D = "t/v:1", "t/u:7", "t/e:ann@acme.com", "t/d:acme.com"


def known(node, parent, source, rank, *, at=1, since=BEGINNING, until=None, live=True):
    return Known(
        node, f"{source} {parent}", Held(parent, rank, at, since, until, source), live, cause=f"{source} event"
    )


SESSION = known(V, U, "session", 50)
TRAIT = known(U, E, "trait", 50)
DOMAINS = known(D, "t/a:acme", "crm.account", 40)
GROUP = known(U, "t/a:beta", "group", 60, since=10)
CHAIN = [SESSION, TRAIT, DOMAINS]


def steps(found):
    return [(e.node, e.reason.parent, e.role, e.reason.source, e.reason.rank) for e in found.edges]


def test_the_way_from_visitor_to_account_is_told_step_by_step():
    found = explain(Book(CHAIN, Rules()), V, at=5)
    assert (found.account, found.person, found.rank) == ("t/a:acme", E, 40)
    assert steps(found) == [
        (V, U, "person", "session", 50),
        (U, E, "person", "trait", 50),
        (E, D, "account", "domain", 40),
        (D, "t/a:acme", "account", "crm.account", 40),
    ]
    assert [e.reason.claim.cause if e.reason.claim else "" for e in found.edges] == [
        "session event", "trait event", "", "crm.account event",
    ]  # fmt: skip


def test_what_lost_is_told_with_its_rank():
    found = explain(Book([*CHAIN, GROUP, known(U, "t/a:gamma", "group", 60, at=0)], Rules()), U, at=20)
    assert found.account == "t/a:beta"
    (edge,) = [e for e in found.edges if e.role == "account"]
    assert [(r.parent, r.rank, r.note) for r in edge.lost] == [
        (E, 40, "rank 40 is not above 60"),
        ("t/a:gamma", 60, "the same rank, and earlier"),
    ]


def test_a_claim_that_was_taken_back_is_told_too():
    gone = known(U, "t/a:beta", "operator", 100, live=False)
    found = explain(Book([*CHAIN, gone], Rules()), U, at=5)
    assert found.account == "t/a:acme"
    assert found.taken_back == [gone]


def test_a_merge_is_the_last_step_and_one_that_closes_a_circle_is_told_to_have_lost():
    merges = [known("t/a:acme", "t/a:new", "operator", 100, at=2), known("t/a:new", "t/a:acme", "operator", 100, at=1)]
    found = explain(Book([*CHAIN, *merges], Rules()), D, at=5)
    assert found.account == "t/a:new"
    assert steps(found)[-1] == ("t/a:acme", "t/a:new", "account", "merge", 100)


def test_of_a_shared_device_the_session_decides():
    both = [*CHAIN, known(V, "t/u:8", "session", 50), known("t/u:8", "t/a:other", "group", 60)]
    book = Book(both, Rules())
    assert explain(book, V, at=5).account == ""
    assert explain(book, V, at=5, via="t/u:8").account == "t/a:other"


def rules_of(found):
    return [(p.node, p.rule) for p in found.protections]


def test_a_user_with_six_companies_is_told_to_be_over_the_limit_and_one_with_five_is_not():
    six = [known(U, f"t/e:ann@firm{n}.com", "trait", 50, at=n) for n in range(6)]
    over = explain(Book(six, Rules()), U, at=9)
    assert (over.account, over.person, rules_of(over)) == ("", "", [(U, "limit")])
    assert "more than 5 companies" in over.protections[0].why
    assert rules_of(explain(Book(six[:5], Rules()), U, at=9)) == []


def test_a_user_of_more_than_a_thousand_visitors_is_told_to_be_over_that_limit():
    found = explain(Book([*CHAIN, known(U, "", "limit", 0)], Rules()), U, at=9)
    assert rules_of(found) == [(U, "limit")]
    assert "more than 1000 visitors" in found.protections[0].why


def test_of_a_shared_device_it_is_told_how_many_share_it_but_not_of_a_session_with_a_user():
    book = Book([*CHAIN, known(V, "t/u:8", "session", 50)], Rules())
    found = explain(book, V, at=5)
    assert rules_of(found) == [(V, "shared_device")]
    assert found.protections[0].why.startswith("2 users share this device")
    assert rules_of(explain(book, V, at=5, via=U)) == []


def test_of_two_crm_accounts_with_one_domain_the_one_that_named_it_later_is_told_to_be_later():
    first, second = (
        known(D, f"t/a:{name}", "crm.account", 40, at=-time) for name, time in (("first", 1), ("second", 2))
    )
    (edge,) = explain(Book([first, second], Rules()), D, at=5).edges
    assert edge.reason.parent == "t/a:first"
    assert [(r.parent, r.note) for r in edge.lost] == [("t/a:second", "the same rank, and later")]


def test_of_very_many_claims_fifty_are_told_and_how_many_more_there_are():
    groups = [known(U, f"t/a:{n}", "group", 60, at=n) for n in range(60)]
    gone = [known(U, f"t/a:gone{n}", "group", 60, live=False) for n in range(53)]
    found = explain(Book([*groups, *gone], Rules()), U, at=99)
    (edge,) = found.edges
    assert (edge.reason.parent, len(edge.lost), edge.more_lost) == ("t/a:59", 50, 9)
    assert edge.lost[0].parent == "t/a:58"
    assert (len(found.taken_back), found.more_taken_back) == (50, 3)


@pytest.mark.parametrize(
    ("address", "rule"),
    [
        ("joe@gmail.com", "freemail"),
        ("joe@posteo.de", "freemail"),
        ("joe@mailinator.com", "disposable"),
        ("joe@relay.firefox.com", "relay"),
        ("joe@t-online.de", "provider"),
        ("joe@ourmail.org", "freemail_domains"),
        ("info@acme.com", "role_address"),
    ],
)
def test_an_address_says_by_which_list_its_domain_owns_nothing_or_it_is_nobody(address, rule):
    found = explain(Book([], Rules(freemail_domains=("ourmail.org",))), f"t/e:{address}", at=5)
    assert rule in {p.rule for p in found.protections if p.node == f"t/e:{address}"}


def by_node(claims):
    found = {}
    for claim in claims:
        found.setdefault(claim.node, []).append(claim)
    return found


def book(claims):
    return Book([c for cs in claims.values() for c in cs], Rules())


TOUCHES = [
    Record("t1", V, 5, "acme", "ann@acme.com"),
    Record("t2", V, 15, "acme", "ann@acme.com"),
    Record("c1", V, 16, "acme", "ann@acme.com", is_conversion=True),
]
BOOKED = [
    Credit("t1", "linear", "EUR", Decimal("0.5"), Decimal(50)),
    Credit("t2", "linear", "EUR", Decimal("0.5"), Decimal(50)),
    Credit("t2", "last", "EUR", Decimal(1), Decimal(100)),
]


def test_a_link_from_a_time_on_moves_what_came_after_it_with_its_credit():
    before = by_node(CHAIN)
    after = with_claim(before, known(U, "t/a:beta", "operator", 100, since=10))
    (move,) = predict(book(before), book(after), TOUCHES, BOOKED)
    assert (move.source, move.target, move.touches, move.conversions) == ("acme", "beta", 1, 1)
    assert [(a.model, a.credit, a.amount) for a in move.credits] == [
        ("linear", Decimal("0.5"), Decimal(50)), ("last", Decimal(1), Decimal(100)),
    ]  # fmt: skip


def test_a_claim_taken_back_uncovers_what_was_below_it():
    before = by_node([*CHAIN, known(U, "t/a:beta", "operator", 100)])
    records = [Record("t1", V, 5, "beta", "ann@acme.com")]
    after = without_claims(before, [before[U][1]])
    assert predict(book(before), book(after), records, []) == [Move("beta", "acme", touches=1)]


def test_who_only_gets_another_name_is_counted_apart():
    before = by_node([SESSION, GROUP])
    after = with_claim(before, known(U, "t/e:ann@gmail.com", "operator", 100))
    records = [Record("t1", V, 15, "beta", "7")]
    assert predict(book(before), book(after), records, []) == [Move("beta", "beta", people=1)]


def test_what_would_change_nothing_moves_nothing():
    before = by_node(CHAIN)
    assert predict(book(before), book(before), TOUCHES, BOOKED) == []
