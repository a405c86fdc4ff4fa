"""What one more stored kWh is worth, by the energy that is stored: a step function, and the mean of several."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from client.battery import BatteryBank, Floats

_BEYOND_NUSD = 1e12
"""Value of energy under the reserve, which is not to be had; minus this above the ceiling. $1000 a kWh."""


@dataclass(frozen=True)
class StoredValue:
    """Marginal value of stored energy: a nonincreasing step function of the stored energy, one a home.

    Attributes:
        edge_kwh: stored energies where the value falls, ascending, shape ``(H, N)``.
        value_nusd: value before the first edge, between edges, and after the last one; n$ a kWh, ``(H, N + 1)``.
    """

    edge_kwh: Floats
    value_nusd: Floats

    def at(self, stored_kwh: Floats) -> Floats:
        """Value of one more stored kWh, n$, at stored energies of shape ``(H, M)``."""
        value: Floats = np.take_along_axis(self.value_nusd, reached(self.edge_kwh, stored_kwh), axis=1)
        return value

    def worth_at_least(self, level_nusd: Floats) -> Floats:
        """Stored energy up to which one more kWh is worth a level (n$, shape ``(H,)``) or more; shape ``(H,)``."""
        return self._first_edge(self.value_nusd[:, 1:] < level_nusd[:, None])

    def worth_more_than(self, level_nusd: Floats) -> Floats:
        """Stored energy up to which one more kWh is worth more than a level (n$, shape ``(H,)``); shape ``(H,)``."""
        return self._first_edge(self.value_nusd[:, 1:] <= level_nusd[:, None])

    def _first_edge(self, below: NDArray[np.bool_]) -> Floats:
        edge: Floats = np.min(np.where(below, self.edge_kwh, np.inf), axis=1)
        return edge


def reached(ascending: Floats, marks: Floats) -> NDArray[np.int64]:
    """How many of each row's values, ``(H, N)``, are at or under each of its marks, ``(H, M)``, by bisection."""
    passed, most = np.zeros(marks.shape, np.int64), ascending.shape[1]
    for bit in reversed(range(most.bit_length())):
        further = np.minimum(passed + (1 << bit), most)
        passed = np.where(np.take_along_axis(ascending, further - 1, axis=1) <= marks, further, passed)
    return passed


def mean_value(bank: BatteryBank, above: Floats, levels: Floats) -> StoredValue:
    """Mean slope of the scenarios' values, exactly: their steps merged, each with a K-th of its drop.

    Args:
        bank: of ``H`` homes.
        above: energy above the reserve worth at least each level, shape ``(H, K, L)``.
        levels: descending, shape ``(H, L)``.
    """
    homes, scenarios, _ = above.shape
    reserve, ceiling = bank.reserve_kwh[:, None], bank.ceiling_kwh[:, None]
    inner = (reserve[:, :, None] + above[:, :, :-1]).reshape(homes, -1)
    edges = np.concatenate([reserve, inner, ceiling], axis=1)
    drops = np.concatenate(
        [
            scenarios * (_BEYOND_NUSD - levels[:, :1]),
            np.tile(levels[:, :-1] - levels[:, 1:], (1, scenarios)),
            scenarios * (levels[:, -1:] + _BEYOND_NUSD),
        ],
        axis=1,
    )
    order = np.argsort(edges, axis=1, kind="stable")
    fallen = np.cumsum(np.take_along_axis(drops, order, axis=1), axis=1)  # whole n$: exact in any order
    value = scenarios * _BEYOND_NUSD - np.concatenate([np.zeros((homes, 1)), fallen], axis=1)
    return StoredValue(np.take_along_axis(edges, order, axis=1), value / scenarios)
