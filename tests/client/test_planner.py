"""The planner against a linear program, its ties, its caps; a home alone or among others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from client.battery import BatteryBank, follow
from client.guard import grid_charge_caps_wh, import_ceilings_wh
from client.indicative import indicative_plan
from client.outlook import Outlook, Trade
from client.planner import (
    mode_at_prices,
    stored_value,
)
from common.config import BatterySpec
from common.tariff import charge_windows

OFF_PEAK, PEAK, EXPORT = 280_000, 510_000, 60_000
ETA = 0.9**0.5
TERMINAL = OFF_PEAK / ETA


def plan_cost_usd(spec, stored_kwh, net_wh, imports, exports, terminal, caps_wh, sales=None, purchases=None):
    """Oracle: least cost of one home and one scenario, as a linear program; None caps for no cap."""
    slots = len(net_wh)
    one, none = np.eye(slots), np.zeros((slots, slots))
    eta, power = spec.one_way_efficiency, spec.max_slot_kwh
    sold_at, sold = _between(sales, imports, exports)
    bought_at, bought = _between(purchases, imports, exports)
    # import, export, charge from grid, from surplus, discharge, stored, sold and bought, charge from what is bought
    objective = np.concatenate([imports, -exports, np.zeros(4 * slots), -sold_at, bought_at, np.zeros(slots)]) / 1e6
    objective[6 * slots - 1] = -terminal / 1e6
    balance = np.hstack([one, -one, -one, -one, one, none, -one, one, -one])
    storage = np.hstack(
        [none, none, -eta * one, -eta * one, one / eta, one - np.eye(slots, k=-1), none, none, -eta * one]
    )
    right = np.concatenate([net_wh / 1000, [stored_kwh], np.zeros(slots - 1)])
    both = np.hstack([none, none, one, one, none, none, none, none, one])
    surplus, need = np.maximum(-net_wh / 1000, 0), np.maximum(net_wh / 1000, 0)
    grid = np.full(slots, power) if caps_wh is None else np.minimum(caps_wh / 1000, power)
    grid = np.where(exports > imports, 0.0, grid)
    envelope, room = _envelope(net_wh / 1000, power, exports > imports)
    # Without sun what neighbours give serves the need before it is stored.
    spare = np.maximum(bought - need, 0)
    upper = [*[np.inf] * (2 * slots), *grid, *surplus, *[power] * slots, *[spec.ceiling_kwh] * slots, *sold, *bought]
    upper += [*spare]
    lower = [0.0] * (5 * slots) + [spec.reserve_kwh] * slots + [0.0] * (3 * slots)
    result = linprog(
        objective,
        A_eq=np.vstack([balance, storage]),
        b_eq=right,
        A_ub=np.vstack([both, envelope]),
        b_ub=np.concatenate([np.full(slots, power), room]),
        bounds=np.column_stack([lower, upper]),
    )
    assert result.status == 0, result.message
    return result.fun


def _between(trade, imports, exports):
    """Price and most energy (kWh) of a trade, where its price lies between export and import."""
    if trade is None:
        return exports, np.zeros(len(imports))
    pays = (exports <= trade.price_uusd) & (trade.price_uusd <= imports)
    return trade.price_uusd, np.where(pays, trade.most_wh / 1000, 0.0)


def _envelope(net, power, pays):
    """Rows of the slots whose export price is above the import price: export in proportion to the discharge."""
    one, none = np.eye(len(net)), np.zeros((len(net), len(net)))
    above_need = np.diag((power - np.clip(net, 0, power)) / power)
    return np.hstack([none, one, one, one, -above_need, none, none, none, none])[pays], np.maximum(-net, 0)[pays]


def random_case(seed, homes=1, scenarios=1, slots=12, exporting_pays=False):
    rng = np.random.default_rng(seed)
    specs = [
        BatterySpec(
            capacity_kwh=float(rng.choice([0.0, 4.0, 13.5])),
            max_power_kw=float(rng.choice([1.0, 5.0])),
            round_trip_efficiency=float(rng.choice([0.8, 0.9, 1.0])),
        )
        for _ in range(homes)
    ]
    imports = rng.choice([PEAK, OFF_PEAK, 350_000], slots)
    if exporting_pays:
        exports = rng.choice([EXPORT, 250_000, 330_000, 600_000, 1_190_000], slots)
    else:
        exports = np.minimum(rng.choice([EXPORT, 250_000, OFF_PEAK], slots), imports)
    net = rng.normal(300, 1500, (homes, scenarios, slots)).round()
    caps = rng.choice([0.0, 400.0, np.inf], (homes, slots)) if rng.random() < 0.5 else None
    terminal = np.array([float(rng.choice([0.0, 200_000.0, OFF_PEAK / s.one_way_efficiency])) for s in specs])
    return specs, Outlook(net, imports, exports, terminal, caps)


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_slope_integrates_to_the_cost_of_the_linear_program(seed, exporting_pays):
    """Also where exporting pays more than importing costs: the program then has the same envelope."""
    specs, outlook = random_case(seed, exporting_pays=exporting_pays)
    spec, bank = specs[0], BatteryBank.of(specs)
    value = stored_value(bank, outlook)
    share = np.random.default_rng(seed).random(2)
    low, high = np.sort(spec.reserve_kwh + share * (spec.ceiling_kwh - spec.reserve_kwh))
    caps = None if outlook.grid_charge_cap_wh is None else outlook.grid_charge_cap_wh[0]
    low_cost, high_cost = (
        plan_cost_usd(
            spec, s, outlook.net_wh[0, 0], outlook.import_uusd, outlook.export_uusd, outlook.terminal_uusd[0], caps
        )
        for s in (low, high)
    )
    points = np.unique(np.concatenate([[low, high], np.clip(value.edge_kwh[0], low, high)]))
    middle = (points[1:] + points[:-1]) / 2
    saved = float((value.at(middle[None])[0] * np.diff(points)).sum()) / 1e9 if len(middle) else 0.0
    assert saved == pytest.approx(low_cost - high_cost, abs=1e-6), f"seed {seed}"


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_with_neighbours_it_is_the_linear_program_as_well(seed):
    """In each slot they buy, give, or neither: never both, for then they would trade with each other."""
    specs, outlook = random_case(seed)
    spec, bank = specs[0], BatteryBank.of(specs)
    rng = np.random.default_rng(seed)
    slots = outlook.net_wh.shape[2]
    sales = Trade(rng.choice([95_000, 232_750, 423_937], slots), rng.choice([0.0, 150.0, 900.0, 9_000.0], slots))
    purchases = Trade(rng.choice([95_000, 245_000, 446_250], slots), rng.choice([0.0, 150.0, 900.0, 9_000.0], slots))
    purchases = replace(purchases, most_wh=np.where(sales.most_wh > 0, 0.0, purchases.most_wh))
    value = stored_value(bank, replace(outlook, sales=sales, purchases=purchases))
    ends = (spec.reserve_kwh, spec.ceiling_kwh)
    caps = None if outlook.grid_charge_cap_wh is None else outlook.grid_charge_cap_wh[0]
    tariff = (outlook.import_uusd, outlook.export_uusd, outlook.terminal_uusd[0])
    known = (outlook.net_wh[0, 0], *tariff, caps, sales, purchases)
    low_cost, high_cost = (plan_cost_usd(spec, stored, *known) for stored in ends)
    points = np.unique(np.concatenate([ends, np.clip(value.edge_kwh[0], *ends)]))
    middle = (points[1:] + points[:-1]) / 2
    saved = float((value.at(middle[None])[0] * np.diff(points)).sum()) / 1e9 if len(middle) else 0.0
    assert saved == pytest.approx(low_cost - high_cost, abs=1e-6), f"seed {seed}"


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=40, deadline=None)
def test_following_the_modes_reaches_the_optimum_when_the_forecast_is_true(seed, exporting_pays):
    """Where exporting pays more, the optimum is of the envelope: no plan is better, and few are as good."""
    specs, outlook = random_case(seed, exporting_pays=exporting_pays)
    spec, bank = specs[0], BatteryBank.of(specs)
    start = stored = bank.reserve_kwh + 0.4 * bank.usable_kwh
    cost = 0.0
    for t in range(outlook.net_wh.shape[2]):
        caps = outlook.grid_charge_cap_wh
        rest = Outlook(
            outlook.net_wh[:, :, t + 1 :],
            outlook.import_uusd[t + 1 :],
            outlook.export_uusd[t + 1 :],
            outlook.terminal_uusd,
            None if caps is None else caps[:, t + 1 :],
        )
        buy, sell = int(outlook.import_uusd[t]), int(outlook.export_uusd[t])
        limit = np.full(1, np.inf) if caps is None else caps[:, t]
        net = outlook.net_wh[:, 0, t].astype(np.int64)
        mode = mode_at_prices(bank, stored_value(bank, rest), buy, sell, limit, outlook.net_wh[:, 0, t])
        flow = follow(bank, stored, net, mode)
        stored = flow.stored_kwh
        meter = int((net + flow.charge_wh - flow.discharge_wh)[0])
        cost += meter * (buy if meter > 0 else sell) / 1e9
    cost -= float(stored[0] * outlook.terminal_uusd[0]) / 1e6
    caps = None if outlook.grid_charge_cap_wh is None else outlook.grid_charge_cap_wh[0]
    best = plan_cost_usd(
        spec, start[0], outlook.net_wh[0, 0], outlook.import_uusd, outlook.export_uusd, outlook.terminal_uusd[0], caps
    )
    assert best - 1e-6 <= cost, f"seed {seed}"
    if not exporting_pays:
        assert cost <= best + 0.0006 * outlook.net_wh.shape[2], f"seed {seed}"  # whole Wh, each slot


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_a_home_alone_or_among_others(seed):
    specs, outlook = random_case(seed, homes=5, scenarios=10, slots=30)
    bank = BatteryBank.of(specs)
    stored = bank.reserve_kwh + 0.5 * bank.usable_kwh
    value, plan = stored_value(bank, outlook), indicative_plan(bank, stored, outlook, 20)
    mode = mode_at_prices(bank, value, PEAK, EXPORT, np.full(5, np.inf))
    for i in range(5):
        me = slice(i, i + 1)
        alone = stored_value(bank.homes(me), outlook.homes(me))
        my_plan = indicative_plan(bank.homes(me), stored[me], outlook.homes(me), 20)
        my_mode = mode_at_prices(bank.homes(me), alone, PEAK, EXPORT, np.full(1, np.inf))
        assert np.array_equal(alone.edge_kwh[0], value.edge_kwh[i])
        assert np.array_equal(alone.value_nusd[0], value.value_nusd[i])
        for one, all_ in ((my_plan, plan), (my_mode, mode)):
            assert all(np.array_equal(getattr(one, f)[0], getattr(all_, f)[i]) for f in type(one).__dataclass_fields__)


def test_prices_by_home_equal_shared_prices():
    specs, outlook = random_case(7, homes=3, scenarios=4)
    bank = BatteryBank.of(specs)
    tiled = Outlook(
        outlook.net_wh,
        np.tile(outlook.import_uusd, (3, 1)),
        np.tile(outlook.export_uusd, (3, 1)),
        outlook.terminal_uusd,
        outlook.grid_charge_cap_wh,
    )
    assert np.array_equal(stored_value(bank, tiled).edge_kwh, stored_value(bank, outlook).edge_kwh)
    one, other = (indicative_plan(bank, bank.reserve_kwh, o, 8) for o in (outlook, tiled))
    assert np.array_equal(one.need_wh, other.need_wh)


def _day(net_wh):
    slot = np.arange(len(net_wh)) % 48
    imports = np.where((slot >= 32) & (slot < 40), PEAK, OFF_PEAK)
    return Outlook(np.array(net_wh, float)[None, None], imports, np.full(len(slot), EXPORT), TERMINAL)


def test_eager_ties_charge_at_once_and_no_more_than_the_peak_needs():
    bank = BatteryBank.of([BatterySpec()])
    need = np.where(np.arange(108) % 48 < 32, 200.0, np.where(np.arange(108) % 48 < 40, 500.0, 200.0))
    need[40:] = -500.0  # sun for ever after: only the first peak is worth charging for
    value = stored_value(bank, _day(need))
    mode = mode_at_prices(bank, value, OFF_PEAK, EXPORT, np.full(1, np.inf))
    assert mode.grid_charge_to_kwh[0] == pytest.approx(1.35 + 8 * 0.5 / ETA)
    assert follow(bank, bank.reserve_kwh, np.array([200]), mode).charge_wh[0] == 2_500


def test_the_indicative_plan_balances():
    bank = BatteryBank.of([BatterySpec(), BatterySpec(capacity_kwh=0)])
    rng = np.random.default_rng(0)
    net = rng.normal(200, 900, (2, 1, 108)).round()
    outlook = Outlook(net, *(_day(net[0, 0]).import_uusd, np.full(108, EXPORT)), TERMINAL)
    plan = indicative_plan(bank, bank.reserve_kwh, outlook, 48)
    assert (plan.need_wh * plan.surplus_wh[:, 0] == 0).all()
    assert (plan.charge_wh <= plan.need_wh).all()
    assert np.array_equal(plan.need_wh[1] - plan.surplus_wh[1, 0], net[1, 0, :48])  # no battery: the load itself
    assert plan.need_wh[0, 32:40].sum() < 0.2 * np.maximum(net[0, 0, 32:40], 0).sum()
    given = net[:, 0, :48] - plan.need_wh + plan.surplus_wh[:, 0]  # AC, discharged less charged
    stored = np.cumsum(np.where(given > 0, -given / ETA, -given * ETA), axis=1)
    assert plan.stored_wh == pytest.approx(stored * ETA, abs=50.0)  # whole Wh a slot
    assert (plan.stored_wh[1] == 0).all() and plan.stored_wh[0].max() > 4_000
    assert not plan.charge_wh.any() and np.array_equal(plan.spare_wh, plan.stored_wh)


def test_spare_is_what_is_stored_in_the_scenarios_that_charge_nothing_from_the_grid():
    """One scenario's sun fills the battery for ever; the other has to charge for its second peak."""
    bank, imports = BatteryBank.of([BatterySpec()]), _day(np.full(108, 400.0)).import_uusd
    sunny, dull = np.full(108, -600.0), np.full(108, 400.0)
    outlook = Outlook(np.stack([sunny, dull])[None], imports, np.full(108, EXPORT), TERMINAL)
    both = indicative_plan(bank, np.full(1, 6.0), outlook, 48)
    alone = indicative_plan(bank, np.full(1, 6.0), replace(outlook, net_wh=sunny[None, None]), 48)
    assert both.charge_wh.any() and not alone.charge_wh.any()
    assert np.allclose(both.spare_wh, alone.stored_wh / 2) and both.spare_wh.min() > 0
    assert (both.spare_wh <= both.stored_wh).all() and (both.spare_wh < both.stored_wh).any()


