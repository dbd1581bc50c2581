"""The decayed score: exact integers, the documented formula, rows that give the score back."""

from fractions import Fraction
from math import exp2

import pytest

from stream.core.engagement import NOTHING, day_of, entry_unit, log2_score, pack, score_at, unpack
from stream.core.half_life import SCALE_BITS, growth, unit
from tests.support.account_log import ACCOUNT, DAY, START, AccountLog, put, touch, withdraw

HALF_LIFE = 14 * DAY


@pytest.mark.parametrize("time", [0, 1, 999, DAY, START, START + 12_345_678, 4_000_000_000_000])
@pytest.mark.parametrize("half_life", [60_000, DAY, 7 * DAY, HALF_LIFE, 365 * DAY])
def test_a_unit_is_the_power_of_two_to_a_few_billionths(time, half_life):
    mantissa, whole = growth(time, half_life)
    rest = time % half_life / half_life
    assert whole == time // half_life
    assert mantissa / 2**SCALE_BITS == pytest.approx(2**rest, rel=2e-9)


def test_whole_half_lives_are_exact():
    assert [unit(n * DAY, DAY) for n in range(4)] == [2**30, 2**31, 2**32, 2**33]


def test_units_grow_with_time():
    units = [unit(START + ms, HALF_LIFE) for ms in range(0, DAY, 997)]
    assert units == sorted(units)


@pytest.mark.parametrize("total", [0, 1, -1, 255, 256, -256, 3 << 2000, -(5 << 1999) + 1, 127, 128, -128])
def test_packing_loses_nothing(total):
    assert unpack(pack(total)) == total


def test_the_packed_sum_of_two_years_is_small_whatever_the_epoch():
    total = sum(1000 * entry_unit(START + day * DAY, HALF_LIFE) for day in range(730))
    assert len(pack(total)) < 32


def test_a_point_is_half_a_point_after_a_half_life():
    total = 8000 * entry_unit(START, HALF_LIFE)
    assert score_at(total, START + HALF_LIFE, HALF_LIFE) == pytest.approx(4, rel=1e-8)


def test_the_row_gives_the_score_back():
    total = 30_000 * entry_unit(START, HALF_LIFE) + 1_000 * entry_unit(START + 3 * DAY, HALF_LIFE)
    now = START + 5 * DAY
    score = exp2(log2_score(total) - now / HALF_LIFE)
    assert score == pytest.approx(30 * 2 ** (-5 / 14) + 2 ** (-2 / 14), rel=1e-6)


def test_no_score_is_written_as_a_number_that_json_can_hold():
    assert log2_score(0) == NOTHING == -1e308


def test_wild_clocks_are_cut_to_the_years_1970_to_2100():
    assert day_of(-(2**60)) == 0
    assert day_of(2**60) == day_of(4_102_444_799_999)
    assert entry_unit(-5, HALF_LIFE) == entry_unit(0, HALF_LIFE)
    assert entry_unit(2**60, HALF_LIFE) == entry_unit(4_102_444_800_000, HALF_LIFE)


def test_people_add_up_to_the_account():
    log = AccountLog()
    ann = touch("t1", START, points=8000)
    bob = touch("t2", START + DAY, person="default/e:bob@acme.com", points=3000)
    nobody = touch("t3", START + 2 * DAY, person="", points=1000)
    log.record(put(ann), put(bob))
    log.record(put(nobody))
    rows = {r.person_id: r for r in log.latest("engagement").values()}
    assert set(rows) == {"ann@acme.com", "bob@acme.com", ""}
    now = START + 9 * DAY
    (account,) = log.latest("accounts").values()
    parts = [exp2(r.log2_score - now / HALF_LIFE) for r in rows.values()]
    assert exp2(account.log2_score - now / HALF_LIFE) == pytest.approx(sum(parts), rel=1e-9)
    assert account.people == 2
    assert account.half_life_days == 14


def test_a_negative_person_has_a_sign_and_the_account_none():
    log = AccountLog()
    log.record(put(touch("t1", START, points=-20_000)))
    (person,) = log.latest("engagement").values()
    (account,) = log.latest("accounts").values()
    assert person.sign == -1
    assert exp2(person.log2_score - START / HALF_LIFE) == pytest.approx(20, rel=1e-6)
    assert account.log2_score == NOTHING


def test_a_touch_whose_person_becomes_known_changes_hands():
    log = AccountLog()
    anonymous = touch("t1", START, person="default/v:1", points=5000)
    log.record(put(anonymous))
    log.record(put(touch("t1", START, points=5000), reason="moved"))
    rows = {r.person_id: (r.touches, r.sign) for r in log.latest("engagement").values()}
    assert rows == {"1": (0, 0), "ann@acme.com": (1, 1)}
    (account,) = log.latest("accounts").values()
    assert account.people == 1


def test_what_is_withdrawn_leaves_no_trace_in_the_score():
    log = AccountLog()
    log.record(put(touch("t1", START, points=1000)))
    header = log.state.encoded["h\0" + ACCOUNT]
    other = touch("t2", START + 1234, person="default/e:bob@acme.com", points=777)
    log.record(put(other))
    assert log.state.encoded["h\0" + ACCOUNT] != header
    log.record(withdraw(other))
    assert log.state.encoded["h\0" + ACCOUNT] == header
    assert not [name for name in log.state.encoded if "bob" in name]


def test_a_new_half_life_rescales_an_account_at_its_next_message():
    from schemas.rules import Rules

    log = AccountLog(Rules())
    log.record(put(touch("t1", START, points=8000)))
    log.control(Rules(version="2", score_half_life_days=7))
    log.record(put(touch("t2", START + 7 * DAY, person="default/e:bob@acme.com", points=1000)))
    (account,) = log.latest("accounts").values()
    assert account.half_life_days == 7
    now = (START + 7 * DAY) / (7 * DAY)
    assert exp2(account.log2_score - now) == pytest.approx(5, rel=1e-6)
    rows = {r.person_id: exp2(r.log2_score - now) for r in log.latest("engagement").values()}
    assert rows == {"ann@acme.com": pytest.approx(4, rel=1e-6), "bob@acme.com": pytest.approx(1, rel=1e-6)}


def test_a_fraction_of_a_half_life_is_exact_to_the_documented_bound():
    # 2**(1/2): Fraction of the unit against the square, so no float is trusted.
    mantissa, _ = growth(DAY // 2, DAY)
    assert abs(Fraction(mantissa, 2**30) ** 2 - 2) < Fraction(1, 10**8)


def test_a_user_whose_id_is_the_address_is_one_person_with_the_address():
    log = AccountLog()
    log.record(put(touch("t1", START, person="default/u:ann@acme.com", points=5000)))
    # In one record: a new touch of the address, then the user's own turns out to be hers.
    log.record(put(touch("t2", START + DAY, points=1000)), put(touch("t1", START, points=5000)))
    (person,) = log.latest("engagement").values()
    (account,) = log.latest("accounts").values()
    assert (person.person_id, person.touches) == ("ann@acme.com", 2)
    assert account.people == 1


def test_a_user_and_an_address_of_the_same_spelling_add_up():
    log = AccountLog()
    log.record(put(touch("t1", START, person="default/u:ann@acme.com", points=5000)))
    log.record(put(touch("t2", START, person="default/e:ann@acme.com", points=1000)))
    (person,) = log.latest("engagement").values()
    assert person.touches == 2
    assert exp2(person.log2_score - START / HALF_LIFE) == pytest.approx(6, rel=1e-6)
