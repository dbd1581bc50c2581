"""When an opportunity reached which stage: cycles, histories, closing days, refunds."""

import itertools

import pytest

from tests.support.both_stages import outcome
from tests.support.events import DAY, T0, make
from tests.support.stitch import Stage


def deal(id_, at, stage=None, **properties):
    said = {"account_id": "A1", "currency": "EUR", **properties}
    if stage:
        said["stage"] = stage
    return make("crm.opportunity", "default/o:1", id_, at, platform="server", properties=said)


def stages(*events):
    """What every order of the events comes to; the orders must agree."""
    found = []
    for order in itertools.permutations(events):
        stage = Stage()
        for event in order:
            stage.put([event])
        told = stage.run().conversions.get("default/a:A1", {}).values()
        found.append({c.stage: (c.at - T0, c.amount) for c in told})
    assert all(one == found[0] for one in found)
    return found[0]


def history(*entries):
    return [{"stage": stage, "at": T0 + at} for stage, at in entries]


def test_a_reopened_deal_reaches_its_stages_anew():
    assert stages(
        deal("1", 0, "demo", amount=10), deal("2", 5, "offer"), deal("3", 9, "lost"), deal("4", 20, "demo", amount=12),
        deal("5", 30, "won"),
    ) == {"open": (0, 1000), "demo": (20, 1200), "offer": (5, 1000), "won": (30, 1200)}  # fmt: skip


def test_a_step_back_within_a_cycle_changes_nothing():
    steps = deal("1", 0, "demo"), deal("2", 5, "offer"), deal("3", 7, "demo"), deal("4", 9, "offer")
    assert stages(*steps) == {"open": (0, 0), "demo": (0, 0), "offer": (5, 0)}


def test_lost_after_won_is_lost_in_the_same_cycle():
    assert stages(deal("1", 0, "won", amount=5), deal("2", 9, "lost")) == {"open": (0, 500), "lost": (9, 500)}


def test_a_refund_lowers_what_was_won_and_leaves_the_day():
    assert stages(deal("1", 0, "won", amount=100), deal("2", DAY, amount=60)) == {"open": (0, 10000), "won": (0, 6000)}


def test_a_history_says_what_no_version_was_there_to_see():
    told = history(("demo", 3), ("offer", 6), ("won", 8))
    seen = {"open": (1, 900), "demo": (3, 900), "offer": (6, 900), "won": (8, 900)}
    assert stages(deal("1", 50, "won", amount=9, created_at=T0 + 1, stages=told)) == seen


def test_versions_and_history_say_it_together():
    # The version of 4 saw the offer before the history did.
    told = history(("demo", 3), ("offer", 6))
    assert stages(deal("1", 4, "offer", amount=1), deal("2", 9, "won", amount=2, stages=told)) == {
        "open": (3, 100), "demo": (3, 100), "offer": (4, 100), "won": (9, 200),
    }  # fmt: skip


def test_the_history_of_the_latest_version_counts():
    wrong, right = history(("demo", 1), ("won", 2)), history(("demo", 4))
    assert stages(deal("1", 10, "demo", stages=wrong), deal("2", 11, "demo", stages=right)) == {
        "open": (4, 0),
        "demo": (4, 0),
    }


def test_a_history_has_cycles_too():
    told = history(("demo", 1), ("lost", 2), ("demo", 5), ("won", 8))
    assert stages(deal("1", 50, "won", amount=1, stages=told)) == {"open": (1, 100), "demo": (5, 100), "won": (8, 100)}


def test_a_deal_was_won_on_the_day_it_was_closed_not_when_somebody_edited_it():
    assert stages(deal("1", 90, "won", amount=5, created_at=T0 + 10, closed_at=T0 + 40)) == {
        "open": (10, 500),
        "won": (40, 500),
    }


@pytest.mark.parametrize(("closed", "won"), [(95, 90), (5, 10), (10, 10)])
def test_a_closing_day_after_the_version_or_before_the_creation_does_not_count(closed, won):
    assert stages(deal("1", 90, "won", created_at=T0 + 10, closed_at=T0 + closed))["won"] == (won, 0)


def test_a_planned_closing_day_does_not_count():
    assert stages(deal("1", 10, "demo", closed_at=T0 + 20), deal("2", 50, "won"))["won"] == (50, 0)


