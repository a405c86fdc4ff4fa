import json
from dataclasses import replace
from datetime import date, timedelta

import jsonschema
import pytest
from report_cases import BATTERY, ELM, FACTS, OAK, TARIFF, by_chance, hand_made, seen

from common.clock import day_slots
from common.errors import UserError
from report.accounts import by_span
from report.chosen_days import BURN_IN_DAYS, spread_days
from report.evaluation import Evaluation, evaluation
from report.json_schema import schema_json
from report.observed import Bounds
from report.outcome import day_outcome

BOUNDS = Bounds({"oak": 200_000_000, "elm": 600_000_000})


def evaluate(outcomes):
    return evaluation(outcomes, TARIFF, BATTERY, FACTS.config, FACTS.data_hash, seconds=1.5)


def test_one_day_by_hand():
    e = evaluate([day_outcome(hand_made(), TARIFF, BATTERY, seen(), BOUNDS)])
    assert e.savings_percent_b1 == pytest.approx(32.4006, abs=1e-4)
    assert e.savings_percent_b0 == pytest.approx(49.3005, abs=1e-4)
    assert e.captured_share == pytest.approx(0.486010 / 0.7, abs=1e-4)
    assert (e.homes_worse_off, e.homes, e.days, e.trades_per_day) == (1, 2, 1, 2.0)
    assert e.peak_window_cut_percent == 76.0
    assert e.day_max_ratio_mean == e.day_max_ratio_p99 == pytest.approx(4 / 3, abs=1e-6)
    assert (e.day_max_b1_kw_mean, e.day_max_b1_kw_p99) == (3.0, 3.0)
    assert (e.day_max_p2p_kw_mean, e.day_max_p2p_kw_p99) == (4.0, 4.0)
    assert (e.money_residual_nusd, e.energy_residual_wh) == (0, 0)
    assert e.round_trip_efficiency == pytest.approx(0.9, abs=1e-3)
    assert e.by_day[0].day == "2025-07-15"
    assert [home.home_id for home in e.by_home] == ["elm", "oak"] and {home.days for home in e.by_home} == {1}
    for name in ("b1_usd", "battery_only_usd", "p2p_usd"):
        assert sum(getattr(home, name) for home in e.by_home) == pytest.approx(getattr(e.by_day[0], name))
    assert sum(home.worse_off for home in e.by_home) == e.homes_worse_off
    text = e.model_dump_json()
    jsonschema.validate(json.loads(text), json.loads(schema_json("evaluate")))
    assert Evaluation.model_validate_json(text) == e


def test_a_home_that_gains_on_another_day_is_not_worse_off():
    lucky = ELM.model_copy(update={"battery_only_nusd": 800_000_000})
    days = [hand_made(), hand_made((OAK, lucky))]
    e = evaluate([day_outcome(day, TARIFF, BATTERY) for day in days])
    assert e.homes_worse_off == 0
    assert [row.homes_worse_off for row in e.by_day] == [1, 0]


def test_what_was_not_computed_is_unknown():
    e = evaluate([day_outcome(hand_made(), TARIFF, BATTERY)])
    assert e.captured_share is e.peak_window_cut_percent is e.day_max_ratio_mean is e.day_max_ratio_p99 is None
    assert e.day_max_b1_kw_mean is e.day_max_b1_kw_p99 is e.day_max_p2p_kw_mean is e.day_max_p2p_kw_p99 is None
    partly = [day_outcome(hand_made(), TARIFF, BATTERY, seen(), BOUNDS), day_outcome(hand_made(), TARIFF, BATTERY)]
    assert evaluate(partly).captured_share is None
    assert evaluate(partly).day_max_p2p_kw_mean == 4.0, "of the days of which b1 is known, too"
    assert evaluate([day_outcome(hand_made((OAK,)), TARIFF, BATTERY, None, BOUNDS)]).captured_share is None


def test_residuals_and_ratios_are_those_of_the_worst_days():
    broken = hand_made()
    broken.postings.loc[0, "amount_nusd"] += 7
    high = replace(seen(), load_wh=seen().load_wh * 10, pv_wh=seen().pv_wh * 10)
    e = evaluate(
        [day_outcome(hand_made(), TARIFF, BATTERY, seen()), day_outcome(broken, TARIFF, BATTERY, high)],
    )
    assert e.money_residual_nusd == 7
    assert e.day_max_ratio_mean == pytest.approx((4 / 3 + 4 / 30) / 2, abs=1e-5)
    assert e.day_max_ratio_p99 == pytest.approx(4 / 30 + 0.99 * (4 / 3 - 4 / 30), abs=1e-5)
    assert [(row.day_max_b1_kw, row.day_max_p2p_kw) for row in e.by_day] == [(3.0, 4.0), (30.0, 4.0)]
    assert (e.day_max_b1_kw_mean, e.day_max_p2p_kw_mean, e.day_max_p2p_kw_p99) == (16.5, 4.0, 4.0)
    assert e.day_max_b1_kw_p99 == pytest.approx(3 + 0.99 * 27)


def test_test_days_of_one_ledger_are_evaluated_one_by_one():
    books, readings = by_chance(4, [day_slots(date(2025, 7, 15)), day_slots(date(2025, 8, 20))])
    e = evaluate([day_outcome(day, TARIFF, BATTERY, readings) for day in by_span(books)])
    assert [row.day for row in e.by_day] == ["2025-07-15", "2025-08-20"]
    assert e.trades_per_day == len(books.trades) / 2


def test_test_days_are_spread_over_days_without_gaps():
    first, last = date(2025, 1, 1), date(2025, 1, 10) + timedelta(days=BURN_IN_DAYS)
    days = [(first + timedelta(days=BURN_IN_DAYS + k)) for k in range(10)]
    assert spread_days(first, last, 1) == [days[9].isoformat()]
    assert spread_days(first, last, 4) == [days[k].isoformat() for k in (0, 3, 6, 9)]
    gaps = [days[0], days[6], days[9], first]
    assert spread_days(first, last, 3, gaps) == [days[k].isoformat() for k in (1, 4, 8)]
    assert spread_days(first, last, 1, gaps) == [days[8].isoformat()]
    says = f"--days 8: the data has only 7 days without a gap after {BURN_IN_DAYS} days of history; use --days 7, or"
    with pytest.raises(UserError, match=says):
        spread_days(first, last, 8, gaps)
    with pytest.raises(UserError, match=r"--days 1: the data has only 0 days after .*; bring a longer range"):
        spread_days(first, first, 1)
    with pytest.raises(UserError, match=r"only 1 day after .*; use --days 1, or"):
        spread_days(first, first + timedelta(days=BURN_IN_DAYS), 2)
