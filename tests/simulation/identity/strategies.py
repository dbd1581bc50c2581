"""Hypothesis strategies: small sets of inputs in which everything meets everything."""

from hypothesis import strategies as st

from schemas.messages import BEGINNING, Claim, Merge, Retract
from tests.simulation.identity.inputs import Hit, SessionUser, n

VISITORS = [n("v:1"), n("v:2")]
USERS = [n("u:1"), n("u:2")]
EMAILS = [n("e:ann@acme.com"), n("e:info@acme.com"), n("e:bob@beta.org"), n("e:cy@gmail.com")]
DOMAINS = [n("d:acme.com"), n("d:beta.org"), n("d:gmail.com")]
ACCOUNTS = [n("a:1"), n("a:2"), n("a:3"), n("a:4")]
LEAVES = [*VISITORS, n("o:1"), *USERS, *EMAILS, DOMAINS[0], ACCOUNTS[0]]
NODES = [*LEAVES, *DOMAINS[1:], *ACCOUNTS[1:]]
REGISTRY = n("r:accounts")
TIMES = st.integers(0, 6)
PRECEDENCES = st.sampled_from([0, 20, 40, 45, 50, 60, 80, 100])


def hit_id(node: str, when: int, session: str) -> str:
    return f"h {node} {when} {session}"


@st.composite
def claims(draw):
    child = draw(st.sampled_from(NODES))
    parent = draw(st.sampled_from(NODES))  # also ones that point downward, which must be refused
    claim = Claim(
        child,
        "cause",
        parent=parent,
        precedence=draw(PRECEDENCES),
        at=draw(TIMES),
        since=draw(st.one_of(st.just(BEGINNING), TIMES)),
        until=draw(st.one_of(st.none(), st.integers(0, 7))),
        source=draw(st.sampled_from(["x", "y"])),
    )
    stated = f"c {child} {parent} {claim.precedence} {claim.since} {claim.until} {claim.at}"
    # k: one id, several contents; with a number as the folds of the CRM make them: one statement, several claims.
    numbered = [f"s\0{number}" for number in range(3)]
    return _with_id(claim, draw(st.sampled_from([stated] * 4 + ["k1", "k2", *numbered])))


def _with_id(claim: Claim, claim_id: str) -> Claim:
    return Claim(
        claim.to,
        claim.cause,
        claim_id,
        claim.parent,
        claim.precedence,
        claim.at,
        claim.since,
        claim.until,
        claim.source,
    )


@st.composite
def retractions(draw, made):
    """Of some of what was made: by its id, or of all that says the same."""
    taken = [i for i in made if draw(st.integers(0, 3)) == 0]
    return [Retract(i.to, "cause", draw(st.sampled_from([i.id, i.id.partition("\0")[0]]))) for i in taken]


@st.composite
def merges(draw):
    loser, winner = draw(st.permutations(ACCOUNTS))[:2]
    precedence, at = draw(PRECEDENCES), draw(TIMES)
    stated = f"m {loser} {winner} {precedence} {at}"
    return Merge(REGISTRY, "cause", draw(st.sampled_from([stated] * 8 + ["k"])), loser, winner, precedence, at)


@st.composite
def hits(draw):
    leaf, when = draw(st.sampled_from(LEAVES)), draw(TIMES)
    session = draw(st.sampled_from(["", "s1", "s2", "s3"])) if leaf in VISITORS else ""
    own = draw(st.integers(0, 9)) < 9
    return Hit(
        leaf, "hit", hit_id(leaf, when, session) if own else f"h {leaf}", when, session, draw(st.sampled_from("ab"))
    )


session_users = st.builds(
    SessionUser,
    to=st.sampled_from(VISITORS),
    cause=st.just("who"),
    session=st.sampled_from(["s1", "s2"]),
    user=st.sampled_from([*USERS, EMAILS[0]]),
    when=TIMES,
)


@st.composite
def input_sets(draw):
    """Claims, merges, hits, sessions; retractions of some; duplicates of some."""
    made = draw(st.lists(claims(), max_size=8)) + draw(st.lists(merges(), max_size=3))
    took_back = draw(retractions(made))
    found = (
        made + took_back + draw(st.lists(hits(), min_size=1, max_size=6)) + draw(st.lists(session_users, max_size=4))
    )
    return found + [i for i in found if draw(st.integers(0, 4)) == 0]
