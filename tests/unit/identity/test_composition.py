"""What an account is made of: worked out by hand from a handful of claims and merges."""

import msgspec
import pytest

from schemas.rules import Rules
from stream.core.identity.book import Book
from stream.core.identity.composition import Named, compose, merged_into
from stream.core.identity.explanation import explain
from tests.unit.identity.test_explanation import known

A, B, OLD, OLDER = "t/a:acme", "t/a:beta", "t/a:old", "t/a:older"
ACME, BETA, GMAIL = "t/d:acme.com", "t/d:beta.org", "t/d:gmail.com"


def crm(domain, account, *, at=-1, rank=40, live=True):
    return known(domain, account, "crm.account", rank, at=at, live=live)


def merge(loser, winner, *, at=1, rank=100, live=True):
    claim = known(loser, winner, "operator", rank, at=at, live=live)
    return msgspec.structs.replace(claim, id=f"{loser} {winner}")  # unique among all merges


def domains(claims, account=A, at=5, rules=Rules()):  # noqa: B008 - frozen
    names = sorted({claim.node for claim in claims if claim.node.startswith("t/d:")})
    return compose(Book(claims, rules), account, Named(names), at).domains


def test_a_domain_that_the_crm_names_counts_and_is_told_with_its_claim():
    claim = crm(ACME, A)
    (found,) = domains([claim])
    assert (found.domain, found.counts, found.owner, found.instead) == (ACME, True, A, None)
    assert [(r.claim, r.note) for r in found.claims] == [(claim, "")]


def test_a_domain_that_another_account_named_first_is_told_to_be_its():
    (found,) = domains([crm(ACME, A, at=-2), crm(ACME, B, at=-1)])
    assert (found.counts, found.owner, found.instead.parent) == (False, B, B)
    assert [r.note for r in found.claims] == ["the same rank, and later"]


def test_a_domain_of_higher_rank_elsewhere_is_told_to_have_lost():
    (found,) = domains([crm(ACME, A), known(ACME, B, "operator", 100)])
    assert (found.counts, found.owner, found.instead.source) == (False, B, "operator")
    assert [r.note for r in found.claims] == ["rank 40 is not above 100"]


@pytest.mark.parametrize(
    ("domain", "rules", "rule"),
    [
        (GMAIL, Rules(), "freemail"),
        ("t/d:ourmail.org", Rules(freemail_domains=("ourmail.org",)), "freemail_domains"),
    ],
)
def test_a_protected_domain_is_told_to_own_nothing_and_why(domain, rules, rule):
    (found,) = domains([crm(domain, A)], rules=rules)
    assert (found.counts, found.owner, found.instead) == (False, "", None)
    assert [r.note for r in found.claims] == ["the domain owns nothing"]
    assert [p.rule for p in found.protections] == [rule]


def test_a_host_of_the_crm_that_makes_no_claim_is_told_with_the_list_that_it_is_on():
    named = Named([ACME], 0, ["acme.com", "gmail.com", "co.uk"])
    found = compose(Book([crm(ACME, A)], Rules()), A, named, 5).domains
    assert [(d.domain, d.counts, d.claims != [], [p.rule for p in d.protections]) for d in found] == [
        (ACME, True, True, []),
        ("t/d:co.uk", False, False, ["suffix"]),
        (GMAIL, False, False, ["freemail"]),
    ]


def test_of_very_many_domains_those_that_count_come_first_and_it_is_told_how_many_more_there_are():
    claims = [crm(f"t/d:a{n:02}.com", A, live=n == 59) for n in range(60)]
    named = Named([claim.node for claim in claims], 7, ["gmail.com"])
    found = compose(Book(claims, Rules()), A, named, 5)
    assert (found.domains[0].domain, len(found.domains), found.more_domains) == ("t/d:a59.com", 50, 18)


def test_a_domain_whose_claim_was_taken_back_is_an_account_of_its_own_again():
    (found,) = domains([crm(ACME, A, live=False)])
    assert (found.counts, found.owner) == (False, ACME)
    assert [r.note for r in found.claims] == ["taken back"]


def test_a_claim_for_another_time_does_not_count_at_this_one():
    link = known(ACME, A, "operator", 100, since=10, until=20)
    notes = {at: [r.note for r in domains([link], at=at)[0].claims] for at in (9, 10, 19, 20)}
    assert notes == {9: ["does not hold at that time"], 10: [""], 19: [""], 20: ["does not hold at that time"]}
    assert [domains([link], at=at)[0].counts for at in (9, 10)] == [False, True]


def test_what_was_merged_into_it_brings_its_domains_by_way_of_others_too():
    claims = [merge(OLD, A), merge(OLDER, OLD), crm(ACME, OLDER), crm(BETA, B)]
    assert merged_into(Book(claims, Rules()), A) == [A, OLD, OLDER]
    counts = {found.domain: (found.counts, found.owner) for found in domains(claims)}
    assert counts == {ACME: (True, A), BETA: (False, B)}


def test_an_account_that_was_merged_away_still_shows_what_it_brought():
    (found,) = domains([merge(A, B), crm(ACME, A)])
    assert (found.counts, found.owner) == (True, B)


def merges(claims, account=A):
    found = compose(Book(claims, Rules()), account, Named([]), 5)
    return [(m.loser, m.winner, m.counts, m.reason.note) for m in found.merges]


def test_merges_into_it_are_told_what_counts_first():
    claims = [merge(OLD, A, live=False), merge(OLDER, A), merge("t/a:x", B)]
    assert merges(claims) == [(OLDER, A, True, ""), (OLD, A, False, "taken back")]


def test_a_merge_that_does_not_count_says_why():
    assert merges([merge(OLD, A, rank=80), merge(OLD, B)]) == [(OLD, A, False, "another merge of it is stronger")]
    assert merges([merge(OLD, A, at=2), merge(A, OLD, at=1)]) == [
        (OLD, A, True, ""), (A, OLD, False, "it would close a circle"),
    ]  # fmt: skip


def test_of_more_than_a_hundred_merges_the_limit_is_told_on_both_sides():
    hundred = [merge(f"t/a:{n}", A, at=200 - n) for n in range(100)]
    assert explain(Book(hundred, Rules()), A, 5).protections == []
    one_more = merge("t/a:weak", A, at=1)
    book = Book([*hundred, one_more], Rules())
    for account in (A, "t/a:weak"):
        assert [rule.rule for rule in explain(book, account, 5).protections] == ["limit"]
    (refused,) = compose(book, "t/a:weak", Named([]), 5).merges
    assert (refused.counts, refused.reason.note) == (False, "more than 100 accounts would be one")


def test_of_very_many_merges_and_claims_it_is_told_how_many_more_there_are():
    found = compose(Book([merge(f"t/a:{n}", A, at=n) for n in range(60)], Rules()), A, Named([]), 5)
    assert (len(found.merges), found.more_merges) == (50, 10)
    turns = [known(ACME, A, f"crm.account {n}", 40, live=n == 7) for n in range(8)]
    (domain,) = domains(turns)
    assert (len(domain.claims), domain.more_claims) == (5, 3)
    assert domain.claims[0].note == ""
