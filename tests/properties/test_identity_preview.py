"""Law: what a preview says would move is what moves when it is said."""

from collections import Counter

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import event as kinds
from schemas.event import SERVER, Event
from schemas.ids import EMAIL, kind
from schemas.messages import BEGINNING, Claim
from schemas.rules import Rules
from stream.core.identity.book import Book, Held, Known
from stream.core.identity.node import acceptable
from stream.core.identity.operators import SOURCE
from stream.core.identity.prediction import Move, Record, predict, with_claim, without_claims
from tests.support.both_stages import Outcome, outcome
from tests.support.claims import known_of
from tests.support.world import ACCOUNTS, ADDRESSES, START, TENANT, crm, histories, raw
from tests.unit.identity import forest

CHILDREN = ("v:v1", "v:v2", "u:u1", "e:ann@acme.com", "e:joe@gmail.com", "d:acme.com")
PARENTS = ("u:u2", "e:eve@globex.com", "d:globex.com", "a:A1", "a:A2", "a:new")


DAY = 86_400_000
EVERYBODY = "vueoda"
BUT_VISITORS = "ueoda"
"""Which of a visitor's users a touch is of, a preview takes from whose it is now: two users of one account look the same."""


@st.composite
def objects_and_touches(draw):
    """Versions of the same few objects of the CRM, and mails that the people in question answered."""
    address = draw(st.sampled_from(ADDRESSES))
    employers = draw(st.lists(st.sampled_from([*ACCOUNTS, ""]), min_size=3, max_size=5))
    events = [
        *draw(st.lists(crm(), max_size=4)),
        *(employed(address, 5 * number, account) for number, account in enumerate(employers)),
        *(reply(address, day) for address in ADDRESSES for day in (0, 10, 20)),
    ]
    for number, event in enumerate(events):
        event.id = f"id{number}"
    return events


def employed(address: str, day: int, account: str) -> Event:
    """A version of one contact, who may come back to an account."""
    event = Event(id="", node=f"{TENANT}/u:contact:1", type=kinds.CRM_CONTACT, at=START + day * DAY, received_at=START)
    event.email, event.group, event.platform, event.protocol = address, account, "crm", "crm"
    event.properties = raw({"id": "1", "email": address, "account_id": account})
    return event


def reply(address: str, day: int) -> Event:
    event = Event(id="", node=f"{TENANT}/e:{address}", type=kinds.EMAIL_EVENT, at=START + day * DAY, received_at=START)
    event.name, event.platform, event.protocol, event.email = "replied", "email", "sendgrid", address
    event.properties = raw({"message_id": "m1"})
    return event


def owners(found: Outcome, kinds_of_nodes: str) -> dict[str, tuple[str, str]]:
    rows = found.tables.get("touches", {}).values()
    return {row["touch_id"]: (row["account_id"], row["person_id"]) for row in rows if row["node"][0] in kinds_of_nodes}


def claims_by_node(found: Outcome) -> dict[str, list[Known]]:
    claims: dict[str, list[Known]] = {}
    for claim in known_of(found.claim_rows):
        claims.setdefault(claim.node, []).append(claim)
    return claims


def book(claims: dict[str, list[Known]]) -> Book:
    return Book([c for some in claims.values() for c in some], Rules())


def records(found: Outcome, kinds_of_nodes: str = EVERYBODY) -> list[Record]:
    return [
        Record(t["touch_id"], f"{TENANT}/{t['node']}", t["occurred_at"], t["account_id"], t["person_id"])
        for t in found.tables.get("touches", {}).values()
        if t["node"][0] in kinds_of_nodes
    ]


def assert_foretold(moves: list[Move], before: Outcome, after: Outcome, kinds_of_nodes: str = EVERYBODY) -> None:
    was, becomes = owners(before, kinds_of_nodes), owners(after, kinds_of_nodes)
    moved = Counter((was[t][0], becomes[t][0]) for t in was if was[t][0] != becomes[t][0])
    renamed = Counter(was[t][0] for t in was if was[t][0] == becomes[t][0] and was[t] != becomes[t])
    assert Counter({(m.source, m.target): m.touches for m in moves if m.touches}) == moved
    assert Counter({m.source: m.people for m in moves if m.people}) == renamed


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    histories(),
    st.sampled_from(CHILDREN),
    st.sampled_from(PARENTS),
    st.one_of(st.none(), st.integers(0, 40).map(lambda day: START + day * 86_400_000)),
)
def test_what_a_preview_says_is_what_happens(events, child, parent, since):
    # A visit that only its network gives to an account may change hands for what others of its person do.
    events = [msgspec.structs.replace(event, company="") for event in events]
    at = START + 10**10
    name = f"{TENANT}/{child}"
    if not acceptable(Claim(name, parent=f"{TENANT}/{parent}")):
        return
    words = {"claim": "k", "parent": parent} | ({"since": since} if since is not None else {})
    own = {"v": "visitor", "u": "user", "e": "email"}.get(child[0])
    said = Event(
        id="k", node=name, type=kinds.IDENTITY_LINK, at=at, received_at=START, platform=SERVER, properties=raw(words)
    )
    if own:
        setattr(said, own, child[2:])

    before = outcome(events)
    claims = claims_by_node(before)
    new = Known(name, "k", Held(f"{TENANT}/{parent}", 100, at, BEGINNING if since is None else since, None, SOURCE))
    moves = predict(book(claims), book(with_claim(claims, new)), records(before), [])

    assert_foretold(moves, before, outcome([*events, said]))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(), st.integers(0, 50))
