"""What only the evaluator of a simulation may see, where one person owns all the folders; absent in a deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.books import Books
from common.tariff import Tariff
from common.units import SLOT_HOURS, WH_PER_KWH

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Observed:
    """Readings of all homes of a run.

    Attributes:
        slots: shape ``(T,)``, ascending; at least the slots of the ledger.
        load_wh, pv_wh: shape ``(H, T)``; load is all that the home consumed, PV what its panels made; not negative.
        stored_wh: shape ``(H, T)``, stored energy at the end of each slot.
        capacity_wh: shape ``(H,)``, of the homes' batteries.
        dark: whether the grid was away, shape ``(H, T)``; None where it never was.
    """

    slots: Integers
    load_wh: Integers
    pv_wh: Integers
    stored_wh: Integers
    capacity_wh: Integers
    dark: NDArray[np.bool_] | None = None

    def at(self, slots: Integers) -> Observed:
        """The readings of ``slots`` alone.

        Raises:
            ValueError: a slot that was not observed.
        """
        columns = np.searchsorted(self.slots, slots)
        if len(slots) and (columns[-1] >= len(self.slots) or not np.array_equal(self.slots[columns], slots)):
            raise ValueError("the ledger has slots that were not observed")
        return Observed(
            slots=slots,
            load_wh=self.load_wh[:, columns],
            pv_wh=self.pv_wh[:, columns],
            stored_wh=self.stored_wh[:, columns],
            capacity_wh=self.capacity_wh,
            dark=None if self.dark is None else self.dark[:, columns],
        )


@dataclass(frozen=True)
class Bounds:
    """Costs of homes that decide in other ways, by home, in n$, the change of stored energy valued; None where unknown.

    Attributes:
        optimum_nusd: the community's perfect-foresight optimum.
        perfect_forecast_nusd: the same market and planner with a perfect forecast.
        near_nusd: the same market with a planner that looks three hours ahead and values nothing beyond.
        rule_nusd: the same market with a time-of-use rule in place of the planner.
    """

    optimum_nusd: Mapping[str, int] | None = None
    perfect_forecast_nusd: Mapping[str, int] | None = None
    near_nusd: Mapping[str, int] | None = None
    rule_nusd: Mapping[str, int] | None = None


@dataclass(frozen=True)
class PeakLoad:
    """What the community draws at its connection to the grid: imports less exports over its homes, where positive.

    Attributes:
        window_p2p_wh: energy in the tariff's peak window. day_max_p2p_wh: the most in one slot of the whole span.
        window_b1_wh, day_max_b1_wh: the same without battery or trade; None without readings.
    """

    window_p2p_wh: int
    day_max_p2p_wh: int
    window_b1_wh: int | None
    day_max_b1_wh: int | None

    @property
    def day_max_p2p_kw(self) -> float:
        """Power of the highest slot with battery and trade."""
        return self.day_max_p2p_wh / WH_PER_KWH / SLOT_HOURS

    @property
    def day_max_b1_kw(self) -> float | None:
        """Power of the highest slot without battery or trade; None without readings."""
        return None if self.day_max_b1_wh is None else self.day_max_b1_wh / WH_PER_KWH / SLOT_HOURS

    @property
    def day_max_ratio(self) -> float | None:
        """Highest slot with battery and trade over that without; above 1: a rebound peak."""
        return round(self.day_max_p2p_wh / self.day_max_b1_wh, 6) if self.day_max_b1_wh else None


def peak_load(books: Books, tariff: Tariff, observed: Observed | None) -> PeakLoad:
    """Peak load of the slots of ``books`` by the ledger; with readings and all meters also without battery or trade."""
    slots = np.sort(books.slots["slot"].to_numpy(np.int64))
    window = tariff.peak_window(slots)
    grid = books.meters.groupby("slot")[["grid_import_wh", "grid_export_wh"]].sum().reindex(slots, fill_value=0)
    drawn = np.maximum((grid["grid_import_wh"] - grid["grid_export_wh"]).to_numpy(np.int64), 0)
    baseline = None
    metered = books.meters[books.meters["estimated"] == 0]
    complete = len(metered) == len(slots) * books.meters["home_id"].nunique()
    if observed is not None and complete:  # else the two sides would be of different homes and slots
        seen = observed.at(slots)
        net = seen.load_wh - seen.pv_wh
        baseline = np.maximum((net if seen.dark is None else np.where(seen.dark, 0, net)).sum(axis=0), 0)
    return PeakLoad(
        window_p2p_wh=int(drawn[window].sum()),
        day_max_p2p_wh=int(drawn.max(initial=0)),
        window_b1_wh=None if baseline is None else int(baseline[window].sum()),
        day_max_b1_wh=None if baseline is None else int(baseline.max(initial=0)),
    )
