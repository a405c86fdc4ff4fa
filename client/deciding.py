"""Before gate closure: homes forecast, plan their cars and batteries, and size their orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import time

import numpy as np
from numpy.typing import NDArray

from client.battery import BatteryBank, Floats, Ints, Mode
from client.cars import Stays, beyond_surplus_uusd, limits_wh, paces_wh, plan_charging, wanted_wh
from client.guard import grid_charge_caps_wh, import_ceilings_wh
from client.household import Household
from client.indicative import PlannedFlows, indicative_plan
from client.ladder import offered
from client.outlook import Outlook
from client.planner import (
    mode_at_prices,
    scenario_mean,
    stored_value,
)
from client.rules import expects_surplus, near_outlook, near_plan, rule_mode, rule_offers, rule_plan
from client.selling import (
    expected_cost_uusd,
    expected_purchases,
    expected_sales,
    limit_worth_uusd,
    local_days,
    sellable_besides_wh,
    sellable_wh,
)
from client.trading import Offers, Position
from common.clock import local_of
from common.config import MarketRules
from common.messages import CURVE_SLOTS, Order, Plan, Quote
from common.tariff import Tariff

HORIZON = 108
"""Slots that a plan looks ahead: 54 hours, past the next two peaks."""
_NOON = time(12)
"""Local time until which a plan knows its scenario: the next day's sun is known when half of it is over, not before."""


@dataclass(frozen=True)
class Decision:
    """What homes do in a slot: modes of batteries, limits of cars (least and most, Wh), and orders.

    Attributes:
        mode, car: with trade. alone, car_alone: what they would do had they never traded.
        steps: orders, one or several a home.
    """

    mode: Mode
    alone: Mode
    car: tuple[Ints, Ints]
    car_alone: tuple[Ints, Ints]
    steps: tuple[Offers, ...]


@dataclass(frozen=True)
class Known:
    """What homes know at the gate closure of a slot.

    Attributes:
        outlook: without the cars.
        stays, stays_alone: of the cars, as they were charged with trade, and had the homes never traded.
        paces_wh: caps on the cars' charging from the grid, shape ``(H, T)``.
        with_cars: the outlook with the cars' planned charging as load.
        plan: what the homes expect to do at the tariff alone, cars and batteries.
    """

    outlook: Outlook
    stays: Stays
    stays_alone: Stays
    paces_wh: Floats
    with_cars: Outlook
    plan: PlannedFlows


