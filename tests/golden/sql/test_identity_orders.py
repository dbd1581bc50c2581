"""What the views of identity show does not depend on the order in which somebody's addresses became known."""

import msgspec
import pytest

from sinks.clickhouse.client import ClickHouse
from tests.support.fact_rows import put
from tests.unit.identity.forest import Forest, event

FIRST = event("identify", "u:7", at=10, user="7", email="b@firmone.com")
LATER = event("identify", "u:7", at=20, user="7", email="b@firmtwo.com")

VIEWS = {
    "now": "SELECT node, account_id, person_id, source FROM v_identity ORDER BY node",
    "as of": "SELECT node, account_id, person_id, source FROM v_identity_as_of(as_of = '2100-01-01') ORDER BY node",
}
# Of two work addresses the one first seen last counts. On the other one nothing rests, nor on its domain, so neither is shown.
WANTED = [
    ("d:firmtwo.com", "firmtwo.com", "", "domain"),
    ("e:b@firmtwo.com", "firmtwo.com", "b@firmtwo.com", "domain"),
    ("u:7", "firmtwo.com", "b@firmtwo.com", "trait"),
]


def play(database: ClickHouse, *events) -> None:
    forest = Forest()
    for one in events:
        forest.enter(one.node.partition("/")[2])
        forest.observe(one)
        put(database, "identity", *(msgspec.structs.asdict(row) for row in forest.rows().values()))


@pytest.mark.parametrize("order", [(FIRST, LATER), (LATER, FIRST)])
@pytest.mark.parametrize("view", VIEWS)
def test_an_address_that_another_took_the_place_of_is_not_shown_in_any_order(database: ClickHouse, order, view) -> None:
    play(database, *order)
    assert database.rows(VIEWS[view]) == WANTED


def test_that_nothing_rests_on_an_address_any_more_is_no_change_of_its_owner(database: ClickHouse) -> None:
    play(database, FIRST, LATER)
    query = (
        "SELECT account_before, account_after FROM v_identity_changes WHERE node = {node:String} ORDER BY changed_at"
    )
    assert database.rows(query, node="e:b@firmone.com") == [("", "firmone.com")]
    assert database.rows(query, node="u:7") == [("", "firmone.com"), ("firmone.com", "firmtwo.com")]


def test_an_address_that_comes_back_is_compared_with_what_was_last_known_of_it(database: ClickHouse) -> None:
    again = event("identify", "u:8", at=30, user="8", email="b@firmone.com")
    play(database, FIRST, LATER, again)
    query = "SELECT account_before, account_after FROM v_identity_changes WHERE node = 'e:b@firmone.com'"
    assert database.rows(query) == [("", "firmone.com")]
    assert ("e:b@firmone.com", "firmone.com", "b@firmone.com", "domain") in database.rows(VIEWS["now"])
