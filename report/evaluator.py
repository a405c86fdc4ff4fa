"""The evaluator: what only the owner of all the homes' folders can compute, from their readings and the ledger.

It exists in simulation, where one person owns everything.  A deployment has no evaluator: nobody there may read the
homes' folders, and the figures that need them are absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.books import Books
from common.car import Car
from common.clock import local_of
from common.config import BatterySpec, MarketRules
from common.readings import Readings, home_folders, read_facts, read_readings
from common.tariff import Tariff
from common.units import NUSD_PER_USD, UUSD_PER_USD, WH_PER_KWH
from report.bounds import Community, Stay, community_optimum
from report.observed import Observed

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Homes:
    """What the folders of all homes hold, by id.

    Attributes:
        readings, batteries: of each home. outages: first and end slot of each time without grid.
        cars: of the homes whose car is charged by plan.
        charged_wh: by the homes' own diaries, what each of these cars took in a slot.
    """

    readings: Mapping[str, Readings]
    batteries: Mapping[str, BatterySpec]
    outages: Mapping[str, Sequence[tuple[int, int]]]
    cars: Mapping[str, Car]
    charged_wh: Mapping[str, Mapping[int, int]]

    @staticmethod
    def open(root: Path, diary: Callable[[Path], Mapping[int, int]] | None = None) -> Homes:
        """Read the homes' folders under ``root``.

        Args:
            root: of the folders.
            diary: gives what the car of a home's folder took, by slot; None where cars are not charged by plan.
        """
        folders = {read_facts(folder).home_id: folder for folder in home_folders(root)}
        facts = {home: read_facts(folder) for home, folder in folders.items()}
        cars = {} if diary is None else {home: fact.car for home, fact in facts.items() if fact.car is not None}
        return Homes(
            readings={home: read_readings(folder) for home, folder in folders.items()},
            batteries={home: fact.battery for home, fact in facts.items()},
            outages={home: fact.outages for home, fact in facts.items()},
            cars=cars,
            charged_wh={} if diary is None else {home: diary(folders[home]) for home in cars},
        )

    def dark(self, home: str, slots: Integers) -> NDArray[np.bool_]:
        """Whether a home's grid is away in ``slots``."""
        away = np.zeros(len(slots), np.bool_)
        for first, end in self.outages[home]:
            away |= (slots >= first) & (slots < end)
        return away

    def load_and_pv_wh(self, home: str, slots: Integers) -> tuple[Integers, Integers]:
        """Load and solar energy of a home in ``slots``, Wh."""
        readings = self.readings[home]
        rows = slots - readings.first_slot
        return readings.load_wh[rows], readings.pv_wh[rows]

    def uncontrolled_wh(self, home: str, slots: Integers) -> Integers:
        """What a car that is charged by plan would have drawn without control in ``slots``, Wh; 0 without one."""
        readings = self.readings[home]
        if home not in self.cars or readings.ev_wh is None:
            return np.zeros(len(slots), np.int64)
        return readings.ev_wh[slots - readings.first_slot]

    def car_change_wh(self, home: str, slots: Integers) -> Integers:
        """What the car took in ``slots`` beyond what it would have drawn without control, Wh."""
        diary = self.charged_wh.get(home, {})
        return np.array([diary.get(slot, 0) for slot in slots.tolist()], np.int64) - self.uncontrolled_wh(home, slots)


def observe(homes: Homes, books: Books) -> Observed:
    """Readings of the ledger's slots, and the stored energy that follows from readings and meters.

    What the meter says beyond load, car and solar went through the battery; each span starts at the stored energy that
    the home reported.  In a grid outage the battery gave and took what it could.
    """
    ids = sorted(set(books.meters["home_id"]))
    slots = np.sort(books.slots["slot"].to_numpy(np.int64))
    starts = np.unique(books.totals["day_slot"].to_numpy(np.int64))
    load, pv, stored = (np.zeros((len(ids), len(slots)), np.int64) for _ in range(3))
    dark = np.stack([homes.dark(home, slots) for home in ids]) if ids else np.zeros((0, len(slots)), np.bool_)
    meters = books.meters[books.meters["estimated"] == 0]
    metered = _table(meters.assign(net_wh=meters["import_wh"] - meters["export_wh"]), "slot", "net_wh", ids, slots)
    said = np.nan_to_num(_table(books.totals, "day_slot", "stored_start_wh", ids, starts))
    for i, home in enumerate(ids):
        load[i], pv[i] = homes.load_and_pv_wh(home, slots)
        # A slot whose meter did not come tells nothing of the battery: as if it stood still.
        battery_wh = np.nan_to_num(metered[i] - (load[i] + homes.car_change_wh(home, slots) - pv[i]))
        efficiency = homes.batteries[home].one_way_efficiency
        change = np.where(battery_wh > 0, battery_wh * efficiency, battery_wh / efficiency)
        for start_wh, start, after in zip(said[i], starts, [*starts[1:], np.iinfo(np.int64).max], strict=True):
            part = (slots >= start) & (slots < after)
            course = _course(float(start_wh), change[part], dark[i, part], homes.batteries[home])
            stored[i, part] = np.rint(course).astype(np.int64)
    capacity = np.array([round(homes.batteries[home].capacity_kwh * WH_PER_KWH) for home in ids], np.int64)
    return Observed(slots=slots, load_wh=load, pv_wh=pv, stored_wh=stored, capacity_wh=capacity, dark=dark)


