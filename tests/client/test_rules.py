"""The other ways to decide: what the near planner does not see, and what the rule does when."""

from dataclasses import replace

import numpy as np
import pytest

from client.battery import BatteryBank, follow
from client.indicative import PlannedFlows, indicative_plan
from client.outlook import Outlook, Trade
from client.planner import stored_value
from client.rules import (
    FILL_SLOTS,
    LOOK_AHEAD_SLOTS,
    expects_surplus,
    near_outlook,
    near_plan,
    rule_mode,
    rule_offers,
    rule_plan,
)
from common.config import BatterySpec, MarketRules

BANK = BatteryBank.of([BatterySpec(), BatterySpec(capacity_kwh=0.0), BatterySpec(capacity_kwh=4.0)])
RULES = MarketRules()
OFF_PEAK, PEAK, EXPORT = 280_000, 510_000, 60_000


def outlook_at(slots_to_peak, seed=0, slots=108):
    """Three homes before a peak of eight slots, two scenarios each."""
    rng = np.random.default_rng(seed)
    buy = np.full(slots, OFF_PEAK)
    buy[max(slots_to_peak, 0) : slots_to_peak + 8] = PEAK
    return Outlook(rng.normal(400, 700, (3, 2, slots)).round(), buy, np.full(slots, EXPORT), OFF_PEAK / 0.9**0.5)


