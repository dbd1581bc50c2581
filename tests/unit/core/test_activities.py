"""What touch an activity of the CRM is, whatever versions of it come in whatever order."""

import itertools

import pytest

from schemas.rules import Rules
from tests.support.events import DAY, T0, make, page
from tests.support.stitch import Stage

ANN = "default/e:ann@bosch.example"


def meeting(id_, at, **said):
    """A version as of ``T0 + at``, received at once unless ``received`` says when."""
    received = said.pop("received", at)
    if "occurred_at" in said:
        said["occurred_at"] += T0
    name = said.pop("name", "meeting")
    return make(
        "crm.activity", "default/m:7", id_, at, name=name, platform="server", properties=said, received_at=T0 + received
    )


def touches(*events):
    """What every order of the events comes to, each event twice; the orders must agree: (account, type, at, person)."""
    found = []
    for order in itertools.permutations(events):
        stage = Stage()
        for event in order + order:
            stage.put([event])
        stage.run()
        found.append(
            [(account, t.type, t.at - T0, t.person) for account, kept in stage.touches.items() for t in kept.values()]
        )
        shown = [(r["type"], r["occurred_at"] - T0) for r in stage.table("touches").values()]
        assert shown == [(type_, at) for _, type_, at, _ in found[-1]]
        assert not stage.rejected
    assert all(one == found[0] for one in found)
    return found[0]


def held(id_="1", at=0, **said):
    return meeting(id_, at, **{"email": "ann@bosch.example", "occurred_at": at, **said})


BOSCH = "default/d:bosch.example"


def test_who_it_was_with_is_what_the_latest_version_says():
    moved = meeting("2", 5, email="eve@siemens.example")
    assert touches(held(), moved) == [("default/d:siemens.example", "meeting", 0, "default/e:eve@siemens.example")]


def test_the_account_that_it_names_is_its_account_and_the_person_stays():
    assert touches(held(account_id="A1")) == [("default/a:A1", "meeting", 0, ANN)]
    assert touches(held(account_id="A1"), meeting("2", 5, account_id="A2")) == [("default/a:A2", "meeting", 0, ANN)]
    assert touches(held(account_id="A1"), meeting("2", 5, account_id="")) == [(BOSCH, "meeting", 0, ANN)]


@pytest.mark.parametrize(
    ("type_", "channel", "points"),
    [
        ("meeting", "Sales Outreach", 30_000),
        ("call", "Sales Outreach", 1_000),
        ("event", "Event", 1_000),
        ("webinar", "Event", 12_000),
        ("conference", "Event", 1_000),
        ("tradeshow", "Event", 1_000),
    ],
)
def test_its_type_says_its_channel_and_points(type_, channel, points):
    stage = Stage()
    stage.put([held(name=type_)])
    stage.run()
    (touch,) = stage.touches[BOSCH].values()
    assert (touch.type, touch.channel, touch.points) == (type_, channel, points)


def test_an_activity_without_a_person_is_its_accounts():
    assert touches(meeting("1", 0, account_id="A1", name="call")) == [("default/a:A1", "call", 0, "")]


def test_a_meeting_that_was_moved_has_the_date_of_the_latest_version():
    later = meeting("2", 3 * DAY, occurred_at=2 * DAY), meeting("3", 4 * DAY, name="call")
    assert touches(held(), *later) == [(BOSCH, "call", 2 * DAY, ANN)]


def test_at_another_time_it_is_another_touch_for_tables_keep_a_touch_by_its_month():
    stage = Stage()
    stage.put([held()])
    stage.put([meeting("2", 40 * DAY, occurred_at=31 * DAY)])
    rows = {(r["touch_id"], r["occurred_at"] - T0): bool(r.get("deleted")) for r in stage.run().rows["touches"]}
    assert sorted((at, gone) for (_, at), gone in rows.items()) == [(0, True), (31 * DAY, False)]
    assert len({touch_id for touch_id, _ in rows}) == 2


def test_one_without_a_time_is_as_old_as_its_first_version():
    first = meeting("1", 3, email="ann@bosch.example", received=9)
    assert touches(first, meeting("2", 5, subject="Intro")) == [(BOSCH, "meeting", 3, ANN)]


def test_a_deleted_activity_is_none_until_a_version_comes_without_it():
    gone = meeting("2", 5, deleted=True)
    assert touches(held(), gone) == []
    assert touches(held(), gone, meeting("3", 9, subject="restored")) == [(BOSCH, "meeting", 0, ANN)]


@pytest.mark.parametrize("status", ["planned", "scheduled", "not_started", "in_progress", "cancelled", "no_show"])
def test_one_that_did_not_take_place_is_no_touch_until_a_version_says_that_it_did(status):
    planned = held(status=status)
    assert touches(planned) == []
    assert touches(planned, meeting("2", 5, subject="Intro")) == []
    assert touches(planned, meeting("3", 9, status="completed")) == [(BOSCH, "meeting", 0, ANN)]


@pytest.mark.parametrize("status", ["", "completed", "held"])
def test_any_other_status_says_that_it_took_place(status):
    assert touches(held(status=status)) == [(BOSCH, "meeting", 0, ANN)]


def test_one_that_lies_ahead_is_no_touch_until_something_of_it_comes_after_its_time():
    ahead = held(occurred_at=DAY)
    assert touches(ahead) == []
    assert touches(ahead, held("2", received=DAY - 1, occurred_at=DAY)) == []
    assert touches(ahead, held("2", received=DAY, occurred_at=DAY)) == [(BOSCH, "meeting", DAY, ANN)]
    # Moved on the day before: what was received about the old date proves nothing of the new one.
    put_off = meeting("3", DAY - 1, occurred_at=7 * DAY)
    assert touches(ahead, put_off, held("2", received=DAY, occurred_at=DAY)) == []


def test_a_version_by_another_node_is_refused():
    stage = Stage()
    stage.put([make("crm.activity", ANN, "1", 0, name="meeting", platform="server", properties={"id": "7"})])
    assert [r["detail"] for r in stage.run().rejected] == ["crm.activity did not come by its own node"]
    assert not stage.touches


def test_an_activity_says_nothing_of_anybody_but_itself():
    visit = page("p", 0, "v", user="u")
    said = meeting("1", 0, email="ann@bosch.example", account_id="A1")
    said.user, said.email, said.group = "u", "ann@bosch.example", "A1"
    stage = Stage()
    stage.put([visit, said])
    assert list(stage.run().touches) == ["default/a:A1"]
    assert stage.table("sessions").popitem()[1]["account_id"] == ""


def test_an_address_that_names_nobody_is_nobodys_activity():
    rules = Rules(blocked_ids=("test@bosch.example",))
    stage = Stage(rules=rules)
    stage.put([meeting("1", 0, email="test@bosch.example")])
    assert not stage.run().touches
    assert [row["person_id"] for row in stage.table("touches").values()] == [""]
