"""Other ways for a home to decide, that the planner is compared with: a short look-ahead, and a time-of-use rule.

``3h`` plans as exactly as the planner does, but knows nothing of what comes after three hours and gives what is then
stored no value.  ``rule`` does not plan: it stores its own surplus, fills the battery before the peak window and
follows the load in it, with solar at all other times, too.  Both take part in the market as all homes do.  The rule is
also what a home goes on by while it does not hear of central.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from client.battery import UNBOUNDED_WH, BatteryBank, Floats, Ints, Mode, follow
from client.indicative import PlannedFlows, indicative_plan
from client.outlook import Outlook, Trade
from client.planner import scenario_mean
from client.trading import Offers
from common.config import MarketRules
from common.units import SLOTS_PER_DAY, WH_PER_KWH

LOOK_AHEAD_SLOTS = 6
"""Slots that planner ``3h`` knows of."""
FILL_SLOTS = 8
"""Slots before the peak window in which the rule fills the battery, at an even pace: four hours, so that a whole street
does not ask for all of it at once."""

Bools = NDArray[np.bool_]


def near_outlook(outlook: Outlook) -> Outlook:
    """The outlook as planner ``3h`` sees it, as long as it was: nothing is worth anything after three hours.

    Prices that are expected of neighbours are still those of the whole tariff.
    """
    net, buy, sell = outlook.net_wh.copy(), outlook.import_uusd.copy(), outlook.export_uusd.copy()
    for values in (net, buy, sell):
        values[..., LOOK_AHEAD_SLOTS:] = 0
    trades = [None if trade is None else _near(trade) for trade in (outlook.sales, outlook.purchases)]
    return replace(
        outlook, net_wh=net, import_uusd=buy, export_uusd=sell, terminal_uusd=0.0, sales=trades[0], purchases=trades[1]
    )


def _near(trade: Trade) -> Trade:
    within = np.arange(len(trade.price_uusd)) < LOOK_AHEAD_SLOTS
    return Trade(np.where(within, trade.price_uusd, 0), np.where(within, trade.most_wh, 0.0))


def near_plan(bank: BatteryBank, stored_kwh: Floats, outlook: Outlook, slots: int) -> PlannedFlows:
    """Plan of planner ``3h``: its own for three hours, then the net load as it is expected; it has nothing to spare."""
    ahead = LOOK_AHEAD_SLOTS
    plan = indicative_plan(bank, stored_kwh, replace(outlook.slots(slice(ahead)), terminal_uusd=0.0), ahead)
    later = outlook.net_wh[:, :, ahead:slots]
    need = np.rint(scenario_mean(np.moveaxis(np.maximum(later, 0.0), 1, 2))).astype(np.int64)
    return PlannedFlows(
        need_wh=np.concatenate([plan.need_wh, need], axis=1),
        charge_wh=np.concatenate([plan.charge_wh, np.zeros_like(need)], axis=1),
        surplus_wh=np.concatenate([plan.surplus_wh, np.maximum(-later, 0.0)], axis=2),
        stored_wh=np.zeros((len(need), slots)),
        spare_wh=np.zeros((len(need), slots)),
    )


def expects_surplus(outlook: Outlook) -> Bools:
    """Whether each home expects to have more sun than it uses at some time of its outlook, shape ``(H,)``."""
    sunny: Bools = np.any(scenario_mean(np.moveaxis(outlook.net_wh, 1, 2)) < 0, axis=1)
    return sunny


def rule_mode(bank: BatteryBank, peak: Bools, sunny: Bools) -> Mode:
    """Battery mode of the rule for a slot.

    Args:
        bank: the batteries.
        peak: whether the tariff's peak window is on in the slot and in those after it, at least a day, shape ``(T,)``.
        sunny: whether each home expects a surplus, shape ``(H,)``.

    Returns:
        Always: charge from the own surplus. In the four hours before the peak window: charge from the grid, an eighth
        of the battery a slot. In the window, and where no peak comes: follow the load. At other times a sunny home
        follows its load, too, to have room for the sun; another one would only have to buy again what it gives.
    """
    waits = not peak[0] and bool(peak[:SLOTS_PER_DAY].any())
    fills = not peak[0] and bool(peak[: FILL_SLOTS + 1].any())
    follows = sunny & (not fills) if waits else np.ones(len(bank), np.bool_)
    pace_wh = bank.usable_kwh / bank.one_way_efficiency / FILL_SLOTS * WH_PER_KWH
    return Mode(
        grid_charge_to_kwh=bank.ceiling_kwh if fills else bank.reserve_kwh,
        grid_charge_limit_wh=np.minimum(pace_wh, bank.max_slot_wh) if fills else np.zeros(len(bank)),
        import_ceiling_wh=np.full(len(bank), UNBOUNDED_WH),
        surplus_charge_to_kwh=bank.ceiling_kwh,
        discharge_to_load_down_to_kwh=np.where(follows, bank.reserve_kwh, bank.ceiling_kwh),
        discharge_to_export_down_to_kwh=bank.ceiling_kwh,
    )


def rule_plan(bank: BatteryBank, stored_kwh: Floats, outlook: Outlook, peak: Bools, slots: int) -> PlannedFlows:
    """What the rule would do with the expected net load, slot by slot.

    Args:
        bank: the batteries.
        stored_kwh: stored energy before the first slot, shape ``(H,)``.
        outlook: whose scenarios' mean is expected.
        peak: as of :func:`rule_mode`, longer by ``slots``.
        slots: length of the plan.
    """
    expected = np.rint(scenario_mean(np.moveaxis(outlook.net_wh[:, :, :slots], 1, 2))).astype(np.int64)
    need, charge, surplus = np.zeros((3, len(bank), slots), np.int64)
    sunny = expects_surplus(outlook)
    for t in range(slots):
        flow = follow(bank, stored_kwh, expected[:, t], rule_mode(bank, peak[t:], sunny))
        stored_kwh = flow.stored_kwh
        meter = expected[:, t] + flow.charge_wh - flow.discharge_wh
        need[:, t], surplus[:, t] = np.maximum(meter, 0), np.maximum(-meter, 0)
        charge[:, t] = np.minimum(flow.charge_wh, need[:, t])
    # It sells nothing of what it has stored, so nothing is left over.
    nothing = np.zeros(need.shape)
    return PlannedFlows(need, charge, surplus[:, None].astype(np.float64), nothing, nothing)


def rule_offers(plan: PlannedFlows, prices_uusd: tuple[int, int], sell_left_wh: Ints, rules: MarketRules) -> Offers:
    """Orders of the rule: the first slot of its plan, at any price that is no worse than the tariff.

    Args:
        plan: by :func:`rule_plan`.
        prices_uusd: the tariff's import and export price of the slot, u$/kWh.
        sell_left_wh: what is left of the day's sell limit, injected Wh, shape ``(H,)``.
        rules: of the market; a seller is paid for what is delivered of the injected energy.

    Returns:
        The orders; none on a side that no price of the market can serve better than the tariff.
    """
    (most, export), least = prices_uusd, rules.least_price_uusd(prices_uusd[1])
    buy, sell = plan.need_wh[:, 0], np.minimum(np.rint(plan.surplus_wh[:, 0, 0]), np.maximum(sell_left_wh, 0))
    if most < max(rules.floor_uusd, export):  # where exporting pays more than importing costs nobody trades
        buy = np.zeros_like(buy)
    if least > min(rules.ceiling_uusd, most):
        sell = np.zeros_like(sell)
    limit = np.clip(np.where(sell > 0, least, most), rules.floor_uusd, rules.ceiling_uusd)
    return Offers(buy, sell.astype(np.int64), limit.astype(np.int64))
