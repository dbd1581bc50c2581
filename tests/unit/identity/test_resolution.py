"""Who owns what: precedence, defaults, people, history. Each test is a rule of docs/identity.md."""

import itertools

import pytest

from schemas.messages import BEGINNING, Claim, Merge, Owner, Retract
from schemas.rules import Rules
from stream.core import identity
from stream.core.identity import node as node_module
from stream.core.identity import precedence
from stream.core.identity.resolution import Decider, first_resolution
from stream.core.nodes import NodeState
from tests.unit.identity.forest import Forest, name, registry


def claim(child: str, parent: str, strength: int, at: int = 0, **more) -> Claim:
    made = {"id": f"{parent} {strength} {at}", "parent": name(parent), "precedence": strength, "at": at, "source": "x"}
    return Claim(name(child), "cause", **made | more)


def test_an_anonymous_visitor_is_a_person_without_account_and_costs_no_state():
    forest = Forest()

    assert forest.owner("v:1") == Owner("", 0, name("v:1"))
    assert forest.state.encoded == {}


@pytest.mark.parametrize("one", ["v:1", "u:7", "o:1"])
def test_of_whom_nobody_said_anything_is_known_without_deciding(one):
    assert first_resolution(name(one)) == Decider(name(one), NodeState(), Rules()).resolution()


def test_a_work_address_belongs_to_the_account_of_its_domain():
    forest = Forest()

    assert forest.owner("e:ann@acme.com") is None  # the domain has not answered yet
    forest.loop()
    assert forest.owner("e:ann@acme.com") == Owner(name("d:acme.com"), 20, name("e:ann@acme.com"))


def test_settle_runs_when_the_gate_opens():
    forest = Forest()
    forest.enter("e:ann@acme.com")
    assert forest.owner("e:ann@acme.com") is None
    assert forest.settled == []

    forest.loop()

    assert forest.settled == [name("e:ann@acme.com")]  # the domain has no records of its own


def test_a_freemail_address_is_a_person_without_account():
    assert Forest().owner("e:ann@gmail.com") == Owner("", 0, name("e:ann@gmail.com"))


def test_a_role_address_gives_an_account_but_never_a_person():
    forest = Forest()
    forest.tell(claim("u:7", "e:info@acme.com", precedence.LINK))

    assert (forest.account("e:info@acme.com"), forest.person("e:info@acme.com")) == ("d:acme.com", "")
    assert (forest.account("u:7"), forest.person("u:7")) == ("d:acme.com", "u:7")


def test_the_person_comes_from_the_address_and_the_account_from_the_group():
    forest = Forest()
    forest.tell(claim("u:7", "e:ann@acme.com", precedence.LINK), claim("u:7", "a:beta", precedence.GROUP))

    assert forest.owner("u:7") == Owner(name("a:beta"), 60, name("e:ann@acme.com"))


def test_a_crm_contact_beats_the_group_of_the_user_and_an_operator_beats_both():
    forest = Forest()
    forest.tell(claim("u:7", "e:ann@acme.com", precedence.LINK), claim("u:7", "a:group", precedence.GROUP))
    forest.tell(claim("e:ann@acme.com", "a:crm", precedence.CRM))
    assert forest.account("u:7") == "a:crm"

    forest.tell(claim("u:7", "a:hand", precedence.OPERATOR))

    assert (forest.account("u:7"), forest.account("e:ann@acme.com")) == ("a:hand", "a:crm")


def test_at_equal_rank_the_own_claim_wins_over_the_address():
    forest = Forest()
    forest.tell(claim("u:7", "e:ann@acme.com", precedence.LINK), claim("u:7", "a:own", precedence.CRM))
    forest.tell(claim("e:ann@acme.com", "a:address", precedence.CRM))

    assert forest.account("u:7") == "a:own"


def test_an_operator_on_the_domain_beats_the_crm_on_the_address():
    forest = Forest()
    forest.tell(claim("e:ann@acme.com", "a:crm", precedence.CRM), claim("d:acme.com", "a:hand", precedence.OPERATOR))

    assert forest.account("e:ann@acme.com") == "a:hand"


