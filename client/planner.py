"""The planner: what one more stored kWh is worth to a home, and the battery mode that follows from it.

The value of stored energy is concave and piecewise linear; its slope, the *marginal value*, only takes values that are
a price times or over the one-way efficiency.  Fix such a level: let ``B`` be the energy above the reserve that is worth
at least that much.  One slot earlier

    B' = clip(B + discharges of the slot that earn at least the level - charges that cost less than it, 0, usable)

which is the exact Bellman recursion of the plan's linear program (tests hold it against HiGHS), one level at a time,
for all homes, scenarios and levels at once.

Where the export price is above the import price, a slot's worth is not concave: a discharge first saves the cheap
import, then earns the dear export.  There the plan takes the concave envelope of the slot, all of the discharge at the
mean price of a full one, and nothing is charged from the grid (tests hold it against a linear program with the same
envelope).

Levels are whole nano-dollars per stored kWh (``_nusd``, kept in floats), so that ties between slots are exact and sums
over scenarios do not depend on which other homes are in the array.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from client.battery import UNBOUNDED_WH, BatteryBank, Floats, Mode
from client.outlook import NUSD_PER_UUSD, Outlook, reach_of, worth_of
from client.parts import in_parts
from client.value import StoredValue, mean_value, reached

_BLOCK_CELLS = 1_000_000
"""Cells (slot, home, scenario, level) that are worked on at once: few enough for caches, enough for threads to pay."""
_FINER = 3
"""Levels to each one of the tariff's where slopes are averaged within a plan: means are rounded to the nearest."""
_MOST_MEAN_LEVELS = 64
"""Mean prices of slots whose export price is above the import price that are told apart, one home."""


def stored_value(bank: BatteryBank, outlook: Outlook, foreseen: int | None = None) -> StoredValue:
    """Marginal value of stored energy before the outlook's first slot, averaged over its scenarios.

    Each scenario is planned with foresight of itself; the mean of their slopes is the value under uncertainty.  With
    foresight of whole days a plan puts off what it need not do yet, as if it knew in time what comes.  So what is
    stored after the foreseen slots is worth the mean already, the same in all scenarios.

    Args:
        bank: the batteries.
        outlook: what is known.
        foreseen: number of the first slots of which a scenario is planned with foresight, at least 1; None for all.
    """
    homes, scenarios, _ = outlook.net_wh.shape
    levels = levels_nusd(bank, outlook)
    at_first = levels if foreseen is None else _finer(levels)
    above = np.empty((homes, scenarios, at_first.shape[1]))

    def plan(part: slice) -> None:
        *_, above[part] = energy_by_level(bank.homes(part), outlook.homes(part), levels[part], foreseen)

    in_parts(plan, blocks_of(outlook, at_first.shape[1]))
    return mean_value(bank, above, at_first)


def mode_at_prices(
    bank: BatteryBank,
    value: StoredValue,
    import_uusd: int,
    export_uusd: int,
    grid_charge_limit_wh: Floats,
    net_wh: Floats | None = None,
) -> Mode:
    """Battery mode for a slot whose need is imported and whose surplus is exported at these prices.

    Ties are eager: what may as well be charged, or discharged to the load, now as later is done now.

    Args:
        bank: the batteries.
        value: marginal value of energy stored after the slot.
        import_uusd, export_uusd: prices of the slot, u$/kWh.
        grid_charge_limit_wh: most AC energy to charge from the grid in the slot, shape ``(H,)``.
        net_wh: net load that is expected, shape ``(H,)``, positive is need; it only counts where the export price is
            above the import price. None for none.
    """
    if export_uusd > import_uusd:
        return _mode_where_exporting_pays(bank, value, import_uusd, export_uusd, net_wh)
    buy, sell, efficiency = import_uusd * NUSD_PER_UUSD, export_uusd * NUSD_PER_UUSD, bank.one_way_efficiency
    grid_charge_to = value.worth_at_least(np.rint(buy / efficiency))
    return Mode(
        grid_charge_to_kwh=grid_charge_to,
        grid_charge_limit_wh=grid_charge_limit_wh,
        import_ceiling_wh=np.full(len(bank), UNBOUNDED_WH),
        surplus_charge_to_kwh=value.worth_at_least(np.rint(sell / efficiency)),
        # Without losses charging and discharging can tie; charging goes first.
        discharge_to_load_down_to_kwh=np.maximum(value.worth_more_than(np.rint(buy * efficiency)), grid_charge_to),
        discharge_to_export_down_to_kwh=value.worth_at_least(np.rint(sell * efficiency)),
    )


