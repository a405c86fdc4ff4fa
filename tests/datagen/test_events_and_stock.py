from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from common.clock import day_slots, slot_of
from common.errors import UserError
from common.readings import CHANNELS
from datagen.appliances.persistent import autoregressive, regimes
from datagen.appliances.plugs import TELEVISION_W, plugs_wh
from datagen.climate import climate_of
from datagen.events import event_slots
from datagen.household import generate_home
from datagen.occupancy import ARCHETYPES, draw_occupancy
from datagen.span import span_of
from datagen.stock import ALL_ELECTRIC, CALIFORNIA, STOCKS, stock_of
from datagen.weather import make_weather

LOCAL = ZoneInfo("America/Los_Angeles")


def test_events_lie_where_the_calendar_says():
    day = day_slots(date(2025, 2, 9))
    on = event_slots(day)
    first, end = (slot_of(datetime(2025, 2, 9, *at, tzinfo=LOCAL)) - day.start for at in ((15, 0), (19, 30)))
    assert np.flatnonzero(on).tolist() == list(range(first, end))
    assert not event_slots(day_slots(date(2025, 2, 10))).any()
    assert event_slots(range(day.start + first + 2, day.start + first + 4)).all()


def test_who_watches_an_event_is_at_home_and_has_the_screen_on():
    slots = range(day_slots(date(2025, 1, 1)).start, day_slots(date(2025, 3, 1)).start)
    weather, span = make_weather(0, slots, climate_of("12")), span_of(slots)
    ordinary = replace(span, event=np.zeros_like(span.event))
    watched = 0
    for seed in range(20):
        there, without = (draw_occupancy(np.random.default_rng(seed), ARCHETYPES[1], s) for s in (span, ordinary))
        assert (there.present >= without.present).all() and (there.present == without.present)[~span.event].all()
        assert not without.event.any() and (there.awake[there.event] > 0).all()
        on, off = (plugs_wh(np.random.default_rng(seed), span, o, weather) for o in (there, without))
        assert np.median((on - off)[there.event] if there.event.any() else TELEVISION_W) >= TELEVISION_W / 2 - 1e-9
        watched += there.event.any()
    assert 2 < watched < 18


def test_stocks_differ_as_they_say():
    slots = range(day_slots(date(2025, 1, 1)).start, day_slots(date(2025, 2, 1)).start)
    weather = make_weather(0, slots, climate_of("12"))

    def kwh(stock):
        homes = [generate_home(k, 0, slots, weather, False, stock)[1] for k in range(25)]
        return np.array([home.channels.sum(axis=1) for home in homes]) / 1000

    mixed, electric = kwh(CALIFORNIA), kwh(ALL_ELECTRIC)
    ev, hvac, water = (CHANNELS.index(name) for name in ("ev_wh", "hvac_wh", "water_heater_wh"))
    assert not electric[:, ev].any() and mixed[:, ev].any()
    assert electric[:, hvac].mean() > 1.5 * mixed[:, hvac].mean()
    assert (electric[:, water] > 0).mean() > 0.7
    assert (mixed[:, water] > 0).mean() < 0.5


def test_stocks_by_name():
    assert stock_of("all-electric") is STOCKS["all-electric"]
    with pytest.raises(UserError, match="stock 'igloo' is unknown; choose one of: california, all-electric"):
        stock_of("igloo")


def test_persistent_series_have_the_correlation_and_spread_that_they_say():
    series = autoregressive(np.random.default_rng(0), 200_000, 0.8)
    assert abs(series.std() - 1) < 0.02
    assert abs(np.corrcoef(series[1:], series[:-1])[0, 1] - 0.8) < 0.01
    levels = regimes(np.random.default_rng(0), 3650, 4.0, 0.3)
    assert 20 < (np.diff(levels) != 0).sum() < 60
    assert 0.2 < np.log(levels).std() < 0.45