class Decider:
    """Decides for the households of a node."""

    def __init__(
        self, homes: Sequence[Household], bank: BatteryBank, tariff: Tariff, rules: MarketRules, most_orders: int
    ) -> None:
        self._homes, self._bank, self._tariff, self._rules = homes, bank, tariff, rules
        self._most_orders, self._planner = most_orders, homes[0].config.planner

    def plans(self, slot: int) -> dict[str, Plan]:
        """Indicative plans of the homes from ``slot`` on, by id."""
        return self._wire(self._known(slot), slot)

    def decide(self, quote: Quote) -> tuple[dict[str, tuple[Order, ...]], dict[str, Plan]]:
        """Forecast, plan, size orders, and set the mode of batteries and cars for a slot."""
        known = self._known(quote.slot)
        decision = self._by_rule(known, quote) if self._planner == "rule" else self._planned(known, quote)
        modes, alone_modes = decision.mode.rows(), decision.alone.rows()
        for i, home in enumerate(self._homes):
            home.state.mode_slot = quote.slot
            home.state.mode, home.state.alone_mode = modes[i], alone_modes[i]
            home.state.car_mode = int(decision.car[0][i]), int(decision.car[1][i])
            home.state.car_alone_mode = int(decision.car_alone[0][i]), int(decision.car_alone[1][i])
            home.state.price_uusd = quote.price_uusd
        orders = {
            home.home_id: ()
            if home.is_dark(quote.slot)
            else tuple(order for step in decision.steps for order in _orders(step, i, home.home_id, quote.slot))
            for i, home in enumerate(self._homes)
        }
        return orders, self._wire(known, quote.slot)

    def _by_rule(self, known: Known, quote: Quote) -> Decision:
        """The time-of-use rule; cars charge as evenly as with the planner."""
        outlook, paces = known.outlook, known.paces_wh
        mode = rule_mode(self._bank, self._peak(quote.slot), expects_surplus(known.with_cars))
        prices = int(outlook.import_uusd[0]), int(outlook.export_uusd[0])
        steps = (rule_offers(known.plan, prices, self._sell_left(quote.slot), self._rules),)
        return Decision(
            mode, mode, limits_wh(known.stays, outlook, paces), limits_wh(known.stays_alone, outlook), steps
        )  # fmt: skip

    def _planned(self, known: Known, quote: Quote) -> Decision:
        """Modes with and without trade, and the orders, by what stored energy is worth."""
        share = np.array(quote.charge_share, np.float64)
        curve_uusd = known.outlook.import_uusd[: len(share)]
        caps = grid_charge_caps_wh(known.plan.charge_wh, share, curve_uusd, HORIZON)
        outlook = self._seen(known.with_cars)
        # A home that never traded would have no guard against the community's rebound, nor spread its car's charging.
        alone_outlook = self._seen(plan_charging(known.stays_alone, known.outlook).beside(known.outlook))
        with_trade, foreseen = self._seen(self._with_trade(known.with_cars, quote)), _until_noon(quote.slot + 1)
        value = stored_value(self._bank, with_trade.after_first(caps), foreseen)
        alone_value = stored_value(self._bank, alone_outlook.after_first(), foreseen)
        buy, sell, power = int(outlook.import_uusd[0]), int(outlook.export_uusd[0]), self._bank.max_slot_wh
        net, alone_net = (scenario_mean(seen.net_wh[:, :, 0]) for seen in (outlook, alone_outlook))
        # At a posted price a car takes what is worth it, whether a neighbour gives it or the home that could sell it.
        car_wh = wanted_wh(known.stays, known.outlook, quote.price_uusd, known.paces_wh)
        traded_net = known.outlook.net_wh[:, :, 0] + car_wh[:, None]
        position = Position(self._bank, self._stored(), value, traded_net, buy, sell)
        limit_wh = np.minimum(caps[:, 0], power)
        mode = mode_at_prices(self._bank, value, buy, sell, limit_wh, net)
        return Decision(
            mode=replace(mode, import_ceiling_wh=import_ceilings_wh(outlook.net_wh[:, :, 0], limit_wh)),
            alone=mode_at_prices(self._bank, alone_value, buy, sell, power, alone_net),
            car=limits_wh(known.stays, known.outlook, known.paces_wh),
            car_alone=limits_wh(known.stays_alone, known.outlook),
            steps=self._offers(position, quote, known.plan, outlook.export_uusd),
        )

    def _with_trade(self, outlook: Outlook, quote: Quote) -> Outlook:
        """The outlook with what neighbours are expected to take and to give."""
        imports, exports = outlook.import_uusd, outlook.export_uusd
        return replace(
            outlook,
            import_uusd=expected_cost_uusd(quote, imports, exports, self._rules),
            sales=expected_sales(quote, imports, self._rules.delivered_share),
            purchases=expected_purchases(quote, imports),
        )

    def _seen(self, outlook: Outlook) -> Outlook:
        return near_outlook(outlook) if self._planner == "3h" else outlook

    def _offers(
        self, position: Position, quote: Quote, plan: PlannedFlows, export_uusd: NDArray[np.int64]
    ) -> tuple[Offers, ...]:
        """Firm orders at the quoted price, with the day's sell limit spent where it earns most."""
        left, day = self._sell_left(quote.slot), local_days(quote.slot, len(quote.curve_uusd))
        curve = np.array(quote.curve_uusd, np.float64)
        gain = curve * self._rules.delivered_share - export_uusd[: len(curve)]
        worth = limit_worth_uusd(plan.surplus_wh[:, :, : len(curve)], left, gain, day == day[0])
        position = replace(position, limit_worth_uusd=worth)
        return offered(position, quote.price_uusd, left, self._rules, self._most_orders)

    def _wire(self, known: Known, slot: int) -> dict[str, Plan]:
        """Plans as central may know them: totals of a home, and of its surplus what it may sell."""
        left, day, plan = self._sell_left(slot), local_days(slot, CURVE_SLOTS), known.plan
        surplus = sellable_wh(plan.surplus_wh, left, self._rules.daily_sell_limit_wh, day)
        sold = np.rint(scenario_mean(surplus.transpose(0, 2, 1))).astype(np.int64)
        imports = known.outlook.import_uusd[:CURVE_SLOTS]
        stored, spare = (
            sellable_besides_wh(wh, sold, left, self._rules.daily_sell_limit_wh, day, imports)
            for wh in (plan.stored_wh, plan.spare_wh)
        )
        return {
            home.home_id: Plan(
                slot=slot,
                need_wh=tuple(plan.need_wh[i].tolist()),
                charge_wh=tuple(plan.charge_wh[i].tolist()),
                surplus_wh=tuple(sold[i].tolist()),
                stored_wh=tuple(stored[i].tolist()),
                spare_wh=tuple(spare[i].tolist()),
            )
            for i, home in enumerate(self._homes)
        }

    def _known(self, slot: int) -> Known:
        slots = np.arange(slot, slot + HORIZON)
        forecasts = [home.forecast(slot, HORIZON) for home in self._homes]
        off_peak = self._tariff.off_peak_uusd(slots[:CURVE_SLOTS])
        outlook = Outlook(
            net_wh=np.stack([forecast.net_scenarios_wh for forecast in forecasts]).astype(np.float64),
            import_uusd=self._tariff.import_uusd(slots),
            export_uusd=self._tariff.export_uusd(slots),
            terminal_uusd=off_peak / self._bank.one_way_efficiency,
        )
        stays = self._stays(slot, [home.state.car_wh for home in self._homes])
        stays_alone = self._stays(slot, [home.state.car_alone_wh for home in self._homes])
        paces = paces_wh(stays, beyond_surplus_uusd(outlook))
        with_cars = plan_charging(stays, outlook, paces).beside(outlook)
        return Known(outlook, stays, stays_alone, paces, with_cars, self._plan(with_cars, slot))

    def _stays(self, slot: int, taken_wh: Sequence[int]) -> Stays:
        """Cars that were plugged in before the slot, and what they still need."""
        here = [(home.stay_at(slot), taken) for home, taken in zip(self._homes, taken_wh, strict=True)]
        known = [
            (stay.energy_wh - taken, stay.departure_slot - slot)
            if stay is not None and stay.arrival_slot < slot
            else (0, 0)
            for stay, taken in here
        ]
        need, left = np.array(known, np.int64).T
        power = [0 if home.car is None else home.car.max_slot_wh for home in self._homes]
        return Stays(np.maximum(need, 0), left, np.array(power, np.int64))

    def _plan(self, outlook: Outlook, slot: int) -> PlannedFlows:
        if self._planner == "3h":
            return near_plan(self._bank, self._stored(), outlook, CURVE_SLOTS)
        if self._planner == "rule":
            return rule_plan(self._bank, self._stored(), outlook, self._peak(slot), CURVE_SLOTS)
        return indicative_plan(self._bank, self._stored(), outlook, CURVE_SLOTS)

    def _peak(self, slot: int) -> NDArray[np.bool_]:
        return self._tariff.peak_window(np.arange(slot, slot + 2 * CURVE_SLOTS))

    def _stored(self) -> Floats:
        return np.array([home.state.stored_kwh for home in self._homes], np.float64)

    def _sell_left(self, slot: int) -> NDArray[np.int64]:
        today = local_of(slot).toordinal()
        for home in self._homes:
            if home.state.sold_on != today:
                home.state.sold_on, home.state.sold_wh = today, 0
        return np.array([self._rules.daily_sell_limit_wh - home.state.sold_wh for home in self._homes], np.int64)


def _until_noon(slot: int) -> int:
    """Slots from ``slot`` on until the next noon, at least 1."""
    return next(count for count in range(1, HORIZON) if local_of(slot + count).time() == _NOON)


def _orders(offers: Offers, i: int, home_id: str, slot: int) -> tuple[Order, ...]:
    buy, sell, limit = int(offers.buy_wh[i]), int(offers.sell_wh[i]), int(offers.limit_uusd[i])
    if not buy and not sell:
        return ()
    side, energy = ("buy", buy) if buy else ("sell", sell)
    return (
        Order.model_validate(
            {"home_id": home_id, "slot": slot, "side": side, "energy_wh": energy, "limit_uusd": limit}
        ),
    )
