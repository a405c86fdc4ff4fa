"""Half-hourly weather of a community: a Sacramento-Valley-like climate made from a seed.

Temperature is a seasonal mean with a daily course, an anomaly that persists from day to day, and heat waves.  Humidity
follows from a slowly varying dew point, so it falls as temperature rises (Magnus form of Alduchov and Eskridge 1996,
doi:10.1175/1520-0450(1996)035<0601:IMFAOS>2.0.CO;2).  Irradiance is pvlib's Ineichen clear sky times a clear-sky index
that persists over hours and days; the Erbs model (doi:10.1016/0038-092X(82)90302-4) splits off the direct part.
Monthly figures are about those of Sacramento (NOAA climate normals 1991-2020, rounded).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import lfilter

from common.clock import day_slots
from common.units import SLOT_SECONDS, SLOTS_PER_DAY
from datagen.streams import Purpose, community_stream

Floats = NDArray[np.float64]

LATITUDE_DEG, LONGITUDE_DEG, ALTITUDE_M = 38.5, -121.5, 10.0
LINKE_TURBIDITY = 3.5
STANDARD_OFFSET_SLOTS = -16
"""Pacific Standard Time, UTC-8: the sun keeps it all year."""

_LOW_C = (4.0, 5.8, 7.3, 8.7, 11.5, 13.9, 15.2, 15.1, 13.9, 10.6, 6.6, 4.1)
_HIGH_C = (13.3, 16.2, 19.0, 22.1, 26.7, 30.8, 33.7, 33.3, 31.2, 25.9, 18.4, 13.4)
_DEW_POINT_C = (4.5, 5.5, 6.0, 6.5, 8.5, 10.5, 12.5, 12.5, 10.5, 7.5, 6.0, 4.5)
_ANOMALY_C = (2.5, 2.6, 2.9, 3.2, 3.4, 3.3, 2.6, 2.5, 2.9, 2.9, 2.6, 2.5)
_CLEARNESS = (-0.1, 0.4, 0.8, 1.4, 2.1, 2.9, 3.5, 3.4, 3.0, 2.0, 0.6, -0.1)
"""Mean of the latent clearness by month; see :func:`_clear_sky_index`."""


@dataclass(frozen=True)
class Sky:
    """Sun and cloudless irradiance in the middle of each slot; shape ``(n,)`` each, angles in degrees, W/m2."""

    zenith_deg: Floats
    azimuth_deg: Floats
    clear_ghi_w_m2: Floats


@dataclass(frozen=True)
class Weather:
    """Weather by slot, shape ``(n,)`` each; irradiance is global horizontal, split in direct normal and diffuse."""

    first_slot: int
    temperature_c: Floats
    humidity_pct: Floats
    irradiance_w_m2: Floats
    wind_m_s: Floats
    direct_normal_w_m2: Floats
    diffuse_w_m2: Floats
    sky: Sky

    def __len__(self) -> int:
        return len(self.temperature_c)

    @property
    def channels(self) -> NDArray[np.float32]:
        """Observed channels as a home's readings hold them, shape ``(4, n)``, order of ``common.readings.WEATHER``."""
        rows = (self.temperature_c, self.humidity_pct, self.irradiance_w_m2, self.wind_m_s)
        return np.stack(rows).astype(np.float32)