def test_caps_share_what_the_home_itself_wants():
    imports = np.array([OFF_PEAK, OFF_PEAK, PEAK, OFF_PEAK])
    assert charge_windows(imports).tolist() == [0, 0, 1, 1]
    desired = np.array([[600, 400, 0, 100], [0, 0, 0, 0]])
    caps = grid_charge_caps_wh(desired, np.array([0.25, 0.5, 2.0, 1.0]), imports, 6)
    assert caps.tolist() == [[250, 500, np.inf, 100, np.inf, np.inf], [0, 0, np.inf, 0, np.inf, np.inf]]


def test_charging_never_comes_on_top_of_more_than_a_home_expects_to_use():
    net = np.array([[300.0, 800.0], [-500.0, -200.0]])
    assert import_ceilings_wh(net, np.array([1_000.0, 0.0])).tolist() == [1_800.0, 0.0]


def _evening(net_wh, stored_kwh, *, expected_wh=None):
    """Flow of one battery in a slot of 0.39 in and 1.13 out, as in an evening of August, with night after it."""
    bank = BatteryBank.of([BatterySpec()])
    night = Outlook(np.full((1, 1, 20), 300.0), np.full(20, 330_000), np.full(20, 90_000), 330_000 / ETA)
    net = np.array([net_wh if expected_wh is None else expected_wh], float)
    mode = mode_at_prices(bank, stored_value(bank, night), 390_000, 1_130_000, np.full(1, np.inf), net)
    return follow(bank, np.array([stored_kwh]), np.array([net_wh]), mode)


