"""CRM rows through the collector's adapter and the stage: any order, duplication and framing gives what the latest words say."""

import json
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.collect.adapters import crm
from tests.support.stitch import Stage
from tests.unit.collect_edge.requests import DEV, NOW, request

START = 1_767_225_600
"""2026-01-01, s."""
HOUR = 3_600_000
DAY = 24 * HOUR
FIELDS = {
    "name": st.sampled_from(["Acme", "Acme Inc", "", None]),
    "domain": st.sampled_from(["acme.com", "acme.io", "", None]),
    "owner": st.sampled_from(["kim", "lee", None]),
    "stage": st.sampled_from(["Lead", "Customer", ""]),
}


@st.composite
def accounts(draw):
    """Versions of two accounts; of one account no two at the same time, so that "latest" is plain."""
    found = []
    for account in ("a1", "a2"):
        for at in draw(st.lists(st.integers(0, 20), unique=True, max_size=5)):
            said = {name: draw(values) for name, values in FIELDS.items() if draw(st.booleans())}
            found.append({"id": account, "updated_at": START + at, **said})
    return found


def played(rows, partitions=2):
    stage = Stage(partitions)
    for group in rows:
        body = json.dumps(group).encode()
        stage.put(crm.events_of(body, request("/v1/crm/accounts", source=DEV, received_at=NOW)).events)
    return stage.run()


@given(st.data())
def test_an_account_is_the_latest_word_on_each_field(data):
    rows = data.draw(accounts())
    if not rows:
        return
    wanted: dict[str, dict[str, str]] = {}
    for row in sorted(rows, key=lambda r: r["updated_at"]):
        said = {name: value or "" for name, value in row.items() if name in FIELDS}
        known = wanted.setdefault(f"default/a:{row['id']}", dict.fromkeys(FIELDS, ""))
        known |= said | ({"stage": said["stage"].lower()} if "stage" in said else {})
    again = data.draw(st.lists(st.sampled_from(rows), max_size=4))
    order = data.draw(st.permutations(rows + again))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=3)))
    groups = [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    profiles = played([g for g in groups if g]).profiles
    found = {
        node: {"name": p.name, "domain": p.domain, "owner": p.owner, "stage": p.stage} for node, p in profiles.items()
    }
    assert found == wanted


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_version_dated_ahead_and_sent_twice_counts_with_both_its_times_in_every_order(order):
    """Nothing happens in the future, so a version that says so is of its receipt: one version, two times."""
    ahead = {"id": "c1", "email": "ann@acme.com", "account_id": "a1", "updated_at": (NOW + DAY) / 1000}
    between = {"id": "c1", "email": "ann@acme.com", "account_id": "a2", "updated_at": (NOW + HOUR) / 1000}
    sent = [(ahead, NOW), (between, NOW + HOUR), (ahead, NOW + 2 * HOUR)]
    stage = Stage()
    for row, received_at in (sent[number] for number in order):
        asked = request("/v1/crm/contacts", source=DEV, received_at=received_at)
        stage.put(crm.events_of(json.dumps(row).encode(), asked).events)
    owners = stage.run().table("identity")["e:ann@acme.com"]
    # On a1 until the version of an hour later, and again since it was sent again; the first moment holds for all before it.
    assert list(zip(owners["since"], owners["account_id"], strict=True))[1:] == [
        (NOW + HOUR, "a2"),
        (NOW + 2 * HOUR, "a1"),
    ]
    assert owners["account_id"][0] == "a1"
