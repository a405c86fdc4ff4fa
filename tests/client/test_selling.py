"""What a home may expect to sell, against slow oracles: the sell limit first come, first sold; its worth; the quote."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.selling import (
    _COMES_ABOUT,
    expected_cost_uusd,
    expected_purchases,
    expected_sales,
    limit_worth_uusd,
    sellable_besides_wh,
    sellable_wh,
)
from common.config import MarketRules
from common.messages import CURVE_SLOTS, Quote

RULES = MarketRules()
LIMIT = RULES.daily_sell_limit_wh


def random_surplus(seed, homes=3, scenarios=4, slots=12):
    rng = np.random.default_rng(seed)
    return rng.choice([0.0, 500.0, 2_500.0], (homes, scenarios, slots)), rng.integers(0, LIMIT, homes), rng


@given(st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_what_may_be_sold_is_what_a_ledger_would_allow(seed):
    surplus, left, rng = random_surplus(seed)
    day = np.sort(rng.integers(5, 7, surplus.shape[2]))
    found = sellable_wh(surplus, left, LIMIT, day)
    for home in range(len(left)):
        for scenario in range(surplus.shape[1]):
            remains = dict.fromkeys(day.tolist(), LIMIT) | {int(day[0]): int(left[home])}
            for slot, number in enumerate(day.tolist()):
                sold = min(surplus[home, scenario, slot], remains[number])
                remains[number] -= sold
                assert found[home, scenario, slot] == sold


def test_what_is_stored_after_dear_hours_can_be_sold_in_them_within_the_limit():
    """Two days' peaks of two slots; the second is longer than the plan."""
    imports, day = np.array([280, 510, 510, 280, 280, 510]) * 1_000, np.array([7, 7, 7, 7, 8, 8])
    sold, left = np.array([[0, 0, 0, 500, 0, 0]]), np.array([6_000])

    def besides(stored_wh, left=left):
        return sellable_besides_wh(np.array([stored_wh], float), sold, left, LIMIT, day, imports)[0].tolist()

    battery = [5_000, 4_500, 4_000, 3_000, 1_000, 900]
    assert besides(battery) == [0, 4_000, 4_000, 0, 0, 900]
    assert besides(battery, np.array([2_000])) == [0, 1_500, 1_500, 0, 0, 900], "today's limit, less planned sales"
    assert besides(battery, np.array([100])) == [0, 0, 0, 0, 0, 900]
    assert besides([12_000] * 6, np.array([LIMIT])) == [0, 9_500, 9_500, 0, 0, 10_000]


def test_nothing_can_be_sold_besides_where_no_hours_are_dear():
    flat, day = np.full(6, 280_000), np.full(6, 7)
    stored, sold = np.full((1, 6), 5_000.0), np.zeros((1, 6), np.int64)
    assert not sellable_besides_wh(stored, sold, np.array([LIMIT]), LIMIT, day, flat).any()


