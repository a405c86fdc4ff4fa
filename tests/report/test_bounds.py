"""The perfect-foresight optimum: a bound on any policy, within the rules, and a market equilibrium."""

from __future__ import annotations

import time

import numpy as np
import pytest

from client.battery import BatteryBank, follow
from client.outlook import Outlook
from client.planner import mode_at_prices, stored_value
from common.config import BatterySpec, MarketRules
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


def test_no_policy_beats_the_bounds():
    case = community(5, seed=3)
    bank, stored, cost = BatteryBank.of(case.batteries), case.stored_kwh, np.zeros(5)
    for t in range(SLOTS):
        rest = slice(t + 1, SLOTS)
        outlook = Outlook(case.net_wh[:, None, rest].astype(float), IMPORTS[rest], EXPORTS[rest], TERMINAL)
        value = stored_value(bank, outlook)
        mode = mode_at_prices(bank, value, int(IMPORTS[t]), int(EXPORTS[t]), np.full(5, np.inf))
        flow = follow(bank, stored, case.net_wh[:, t], mode)
        meter = case.net_wh[:, t] + flow.charge_wh - flow.discharge_wh
        cost += np.where(meter > 0, meter * IMPORTS[t], meter * EXPORTS[t]) / 1e9
        stored = flow.stored_kwh
    cost -= (stored - case.stored_kwh) * TERMINAL / 1e6
    bound = own_battery_optimum(case).cost_usd
    assert (cost >= bound - 1e-6).all()
    assert cost == pytest.approx(bound, abs=0.01)  # with perfect foresight the planner reaches it
    assert community_optimum(case).cost_usd.sum() <= cost.sum()
