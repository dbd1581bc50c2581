"""What a stage makes of accounts and contacts typed, merged and deleted in a CRM of any origin, in whatever order it is told."""

import itertools
import json
from typing import Any

import pytest

from stream.collect.adapters import crm
from tests.support.stitch import Stage
from tests.unit.collect_edge.requests import DEV, NOW, request

ANN = "e:ann@acme.com"
Row = tuple[str, dict[str, Any]]
"""(objects, row)."""


def history(rows: tuple[Row, ...]) -> list[str]:
    """Whose Ann was from when to when, once all rows were told."""
    stage = Stage(2)
    for objects, row in rows:
        found = crm.events_of(json.dumps(row).encode(), request(f"/v1/crm/{objects}", source=DEV))
        assert found.rejected == []
        stage.put(found.events)
    told: list[str] = stage.run().table("identity")[ANN]["account_id"]
    return told


def employers(rows: tuple[Row, ...]) -> set[str]:
    """Whose Ann ever was."""
    return set(history(rows))


def account(account_id: str, ago: int, **fields: Any) -> Row:
    """A version as of ``ago`` ms before the request."""
    return "accounts", {"id": account_id, "updated_at": NOW - ago, **fields}


SEEN: Row = "activities", {"id": "t", "type": "call", "email": "ann@acme.com", "occurred_at": NOW - 1000}


@pytest.mark.parametrize("website", ["https://www.acme.com/en", "ACME.com/", "acme.io; acme.com", "www.acme.com:443"])
def test_a_website_as_people_type_it_is_the_accounts_domain(website: str) -> None:
    for rows in itertools.permutations([SEEN, account("a1", 500, domain=website)]):
        assert employers(rows) == {"a1"}


def test_what_is_no_domain_takes_an_account_off_none() -> None:
    named = account("a1", 500, domain="acme.com")
    for rows in itertools.permutations([SEEN, named, account("a1", 400, domain="to be done")]):
        assert employers(rows) == {"a1"}
    for rows in itertools.permutations([SEEN, named, account("a1", 400, domain="")]):
        assert employers(rows) == {"acme.com"}


def test_a_merged_account_is_the_one_that_goes_on() -> None:
    gone = account("a1", 400, domain="acme.com", merged_into="a2", deleted=True)
    for rows in itertools.permutations([SEEN, account("a1", 500, domain="acme.com"), gone]):
        assert employers(rows) == {"a2"}
    # The CRM cannot undo it, and a later version that says nothing of it does not.
    for rows in itertools.permutations([SEEN, gone, account("a1", 300, domain="acme.com", merged_into="")]):
        assert employers(rows) == {"a2"}


def test_a_deleted_account_keeps_its_domain_until_another_one_names_it() -> None:
    first, second = account("a1", 500, domain="acme.com"), account("a2", 400, domain="acme.com")
    gone = account("a1", 300, deleted=True)
    assert {a for rows in itertools.permutations([SEEN, first, gone]) for a in employers(rows)} == {"a1"}
    assert {a for rows in itertools.permutations([SEEN, first, second]) for a in employers(rows)} == {"a1"}
    assert {a for rows in itertools.permutations([SEEN, first, second, gone]) for a in employers(rows)} == {"a2"}
    back = account("a1", 200, deleted=False)
    for rows in itertools.islice(itertools.permutations([SEEN, first, second, gone, back]), 0, None, 7):
        assert employers(rows) == {"a1"}


def contact(contact_id: str, ago: int, **fields: Any) -> Row:
    """A version as of ``ago`` ms before the request."""
    return "contacts", {"id": contact_id, "updated_at": NOW - ago, **fields}


@pytest.mark.parametrize("last", [{"email": "ann@acme.com"}, {}])
def test_a_deleted_contact_is_on_no_account_until_it_is_back(last: dict[str, str]) -> None:
    there, gone = contact("c1", 500, email="ann@acme.com", account_id="a1"), contact("c1", 300, deleted=True, **last)
    for rows in itertools.permutations([SEEN, there, gone]):
        assert history(rows)[-1] == "acme.com"
    back = contact("c1", 200, email="ann@acme.com", deleted=False)
    for rows in itertools.permutations([SEEN, there, gone, back]):
        assert history(rows)[-1] == "a1"


def test_a_deleted_duplicate_takes_nobody_off_the_account_of_the_contact_that_stays() -> None:
    stays, double = (contact(c, 500, email="ann@acme.com", account_id="a1") for c in ("c1", "c2"))
    for more in ({}, {"merged_into": "c1"}):
        for rows in itertools.permutations([SEEN, stays, double, contact("c2", 300, deleted=True, **more)]):
            assert history(rows)[-1] == "a1"


def test_the_address_of_a_merged_contact_is_that_of_the_one_that_goes_on() -> None:
    ann = contact("c1", 500, email="ann@acme.com", account_id="a1")
    goes_on = contact("c2", 400, email="bob@acme.com", account_id="a2")
    for rows in itertools.permutations([SEEN, ann, goes_on, contact("c1", 300, merged_into="c2", deleted=True)]):
        assert history(rows)[-1] == "a2"