def test_a_job_change_leaves_the_past_with_the_old_employer():
    forest = Forest()
    forest.tell(claim("e:ann@gmail.com", "a:old", precedence.CRM, at=100, since=100))
    forest.tell(claim("e:ann@gmail.com", "a:new", precedence.CRM, at=200, since=200))

    found = [forest.account("e:ann@gmail.com", at) for at in (BEGINNING, 99, 100, 199, 200, 9999)]
    assert found == ["a:old", "a:old", "a:old", "a:old", "a:new", "a:new"]


def test_an_ended_claim_leaves_nothing_behind_and_an_empty_one_never_counts():
    forest = Forest()
    forest.tell(claim("e:ann@acme.com", "a:crm", precedence.CRM, since=10, until=20))
    forest.tell(claim("e:ann@acme.com", "a:empty", precedence.OPERATOR, since=10, until=10))

    assert [forest.account("e:ann@acme.com", at) for at in (0, 10, 19, 20)] == ["a:crm", "a:crm", "a:crm", "d:acme.com"]


def test_a_merge_moves_everybody_and_taking_it_back_moves_them_back():
    forest = Forest()
    forest.tell(claim("u:7", "a:loser", precedence.GROUP))
    forest.tell(Merge(registry(), "c", "m", name("a:loser"), name("a:winner"), 100, 5))
    assert (forest.account("u:7"), forest.account("a:loser")) == ("a:winner", "a:winner")

    forest.tell(Retract(registry(), "c", "m"))

    assert (forest.account("u:7"), forest.account("a:loser")) == ("a:loser", "a:loser")


def test_a_merge_with_another_tenants_account_is_refused():
    forest = Forest()
    forest.tell(Merge(registry(), "c", "m", name("a:loser"), "other/a:winner", 100, 5))
    forest.tell(Claim(name("u:7"), "c", "k", "other/a:winner", 60))

    assert (forest.account("a:loser"), forest.account("u:7")) == ("a:loser", "")


def test_a_domain_that_becomes_freemail_lets_its_addresses_go_and_takes_them_back():
    forest = Forest()
    assert forest.account("e:ann@acme.com") == "d:acme.com"

    before, forest.step.rules = forest.step.rules, Rules(freemail_domains=("acme.com",))
    identity.rules_changed(forest.step, before)
    assert forest.account("e:ann@acme.com") == ""

    before, forest.step.rules = forest.step.rules, Rules()
    identity.rules_changed(forest.step, before)
    assert forest.account("e:ann@acme.com") == "d:acme.com"


def test_a_session_with_a_user_belongs_to_the_user():
    forest = Forest()
    forest.tell(claim("u:7", "e:ann@acme.com", precedence.LINK))
    forest.link("v:1", "u:7")

    assert forest.owner("v:1", 0, "u:7") == Owner(name("d:acme.com"), 20, name("e:ann@acme.com"))


def test_a_session_without_user_belongs_to_the_single_user_of_the_device():
    forest = Forest()
    forest.tell(claim("u:7", "a:acme", precedence.GROUP))
    forest.link("v:1", "u:7")

    assert (forest.account("v:1"), forest.person("v:1")) == ("a:acme", "u:7")


def test_on_a_shared_device_nobody_owns_the_sessions_without_user():
    forest = Forest()
    forest.tell(claim("u:7", "a:acme", precedence.GROUP), claim("u:8", "a:beta", precedence.GROUP))
    forest.link("v:1", "u:7")
    forest.link("v:1", "u:8")

    assert (forest.account("v:1"), forest.person("v:1")) == ("", "v:1")
    assert (forest.account("v:1", 0, "u:7"), forest.account("v:1", 0, "u:8")) == ("a:acme", "a:beta")


def test_when_the_second_users_last_session_is_gone_the_device_is_the_firsts_again():
    forest = Forest()
    forest.tell(claim("u:7", "a:acme", precedence.GROUP))
    forest.link("v:1", "u:7")
    forest.link("v:1", "u:8", 2)
    forest.link("v:1", "u:8", -1)
    assert forest.account("v:1") == ""

    forest.settled.clear()
    forest.link("v:1", "u:8", -1)

    assert (forest.account("v:1"), forest.settled) == ("a:acme", [name("v:1")])


def test_an_operators_link_beats_every_sessions_own_user():
    forest = Forest()
    forest.link("v:1", "u:7")
    forest.tell(claim("v:1", "u:9", precedence.OPERATOR), claim("u:9", "a:nine", precedence.GROUP))

    assert (forest.account("v:1", 0, "u:7"), forest.person("v:1")) == ("a:nine", "u:9")


