"""Law: whose an address is by the CRM follows from the set of the contacts' versions, as the rule says it word for word."""

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


def told(version):
    contact, at, address, account = version
    said = {} if account is None else {"account_id": account}
    return event(kinds.CRM_CONTACT, f"u:contact:{contact}", at, email=address, properties={"id": contact} | said)


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


def owner(found, address, at):
    claims = {}
    for moment in MOMENTS:
        for contact in "12":
            mine = [version for version in found if version[0] == contact]
            since, account = employer(mine, moment)
            if account and has(mine, address, moment):
                claims.setdefault(moment, []).append((since, f"a:{account}", contact))
    # The first word of all holds for the time before it, too.
    moment = max(at, min(claims, default=at))
    return max(claims[moment])[1] if moment in claims else f"d:{address.partition('@')[2]}"


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(found=st.lists(versions, max_size=8), seed=st.integers(0, 2**32))
def test_an_address_is_the_accounts_of_the_contact_that_has_it_whatever_the_order(found, seed):
    rng = random.Random(seed)
    order = found + (rng.choices(found, k=2) if found else [])
    rng.shuffle(order)
    forest = Forest()
    forest.observe(*map(told, order))

    for address in ADDRESSES:
        for at in (0, *MOMENTS):
            assert forest.account(f"e:{address}", at) == owner(found, address, at)
