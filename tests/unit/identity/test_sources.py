"""Which claims events make, and that saying the same again costs nothing."""

import itertools

import pytest

from schemas import event as kinds
from schemas.messages import BEGINNING, Claim, Retract
from schemas.rules import Rules
from stream.core.identity import claims_of, session_link
from stream.core.identity.book import Book, Known
from stream.core.identity.folds import LARGEST
from stream.core.identity.node import node_of
from stream.core.identity.prediction import without_claims
from stream.core.seen import record_key
from tests.support.claims import known_of
from tests.unit.identity.forest import Forest, event, name


def test_an_event_with_visitor_and_user_makes_a_session_link_and_no_claim():
    one = event(kinds.PAGE, "v:1", visitor="1", user="7")

    assert session_link(one, Rules()) == name("u:7")
    assert claims_of(one, Rules()) == []


def test_an_address_without_user_is_the_sessions_but_never_beside_a_user():
    assert session_link(event(kinds.TRACK, "v:1", visitor="1", email="ann@acme.com"), Rules()) == name("e:ann@acme.com")
    both = event(kinds.IDENTIFY, "v:1", visitor="1", user="7", email="ann@acme.com")
    assert session_link(both, Rules()) == name("u:7")
    assert [(c.to, c.parent) for c in claims_of(both, Rules())] == [(name("u:7"), name("e:ann@acme.com"))]


@pytest.mark.parametrize("user", ["null", "Undefined", "anonymous", "0000-0000", "-1", '"None"', "x" * 201, "bot"])
def test_ids_that_name_nobody_make_no_link(user):
    one = event(kinds.IDENTIFY, "v:1", visitor="1", user=user, email="ann@acme.com", group="acme")

    assert session_link(one, Rules(blocked_ids=("bot",))) == name("e:ann@acme.com")
    assert [c.to for c in claims_of(one, Rules(blocked_ids=("bot",)))] == [name("v:1")]  # its group only


def test_a_group_call_claims_for_the_user_else_for_the_visitor_from_its_time_on():
    with_user = claims_of(event(kinds.GROUP, "v:1", 50, visitor="1", user="7", group="acme"), Rules())
    without = claims_of(event(kinds.GROUP, "v:1", 50, visitor="1", group="acme"), Rules())

    assert [(c.to, c.parent, c.precedence, c.since) for c in with_user] == [(name("u:7"), name("a:acme"), 60, 50)]
    assert [(c.to, c.parent, c.precedence, c.since) for c in without] == [(name("v:1"), name("a:acme"), 60, 50)]


def test_alias_links_the_previous_visitor_to_the_user():
    one = event(kinds.ALIAS, "v:old", 50, visitor="old", user="7")

    assert session_link(one, Rules()) == ""
    assert [(c.to, c.parent, c.precedence, c.since) for c in claims_of(one, Rules())] == [
        (name("v:old"), name("u:7"), 50, BEGINNING)
    ]


def test_saying_the_same_again_sends_nothing_and_grows_nothing():
    forest = Forest()
    forest.observe(event(kinds.TRACK, "v:1", 10, visitor="1", user="7", email="ann@acme.com", group="acme"))
    before = dict(forest.state.encoded)

    repeats = [
        event(kinds.TRACK, "v:1", at, visitor="1", user="7", email="ann@acme.com", group="acme") for at in (10, 99)
    ]
    assert forest.observe(*repeats) == []
    assert forest.state.encoded == before


def test_saying_the_same_again_at_the_users_own_node_sends_nothing():
    forest = Forest()
    forest.observe(event(kinds.TRACK, "u:7", 10, user="7", email="ann@acme.com"))

    assert forest.observe(event(kinds.TRACK, "u:7", 99, user="7", email="ann@acme.com")) == []


def test_the_earliest_time_that_something_was_said_counts_whatever_the_order():
    said = [
        event(kinds.GROUP, "v:1", at, visitor="1", user="7", group=g) for at, g in ((30, "b"), (10, "a"), (20, "b"))
    ]
    found = set()
    for order in itertools.permutations(said):
        forest = Forest()
        forest.observe(*order)
        found.add(tuple(forest.account("u:7", at) for at in (0, 10, 19, 20, 30)))

    assert found == {("a:a", "a:a", "a:a", "a:b", "a:b")}


