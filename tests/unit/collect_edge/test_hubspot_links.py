"""What a stage makes of HubSpot's associations, merges and deletions: whose everybody is, in whatever order it is told."""

import itertools
import random
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.event import Event
from stream.collect.adapters import crm
from stream.settings import Source
from tests.support.stitch import Stage
from tests.support.webhooks import AT_MS
from tests.unit.collect_edge.deliveries import parsed
from tests.unit.collect_edge.requests import request
from tests.unit.collect_edge.test_hubspot import association, change, happened, merge, removed

ANN, BOB = "e:ann@acme.com", "e:bob@acme.com"
Payload = dict[str, Any]
T = AT_MS - 1_000_000
"""A moment before the deliveries are received; the story's times are counted from here, in ms."""


def played(payloads: Iterable[Payload], partitions: int = 2, more: Sequence[Event] = ()) -> Stage:
    """One delivery each."""
    stage = Stage(partitions)
    for payload in payloads:
        found = parsed("hubspot", payload)
        assert (found.rejected, found.fault) == ([], None)
        stage.put(found.events)
    for event in more:
        stage.put([event])
    return stage.run()


def of(stage: Stage, node: str, column: str, at: int) -> str:
    """What the table says of the node at ``T + at``."""
    row = stage.table("identity").get(node)
    if row is None or not row["since"]:  # nothing refers to it (any more)
        return ""
    return [value for since, value in zip(row["since"], row[column], strict=True) if since <= T + at][-1]


def accounts(stage: Stage, node: str, *at: int) -> list[str]:
    return [of(stage, node, "account_id", one) for one in at]


def known(stage: Stage) -> dict[str, object]:
    """Whose everybody is: a node that nothing refers to any more says as little as one that never was."""
    rows = stage.table("identity").values()
    shown = {row["node"]: (row["since"], row["account_id"], row["person_id"]) for row in rows}
    return {node: row for node, row in shown.items() if any(row[1]) or any(row[2])}


def in_any_order(payloads: Sequence[Payload]) -> list[list[Payload]]:
    """All orders of a few, some of many, each also with repeats."""
    if len(payloads) <= 4:
        found = [list(order) for order in itertools.permutations(payloads)]
    else:
        found = [random.Random(seed).sample(payloads, len(payloads)) for seed in range(24)]
    return found + [[*order, *reversed(order)] for order in found[:4]]


def email(number: int, address: str, at: int) -> Payload:
    return change("contact", number, "email", address, T + at)


def joined(contact: int, company: int, at: int) -> Payload:
    return association("CONTACT_TO_COMPANY", contact, company, T + at)


def left(contact: int, company: int, at: int) -> Payload:
    return removed("CONTACT_TO_COMPANY", contact, company, T + at)


def seen(address: str) -> Event:
    """An event of the address itself, from somebody else than HubSpot."""
    return Event(
        id=f"seen {address}", node=f"acme/e:{address}", type="track", name="Clicked", at=T, received_at=T, tenant="acme",
        platform="server", email=address,
    )  # fmt: skip


def test_a_contacts_company_is_the_account_of_its_address_as_with_the_contacts_of_v1_crm():
    story = [email(7, "ann@acme.com", 20), joined(7, 5, 10), joined(7, 6, 30)]
    for order in in_any_order(story):
        stage = played(order)
        # The first company holds for the time before it, too.
        assert accounts(stage, ANN, -5, 10, 29, 30, 99) == ["5", "5", "5", "6", "6"]
        assert accounts(stage, "u:hubspot:7", 10, 30) == ["5", "6"]


def test_who_is_off_a_company_that_was_followed_by_another_stays_with_the_other():
    # HubSpot reports the new primary company and the end of the old one in any order, and a moment apart.
    for gap in (-1, 0, 1):
        story = [email(7, "ann@acme.com", 1), joined(7, 5, 10), joined(7, 6, 20), left(7, 5, 20 + gap)]
        for order in in_any_order(story):
            assert accounts(played(order), ANN, 10, 21, 99) == ["5", "6", "6"]


def test_who_is_off_the_last_company_belongs_to_the_domain_again():
    story = [email(7, "ann@acme.com", 1), joined(7, 5, 10), left(7, 5, 20)]
    for order in in_any_order(story):
        assert accounts(played(order), ANN, 10, 19, 20) == ["5", "5", "acme.com"]


def synced(at: int, account: str, address: str = "ann@acme.com") -> Event:
    """The same contact by ``/v1/crm/contacts``, as ``touchline import`` sends it."""
    row = {"id": "7", "user_id": "hubspot:7", "email": address, "account_id": account, "updated_at": T + at}
    source = Source("crm", "dev", "acme")
    (event,) = crm.events_of(msgspec.json.encode(row), request("/v1/crm/contacts", source=source)).events
    return event


