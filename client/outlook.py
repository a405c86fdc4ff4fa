"""What the planner knows of the coming slots, and what a stored kWh earns or costs in each of them.

A slot has four ways through the battery: to the load, out to the grid, in from the home's surplus, in from the grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from client.battery import BatteryBank, Floats, Ints
from common.units import WH_PER_KWH

NUSD_PER_UUSD = 1000
BEYOND_NUSD = 1e12
"""Value of energy under the reserve, which is not to be had; minus this above the ceiling. $1000 a kWh."""


@dataclass(frozen=True)
class Outlook:
    """What the planner knows of the coming ``T`` slots.

    Attributes:
        net_wh: net load, shape ``(H, K, T)`` with ``K`` scenarios; positive is need.
        import_uusd, export_uusd: prices, u$/kWh, shape ``(T,)`` or ``(H, T)``.
        terminal_uusd: value of a stored kWh after the last slot, u$ (off-peak price over one-way efficiency); one for
            all homes or shape ``(H,)``.
        grid_charge_cap_wh: most AC energy to charge from the grid in each slot, shape ``(H, T)``; None for no cap.
    """

    net_wh: Floats
    import_uusd: Ints
    export_uusd: Ints
    terminal_uusd: float | Floats
    grid_charge_cap_wh: Floats | None = None

    def homes(self, part: slice) -> Outlook:
        """The outlook of some of the homes."""
        cap = self.grid_charge_cap_wh
        return Outlook(
            self.net_wh[part],
            self.import_uusd[part] if self.import_uusd.ndim > 1 else self.import_uusd,
            self.export_uusd[part] if self.export_uusd.ndim > 1 else self.export_uusd,
            self.terminal_nusd[part] / NUSD_PER_UUSD,
            None if cap is None else cap[part],
        )

    def slots(self, some: slice | NDArray[np.bool_]) -> Outlook:
        """The outlook of some of the slots."""
        cap = self.grid_charge_cap_wh
        return Outlook(
            self.net_wh[..., some],
            self.import_uusd[..., some],
            self.export_uusd[..., some],
            self.terminal_uusd,
            None if cap is None else cap[:, some],
        )

    @property
    def terminal_nusd(self) -> Floats:
        """Terminal value in whole n$, shape ``(H,)``."""
        terminal: Floats = np.rint(np.multiply(self.terminal_uusd, float(NUSD_PER_UUSD)))
        return np.broadcast_to(terminal, len(self.net_wh))


@dataclass(frozen=True)
class Reach:
    """Most AC energy of a slot's four ways through the battery, kWh, shape ``(T, h, K)``."""

    to_load: Floats
    exported: Floats
    from_surplus: Floats
    from_grid: Floats


@dataclass(frozen=True)
class Worth:
    """What a stored kWh earns or costs on each of the four ways, whole n$, shape ``(T, 1 or h, 1 or K)``."""

    to_load: Floats
    exported: Floats
    from_surplus: Floats
    from_grid: Floats


def reach_kwh(bank: BatteryBank, net_wh: Floats, cap_wh: Floats | None) -> Reach:
    """Reach of batteries in slots of net load ``net_wh``, ``(h, K, T)``, with caps ``(h, T)`` on grid charging."""
    net, power = net_wh.transpose(2, 0, 1) / WH_PER_KWH, bank.max_slot_wh[:, None] / WH_PER_KWH
    to_load, from_surplus = np.minimum(np.maximum(net, 0.0), power), np.minimum(np.maximum(-net, 0.0), power)
    from_grid: Floats = power - from_surplus
    if cap_wh is not None:
        from_grid = np.minimum(from_grid, cap_wh.T[:, :, None] / WH_PER_KWH)
    return Reach(to_load, power - to_load, from_surplus, from_grid)


def worth_nusd(bank: BatteryBank, prices: tuple[Floats, Floats], reach: Reach) -> Worth:
    """Worth at import and export prices, u$/kWh, shape ``(T, 1 or h, 1)``: the slope of each slot's envelope."""
    efficiency = bank.one_way_efficiency[:, None]
    buy, sell = (price * NUSD_PER_UUSD for price in prices)
    plain = Worth(*(np.rint(w) for w in (buy * efficiency, sell * efficiency, sell / efficiency, buy / efficiency)))
    dear = sell > buy
    if not dear.any():
        return plain
    earned, paid = buy * reach.to_load + sell * reach.exported, sell * reach.from_surplus + buy * reach.from_grid
    out, into = (reach.to_load + reach.exported) / efficiency, (reach.from_surplus + reach.from_grid) * efficiency
    apart_out, apart_in = _mean(earned, out, 0.0), _mean(paid, into, BEYOND_NUSD)
    # Where a discharge earns more than a charge costs, only the mixture of full charge and full discharge is left.
    both = _mean(earned + paid, out + into, 0.0)
    mean_out, mean_in = (np.rint(np.where(apart_out > apart_in, both, apart)) for apart in (apart_out, apart_in))
    return Worth(
        to_load=np.where(dear, mean_out, plain.to_load),
        exported=np.where(dear, mean_out, plain.exported),
        from_surplus=np.where(dear, mean_in, plain.from_surplus),
        from_grid=np.where(dear, mean_in, plain.from_grid),
    )


def _mean(amount: Floats, energy: Floats, of_nothing: float) -> Floats:
    mean: Floats = np.divide(amount, energy, out=np.full_like(amount, of_nothing), where=energy > 0.0)
    return mean


def worth_of(bank: BatteryBank, outlook: Outlook) -> Worth:
    """Worth in each slot of an outlook."""
    buy, sell = (
        np.atleast_2d(price).T[:, :, None].astype(np.float64) for price in (outlook.import_uusd, outlook.export_uusd)
    )
    return worth_nusd(bank, (buy, sell), reach_kwh(bank, outlook.net_wh, outlook.grid_charge_cap_wh))
