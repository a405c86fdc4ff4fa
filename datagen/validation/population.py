"""Homes to compare, as arrays on a common axis: the same calendar days and the same resolution for both sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from common.clock import day_slots, local_calendar, local_of
from common.errors import UserError
from common.readings import HomeFacts, Readings
from common.units import SLOT_HOURS, SLOTS_PER_DAY, WH_PER_KWH
from datagen.household import generate_home
from datagen.imported import FAULTY_SHARE, dead_share, public_source
from datagen.importers import importer_for
from datagen.stock import CALIFORNIA, Stock
from datagen.weather import Weather

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Home = tuple[HomeFacts, Readings]

LEAST_DAYS = 28


@dataclass(frozen=True)
class Axis:
    """Local calendar of ``n`` contiguous steps that cover ``d`` whole local days.

    Attributes:
        slots: half-hours that the steps cover.
        step_slots: half-hours a step, 1 or 2.
        hour: local hour of the start of each step, 0.0 .. 23.5; shape ``(n,)``.
        day: row of each step in the arrays by day; shape ``(n,)``.
        month, weekday, holiday: 1..12, 0 (Monday) .. 6, 0 or 1; shape ``(n,)``.
    """

    slots: range
    step_slots: int
    hour: Floats
    day: Ints
    month: Ints
    weekday: Ints
    holiday: Ints

    @staticmethod
    def of(slots: range, step_slots: int) -> Axis:
        """Calendar of ``slots``, which begin and end at a local midnight."""
        calendar = local_calendar(np.arange(slots.start, slots.stop, step_slots))
        new_day = np.diff(calendar.day_of_year, prepend=calendar.day_of_year[0]) != 0
        return Axis(
            slots, step_slots, calendar.half_hour / 2, np.cumsum(new_day), calendar.month, calendar.weekday,
            calendar.holiday,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.hour)

    @property
    def step_hours(self) -> float:
        """Hours a step."""
        return self.step_slots * SLOT_HOURS

    @property
    def day_steps(self) -> int:
        """Steps of a day without a clock change."""
        return SLOTS_PER_DAY // self.step_slots

    @cached_property
    def workday(self) -> NDArray[np.bool_]:
        """Monday to Friday and no public holiday; shape ``(n,)``."""
        return np.asarray((self.weekday < 5) & (self.holiday == 0))

    @cached_property
    def ordinary_days(self) -> Ints:
        """Steps of each day on which the clocks do not change; shape ``(days, day_steps)``."""
        starts = np.flatnonzero(np.diff(self.day, prepend=-1) != 0)
        whole = np.diff(np.append(starts, len(self))) == self.day_steps
        return starts[whole, None] + np.arange(self.day_steps)


@dataclass(frozen=True)
class Population:
    """``h`` homes over ``n`` steps.

    Attributes:
        name: ``real`` or ``generated``, for people.
        axis: the steps.
        home_ids: names of the homes.
        load_kwh: energy of each step, NaN where nothing was metered; shape ``(h, n)``.
        pv_kwh: solar energy of each step, all zero without solar, NaN where not metered; shape ``(h, n)``.
        pv_kw: rated solar power, 0 without solar; shape ``(h,)``.
    """

    name: str
    axis: Axis
    home_ids: tuple[str, ...]
    load_kwh: Floats
    pv_kwh: Floats
    pv_kw: Floats

    def __len__(self) -> int:
        return len(self.home_ids)

    @cached_property
    def mean_kwh(self) -> Floats:
        """Mean energy of a metered step; shape ``(h,)``."""
        means: Floats = np.nanmean(self.load_kwh, axis=1)
        return means

    @cached_property
    def days_kwh(self) -> Floats:
        """Load by ordinary day; shape ``(h, days, day_steps)``, NaN where not metered."""
        days: Floats = self.load_kwh[:, self.axis.ordinary_days]
        return days

    def take(self, homes: Ints) -> Population:
        """The homes of the given rows."""
        ids = tuple(self.home_ids[int(row)] for row in homes)
        return Population(self.name, self.axis, ids, self.load_kwh[homes], self.pv_kwh[homes], self.pv_kw[homes])


def stack(name: str, homes: Sequence[Home], axis: Axis) -> Population:
    """Population of ``homes``, whose readings cover ``axis.slots``.

    A step counts as metered where its slots are and where it holds at least 1 Wh: a home with a fridge and stand-by
    loads never takes nothing for long, so a zero is the meter's;
    unless it exports, when a net meter shows no import.
    """
    load, pv = (np.empty((len(homes), len(axis))) for _ in range(2))
    for row, (_, readings) in enumerate(homes):
        window = slice(axis.slots.start - readings.first_slot, axis.slots.stop - readings.first_slot)
        load_wh = readings.load_wh[window].reshape(-1, axis.step_slots).sum(axis=1)
        pv_wh = readings.pv_wh[window].reshape(-1, axis.step_slots).sum(axis=1)
        metered = (load_wh >= 1) | (pv_wh > 0)
        if readings.metered is not None:
            metered &= readings.metered[window].reshape(-1, axis.step_slots).all(axis=1)
        load[row] = np.where(metered, load_wh / WH_PER_KWH, np.nan)
        pv[row] = np.where(metered, pv_wh / WH_PER_KWH, np.nan)
    ids = tuple(facts.home_id for facts, _ in homes)
    return Population(name, axis, ids, load, pv, np.array([facts.pv_kw for facts, _ in homes]))


def real_population(source: str) -> tuple[Population, str, list[str]]:
    """Real homes of a source with a working meter, at the resolution of the coarsest; their source; what was left out.

    Raises:
        UserError: an unknown format, bad data, no sound home, or fewer than four weeks.
    """
    importer = importer_for(source)
    imported = importer.load(source)
    notes = list(imported.warnings)
    sound: list[Home] = []
    for facts, readings in imported.homes:
        dead = dead_share(readings)
        if dead > FAULTY_SHARE:
            notes.append(f"{facts.home_id}: {dead:.0%} of its hours read zero; left out")
        else:
            sound.append((facts, readings))
    if not sound:
        raise UserError(f"{source}: no home has a working meter, so there is nothing to compare with")
    slots = whole_days([readings for _, readings in sound])
    if len(slots) < LEAST_DAYS * SLOTS_PER_DAY:
        raise UserError(f"{source}: the homes share less than {LEAST_DAYS} whole days; too few to compare with")
    axis = Axis.of(slots, max(facts.resolution_slots for facts, _ in sound))
    return stack("real", sound, axis), public_source(importer, sound), notes


def whole_days(readings: Sequence[Readings]) -> range:
    """Slots of the local days that all homes cover whole; empty where there is none."""
    first_slot, end_slot = max(r.first_slot for r in readings), min(r.end_slot for r in readings)
    first: date = local_of(first_slot).date()
    if day_slots(first).start < first_slot:
        first += timedelta(days=1)
    return range(day_slots(first).start, day_slots(local_of(end_slot).date()).start)


def generated_population(
    axis: Axis,
    count: int,
    seed: int,
    weather: Weather,
    solar: bool,
    stock: Stock = CALIFORNIA,
    progress: Callable[[int, int], None] | None = None,
) -> Population:
    """The generator's homes 0 .. ``count - 1`` on ``axis``.

    Args:
        axis: of the real homes.
        count: number of homes.
        seed: of the community.
        weather: of ``axis.slots``.
        solar: whether every home gets panels; their load does not depend on it.
        stock: what the homes are made of.
        progress: told after each home.
    """
    homes = []
    for index in range(count):
        homes.append(generate_home(index, seed, axis.slots, weather, solar, stock))
        if progress is not None:
            progress(index + 1, count)
    return stack("generated", homes, axis)