def test_a_contact_that_was_imported_and_one_that_is_reported_are_one():
    for account, story in (("5", [left(7, 5, 20)]), ("4", [joined(7, 5, 15), left(7, 5, 20)])):
        imported = synced(10, account)
        expected = [account, "5", "acme.com"]
        for order in in_any_order(story):
            assert accounts(played(order, more=[imported, seen("ann@acme.com")]), ANN, 10, 15, 20) == expected
            stage = Stage(2)
            stage.put([imported])
            stage.put([seen("ann@acme.com")])
            for payload in order:
                stage.put(parsed("hubspot", payload).events)
            assert accounts(stage.run(), ANN, 10, 15, 20) == expected
    assert imported.node == "acme/u:hubspot:7"


def test_the_property_and_the_association_say_the_same():
    by_property = change("contact", 7, "associatedcompanyid", "5", T + 10)
    story = [email(7, "ann@acme.com", 1), by_property, joined(7, 5, 10)]
    assert accounts(played(story), ANN, 10) == accounts(played(story[:2]), ANN, 10) == ["5"]


def test_a_contact_that_changes_its_address_takes_its_companies_along():
    story = [joined(7, 5, 10), email(7, "ann@acme.com", 11), joined(7, 6, 20), email(7, "ann@beta.org", 21)]
    for order in in_any_order(story):
        stage = played(order)
        assert accounts(stage, "e:ann@beta.org", 10, 20) == accounts(stage, ANN, 10, 20) == ["5", "6"]


def test_an_address_that_hubspot_corrected_is_the_contacts_until_then():
    wrong, right = "p@wrongdom.com", "p@rightdom.com"
    story = [joined(7, 5, 10), email(7, wrong, 11), email(7, right, 20)]
    for order in in_any_order(story):
        stage = played(order)
        assert accounts(stage, f"e:{wrong}", 10, 19, 20) == ["5", "5", "wrongdom.com"]
        assert accounts(stage, f"e:{right}", 10, 19, 20) == ["5", "5", "5"]
        assert of(stage, "u:hubspot:7", "person_id", 99) == right


def test_an_address_that_came_with_a_merge_stays_beside_the_one_that_the_contact_names():
    story = [
        email(7, "ann@acme.com", 1), merge("contact", 7, 8, heir=11, at=T + 10), joined(11, 6, 11),
        email(11, "ann@acme.com", 12), email(11, "ann@beta.org", 20),
    ]  # fmt: skip
    for order in in_any_order(story):
        stage = played(order)
        assert accounts(stage, ANN, 30) == accounts(stage, "e:ann@beta.org", 30) == ["6"]


def test_a_deleted_contact_keeps_its_past_and_a_restored_one_returns():
    story = [email(7, "ann@acme.com", 1), joined(7, 5, 10), happened("contact.deletion", 7, T + 20)]
    back = happened("contact.restore", 7, T + 30)
    for order in in_any_order(story):
        assert accounts(played(order), ANN, 19, 20, 40) == ["5", "acme.com", "acme.com"]
    for order in in_any_order([*story, back]):
        assert accounts(played(order), ANN, 19, 20, 30) == ["5", "acme.com", "5"]


def test_a_deal_is_its_primary_companys_else_its_first_contacts():
    won = change("deal", 9, "dealstage", "closedwon", T + 5)
    people = [email(7, "ann@acme.com", 1), email(8, "bob@beta.org", 1)]
    linked = [association("DEAL_TO_CONTACT", 9, 8, T + 20), association("CONTACT_TO_DEAL", 7, 9, T + 10)]
    for order in in_any_order([won, *people, *linked]):
        assert accounts(played(order), "o:9", 5) == ["acme.com"]
    gone = removed("DEAL_TO_CONTACT", 9, 7, T + 30)
    for order in in_any_order([won, *people, *linked, gone]):
        assert accounts(played(order), "o:9", 5) == ["beta.org"]
    company = association("DEAL_TO_COMPANY", 9, 5, T + 40)
    for order in in_any_order([won, *people, *linked, company]):
        assert accounts(played(order), "o:9", 5) == ["5"]


def test_a_deal_that_moves_to_another_company_is_that_companys():
    for gap in (-1, 0, 1):
        story = [
            change("deal", 9, "dealstage", "closedwon", T + 5),
            association("DEAL_TO_COMPANY", 9, 5, T + 10),
            association("DEAL_TO_COMPANY", 9, 6, T + 20),
            removed("COMPANY_TO_DEAL", 5, 9, T + 20 + gap),
        ]
        for order in in_any_order(story):
            stage = played(order)
            assert accounts(stage, "o:9", 5) == ["6"]
            assert set(stage.conversions["acme/a:6"])
            assert not stage.conversions.get("acme/a:5")