def _mode_where_exporting_pays(
    bank: BatteryBank,
    value: StoredValue,
    import_uusd: int,
    export_uusd: int,
    net_wh: Floats | None,
) -> Mode:
    """Mode for a slot whose export price is above the import price.

    Batteries discharge, whatever the load is, while the mean price of a full discharge pays; the price is that of the
    load that is expected.  None charges from the grid.
    """
    expected = np.zeros(len(bank)) if net_wh is None else net_wh
    slot = Outlook(expected[:, None, None], np.array([import_uusd]), np.array([export_uusd]), 0.0)
    worth = worth_of(bank, slot)
    discharge_to = value.worth_at_least(worth.exported[0, :, 0])
    return Mode(
        grid_charge_to_kwh=bank.reserve_kwh,
        grid_charge_limit_wh=np.zeros(len(bank)),
        import_ceiling_wh=np.full(len(bank), UNBOUNDED_WH),
        surplus_charge_to_kwh=value.worth_at_least(worth.from_surplus[0, :, 0]),
        discharge_to_load_down_to_kwh=discharge_to,
        discharge_to_export_down_to_kwh=discharge_to,
    )


def scenario_mean(values: Floats) -> Floats:
    """Mean along the last axis; the order of the sum is fixed, so that a home's result is its own."""
    mean: Floats = np.cumsum(values, axis=-1)[..., -1] / values.shape[-1]
    return mean


