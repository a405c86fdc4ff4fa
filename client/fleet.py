"""The households of one node as arrays: decide on a slot, let it happen.

A node holds one household, or several as a gateway; the arrays have a leading ``home`` axis, and a home's numbers are
the same whichever homes it shares the node with.  Decisions see a :class:`client.history.History` that ends at gate
closure; the reading of a slot is opened only when the slot happens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from client.battery import BatteryBank, Flow, Mode
from client.household import Household
from client.island import count_unserved, follow_or_island
from client.ladder import offered
from client.outlook import Outlook
from client.planner import (
    PlannedFlows,
    grid_charge_caps_wh,
    indicative_plan,
    mode_at_prices,
    scenario_mean,
    stored_value,
)
from client.rules import near_outlook, near_plan, rule_mode, rule_offers, rule_plan
from client.selling import expected_sales, limit_worth_uusd, local_days, sellable_wh
from client.trading import Offers, Position
from common.clock import local_of
from common.config import MarketRules
from common.messages import (
    CURVE_SLOTS,
    Begin,
    Fill,
    HomeCard,
    HomePlan,
    HomeReply,
    Meter,
    Order,
    Plan,
    Quote,
    Settle,
    SlotRequest,
    Totals,
    WireError,
)
from common.tariff import Tariff
from common.units import SLOT_HOURS, WH_PER_KWH, amount_nusd

HORIZON = 108
"""Slots that a plan looks ahead: 54 hours, past the next two peaks."""

Floats = NDArray[np.float64]


class Fleet:
    """Households of a node, in the order of their ids."""

    def __init__(self, homes: Sequence[Household], tariff: Tariff, rules: MarketRules, most_orders: int = 1) -> None:
        self.homes, self._tariff, self._rules, self._most_orders = homes, tariff, rules, most_orders
        self._planner = homes[0].config.planner
        self._bank = BatteryBank.of([home.facts.battery for home in homes])

    def cards(self) -> tuple[HomeCard, ...]:
        """Cards of the homes."""
        return tuple(home.card() for home in self.homes)

    def begin(self, begin: Begin) -> tuple[HomePlan, ...]:
        """Begin a day (or several); answer with the first indicative plans."""
        for home in self.homes:
            home.begin(begin.slot, begin.end_slot, begin.goes_on)
            home.save()
        plan = self._plan(self._outlook(begin.slot), begin.slot)
        wire = self._wire(plan, begin.slot)
        return tuple(HomePlan(home_id=home.home_id, plan=wire[home.home_id]) for home in self.homes)

    def slot(self, request: SlotRequest) -> tuple[HomeReply, ...]:
        """Let a slot happen, then decide on the next one.

        Raises:
            WireError: a slot outside of the day that was begun, or one to decide on that has happened.
        """
        for part in (request.settle, request.quote):
            if part is not None:
                self._check(part.slot)
        happens = -1 if request.settle is None else request.settle.slot
        happened = max(happens + 1, *(home.state.next_slot for home in self.homes))
        if request.quote is not None and request.quote.slot < happened:
            raise WireError(f"slot {request.quote.slot} has happened: there is nothing to decide any more")
        meters: dict[str, list[Meter]] = {home.home_id: [] for home in self.homes}
        orders: dict[str, tuple[Order, ...]] = {}
        plans: dict[str, Plan] = {}
        if request.settle is not None:
            meters = self._settle(request.settle)
        if request.quote is not None:
            orders, plans = self._decide(request.quote)
        for home in self.homes:
            home.save()
        return tuple(
            HomeReply(
                home_id=home.home_id,
                meters=tuple(meters[home.home_id][-CURVE_SLOTS:]),
                orders=orders.get(home.home_id, ()),
                plan=plans.get(home.home_id),
            )
            for home in self.homes
        )

    def _check(self, slot: int) -> None:
        for home in self.homes:
            if not home.state.first_slot <= slot < home.state.end_slot:
                raise WireError(f"slot {slot} is not of a day that was begun for {home.home_id}")

    def totals(self) -> tuple[Totals, ...]:
        """Totals of the day that the homes choose to report."""
        return tuple(self._totals(home) for home in self.homes)

    # -- before gate closure ----------------------------------------------------------------------------------------

    def _decide(self, quote: Quote) -> tuple[dict[str, tuple[Order, ...]], dict[str, Plan]]:
        """Forecast, plan, size orders and set the battery's mode for a slot."""
        outlook = self._outlook(quote.slot)
        plan = self._plan(outlook, quote.slot)
        if self._planner == "rule":
            mode = alone = rule_mode(self._bank, self._peak(quote.slot))
            prices = int(outlook.import_uusd[0]), int(outlook.export_uusd[0])
            steps: tuple[Offers, ...] = (rule_offers(plan, prices, self._sell_left(quote.slot), self._rules),)
        else:
            seen = near_outlook(outlook) if self._planner == "3h" else outlook
            mode, alone, steps = self._planned(quote, plan, seen)
        for i, home in enumerate(self.homes):
            home.state.mode_slot = quote.slot
            home.state.mode = [float(level[i]) for level in _levels(mode)]
            home.state.alone_mode = [float(level[i]) for level in _levels(alone)]
            home.state.price_uusd = quote.price_uusd
        orders = {
            home.home_id: ()
            if home.is_dark(quote.slot)
            else tuple(order for step in steps for order in _orders(step, i, home.home_id, quote.slot))
            for i, home in enumerate(self.homes)
        }
        return orders, self._wire(plan, quote.slot)

    def _planned(self, quote: Quote, plan: PlannedFlows, outlook: Outlook) -> tuple[Mode, Mode, tuple[Offers, ...]]:
        """Battery modes with and without trade, and the orders, by what stored energy is worth."""
        share = np.array(quote.charge_share, np.float64)
        caps = grid_charge_caps_wh(plan.charge_wh, share, outlook.import_uusd[: len(share)], HORIZON)
        sales = expected_sales(quote, outlook.import_uusd, self._rules.delivered_share)
        value = stored_value(self._bank, outlook.after_first(caps, sales))
        buy, sell = int(outlook.import_uusd[0]), int(outlook.export_uusd[0])
        # A home that never traded would have no guard against the community's rebound either.
        alone_value = stored_value(self._bank, outlook.after_first())
        net, power = scenario_mean(outlook.net_wh[:, :, 0]), self._bank.max_slot_wh
        alone = mode_at_prices(self._bank, alone_value, buy, sell, power, net)
        mode = mode_at_prices(self._bank, value, buy, sell, np.minimum(caps[:, 0], power), net)
        position = Position(self._bank, self._stored(), value, outlook.net_wh[:, :, 0], buy, sell)
        return mode, alone, self._offers(position, quote, plan, outlook.export_uusd)

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

    def _wire(self, plan: PlannedFlows, slot: int) -> dict[str, Plan]:
        """Plans as central may know them: totals of a home, and of its surplus what it may sell."""
        left, day = self._sell_left(slot), local_days(slot, CURVE_SLOTS)
        surplus = sellable_wh(plan.surplus_wh, left, self._rules.daily_sell_limit_wh, day)
        sold = np.rint(scenario_mean(surplus.transpose(0, 2, 1))).astype(np.int64)
        return {
            home.home_id: Plan(
                slot=slot,
                need_wh=tuple(plan.need_wh[i].tolist()),
                charge_wh=tuple(plan.charge_wh[i].tolist()),
                surplus_wh=tuple(sold[i].tolist()),
            )
            for i, home in enumerate(self.homes)
        }

    def _outlook(self, slot: int) -> Outlook:
        slots = np.arange(slot, slot + HORIZON)
        forecasts = [home.forecast(slot, HORIZON) for home in self.homes]
        off_peak = self._tariff.off_peak_uusd(slots[:CURVE_SLOTS])
        return Outlook(
            net_wh=np.stack([forecast.net_scenarios_wh for forecast in forecasts]).astype(np.float64),
            import_uusd=self._tariff.import_uusd(slots),
            export_uusd=self._tariff.export_uusd(slots),
            terminal_uusd=off_peak / self._bank.one_way_efficiency,
        )

    def _plan(self, outlook: Outlook, slot: int) -> PlannedFlows:
        if self._planner == "3h":
            return near_plan(self._bank, self._stored(), outlook, CURVE_SLOTS)
        if self._planner == "rule":
            return rule_plan(self._bank, self._stored(), outlook, self._peak(slot), CURVE_SLOTS)
        return indicative_plan(self._bank, self._stored(), outlook, CURVE_SLOTS)

    def _peak(self, slot: int) -> NDArray[np.bool_]:
        return self._tariff.peak_window(np.arange(slot, slot + 2 * CURVE_SLOTS))

    def _stored(self) -> Floats:
        return np.array([home.state.stored_kwh for home in self.homes], np.float64)

    def _sell_left(self, slot: int) -> NDArray[np.int64]:
        today = local_of(slot).toordinal()
        for home in self.homes:
            if home.state.sold_on != today:
                home.state.sold_on, home.state.sold_wh = today, 0
        return np.array([self._rules.daily_sell_limit_wh - home.state.sold_wh for home in self.homes], np.int64)

    # -- after it ---------------------------------------------------------------------------------------------------

    def _settle(self, settle: Settle) -> dict[str, list[Meter]]:
        """The slot happens, and before it those whose message did not come; one that happened already is told again."""
        behind = min(home.state.next_slot for home in self.homes)
        meters: dict[str, list[Meter]] = {home.home_id: [] for home in self.homes}
        for slot in range(behind, settle.slot + 1):
            due = [i for i, home in enumerate(self.homes) if home.state.next_slot == slot]
            fills = {fill.home_id: fill for fill in settle.fills} if slot == settle.slot else {}
            for home_id, meter in self._happen(slot, due, fills).items():
                meters[home_id].append(meter)
        for home in self.homes:
            if not meters[home.home_id] and home.state.next_slot == settle.slot + 1:
                last = Meter(slot=settle.slot, import_wh=home.state.last_import_wh, export_wh=home.state.last_export_wh)
                meters[home.home_id].append(last)
        return meters

    def _happen(self, slot: int, due: list[int], fills: Mapping[str, Fill]) -> dict[str, Meter]:
        """Batteries of the homes ``due`` follow the load that comes, in their mode, with the fills as duties."""
        fill = [fills.get(home.home_id, Fill(home_id=home.home_id)) for home in self.homes]
        readings = [home.meter_wh(slot) for home in self.homes]
        load, pv = (np.array(column, np.int64) for column in zip(*readings, strict=True))
        traded = np.array([f.bought_wh - f.sold_wh for f in fill], np.int64)
        mode, alone_mode = self._modes(slot)
        dark = np.array([home.is_dark(slot) for home in self.homes])
        flow = follow_or_island(self._bank, self._stored(), load - pv - traded, mode, dark)
        alone_kwh = np.array([h.state.alone_kwh for h in self.homes])
        alone = follow_or_island(self._bank, alone_kwh, load - pv, alone_mode, dark)
        slots = np.array([slot])
        buy, sell = int(self._tariff.import_uusd(slots)[0]), int(self._tariff.export_uusd(slots)[0])
        meters = {}
        for i in due:
            home = self.homes[i]
            home.state.sold_wh += fill[i].sold_wh
            battery_wh, alone_wh = (int(f.charge_wh[i] - f.discharge_wh[i]) for f in (flow, alone))
            net = int(load[i] - pv[i]) + battery_wh
            if dark[i]:  # nobody is billed for what does not flow
                net = 0
                count_unserved(home.state, int(load[i]), int(pv[i]), battery_wh, alone_wh)
            _book(home, slot, (0, 0) if dark[i] else (buy, sell), int(load[i]), int(pv[i]), flow, alone, i)
            home.state.last_import_wh, home.state.last_export_wh = max(net, 0), max(-net, 0)
            meters[home.home_id] = Meter(slot=slot, import_wh=max(net, 0), export_wh=max(-net, 0))
        return meters

    def _modes(self, slot: int) -> tuple[Mode, Mode]:
        """Modes of the slot, with and without trade; a home that missed its quote falls back to a plain rule.

        The rule fills the battery with the home's own surplus and follows the load in the peak window.
        """
        peak = bool(self._tariff.peak_window(np.array([slot]))[0])
        modes, alone = [], []
        for i, home in enumerate(self.homes):
            reserve, ceiling = float(self._bank.reserve_kwh[i]), float(self._bank.ceiling_kwh[i])
            plain = [reserve, 0.0, ceiling, reserve if peak else ceiling, ceiling]
            quoted = home.state.mode_slot == slot
            modes.append(home.state.mode if quoted else plain)
            alone.append(home.state.alone_mode if quoted else plain)
        return Mode(*np.array(modes, np.float64).T), Mode(*np.array(alone, np.float64).T)

    def _totals(self, home: Household) -> Totals:
        state, spec = home.state, home.facts.battery
        if state.end_slot == state.first_slot:
            raise WireError(f"no day was begun for {home.home_id}")
        slots = np.arange(state.first_slot, state.end_slot)
        refill_uusd = self._tariff.off_peak_uusd(slots) / spec.one_way_efficiency
        drawn_wh = (state.alone_start_kwh - state.alone_kwh) * WH_PER_KWH
        return Totals(
            home_id=home.home_id,
            b0_nusd=state.b0_nusd,
            b1_nusd=state.b1_nusd,
            battery_only_nusd=state.alone_nusd + round(drawn_wh * refill_uusd),
            stored_start_wh=round(state.start_kwh * WH_PER_KWH),
            stored_end_wh=round(state.stored_kwh * WH_PER_KWH),
            charged_wh=state.charged_wh,
            discharged_wh=state.discharged_wh,
            unserved_wh=state.unserved_wh,
            unserved_alone_wh=state.unserved_alone_wh,
            unserved_b1_wh=state.unserved_b1_wh,
        )


