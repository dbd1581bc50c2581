"""Law: from the audit's rows alone the book decides what the forest decided, whatever the order in which it was said."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.messages import BEGINNING
from schemas.rules import Rules
from stream.core import identity
from stream.core.identity.book import Book
from stream.core.identity.explanation import explain
from stream.core.identity.prediction import with_claim, without_claims
from tests.simulation.identity.inputs import n
from tests.simulation.identity.strategies import LEAVES, USERS, claims, merges, retractions
from tests.support.claims import known_of
from tests.unit.identity.forest import Forest

TIMES = (BEGINNING, *range(-1, 9))
unhurried = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=200)


@st.composite
def sayings(draw):
    made = draw(st.lists(claims(), max_size=8)) + draw(st.lists(merges(), max_size=3))
    return draw(st.permutations(made + draw(retractions(made))))


class Here(Forest):
    """A forest whose short names have the tenant of the simulation's."""

    def heard(self, messages, links=()):
        self.tell(*messages)
        for visitor, user in links:
            self.step_link(visitor, user)
        return self

    def step_link(self, visitor, user):
        identity.link(self.step, visitor, user, 1, "who")
        self.loop()

    def decided(self, name, at, via=""):
        identity.owner_of(self.step, name, at, via)
        self.loop()
        return identity.owner_of(self.step, name, at, via)

    def known(self):
        return known_of(self.step.rows.get("identity_claims", ()))


LINKS = st.lists(st.tuples(st.sampled_from([n("v:1"), n("v:2")]), st.sampled_from(USERS)), max_size=3)


@unhurried
@given(said=sayings(), links=LINKS)
def test_the_book_says_what_the_forest_says(said, links):
    forest = Here().heard(said, links)
    book = Book(forest.known(), Rules())
    for name in LEAVES:
        for at in TIMES:
            assert book.decision(name, at).owner == forest.decided(name, at), (name, at)
    for visitor, user in links:
        for at in TIMES:
            assert book.decision(visitor, at, user).owner == forest.decided(visitor, at, user)


@unhurried
@given(said=sayings(), links=LINKS)
def test_every_explanation_leads_to_the_account_that_the_book_says(said, links):
    book = Book(Here().heard(said, links).known(), Rules())
    for name in LEAVES:
        for at in TIMES:
            found = explain(book, name, at)
            account = [edge.reason.parent for edge in found.edges if edge.role == "account"]
            person = [edge.reason.parent for edge in found.edges if edge.role == "person"]
            way = [name, *account, *person]
            assert found.account in {"", way[len(account)] if account else way[-1]}
            assert found.person in {"", *way}


@unhurried
@given(said=sayings(), one=st.one_of(claims(), merges()))
def test_a_claim_that_is_only_thought_of_does_what_it_does_when_it_is_made(said, one):
    before = Here().heard(said)
    after = Here().heard([*said, one])
    by_node = {}
    for claim in before.known():
        by_node.setdefault(claim.node, []).append(claim)
    if after.known() == before.known():
        return  # refused, or known already
    new = next(c for c in after.known() if c not in before.known())
    if any((c.node, c.id) == (new.node, new.id) for c in before.known()):
        return  # another content of a known id
    others = [c for c in by_node.get(new.node, ()) if c.live and c.id.split("\0")[0] == new.id.split("\0")[0]]
    thought = Book([c for cs in with_claim(by_node, new).values() for c in cs], Rules())
    back = Book([c for cs in without_claims(with_claim(by_node, new), [new]).values() for c in cs], Rules())
    for name in LEAVES:
        for at in TIMES:
            if new.live:
                assert thought.decision(name, at).owner == after.decided(name, at)
            if not others:  # else those go with it
                assert back.decision(name, at).owner == before.decided(name, at)