def test_a_private_address_never_hides_the_work_address_of_the_same_user():
    forest = Forest()
    forest.observe(event(kinds.IDENTIFY, "u:7", 10, user="7", email="ann@acme.com"))
    forest.observe(event(kinds.IDENTIFY, "u:7", 20, user="7", email="ann@gmail.com"))

    assert (forest.account("u:7", 99), forest.person("u:7", 99)) == ("d:acme.com", "e:ann@acme.com")


def test_a_retracted_claim_is_not_made_again_by_the_next_event():
    forest = Forest()
    said = event(kinds.TRACK, "u:7", 10, user="7", email="ann@acme.com")
    (made,) = [m for m in forest.observe(said) if isinstance(m, Claim)]
    forest.tell(Retract(made.to, "operator", made.id))

    assert forest.observe(event(kinds.TRACK, "u:7", 5, user="7", email="ann@acme.com")) == []
    assert forest.account("u:7") == ""
    assert node_of(forest.state, name("u:7")).parents == {}


# --- CRM ---------------------------------------------------------------------------------------------------------


def contact(at: int, account: str, **more):
    fields = {"email": "ann@acme.com", "properties": {"id": "c1", "email": "ann@acme.com", "account_id": account}}
    return event(kinds.CRM_CONTACT, "e:ann@acme.com", at, **fields | more)


def test_a_contact_that_changes_account_and_returns_is_where_it_was_at_each_time_whatever_the_order():
    versions = [contact(10, "a"), contact(20, "b"), contact(30, "a"), contact(40, "a")]
    found = set()
    for order in itertools.permutations(versions):
        forest = Forest()
        forest.observe(*order)
        found.add(tuple(forest.account("e:ann@acme.com", at) for at in (0, 10, 20, 30, 40)))

    assert found == {("a:a", "a:a", "a:b", "a:a", "a:a")}


def test_contact_versions_that_change_nothing_make_no_claim():
    forest = Forest()
    forest.observe(contact(10, "a"))

    assert forest.observe(contact(20, "a"), contact(30, "a"), contact(10, "a")) == []


def test_a_contact_with_very_many_versions_keeps_them_out_of_its_record_and_none_is_lost():
    address = name("e:ann@acme.com")
    forest = Forest()
    forest.observe(*(contact(10 * i, "a") for i in range(1, 1001)))
    forest.observe(contact(5005, "b"))
    forest.observe(contact(5007, "c"))

    accounts = [forest.account("e:ann@acme.com", at) for at in (0, 5004, 5005, 5007, 5009, 5010, 99_999)]
    assert accounts == ["a:a", "a:a", "a:b", "a:c", "a:c", "a:a", "a:a"]
    assert len(forest.state.encoded[record_key(address)]) < LARGEST


def test_a_contact_with_a_user_says_who_the_user_is():
    forest = Forest()
    forest.observe(contact(10, "a", user="7"))

    assert (forest.account("u:7"), forest.person("u:7")) == ("a:a", "e:ann@acme.com")


def named(at: int, address: str, *, number: str = "1", **more):
    """A contact that enters by its id."""
    fields = {"email": address, "properties": {"id": number, "email": address, "account_id": "crm1"}}
    return event(kinds.CRM_CONTACT, f"u:contact:{number}", at, id=f"{number} {at} {address}", **fields | more)


def test_of_two_addresses_the_one_of_the_latest_version_is_the_contacts_whatever_the_order():
    versions = [named(10, "p@wrongdom.com"), named(20, "p@rightdom.com"), named(30, "p@rightdom.com")]
    for order in itertools.permutations(versions):
        forest = Forest()
        forest.observe(*order)

        assert [forest.account("e:p@wrongdom.com", at) for at in (0, 10, 19, 20)] == ["a:crm1"] * 3 + ["d:wrongdom.com"]
        assert [forest.account("e:p@rightdom.com", at) for at in (0, 10, 20, 99)] == ["a:crm1"] * 4
        assert forest.person("u:contact:1", 99) == "e:p@rightdom.com"