def test_the_closing_day_of_an_earlier_cycle_does_not_count():
    reopened = deal("2", 20, "demo"), deal("3", 50, "won", closed_at=T0 + 5)
    assert stages(deal("1", 5, "lost", closed_at=T0 + 5), *reopened)["won"] == (20, 0)


@pytest.mark.parametrize("ids", [("2", "3"), ("3", "2")])
def test_what_is_said_in_the_moment_of_closing_is_said_of_the_closed_deal(ids):
    """Who reports each field by itself says so of one moment by several versions, whose order is chance."""
    offer = deal("1", 0, "offer", amount=5)
    assert stages(offer, deal(ids[0], 50, "won"), deal(ids[1], 50, closed_at=T0 + 40, amount=9)) == {
        "open": (0, 500), "offer": (0, 500), "won": (40, 900),
    }  # fmt: skip


@pytest.mark.parametrize("ids", [("2", "3"), ("3", "2")])
def test_of_two_stages_of_one_moment_the_deal_was_closed_last(ids):
    """Salesforce's history has seconds, in which a program may move a deal twice."""
    assert stages(deal("1", 0, "demo"), deal(ids[0], 50, "offer"), deal(ids[1], 50, "won")) == {
        "open": (0, 0), "demo": (0, 0), "offer": (50, 0), "won": (50, 0),
    }  # fmt: skip


def test_of_a_history_of_days_a_deal_was_closed_last():
    told = history(("demo", 0), ("lost", DAY), ("proposal", DAY))
    assert stages(deal("1", 9 * DAY, "lost", stages=told)) == {
        "open": (0, 0), "demo": (0, 0), "proposal": (DAY, 0), "lost": (DAY, 0),
    }  # fmt: skip


def test_the_latest_word_on_when_it_was_created_counts():
    assert stages(deal("1", 30, "demo", created_at=T0 + 30), deal("2", 40, created_at=T0 + 10))["open"] == (10, 0)
    assert stages(deal("1", 30, "demo", created_at=T0 + 10), deal("2", 40, created_at=T0 + 20))["open"] == (20, 0)


def test_no_amount_is_none_and_an_empty_one_is_nothing():
    assert stages(deal("1", 0, "demo"), deal("2", 5, "offer", amount=7))["demo"] == (0, 700)
    stage = Stage()
    stage.put([deal("1", 0, "won", amount=7), deal("2", 5, amount="")])
    (won,) = (c for c in stage.run().conversions["default/a:A1"].values() if c.stage == "won")
    assert (won.amount, stage.rejected) == (0, [])


@pytest.mark.parametrize("junk", ["demo", 7, {}, [1, None, {"stage": "demo"}, {"at": T0}, {"stage": "", "at": T0}]])
def test_a_history_that_is_none_is_as_if_absent(junk):
    assert stages(deal("1", 9, "demo", stages=junk)) == {"open": (9, 0), "demo": (9, 0)}


def test_a_deleted_deal_that_comes_back_is_there_again():
    assert stages(deal("1", 0, "demo"), deal("2", 5, deleted=True)) == {}
    assert stages(deal("1", 0, "demo"), deal("2", 5, deleted=True), deal("3", 9)) == {"open": (0, 0), "demo": (0, 0)}


@pytest.mark.parametrize("stage", ["demo", "won", "lost"])
def test_an_account_whose_deal_is_new_is_at_the_deals_stage(stage):
    """The deal is opened in the moment of its first stage; which of the two counts must not be chance."""
    said = {"currency": "EUR", "stage": stage, "amount": 5}
    deals = [
        make(
            "crm.opportunity",
            f"default/o:{n}",
            f"e{n}",
            0,
            platform="server",
            properties={"account_id": f"A{n}", **said},
        )
        for n in range(8)
    ]
    found = outcome(deals)
    assert {c for c, _, _ in found.conversions()} == {"open", stage}
    assert {row["stage"] for row in found.tables["accounts"].values()} == {stage}


def test_an_account_with_many_deals_of_one_moment_is_at_the_furthest():
    deals = [
        make("crm.opportunity", f"default/o:{n}", f"e{n}", 0, platform="server",
             properties={"account_id": "A1", "stage": "won" if n == 7 else "demo"})
        for n in range(20)
    ]  # fmt: skip
    assert [row["stage"] for row in outcome(deals).tables["accounts"].values()] == ["won"]