def sky_of(slots: range) -> Sky:
    """Solar position (NREL SPA) and Ineichen clear sky of ``slots``, by pvlib."""
    from pvlib.location import Location

    middle = (np.arange(slots.start, slots.stop) * 2 + 1) * (SLOT_SECONDS // 2)
    times = pd.DatetimeIndex(pd.to_datetime(middle, unit="s", utc=True))
    site = Location(LATITUDE_DEG, LONGITUDE_DEG, altitude=ALTITUDE_M)
    position = site.get_solarposition(times)
    clear = site.get_clearsky(times, solar_position=position, linke_turbidity=LINKE_TURBIDITY)
    return Sky(
        position["apparent_zenith"].to_numpy(), position["azimuth"].to_numpy(), clear["ghi"].to_numpy(np.float64)
    )


def make_weather(seed: int, slots: range, heat_wave: date | None = None, clear_day: date | None = None) -> Weather:
    """Weather of ``slots``.

    Args:
        seed: of the community.
        slots: contiguous.
        heat_wave: local day in the middle of a forced heat wave of six days.
        clear_day: local day whose sky is forced to be clear.
    """
    from pvlib.irradiance import erbs

    rng = community_stream(seed, Purpose.WEATHER)
    time = _Time.of(slots)
    sky = sky_of(slots)
    anomaly_c = np.interp(time.days, time.noons, _persistent(rng, len(time.noons), 0.72)) * time.by_month(_ANOMALY_C)
    wave_c = _heat_waves(seed, time, heat_wave)
    clear_index = _clear_sky_index(rng, time, wave_c, _slots_of(clear_day, slots))
    anomaly_c = np.where(wave_c > 0, np.maximum(anomaly_c, wave_c), anomaly_c)
    temperature_c = _temperature(rng, time, anomaly_c, clear_index)
    dew_c = time.by_month(_DEW_POINT_C) + 2.2 * np.interp(time.days, time.noons, _persistent(rng, len(time.noons), 0.8))
    ghi = sky.clear_ghi_w_m2 * clear_index
    split = erbs(ghi, sky.zenith_deg, time.day_of_year)
    evening = np.exp(-(((time.hours - 18.5) / 4.0) ** 2))  # the delta breeze
    wind_m_s = (2.0 + 1.8 * evening) * np.exp(0.4 * _persistent(rng, len(time.hours), 0.96))
    return Weather(
        first_slot=slots.start,
        temperature_c=temperature_c,
        humidity_pct=relative_humidity_pct(temperature_c, np.minimum(dew_c, temperature_c)),
        irradiance_w_m2=ghi,
        wind_m_s=np.minimum(wind_m_s, 18.0),
        direct_normal_w_m2=np.nan_to_num(np.asarray(split["dni"])),
        diffuse_w_m2=np.nan_to_num(np.asarray(split["dhi"])),
        sky=sky,
    )


def relative_humidity_pct(temperature_c: Floats, dew_point_c: Floats) -> Floats:
    """Relative humidity of air at a dew point, 5 .. 100 %."""

    def vapour_pressure(celsius: Floats) -> Floats:
        return np.exp(17.625 * celsius / (243.04 + celsius))

    return np.clip(100 * vapour_pressure(dew_point_c) / vapour_pressure(temperature_c), 5.0, 100.0)


@dataclass(frozen=True)
class _Time:
    """Standard-time axis: fractional days since the epoch, hour of day, noon of each day, day of year."""

    days: Floats
    hours: Floats
    noons: Floats
    day_of_year: NDArray[np.int64]
    years: range

    @staticmethod
    def of(slots: range) -> _Time:
        standard = np.arange(slots.start, slots.stop) + STANDARD_OFFSET_SLOTS
        first, last = slots.start // SLOTS_PER_DAY - 2, slots.stop // SLOTS_PER_DAY + 2
        index = pd.DatetimeIndex(pd.to_datetime(standard * SLOT_SECONDS, unit="s"))
        return _Time(
            days=standard / SLOTS_PER_DAY,
            hours=(standard % SLOTS_PER_DAY) / 2,
            noons=np.arange(first, last, dtype=np.float64) + 0.5,
            day_of_year=np.asarray(index.day_of_year, np.int64),
            years=range(index[0].year, index[-1].year + 1),
        )

    def by_month(self, values: tuple[float, ...]) -> Floats:
        """Monthly values, interpolated between the middles of the months."""
        return np.interp(self.day_of_year, np.arange(12) * 30.44 + 15.5, values, period=365.25)


def _persistent(rng: np.random.Generator, size: int, correlation: float) -> Floats:
    """First-order autoregressive series with mean 0 and variance 1."""
    noise = rng.standard_normal(size)
    noise[1:] *= np.sqrt(1 - correlation**2)
    return np.asarray(lfilter([1.0], [1.0, -correlation], noise), np.float64)


def _slots_of(day: date | None, slots: range) -> slice:
    if day is None:
        return slice(0, 0)
    of_day = day_slots(day)
    return slice(max(of_day.start - slots.start, 0), max(of_day.stop - slots.start, 0))


def _heat_waves(seed: int, time: _Time, forced: date | None) -> Floats:
    """Temperature above normal in heat waves, C: three to five of 3-6 days each summer, and the forced one."""
    events: list[tuple[float, float, float]] = []  # first day, days, peak
    for year in time.years:
        rng = community_stream(seed, Purpose.HEAT_WAVES, year)
        opening = (date(year, 6, 1) - date(1970, 1, 1)).days
        for _ in range(int(rng.integers(3, 6))):
            events.append((opening + rng.uniform(0, 115), rng.uniform(3, 6), rng.uniform(5.5, 8.5)))
    if forced is not None:
        events.append(((forced - date(1970, 1, 1)).days - 2.5, 6.0, 9.0))
    wave_c = np.zeros_like(time.days)
    for first, length, peak_c in events:
        ramp = np.minimum(time.days - first, first + length - time.days)
        wave_c = np.maximum(wave_c, peak_c * np.clip(ramp, 0, 1))
    return wave_c


def _clear_sky_index(rng: np.random.Generator, time: _Time, wave_c: Floats, forced_clear: slice) -> Floats:
    """Irradiance over that of a clear sky: a logistic map of a latent series with daily and hourly persistence."""
    by_day = np.interp(time.days, time.noons, _persistent(rng, len(time.noons), 0.55))
    within_day = _persistent(rng, len(time.days), 0.85)
    latent = time.by_month(_CLEARNESS) + 1.3 * by_day + 0.8 * within_day + 0.3 * wave_c
    latent[forced_clear] = 4.0 + 0.2 * within_day[forced_clear]
    return np.minimum(0.15 + 0.87 / (1 + np.exp(-latent)), 1.0)


def _temperature(rng: np.random.Generator, time: _Time, anomaly_c: Floats, clear_index: Floats) -> Floats:
    """Air temperature: lowest at 5:30, highest at 15:30 standard time; clouds flatten the daily course."""
    rising = (time.hours >= 5.5) & (time.hours < 15.5)
    since_high = np.where(time.hours >= 15.5, time.hours - 15.5, time.hours + 8.5)
    course = np.where(rising, -np.cos(np.pi * (time.hours - 5.5) / 10.0), np.cos(np.pi * since_high / 14.0))
    low_c, high_c = time.by_month(_LOW_C), time.by_month(_HIGH_C)
    smooth = np.convolve(np.pad(clear_index, 24, mode="edge"), np.full(49, 1 / 49), mode="valid")
    half_range_c = (high_c - low_c) / 2 * (0.62 + 0.42 * smooth)
    return (low_c + high_c) / 2 + half_range_c * course + anomaly_c + 0.5 * _persistent(rng, len(course), 0.92)