def test_an_address_that_the_contact_has_again_was_never_lost():
    versions = [named(10, "p@wrongdom.com"), named(20, "p@rightdom.com"), named(30, "p@wrongdom.com")]
    for order in itertools.permutations(versions):
        forest = Forest()
        forest.observe(*order)

        assert [forest.account("e:p@wrongdom.com", at) for at in (10, 20, 30)] == ["a:crm1"] * 3
        assert [forest.account("e:p@rightdom.com", at) for at in (20, 29, 30)] == ["a:crm1"] * 2 + ["d:rightdom.com"]


def test_of_two_versions_at_one_moment_the_greater_address_is_the_later_whatever_the_order():
    versions = [named(10, "a@acme.com"), named(10, "b@beta.org")]
    for order in itertools.permutations(versions):
        forest = Forest()
        forest.observe(*order)

        assert (forest.account("e:a@acme.com", 10), forest.account("e:b@beta.org", 10)) == ("d:acme.com", "a:crm1")


def test_an_address_that_one_of_two_duplicates_gives_up_is_still_the_others():
    versions = [named(10, "ann@acme.com"), named(20, "ann@acme.com", number="2"), named(30, "ann@acme.org", number="2")]
    for order in itertools.permutations(versions):
        forest = Forest()
        forest.observe(*order)

        assert [forest.account("e:ann@acme.com", at) for at in (0, 10, 20, 30)] == ["a:crm1"] * 4
        assert forest.account("e:ann@acme.org", 30) == "a:crm1"


def test_a_contact_that_says_the_same_every_night_sends_nothing_also_after_a_correction():
    forest = Forest()
    forest.observe(named(10, "p@wrongdom.com"), named(20, "p@rightdom.com"))

    assert forest.observe(named(30, "p@rightdom.com"), named(40, "p@rightdom.com"), named(10, "p@wrongdom.com")) == []


def test_an_address_that_another_contact_named_for_the_user_first_is_the_contacts_whatever_the_order():
    versions = [
        event(kinds.CRM_CONTACT, "u:7", 10, id="a", user="7", properties={"id": "7", "account_id": "crm7"}),
        event(kinds.CRM_CONTACT, "u:7", 10, id="b", user="7", email="bob@beta.org", properties={"id": "7"}),
        # Another contact, whose login the user is: it says that the user has the address.
        event(kinds.CRM_CONTACT, "u:contact:1", 10, id="c", user="7", email="bob@beta.org", properties={"id": "1"}),
    ]
    for order in itertools.permutations(versions):
        forest = Forest()
        forest.observe(*order)

        assert forest.account("e:bob@beta.org", 10) == "a:crm7"


@pytest.mark.parametrize(
    "addresses", [("p@wrongdom.com", "p@gmail.com"), ("p@a.example", "p@wrongdom.com", "p@a.example")]
)
def test_a_login_of_the_contact_and_the_contact_are_who_the_latest_version_says_whatever_the_order(addresses):
    versions = [named(10 * i, address, user="7") for i, address in enumerate(addresses)]
    for order in itertools.permutations(versions):
        forest = Forest()
        forest.observe(*order)

        for user in ("u:7", "u:contact:1"):
            assert {forest.account(user, at) for at in (0, 10, 20, 99)} == {"a:crm1"}
            assert {forest.person(user, at) for at in (0, 10, 20, 99)} == {f"e:{addresses[-1]}"}


def test_a_work_address_that_a_login_names_after_a_correction_is_its_own():
    forest = Forest()
    forest.observe(named(10, "p@wrongdom.com", user="7"), named(20, "p@rightdom.com", user="7"))
    forest.observe(event(kinds.IDENTIFY, "u:7", 30, user="7", email="p@later.example"))

    assert (forest.person("u:7"), forest.person("u:contact:1")) == ("e:p@later.example", "e:p@rightdom.com")


def test_an_address_that_somebody_else_names_for_the_contacts_user_is_not_on_its_account():
    forest = Forest()
    forest.observe(named(10, "p@rightdom.com"))
    forest.observe(event(kinds.IDENTIFY, "u:contact:1", 20, user="contact:1", email="eve@evil.example"))

    assert forest.account("e:eve@evil.example", 30) == "d:evil.example"


