"""The audit of identity: rows in, views out. Every expected value here was worked out by hand."""

from datetime import UTC, datetime

from schemas.codec import lines
from sinks.clickhouse.client import ClickHouse
from tests.support.fact_rows import put, row

T0 = 1_790_000_000_000
BEGINNING, END = -(2**62), 2**62


def moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).replace(tzinfo=None)


ALWAYS = moment(0)


def claim(**given):
    always = {"node": "u:7", "claim_id": "k", "parent": "a:acme", "source": "operator", "precedence": 100}
    return always | {"confidence": 1.0, "action": "claim", "since": BEGINNING, "until": END, "at": T0} | given


def test_a_claim_is_live_until_it_is_taken_back(database: ClickHouse) -> None:
    put(database, "identity_claims", claim(recorded_at=T0, cause_event_id="said"))
    put(database, "identity_claims", claim(claim_id="other", since=T0 + 1, until=T0 + 9, recorded_at=T0))
    query = (
        "SELECT claim_id, live, status, recorded_at, cause_event_id, retracted_at, retracted_by_event_id,"
        " holds_from, holds_to FROM v_identity_claims ORDER BY claim_id"
    )
    assert database.rows(query) == [
        ("k", True, "live", moment(T0), "said", None, "", None, None),
        ("other", True, "live", moment(T0), "", None, "", moment(T0 + 1), moment(T0 + 9)),
    ]

    put(database, "identity_claims", claim(action="retract", recorded_at=T0 + 5, cause_event_id="took back"))
    assert database.rows(query)[0] == (
        "k", False, "retracted", moment(T0), "said", moment(T0 + 5), "took back", None, None,
    )  # fmt: skip


def test_a_claim_whose_retraction_came_first_never_counts(database: ClickHouse) -> None:
    put(database, "identity_claims", claim(action="retract", parent="", source="", precedence=0, recorded_at=T0))
    put(database, "identity_claims", claim(action="late", recorded_at=T0 + 3))
    assert database.rows("SELECT parent, live, status, retracted_at FROM v_identity_claims") == [
        ("a:acme", False, "retracted", moment(T0))
    ]


def owned(version: int, known_at: int, *parts: tuple[int, str, str], source: str = "operator"):
    since, accounts, people = zip(*parts, strict=True)
    return {
        "node": "u:7", "kind": "user", "since": list(since), "account_id": list(accounts), "person_id": list(people),
        "source": [source] * len(parts), "version": version, "recorded_at": known_at, "cause_event_id": f"e{version}",
    }  # fmt: skip


def test_each_change_of_owner_is_listed_with_the_stretch_of_time_that_it_is_about(database: ClickHouse) -> None:
    put(database, "identity", owned(1, T0, (BEGINNING, "", "7")))
    put(database, "identity", owned(2, T0 + 10, (BEGINNING, "acme", "7")))
    put(database, "identity", owned(3, T0 + 20, (BEGINNING, "acme", "7"), (T0 + 2, "beta", "7")))
    put(database, "identity", owned(4, T0 + 30, (BEGINNING, "acme", "7")))

    found = database.rows(
        "SELECT changed_at, since, account_before, account_after, person_before, person_after, cause_event_id"
        " FROM v_identity_changes ORDER BY changed_at, since"
    )

    assert found == [
        (moment(T0), ALWAYS, "", "", "", "7", "e1"),
        (moment(T0 + 10), ALWAYS, "", "acme", "7", "7", "e2"),
        (moment(T0 + 20), moment(T0 + 2), "acme", "beta", "7", "7", "e3"),
        (moment(T0 + 30), moment(T0 + 2), "beta", "acme", "7", "7", "e4"),
    ]


def test_identity_as_of_a_moment_is_what_was_known_then(database: ClickHouse) -> None:
    put(database, "identity", owned(1, T0, (BEGINNING, "acme", "7")))
    put(database, "identity", owned(2, T0 + 10_000, (BEGINNING, "acme", "7"), (T0 + 2, "beta", "7")))
    query = "SELECT account_id, since FROM v_identity_as_of(as_of = {at:String}) ORDER BY since"
    assert database.rows(query, at=moment(T0 - 1).isoformat()) == []
    assert database.rows(query, at=moment(T0 + 5000).isoformat()) == [("acme", ALWAYS)]
    assert database.rows(query, at=moment(T0 + 20_000).isoformat()) == [("acme", ALWAYS), ("beta", moment(T0 + 2))]


def test_a_block_that_is_inserted_again_adds_nothing_to_the_history(database: ClickHouse) -> None:
    block = lines([row("identity", **owned(1, T0, (BEGINNING, "acme", "7")))])
    database.insert("identity", block, "token of one block")
    database.insert("identity", block, "token of one block")
    assert database.rows("SELECT count() FROM identity_history") == [(1,)]
