"""The evaluator: what only the owner of all the homes' folders can compute, from their readings and the ledger.

It exists in simulation, where one person owns everything.  A deployment has no evaluator: nobody there may read the
homes' folders, and the figures that need them are absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.books import Books
from common.clock import local_of
from common.config import BatterySpec, MarketRules
from common.readings import Readings, home_folders, read_facts, read_readings
from common.tariff import Tariff
from common.units import NUSD_PER_USD, WH_PER_KWH
from report.bounds import Community, community_optimum
from report.observed import Observed

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Homes:
    """Readings and batteries of all homes, by id."""

    readings: Mapping[str, Readings]
    batteries: Mapping[str, BatterySpec]

    @staticmethod
    def open(root: Path) -> Homes:
        """Read the homes' folders under ``root``."""
        folders = {read_facts(folder).home_id: folder for folder in home_folders(root)}
        return Homes(
            readings={home: read_readings(folder) for home, folder in folders.items()},
            batteries={home: read_facts(folder).battery for home, folder in folders.items()},
        )

    def load_and_pv_wh(self, home: str, slots: Integers) -> tuple[Integers, Integers]:
        """Load and solar energy of a home in ``slots``, Wh."""
        readings = self.readings[home]
        rows = slots - readings.first_slot
        return readings.load_wh[rows], readings.pv_wh[rows]


def observe(homes: Homes, books: Books) -> Observed:
    """Readings of the ledger's slots, and the stored energy that follows from readings and meters.

    What the meter says beyond load and solar went through the battery; each span starts at the stored energy that the
    home reported.
    """
    ids = sorted(set(books.meters["home_id"]))
    slots = np.sort(books.slots["slot"].to_numpy(np.int64))
    starts = np.unique(books.totals["day_slot"].to_numpy(np.int64))
    load, pv, stored = (np.zeros((len(ids), len(slots)), np.int64) for _ in range(3))
    for i, home in enumerate(ids):
        load[i], pv[i] = homes.load_and_pv_wh(home, slots)
        mine = books.meters[(books.meters["home_id"] == home) & (books.meters["estimated"] == 0)].set_index("slot")
        metered = (mine["import_wh"] - mine["export_wh"]).reindex(slots)
        # A slot whose meter did not come tells nothing of the battery: as if it stood still.
        battery_wh = metered.to_numpy(np.float64, na_value=np.nan) - (load[i] - pv[i])
        battery_wh = np.nan_to_num(battery_wh)
        efficiency = homes.batteries[home].one_way_efficiency
        change = np.where(battery_wh > 0, battery_wh * efficiency, battery_wh / efficiency)
        said = books.totals[books.totals["home_id"] == home].set_index("day_slot")["stored_start_wh"]
        for start, after in zip(starts, [*starts[1:], np.iinfo(np.int64).max], strict=True):
            part = (slots >= start) & (slots < after)
            stored[i, part] = np.rint(float(said.get(start, 0.0)) + np.cumsum(change[part])).astype(np.int64)
    capacity = np.array([round(homes.batteries[home].capacity_kwh * WH_PER_KWH) for home in ids], np.int64)
    return Observed(slots=slots, load_wh=load, pv_wh=pv, stored_wh=stored, capacity_wh=capacity)


def optimum_nusd(homes: Homes, books: Books, tariff: Tariff, rules: MarketRules) -> dict[str, int] | None:
    """Cost of each home in the perfect-foresight community optimum of the one span in ``books``, n$.

    None where a home did not report its totals: the optimum would be of another community than the figures.
    """
    ids = sorted(set(books.meters["home_id"]))
    if set(books.totals["home_id"]) != set(ids):
        return None
    slots = np.sort(books.slots["slot"].to_numpy(np.int64))
    net = np.stack([np.subtract(*homes.load_and_pv_wh(home, slots)) for home in ids])
    batteries = [homes.batteries[home] for home in ids]
    start = books.totals.set_index("home_id")["stored_start_wh"]
    optimum = community_optimum(
        Community(
            net_wh=net,
            import_uusd=tariff.import_uusd(slots),
            export_uusd=tariff.export_uusd(slots),
            batteries=batteries,
            stored_kwh=np.array([start[home] / WH_PER_KWH for home in ids]),
            terminal_uusd=tariff.off_peak_uusd(slots) / batteries[0].one_way_efficiency,
            day=np.array([local_of(int(slot)).toordinal() for slot in slots], np.int64),
            rules=rules,
        )
    )
    return {home: round(cost * NUSD_PER_USD) for home, cost in zip(ids, optimum.cost_usd.tolist(), strict=True)}
