"""The perfect-foresight optimum: a bound on any policy, within the rules, and a market equilibrium."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.battery import BatteryBank, follow
from client.outlook import Outlook
from client.planner import mode_at_prices, stored_value
from common.clock import day_slots
from common.config import BatterySpec, MarketRules
from common.tariff import load_tariff
from report.bounds import Community, community_optimum, own_battery_optimum

SLOTS = 48
IMPORTS = np.where((np.arange(SLOTS) >= 32) & (np.arange(SLOTS) < 40), 510_000, 280_000)
EXPORTS = np.full(SLOTS, 60_000)
TERMINAL = 280_000 / 0.9**0.5


def community(homes, seed=0, day=None, spec=None):
    rng = np.random.default_rng(seed)
    sun = np.maximum(np.sin((np.arange(SLOTS) - 12) / 24 * np.pi), 0) * np.where(np.arange(homes) % 2, 2200, 0)[:, None]
    net = (rng.gamma(2, 300, (homes, SLOTS)) - sun).round().astype(np.int64)
    specs = [BatterySpec() if spec is None else spec] * homes
    stored = np.array([s.reserve_kwh for s in specs])
    days = np.zeros(SLOTS, np.int64) if day is None else day
    return Community(net, IMPORTS, EXPORTS, specs, stored, TERMINAL, days, MarketRules())


def test_balances_limits_and_speed():
    case = community(10)
    started = time.perf_counter()
    best = community_optimum(case)
    assert time.perf_counter() - started < 2  # 0.1 s on a quiet core
    spec = case.batteries[0]
    meter = case.net_wh / 1000 + best.charge_kwh - best.discharge_kwh
    assert np.allclose(meter, best.import_kwh - best.export_kwh + best.bought_kwh - best.sold_kwh, atol=1e-7)
    assert np.allclose(best.bought_kwh.sum(0), 0.95 * best.sold_kwh.sum(0), atol=1e-7)
    assert best.stored_kwh.min() >= spec.reserve_kwh - 1e-7 and best.stored_kwh.max() <= spec.ceiling_kwh + 1e-7
    assert max(best.charge_kwh.max(), best.discharge_kwh.max()) <= spec.max_slot_kwh + 1e-7
    change = np.diff(best.stored_kwh, prepend=case.stored_kwh[:, None])
    eta = spec.one_way_efficiency
    assert np.allclose(change, best.charge_kwh * eta - best.discharge_kwh / eta, atol=1e-7)


def test_the_daily_sell_limit_holds_per_day():
    without = BatterySpec(capacity_kwh=0)
    one_day = community_optimum(community(6, spec=without))
    assert one_day.sold_kwh.sum(1).max() <= 10 + 1e-6
    assert one_day.sold_kwh.sum(1).max() == pytest.approx(10)  # it binds
    halves = community_optimum(community(6, spec=without, day=np.arange(SLOTS) // 24))
    assert halves.sold_kwh.sum(1).max() > 10
    assert halves.sold_kwh[:, :24].sum(1).max() <= 10 + 1e-6


def test_trade_makes_no_home_worse_off_at_the_dual_price():
    for seed in range(4):
        case = community(6, seed)
        alone, together = own_battery_optimum(case), community_optimum(case)
        assert (together.cost_usd <= alone.cost_usd + 1e-6).all(), f"seed {seed}"
        assert together.cost_usd.sum() < alone.cost_usd.sum() - 0.01
        grid = together.import_kwh * IMPORTS - together.export_kwh * EXPORTS
        gained = (together.stored_kwh[:, -1] - case.stored_kwh) * TERMINAL
        assert together.cost_usd.sum() == pytest.approx((grid.sum() - gained.sum()) / 1e6)


def own_policy_usd(case):
    """Cost of each home that plans with perfect foresight and does not trade."""
    bank, stored, cost = BatteryBank.of(case.batteries), case.stored_kwh, np.zeros(len(case.net_wh))
    imports, exports = case.import_uusd, case.export_uusd
    for t in range(SLOTS):
        rest = slice(t + 1, SLOTS)
        outlook = Outlook(case.net_wh[:, None, rest].astype(float), imports[rest], exports[rest], TERMINAL)
        value, net = stored_value(bank, outlook), case.net_wh[:, t]
        limit = np.full(len(bank), np.inf)
        mode = mode_at_prices(bank, value, int(imports[t]), int(exports[t]), limit, net.astype(float))
        flow = follow(bank, stored, net, mode)
        meter = net + flow.charge_wh - flow.discharge_wh
        cost += np.where(meter > 0, meter * imports[t], meter * exports[t]) / 1e9
        stored = flow.stored_kwh
    return cost - (stored - case.stored_kwh) * TERMINAL / 1e6


def test_no_policy_beats_the_bounds():
    case = community(5, seed=3)
    cost = own_policy_usd(case)
    bound = own_battery_optimum(case).cost_usd
    assert (cost >= bound - 1e-6).all()
    assert cost == pytest.approx(bound, abs=0.01)  # with perfect foresight the planner reaches it
    assert community_optimum(case).cost_usd.sum() <= cost.sum()


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_no_policy_beats_the_bounds_where_exporting_pays(seed):
    """Exports of up to $1.19: the program stays bounded, and nothing passes from grid to grid."""
    rng = np.random.default_rng(seed)
    spec = BatterySpec(
        capacity_kwh=float(rng.choice([0.0, 4.0, 13.5])), max_power_kw=float(rng.choice([0.0, 1.0, 5.0]))
    )
    case = replace(
        community(4, seed, spec=spec),
        import_uusd=rng.choice([280_000, 390_000, 550_000], SLOTS),
        export_uusd=rng.choice([40_000, 90_000, 450_000, 600_000, 1_190_000], SLOTS),
    )
    cost, alone, together = own_policy_usd(case), own_battery_optimum(case), community_optimum(case)
    assert (cost >= alone.cost_usd - 1e-6).all(), f"seed {seed}"
    assert together.cost_usd.sum() <= alone.cost_usd.sum() + 1e-6
    pays = case.export_uusd > case.import_uusd
    from_behind = np.maximum(-case.net_wh, 0) / 1000 + together.discharge_kwh
    assert (together.export_kwh + together.sold_kwh <= from_behind + 1e-6)[:, pays].all()
    assert (together.bought_kwh[:, pays] < 1e-6).all()


def test_the_gap_of_the_envelope_is_small_in_an_august_evening():
    tariff = load_tariff("pge-e-elec")
    slots = np.array(day_slots(date(2026, 8, 5)))
    case = replace(community(6), import_uusd=tariff.import_uusd(slots), export_uusd=tariff.export_uusd(slots))
    cost, bound = own_policy_usd(case).sum(), own_battery_optimum(case).cost_usd.sum()
    without = np.where(case.net_wh > 0, case.net_wh * case.import_uusd, case.net_wh * case.export_uusd).sum() / 1e9
    assert bound - 1e-6 <= cost <= bound + 0.04 * (without - bound)
