"""What operators say: links with a time, retractions by id, merges; all of it as events."""

import msgspec
import pytest

from schemas import event as kinds
from schemas.facts import IdentityClaimRow
from tests.unit.identity.forest import Forest, event

_row = msgspec.json.Decoder(IdentityClaimRow)
REGISTRY = "r:accounts"


def link(child: str, parent: str, at: int = 5, claim: str = "k", **words):
    return event(kinds.IDENTITY_LINK, child, at, id=claim, properties={"claim": claim, "parent": parent} | words)


def unlink(child: str, claim: str = "k", at: int = 6):
    return event(kinds.IDENTITY_UNLINK, child, at, id=f"un {claim}", properties={"claim": claim})


def merge(loser: str, winner: str, at: int = 5, claim: str = "m"):
    words = {"claim": claim, "loser": loser, "parent": winner}
    return event(kinds.IDENTITY_MERGE, REGISTRY, at, id=claim, properties=words)


def booked(forest: Forest) -> list[tuple[str, ...]]:
    rows = [_row.decode(row) for row in forest.step.rows.get("identity_claims", ())]
    return [(r.action, r.node, r.parent, r.source, r.cause_event_id) for r in rows]


def test_an_operator_beats_everybody_and_what_was_there_returns_when_the_link_is_taken_back():
    forest = Forest()
    forest.observe(
        event(kinds.CRM_CONTACT, "e:ann@acme.com", 1, email="ann@acme.com", properties={"account_id": "crm"})
    )
    assert forest.account("e:ann@acme.com") == "a:crm"

    forest.observe(link("e:ann@acme.com", "a:beta"))
    assert forest.account("e:ann@acme.com") == "a:beta"

    forest.observe(unlink("e:ann@acme.com"))
    assert forest.account("e:ann@acme.com") == "a:crm"


def test_a_link_holds_exactly_from_its_beginning_to_its_end():
    forest = Forest()
    forest.observe(link("e:ann@acme.com", "a:beta", since=10, until=20))
    assert [forest.account("e:ann@acme.com", at) for at in (9, 10, 19, 20)] == [
        "d:acme.com", "a:beta", "a:beta", "d:acme.com",
    ]  # fmt: skip


def test_a_link_with_a_beginning_does_not_hide_the_first_claim_of_others_before_it():
    forest = Forest()
    forest.observe(event(kinds.GROUP, "u:7", 30, user="7", group="acme"), link("u:7", "a:beta", since=10, until=20))
    # The first group call holds before its time, too; the link only for its own.
    assert [forest.account("u:7", at) for at in (0, 15, 25, 40)] == ["a:acme", "a:beta", "a:acme", "a:acme"]


def test_from_a_link_for_a_while_nothing_is_guessed_about_the_rest():
    forest = Forest()
    forest.observe(link("v:1", "u:7", since=10, until=20))
    assert [forest.person("v:1", at) for at in (5, 15, 25)] == ["v:1", "u:7", "v:1"]


def test_of_two_operators_the_later_counts():
    forest = Forest()
    forest.observe(link("u:7", "a:late", at=9, claim="b"), link("u:7", "a:early", at=8, claim="c"))
    assert forest.account("u:7") == "a:late"


def test_a_merge_moves_everything_to_the_winner_and_an_unmerge_brings_it_back():
    forest = Forest()
    forest.observe(event(kinds.GROUP, "u:7", 1, user="7", group="old"), merge("a:old", "a:new"))
    assert forest.account("u:7") == "a:new"

    forest.observe(event(kinds.IDENTITY_UNMERGE, REGISTRY, 6, id="un m", properties={"claim": "m"}))
    assert forest.account("u:7") == "a:old"


@pytest.mark.parametrize(
    "wrong",
    [
        link("e:ann@acme.com", "u:7"),  # downward
        link("a:1", "a:2"),  # that is a merge
        link("u:7", "a:1", claim=""),
        link("u:7", "a:1", since="soon"),
        merge("a:1", "a:1"),
        merge("d:acme.com", "a:1"),
        event(kinds.IDENTITY_MERGE, "a:1", 1, properties={"claim": "m", "loser": "a:1", "parent": "a:2"}),
        event(kinds.IDENTITY_UNMERGE, "a:1", 1, properties={"claim": "m"}),
        event(kinds.IDENTITY_LINK, "u:7", 1),
    ],
)
def test_what_cannot_be_said_goes_to_the_dead_letters(wrong):
    forest = Forest()
    assert forest.observe(wrong) == []
    (letters,) = forest.step.sends.values()
    assert b'"bad_value"' in letters[0]


def test_each_claim_and_retraction_is_a_row_with_the_event_that_caused_it():
    forest = Forest()
    forest.observe(event(kinds.IDENTIFY, "u:7", 1, id="i", user="7", email="ann@acme.com"))
    forest.observe(link("u:7", "a:beta"), unlink("u:7"), merge("a:old", "a:new"))
    assert booked(forest) == [
        ("claim", "u:7", "e:ann@acme.com", "trait", "i"),
        ("claim", "u:7", "a:beta", "operator", "k"),
        ("retract", "u:7", "a:beta", "operator", "un k"),
        ("claim", "a:old", "a:new", "operator", "m"),
    ]


def test_a_retraction_that_comes_first_is_a_row_and_so_is_its_claim():
    forest = Forest()
    forest.observe(unlink("u:7"), link("u:7", "a:beta"))
    assert booked(forest) == [("retract", "u:7", "", "", "un k"), ("late", "u:7", "a:beta", "operator", "k")]
    assert forest.account("u:7") == ""


def test_a_repeat_is_no_row():
    forest = Forest()
    forest.observe(link("u:7", "a:beta"), link("u:7", "a:beta"))
    assert len(booked(forest)) == 1


def test_the_first_session_of_a_user_on_a_device_is_a_row_and_the_last_ones_end_too():
    forest = Forest()
    for delta in (1, 1, -1, -1):
        forest.link("v:1", "u:7", delta)
    assert booked(forest) == [
        ("claim", "v:1", "u:7", "session", "who"),
        ("retract", "v:1", "u:7", "session", "who"),
    ]


def test_an_identifier_with_too_many_claims_says_which_no_longer_count():
    forest = Forest()
    for number in range(501):
        forest.link("v:1", f"u:{number}")
    rows = booked(forest)
    assert len([r for r in rows if r[0] == "limit"]) == 501
    assert len(rows) == 2 * 501
