"""Weather forecasts as they would have been issued: what is going to happen plus an error that grows with lead.

Errors are drawn anew for each issue and are correlated along the leads, of a size that is usual for numerical weather
prediction at a site: temperature RMSE 0.6 C after an hour, 1.8 C after a day, 2.5 C after two to three.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from common.readings import FORECAST_LEAD_HOURS, WEATHER, WeatherForecast
from datagen.streams import Purpose, community_stream
from datagen.weather import Weather

ISSUE_EVERY_SLOTS = 12
"""Forecasts come every 6 hours, at 0, 6, 12 and 18 h UTC."""

_LEAD_HOURS = (0, 1, 24, 48, 72)
_TEMPERATURE_RMSE_C = (0.5, 0.6, 1.8, 2.4, 2.6)
_HUMIDITY_RMSE_PCT = (3.0, 3.5, 9.0, 11.0, 12.0)
_IRRADIANCE_LOG_SIGMA = (0.08, 0.10, 0.35, 0.40, 0.45)
_WIND_LOG_SIGMA = (0.15, 0.18, 0.35, 0.42, 0.45)
_LEAD_CORRELATION = 0.93
_DECIMALS = (1, 0, 0, 1)
"""Forecasts are published rounded: 0.1 C, 1 %, 1 W/m2, 0.1 m/s."""


def issue_forecasts(weather: Weather, seed: int) -> WeatherForecast:
    """Forecasts of all issues whose 72 hours lie within ``weather``.

    Irradiance errors are factors, so nights stay dark, and never exceed the clear sky by more than 10 %.
    """
    rng = community_stream(seed, Purpose.WEATHER_FORECAST)
    span = 2 * FORECAST_LEAD_HOURS
    first = -(-weather.first_slot // ISSUE_EVERY_SLOTS) * ISSUE_EVERY_SLOTS
    issue_slot = np.arange(first, weather.first_slot + len(weather) - span + 1, ISSUE_EVERY_SLOTS, dtype=np.int64)
    rows = (issue_slot - weather.first_slot)[:, None] + np.arange(span)  # (issue, half-hour)
    shape = (len(issue_slot), FORECAST_LEAD_HOURS)

    def hourly(values: NDArray[np.float64]) -> NDArray[np.float64]:
        means: NDArray[np.float64] = values[rows].reshape(*shape, 2).mean(axis=2)
        return means

    temperature = hourly(weather.temperature_c) + _error(rng, shape, _TEMPERATURE_RMSE_C)
    humidity = np.clip(hourly(weather.humidity_pct) + _error(rng, shape, _HUMIDITY_RMSE_PCT), 1, 100)
    irradiance = hourly(weather.irradiance_w_m2) * _factor(rng, shape, _IRRADIANCE_LOG_SIGMA)
    wind = hourly(weather.wind_m_s) * _factor(rng, shape, _WIND_LOG_SIGMA)
    irradiance = np.minimum(irradiance, 1.10 * hourly(weather.sky.clear_ghi_w_m2))
    columns = (temperature, humidity, irradiance, wind)
    rounded = [np.round(column, decimals) for column, decimals in zip(columns, _DECIMALS, strict=True)]
    assert len(rounded) == len(WEATHER)
    return WeatherForecast(issue_slot, np.stack(rounded, axis=2).astype(np.float32))


def _error(rng: np.random.Generator, shape: tuple[int, int], size: tuple[float, ...]) -> NDArray[np.float64]:
    """Errors of standard deviation ``size`` (at :data:`_LEAD_HOURS`), correlated along the leads; ``(issue, lead)``."""
    noise = rng.standard_normal(shape)
    noise[:, 1:] *= np.sqrt(1 - _LEAD_CORRELATION**2)
    unit = np.asarray(lfilter([1.0], [1.0, -_LEAD_CORRELATION], noise, axis=1), np.float64)
    scaled: NDArray[np.float64] = unit * np.interp(np.arange(shape[1]) + 0.5, _LEAD_HOURS, size)
    return scaled


def _factor(rng: np.random.Generator, shape: tuple[int, int], size: tuple[float, ...]) -> NDArray[np.float64]:
    """Log-normal factors with mean 1."""
    log_sigma = np.interp(np.arange(shape[1]) + 0.5, _LEAD_HOURS, size)
    factor: NDArray[np.float64] = np.exp(_error(rng, shape, size) - log_sigma**2 / 2)
    return factor
