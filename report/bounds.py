"""What could be reached with perfect foresight: linear programs of the community and of each home alone, with HiGHS.

No policy can cost a community less than :func:`community_optimum` with the same batteries, tariff and rules; no home
without trade can pay less than :func:`own_battery_optimum`.  The floor price and the size of a transaction do not limit
the optimum: trade only moves money between homes.

Where the export price is above the import price, a meter that nets within the slot keeps energy from passing from grid
to grid, and no battery charges from the grid, as homes do not either.  The program is convex and takes the envelope of
that: a home exports in proportion to its discharge, the envelope of :mod:`client.planner`.  It stays a bound, a little
below what any policy can reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array, diags_array, eye_array, hstack, kron, vstack

from common.config import BatterySpec, MarketRules
from common.units import UUSD_PER_USD, WH_PER_KWH

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_FLOWS = ("import", "export", "charge", "discharge", "bought", "sold", "stored", "car")


@dataclass(frozen=True)
class Stay:
    """A car that is plugged in and charged by plan.

    Attributes:
        home: number of its home. first, end: columns of the slots in which it is there, of those asked for.
        energy_kwh: AC energy that it still needs. max_slot_kwh: the most that its charger gives in a slot.
        leaves: whether it leaves within the slots; what another is not given is charged later, at the off-peak price.
    """

    home: int
    first: int
    end: int
    energy_kwh: float
    max_slot_kwh: float
    leaves: bool


@dataclass(frozen=True)
class Community:
    """What the optimum is of; ``H`` homes, ``T`` slots.

    Attributes:
        net_wh: load - PV, shape ``(H, T)``; positive is need. Cars that are charged by plan are not in it.
        import_uusd, export_uusd: the tariff, u$/kWh, shape ``(T,)``.
        batteries: one a home.
        stored_kwh: stored energy at the start, shape ``(H,)``.
        terminal_uusd: value of a stored kWh at the end, u$: the off-peak price over the one-way efficiency; one for
            all homes or shape ``(H,)``.
        day: number of the local day of each slot, shape ``(T,)``, ascending; for the daily sell limit.
        rules: of the market.
        stays: of cars that are charged by plan. off_peak_uusd: price of what is not charged by the end.
    """

    net_wh: Ints
    import_uusd: Ints
    export_uusd: Ints
    batteries: Sequence[BatterySpec]
    stored_kwh: Floats
    terminal_uusd: float | Floats
    day: Ints
    rules: MarketRules
    stays: Sequence[Stay] = ()
    off_peak_uusd: float = 0.0


@dataclass(frozen=True)
class Optimum:
    """A plan with perfect foresight; flows in kWh a slot, shape ``(H, T)``.

    Attributes:
        cost_usd: each home's cost, shape ``(H,)``: tariff and trade, less the value of its gain in stored energy
            and of what its car was charged.
        import_kwh, export_kwh: from and to the grid.
        charge_kwh, discharge_kwh: at the battery's AC terminals.
        bought_kwh: delivered energy bought. sold_kwh: injected energy sold.
        stored_kwh: stored energy after each slot.
        car_kwh: charged into cars by plan.
        price_usd: trade price per delivered kWh at which each home would choose this plan by itself (the dual price of
            the trade balance), shape ``(T,)``; zeros without trade.
    """

    cost_usd: Floats
    import_kwh: Floats
    export_kwh: Floats
    charge_kwh: Floats
    discharge_kwh: Floats
    bought_kwh: Floats
    sold_kwh: Floats
    stored_kwh: Floats
    car_kwh: Floats
    price_usd: Floats


def community_optimum(community: Community) -> Optimum:
    """Least cost of all homes together, with trade."""
    return _solve(community, trade=True)


def own_battery_optimum(community: Community) -> Optimum:
    """Least cost of each home by itself: its own battery, no trade."""
    return _solve(community, trade=False)


def _solve(community: Community, *, trade: bool) -> Optimum:
    homes, slots = community.net_wh.shape
    cells = homes * slots
    buy, sell = community.import_uusd / UUSD_PER_USD, community.export_uusd / UUSD_PER_USD
    final = np.zeros((homes, slots))
    final[:, -1] = community.terminal_uusd / UUSD_PER_USD
    nothing = np.zeros(cells)
    off_peak = community.off_peak_uusd / UUSD_PER_USD
    objective = np.concatenate(
        [np.tile(buy, homes), -np.tile(sell, homes), *[nothing] * 4, -final.ravel(), nothing - off_peak]
    )
    equal_a, equal_b = _equations(community)
    limits = [_no_passing_through(community), *([_daily_limit(community)] if trade else [])]
    if community.stays:
        limits.append(_car_limit(community))
    result = linprog(  # type: ignore[call-overload]  # its stubs know no sparse matrices
        objective,
        A_eq=equal_a,
        b_eq=equal_b,
        A_ub=vstack([left for left, _ in limits]),
        b_ub=np.concatenate([right for _, right in limits]),
        bounds=_bounds(community, trade=trade),
        method="highs",
    )
    if result.status != 0:
        raise RuntimeError(f"the optimum was not found: {result.message}")
    flows = dict(zip(_FLOWS, result.x.reshape(len(_FLOWS), homes, slots), strict=True))
    # HiGHS gives the change of the optimal cost per kWh that the trade balance is short of.
    price: Floats = np.abs(result.eqlin.marginals[2 * cells : 2 * cells + slots]) if trade else np.zeros(slots)
    received = price * community.rules.delivered_share
    gained_kwh = flows["stored"][:, -1] - community.stored_kwh
    cost = flows["import"] * buy - flows["export"] * sell + flows["bought"] * price - flows["sold"] * received
    return Optimum(
        cost_usd=(cost - flows["car"] * off_peak).sum(axis=1) - gained_kwh * community.terminal_uusd / UUSD_PER_USD,
        **{f"{name}_kwh": flow for name, flow in flows.items()},
        price_usd=price,
    )


def _equations(community: Community) -> tuple[csr_array, Floats]:
    """Meter and battery of each home and slot, trade of each slot, cars that leave; variables as ``_FLOWS``."""
    homes, slots = community.net_wh.shape
    cells = homes * slots
    one, none = eye_array(cells), csr_array((cells, cells))
    efficiency = np.repeat([spec.one_way_efficiency for spec in community.batteries], slots)
    before = kron(eye_array(homes), eye_array(slots, k=-1))
    into, out_of = coo_array(one.multiply(efficiency)), coo_array(one.multiply(1.0 / efficiency))
    meter = hstack([one, -one, -one, one, one, -one, none, -one])
    battery = hstack([none, none, -into, out_of, none, none, one - before, none])
    all_homes, nobody = kron(np.ones((1, homes)), eye_array(slots)), csr_array((slots, cells))
    delivered = community.rules.delivered_share
    trade = hstack([nobody, nobody, nobody, nobody, all_homes, -delivered * all_homes, nobody, nobody])
    start = np.zeros((homes, slots))
    start[:, 0] = community.stored_kwh
    net_kwh = community.net_wh / WH_PER_KWH
    leave = [stay for stay in community.stays if stay.leaves]
    right = [net_kwh.ravel(), start.ravel(), np.zeros(slots), np.array([stay.energy_kwh for stay in leave])]
    return csr_array(vstack([meter, battery, trade, _charged(community, leave)])), np.concatenate(right)


def _charged(community: Community, stays: Sequence[Stay]) -> csr_array:
    """Rows that sum up what each of ``stays`` is charged."""
    homes, slots = community.net_wh.shape
    cells = homes * slots
    columns = [
        _FLOWS.index("car") * cells + stay.home * slots + np.arange(stay.first, stay.end, dtype=np.int64)
        for stay in stays
    ]
    column = np.concatenate([np.zeros(0, np.int64), *columns])
    row = np.repeat(np.arange(len(stays)), [len(part) for part in columns])
    return csr_array((np.ones(len(row)), (row, column)), shape=(len(stays), len(_FLOWS) * cells))


def _car_limit(community: Community) -> tuple[csr_array, Floats]:
    """Energy of each stay."""
    return _charged(community, community.stays), np.array([stay.energy_kwh for stay in community.stays])


def _daily_limit(community: Community) -> tuple[csr_array, Floats]:
    """Sold energy of each home and day."""
    homes, slots = community.net_wh.shape
    day = community.day - community.day[0]
    days = int(day[-1]) + 1
    rows = (np.arange(homes)[:, None] * days + day).ravel()
    sold = _FLOWS.index("sold") * homes * slots + np.arange(homes * slots)
    shape = (homes * days, len(_FLOWS) * homes * slots)
    limit_kwh = community.rules.daily_sell_limit_wh / WH_PER_KWH
    return csr_array((np.ones(homes * slots), (rows, sold)), shape=shape), np.full(homes * days, limit_kwh)


def _no_passing_through(community: Community) -> tuple[csr_array, Floats]:
    """Of each home and each slot whose export price is above the import price: what leaves comes from behind the meter.

    A home that discharges d of at most P with need N exports at most max(d - N, 0), which is at most d (P - N) / P; one
    with surplus S that charges c of it exports S - c + d.
    """
    homes, slots = community.net_wh.shape
    cells = homes * slots
    net = community.net_wh / WH_PER_KWH
    power = np.array([spec.max_slot_kwh for spec in community.batteries])[:, None]
    above_need = (power - np.clip(net, 0.0, power)) / np.where(power > 0.0, power, 1.0)
    one = np.ones(cells)
    parts = {"export": one, "sold": one, "charge": one, "discharge": -above_need.ravel()}
    left = hstack([diags_array(parts.get(flow, 0.0 * one)) for flow in _FLOWS])
    pays = np.flatnonzero(np.tile(community.export_uusd > community.import_uusd, homes))
    return csr_array(csr_array(left)[pays]), np.maximum(-net, 0.0).ravel()[pays]


def _bounds(community: Community, *, trade: bool) -> Floats:
    """Lower and upper bounds of the variables, shape ``(8 H T, 2)``."""
    homes, slots = community.net_wh.shape
    low, high = np.zeros((len(_FLOWS), homes, slots)), np.full((len(_FLOWS), homes, slots), np.inf)
    power = np.array([spec.max_slot_kwh for spec in community.batteries])[:, None]
    high[_FLOWS.index("charge")] = high[_FLOWS.index("discharge")] = power
    pays, surplus = community.export_uusd > community.import_uusd, np.maximum(-community.net_wh, 0) / WH_PER_KWH
    high[_FLOWS.index("charge")][:, pays] = np.minimum(surplus, power)[:, pays]
    if not trade:
        high[_FLOWS.index("bought")] = high[_FLOWS.index("sold")] = 0.0
    low[_FLOWS.index("stored")] = np.array([spec.reserve_kwh for spec in community.batteries])[:, None]
    high[_FLOWS.index("stored")] = np.array([spec.ceiling_kwh for spec in community.batteries])[:, None]
    high[_FLOWS.index("car")] = 0.0
    for stay in community.stays:
        high[_FLOWS.index("car"), stay.home, stay.first : stay.end] = stay.max_slot_kwh
    return np.stack([low.ravel(), high.ravel()], axis=1)
