"""Clouds: the clear-sky index of a community, and how it differs from home to home.

The clear-sky index is irradiance over that of a cloudless sky.  Two things lower it: clouds that persist over hours and
days (a logistic map of a latent series), and on the coast the marine layer, stratus that covers the morning and burns
off.  The latent mean is chosen so that the monthly mean index is the climate's.

Homes of a neighbourhood see nearly the same clouds.  Their differences are a random field: plane waves whose amplitudes
drift in time, so that a home's share depends on where it stands and on nothing else.  The differences of two homes at a
distance d correlate by about exp(-d / 4 km): the form exp(-d / (v t / 2)) of the wavelet variability model (Lave and
Kleissl 2013, Solar Energy 91, 11-21; ``pvlib.scaling``) for fluctuations of a half-hour under slow clouds, v = 4.4 m/s.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from datagen.climate import Climate
from datagen.site import Sky
from datagen.timeaxis import StandardTime, persistent

Floats = NDArray[np.float64]

OVERCAST_INDEX = 0.15
"""Clear-sky index under the thickest clouds."""
STRATUS_INDEX = 0.40
_DAY_SIGMA, _HOUR_SIGMA = 2.0, 1.0
_DAY_CORRELATION, _HOUR_CORRELATION = 0.5, 0.82
_BURN_OFF_SIGMA_H = 1.4

WAVES = 16
CORRELATION_LENGTH_KM = 4.0
_WAVE_CORRELATION = 0.6
_HOME_SIGMA = 0.13
"""Standard deviation of a home's clear-sky index around the community's under half-broken clouds."""


@dataclass(frozen=True)
class CloudWaves:
    """Deviation of the clear-sky index over the neighbourhood: ``k`` plane waves by ``n`` slots.

    Attributes:
        east_rad_per_km, north_rad_per_km: wave vectors; shape ``(k,)``.
        cosine, sine: amplitudes; shape ``(k, n)`` each.
    """

    east_rad_per_km: Floats
    north_rad_per_km: Floats
    cosine: NDArray[np.float32]
    sine: NDArray[np.float32]

    def deviation(self, east_km: float, north_km: float) -> NDArray[np.float32]:
        """What the clear-sky index at a place differs by from the community's; shape ``(n,)``."""
        phase = self.east_rad_per_km * east_km + self.north_rad_per_km * north_km
        at_place: NDArray[np.float32] = np.cos(phase).astype(np.float32) @ self.cosine
        return at_place + np.sin(phase).astype(np.float32) @ self.sine


def cloud_waves(rng: np.random.Generator, clear_index: Floats) -> CloudWaves:
    """Differences within a neighbourhood: none under a clear or an overcast sky, most under broken clouds.

    Args:
        rng: of the community's clouds.
        clear_index: of the community; shape ``(n,)``.
    """
    # Wave numbers whose isotropic correlation is exp(-d / L) in the plane: a density k / (k^2 + 1/L^2)^(3/2).
    quantile = np.minimum((np.arange(WAVES) + rng.random(WAVES)) / WAVES, 0.98)
    number = np.sqrt(1 / (1 - quantile) ** 2 - 1) / CORRELATION_LENGTH_KM
    heading = (rng.permutation(WAVES) + rng.random(WAVES)) * np.pi / WAVES
    cover = np.clip((1.0 - clear_index) / (1.0 - OVERCAST_INDEX), 0.0, 1.0)
    amplitude = 4 * cover * (1 - cover) * _HOME_SIGMA / np.sqrt(WAVES)
    cosine, sine = (persistent(rng, (WAVES, len(clear_index)), _WAVE_CORRELATION) * amplitude for _ in range(2))
    return CloudWaves(
        number * np.cos(heading), number * np.sin(heading), cosine.astype(np.float32), sine.astype(np.float32)
    )