def test_a_full_battery_is_exported_where_that_pays_more_than_a_neighbour_would():
    assert _evening(400, 10.8).discharge_wh[0] == 2_500
    assert _evening(-400, 10.8).discharge_wh[0] == 2_500
    assert _evening(400, 10.8, expected_wh=700).discharge_wh[0] == 2_500  # also where the forecast was wrong


def test_nothing_is_charged_from_the_grid_to_be_exported():
    assert _evening(400, 1.35).charge_wh[0] == 0
    assert _evening(-400, 1.35).charge_wh[0] == 0  # nor from the sun: it earns more at once


def test_a_plan_where_exporting_pays_does_not_import_and_export_at_once():
    specs, outlook = random_case(3, homes=4, scenarios=1, slots=60, exporting_pays=True)
    bank = BatteryBank.of(specs)
    plan = indicative_plan(bank, bank.ceiling_kwh, outlook, 48)
    assert (plan.need_wh * plan.surplus_wh[:, 0] == 0).all()
    assert (plan.charge_wh[:, (outlook.export_uusd > outlook.import_uusd)[:48]] == 0).all()


@given(st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_many_mean_prices_are_read_at_some(seed):
    """More of them than are told apart: the value of a whole battery stays within five cents a kWh."""
    specs, outlook = random_case(seed, scenarios=10, slots=100, exporting_pays=True)
    bank = BatteryBank.of(specs)
    middle = np.linspace(bank.reserve_kwh[0], bank.ceiling_kwh[0], 41)
    value = stored_value(bank, outlook).at(((middle[1:] + middle[:-1]) / 2)[None])
    each = [Outlook(outlook.net_wh[:, [k]], *_rest(outlook)) for k in range(10)]
    one_by_one = [stored_value(bank, o).at(((middle[1:] + middle[:-1]) / 2)[None]) for o in each]
    assert abs(value.mean() - np.mean(one_by_one)) < 0.05e9, f"seed {seed}"


def _rest(outlook):
    return outlook.import_uusd, outlook.export_uusd, outlook.terminal_uusd, outlook.grid_charge_cap_wh


def test_parts_and_threads_change_no_bit(monkeypatch):
    specs, outlook = random_case(11, homes=9, scenarios=3, slots=30)
    bank = BatteryBank.of(specs)
    stored = bank.reserve_kwh + 0.5 * bank.usable_kwh
    whole, plan = stored_value(bank, outlook), indicative_plan(bank, stored, outlook, 20)
    monkeypatch.setattr("client.planner._BLOCK_CELLS", 1)  # nine parts, so on threads
    parted, parted_plan = stored_value(bank, outlook), indicative_plan(bank, stored, outlook, 20)
    for one, other in ((whole, parted), (plan, parted_plan)):
        assert all(np.array_equal(getattr(one, f), getattr(other, f)) for f in type(one).__dataclass_fields__)