def test_a_deal_off_its_last_company_is_nobodys():
    story = [
        change("deal", 9, "dealstage", "closedwon", T + 5),
        association("DEAL_TO_COMPANY", 9, 5, T + 10),
        removed("DEAL_TO_COMPANY", 9, 5, T + 20),
    ]
    for order in in_any_order(story):
        assert accounts(played(order), "o:9", 5) == [""]


def test_merged_companies_are_the_new_one_and_an_operator_can_take_each_merge_back():
    domain = change("company", 5, "domain", "acme.com", T)
    story = [domain, email(7, "ann@acme.com", 1), joined(8, 6, 1), merge("company", 5, 6, heir=77, at=T + 50)]
    for order in in_any_order(story):
        stage = played(order)
        assert accounts(stage, ANN, 0, 99) == ["77", "77"]
        assert accounts(stage, "u:hubspot:8", 0, 99) == ["77", "77"]
    unmerge = said_by_operator("identity.unmerge", "r:accounts", "crm.account acme/a:5 acme/a:77")
    stage = Stage(2)
    stage.put([unmerge])
    for payload in story:
        stage.put(parsed("hubspot", payload).events)
    for found in (stage.run(), played(story, more=[unmerge])):
        assert accounts(found, ANN, 0, 99) == ["5", "5"]
        assert accounts(found, "u:hubspot:8", 0, 99) == ["77", "77"]


def test_a_company_merged_again_is_found_under_the_last_one():
    story = [joined(7, 5, 1), merge("company", 5, 6, heir=77, at=T + 50), merge("company", 80, 77, heir=90, at=T + 60)]
    for order in in_any_order(story):
        assert accounts(played(order), "u:hubspot:7", 0) == ["90"]


def test_a_deleted_companys_past_stays_unless_another_company_names_its_domain():
    first = change("company", 5, "domain", "acme.com", T + 10)
    ann = email(7, "ann@acme.com", 1)
    gone = happened("company.deletion", 5, T + 30)
    for order in in_any_order([first, ann, gone]):
        assert accounts(played(order), ANN, 0, 99) == ["5", "5"]
    second = change("company", 6, "domain", "acme.com", T + 20)
    for order in in_any_order([first, ann, second]):
        assert accounts(played(order), ANN, 0, 99) == ["5", "5"]
    for order in in_any_order([first, ann, second, gone]):
        assert accounts(played(order), ANN, 0, 99) == ["6", "6"]
    back = happened("company.restore", 5, T + 40)
    for order in in_any_order([first, ann, second, gone, back]):
        assert accounts(played(order), ANN, 0, 99) == ["5", "5"]


def test_the_contact_that_goes_on_after_a_merge_has_the_addresses_and_says_whose_they_are():
    story = [
        email(7, "ann@acme.com", 1), email(8, "ann@beta.org", 2), joined(7, 5, 10),
        merge("contact", 7, 8, heir=11, at=T + 20), joined(11, 6, 30),
        happened("contact.deletion", 7, T + 21),
    ]  # fmt: skip
    opted_out = change("contact", 11, "hs_email_optout", "true", T + 40)
    for order in in_any_order([*story, opted_out]):
        stage = played(order)
        assert accounts(stage, ANN, 10, 29, 30) == ["5", "5", "6"]
        assert accounts(stage, "e:ann@beta.org", 30) == ["6"]
        # Of the addresses the primary contact's is who it is.
        assert of(stage, "u:hubspot:11", "person_id", 40) == "ann@acme.com"
        (touch,) = stage.touches["acme/a:6"].values()
        assert (touch.type, touch.person) == ("email_unsubscribe", f"acme/{ANN}")


def said_by_operator(type_: str, node: str, claim: str) -> Event:
    words = msgspec.Raw(msgspec.json.encode({"claim": claim}))
    return Event(
        id=f"no {claim}", node=f"acme/{node}", type=type_, at=AT_MS, received_at=AT_MS, tenant="acme",
        platform="server", properties=words,
    )  # fmt: skip


def test_contacts_merged_in_a_circle_do_not_keep_an_address_alive_that_was_taken_back():
    circle = [merge("contact", 7, 7, heir=8, at=T + 10), merge("contact", 8, 8, heir=7, at=T + 20)]
    story = [email(7, "ann@acme.com", 1), joined(7, 5, 5), *circle]
    back = said_by_operator("identity.unlink", "u:hubspot:7", "trait acme/e:ann@acme.com")
    for order in in_any_order(story):
        kept = played(order, more=[seen("ann@acme.com")])
        assert [of(kept, f"u:hubspot:{n}", "person_id", 50) for n in (7, 8)] == ["ann@acme.com"] * 2
        assert accounts(kept, ANN, 0, 50) == ["5", "5"]
        stage = played(order, more=[seen("ann@acme.com"), back])
        assert [of(stage, f"u:hubspot:{n}", "person_id", 50) for n in (7, 8)] == ["hubspot:7", "hubspot:8"]
        assert accounts(stage, ANN, 0, 50) == ["acme.com", "acme.com"]


