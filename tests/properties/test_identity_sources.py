"""Law: what events say of identity is a function of the set of events, whatever their order, framing and repetition."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import event as kinds
from schemas.messages import BEGINNING
from tests.unit.identity.forest import Forest, event

TIMES = st.integers(1, 6)
USERS = st.sampled_from(["", "7", "8", "null"])
EMAILS = st.sampled_from(["", "ann@acme.com", "bob@beta.org", "ann@gmail.com"])
ACCOUNTS = st.sampled_from(["", "1", "2"])
HOSTS = st.sampled_from(["acme.com", "www.beta.org", "gmail.com", "co.uk"])
LEAVES = (
    "v:1",
    "u:7",
    "u:8",
    "u:9",
    "u:contact:1",
    "e:ann@acme.com",
    "e:bob@beta.org",
    "e:ann@gmail.com",
    "o:1",
    "m:1",
    "d:beta.org",
    "d:acme.com",
)


@st.composite
def behaviours(draw):
    visitor, user, email = draw(st.sampled_from(["", "1"])), draw(USERS), draw(EMAILS)
    type_ = draw(st.sampled_from([kinds.IDENTIFY, kinds.TRACK, kinds.GROUP, kinds.ALIAS]))
    entry = "v:1" if visitor else f"u:{user}" if user else f"e:{email}" if email else "v:1"
    typed = {"company_domain": draw(st.sampled_from(["beta.org", "acme.com", "Acme"]))}
    return event(
        type_, entry, draw(TIMES), visitor=visitor, user=user, email=email, group=draw(ACCOUNTS),
        name=draw(st.sampled_from(["Opened", "Form Submitted"])), properties=typed,
    )  # fmt: skip


@st.composite
def crm_accounts(draw):
    crm_id = draw(st.sampled_from("12"))
    said = draw(
        st.fixed_dictionaries(
            {}, optional={"domains": st.lists(HOSTS, max_size=2), "deleted": st.booleans(), "merged_into": ACCOUNTS}
        )
    )
    return event(kinds.CRM_ACCOUNT, f"a:{crm_id}", draw(TIMES), group=crm_id, properties={"id": crm_id} | said)


@st.composite
def crm_contacts(draw):
    email = draw(EMAILS.filter(bool))
    said = draw(st.one_of(st.just({}), st.fixed_dictionaries({"account_id": ACCOUNTS})))
    # Those that enter by their address are of logs from before contacts had a node.
    entry = draw(st.sampled_from(["u:contact:1", "u:contact:2", f"e:{email}"]))
    return event(kinds.CRM_CONTACT, entry, draw(TIMES), email=email, user=draw(USERS), properties={"id": "c"} | said)


@st.composite
def crm_contacts_by_number(draw):
    """As HubSpot reports them: the user that stands for the contact, and one thing that changed."""
    user = draw(st.sampled_from(["7", "8"]))
    said = draw(
        st.one_of(
            st.fixed_dictionaries({"account_id": ACCOUNTS}),
            st.fixed_dictionaries({"left_account_id": ACCOUNTS}),
            st.fixed_dictionaries({"deleted": st.booleans()}),
            st.fixed_dictionaries({"merged_into": st.sampled_from(["7", "8", "9"]), "leads": st.booleans()}),
            st.just({"erased": True}),
            st.just({}),
        )
    )
    email = draw(EMAILS) if not said else ""
    return event(kinds.CRM_CONTACT, f"u:{user}", draw(TIMES), email=email, user=user, properties={"id": user} | said)


@st.composite
def crm_opportunities(draw):
    optional = {
        "account_id": ACCOUNTS,
        "left_account_id": ACCOUNTS,
        "contact_emails": st.lists(EMAILS, max_size=2),
        "contact_users": st.lists(USERS, max_size=2),
        "contact_user": USERS,
        "left_contact_user": USERS,
    }
    said = draw(st.fixed_dictionaries({}, optional=optional))
    return event(kinds.CRM_OPPORTUNITY, "o:1", draw(TIMES), properties={"id": "1"} | said)


@st.composite
def crm_activities(draw):
    said = draw(st.fixed_dictionaries({}, optional={"account_id": ACCOUNTS, "email": EMAILS, "contact_user": USERS}))
    return event(kinds.CRM_ACTIVITY, "m:1", draw(TIMES), properties={"id": "1"} | said)


@st.composite
def unlinks(draw):
    """An operator takes back what the CRM says, under a number that a version of the object may have or not."""
    account = f"default/a:{draw(ACCOUNTS.filter(bool))}"
    address, user = f"e:{draw(EMAILS.filter(bool))}", f"u:{draw(st.sampled_from(['contact:1', '7', '8']))}"
    words = {
        "d:acme.com": account,
        "d:beta.org": account,
        "o:1": f"default/o:1 {draw(st.sampled_from([account, f'default/{address}', f'default/{user}']))}",
        "m:1": f"default/m:1 {draw(st.sampled_from([account, f'default/{address}']))}",
        user: draw(
            st.sampled_from(
                [
                    f"crm.contact {account}",
                    f"crm.contact default/{address} default/{user}",
                    f"crm.merge default/{address} default/u:7",
                ]
            )
        ),
        address: f"crm.contact {account} {draw(st.sampled_from(['default/u:contact:1', f'default/{user}']))}",
    }
    child = draw(st.sampled_from(sorted(words)))
    claim = f"{words[child]}\0{draw(st.integers(0, 3)):08x}"
    return event(kinds.IDENTITY_UNLINK, child, 9, id=f"un {child} {claim}", properties={"claim": claim})


crm_events = st.one_of(crm_accounts(), crm_contacts(), crm_contacts_by_number(), crm_opportunities(), crm_activities())
event_sets = st.lists(st.one_of(behaviours(), crm_events, crm_events, unlinks()), max_size=12)


def owners(events) -> list:
    forest = Forest()
    forest.observe(*events)
    return [
        (leaf, at, forest.account(leaf, at), forest.person(leaf, at))
        for leaf in LEAVES
        for at in (BEGINNING, *range(8))
    ]


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=event_sets, seed=st.integers(0, 2**32))
def test_the_order_and_the_repetition_of_events_do_not_count(events, seed):
    rng = random.Random(seed)
    other = events + rng.choices(events, k=3) if events else []
    rng.shuffle(other)

    assert owners(other) == owners(events)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=event_sets)
def test_what_was_said_before_changes_no_state(events):
    forest = Forest()
    forest.observe(*events)
    before = dict(forest.state.encoded)

    forest.observe(*events)

    assert forest.state.encoded == before
