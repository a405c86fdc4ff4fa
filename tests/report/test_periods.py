from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from report_cases import BATTERY, TARIFF, by_chance, hand_made, seen

from common.clock import day_slots
from common.errors import UserError
from report.accounts import by_span
from report.chosen_days import BURN_IN_DAYS, spread_blocks, year_blocks
from report.evaluation_chart import evaluation_png
from report.observed import Bounds
from report.outcome import day_outcome
from report.periods import four_weeks, months, period_row, ratio
from tests.report.test_evaluation import BOUNDS, evaluate

BEGIN = date(2025, 1, 1) + timedelta(days=BURN_IN_DAYS)


def days_in_a_row(count, worse_from=10**9):
    """Days like the one by hand; elm, worse off on it, gains on the days before ``worse_from``."""
    one = day_outcome(hand_made(), TARIFF, BATTERY, seen(), BOUNDS)
    good = replace(one.paid, battery_only_nusd=one.paid.battery_only_nusd + 10**9)
    return [
        replace(one, day=(date(2025, 7, 1) + timedelta(days=k)).isoformat(), paid=one.paid if k >= worse_from else good)
        for k in range(count)
    ]


def test_a_ratio_of_equal_days_has_no_spread_and_one_of_unequal_days_has_the_right_one():
    same = ratio(np.full(20, 3.0), np.full(20, 10.0), follow=True)
    assert same.value == same.low == same.high == 0.3
    rng = np.random.default_rng(0)
    days = rng.normal(5, 1, 400)
    found = ratio(days, np.ones(400), follow=False)
    assert found.low < found.value < found.high
    assert (found.high - found.low) == pytest.approx(2 * 1.96 * days.std() / 20, rel=0.1)
    walk = np.repeat(rng.normal(5, 1, 58), 7)[:400]  # weeks of equal days: drawn by days they would look too sure
    wide, narrow = (ratio(walk, np.ones(400), follow=f) for f in (True, False))
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_what_is_not_known_of_a_day_is_not_known_of_the_period():
    assert ratio(np.array([1.0, np.nan]), np.ones(2), follow=False).value is None
    assert ratio(np.ones(1), np.ones(1), follow=False).low is None
    assert ratio(np.zeros(0), np.zeros(0), follow=False).value is None


def test_months_and_the_whole_by_hand():
    outcomes = days_in_a_row(40)
    rows = months(outcomes)
    assert [(row.period, row.days) for row in rows] == [("2025-07", 31), ("2025-08", 9)]
    whole = period_row("all", outcomes)
    assert whole.savings_percent_b1.value == pytest.approx(32.4006, abs=1e-4)
    assert whole.captured_share.value == pytest.approx(0.486010 / 0.7, abs=1e-4)
    assert (whole.peak_window_cut_percent.value, whole.homes_worse_off) == (76.0, 0)


def test_who_is_worse_off_over_any_four_weeks():
    assert four_weeks(days_in_a_row(27)) is None
    good = four_weeks(days_in_a_row(40))
    assert (good.windows, good.homes_worse_off, good.worst_usd) == (13, 0, 0.0)
    late = days_in_a_row(60, worse_from=30)  # the last windows have bad days alone, the first none
    found = four_weeks(late)
    one = late[-1].paid
    assert (found.windows, found.homes_worse_off) == (33, 1)
    assert found.worst_usd == pytest.approx(28 * max(one.p2p_nusd - one.battery_only_nusd) / 1e9, abs=1e-3)
    gap = [*late[:20], *late[21:]]
    assert four_weeks(gap).windows == 12, "a window has no gap"


def test_a_year_is_months_without_gaps():
    first, last = date(2025, 1, 1), date(2025, 4, 2)
    assert year_blocks(first, last) == [
        (date(2025, 2, 26), date(2025, 2, 28)), (date(2025, 3, 1), date(2025, 3, 31)), (date(2025, 4, 1), last)
    ]  # fmt: skip
    gap = date(2025, 3, 10)
    assert year_blocks(first, last, [gap])[1:3] == [
        (date(2025, 3, 1), date(2025, 3, 9)), (date(2025, 3, 11), date(2025, 3, 31))
    ]  # fmt: skip
    with pytest.raises(UserError, match=r"--year: the data has no day"):
        year_blocks(first, first)


def test_blocks_are_spread_and_do_not_touch_gaps_or_each_other():
    last = BEGIN + timedelta(days=29)
    blocks = spread_blocks(date(2025, 1, 1), last, 9, 3, [BEGIN])
    assert [(b - a).days for a, b in blocks] == [2, 2, 2]
    assert blocks[0][0] == BEGIN + timedelta(days=1) and blocks[-1][1] == last
    assert spread_blocks(date(2025, 1, 1), last, 1, 1) == [(last, last)]
    with pytest.raises(UserError, match="no 10 blocks of 7 days"):
        spread_blocks(date(2025, 1, 1), last, 70, 7)


def test_the_picture_of_an_evaluation(tmp_path):
    books, readings = by_chance(3, [day_slots(date(2025, 7, 1) + timedelta(days=k)) for k in range(3)])
    known = day_outcome(hand_made(), TARIFF, BATTERY, seen(), Bounds(*[BOUNDS.optimum_nusd] * 4))
    unknown = [day_outcome(day, TARIFF, BATTERY, readings) for day in by_span(books)]
    for name, outcomes in (("known", [known]), ("unknown", unknown)):
        evaluation_png(evaluate(outcomes), tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000


def test_the_waterfall_is_known_where_every_day_is():
    known = day_outcome(hand_made(), TARIFF, BATTERY, seen(), Bounds(*[BOUNDS.optimum_nusd] * 4))
    w = evaluate([known, known]).waterfall
    assert w.community_optimum_usd == w.perfect_forecast_usd == w.look_ahead_3h_usd == w.time_of_use_rule_usd == 1.6
    partly = evaluate([known, day_outcome(hand_made(), TARIFF, BATTERY, seen(), BOUNDS)]).waterfall
    assert partly.community_optimum_usd == 1.6 and partly.look_ahead_3h_usd is None