def test_an_alias_is_one_more_user_of_the_device():
    forest = Forest()
    forest.tell(claim("v:1", "u:9", precedence.LINK))
    assert forest.person("v:1") == "u:9"

    forest.link("v:1", "u:7")

    assert forest.person("v:1") == "v:1"
    assert forest.person("v:1", 0, "u:7") == "u:7"


def test_a_group_call_without_user_gives_the_visitor_an_account_but_no_other_person():
    forest = Forest()
    forest.tell(claim("v:1", "a:acme", precedence.GROUP))

    assert forest.owner("v:1") == Owner(name("a:acme"), 60, name("v:1"))


def test_an_opportunity_belongs_to_its_account_or_else_to_its_contacts_account():
    forest = Forest()
    forest.tell(claim("o:1", "a:acme", precedence.CRM))
    forest.tell(claim("o:2", "e:ann@beta.org", precedence.CRM))

    assert forest.owner("o:1") == Owner(name("a:acme"), 80, "")
    assert forest.owner("o:2") == Owner(name("d:beta.org"), 20, name("e:ann@beta.org"))


def test_a_changed_node_is_booked_once_a_frame_as_it_stands_in_the_end():
    forest = Forest()
    forest.tell(claim("u:7", "a:one", precedence.GROUP, at=1), claim("u:7", "a:two", precedence.GROUP, at=5, since=5))
    row = forest.rows()["u:7"]

    assert (row.kind, row.since, row.account_id, row.person_id) == ("user", [BEGINNING, 5], ["one", "two"], ["7", "7"])
    forest.tell(claim("u:7", "a:old", precedence.GROUP + 1, at=1, until=3, source="crm.contact"))
    row = forest.rows()["u:7"]
    assert (row.since, row.account_id) == ([BEGINNING, 3, 5], ["old", "one", "two"])
    assert row.source == ["crm.contact", "x", "x"]
    assert (row.version, row.recorded_at, row.cause_event_id) == (1, 1001, "cause")
    assert forest.rows() == {}


def test_a_retraction_that_comes_first_is_remembered():
    forest = Forest()
    taken = claim("u:7", "a:one", precedence.GROUP)
    forest.tell(Retract(name("u:7"), "c", taken.id), taken)

    assert forest.account("u:7") == ""


def test_a_visitor_id_that_hundreds_of_users_share_is_nobodys_for_good(monkeypatch):
    monkeypatch.setattr(node_module, "MOST_USERS", 3)
    forest = Forest()
    forest.tell(claim("u:1", "a:one", precedence.GROUP))
    for user in "123":
        forest.link("v:1", f"u:{user}")
    assert forest.account("v:1", 0, "u:1") == "a:one"

    forest.settled.clear()
    forest.link("v:1", "u:4")
    assert forest.settled == [name("v:1")]
    before = dict(forest.state.encoded)
    forest.link("v:1", "u:5")
    forest.link("v:1", "u:1", -1)

    assert forest.state.encoded == before
    assert forest.owner("v:1", 0, "u:1") == Owner("", 0, name("v:1"))
    forest.tell(claim("v:1", "a:hand", precedence.OPERATOR))
    assert forest.account("v:1", 0, "u:1") == "a:hand"


def test_a_user_with_a_thousand_addresses_is_nobody_in_particular_whatever_the_order(monkeypatch):
    monkeypatch.setattr(node_module, "MOST_CLAIMS", 3)
    messages = [claim("u:1", f"e:{i}@acme.com", precedence.LINK, at=i) for i in range(3)]
    messages += [Retract(name("u:1"), "c", messages[0].id), claim("u:1", "a:hand", precedence.OPERATOR)]
    for order in itertools.permutations(messages):
        forest = Forest()
        forest.tell(*order)

        assert forest.owner("u:1") == Owner(name("a:hand"), 100, name("u:1"))


def test_a_node_at_its_limit_of_claims_still_counts_them_all(monkeypatch):
    monkeypatch.setattr(node_module, "MOST_CLAIMS", 2)
    forest = Forest()
    forest.tell(*(claim("u:1", f"e:{i}@acme.com", precedence.LINK, at=i) for i in range(2)))

    assert forest.person("u:1") == "e:1@acme.com"
