"""The indicative plan: what homes expect to do at the tariff alone, and tell central of the coming day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from client.battery import BatteryBank, Floats, Ints
from client.outlook import Outlook, reach_of, worth_of
from client.parts import in_parts
from client.planner import blocks_of, energy_by_level, levels_nusd, scenario_mean
from common.units import WH_PER_KWH


@dataclass(frozen=True)
class PlannedFlows:
    """What homes expect to do at the tariff alone, Wh a slot.

    Attributes:
        need_wh: import, of which ``charge_wh`` goes into the battery from the grid; shape ``(H, slots)``.
        surplus_wh: export in each scenario, shape ``(H, K, slots)``.
        stored_wh: what the battery could still give to neighbours after each slot, AC, mean over scenarios; 0 of a
            planner that sells nothing of it; shape ``(H, slots)``.
        spare_wh: the same, as 0 in scenarios that charge from the grid: what the sun would fill again.
    """

    need_wh: Ints
    charge_wh: Ints
    surplus_wh: Floats
    stored_wh: Floats
    spare_wh: Floats


def indicative_plan(bank: BatteryBank, stored_kwh: Floats, outlook: Outlook, slots: int) -> PlannedFlows:
    """Roll each scenario's plan out over the outlook's first ``slots`` slots, and take the mean of what is imported.

    Args:
        bank: the batteries.
        stored_kwh: stored energy before the first slot, shape ``(H,)``.
        outlook: what is known; its cap on grid charging, if any, binds the plan.
        slots: length of the plan; no more than the outlook has.
    """
    levels = levels_nusd(bank, outlook)

    def roll_out(part: slice) -> tuple[Floats, ...]:
        return _roll_out(bank.homes(part), stored_kwh[part], outlook.homes(part), levels[part], slots)

    flows = in_parts(roll_out, blocks_of(outlook, levels.shape[1]))
    need, charge, *others = (np.concatenate(parts) * WH_PER_KWH for parts in zip(*flows, strict=True))
    return PlannedFlows(np.rint(need).astype(np.int64), np.rint(charge).astype(np.int64), *others)


def _roll_out(
    bank: BatteryBank, stored_kwh: Floats, outlook: Outlook, levels: Floats, slots: int
) -> tuple[Floats, ...]:
    """The scenarios' plans, kWh: flows of :class:`PlannedFlows`, in its order."""
    bands = _bands_kwh(bank, outlook, levels, slots)
    soon = outlook.slots(slice(slots))
    efficiency, reach = bank.one_way_efficiency[:, None], reach_of(bank, soon)
    net = soon.net_wh.transpose(2, 0, 1) / WH_PER_KWH  # (slots, h, K), like all below
    most = np.stack([reach.from_surplus * efficiency, reach.from_grid * efficiency])
    most = np.concatenate([most, np.stack([reach.to_load / efficiency, reach.exported / efficiency])])
    from_grid, change, left = (np.empty_like(net) for _ in range(3))
    stored = np.repeat(stored_kwh[:, None], net.shape[2], axis=1)
    for t in range(slots):
        grid_to, surplus_to, load_to, export_to = bands[:, t]
        charged = np.minimum(np.maximum(surplus_to - stored, 0.0), most[0, t])
        from_grid[t] = np.minimum(np.maximum(grid_to - stored - charged, 0.0), most[1, t])
        used = np.minimum(np.maximum(stored - load_to, 0.0), most[2, t])
        exported = np.minimum(np.maximum(stored - export_to - used, 0.0), most[3, t])
        change[t] = charged + from_grid[t] - used - exported
        stored = stored + change[t]
        left[t] = (stored - bank.reserve_kwh[:, None]) * efficiency
    spare = left * (from_grid * WH_PER_KWH < 0.5).all(axis=0)  # given away, it would be charged again
    meter = net + np.where(change > 0.0, change / efficiency, change * efficiency)
    flows = (np.maximum(meter, 0.0), from_grid / efficiency, left, spare)
    imported, charged, left, spare = (scenario_mean(flow).T for flow in flows)
    return imported, charged, np.maximum(-meter, 0.0).transpose(1, 2, 0), left, spare


def _bands_kwh(bank: BatteryBank, outlook: Outlook, levels: Floats, slots: int) -> Floats:
    """Levels of a :class:`Mode` in each slot of each scenario's own plan, shape ``(4, slots, h, K)``."""
    worth = worth_of(bank, outlook.slots(slice(slots)))
    shape = (slots, *outlook.net_wh.shape[:2])
    ways = (worth.from_grid, worth.from_surplus, worth.to_load, worth.exported)
    counts = [np.count_nonzero(levels[:, None, :] >= way[..., None], axis=-1) for way in ways]
    # Strictly: eager, as in mode_at_prices; where exporting pays more both discharges are one.
    strict = np.count_nonzero(levels[:, None, :] > worth.to_load[..., None], axis=-1)
    counts[2] = np.where(worth.to_load < worth.exported, counts[2], strict)
    counts = [np.broadcast_to(count, shape) for count in counts]
    above = np.stack(list(energy_by_level(bank, outlook, levels)))[::-1][1 : slots + 1]  # (slots, h, K, L)
    above = np.concatenate([np.zeros_like(above[..., :1]), above], axis=3)  # nothing is worth more than the top level
    bands = np.stack([np.take_along_axis(above, count[..., None], axis=3)[..., 0] for count in counts])
    bands += bank.reserve_kwh[:, None]
    bands[2] = np.maximum(bands[2], bands[0])
    return bands