def community_clear_index(
    rng: np.random.Generator, time: StandardTime, climate: Climate, wave_c: Floats, forced_clear: slice
) -> Floats:
    """Clear-sky index of the community; shape ``(n,)``.

    Args:
        rng: of the community's clouds.
        time: axis of the slots.
        climate: whose monthly means it keeps.
        wave_c: temperature above normal in heat waves, which come with clear skies.
        forced_clear: rows whose sky is to be clear.
    """
    mornings = np.array([_hidden_share(climate, month) for month in range(12)])
    share = np.array(climate.marine_layer)
    wanted = np.array(climate.clear_sky_index) / (1 - share * mornings * (1 - STRATUS_INDEX))
    top = np.maximum(1.0, wanted + 0.02)  # a table of turbidity may call a clear sky dimmer than it is
    latent_mean = [_latent_mean(float(mean), float(most)) for mean, most in zip(wanted, top, strict=True)]

    within_day = persistent(rng, len(time.days), _HOUR_CORRELATION)
    by_day = time.by_day(persistent(rng, len(time.noons), _DAY_CORRELATION))
    latent = time.by_month(tuple(latent_mean)) + _DAY_SIGMA * by_day + _HOUR_SIGMA * within_day + 0.3 * wave_c
    cover = _marine_cover(rng, time, climate, wave_c)
    latent[forced_clear] = 5.0 + 0.2 * within_day[forced_clear]
    cover[forced_clear] = 0.0
    most = time.by_month(tuple(top))
    above = _index(latent, most)
    return np.asarray(above * (1 - cover * (1 - STRATUS_INDEX)), np.float64)


def clear_index_of(ghi_w_m2: Floats, sky: Sky) -> Floats:
    """Clear-sky index of observed irradiance; where the sun is low, that of the nearest slot by day. Shape ``(n,)``."""
    high = np.flatnonzero(sky.clear_ghi_w_m2 > 30.0)
    if not len(high):
        return np.ones_like(ghi_w_m2)
    index = np.clip(ghi_w_m2[high] / sky.clear_ghi_w_m2[high], 0.0, 1.2)
    return np.interp(np.arange(len(ghi_w_m2)), high, index)


def _index(latent: Floats, most: Floats | float) -> Floats:
    return np.asarray(np.minimum(OVERCAST_INDEX + (most + 0.02 - OVERCAST_INDEX) * expit(latent), most), np.float64)


def _marine_cover(rng: np.random.Generator, time: StandardTime, climate: Climate, wave_c: Floats) -> Floats:
    """Share of the sky under stratus, 0..1: from midnight to the burn-off on mornings that have it."""
    luck = ndtr(persistent(rng, len(time.noons), 0.6))
    burn_off = climate.burn_off_hour + _BURN_OFF_SIGMA_H * rng.standard_normal(len(time.noons))
    day = np.searchsorted(time.noons, np.floor(time.days) + 0.5)
    chance = time.by_month(climate.marine_layer) * (1 - np.clip(wave_c / 4.0, 0.0, 1.0))
    grey = luck[day] < chance
    return np.asarray(np.where(grey, expit((burn_off[day] - time.hours - 0.25) / 0.4), 0.0), np.float64)


def _hidden_share(climate: Climate, month: int) -> float:
    """Mean share of a day's cloudless irradiation that falls before the burn-off, for a half-sine of irradiance."""
    declination = np.radians(23.45 * np.sin(2 * np.pi * (30.44 * month + 15.5 - 81) / 365))
    latitude = np.radians(climate.site.latitude_deg)
    half_day_h = np.degrees(np.arccos(-np.tan(latitude) * np.tan(declination))) / 15.0
    noon_h = 12.0 - (climate.site.longitude_deg + 120.0) / 15.0
    burn_off = climate.burn_off_hour + _BURN_OFF_SIGMA_H * np.linspace(-2.2, 2.2, 45)
    weight = np.exp(-(np.linspace(-2.2, 2.2, 45) ** 2) / 2)
    angle = np.clip((burn_off - noon_h) / half_day_h, -1.0, 1.0) * np.pi / 2
    # The integral of cos^1.3, between those of cos and of cos^2.
    before = 0.7 * (1 + np.sin(angle)) / 2 + 0.3 * (0.5 + angle / np.pi + np.sin(2 * angle) / (2 * np.pi))
    return float((weight * before).sum() / weight.sum())


@lru_cache(maxsize=512)
def _latent_mean(wanted: float, most: float) -> float:
    """Mean of the latent series under which the index has the mean ``wanted``."""
    sigma = float(np.hypot(_DAY_SIGMA * np.sqrt(2 / 3 + _DAY_CORRELATION / 3), _HOUR_SIGMA))
    z = np.linspace(-3.5, 3.5, 141)
    weight = np.exp(-(z**2) / 2)
    latent = np.linspace(-5.0, 8.0, 261)
    mean = (_index(latent[:, None] + sigma * z, most) * weight).sum(axis=1) / weight.sum()
    return float(np.interp(wanted, mean, latent))
