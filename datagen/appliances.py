"""Appliances whose use follows the household: fridge, water heater, laundry and dishes, and all the rest.

Each function returns the energy of each slot in Wh, shape ``(n,)``.  Yearly sizes follow the EIA's Residential Energy
Consumption Survey 2020 and the California Residential Appliance Saturation Study 2019, in round figures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.units import SLOT_HOURS
from datagen.occupancy import Occupancy
from datagen.span import Span
from datagen.weather import Weather

Floats = NDArray[np.float64]


def fridge_wh(rng: np.random.Generator, span: Span, weather: Weather) -> Floats:
    """Refrigerator: a compressor that runs a share of each cycle of 40-70 min, more in the heat, and defrosts."""
    mean_w, running_w = rng.uniform(45.0, 95.0), rng.uniform(110.0, 170.0)
    cycle_h = rng.uniform(0.65, 1.2)
    room_c = np.clip(21.0 + 0.25 * (weather.temperature_c - 18.0), 18.0, 29.0)
    duty = np.clip(mean_w / running_w * (1 + 0.035 * (room_c - 22.0)), 0.1, 0.95)
    steps = SLOT_HOURS / cycle_h * rng.uniform(0.85, 1.15, len(span))
    phase = rng.random() + np.concatenate(([0.0], np.cumsum(steps)))
    run = np.floor(phase[:-1]) * duty + np.minimum(phase[:-1] % 1, duty)
    run_after = np.floor(phase[1:]) * duty + np.minimum(phase[1:] % 1, duty)
    defrost = np.zeros(len(span))
    every = int(rng.integers(20, 40))
    defrost[int(rng.integers(0, every)) :: every] = rng.uniform(60.0, 120.0)
    return running_w * cycle_h * (run_after - run) + defrost


def water_heater_wh(rng: np.random.Generator, span: Span, occupancy: Occupancy) -> Floats:
    """Electric water heater: draws at wake-up and in the evening refill a backlog at the heater's power.

    About half of the homes heat water with gas (none here), the rest with a resistance element or a heat pump.
    """
    kind, litres_each = rng.random(), rng.uniform(32.0, 55.0)
    power_w, coefficient = (4500.0, 0.95) if kind < 0.72 else (550.0, 3.0)
    peaks = np.exp(-(((span.hour - 7.3) / 1.2) ** 2)) + 0.8 * np.exp(-(((span.hour - 20.0) / 1.8) ** 2)) + 0.06
    weight = np.where(occupancy.home & (occupancy.active > 0), peaks, 0.0)
    per_day = np.bincount(span.day, weight, span.days)
    draws = rng.poisson(np.divide(weight, per_day[span.day], out=np.zeros_like(weight), where=weight > 0) * 12.0)
    draw_litres = draws * rng.gamma(1.5, litres_each * occupancy.people / 12.0 / 1.5, len(span))
    cold_c = 16.0 + 4.0 * np.sin(2 * np.pi * (span.month - 5) / 12)
    heat_wh = draw_litres * 1.163 * (52.0 - cold_c) + 35.0  # 1.163 Wh heats a litre by 1 C; 70 W are lost standing
    if kind < 0.55:
        return np.zeros(len(span))
    return _backlog(heat_wh / coefficient, power_w * SLOT_HOURS)


def _backlog(demand_wh: Floats, limit_wh: float) -> Floats:
    """Energy served when at most ``limit_wh`` fits a slot and the rest waits (Lindley's recursion)."""
    walk = np.cumsum(demand_wh - limit_wh)
    waiting = walk - np.minimum(np.minimum.accumulate(walk), 0.0)
    return demand_wh - np.diff(waiting, prepend=0.0)


def laundry_wh(rng: np.random.Generator, span: Span, occupancy: Occupancy) -> Floats:
    """Washer, dryer and dishwasher: runs that start while someone is up, dishes after dinner."""
    loads_a_day = 0.17 * occupancy.people + rng.uniform(0.0, 0.25)
    dryer_wh = rng.uniform(1800.0, 2800.0) if rng.random() < 0.65 else 150.0
    dishes_a_day = rng.uniform(0.2, 0.8) if rng.random() < 0.8 else 0.0
    there = ~occupancy.travelling
    energy = np.zeros(len(span) + 8)
    rate = loads_a_day * np.where(span.workday, 0.8, 1.5)
    for _ in range(2):  # at most two loads a day
        days = np.flatnonzero((rng.random(span.days) < rate / 2) & there)
        row = _start_rows(rng, span, occupancy, days)
        np.add.at(energy, row, 350.0)
        for later, share in ((2, 0.6), (3, 0.4)):
            np.add.at(energy, row + later, dryer_wh * share)
    days = np.flatnonzero((rng.random(span.days) < dishes_a_day) & there)
    hour = np.clip(rng.normal(20.2, 0.9, len(days)), 17.0, 23.0)
    row = span.day_row[days] + (2 * hour).astype(np.int64)
    for later, wh in ((0, 500.0), (1, 150.0), (2, 350.0)):
        np.add.at(energy, row + later, wh)
    return energy[: len(span)]


def _start_rows(
    rng: np.random.Generator, span: Span, occupancy: Occupancy, days: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Row of a start on each of ``days``, drawn among the slots in which someone is active."""
    weight = np.concatenate(([0.0], np.cumsum(occupancy.active + 1e-6)))
    ends = np.append(span.day_row, len(span))
    low, high = weight[ends[days]], weight[ends[days + 1]]
    picked = low + rng.random(len(days)) * (high - low)
    rows: NDArray[np.int64] = np.clip(np.searchsorted(weight, picked, side="right") - 1, 0, len(span) - 1)
    return rows


def other_wh(rng: np.random.Generator, span: Span, occupancy: Occupancy, weather: Weather) -> Floats:
    """Stand-by, lights, screens and plugs, cooking, and in some homes a pool pump."""
    n = len(span)
    standby_w = rng.uniform(120.0, 330.0)
    plugs_w = (120.0 + 110.0 * occupancy.people) * rng.lognormal(0.0, 0.3)
    lights_w = rng.uniform(120.0, 320.0)
    electric_cooking, pool = rng.random() < 0.55, rng.random() < 0.14
    dark = np.clip(1.0 - weather.irradiance_w_m2 / 120.0, 0.1, 1.0)
    mood = rng.lognormal(-0.08, 0.4, span.days)[span.day]
    power_w = standby_w + occupancy.active * mood * (plugs_w * rng.gamma(2.0, 0.5, n) + lights_w * dark)
    cook_wh = (400.0 + 350.0 * occupancy.people) * (1.0 if electric_cooking else 0.2)
    energy = power_w * SLOT_HOURS + cook_wh * _meals(rng, span, occupancy)
    pump_w, pump_hour = rng.uniform(900.0, 1500.0), rng.choice([1.0, 9.0, 11.0])
    if pool:
        length_h = np.where((span.month >= 5) & (span.month <= 9), 6.0, 3.0)
        energy += np.where((span.hour >= pump_hour) & (span.hour < pump_hour + length_h), pump_w * SLOT_HOURS, 0.0)
    return energy


def _meals(rng: np.random.Generator, span: Span, occupancy: Occupancy) -> Floats:
    """Share of a day's cooking energy in each slot."""
    energy = np.zeros(len(span) + 4)
    for hour, spread, chance, share in ((7.4, 0.7, 0.6, 0.15), (12.4, 0.6, 0.5, 0.2), (18.3, 0.8, 0.75, 0.7)):
        days = np.flatnonzero(rng.random(span.days) < chance)
        at = rng.normal(hour, spread, len(days))
        row = span.day_row[days] + (2 * at).astype(np.int64)
        size = share * rng.lognormal(-0.08, 0.4, len(days))
        np.add.at(energy, row, size * 0.6)
        np.add.at(energy, row + 1, size * 0.4)
    return np.where(occupancy.active > 0, energy[: len(span)], 0.0)
