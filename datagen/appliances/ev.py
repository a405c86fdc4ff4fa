"""Electric cars: trips, plug-in habits, stays at the charger and charging without control.

A car is driven on most days, is plugged in every evening or only when its charge runs low, and charges on arrival or by
a timer after midnight, from a wall box (7.2 or 3.6 kW) or a household socket (1.4 kW).  Distances are log-normal with a
median of 45 km on workdays (National Household Travel Survey 2017, California add-on, in round figures); arrival times
follow the household's days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.car import Car, Session
from common.units import SLOT_HOURS, WH_PER_KWH
from datagen.occupancy import Occupancy
from datagen.span import Span
from datagen.stock import Stock

Floats = NDArray[np.float64]

CHARGING_EFFICIENCY = 0.9
TIMER_HOUR = 24.0


@dataclass(frozen=True)
class DrivenCar:
    """An electric car, how it is driven and how it is charged.

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


def draw_car(rng: np.random.Generator, stock: Stock) -> DrivenCar | None:
    """The car of a home, or None."""
    has_car = rng.random() < stock.car
    car = DrivenCar(
        battery_kwh=rng.uniform(45.0, 78.0),
        charger_kw=float(rng.choice([7.2, 3.6, 1.4], p=[0.6, 0.2, 0.2])),
        kwh_per_km=rng.uniform(0.16, 0.21),
        workday_km=45.0 * rng.lognormal(0.0, 0.35),
        plug_below=float(rng.choice([1.0, 0.6], p=[0.6, 0.4])),
        timer=bool(rng.random() < stock.car_timer),
    )
    return car if has_car else None


def charging(rng: np.random.Generator, span: Span, occupancy: Occupancy, stock: Stock) -> tuple[Floats, Car | None]:
    """Charging energy of each slot without control, Wh, shape ``(n,)``, and the car; zero and None without one.

    A stay that outlasts the span has the departure and the energy that it has: what lies beyond is not in the readings.
    """
    car = draw_car(rng, stock)
    if car is None:
        return np.zeros(len(span)), None
    drives = rng.random(span.days) < np.where(span.workday, 0.88, 0.65)
    median_km = np.where(span.workday, car.workday_km, 25.0)
    used_kwh = np.minimum(median_km * rng.lognormal(0.0, 0.5, span.days) * car.kwh_per_km, 0.6 * car.battery_kwh)
    used_kwh = np.where(drives & ~occupancy.travelling, used_kwh, 0.0)
    errand_back = rng.normal(17.3, 2.0, span.days)
    arrive = np.clip(np.where(occupancy.away, occupancy.back, errand_back), 10.0, 23.0)
    begin = np.full(span.days, TIMER_HOUR) if car.timer else arrive
    begin = begin + rng.uniform(0.0, 0.2, span.days)
    depart = 24.0 + np.clip(occupancy.leave - 0.3, 5.5, 10.0)

    energy, stays = np.zeros(len(span) + 96), list[tuple[int, int]]()
    full_kwh = 0.85 * car.battery_kwh
    stored_kwh = 0.7 * car.battery_kwh
    for day in range(span.days):
        stored_kwh -= used_kwh[day]
        if occupancy.travelling[day] or stored_kwh >= car.plug_below * full_kwh:
            continue
        hours = min((full_kwh - stored_kwh) / (car.charger_kw * CHARGING_EFFICIENCY), depart[day] - begin[day])
        stored_kwh += hours * car.charger_kw * CHARGING_EFFICIENCY
        row = int(span.day_row[day])
        _charge(energy, row, begin[day], hours, car.charger_kw)
        stays.append((row + int(arrive[day] / SLOT_HOURS), row + int(depart[day] / SLOT_HOURS)))
    # Where clocks go forward a morning that is an hour short may bring two charges together.
    energy = np.minimum(energy, car.charger_kw * SLOT_HOURS * WH_PER_KWH)
    sessions = _sessions(stays, np.rint(energy).astype(np.int64), span)
    return energy[: len(span)], Car(charger_kw=car.charger_kw, sessions=sessions)


def _sessions(stays: Sequence[tuple[int, int]], drawn_wh: NDArray[np.int64], span: Span) -> tuple[Session, ...]:
    """Stays in which the car draws anything, from those that begin within the span.

    Args:
        stays: rows in which the car arrives and departs, ascending.
        drawn_wh: energy of each row, whole Wh, beyond the end of the span as well.
        span: of the readings.
    """
    sessions = []
    following = [*(arrival for arrival, _ in stays[1:]), len(drawn_wh)]
    for (arrival, departure), latest in zip(stays, following, strict=False):
        # The slot in which it departs is one of the stay if it still charges then; a stay ends when the next begins.
        end = min(departure + int(drawn_wh[departure] > 0), latest)
        energy_wh = int(drawn_wh[arrival:end].sum())
        if energy_wh and arrival < len(span):
            sessions.append(Session(span.first_slot + arrival, span.first_slot + end, energy_wh))
    return tuple(sessions)


def _charge(energy_wh: Floats, day_row: int, begin_hour: float, hours: float, power_kw: float) -> None:
    """Add a charge of constant power that starts at a local hour of the day whose first row is ``day_row``."""
    start = day_row + begin_hour / SLOT_HOURS
    first, last = int(start), int(np.ceil(start + hours / SLOT_HOURS))
    edges = np.clip(np.arange(first, last + 1), start, start + hours / SLOT_HOURS)
    energy_wh[first:last] += np.diff(edges) * power_kw * SLOT_HOURS * WH_PER_KWH
