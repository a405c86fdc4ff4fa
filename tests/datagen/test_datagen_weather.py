from __future__ import annotations

from datetime import date

import numpy as np

from common.clock import day_slots, local_calendar
from common.readings import FORECAST_LEAD_HOURS
from datagen.weather import make_weather
from datagen.weather_forecast import issue_forecasts


def _actual(weather, forecast):
    rows = (forecast.issue_slot - weather.first_slot)[:, None] + np.arange(2 * FORECAST_LEAD_HOURS)
    return weather.channels[:, rows].reshape(4, len(rows), FORECAST_LEAD_HOURS, 2).mean(axis=3).transpose(1, 2, 0)


def test_climate_is_plausible(weather, year):
    month = local_calendar(np.arange(year.start, year.stop)).month
    mean_c = {m: weather.temperature_c[month == m].mean() for m in (1, 7)}
    assert 5 < mean_c[1] < 12
    assert 22 < mean_c[7] < 28
    assert -6 < weather.temperature_c.min() < 5
    assert 36 < weather.temperature_c.max() < 46
    assert 1500 < weather.irradiance_w_m2.sum() / 2000 < 2000  # kWh/m2 a year
    assert weather.irradiance_w_m2.max() < 1150
    assert np.isfinite(weather.channels).all()
    assert (weather.humidity_pct >= 5).all() and (weather.humidity_pct <= 100).all()


def test_humidity_falls_as_temperature_rises(weather):
    assert np.corrcoef(weather.temperature_c, weather.humidity_pct)[0, 1] < -0.5


def test_direct_and_diffuse_make_up_global_irradiance(weather):
    height = np.cos(np.radians(weather.sky.zenith_deg))
    day = weather.sky.zenith_deg < 80
    total = weather.direct_normal_w_m2 * height + weather.diffuse_w_m2
    np.testing.assert_allclose(total[day], weather.irradiance_w_m2[day], rtol=0.02, atol=3)


def test_night_is_dark(weather):
    assert weather.irradiance_w_m2[weather.sky.zenith_deg > 93].max() == 0


def test_a_heat_wave_can_be_forced():
    day = date(2025, 9, 3)
    slots = range(day_slots(date(2025, 8, 20)).start, day_slots(date(2025, 9, 15)).start)
    usual, hot = make_weather(0, slots), make_weather(0, slots, heat_wave=day)
    rows = slice(day_slots(day).start - slots.start, day_slots(day).stop - slots.start)
    assert hot.temperature_c[rows].max() > 38
    assert (hot.temperature_c >= usual.temperature_c - 1e-9).mean() > 0.95
    np.testing.assert_allclose(hot.temperature_c[:96], usual.temperature_c[:96])  # the rest stays as it was


def test_a_clear_sky_can_be_forced():
    day = date(2025, 1, 15)
    slots = range(day_slots(date(2025, 1, 10)).start, day_slots(date(2025, 1, 20)).start)
    made = make_weather(0, slots, clear_day=day)
    rows = slice(day_slots(day).start - slots.start, day_slots(day).stop - slots.start)
    assert made.irradiance_w_m2[rows].sum() > 0.97 * made.sky.clear_ghi_w_m2[rows].sum()


def test_weather_is_a_function_of_the_seed(year, weather):
    np.testing.assert_array_equal(make_weather(0, year).channels, weather.channels)
    assert np.abs(make_weather(1, year).temperature_c - weather.temperature_c).mean() > 1


def test_forecasts_come_every_six_hours_and_end_within_the_weather(weather):
    forecast = issue_forecasts(weather, 0)
    assert set(np.diff(forecast.issue_slot)) == {12}
    assert (forecast.issue_slot % 12 == 0).all()
    assert forecast.issue_slot[0] - weather.first_slot < 12
    assert forecast.issue_slot[-1] + 144 <= weather.first_slot + len(weather)
    assert forecast.values.shape == (len(forecast.issue_slot), 72, 4)


def test_forecast_errors_grow_with_lead(weather):
    forecast = issue_forecasts(weather, 0)
    error = forecast.values - _actual(weather, forecast)
    rmse = np.sqrt((error**2).mean(axis=0))  # (lead, channel)
    for lead, expected_c in ((1, 0.65), (24, 1.8), (48, 2.4), (71, 2.6)):
        assert abs(rmse[lead, 0] - expected_c) < 0.2
    for channel in range(4):
        assert rmse[:3, channel].mean() < rmse[22:26, channel].mean() < rmse[60:, channel].mean()
    daylight = _actual(weather, forecast)[:, 24, 2] > 300
    ratio = forecast.values[daylight, 24, 2] / _actual(weather, forecast)[daylight, 24, 2]
    assert 0.15 < ratio.std() < 0.4


def test_forecasts_are_never_the_actual_weather(weather):
    forecast = issue_forecasts(weather, 0)
    actual = _actual(weather, forecast)
    for channel in (0, 1, 3):
        open_to_error = actual[:, :, channel] < 99.5 if channel == 1 else np.ones(actual.shape[:2], bool)  # fog: 100 %
        assert (np.abs(forecast.values - actual)[:, :, channel] > 1e-4)[open_to_error].mean() > 0.95
    daylight = actual[:, :, 2] > 20
    assert (np.abs(forecast.values - actual)[:, :, 2][daylight] > 1e-4).mean() > 0.9


def test_forecast_errors_last_over_leads_but_not_over_issues(weather):
    forecast = issue_forecasts(weather, 0)
    error = (forecast.values - _actual(weather, forecast))[:, :, 0]
    assert np.corrcoef(error[:, 20], error[:, 21])[0, 1] > 0.8
    assert abs(np.corrcoef(error[:-1, 26], error[1:, 20])[0, 1]) < 0.1  # the same hour, as two issues see it
    np.testing.assert_array_equal(issue_forecasts(weather, 0).values, forecast.values)
    assert not np.array_equal(issue_forecasts(weather, 1).values, forecast.values)