@pytest.mark.parametrize("slots_to_peak", [0, 3, LOOK_AHEAD_SLOTS, 20])
def test_the_near_planner_values_energy_as_if_the_world_ended_after_three_hours(slots_to_peak):
    outlook, ahead = outlook_at(slots_to_peak), LOOK_AHEAD_SLOTS
    offered = Trade(outlook.import_uusd * 7 // 8, np.full(outlook.import_uusd.shape, 300.0))
    wanted = Trade(outlook.import_uusd * 3 // 4, np.full(outlook.import_uusd.shape, 200.0))
    outlook = replace(outlook, sales=wanted, purchases=offered)
    short = replace(outlook.slots(slice(ahead)), terminal_uusd=0.0)
    stored = np.linspace(BANK.reserve_kwh, BANK.ceiling_kwh, 7, axis=1, endpoint=False)[:, 1:]
    near = stored_value(BANK, near_outlook(outlook)).at(stored)
    usable = BANK.usable_kwh > 0
    assert (near[usable] == stored_value(BANK, short).at(stored)[usable]).all()
    if slots_to_peak >= ahead:
        assert (near[usable] <= OFF_PEAK * 1000 / 0.9**0.5).all(), "the peak is beyond its sight"


def test_the_near_plan_is_its_own_and_then_the_net_load():
    outlook, stored = outlook_at(2), BANK.reserve_kwh + 0.5 * BANK.usable_kwh
    plan = near_plan(BANK, stored, outlook, 48)
    assert plan.need_wh.shape == plan.charge_wh.shape == (3, 48) and plan.surplus_wh.shape == (3, 2, 48)
    later = outlook.net_wh[:, :, LOOK_AHEAD_SLOTS:48]
    assert (plan.need_wh[:, LOOK_AHEAD_SLOTS:] == np.rint(np.maximum(later, 0).mean(axis=1))).all()
    assert not plan.charge_wh[:, LOOK_AHEAD_SLOTS:].any()
    other = indicative_plan(BANK, stored, near_outlook(outlook), LOOK_AHEAD_SLOTS)
    assert (plan.surplus_wh[:, :, :LOOK_AHEAD_SLOTS] == other.surplus_wh).all()


def peak_in(slots):
    peak = np.zeros(96, np.bool_)
    if slots is not None:
        peak[slots : slots + 8] = True
    return peak


@pytest.mark.parametrize("sunny", [True, False])
@pytest.mark.parametrize(
    ("slots", "charges", "discharges"),
    [(0, False, True), (1, True, False), (FILL_SLOTS, True, False), (FILL_SLOTS + 1, False, None),
     (40, False, None), (60, False, True), (None, False, True)],
)  # fmt: skip
def test_the_rule_fills_before_the_peak_and_follows_the_load_in_it(slots, charges, discharges, sunny):
    """Before the four hours of filling a home that expects a surplus follows its load, too; one without keeps all."""
    discharges = sunny if discharges is None else discharges
    half = BANK.reserve_kwh + 0.5 * BANK.usable_kwh
    mode = rule_mode(BANK, peak_in(slots), np.full(3, sunny))
    need = follow(BANK, half, np.array([900, 900, 900]), mode)
    assert (need.charge_wh > 0).tolist() == [charges, False, charges]
    assert (need.discharge_wh > 0).tolist() == [discharges, False, discharges]
    surplus = follow(BANK, half, np.array([-900, -900, -900]), mode)
    assert (surplus.charge_wh[[0, 2]] >= 900).all() and not surplus.discharge_wh.any()


def test_a_sunny_home_makes_room_for_the_next_morning():
    """From a full battery at night: the home with sun has used it up by the morning, the other has it for the peak."""
    net = np.full((2, 1, 108), 700.0)
    net[0, :, 14:30] = -1_500
    bank = BANK.homes(np.array([0, 0]))
    outlook = Outlook(net, np.full(108, OFF_PEAK), np.full(108, EXPORT), OFF_PEAK)
    assert expects_surplus(outlook).tolist() == [True, False]
    plan = rule_plan(bank, bank.ceiling_kwh, outlook, peak_in(30), 48)
    assert not plan.need_wh[0, :12].any() and (plan.need_wh[1, :30] == 700).all()
    assert not plan.surplus_wh[0, 0, 14:19].any()


def test_eight_slots_fill_an_empty_battery_and_its_plan_adds_up():
    outlook, peak = outlook_at(FILL_SLOTS), peak_in(FILL_SLOTS)
    plan = rule_plan(BANK, BANK.reserve_kwh, outlook, peak, 48)
    net = np.rint(outlook.net_wh[:, :, :48].mean(axis=1))
    surplus = plan.surplus_wh[:, 0]
    battery = plan.need_wh - surplus - net  # charge - discharge
    stored = (
        BANK.reserve_kwh[:, None] + np.cumsum(np.where(battery > 0, battery * 0.9**0.5, battery / 0.9**0.5), 1) / 1000
    )
    assert stored[0, FILL_SLOTS - 1] == pytest.approx(BANK.ceiling_kwh[0], abs=0.01)
    assert (stored >= BANK.reserve_kwh[:, None] - 1e-6).all() and (stored <= BANK.ceiling_kwh[:, None] + 1e-6).all()
    assert (plan.charge_wh <= plan.need_wh).all() and not (plan.need_wh * surplus).any()


def test_the_rule_trades_what_it_plans_at_no_worse_than_the_tariff():
    plan = rule_plan(BANK, BANK.ceiling_kwh, outlook_at(0, seed=3), peak_in(0), 48)
    offers = rule_offers(plan, (PEAK, EXPORT), np.array([100, 100, -5]), RULES)
    assert (offers.buy_wh == plan.need_wh[:, 0]).all() and (offers.sell_wh <= [100, 100, 0]).all()
    assert not (offers.buy_wh * offers.sell_wh).any()
    assert set(offers.limit_uusd[offers.sell_wh > 0].tolist()) <= {100_000}, (
        "the market's floor is above the export price"
    )
    assert (offers.limit_uusd[offers.sell_wh == 0] == PEAK).all()


@pytest.mark.parametrize(
    ("imports", "exports"), [(50_000, 20_000), (1_200_000, 960_000), (OFF_PEAK, 267_000), (OFF_PEAK, 600_000)]
)
def test_the_rule_holds_where_the_market_cannot_match_the_tariff(imports, exports):
    """An import price under the market's floor, a credit over its ceiling or near the import price: no order trades."""
    plan = PlannedFlows(np.full((2, 1), 500), np.zeros((2, 1)), np.full((2, 1, 1), 500.0), *np.zeros((2, 2, 1)))
    plan.need_wh[1] = plan.surplus_wh[0] = 0
    offers = rule_offers(plan, (imports, exports), np.array([9_000, 9_000]), RULES)
    assert (offers.buy_wh[0] == 0) == (imports < RULES.floor_uusd or exports > imports)
    assert (offers.sell_wh[1] == 0) == (exports * 20 / 19 > min(imports, RULES.ceiling_uusd))