@given(st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_the_limit_is_worth_what_one_more_unit_of_it_earns(seed):
    surplus, left, rng = random_surplus(seed)
    gain = rng.choice([-10_000.0, 35_000.0, 170_000.0, 363_000.0], surplus.shape[2])
    today = np.arange(surplus.shape[2]) < 9

    def earned(scenario, limit):
        best = np.argsort(-gain, kind="stable")
        total = 0.0
        for slot in best[today[best]]:
            sold = min(scenario[slot], limit)
            limit, total = limit - sold, total + sold * max(gain[slot], 0.0)
        return total

    found = limit_worth_uusd(surplus, left, gain, today)
    for home in range(len(left)):
        more = [earned(s, left[home] + 1) - earned(s, left[home]) for s in surplus[home]]
        assert found[home] == pytest.approx(_COMES_ABOUT * np.mean(more))


def quoted(curve, wanted, offered):
    share = (2.0,) * CURVE_SLOTS
    return Quote(
        slot=7, price_uusd=curve[0], curve_uusd=curve, charge_share=share, wanted_wh=wanted, offered_wh=offered
    )


NOTHING = (0,) * CURVE_SLOTS
IMPORTS = np.where(np.arange(60) % CURVE_SLOTS < 8, 510_000, 280_000)


def test_a_home_expects_the_scarce_price_of_each_tariff_period():
    curve = tuple(100_000 if 20 <= slot < 30 else 446_000 if slot < 8 else 245_000 for slot in range(CURVE_SLOTS))
    quote = quoted(curve, tuple(range(CURVE_SLOTS)), (0,) * CURVE_SLOTS)
    sales = expected_sales(quote, IMPORTS, RULES.delivered_share)
    assert sales.price_uusd[:8].tolist() == [423_700] * 8
    assert set(sales.price_uusd[8:48].tolist()) == {232_750}
    assert sales.most_wh[48:].tolist() == list(range(12))  # the next day as this one


def test_before_the_tariff_falls_a_home_expects_no_more_than_the_price_there():
    curve = tuple(350_300 if slot == 7 else 446_000 if slot < 8 else 245_000 for slot in range(CURVE_SLOTS))
    sales = expected_sales(quoted(curve, (100,) * CURVE_SLOTS, NOTHING), IMPORTS, RULES.delivered_share)
    assert sales.price_uusd[:9].tolist() == [423_700] * 7 + [332_785, 232_750]
    assert sales.price_uusd[54:57].tolist() == [423_700, 332_785, 232_750], "the next day as this one"


def test_a_home_counts_on_most_of_what_is_offered_at_the_dearest_price_at_which_it_is():
    curve = tuple(300_000 + 1_000 * slot if slot < 8 else 245_000 for slot in range(CURVE_SLOTS))
    offered = tuple(1_000 if 2 <= slot < 5 else 0 for slot in range(CURVE_SLOTS))
    purchases = expected_purchases(quoted(curve, (0,) * CURVE_SLOTS, offered), IMPORTS)
    assert set(purchases.price_uusd[:8].tolist()) == {304_000}
    assert set(purchases.price_uusd[8:48].tolist()) == {280_000}, "nothing is offered then: no better than the grid"
    assert purchases.most_wh[:8].tolist() == [0, 0, 800, 800, 800, 0, 0, 0]
    assert purchases.most_wh[48:52].tolist() == [0, 0, 800, 800]


def test_a_home_expects_to_buy_most_of_what_it_lacks_in_dear_hours_from_neighbours():
    curve = tuple(300_000 + 10_000 * slot if slot < 8 else 245_000 for slot in range(CURVE_SLOTS))
    cost = expected_cost_uusd(quoted(curve, NOTHING, NOTHING), IMPORTS, np.full_like(IMPORTS, 60_000), RULES)
    assert set(cost[:8].tolist()) == {510_000 - 98_000}, "the dearest of the peak's prices"
    assert set(cost[8:48].tolist()) == {280_000}, "off-peak the grid is what a plan counts on"


@pytest.mark.parametrize(
    ("peak", "export", "least"),
    [(510_000, 60_000, 327_486), (510_000, 480_000, 505_264), (510_000, 500_000, 510_000), (320_000, 60_000, 320_000)],
)
def test_without_sun_nobody_counts_on_neighbours_for_less_than_exporting_pays_or_storing_costs(peak, export, least):
    imports = np.where(IMPORTS == 510_000, peak, IMPORTS)
    quote = quoted((100_000,) * CURVE_SLOTS, NOTHING, NOTHING)
    cost = expected_cost_uusd(quote, imports, np.full_like(imports, export), RULES)
    assert set(cost[:8].tolist()) == {round(peak - 0.7 * (peak - least))}
    assert (cost >= np.minimum(imports, export)).all()


@pytest.mark.parametrize("export", [60_000, 250_000, 480_000])
def test_sun_that_is_offered_beyond_what_is_wanted_is_given_for_what_exporting_pays(export):
    imports, some = np.where(IMPORTS == 510_000, 320_000, IMPORTS), (0, 5) + (0,) * (CURVE_SLOTS - 2)
    exports = np.full_like(imports, export)
    cost = expected_cost_uusd(quoted((100_000,) * CURVE_SLOTS, NOTHING, some), imports, exports, RULES)
    least = min(320_000, max(100_000, int(RULES.least_price_uusd(np.array([export]))[0])))
    assert set(cost[:8].tolist()) == {round(320_000 - 0.7 * (320_000 - least))}
    wanted = expected_cost_uusd(quoted((100_000,) * CURVE_SLOTS, some, NOTHING), imports, exports, RULES)
    assert set(wanted[:8].tolist()) == {320_000}, "who has sun, but no more than is wanted, refills what it gives"
