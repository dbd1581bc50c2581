"""Law: whose an address is by the CRM follows from the set of the contacts' versions and of what an operator took back of
them, as the rules say it word for word."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import event as kinds
from tests.unit.identity.forest import Forest, event

MOMENTS = range(1, 7)
ADDRESSES = ("ann@acme.com", "ann@beta.org", "bob@acme.com")
versions = st.tuples(
    st.sampled_from("12"), st.sampled_from(MOMENTS), st.sampled_from(ADDRESSES), st.sampled_from([None, "", "x", "y"])
)
taken = st.one_of(
    st.tuples(st.sampled_from("12"), st.sampled_from(ADDRESSES), st.sampled_from("xy")),
    st.tuples(st.sampled_from("12"), st.sampled_from(ADDRESSES), st.just("")),
)
"""Contact, address and account: for this contact the address is not on the account; without one it is not the contact's."""


def told(version):
    contact, at, address, account = version
    said = {} if account is None else {"account_id": account}
    return event(kinds.CRM_CONTACT, f"u:contact:{contact}", at, email=address, properties={"id": contact} | said)


def took_back(words):
    contact, address, account = words
    user, claim = f"u:contact:{contact}", f"trait default/e:{address}"
    if account:
        claim = f"crm.contact default/a:{account} default/{user}\0{MOMENTS[0]:08x}"
    child = f"e:{address}" if account else user
    return event(kinds.IDENTITY_UNLINK, child, 9, id=f"un {child} {claim}", properties={"claim": claim})


def employer(mine, at):
    """(Since when, account) of a contact: what its last version up to that moment that speaks of an account says."""

    def account_at(moment):
        spoken = [(when, account) for _, when, _, account in mine if account is not None and when <= moment]
        return max(spoken)[1] if spoken else ""

    since = at
    while since > min(MOMENTS) and account_at(since - 1) == account_at(at):
        since -= 1
    return since, account_at(at)


def has(mine, address, at):
    """Whether the address is the contact's: until the next version after the last one that names it."""
    named = sorted((when, name) for _, when, name, _ in mine)
    last = max((i for i, (_, name) in enumerate(named) if name == address), default=None)
    return last is not None and (last + 1 == len(named) or at < named[last + 1][0])


def owner(found, gone, address, at):
    claims = {}
    for moment in MOMENTS:
        for contact in "12":
            mine = [version for version in found if version[0] == contact]
            since, account = employer(mine, moment)
            off = {(contact, address, account), (contact, address, "")} & gone
            if account and has(mine, address, moment) and not off:
                claims.setdefault(moment, []).append((since, f"a:{account}", contact))
    # The first word of all holds for the time before it, too.
    moment = max(at, min(claims, default=at))
    return max(claims[moment])[1] if moment in claims else f"d:{address.partition('@')[2]}"


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(found=st.lists(versions, max_size=8), gone=st.sets(taken, max_size=2), seed=st.integers(0, 2**32))
def test_an_address_is_the_accounts_of_the_contact_that_has_it_whatever_the_order(found, gone, seed):
    rng = random.Random(seed)
    events = [*map(told, found), *map(took_back, sorted(gone))]
    order = events + (rng.choices(events, k=2) if events else [])
    rng.shuffle(order)
    forest = Forest()
    forest.observe(*order)

    for address in ADDRESSES:
        for at in (0, *MOMENTS):
            assert forest.account(f"e:{address}", at) == owner(found, gone, address, at)
