"""Solar power of a home: the PVWatts chain (Dobos 2014, NREL/TP-6A20-62641) by pvlib.

Beyond PVWatts each home has dust on its panels (:mod:`datagen.soiling`) and the clouds of the place where it stands
(:mod:`datagen.clouds`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.units import SLOT_HOURS, SLOTS_PER_DAY, WH_PER_KWH
from datagen.clouds import OVERCAST_INDEX
from datagen.site import STANDARD_OFFSET_SLOTS
from datagen.soiling import clean_share
from datagen.weather import Weather, split_ghi

ALBEDO = 0.2
YIELD_KWH_PER_KW = 1550.0
"""Usual yearly yield in the Central Valley; used only to size a system."""
NOMINAL_EFFICIENCY = 0.96
"""Of PVWatts' inverter."""

LEAST_KW, MOST_KW = 2.5, 12.0
NEIGHBOURHOOD_KM = 3.0
"""Standard deviation of the homes' places around the middle of the community, each way."""


@dataclass(frozen=True)
class SolarSystem:
    """A roof system.

    Attributes:
        dc_kw: rated direct-current power at 1000 W/m2 and 25 C.
        ac_kw: rated power of the inverter, at which output is clipped.
        tilt_deg, azimuth_deg: of the panels; azimuth 180 is south.
        loss_fraction: shading, wiring, mismatch, age; dust is apart.
        temperature_coefficient_per_c: of the power, negative.
        soiling_per_day: share of the light that a day's dust takes.
        east_km, north_km: where the home stands, from the middle of the community.
    """

    dc_kw: float
    ac_kw: float
    tilt_deg: float
    azimuth_deg: float
    loss_fraction: float
    temperature_coefficient_per_c: float
    soiling_per_day: float = 0.0
    east_km: float = 0.0
    north_km: float = 0.0


def draw_system(rng: np.random.Generator, yearly_load_kwh: float) -> SolarSystem:
    """System of a home that uses ``yearly_load_kwh``, sized to a varying share of it.

    Sizes are those of Californian roofs: 2.5 to 12 kW, 6 to 7 in the middle (LBNL, Tracking the Sun,
    https://emp.lbl.gov/tracking-the-sun: a median of 6.4 kW among homes' systems installed in 2018).  Dust takes 0.03
    to 0.15 % a day; Kimber et al. 2006 found 0.1 to 0.2 % in California outside of the desert for large plants.
    """
    dc_kw = yearly_load_kwh * rng.uniform(0.8, 1.35) / YIELD_KWH_PER_KW * rng.lognormal(0.08, 0.2)
    dc_kw = round(float(np.clip(dc_kw, LEAST_KW, MOST_KW)) * 20) / 20
    return SolarSystem(
        dc_kw=dc_kw,
        ac_kw=dc_kw / rng.uniform(1.1, 1.25),
        tilt_deg=rng.uniform(10.0, 30.0),
        azimuth_deg=float(np.clip(rng.normal(190.0, 42.0), 80.0, 285.0)),
        loss_fraction=rng.uniform(0.06, 0.13),
        temperature_coefficient_per_c=rng.uniform(-0.0042, -0.0030),
        soiling_per_day=rng.uniform(0.0003, 0.0015),
        east_km=float(np.clip(rng.normal(0.0, NEIGHBOURHOOD_KM), -8.0, 8.0)),
        north_km=float(np.clip(rng.normal(0.0, NEIGHBOURHOOD_KM), -8.0, 8.0)),
    )


def local_irradiance(
    system: SolarSystem, weather: Weather
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Global horizontal, direct normal and diffuse irradiance at the home in daylight, W/m2; rows of ``daylight``."""
    rows = weather.daylight
    ghi, direct, diffuse = (
        column[rows] for column in (weather.irradiance_w_m2, weather.direct_normal_w_m2, weather.diffuse_w_m2)
    )
    if weather.waves is None:
        return ghi, direct, diffuse
    deviation = weather.waves.deviation(system.east_km, system.north_km)[rows]
    index = weather.clear_index[rows]
    least = np.minimum(index, OVERCAST_INDEX)
    local_index = np.clip(index + deviation, least, np.maximum(index, 1.0))
    ghi = weather.sky.clear_ghi_w_m2[rows] * local_index
    # About the day of the year: the distance of the sun varies slowly.
    day = (weather.first_slot + rows + STANDARD_OFFSET_SLOTS) // SLOTS_PER_DAY % 365.25
    direct, diffuse = split_ghi(ghi, weather.sky.zenith_deg[rows], day.astype(np.int64) + 1)
    return ghi, direct, diffuse


def solar_energy_wh(system: SolarSystem, weather: Weather) -> NDArray[np.float64]:
    """AC energy of each slot, Wh, shape ``(n,)``."""
    from pvlib import inverter, irradiance, pvsystem, temperature

    rows, sky = weather.daylight, weather.sky
    ghi, direct, diffuse = local_irradiance(system, weather)
    plane = irradiance.get_total_irradiance(
        system.tilt_deg, system.azimuth_deg, sky.zenith_deg[rows], sky.azimuth_deg[rows], direct, ghi, diffuse,
        albedo=ALBEDO,
    )["poa_global"]  # fmt: skip
    plane = np.nan_to_num(np.asarray(plane, np.float64)) * (1 - system.loss_fraction)
    plane *= clean_share(weather.dusty_days[rows], system.soiling_per_day)
    cell_c = temperature.faiman(plane, weather.temperature_c[rows], weather.wind_m_s[rows])
    dc_w = pvsystem.pvwatts_dc(plane, cell_c, system.dc_kw * WH_PER_KWH, system.temperature_coefficient_per_c)
    ac_w = np.asarray(inverter.pvwatts(dc_w, system.ac_kw * WH_PER_KWH / NOMINAL_EFFICIENCY), np.float64)
    energy_wh = np.zeros(len(weather))
    energy_wh[rows] = np.maximum(np.nan_to_num(ac_w), 0.0) * SLOT_HOURS
    return energy_wh