def test_what_rests_on_the_corrected_address_goes_with_it():
    forest = Forest()
    forest.observe(named(10, "p@wrongdom.com"), named(20, "p@rightdom.com"))
    claims: dict[str, list[Known]] = {}
    for known in known_of(forest.step.rows["identity_claims"]):
        claims.setdefault(known.node, []).append(known)
    (gone,) = [k for k in claims[name("u:contact:1")] if k.id == f"trait {name('e:p@rightdom.com')}"]
    book = Book([k for some in without_claims(claims, [gone]).values() for k in some], Rules())
    forest.tell(Retract(name("u:contact:1"), "operator", gone.id))

    person, address = "e:p@wrongdom.com", "d:rightdom.com"
    assert (forest.person("u:contact:1"), forest.account("e:p@rightdom.com", 30)) == (person, address)
    assert book.decision(name("u:contact:1"), 30).owner.person == name(person)
    assert book.decision(name("e:p@rightdom.com"), 30).owner.account == name(address)


def test_a_login_has_the_address_of_its_contact():
    forest = Forest()
    forest.observe(named(10, "p@rightdom.com", user="7"))

    assert (forest.account("u:7"), forest.person("u:7")) == ("a:crm1", "e:p@rightdom.com")


def account(crm_id: str, at: int, *domains: str):
    return event(kinds.CRM_ACCOUNT, f"a:{crm_id}", at, properties={"id": crm_id, "domains": list(domains)})


def test_the_latest_version_of_an_account_says_which_domains_it_has_whatever_the_order():
    versions = [account("1", 10, "acme.com"), account("1", 20, "beta.org"), account("1", 30, "acme.com", "acme.de")]
    found = set()
    for order in itertools.permutations(versions):
        forest = Forest()
        forest.observe(*order)
        found.add(tuple(forest.account(f"e:ann@{d}") for d in ("acme.com", "acme.de", "beta.org")))

    assert found == {("a:1", "a:1", "d:beta.org")}


def test_of_two_accounts_with_one_domain_the_first_to_name_it_keeps_it_whatever_the_order():
    versions = [account("2", 10, "acme.com"), account("9", 20, "acme.com"), account("2", 30, "x.org", "acme.com")]
    versions.append(account("1", 40, "acme.com"))
    found = set()
    for order in itertools.permutations(versions):
        forest = Forest()
        forest.observe(*order)
        found.add(forest.account("e:ann@acme.com"))

    assert found == {"a:2"}


def test_account_versions_that_change_nothing_send_nothing():
    forest = Forest()
    forest.observe(account("1", 10, "acme.com"))

    assert forest.observe(account("1", 20, "acme.com"), account("1", 10, "acme.com")) == []


def test_freemail_domains_of_an_account_are_ignored():
    forest = Forest()
    forest.observe(account("1", 10, "gmail.com", "https://acme.com"))

    assert forest.account("e:ann@gmail.com") == ""


def opportunity(at: int, **said):
    return event(kinds.CRM_OPPORTUNITY, "o:1", at, properties={"id": "1"} | said)


def test_the_latest_version_of_an_opportunity_says_whose_it_is_for_all_time_whatever_the_order():
    versions = [opportunity(10, account_id="a"), opportunity(20, account_id="b"), opportunity(30, account_id="a")]
    versions.append(opportunity(40, stage="won"))  # does not speak of the account
    found = set()
    for order in itertools.permutations(versions):
        forest = Forest()
        forest.observe(*order)
        found.add(tuple(forest.account("o:1", at) for at in (0, 20, 99)))

    assert found == {("a:a", "a:a", "a:a")}


def test_an_opportunity_without_account_belongs_to_its_first_contact():
    forest = Forest()
    forest.observe(opportunity(10, account_id="", contact_emails=["ann@acme.com", "bob@beta.org"]))

    assert (forest.account("o:1"), forest.person("o:1")) == ("d:acme.com", "e:ann@acme.com")


def contact_of(number: str, email: str):
    """A contact by its id, with its address."""
    return event(
        kinds.CRM_CONTACT, f"u:contact:{number}", 5, email=email, user="", properties={"id": number, "email": email}
    )


