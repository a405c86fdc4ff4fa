"""Half-hourly weather of a community: made from a climate and a seed.

Temperature is a seasonal mean with a daily course, an anomaly that persists from day to day, and heat waves.  Humidity
follows from a slowly varying dew point, so it falls as temperature rises (Magnus form of Alduchov and Eskridge 1996,
doi:10.1175/1520-0450(1996)035<0601:IMFAOS>2.0.CO;2).  Irradiance is pvlib's Ineichen clear sky times the clear-sky
index of :mod:`datagen.clouds`; the Erbs model (doi:10.1016/0038-092X(82)90302-4) splits off the direct part.  Real
weather from files comes as the same :class:`Weather`, see :mod:`datagen.weather_files`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from common.clock import day_slots
from datagen.climate import DEFAULT_ZONE, Climate, climate_of
from datagen.clouds import CloudWaves, clear_index_of, cloud_waves, community_clear_index
from datagen.site import DEFAULT_SITE, STANDARD_OFFSET_SLOTS, Site, Sky, sky_of
from datagen.soiling import dusty_days
from datagen.streams import Purpose, community_stream
from datagen.timeaxis import StandardTime, persistent

__all__ = ["STANDARD_OFFSET_SLOTS", "Sky", "Weather", "make_weather", "relative_humidity_pct", "sky_of", "split_ghi"]

Floats = NDArray[np.float64]

_TEMPERATURE, _CLOUDS, _DEW_POINT, _WIND, _NEIGHBOURS = range(1, 6)
"""Keys of the community's weather streams; part of the data, never renumber."""

_DEW_POINT_SIGMA_C, _DAMP_C = 2.2, 0.8


@dataclass(frozen=True)
class Weather:
    """Weather by slot, shape ``(n,)`` each; irradiance is global horizontal, split in direct normal and diffuse.

    Attributes:
        first_slot: slot of row 0.
        temperature_c, humidity_pct, irradiance_w_m2, wind_m_s: what a home observes; means of the slot.
        direct_normal_w_m2, diffuse_w_m2: parts of the irradiance.
        sky: sun and cloudless irradiance.
        site: where this is.
        rain_mm: precipitation of the slot; None where it is not known.
        waves: how clouds differ over the neighbourhood; None for the same everywhere.
        notes: what a user should know about the data.
    """

    first_slot: int
    temperature_c: Floats
    humidity_pct: Floats
    irradiance_w_m2: Floats
    wind_m_s: Floats
    direct_normal_w_m2: Floats
    diffuse_w_m2: Floats
    sky: Sky
    site: Site = DEFAULT_SITE
    rain_mm: Floats | None = None
    waves: CloudWaves | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.temperature_c)

    @property
    def channels(self) -> NDArray[np.float32]:
        """Observed channels as a home's readings hold them, shape ``(4, n)``, order of ``common.readings.WEATHER``."""
        rows = (self.temperature_c, self.humidity_pct, self.irradiance_w_m2, self.wind_m_s)
        return np.stack(rows).astype(np.float32)

    @cached_property
    def clear_index(self) -> Floats:
        """Irradiance over that of a cloudless sky; by night that of the nearest slot by day. Shape ``(n,)``."""
        return clear_index_of(self.irradiance_w_m2, self.sky)

    @cached_property
    def dusty_days(self) -> Floats:
        """Days over which dust has built up on panels, see :mod:`datagen.soiling`; shape ``(n,)``."""
        return dusty_days(self.first_slot, self.irradiance_w_m2, self.sky.clear_ghi_w_m2, self.rain_mm)

    @cached_property
    def daylight(self) -> NDArray[np.int64]:
        """Rows in which the sun is up."""
        return np.flatnonzero(self.sky.clear_ghi_w_m2 > 0)


def make_weather(
    seed: int,
    slots: range,
    climate: Climate | None = None,
    heat_wave: date | None = None,
    clear_day: date | None = None,
) -> Weather:
    """Weather of ``slots``, a function of its arguments alone.

    Args:
        seed: of the community.
        slots: contiguous.
        climate: of the place; None for Sacramento's (zone 12).
        heat_wave: local day in the middle of a forced heat wave of six days.
        clear_day: local day whose sky is forced to be clear.
    """
    if climate is None:
        climate = climate_of(DEFAULT_ZONE)

    def stream(key: int) -> np.random.Generator:
        return community_stream(seed, Purpose.WEATHER, key)

    time, sky = StandardTime.of(slots), sky_of(slots, climate.site)
    wave_c = _heat_waves(seed, time, climate, heat_wave)
    clear_index = community_clear_index(stream(_CLOUDS), time, climate, wave_c, _rows_of(clear_day, slots))
    temperature_c = _temperature(stream(_TEMPERATURE), time, climate, wave_c, clear_index)
    dew = persistent(stream(_DEW_POINT), len(time.noons), 0.8)
    dew_c = time.by_month(climate.dew_point_c) + _DEW_POINT_SIGMA_C * time.by_day(dew)
    # Softly below the air's temperature: nights are damp more often than they are saturated.
    depression_c = _DAMP_C * np.logaddexp(0.0, (temperature_c - dew_c) / _DAMP_C)
    ghi = sky.clear_ghi_w_m2 * clear_index
    direct, diffuse = split_ghi(ghi, sky.zenith_deg, time.day_of_year)
    return Weather(
        first_slot=slots.start,
        temperature_c=temperature_c,
        humidity_pct=relative_humidity_pct(temperature_c, temperature_c - depression_c),
        irradiance_w_m2=ghi,
        wind_m_s=_wind(stream(_WIND), time, climate),
        direct_normal_w_m2=direct,
        diffuse_w_m2=diffuse,
        sky=sky,
        site=climate.site,
        waves=neighbour_clouds(seed, clear_index),
    )


