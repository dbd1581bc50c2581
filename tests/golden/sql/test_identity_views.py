"""The audit of identity: rows in, views out. Every expected value here was worked out by hand."""

import re
from datetime import UTC, datetime
from pathlib import Path

from schemas.codec import lines
from sinks.clickhouse.client import ClickHouse
from tests.support.fact_rows import put, row

DOCS = Path(__file__).parents[3] / "docs" / "identity.md"
SQL = re.compile(r"```sql\n(.*?)```", re.DOTALL)
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


def documented_query(beginning: str) -> str:
    """The query of docs/identity.md that begins like this."""
    found = [block for block in SQL.findall(DOCS.read_text("utf-8")) if block.startswith(beginning)]
    (query,) = found
    return query.removesuffix(";\n")


def test_the_documented_query_finds_the_logins_of_more_than_five_companies(database: ClickHouse) -> None:
    def address(node: str, number: int, email: str, **given):
        # 50 is the rank of a work address, 45 that of a private one.
        said = {
            "node": node,
            "claim_id": f"trait {number}",
            "parent": f"e:{email}",
            "source": "trait",
            "precedence": 50,
        }
        return claim(**said | given)

    six = ["acme.com", "uk.beta.co.uk", "beta.co.uk", "c.io", "d.io", "e.io", "f.io"]
    put(database, "identity_claims", *(address("u:admin", n, f"ann@{host}") for n, host in enumerate(six)))
    five = [address("u:7", n, f"ann@{host}") for n, host in enumerate(six[:6])]
    put(database, "identity_claims", *five, address("u:7", 8, "ann@gmail.com", precedence=45))
    put(database, "identity_claims", address("u:8", 1, "x@g.io", action="retract"), *(
        address("u:8", n, f"ann@{host}") for n, host in enumerate(six[:6], 2)
    ))  # fmt: skip

    assert database.rows(documented_query("SELECT node, arraySort")) == [
        ("u:admin", ["acme.com", "beta.co.uk", "c.io", "d.io", "e.io", "f.io"])
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


def account(account_id: str, parent: str = "", **given):
    always = {
        "account_id": account_id,
        "parent_id": parent,
        "name": account_id.upper(),
        "version": 1,
        "log2_score": -1e308,
    }
    return always | given


def tree(database: ClickHouse, columns: str):
    return database.rows(f"SELECT account_id, {columns} FROM v_account_tree ORDER BY account_id")


def test_accounts_roll_up_to_those_above_them(database: ClickHouse) -> None:
    put(
        database, "accounts",
        account("group", touches=1, people=1), account("eu", "group", touches=2, people=1),
        account("de", "eu", touches=4, people=2), account("us", "group", touches=8), account("alone", touches=16),
    )  # fmt: skip
    assert tree(database, "parent_id, root_id, depth, touches, tree_accounts, tree_touches, tree_people") == [
        ("alone", "", "alone", 0, 16, 1, 16, 0),
        ("de", "eu", "group", 2, 4, 1, 4, 2),
        ("eu", "group", "group", 1, 2, 2, 6, 3),
        ("group", "", "group", 0, 1, 4, 15, 4),
        ("us", "group", "group", 1, 8, 1, 8, 0),
    ]


def test_who_is_in_a_circle_or_below_one_or_too_deep_stands_alone(database: ClickHouse) -> None:
    put(
        database, "accounts",
        account("a", "b"), account("b", "a"), account("below", "a"), account("self", "self"),
        account("n0"), *(account(f"n{n}", f"n{n - 1}") for n in range(1, 7)),
    )  # fmt: skip
    assert tree(database, "root_id, depth, problem") == [
        ("a", "a", 0, "circle"), ("b", "b", 0, "circle"), ("below", "below", 0, "circle"),
        ("n0", "n0", 0, ""), ("n1", "n0", 1, ""), ("n2", "n0", 2, ""), ("n3", "n0", 3, ""), ("n4", "n0", 4, ""),
        ("n5", "n0", 5, ""), ("n6", "n6", 0, "too deep"), ("self", "self", 0, ""),
    ]  # fmt: skip


def test_a_merged_parent_stands_for_the_account_that_it_was_merged_into(database: ClickHouse) -> None:
    put(database, "accounts", account("child", "old"), account("new"), account("merged-child", "old"))
    merged = {"node": "a:old", "kind": "account", "since": [BEGINNING], "account_id": ["new"], "person_id": [""]}
    put(database, "identity", merged | {"source": ["merge"], "version": 1})
    assert tree(database, "parent_id, root_id") == [
        ("child", "new", "new"), ("merged-child", "new", "new"), ("new", "", "new"),
    ]  # fmt: skip


def test_the_parent_that_the_crm_names_beats_what_domains_say(database: ClickHouse) -> None:
    # The subsidiary has a domain below its parent's and one of another group's; each is an account of the CRM.
    put(
        database, "accounts",
        account("acme-uk", "acme", domain="uk.acme.com"), account("acme", domain="acme.com"),
        account("globex", domain="globex.com"), account("globex-lab", "acme", domain="lab.globex.com"),
        account("acme.io"),  # a domain that no account of the CRM names is below nobody
    )  # fmt: skip
    assert tree(database, "parent_id, root_id, depth") == [
        ("acme", "", "acme", 0), ("acme-uk", "acme", "acme", 1), ("acme.io", "", "acme.io", 0),
        ("globex", "", "globex", 0), ("globex-lab", "acme", "acme", 1),
    ]  # fmt: skip
