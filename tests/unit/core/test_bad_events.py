"""What cannot be digested is a rejection with a reason; its neighbours are not touched."""

import msgspec
import pytest

from tests.support.events import hit, make, page
from tests.support.stitch import Stage


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (make("page", "nonsense", "x", 0), "bad_value"),
        (make("page", "default/z:1", "x", 0), "bad_value"),
        (page("x", 2**62), "bad_time"),
        (page("x", -(2**62)), "bad_time"),
        (page("x", 0, received_at=-1), "bad_time"),
        (make("crm.account", "default/v:1", "x", 0, properties={}), "bad_value"),
        (make("crm.opportunity", "default/o:1", "x", 0, properties="text"), "malformed"),
        (make("crm.opportunity", "default/o:1", "x", 0, properties={"amount": {}}), "bad_value"),
        (make("cost", "default/a:1", "x", 0, properties={"amount": "NaN", "day": 5}), "bad_value"),
        (hit("email", "x", 0, properties=[1]), "malformed"),
    ],
)
def test_a_bad_event_is_rejected_and_its_neighbours_count(bad, reason):
    stage = Stage()
    stage.put([page("a", 0)])
    stage.logs[0][0][1].insert(0, bad)
    stage.run()
    assert {letter["reason"] for letter in stage.rejected} == {reason}
    assert "a" in stage.table("events")
    assert len(stage.table("sessions")) == 1


@pytest.mark.parametrize("url", ["http://[", "x" * 9000, "https://acme.com/?" + "a=1&" * 500, "\x00", "//:99999"])
def test_strange_addresses_are_only_strange(url):
    stage = Stage()
    stage.put([page("a", 0, url=url, referrer=url)])
    stage.run()
    assert msgspec.json.encode(stage.table("sessions"))
    assert stage.rejected == []