def test_what_a_preview_says_of_a_claim_taken_back_is_what_happens(events, which):
    events = [msgspec.structs.replace(event, company="") for event in events]
    before = outcome(events)
    claims = claims_by_node(before)
    live = [c for some in claims.values() for c in some if c.live and not c.is_no_claim and not c.is_merge]
    if not live:
        return
    gone = live[which % len(live)]
    moves = predict(book(claims), book(without_claims(claims, [gone])), records(before, BUT_VISITORS), [])

    assert_foretold(moves, before, outcome([*events, unlink_of(gone)]), BUT_VISITORS)


def unlink_of(gone: Known) -> Event:
    said = Event(
        id="k", node=gone.node, type=kinds.IDENTITY_UNLINK, at=START + 10**10, received_at=START, platform=SERVER,
        properties=raw({"claim": gone.id}),
    )  # fmt: skip
    own = {"v": "visitor", "u": "user", "e": "email"}.get(gone.node.partition("/")[2][0])
    if own:
        setattr(said, own, gone.node.partition(":")[2])
    return said


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(objects_and_touches(), st.integers(0, 50), st.randoms(use_true_random=False))
def test_what_a_preview_says_of_the_crms_word_taken_back_is_what_happens_whichever_version_comes_last(
    events, which, rng
):
    before = outcome(events)
    claims = claims_by_node(before)
    folded = [c for some in claims.values() for c in some if c.live and "\0" in c.id]
    if not folded:
        return
    gone = folded[which % len(folded)]
    moves = predict(book(claims), book(without_claims(claims, [gone])), records(before, BUT_VISITORS), [])

    told = [*events, unlink_of(gone)]
    rng.shuffle(told)
    assert_foretold(moves, before, outcome(*([event] for event in told)), BUT_VISITORS)


CONTACTS = ("7", "8", "9")
TIMES = st.integers(1, 9)


@st.composite
def merged_contacts(draw):
    """Versions of contacts that each have one address for good, and are merged into each other, be it in a circle."""
    events = []
    for number in CONTACTS:
        address, account = draw(st.sampled_from(ADDRESSES[1:3])), draw(st.sampled_from([*ACCOUNTS, None]))
        heirs = st.sampled_from([heir for heir in CONTACTS if heir != number])
        merges = draw(st.lists(st.tuples(heirs, st.booleans()), min_size=1, max_size=2))
        events.append((number, address, {"account_id": account} if account else {}))
        events += [(number, "", {"merged_into": heir, "leads": leads}) for heir, leads in merges]
    return [
        forest.event(
            kinds.CRM_CONTACT, f"u:{number}", draw(TIMES), id=f"id{i}", user=number, email=address,
            properties={"id": number} | said,
        )
        for i, (number, address, said) in enumerate(events)
    ]  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(merged_contacts(), st.integers(0, 50))
def test_what_a_preview_says_of_the_address_of_merged_contacts_taken_back_is_what_happens(events, which):
    trees = forest.Forest()
    trees.observe(*events)
    claims: dict[str, list[Known]] = {}
    for claim in known_of(trees.step.rows.get("identity_claims", ())):
        claims.setdefault(claim.node, []).append(claim)
    links = [c for some in claims.values() for c in some if c.live and kind(c.held.parent) == EMAIL]
    if not links:
        return
    gone = links[which % len(links)]
    foretold = book(without_claims(claims, [gone]))

    taken = forest.event(kinds.IDENTITY_UNLINK, gone.node.partition("/")[2], 99, properties={"claim": gone.id})
    trees.observe(taken)
    for short in (*(f"u:{number}" for number in CONTACTS), *(f"e:{address}" for address in ADDRESSES[1:3])):
        for at in (0, *range(1, 11)):
            owner = foretold.decision(forest.name(short), at).owner
            found = (trees.account(short, at), trees.person(short, at))
            assert found == tuple(name.removeprefix(f"{forest.TENANT}/") for name in (owner.account, owner.person))