CONTACTS = [contact_of("1", "ann@acme.com"), contact_of("2", "bob@beta.org"), contact_of("3", "cyd@cedar.net")]


@pytest.mark.parametrize(
    ("versions", "person"),
    [
        # The first of the list.
        ([{"contact_users": ["contact:2", "contact:1"]}], "bob@beta.org"),
        # Who is on it longest stays the first, wherever a later list has it; who is not on it any more does not.
        ([{"contact_users": ["contact:2"]}, {"contact_users": ["contact:1", "contact:2"]}], "bob@beta.org"),
        ([{"contact_users": ["contact:2"]}, {"contact_users": ["contact:1"]}], "ann@acme.com"),
        ([{"contact_user": "contact:2"}, {"contact_users": ["contact:1"]}], "ann@acme.com"),
        # What is said of one alone after the list.
        ([{"contact_users": ["contact:2", "contact:1"]}, {"left_contact_user": "contact:2"}], "ann@acme.com"),
        ([{"contact_users": ["contact:2"]}, {"contact_user": "contact:1"}], "bob@beta.org"),
        ([{"contact_users": []}, {"contact_user": "contact:3"}], "cyd@cedar.net"),
        ([{"left_contact_user": "contact:2"}, {"contact_users": ["contact:2"]}], "bob@beta.org"),
        # An address beats them, as it did before.
        ([{"contact_users": ["contact:2"], "contact_emails": ["ann@acme.com"]}], "ann@acme.com"),
    ],
)
def test_an_opportunity_without_account_belongs_to_the_contact_that_it_has_longest(versions, person):
    said = [opportunity(10 * at, **version) for at, version in enumerate(versions, 1)]
    for order in itertools.permutations([*CONTACTS, *said]):
        forest = Forest()
        forest.observe(*order)

        assert (forest.person("o:1"), forest.account("o:1")) == (f"e:{person}", f"d:{person.partition('@')[2]}")


def test_an_opportunity_with_an_account_is_not_its_contacts():
    forest = Forest()
    forest.observe(*CONTACTS, opportunity(10, account_id="a", contact_users=["contact:1"]))

    assert forest.account("o:1") == "a:a"


def activity(at: int, **said):
    return event(kinds.CRM_ACTIVITY, "m:1", at, name="call", properties={"id": "1", "type": "call"} | said)


@pytest.mark.parametrize(
    ("versions", "person"),
    [
        ([{"contact_user": "contact:1"}], "ann@acme.com"),
        ([{"account_id": "", "contact_user": "contact:1"}], "ann@acme.com"),
        ([{"contact_user": "contact:1"}, {"status": "completed"}], "ann@acme.com"),
        ([{"contact_user": "contact:1"}, {"contact_user": "contact:2"}], "bob@beta.org"),
        ([{"contact_user": "contact:1"}, {"email": "bob@beta.org"}], "bob@beta.org"),
        ([{"email": "bob@beta.org"}, {"email": "", "contact_user": "contact:1"}], "ann@acme.com"),
        # Who it was with is said twice: by the address, as ever.
        ([{"email": "bob@beta.org", "contact_user": "contact:1"}], "bob@beta.org"),
    ],
)
def test_an_activity_is_its_contacts_whatever_the_order(versions, person):
    said = [activity(10 * at, **version) for at, version in enumerate(versions, 1)]
    for order in itertools.permutations([*CONTACTS[:2], *said]):
        forest = Forest()
        forest.observe(*order)

        assert (forest.person("m:1"), forest.account("m:1")) == (f"e:{person}", f"d:{person.partition('@')[2]}")


def test_an_activity_whose_contact_says_nobody_is_on_its_account_alone():
    forest = Forest()
    forest.observe(*CONTACTS, activity(10, account_id="a", contact_user="contact:1"))
    assert (forest.account("m:1"), forest.person("m:1")) == ("a:a", "e:ann@acme.com")
    forest.observe(activity(20, contact_user=""))
    assert forest.account("m:1") == "a:a"
    assert forest.person("m:1") != "e:ann@acme.com"