def _book(
    home: Household, slot: int, tariff_uusd: tuple[int, int], load_wh: int, pv_wh: int, flow: Flow, alone: Flow, i: int
) -> None:
    """Add a slot to what the home remembers: its bills without trade, its battery."""
    state, (buy, sell) = home.state, tariff_uusd

    def bill(net_wh: int) -> int:
        return amount_nusd(net_wh, buy if net_wh > 0 else sell)

    charge, discharge = int(flow.charge_wh[i]), int(flow.discharge_wh[i])
    state.b0_nusd += amount_nusd(load_wh, buy)
    state.b1_nusd += bill(load_wh - pv_wh)
    state.alone_nusd += bill(load_wh - pv_wh + int(alone.charge_wh[i] - alone.discharge_wh[i]))
    state.charged_wh += charge
    state.discharged_wh += discharge
    state.stored_kwh, state.alone_kwh = float(flow.stored_kwh[i]), float(alone.stored_kwh[i])
    capacity = home.facts.battery.capacity_kwh
    soc = state.stored_kwh / capacity if capacity else 0.0
    home.remember(slot, soc, (charge - discharge) / WH_PER_KWH / SLOT_HOURS, state.price_uusd)


def _levels(mode: Mode) -> tuple[Floats, ...]:
    return (
        mode.grid_charge_to_kwh,
        mode.grid_charge_limit_wh,
        mode.surplus_charge_to_kwh,
        mode.discharge_to_load_down_to_kwh,
        mode.discharge_to_export_down_to_kwh,
    )


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
