"""Costs and rates: any order, duplication and framing of their versions ends where the batch result is."""

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.support.events import T0, make
from tests.support.stitch import Stage

DAYS = st.sampled_from(["2026-09-21", "2026-09-22"])


@st.composite
def costs(draw, number):
    day, campaign = draw(DAYS), draw(st.sampled_from(["a", "b"]))
    said = {"day": day, "channel": "Paid Search", "campaign": campaign, "currency": "EUR",
            "amount": draw(st.sampled_from(["0", "1", "2.5", "99.99", "-3"]))}  # fmt: skip
    return make("cost", f"default/o:cost/{day}{campaign}", f"c{number}", draw(st.integers(0, 4)), properties=said)


@st.composite
def rates(draw, number):
    base, quote = draw(st.sampled_from([("EUR", "USD"), ("USD", "EUR")]))
    day = draw(DAYS)
    said = {"day": day, "base": base, "quote": quote, "rate": draw(st.sampled_from(["0.5", "2", "1.25", "0.8"]))}
    return make("fx", f"default/o:fx/EUR-USD/{day}", f"r{number}", draw(st.integers(0, 4)), properties=said)


@st.composite
def versions(draw):
    kinds = draw(st.lists(st.sampled_from([costs, rates]), min_size=1, max_size=12))
    return [draw(kind(number)) for number, kind in enumerate(kinds)]


@st.composite
def schedules(draw, events):
    """In some order, some of them twice (the second time received later), cut into frames."""
    again = draw(st.lists(st.sampled_from(events), max_size=4))
    order = draw(st.permutations([*events, *(msgspec.structs.replace(e, received_at=T0 + 99) for e in again)]))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=4)))
    return [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]


def played(frames):
    stage = Stage(partitions=2)
    for frame in frames:
        stage.put(frame)
    return stage.run()


def spent(stage):
    found = {}
    for row in stage.rows.get("cost_ledger", []):
        amount, standing = found.get((row["day"], row["utm_campaign"]), (Decimal(0), 0))
        found[row["day"], row["utm_campaign"]] = amount + Decimal(row["amount"]), standing + row["standing"]
    return found


def held(stage):
    rows = stage.rows.get("fx_rates", [])
    return {(r["base"], r["quote"], r["day"]): Decimal(r["rate"]) for r in rows}


def said(event):
    return msgspec.json.decode(event.properties)


@given(st.data())
def test_the_sum_of_a_costs_bookings_is_its_latest_version(data):
    events = data.draw(versions())
    latest = {}
    for event in sorted((e for e in events if e.type == "cost"), key=lambda e: (e.at, e.id)):
        latest[said(event)["day"], said(event)["campaign"]] = Decimal(said(event)["amount"]), 1
    assert spent(played(data.draw(schedules(events)))) == latest


@given(st.data())
def test_the_rate_that_holds_is_the_latest_version_and_its_inverse(data):
    events = data.draw(versions())
    latest = {}
    for event in sorted((e for e in events if e.type == "fx"), key=lambda e: (e.at, e.id)):
        base, quote, day, rate = (said(event)[n] for n in ("base", "quote", "day", "rate"))
        latest[base, quote, day], latest[quote, base, day] = Decimal(rate), 1 / Decimal(rate)
    assert held(played(data.draw(schedules(events)))) == latest


@given(st.data())
def test_of_two_contents_with_one_id_the_same_one_counts_in_every_order(data):
    events, other = data.draw(versions()), data.draw(versions())
    clashing = [
        msgspec.structs.replace(b, id=a.id)
        for a, b in zip(events, other, strict=False)
        if (a.node, a.type) == (b.node, b.type)
    ]
    both = [*events, *clashing]
    one, two = (played(data.draw(schedules(both))) for _ in range(2))
    assert (spent(one), held(one)) == (spent(two), held(two))


@given(st.permutations(range(200)))
def test_very_many_versions_are_as_good_as_few(order):
    def cost(n):
        return make("cost", "default/o:cost/x", f"{n:03}", n, properties={"day": "2026-09-21", "amount": n})

    (amount, standing) = spent(played([[cost(n)] for n in order]))["2026-09-21", ""]
    assert (amount, standing) == (199, 1)