def neighbour_clouds(seed: int, clear_index: Floats) -> CloudWaves:
    """How clouds differ from home to home where the community's clear-sky index is this; a function of the seed."""
    return cloud_waves(community_stream(seed, Purpose.WEATHER, _NEIGHBOURS), clear_index)


def split_ghi(ghi_w_m2: Floats, zenith_deg: Floats, day_of_year: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Direct normal and diffuse part of global horizontal irradiance, W/m2, by the Erbs model."""
    from pvlib.irradiance import erbs

    split = erbs(ghi_w_m2, zenith_deg, day_of_year)
    return np.nan_to_num(np.asarray(split["dni"], np.float64)), np.nan_to_num(np.asarray(split["dhi"], np.float64))


def relative_humidity_pct(temperature_c: Floats, dew_point_c: Floats) -> Floats:
    """Relative humidity of air at a dew point, 5 .. 100 %."""

    def vapour_pressure(celsius: Floats) -> Floats:
        return np.exp(17.625 * celsius / (243.04 + celsius))

    return np.clip(100 * vapour_pressure(dew_point_c) / vapour_pressure(temperature_c), 5.0, 100.0)


def _rows_of(day: date | None, slots: range) -> slice:
    if day is None:
        return slice(0, 0)
    of_day = day_slots(day)
    return slice(max(of_day.start - slots.start, 0), max(of_day.stop - slots.start, 0))


def _heat_waves(seed: int, time: StandardTime, climate: Climate, forced: date | None) -> Floats:
    """Temperature above normal in heat waves of 3-6 days, C: those of each season, and the forced one."""
    waves = climate.heat_waves
    events: list[tuple[float, float, float]] = []  # first day, days, peak
    for year in time.years:
        rng = community_stream(seed, Purpose.HEAT_WAVES, year)
        opening = (date(year, 1, 1) - date(1970, 1, 1)).days
        for _ in range(int(rng.integers(waves.per_year[0], waves.per_year[1] + 1))):
            first = opening + rng.uniform(waves.first_day, waves.last_day)
            events.append((first, rng.uniform(3, 6), rng.uniform(*waves.peak_c)))
    if forced is not None:
        events.append(((forced - date(1970, 1, 1)).days - 2.5, 6.0, waves.forced_peak_c))
    wave_c = np.zeros_like(time.days)
    for first, length, peak_c in events:
        ramp = np.minimum(time.days - first, first + length - time.days)
        wave_c = np.maximum(wave_c, peak_c * np.clip(ramp, 0, 1))
    return wave_c


def _temperature(
    rng: np.random.Generator, time: StandardTime, climate: Climate, wave_c: Floats, clear_index: Floats
) -> Floats:
    """Air temperature: lowest about sunrise, highest at the climate's hour; clouds flatten the daily course."""
    anomaly_c = time.by_day(persistent(rng, len(time.noons), 0.72)) * time.by_month(climate.anomaly_c)
    anomaly_c = np.where(wave_c > 0, np.maximum(anomaly_c, wave_c), anomaly_c)
    coldest = 6.4 + 0.8 * np.cos(2 * np.pi * (time.day_of_year - 10) / 365.25)
    rise_h = climate.warmest_hour - coldest
    since_coldest, since_warmest = (time.hours - coldest) % 24, (time.hours - climate.warmest_hour) % 24
    rising = since_coldest < rise_h
    phase = np.where(rising, since_coldest / rise_h, since_warmest / (24 - rise_h)) * np.pi
    course = np.where(rising, -1.0, 1.0) * np.cos(phase)
    smooth = np.convolve(np.pad(clear_index, 24, mode="edge"), np.full(49, 1 / 49), mode="valid")
    flattened = 1 + 0.5 * (smooth - time.by_month(climate.clear_sky_index))
    low_c, high_c = time.by_month(climate.low_c), time.by_month(climate.high_c)
    fluctuation_c = 0.6 * persistent(rng, len(course), 0.92)
    mean_c = (low_c + high_c + (high_c - low_c) * flattened * course) / 2
    return np.asarray(mean_c + anomaly_c + fluctuation_c, np.float64)


def _wind(rng: np.random.Generator, time: StandardTime, climate: Climate) -> Floats:
    """Wind: the monthly mean, a breeze that peaks in the afternoon and in summer, and gusts that persist for hours."""
    apart_h = (time.hours - climate.breeze_hour + 12) % 24 - 12
    breeze = np.exp(-((apart_h / 4.0) ** 2)) - 4.0 * np.sqrt(np.pi) / 24
    season = 0.75 - 0.25 * np.cos(2 * np.pi * (time.day_of_year - 15) / 365.25)
    mean = time.by_month(climate.wind_m_s) * np.maximum(1 + climate.breeze_swing * season * breeze, 0.2)
    gusts = np.exp(0.4 * persistent(rng, len(time.hours), 0.96) - 0.08)
    return np.asarray(np.minimum(mean * gusts, 18.0), np.float64)