def _table(frame: pd.DataFrame, columns: str, values: str, ids: list[str], at: Integers) -> NDArray[np.float64]:
    """A column of a table with a row for each home and time, shape ``(homes, times)``; NaN where there is none."""
    wide = frame.pivot(index="home_id", columns=columns, values=values)
    return wide.reindex(index=ids, columns=at).to_numpy(np.float64)


def _course(
    start_wh: float, change_wh: NDArray[np.float64], dark: NDArray[np.bool_], battery: BatterySpec
) -> NDArray[np.float64]:
    """Stored energy after each slot; in an outage the change is cut to what the battery could give or take."""
    if not dark.any():
        return start_wh + np.cumsum(change_wh)
    n = battery.one_way_efficiency
    into, out_of = (battery.max_slot_kwh * WH_PER_KWH * share for share in (n, -1.0 / n))
    course, stored = np.empty(len(change_wh)), start_wh
    ceiling_wh = battery.ceiling_kwh * WH_PER_KWH
    for t, wanted in enumerate(change_wh.tolist()):
        change = max(min(wanted, into, ceiling_wh - stored), out_of) if dark[t] else wanted
        stored = max(stored + change, 0.0)
        course[t] = stored
    return course


def optimum_nusd(homes: Homes, books: Books, tariff: Tariff, rules: MarketRules) -> dict[str, int] | None:
    """Cost of each home in the perfect-foresight community optimum of the one span in ``books``, n$.

    None where :func:`optimum_by_day` has none.
    """
    found = optimum_by_day(homes, [books], tariff, rules)
    return None if found is None else found[0]


def optimum_by_day(
    homes: Homes, days: Sequence[Books], tariff: Tariff, rules: MarketRules
) -> list[dict[str, int]] | None:
    """Cost of each home on each of ``days`` in the perfect-foresight community optimum of them all together, n$.

    The days follow each other, and stored energy goes on from one to the next, its change valued at each day's end as
    in the figures; at one price, though, the lowest of them all, where the figures have each day's.  None where a home
    did not report its totals, for the optimum would be of another community than the figures; or where the grid was
    away, which the linear program knows nothing of.
    """
    ids = sorted(set(days[0].meters["home_id"]))
    parts = [np.sort(books.slots["slot"].to_numpy(np.int64)) for books in days]
    slots = np.concatenate(parts)
    if any(set(books.totals["home_id"]) != set(ids) for books in days) or any(homes.dark(h, slots).any() for h in ids):
        return None
    car = np.stack([homes.uncontrolled_wh(home, slots) for home in ids])
    net = np.stack([np.subtract(*homes.load_and_pv_wh(home, slots)) for home in ids]) - car
    batteries = [homes.batteries[home] for home in ids]
    start = days[0].totals.set_index("home_id")["stored_start_wh"]
    off_peak = tariff.off_peak_uusd(slots)
    terminal = off_peak / np.array([battery.one_way_efficiency for battery in batteries])
    buy, sell = tariff.import_uusd(slots), tariff.export_uusd(slots)
    before = np.array([start[home] / WH_PER_KWH for home in ids])
    optimum = community_optimum(
        Community(
            net_wh=net,
            import_uusd=buy,
            export_uusd=sell,
            batteries=batteries,
            stored_kwh=before,
            terminal_uusd=terminal,
            day=np.array([local_of(int(slot)).toordinal() for slot in slots], np.int64),
            rules=rules,
            stays=[stay for number, home in enumerate(ids) for stay in _stays(homes, home, number, slots)],
            off_peak_uusd=off_peak,
        )
    )
    received = optimum.price_usd * rules.delivered_share
    spent = (optimum.import_kwh * buy - optimum.export_kwh * sell) / UUSD_PER_USD
    spent += optimum.bought_kwh * optimum.price_usd - optimum.sold_kwh * received
    spent += (car / WH_PER_KWH - optimum.car_kwh) * off_peak / UUSD_PER_USD  # what a day leaves to charge, or has ahead
    costs, at = [], 0
    for part in parts:
        after = optimum.stored_kwh[:, at + len(part) - 1]
        cost = spent[:, at : at + len(part)].sum(axis=1) - (after - before) * terminal / UUSD_PER_USD
        costs.append({home: round(usd * NUSD_PER_USD) for home, usd in zip(ids, cost.tolist(), strict=True)})
        before, at = after, at + len(part)
    return costs


def _stays(homes: Homes, home: str, number: int, slots: Integers) -> list[Stay]:
    """Stays of a home's car in ``slots``; one that began before them was charged as without control until then."""
    if home not in homes.cars:
        return []
    car, found = homes.cars[home], []
    for stay in car.sessions:
        inside = np.flatnonzero((slots >= stay.arrival_slot) & (slots < stay.departure_slot))
        if not len(inside):
            continue
        before = np.arange(max(stay.arrival_slot, homes.readings[home].first_slot), slots[inside[0]])
        need_wh = stay.energy_wh - int(homes.uncontrolled_wh(home, before).sum())
        found.append(
            Stay(
                home=number,
                first=int(inside[0]),
                end=int(inside[-1]) + 1,
                energy_kwh=need_wh / WH_PER_KWH,
                max_slot_kwh=car.max_slot_wh / WH_PER_KWH,
                leaves=stay.departure_slot <= int(slots[-1]) + 1,
            )
        )
    return found