def test_a_contact_taken_off_its_account_falls_back_to_its_domain_whatever_the_order():
    versions = [
        contact(10, "a"),
        contact(20, ""),
        contact(30, ""),
        contact(40, "b"),
        contact(15, "a"),
        contact(16, "c"),
    ]
    found = set()
    for order in itertools.permutations(versions):
        forest = Forest()
        forest.observe(*order)
        found.add(tuple(forest.account("e:ann@acme.com", at) for at in (0, 15, 16, 20, 39, 40)))

    assert found == {("a:a", "a:a", "a:c", "d:acme.com", "d:acme.com", "a:b")}


def test_a_contact_version_that_says_nothing_of_the_account_changes_nothing():
    forest = Forest()
    forest.observe(contact(10, "a"))

    assert forest.observe(contact(20, "", properties={"id": "c1", "title": "CTO"})) == []


def test_an_opportunity_version_that_only_names_contacts_keeps_its_account_whatever_the_order():
    versions = [
        opportunity(10, account_id="a"),
        opportunity(20, contact_emails=["bob@beta.org"]),
        opportunity(30, stage="x"),
    ]
    for order in itertools.permutations(versions):
        forest = Forest()
        forest.observe(*order)

        assert forest.account("o:1") == "a:a"


def test_an_opportunity_taken_off_its_account_belongs_to_its_contact():
    forest = Forest()
    forest.observe(opportunity(10, account_id="a"), opportunity(20, contact_emails=["bob@beta.org"]))
    forest.observe(opportunity(30, account_id=""))

    assert forest.account("o:1") == "d:beta.org"


def test_a_subsidiarys_contact_is_the_subsidiarys_whatever_the_parents_domain_says():
    said = [
        event(kinds.CRM_ACCOUNT, "a:group", 10, properties={"id": "group", "domains": ["acme.com"]}),
        event(kinds.CRM_ACCOUNT, "a:uk", 20, properties={"id": "uk", "domains": ["acme.com"], "parent_id": "group"}),
        contact(30, "uk"),
    ]
    for order in itertools.permutations(said):
        forest = Forest()
        forest.observe(*order)

        # Bob's address says the group, which named the domain first; of Ann the CRM says where she works. A parent is
        # nobody's owner: credit stays with the subsidiary, and v_account_tree rolls it up.
        assert (forest.account("e:ann@acme.com"), forest.account("e:bob@acme.com")) == ("a:uk", "a:group")
        assert forest.account("a:uk") == "a:uk"


# --- forms -------------------------------------------------------------------------------------------------------


def form(at: int, email: str, user: str = "", visitor: str = "1", name: str = "Demo Requested", **typed: object):
    return event(kinds.TRACK, "v:1", at, visitor=visitor, user=user, email=email, name=name, properties=typed)


@pytest.mark.parametrize(
    ("typed", "account"),
    [
        ({"company_domain": "acme.com"}, "d:acme.com"),
        ({"company_website": "HTTPS://www.Acme.com/about?x=1#y"}, "d:acme.com"),
        ({"website": " shop.acme.co.uk:8080/ "}, "d:acme.co.uk"),
        ({"website": "//acme.com"}, "d:acme.com"),
        ({"company_domain": "Acme", "website": "acme.com"}, "d:acme.com"),
        ({"company_domain": "beta.org", "website": "acme.com"}, "d:beta.org"),
        # Pages of everybody, providers, names, nonsense.
        ({"website": "https://www.linkedin.com/company/acme"}, ""),
        ({"website": "facebook.com/acme"}, ""),
        ({"company_domain": "gmail.com"}, ""),
        ({"company": "Acme Inc", "website": "n/a"}, ""),
        ({"website": "http://"}, ""),
        ({"website": "ann@acme.com"}, ""),
        ({"website": 5, "company_domain": None, "company_website": ["acme.com"]}, ""),
    ],
)
def test_the_domain_that_somebody_with_a_private_address_typed_into_a_form_is_the_company(typed, account):
    forest = Forest()
    forest.observe(form(10, "ann@gmail.com", **typed))

    assert (forest.account("e:ann@gmail.com"), forest.person("e:ann@gmail.com")) == (account, "e:ann@gmail.com")


