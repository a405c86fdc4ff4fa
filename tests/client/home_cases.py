"""A small made-up home for the forecaster's tests: daily habits, noise, solar, sub-metering, weather forecasts."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from client.history import History
from common.config import ModelSpec
from common.readings import FORECAST_LEAD_HOURS, Readings, WeatherForecast
from common.tariff import load_tariff

FIRST_SLOT = 912_008  # an even slot: a whole hour
DAYS = 75
TINY = ModelSpec(layers=1, heads=2, width=16, feed_forward=32, month_rank=4, context_days=7)
TARIFF = load_tariff("pge-tou-c")


def make_readings(seed: int = 0, days: int = DAYS, solar: bool = True) -> Readings:
    rng = np.random.default_rng(seed)
    phase = np.arange(days * 48) % 48
    load = 300 + 200 * np.sin(2 * np.pi * (phase - 16) / 48) + rng.gamma(2, 60, days * 48)
    sun = np.clip(np.sin(2 * np.pi * (phase - 12) / 48), 0, None)
    cloud = np.repeat(rng.uniform(0.3, 1, days), 48)
    channels = np.array([0.1, 0.3, 0.2, 0.1, 0.1, 0.2])[:, None] * load
    weather = np.stack([18 + 6 * sun, np.full(days * 48, 60.0), 800 * sun * cloud, np.full(days * 48, 3.0)])
    return Readings(
        first_slot=FIRST_SLOT,
        load_wh=load.astype(np.int64),
        pv_wh=(1500 * sun * cloud * solar).astype(np.int64),
        channels=channels.astype(np.int64),
        weather=weather.astype(np.float32),
    )


def make_forecast(readings: Readings, seed: int = 0) -> WeatherForecast:
    """Issued every 6 hours: the truth with an error."""
    assert readings.weather is not None
    rng = np.random.default_rng(seed)
    issues = np.arange(readings.first_slot, readings.end_slot, 12)
    row = (issues - readings.first_slot)[:, None] + 2 * np.arange(FORECAST_LEAD_HOURS)
    values = readings.weather.T[np.minimum(row, len(readings) - 1)]
    return WeatherForecast(issues, (values + rng.normal(0, 1, values.shape)).astype(np.float32))


def changed_from(readings: Readings, slot: int) -> Readings:
    """The same home up to ``slot``, and another life from it on."""
    row = slot - readings.first_slot
    other = make_readings(seed=99)
    columns = {}
    for name in ("load_wh", "pv_wh", "channels", "weather"):
        values = getattr(readings, name).copy()
        values[..., row:] = 3 * getattr(other, name)[..., row:] + 7
        columns[name] = values
    return dataclasses.replace(readings, **columns)


def changed_issues(forecast: WeatherForecast, after: int) -> WeatherForecast:
    """The same weather forecasts up to those issued at ``after``, and nonsense later."""
    values = forecast.values.copy()
    values[forecast.issue_slot > after] = 1e6
    return WeatherForecast(forecast.issue_slot, values)


def see(
    readings: Readings,
    gate: int,
    forecast: WeatherForecast | None = None,
    resolution_slots: int = 1,
    community: NDArray[np.float32] | None = None,
) -> History:
    return History(
        readings, gate, tariff=TARIFF, forecast=forecast, resolution_slots=resolution_slots, community=community
    )
