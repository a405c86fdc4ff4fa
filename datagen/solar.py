"""Solar power of a home: the PVWatts chain (Dobos 2014, NREL/TP-6A20-62641) by pvlib."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.units import SLOT_HOURS, WH_PER_KWH
from datagen.weather import Weather

ALBEDO = 0.2
YIELD_KWH_PER_KW = 1550.0
"""Usual yearly yield in the Central Valley; used only to size a system."""


@dataclass(frozen=True)
class SolarSystem:
    """A roof system.

    Attributes:
        dc_kw: rated direct-current power at 1000 W/m2 and 25 C.
        ac_kw: rated power of the inverter, at which output is clipped.
        tilt_deg, azimuth_deg: of the panels; azimuth 180 is south.
        loss_fraction: soiling, shading, wiring, mismatch, age.
        temperature_coefficient_per_c: of the power, negative.
    """

    dc_kw: float
    ac_kw: float
    tilt_deg: float
    azimuth_deg: float
    loss_fraction: float
    temperature_coefficient_per_c: float


def draw_system(rng: np.random.Generator, yearly_load_kwh: float) -> SolarSystem:
    """System of a home that uses ``yearly_load_kwh``: sized to 60-100 % of it, 3.5 to 8 kW."""
    dc_kw = float(np.clip(yearly_load_kwh * rng.uniform(0.6, 1.0) / YIELD_KWH_PER_KW, 3.5, 8.0))
    dc_kw = round(dc_kw * 20) / 20
    return SolarSystem(
        dc_kw=dc_kw,
        ac_kw=dc_kw / rng.uniform(1.1, 1.25),
        tilt_deg=rng.uniform(14.0, 27.0),
        azimuth_deg=float(np.clip(rng.normal(190.0, 40.0), 95.0, 275.0)),
        loss_fraction=rng.uniform(0.08, 0.16),
        temperature_coefficient_per_c=rng.uniform(-0.0042, -0.0030),
    )


def solar_energy_wh(system: SolarSystem, weather: Weather) -> NDArray[np.float64]:
    """AC energy of each slot, Wh, shape ``(n,)``."""
    from pvlib import inverter, irradiance, pvsystem, temperature

    sky = weather.sky
    plane = irradiance.get_total_irradiance(
        system.tilt_deg, system.azimuth_deg, sky.zenith_deg, sky.azimuth_deg,
        weather.direct_normal_w_m2, weather.irradiance_w_m2, weather.diffuse_w_m2, albedo=ALBEDO,
    )["poa_global"]  # fmt: skip
    plane = np.nan_to_num(np.asarray(plane, np.float64)) * (1 - system.loss_fraction)
    cell_c = temperature.faiman(plane, weather.temperature_c, weather.wind_m_s)
    dc_w = pvsystem.pvwatts_dc(plane, cell_c, system.dc_kw * WH_PER_KWH, system.temperature_coefficient_per_c)
    rated_dc_w = system.ac_kw * WH_PER_KWH / 0.96  # PVWatts' nominal inverter efficiency
    ac_w = np.asarray(inverter.pvwatts(dc_w, rated_dc_w), np.float64)
    energy_wh = np.maximum(np.nan_to_num(ac_w), 0.0) * SLOT_HOURS
    return np.where(sky.clear_ghi_w_m2 > 0, energy_wh, 0.0)