def test_a_typed_domain_is_weaker_than_that_of_a_work_address_than_a_group_and_than_the_crm():
    forest = Forest()
    forest.observe(form(10, "ann@acme.com", company_domain="beta.org"))
    forest.observe(form(10, "joe@gmail.com", "7", company_domain="beta.org"))
    assert [forest.account(n) for n in ("e:ann@acme.com", "e:joe@gmail.com", "u:7")] == [
        "d:acme.com", "d:beta.org", "d:beta.org",
    ]  # fmt: skip

    forest.observe(event(kinds.GROUP, "u:7", 20, user="7", group="gamma"))
    assert forest.account("u:7") == "a:gamma"


def test_a_form_of_a_user_without_an_address_says_where_the_user_belongs():
    forest = Forest()
    forest.observe(form(10, "", "7", company_domain="acme.com"))

    assert forest.account("u:7") == "d:acme.com"


def test_what_a_device_without_a_person_typed_and_what_is_no_form_says_nothing():
    rules = Rules(form_events=("Contact",))

    assert claims_of(form(10, "", company_domain="acme.com"), Rules()) == []
    assert claims_of(form(10, "", "null", company_domain="acme.com"), Rules()) == []
    assert claims_of(form(10, "ann@gmail.com", company_domain="acme.com"), rules) == []
    (claim,) = claims_of(form(10, "ann@gmail.com", name="Contact", company_domain="acme.com"), rules)
    assert (claim.to, claim.parent, claim.precedence, claim.source) == (
        name("e:ann@gmail.com"), name("d:acme.com"), 10, "form",
    )  # fmt: skip


def test_who_types_another_company_later_changed_it_then_whatever_the_order():
    forms = [form(at, "ann@gmail.com", company_domain=d) for at, d in ((10, "acme.com"), (20, "beta.org"))]
    for order in ([0, 1], [1, 0], [1, 0, 1, 0]):
        forest = Forest()
        forest.observe(*[forms[i] for i in order])
        assert [forest.account("e:ann@gmail.com", at) for at in (0, 19, 20)] == [
            "d:acme.com",
            "d:acme.com",
            "d:beta.org",
        ]


def test_a_typed_domain_of_a_crm_account_leads_to_that_account():
    forest = Forest()
    forest.observe(form(10, "ann@gmail.com", company_domain="acme.com"), account("1", 20, "acme.com"))

    assert forest.account("e:ann@gmail.com") == "a:1"


# --- contacts that the CRM reports by their number ---------------------------------------------------------------


def numbered(user: str, at: int, email: str = "", **said: object):
    return event(kinds.CRM_CONTACT, f"u:{user}", at, user=user, email=email, properties={"id": user} | said)


def test_an_operators_link_is_no_address_of_the_contact():
    forest = Forest()
    forest.observe(numbered("7", 10, account_id="5"))
    words = {"claim": "k", "parent": "e:bob@beta.org"}
    forest.observe(event(kinds.IDENTITY_LINK, "u:7", 20, id="k", properties=words))

    assert (forest.account("e:bob@beta.org"), forest.person("u:7")) == ("d:beta.org", "e:bob@beta.org")


def taken_back_at_once(forest: Forest, child: str, claim_id: str) -> Book:
    """What a preview of taking the claim back decides; after that it is taken back."""
    claims: dict[str, list[Known]] = {}
    for known in known_of(forest.step.rows["identity_claims"]):
        claims.setdefault(known.node, []).append(known)
    (gone,) = [k for k in claims[name(child)] if k.id == claim_id]
    book = Book([k for some in without_claims(claims, [gone]).values() for k in some], Rules())
    forest.tell(Retract(name(child), "operator", gone.id))
    return book


def test_a_preview_counts_what_rests_on_a_contacts_address():
    forest = Forest()
    forest.observe(numbered("7", 10, "ann@acme.com"), numbered("7", 10, account_id="5"))
    forest.observe(numbered("7", 20, merged_into="8", leads=True), numbered("8", 30, account_id="6"))
    address = "e:ann@acme.com"
    assert [forest.account(address, at) for at in (10, 30)] == ["a:5", "a:6"]

    book = taken_back_at_once(forest, "u:7", f"trait {name(address)}")
    for node_name, account in ((address, "d:acme.com"), ("u:7", "a:5"), ("u:8", "a:6")):
        assert book.decision(name(node_name), 30).owner.account == name(account)
        assert forest.account(node_name, 30) == account
    assert forest.person("u:8", 30) == "u:8"


