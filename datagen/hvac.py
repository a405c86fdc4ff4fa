"""Heating and cooling: a house as one thermal mass behind one resistance (1R1C), and a thermostat.

    C dT/dt = (T_out - T) / R + Q_sun + Q_inside + Q_hvac

solved exactly over each slot for constant inputs, as in Bacher and Madsen 2011 (doi:10.1016/j.enbuild.2011.02.005).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.units import SLOT_HOURS, WH_PER_KWH
from datagen.occupancy import Occupancy
from datagen.span import Span
from datagen.weather import Weather

Floats = NDArray[np.float64]

DEADBAND_C = 0.5
STUFFY_C = 23.5
"""Indoor temperature from which windows are opened, if it is cooler outside."""


@dataclass(frozen=True)
class House:
    """A house and its machine.

    Attributes:
        loss_kw_per_c: heat that flows per degree between inside and outside (1/R).
        mass_kwh_per_c: heat that the house stores per degree (C).
        window_m2: irradiance (horizontal) times this is the sun's heat.
        airing_kw_per_c: further flow through open windows.
        cooling_kw, heating_kw: thermal capacities; 0 kW where there is no machine.
        cooling_cop: at 35 C outside. heating_cop: at 8 C; None for a gas furnace, whose fan alone takes power.
        cool_c, heat_c: set-points while someone is in and awake.
        setback_c: how far they are relaxed when nobody is in.
    """

    loss_kw_per_c: float
    mass_kwh_per_c: float
    window_m2: float
    airing_kw_per_c: float
    cooling_kw: float
    heating_kw: float
    cooling_cop: float
    heating_cop: float | None
    cool_c: float
    heat_c: float
    setback_c: float


def draw_house(rng: np.random.Generator, people: int) -> House:
    """House of a Californian family: 92 % have cooling, a third of all a heat pump for heating, else gas."""
    size = float(np.clip(0.75 + 0.09 * people, 0.8, 1.3) * rng.lognormal(0.0, 0.18))
    heat_pump = bool(rng.random() < 0.33)
    cooled = bool(rng.random() < 0.92) or heat_pump
    loss = 0.22 * size * rng.lognormal(0.0, 0.2)
    return House(
        loss_kw_per_c=loss,
        mass_kwh_per_c=4.5 * size * rng.lognormal(0.0, 0.15),
        window_m2=4.2 * size * rng.lognormal(0.0, 0.2),
        airing_kw_per_c=loss * rng.uniform(0.2, 1.5),
        cooling_kw=9.5 * size if cooled else 0.0,
        heating_kw=10.0 * size,
        cooling_cop=rng.uniform(2.8, 3.8),
        heating_cop=rng.uniform(2.8, 3.6) if heat_pump else None,
        cool_c=float(np.clip(rng.normal(24.7, 0.8), 23.0, 27.0)),
        heat_c=float(np.clip(rng.normal(20.0, 0.8), 18.0, 21.5)),
        setback_c=rng.uniform(0.5, 3.5),
    )


def hvac_wh(house: House, span: Span, occupancy: Occupancy, weather: Weather) -> Floats:
    """Electricity for cooling and heating of each slot, Wh, shape ``(n,)``."""
    relaxed = np.where(occupancy.home, 0.0, house.setback_c)
    asleep = (span.hour < 6.0) | (span.hour >= 22.5)
    cool_c = house.cool_c + relaxed
    heat_c = house.heat_c - relaxed - np.where(asleep, 1.5, 0.0)
    inside_kw = 0.25 + occupancy.people * (0.05 + 0.16 * occupancy.active)
    sun_kw = house.window_m2 * weather.irradiance_w_m2 / WH_PER_KWH
    outside_c = weather.temperature_c
    cooling_kw = house.cooling_kw * np.clip(1 - 0.008 * (outside_c - 35.0), 0.8, 1.2)
    cool_kw, heat_kw = _thermostat(house, outside_c, sun_kw + inside_kw, (cool_c, heat_c), cooling_kw)

    cooling_cop = house.cooling_cop * np.clip(1 - 0.02 * (outside_c - 35.0), 0.75, 1.35)
    electric_kw = cool_kw / cooling_cop
    if house.heating_cop is None:
        electric_kw += 0.03 * heat_kw
    else:
        electric_kw += heat_kw / (house.heating_cop * np.clip(1 + 0.022 * (outside_c - 8.0), 0.6, 1.25))
    return electric_kw * SLOT_HOURS * WH_PER_KWH


def _thermostat(
    house: House, outside_c: Floats, gains_kw: Floats, set_points_c: tuple[Floats, Floats], cooling_kw: Floats
) -> tuple[Floats, Floats]:
    """Mean thermal power of cooling and of heating in each slot, kW; a plain loop, since each step needs the last."""
    keep = float(np.exp(-SLOT_HOURS * house.loss_kw_per_c / house.mass_kwh_per_c))
    aired_loss = house.loss_kw_per_c + house.airing_kw_per_c
    aired_keep = float(np.exp(-SLOT_HOURS * aired_loss / house.mass_kwh_per_c))
    c_per_kw = (1 - keep) / house.loss_kw_per_c  # change of temperature over a slot by 1 kW
    rest_c = (outside_c + gains_kw / house.loss_kw_per_c).tolist()
    aired_rest_c = (outside_c + gains_kw / aired_loss).tolist()
    full_cool_c, full_heat_c = (cooling_kw * c_per_kw).tolist(), house.heating_kw * c_per_kw
    cools, heats = [0.0] * len(rest_c), [0.0] * len(rest_c)
    inside_c, cooling, heating = 21.5, False, False
    rows = zip(rest_c, aired_rest_c, outside_c.tolist(), full_cool_c, *(s.tolist() for s in set_points_c), strict=True)
    for row, (rest, aired_rest, outside, full_cool, cool_at, heat_at) in enumerate(rows):
        free = rest + (inside_c - rest) * keep
        if free > STUFFY_C and outside < free - 1.0 and not cooling:
            free = max(STUFFY_C, aired_rest + (inside_c - aired_rest) * aired_keep)
        if free > cool_at + DEADBAND_C or (cooling and free > cool_at - DEADBAND_C):
            change = min(free - cool_at + DEADBAND_C, full_cool)
            cooling, heating = change == full_cool, False
            cools[row] = change
            free -= change
        elif free < heat_at - DEADBAND_C or (heating and free < heat_at + DEADBAND_C):
            change = min(heat_at + DEADBAND_C - free, full_heat_c)
            cooling, heating = False, change == full_heat_c
            heats[row] = change
            free += change
        else:
            cooling = heating = False
        inside_c = free
    return np.array(cools) / c_per_kw, np.array(heats) / c_per_kw
