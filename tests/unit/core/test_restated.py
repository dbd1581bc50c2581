"""Costs and exchange rates: reported again and again, booked as what changed."""

from decimal import Decimal

import pytest

from tests.support.events import T0, make
from tests.support.stitch import Stage


def cost(id_, at, amount, **said):
    said = {"day": "2026-09-21", "source": "google", "medium": "cpc", "currency": "EUR", **said, "amount": amount}
    return make("cost", "default/o:cost/1", id_, at, platform="server", properties=said)


def rate(id_, at, text, base="EUR", quote="USD"):
    said = {"day": "2026-09-21", "base": base, "quote": quote, "rate": text}
    return make("fx", "default/o:fx/EUR-USD/2026-09-21", id_, at, platform="server", properties=said)


def played(*events):
    stage = Stage()
    for event in events:
        stage.put([event])
    return stage.run()


def booked(*events):
    return [(r["amount"], r["reason"], r["standing"]) for r in played(*events).rows["cost_ledger"]]


def test_a_cost_is_booked_under_the_channel_it_paid_for():
    (row,) = played(cost("1", 0, "12.5", campaign="a")).rows["cost_ledger"]
    assert (row["day"], row["channel"], row["utm_campaign"], row["amount"], row["currency"]) == (
        "2026-09-21", "Paid Search", "a", "12.50", "EUR",
    )  # fmt: skip


def test_a_restated_cost_books_the_difference():
    assert booked(cost("1", 0, "10"), cost("2", 5, "12.34"), cost("3", 9, "7")) == [
        ("10.00", "new_cost", 1),
        ("2.34", "restated", 0),
        ("-5.34", "restated", 0),
    ]


def test_a_version_that_is_not_the_latest_and_one_that_says_the_same_book_nothing():
    assert booked(cost("2", 5, "12"), cost("1", 0, "10"), cost("3", 9, "12.00"), cost("2", 5, "12")) == [
        ("12.00", "new_cost", 1)
    ]


def test_of_two_versions_of_one_moment_the_same_one_counts_in_every_order():
    one, two = cost("1", 5, "8"), cost("2", 5, "7")

    def total(*events):
        return sum(Decimal(amount) for amount, *_ in booked(*events))

    assert total(one, two) == total(two, one) == 7


def test_a_cost_of_nothing_stands():
    assert booked(cost("1", 0, "0")) == [("0.00", "new_cost", 1)]


def test_a_replaced_cost_is_withdrawn_from_where_it_was():
    # One id, two contents: whichever counts, nothing of the other is left.
    one, two = cost("same", 0, "5", campaign="a"), cost("same", 0, "9", campaign="b")

    def standing(*events):
        left = {}
        for row in played(*events).rows["cost_ledger"]:
            amount, count = left.get(row["utm_campaign"], (0, 0))
            left[row["utm_campaign"]] = amount + Decimal(row["amount"]), count + row["standing"]
        return {campaign: amount for campaign, (amount, count) in left.items() if count}

    assert standing(one, two) == standing(two, one)
    assert len(standing(one, two)) == 1


def test_an_amount_that_is_no_number_counts_as_nothing_and_says_so():
    stage = played(cost("1", 0, "many"))
    assert [r["amount"] for r in stage.rows["cost_ledger"]] == ["0.00"]
    assert [letter["reason"] for letter in stage.rejected] == ["bad_value"]


def rates(*events):
    return [(r["base"], r["quote"], r["rate"], r["deleted"]) for r in played(*events).rows.get("fx_rates", [])]


def test_a_rate_holds_in_both_directions():
    assert rates(rate("1", 0, "1.25")) == [
        ("EUR", "USD", "1.250000000000000000", False),
        ("USD", "EUR", "0.800000000000000000", False),
    ]


def test_an_inverse_is_rounded_to_eighteen_places():
    # 1 / 3 and 1 / 170.5 = 0.005865102639296187683...
    assert rates(rate("1", 0, 3))[1][2] == "0.333333333333333333"
    assert rates(rate("1", 0, "170.5"))[1][2] == "0.005865102639296188"


def test_the_latest_word_on_a_pair_counts_in_whichever_direction_it_was_given():
    assert rates(rate("1", 0, "1.25"), rate("2", 5, "0.5", "USD", "EUR")) == [
        ("EUR", "USD", "1.250000000000000000", False),
        ("USD", "EUR", "0.800000000000000000", False),
        ("USD", "EUR", "0.500000000000000000", False),
        ("EUR", "USD", "2.000000000000000000", False),
    ]


def test_an_older_version_of_a_rate_books_nothing():
    assert rates(rate("2", 5, "1.25"), rate("1", 0, "1.1"), rate("3", 6, "1.250")) == rates(rate("2", 5, "1.25"))


@pytest.mark.parametrize("bad", ["", "zero", "0", "-1", "NaN", "1e99", "1e-10"])
def test_what_is_no_rate_is_a_dead_letter(bad):
    stage = played(rate("1", 0, bad))
    assert "fx_rates" not in stage.rows
    assert [letter["reason"] for letter in stage.rejected] == ["bad_value"]


def test_a_rate_that_is_replaced_by_none_is_gone_in_every_order():
    def standing(*events):
        last = {(base, quote): deleted for base, quote, _, deleted in rates(*events)}
        return {pair for pair, deleted in last.items() if not deleted}

    for text in ("zero", "nil", "none", "x", "many"):
        good, bad = rate("same", 0, "1.25"), rate("same", 0, text)
        assert standing(good, bad) == standing(bad, good)


def test_a_currency_has_no_rate_to_itself():
    assert rates(rate("1", 0, "1", "EUR", "EUR")) == []


def test_every_row_says_which_event_at_which_time_of_the_log_caused_it():
    stage = Stage()
    stage.at = T0 + 77
    stage.put([cost("1", 0, "10")])
    (row,) = stage.run().rows["cost_ledger"]
    assert (row["cause_event_id"], row["recorded_at"]) == ("1", T0 + 77)


def test_a_repeat_after_its_id_was_forgotten_changes_nothing():
    stage = Stage()
    first, deal = cost("1", 0, "10"), make("crm.opportunity", "default/o:1", "o", 0, platform="server",
                                           properties={"stage": "won", "amount": 5, "account_id": "A"})  # fmt: skip
    stage.put([first, deal])
    stage.run()
    before = stage.result()
    stage.tick(stage.at + 31 * 86_400_000)
    stage.put([first, deal])
    stage.run()
    assert len(stage.rows["events"]) == 4
    assert len(stage.rows["cost_ledger"]) == 1
    assert stage.result() == before


def test_figures_are_nobody():
    assert "identity" not in played(cost("1", 0, "10"), rate("2", 0, "1.1")).rows