def test_a_preview_counts_what_rests_on_the_address_of_contacts_that_are_merged_into_each_other_in_a_circle():
    forest = Forest()
    forest.observe(
        numbered("7", 10, "ann@acme.com"), numbered("7", 10, account_id="5"), numbered("8", 10, account_id="6")
    )
    forest.observe(numbered("7", 20, merged_into="8", leads=True), numbered("8", 30, merged_into="7", leads=True))
    address = "e:ann@acme.com"
    # The merge that brought it back to the first one makes it no address of its own: nothing else names it.
    assert [forest.person(user, 40) for user in ("u:7", "u:8")] == [address, address]
    assert forest.account(address, 40) == "a:6"

    book = taken_back_at_once(forest, "u:7", f"trait {name(address)}")
    for node_name, account, person in ((address, "d:acme.com", address), ("u:7", "a:5", "u:7"), ("u:8", "a:6", "u:8")):
        assert (forest.account(node_name, 40), forest.person(node_name, 40)) == (account, person)
        owner = book.decision(name(node_name), 40).owner
        assert (owner.account, owner.person) == (name(account), name(person))


def test_a_preview_counts_that_an_address_goes_on_by_a_later_merge_only():
    forest = Forest()
    # Contact 7 has the address itself, and from contact 6, which was merged into it after it was merged into contact 8.
    forest.observe(
        numbered("6", 10, "ann@acme.com"), numbered("7", 10, "ann@acme.com"), numbered("8", 10, account_id="5")
    )
    forest.observe(numbered("7", 20, merged_into="8", leads=True), numbered("6", 30, merged_into="7", leads=True))
    address = "e:ann@acme.com"
    assert forest.account(address, 40) == "a:5"

    book = taken_back_at_once(forest, "u:7", f"trait {name(address)}")
    for node_name, account, person in (
        (address, "d:acme.com", address),
        ("u:7", "d:acme.com", address),
        ("u:8", "a:5", "u:8"),
    ):
        assert (forest.account(node_name, 40), forest.person(node_name, 40)) == (account, person)
        owner = book.decision(name(node_name), 40).owner
        assert (owner.account, owner.person) == (name(account), name(person))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize(
    ("stays", "person", "account"),
    [
        ("sue@new.example", "e:sue@new.example", "d:new.example"),
        # A private address hides no work address, as of any user.
        ("sue@gmail.com", "e:sue@old.example", "d:old.example"),
    ],
)
def test_a_contact_into_which_another_one_is_merged_is_who_it_was_whatever_the_order(order, stays, person, account):
    events = [
        numbered("7", 10, stays),
        numbered("8", 10, "sue@old.example"),
        numbered("8", 20, "sue@old.example", merged_into="7"),
    ]
    forest = Forest()
    for i in order:
        forest.observe(events[i])

    assert (forest.person("u:7"), forest.account("u:7")) == (person, account)
    assert (forest.person("u:8"), forest.account("u:8")) == ("e:sue@old.example", "d:old.example")


def test_a_contact_that_is_corrected_before_another_one_is_merged_into_it_has_the_corrected_address():
    forest = Forest()
    forest.observe(numbered("7", 10, "sue@newe.example"), numbered("7", 15, "sue@new.example"))
    forest.observe(numbered("8", 10, "sue@old.example"), numbered("8", 20, merged_into="7"))

    assert forest.person("u:7") == "e:sue@new.example"


@pytest.mark.parametrize("first", [0, 1])
def test_the_row_of_an_identifier_says_who_said_so_also_when_another_one_says_the_same_later(first):
    """A contact's address that replaced another one is the person's by the CRM's word, not just as any address named."""
    versions = [numbered("7", 10, "ann@acme.com"), numbered("7", 20, "ann@gmail.com")]
    forest = Forest()
    shown = {}
    for version in (versions[first], versions[1 - first]):
        forest.observe(version)
        shown |= forest.rows()
    row = shown["u:7"]
    assert (row.person_id, row.source) == (["ann@gmail.com"], [kinds.CRM_CONTACT])
