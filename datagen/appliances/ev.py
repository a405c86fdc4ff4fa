"""Electric cars: trips, plug-in habits and charging at home.

A car is driven on most days, is plugged in every evening or only when its charge runs low, and charges on arrival or by
a timer after midnight, from a wall box (7.2 or 3.6 kW) or a household socket (1.4 kW).  Distances are log-normal with a
median of 45 km on workdays (National Household Travel Survey 2017, California add-on, in round figures); arrival times
follow the household's days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.units import SLOT_HOURS, WH_PER_KWH
from datagen.occupancy import Occupancy
from datagen.span import Span
from datagen.stock import Stock

Floats = NDArray[np.float64]

CHARGING_EFFICIENCY = 0.9
TIMER_HOUR = 24.0


@dataclass(frozen=True)
class Car:
    """An electric car and how it is charged.

    Attributes:
        battery_kwh: usable capacity; it is charged to 85 %.
        charger_kw: AC power of the charger at home: a household socket (1.4 kW) or a wall box.
        kwh_per_km: consumption.
        workday_km: median of a workday's distance.
        plug_below: the car is plugged in when its charge is below this share; 1 is every evening.
        timer: charging starts at midnight, not on arrival.
    """

    battery_kwh: float
    charger_kw: float
    kwh_per_km: float
    workday_km: float
    plug_below: float
    timer: bool


def draw_car(rng: np.random.Generator, stock: Stock) -> Car | None:
    """The car of a home, or None."""
    has_car = rng.random() < stock.car
    car = Car(
        battery_kwh=rng.uniform(45.0, 78.0),
        charger_kw=float(rng.choice([7.2, 3.6, 1.4], p=[0.6, 0.2, 0.2])),
        kwh_per_km=rng.uniform(0.16, 0.21),
        workday_km=45.0 * rng.lognormal(0.0, 0.35),
        plug_below=float(rng.choice([1.0, 0.6], p=[0.6, 0.4])),
        timer=bool(rng.random() < stock.car_timer),
    )
    return car if has_car else None


def ev_wh(rng: np.random.Generator, span: Span, occupancy: Occupancy, stock: Stock) -> Floats:
    """Charging energy of each slot, Wh, shape ``(n,)``; zero without a car."""
    car = draw_car(rng, stock)
    if car is None:
        return np.zeros(len(span))
    drives = rng.random(span.days) < np.where(span.workday, 0.88, 0.65)
    median_km = np.where(span.workday, car.workday_km, 25.0)
    used_kwh = np.minimum(median_km * rng.lognormal(0.0, 0.5, span.days) * car.kwh_per_km, 0.6 * car.battery_kwh)
    used_kwh = np.where(drives & ~occupancy.travelling, used_kwh, 0.0)
    errand_back = rng.normal(17.3, 2.0, span.days)
    arrive = np.clip(np.where(occupancy.away, occupancy.back, errand_back), 10.0, 23.0)
    begin = np.full(span.days, TIMER_HOUR) if car.timer else arrive
    begin = begin + rng.uniform(0.0, 0.2, span.days)
    depart = 24.0 + np.clip(occupancy.leave - 0.3, 5.5, 10.0)

    energy = np.zeros(len(span) + 96)
    full_kwh = 0.85 * car.battery_kwh
    stored_kwh = 0.7 * car.battery_kwh
    for day in range(span.days):
        stored_kwh -= used_kwh[day]
        if occupancy.travelling[day] or stored_kwh >= car.plug_below * full_kwh:
            continue
        hours = min((full_kwh - stored_kwh) / (car.charger_kw * CHARGING_EFFICIENCY), depart[day] - begin[day])
        stored_kwh += hours * car.charger_kw * CHARGING_EFFICIENCY
        _charge(energy, span.day_row[day], begin[day], hours, car.charger_kw)
    return energy[: len(span)]


def _charge(energy_wh: Floats, day_row: int, begin_hour: float, hours: float, power_kw: float) -> None:
    """Add a charge of constant power that starts at a local hour of the day whose first row is ``day_row``."""
    start = day_row + begin_hour / SLOT_HOURS
    first, last = int(start), int(np.ceil(start + hours / SLOT_HOURS))
    edges = np.clip(np.arange(first, last + 1), start, start + hours / SLOT_HOURS)
    energy_wh[first:last] += np.diff(edges) * power_kw * SLOT_HOURS * WH_PER_KWH