def test_contacts_merged_in_a_circle_do_not_keep_an_address_alive_that_was_replaced():
    story = [
        email(7, "ann@acme.com", 1), joined(7, 5, 5), merge("contact", 7, 7, heir=8, at=T + 10),
        merge("contact", 8, 8, heir=7, at=T + 20), email(7, "ann@beta.org", 30),
    ]  # fmt: skip
    for order in in_any_order(story):
        stage = played(order, more=[seen("ann@acme.com")])
        assert accounts(stage, ANN, 29, 30) == ["5", "acme.com"]
        assert accounts(stage, "e:ann@beta.org", 30) == ["5"]


def test_who_goes_on_after_a_merge_has_no_address_that_was_replaced_before():
    story = [
        email(7, "ann@acme.com", 1), email(7, "ann@beta.org", 10), merge("contact", 7, 8, heir=11, at=T + 20),
        joined(11, 6, 30),
    ]  # fmt: skip
    for order in in_any_order(story):
        stage = played(order, more=[seen("ann@acme.com")])
        assert accounts(stage, ANN, 30) == ["acme.com"]
        assert accounts(stage, "e:ann@beta.org", 30) == ["6"]


def test_after_a_privacy_deletion_nothing_that_hubspot_said_of_the_contact_counts_also_if_it_comes_later():
    gone = happened("contact.privacyDeletion", 7, T + 20)
    story = [email(7, "ann@acme.com", 1), joined(7, 5, 10), email(7, "ann@beta.org", 30), joined(7, 6, 40), gone]
    for order in in_any_order(story):
        stage = played(order, more=[seen("ann@acme.com")])
        assert accounts(stage, "u:hubspot:7", 0, 10, 99) == ["", "", ""]
        assert of(stage, "u:hubspot:7", "person_id", 99) == "hubspot:7"
        assert accounts(stage, ANN, 0, 10, 99) == ["acme.com"] * 3
        assert accounts(stage, "e:ann@beta.org", 0, 99) == ["", ""]


MOMENTS = st.integers(1, 12)
CONTACTS = st.sampled_from([7, 8, 11])
COMPANIES = st.sampled_from([5, 6, 77])
reports = st.one_of(
    st.builds(email, CONTACTS, st.sampled_from(["ann@acme.com", "bob@acme.com", "ann@gmail.com"]), MOMENTS),
    st.builds(joined, CONTACTS, COMPANIES, MOMENTS),
    st.builds(left, CONTACTS, COMPANIES, MOMENTS),
    st.builds(lambda c, at: change("company", c, "domain", "acme.com", T + at), COMPANIES, MOMENTS),
    st.builds(
        lambda what, c, at: happened(what, c, T + at),
        st.sampled_from(["contact.deletion", "contact.restore", "contact.privacyDeletion"]), CONTACTS, MOMENTS,
    ),
    st.builds(
        lambda what, c, at: happened(what, c, T + at),
        st.sampled_from(["company.deletion", "company.restore"]), COMPANIES, MOMENTS,
    ),
    st.builds(
        lambda a, b, heir, at: merge("contact", a, b, heir=heir, at=T + at),
        CONTACTS, st.sampled_from([17, 18]), CONTACTS, MOMENTS,
    ),
    st.builds(
        lambda a, b, heir, at: merge("company", a, b, heir=heir, at=T + at),
        COMPANIES, st.sampled_from([15, 16]), COMPANIES, MOMENTS,
    ),
    st.builds(
        lambda off, what, contact, at: (removed if off else association)(what, 9, contact, T + at),
        st.booleans(), st.just("DEAL_TO_CONTACT"), CONTACTS, MOMENTS,
    ),
    st.builds(
        lambda off, what, company, at: (removed if off else association)(what, 9, company, T + at),
        st.booleans(), st.just("DEAL_TO_COMPANY"), COMPANIES, MOMENTS,
    ),
    st.builds(
        lambda stage, at: change("deal", 9, "dealstage", stage, T + at),
        st.sampled_from(["closedwon", "proposal"]), MOMENTS,
    ),
    st.builds(lambda c, at: change("contact", c, "hs_email_optout", "true", T + at), CONTACTS, MOMENTS),
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(story=st.lists(reports, max_size=14), partitions=st.integers(1, 3), rng=st.randoms(use_true_random=False))
def test_order_and_repetition_of_deliveries_do_not_count(story, partitions, rng):
    other = story + rng.choices(story, k=4) if story else []
    rng.shuffle(other)
    one, two = played(story, 1), played(other, partitions)
    assert known(one) == known(two)
    assert one.result() == two.result()
