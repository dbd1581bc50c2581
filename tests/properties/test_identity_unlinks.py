"""Law: whose the domains of CRM accounts, opportunities and activities are follows from the sets of versions and of what an
operator took back, as the rules say it word for word: what was taken back counts in no version."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import event as kinds
from tests.unit.identity.forest import Forest, event

ACCOUNTS = st.sampled_from("12")
DOMAINS = ("acme.com", "beta.org")
ADDRESSES = ("ann@acme.com", "bob@beta.org")
TIMES = st.integers(1, 6)
NUMBERS = st.integers(0, 3)
unhurried = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))

account_versions = st.lists(
    st.tuples(
        ACCOUNTS,
        TIMES,
        st.sampled_from([None, (), *((d,) for d in DOMAINS), DOMAINS]),
        st.sampled_from([None, True, False]),
    ),
    unique_by=lambda version: version[:2],
    max_size=6,
)
links = st.one_of(st.sampled_from(["a:1", "a:2"]), st.sampled_from([f"e:{address}" for address in ADDRESSES]))


def unlinked(child, statement, number):
    """An operator says so of a number that a version of the object may have or not."""
    claim = f"{statement}\0{number:08x}"
    return event(kinds.IDENTITY_UNLINK, child, 9, id=f"un {child} {claim}", properties={"claim": claim})


def shuffled(events, seed):
    """The events in some order, some of them twice."""
    rng = random.Random(seed)
    found = events + (rng.choices(events, k=2) if events else [])
    rng.shuffle(found)
    return found


def observed(events, seed):
    forest = Forest()
    forest.observe(*shuffled(events, seed))
    return forest


# --- accounts ----------------------------------------------------------------------------------------------------


def company(version):
    account, at, domains, deleted = version
    said = {"id": account} | ({} if domains is None else {"domains": list(domains)})
    said |= {} if deleted is None else {"deleted": deleted}
    return event(kinds.CRM_ACCOUNT, f"a:{account}", at, group=account, properties=said)


def latest(mine, place, otherwise):
    """The last word of the versions on something, in order of time."""
    return (
        [otherwise] + [version[place] for version in sorted(mine, key=lambda v: v[1]) if version[place] is not None]
    )[-1]


def account_of(domain, versions, gone):
    claimed = []
    for account in "12":
        mine = [version for version in versions if version[0] == account]
        if domain in latest(mine, 2, ()) and (domain, account) not in gone:
            first = min(at for _, at, domains, _ in mine if domain in (domains or ()))
            claimed.append((30 if latest(mine, 3, False) else 40, -first, account))
    return f"a:{max(claimed)[2]}" if claimed else f"d:{domain}"


@unhurried
@given(
    versions=account_versions,
    gone=st.dictionaries(st.tuples(st.sampled_from(DOMAINS), ACCOUNTS), NUMBERS, max_size=2),
    seed=st.integers(0, 2**32),
)
def test_a_domain_is_the_accounts_that_names_it_and_that_it_was_not_taken_off(versions, gone, seed):
    unlinks = [unlinked(f"d:{domain}", f"default/a:{account}", n) for (domain, account), n in gone.items()]
    forest = observed([*map(company, versions), *unlinks], seed)
    for domain in DOMAINS:
        assert forest.account(f"d:{domain}") == account_of(domain, versions, gone)


# --- opportunities and activities --------------------------------------------------------------------------------


objects = st.lists(
    st.tuples(st.just("1"), TIMES, st.sampled_from([None, "", "1", "2"]), st.sampled_from([None, "", *ADDRESSES])),
    unique_by=lambda version: version[1],
    max_size=5,
)
taken = st.dictionaries(links, NUMBERS, max_size=2)


def owned(parent, gone):
    """(Account, person) through one link; an address is its domain's."""
    if not parent or parent in gone:
        return "", ""
    return (parent, "") if parent.startswith("a:") else (f"d:{parent.partition('@')[2]}", parent)


def deal(version):
    _, at, account, address = version
    said = {"id": "1"} | ({} if account is None else {"account_id": account})
    said |= {} if address is None else {"contact_emails": [address] if address else []}
    return event(kinds.CRM_OPPORTUNITY, "o:1", at, properties=said)


def meeting(version):
    _, at, account, address = version
    said = {"id": "1"} | ({} if account is None else {"account_id": account})
    said |= {} if address is None else {"email": address}
    return event(kinds.CRM_ACTIVITY, "m:1", at, name="meeting", properties=said)


def owner(child, versions, gone, seed):
    unlinks = [unlinked(child, f"default/{child} default/{parent}", number) for parent, number in gone.items()]
    forest = observed([*versions, *unlinks], seed)
    return forest.account(child), forest.person(child)


def last_links(versions):
    account, address = latest(versions, 2, ""), latest(versions, 3, "")
    return account and f"a:{account}", address and f"e:{address}"


@unhurried
@given(versions=objects, gone=taken, seed=st.integers(0, 2**32))
def test_an_opportunity_is_whose_the_latest_versions_say_unless_that_was_taken_back(versions, gone, seed):
    account, address = last_links(versions)
    found = owner("o:1", map(deal, versions), gone, seed)
    assert found == owned(account or address, gone)


@unhurried
@given(versions=objects, gone=taken, seed=st.integers(0, 2**32))
def test_an_activity_is_on_the_account_or_the_persons_and_each_may_be_taken_back(versions, gone, seed):
    account, address = last_links(versions)
    found = owner("m:1", map(meeting, versions), gone, seed)
    through_person = owned(address, gone)
    assert found == (owned(account, gone)[0] or through_person[0], through_person[1])
