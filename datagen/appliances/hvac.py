"""Heating and cooling: a house as one thermal mass behind one resistance (1R1C), a thermostat and who sets it.

    C dT/dt = (T_out - T) / R + Q_sun + Q_inside + Q_hvac

solved exactly over each slot for constant inputs, as in Bacher and Madsen 2011 (doi:10.1016/j.enbuild.2011.02.005).
Set-points and how they are used follow what RECS 2020 asks about: most homes hold one temperature,
others program a setback or switch the machine by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from common.units import SLOT_HOURS, SLOTS_PER_DAY, WH_PER_KWH
from datagen.appliances.persistent import autoregressive
from datagen.occupancy import Occupancy
from datagen.span import Span
from datagen.stock import Stock
from datagen.weather import Weather

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

STUFFY_C = 23.5
"""Indoor temperature from which windows are opened, if it is cooler outside."""
HABITS = ("hold", "program", "hand")


@dataclass(frozen=True)
class House:
    """A house, its machine, and how its people use it.

    Attributes:
        loss_kw_per_c: heat that flows per degree between inside and outside (1/R).
        mass_kwh_per_c: heat that the house stores per degree (C).
        sun_m2: irradiance (horizontal) times this is the sun's heat; lag_h: of the part through roof and walls.
        airing_kw_per_c: further flow through open windows.
        cooling_kw, heating_kw: thermal capacities; 0 kW where there is no machine.
        cooling_cop: at 35 C outside. heating_cop: at 8 C; None for a gas furnace, whose fan alone takes power.
        strip_kw: electric back-up of a heat pump, for what it cannot do by itself.
        steady: a machine of variable speed; else one that is on or off.
        swing_c: how far the temperature strays from the set-point before the machine starts.
        cool_c, heat_c: set-points while someone is in and awake.
        night_c, away_c: how far they are relaxed at night and when nobody is in.
        bed_c: cooling set-point at night against that of the day; negative for those who sleep cool.
        habit: one of :data:`HABITS`.
    """

    loss_kw_per_c: float
    mass_kwh_per_c: float
    sun_m2: float
    lag_h: float
    airing_kw_per_c: float
    cooling_kw: float
    heating_kw: float
    cooling_cop: float
    heating_cop: float | None
    strip_kw: float
    steady: bool
    swing_c: float
    cool_c: float
    heat_c: float
    night_c: float
    away_c: float
    bed_c: float
    habit: str


def draw_house(rng: np.random.Generator, people: int, stock: Stock) -> House:
    """House of a family: floor area, envelope and machine by the stock, habits by its people."""
    area_m2 = float(np.clip(120.0 + 14.0 * people, 110.0, 220.0) * rng.lognormal(0.0, 0.25))
    loss = stock.loss_w_per_m2_c * area_m2 / WH_PER_KWH * rng.lognormal(0.0, 0.22)
    heat_pump, cooled = bool(rng.random() < stock.heat_pump), bool(rng.random() < stock.cooled)
    habit = HABITS[int(rng.choice(3, p=[0.7, 0.15, 0.15]))]
    sized = rng.uniform(0.85, 1.25)
    return House(
        loss_kw_per_c=loss,
        mass_kwh_per_c=0.022 * area_m2 * rng.lognormal(0.0, 0.25),
        sun_m2=0.027 * area_m2 * rng.lognormal(0.0, 0.35),
        lag_h=rng.uniform(4.0, 12.0),
        airing_kw_per_c=loss * rng.uniform(0.3, 2.0),
        cooling_kw=(3.0 + 22.0 * loss) * sized if cooled or heat_pump else 0.0,
        heating_kw=(3.0 + 22.0 * loss) * sized if heat_pump else 12.0 + 20.0 * loss,
        cooling_cop=rng.uniform(2.7, 4.2),
        heating_cop=rng.uniform(2.5, 3.8) if heat_pump else None,
        strip_kw=float(rng.choice([0.0, 5.0], p=[0.8, 0.2])),
        steady=bool(rng.random() < 0.33),
        swing_c=rng.uniform(0.1, 0.7),
        cool_c=float(np.clip(rng.normal(24.1, 1.2), 21.5, 28.0)),
        heat_c=float(np.clip(rng.normal(20.6, 0.8), 18.0, 23.0)),
        night_c=0.0 if habit == "hold" else rng.uniform(0.0, 1.6),
        away_c=0.0 if habit == "hold" else rng.uniform(0.0, 3.5),
        bed_c=float(rng.choice([-1.2, 0.0])),
        habit=habit,
    )


def hvac_wh(
    rng: np.random.Generator, house: House, span: Span, occupancy: Occupancy, weather: Weather, inside_w: Floats
) -> Floats:
    """Electricity for cooling and heating of each slot, Wh, shape ``(n,)``.

    Args:
        rng: of the household's moods about warmth.
        house, span, occupancy, weather: the case.
        inside_w: electric power that turns to heat indoors, W, shape ``(n,)``.
    """
    cool_c, heat_c = _set_points(rng, house, span, occupancy, weather)
    people_kw = 0.07 * occupancy.present + 0.04 * occupancy.awake
    # A third of the sun's heat comes through windows at once, the rest through roof and walls, hours later.
    sun_w_m2 = (weather.irradiance_w_m2 + 2 * _lagged(weather.irradiance_w_m2, house.lag_h)) / 3
    gains_kw = people_kw + (inside_w + house.sun_m2 * sun_w_m2) / WH_PER_KWH
    outside_c = weather.temperature_c
    cooling_kw = house.cooling_kw * np.clip(1 - 0.008 * (outside_c - 35.0), 0.8, 1.2)
    heating_kw = np.full(len(span), house.heating_kw)
    if house.heating_cop is not None:
        heating_kw = house.heating_kw * np.clip(1 + 0.02 * (outside_c - 8.0), 0.55, 1.15) + house.strip_kw
    # Windows are opened in mild weather; in a hot spell they stay shut and the machine does it.
    airing = (occupancy.awake > 0) & (_trailing_mean(outside_c, 3 * SLOTS_PER_DAY) < rng.normal(20.0, 1.5))
    cool_kw, heat_kw = thermostat(house, outside_c, gains_kw, airing, (cool_c, heat_c), (cooling_kw, heating_kw))
    return _electric_kw(house, cool_kw, heat_kw, heating_kw, outside_c) * SLOT_HOURS * WH_PER_KWH


def _set_points(
    rng: np.random.Generator, house: House, span: Span, occupancy: Occupancy, weather: Weather
) -> tuple[Floats, Floats]:
    """Temperatures at which cooling and heating start in each slot; infinite while switched off."""
    wiggle_c = 0.5 * autoregressive(rng, span.days, 0.7)[span.day]
    out, asleep = occupancy.present < 1, (occupancy.present >= 1) & (occupancy.awake < 0.5)
    relaxed_c = np.where(out, house.away_c, np.where(asleep, house.night_c, 0.0))
    on_a_trip = occupancy.travelling[span.day]
    relaxed_c = np.where(on_a_trip & (house.habit != "hold"), 4.0, relaxed_c)
    cool_c = house.cool_c + wiggle_c + np.where(asleep, house.bed_c, relaxed_c)
    heat_c = house.heat_c + wiggle_c - relaxed_c
    if house.habit == "hand":
        bothers = (rng.random(span.days) < rng.uniform(0.4, 1.0))[span.day]
        by_night = rng.random() < 0.5
        on = bothers & (occupancy.awake > 0) | (asleep & by_night)
        cool_c, heat_c = np.where(on, cool_c + 0.8, np.inf), np.where(on, heat_c - 0.3, 8.0)
    # A thermostat is switched between heating and cooling by the season, not within a day.
    recent_c = _trailing_mean(weather.temperature_c, 3 * SLOTS_PER_DAY)
    turn_c = rng.normal(14.8, 1.2)
    return np.where(recent_c > turn_c + 1.5, cool_c, np.inf), np.where(recent_c < turn_c - 0.5, heat_c, 8.0)


def _lagged(values: Floats, lag_h: float) -> Floats:
    keep = float(np.exp(-SLOT_HOURS / lag_h))
    return np.asarray(lfilter([1 - keep], [1.0, -keep], values), np.float64)


def _trailing_mean(values: Floats, window: int) -> Floats:
    total = np.concatenate(([0.0], np.cumsum(values)))
    end = np.arange(1, len(values) + 1)
    begin = np.maximum(end - window, 0)
    mean: Floats = (total[end] - total[begin]) / (end - begin)
    return mean


def thermostat(
    house: House,
    outside_c: Floats,
    gains_kw: Floats,
    airing: Flags,
    set_points_c: tuple[Floats, Floats],
    capacity_kw: tuple[Floats, Floats],
) -> tuple[Floats, Floats]:
    """Mean thermal power of cooling and of heating in each slot, kW; a plain loop, since each step needs the last.

    The machine starts ``swing_c`` beyond the set-point.  One of variable speed then holds the set-point, another runs
    until it is ``swing_c`` on the other side.
    """
    keep = float(np.exp(-SLOT_HOURS * house.loss_kw_per_c / house.mass_kwh_per_c))
    aired_loss = house.loss_kw_per_c + house.airing_kw_per_c
    aired_keep = float(np.exp(-SLOT_HOURS * aired_loss / house.mass_kwh_per_c))
    c_per_kw = (1 - keep) / house.loss_kw_per_c  # change of temperature over a slot by 1 kW
    rest_c = outside_c + gains_kw / house.loss_kw_per_c
    aired_rest_c = outside_c + gains_kw / aired_loss
    columns = (rest_c, aired_rest_c, outside_c, airing, *set_points_c, *(kw * c_per_kw for kw in capacity_kw))
    cools, heats = [0.0] * len(rest_c), [0.0] * len(rest_c)
    inside_c, cooling, heating = 21.5, False, False
    swing, beyond = house.swing_c, 0.0 if house.steady else house.swing_c
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for row, (rest, aired_rest, outside, aired, cool_at, heat_at, full_cool, full_heat) in enumerate(rows):
        free = rest + (inside_c - rest) * keep
        if aired and free > STUFFY_C and outside < free - 1.0 and not cooling:
            free = max(STUFFY_C, aired_rest + (inside_c - aired_rest) * aired_keep)
        if full_cool > 0 and (free > cool_at + swing or (cooling and free > cool_at - beyond)):
            cools[row] = change = min(free - cool_at + beyond, full_cool)
            cooling, heating = house.steady or change == full_cool, False
            free -= change
        elif free < heat_at - swing or (heating and free < heat_at + beyond):
            heats[row] = change = min(heat_at + beyond - free, full_heat)
            cooling, heating = False, house.steady or change == full_heat
            free += change
        else:
            cooling = heating = False
        inside_c = free
    return np.array(cools) / c_per_kw, np.array(heats) / c_per_kw


def _electric_kw(house: House, cool_kw: Floats, heat_kw: Floats, heating_kw: Floats, outside_c: Floats) -> Floats:
    """Electric power of thermal powers."""
    cooling_cop = house.cooling_cop * np.clip(1 - 0.02 * (outside_c - 35.0), 0.75, 1.35)
    electric = cool_kw / cooling_cop
    if house.heating_cop is None:
        return electric + 0.035 * heat_kw
    strip_kw = np.clip(heat_kw - (heating_kw - house.strip_kw), 0.0, house.strip_kw)
    heating_cop = house.heating_cop * np.clip(1 + 0.022 * (outside_c - 8.0), 0.6, 1.25)
    return electric + strip_kw + (heat_kw - strip_kw) / heating_cop