def blocks_of(outlook: Outlook, levels: int) -> list[slice]:
    """Homes that are worked on at once, few enough of ``_BLOCK_CELLS``; ``levels`` of each home."""
    homes, scenarios, slots = outlook.net_wh.shape
    size = max(1, _BLOCK_CELLS // max(1, scenarios * slots * levels))
    return [slice(start, start + size) for start in range(0, homes, size)]


def levels_nusd(bank: BatteryBank, outlook: Outlook) -> Floats:
    """All values that the slope can take, descending, n$ per stored kWh, shape ``(H, L)``."""
    efficiency = bank.one_way_efficiency[:, None]
    buy, sell = (np.unique(p) * NUSD_PER_UUSD for p in (outlook.import_uusd, outlook.export_uusd))
    families = [np.rint(f) for f in (buy * efficiency, buy / efficiency, sell * efficiency, sell / efficiency)]
    families += [outlook.terminal_nusd[:, None], _mean_levels_nusd(bank, outlook)]
    for trade in (outlook.sales, outlook.purchases):
        if trade is not None:
            price = np.unique(trade.price_uusd) * NUSD_PER_UUSD
            families += [np.rint(price * efficiency), np.rint(price / efficiency)]
    return -np.sort(-np.concatenate(families, axis=1), axis=1)


def _mean_levels_nusd(bank: BatteryBank, outlook: Outlook) -> Floats:
    """Mean prices of the slots where exporting pays more than importing costs, a fixed number a home, ``(H, N)``.

    With more than :data:`_MOST_MEAN_LEVELS` of them the slope is read at some: the plan's energies stay exact, the
    slope between two such levels is taken as the lower one's.
    """
    pays: NDArray[np.bool_] = np.any(np.atleast_2d(outlook.exporting_pays), axis=0)
    if not pays.any():
        return np.empty((len(bank), 0))
    means = worth_of(bank, outlook.slots(pays)).exported  # (T, h, K)
    means = np.sort(np.moveaxis(means, 1, 0).reshape(len(bank), -1), axis=1)
    count = means.shape[1]
    return means[:, np.linspace(0, count - 1, min(count, _MOST_MEAN_LEVELS)).round().astype(int)]


def _finer(levels: Floats) -> Floats:
    """Levels with more of them evenly between each two, shape ``(H, _FINER * (L - 1) + 1)``."""
    way = np.arange(_FINER) / _FINER
    between = np.rint(levels[:, :-1, None] + (levels[:, 1:] - levels[:, :-1])[:, :, None] * way)
    return np.concatenate([between.reshape(len(levels), -1), levels[:, -1:]], axis=1)


def energy_by_level(
    bank: BatteryBank, outlook: Outlook, levels: Floats, foreseen: int | None = None
) -> Iterator[Floats]:
    """Energy above the reserve that is worth at least each level, backward: after the last slot, ..., before the first.

    Args:
        bank, outlook: of ``h`` homes.
        levels: descending, n$ per stored kWh, shape ``(h, L)``.
        foreseen: as of :func:`stored_value`; in those slots the levels are those of :func:`_finer`.

    Yields:
        Stored kWh, nondecreasing along the levels, shape ``(h, K, L)``; ``T + 1`` times.
    """
    change = _change_by_level(bank, outlook, levels)
    usable = bank.usable_kwh[:, None, None]
    at_the_end = levels <= outlook.terminal_nusd[:, None]
    above: Floats = np.repeat(np.where(at_the_end[:, None, :], usable, 0.0), outlook.net_wh.shape[1], axis=1)
    yield above
    for t in reversed(range(len(change))):
        if t + 1 == foreseen:
            above = _mean_by_level(bank, above, levels)
        slot_change = change[t]
        if foreseen is not None and t < foreseen:
            # No way earns or costs what lies between two levels of prices: there the change is that of the upper one.
            slot_change = np.repeat(slot_change, _FINER, axis=-1)[..., : above.shape[-1]]
        above = above + slot_change
        np.clip(above, 0.0, usable, out=above)
        yield above


def _change_by_level(bank: BatteryBank, outlook: Outlook, levels: Floats) -> Floats:
    """Discharges that earn at least each level less charges that cost less, stored kWh, shape ``(T, h, K, L)``.

    It is laid out level by level, and a way is left out where no slot has it: most of the planner's time goes here.
    """
    reach, worth = reach_of(bank, outlook), worth_of(bank, outlook)
    efficiency = bank.one_way_efficiency[:, None]
    earn = ("to_load", "to_bought", "sold", "exported")
    cost = ("from_surplus", "from_sale", "from_bought", "from_grid")
    ways = [(getattr(reach, way) / efficiency, getattr(worth, way), True) for way in earn]
    ways += [(getattr(reach, way) * -efficiency, getattr(worth, way), False) for way in cost]
    ways = [way for way in ways if way[0].any()]
    change = np.zeros((levels.shape[1], *reach.to_load.shape))
    part = np.empty(reach.to_load.shape)
    for of_level, level in zip(change, levels.T[:, None, :, None], strict=True):
        for energy, value, earns in ways:
            counts = value >= level if earns else value < level
            if counts.all():
                np.add(of_level, energy, out=of_level)
            elif counts.any():
                np.add(of_level, np.multiply(energy, counts, out=part), out=of_level)
    return np.moveaxis(change, 0, -1)


def _mean_by_level(bank: BatteryBank, above: Floats, levels: Floats) -> Floats:
    """Energy above the reserve worth at least each finer level by the scenarios' mean slope, rounded to the nearest.

    Args:
        bank: of ``h`` homes.
        above: energy above the reserve worth at least each of ``levels``, shape ``(h, K, L)``.
        levels: descending, shape ``(h, L)``.

    Returns:
        Stored kWh, shape ``(h, 1, M)`` for the ``M`` levels of :func:`_finer`.
    """
    mean, finer = mean_value(bank, above, levels), _finer(levels)
    nearest = np.append((finer[:, :-1] + finer[:, 1:]) / 2.0, finer[:, -1:], axis=1)
    # The value after the last edge is less than any level.
    worth = np.take_along_axis(mean.edge_kwh, reached(-mean.value_nusd[:, 1:], -nearest), axis=1)
    return (worth - bank.reserve_kwh[:, None])[:, None, :]
