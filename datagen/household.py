"""One home of a generated community: its facts and its readings."""

from __future__ import annotations

import math

import numpy as np

from common.readings import CHANNELS, HomeFacts, Readings
from common.units import SLOT_HOURS, WH_PER_KWH
from datagen.appliances.cooking import cooking_wh
from datagen.appliances.ev import charging
from datagen.appliances.fridge import fridge_wh
from datagen.appliances.hot_water import hot_water_wh
from datagen.appliances.hvac import draw_house, hvac_wh
from datagen.appliances.laundry import laundry_wh
from datagen.appliances.plugs import plugs_wh
from datagen.appliances.pool import pool_wh
from datagen.events import Events
from datagen.occupancy import draw_archetype, draw_occupancy
from datagen.solar import draw_system, solar_energy_wh
from datagen.span import span_of
from datagen.stock import CALIFORNIA, Stock
from datagen.streams import Purpose, home_stream
from datagen.weather import Weather

SOURCE = "generated"


def has_solar(index: int, share: float) -> bool:
    """Whether home ``index`` has solar when a ``share`` of homes has: spread evenly, whatever the number of homes."""
    tiny = 1e-9
    return math.floor((index + 1) * share + tiny) > math.floor(index * share + tiny)


def generate_home(
    index: int,
    seed: int,
    slots: range,
    weather: Weather,
    solar: bool,
    stock: Stock = CALIFORNIA,
    mix: tuple[float, ...] = (),
    events: Events = (),
) -> tuple[HomeFacts, Readings]:
    """Facts and readings of home ``index``, a function of its arguments alone.

    Args:
        index: number of the home from 0; home 7 of 10 equals home 7 of 10,000.
        seed: of the community.
        slots: contiguous; as long as ``weather``.
        weather: of the community.
        solar: whether the home has solar. Nothing else of the home depends on it.
        stock: shares of homes with each big device.
        mix: of kinds of households (:func:`datagen.occupancy.archetype_mix`); empty for the usual one.
        events: beside those of the calendar.
    """
    assert weather.first_slot == slots.start and len(weather) == len(slots)
    span = span_of(slots, events)

    def stream(purpose: Purpose) -> np.random.Generator:
        return home_stream(seed, index, purpose)

    archetype = draw_archetype(stream(Purpose.ARCHETYPE), mix)
    occupancy = draw_occupancy(stream(Purpose.OCCUPANCY), archetype, span)
    fridge = fridge_wh(stream(Purpose.FRIDGE), span, weather)
    indoors = plugs_wh(stream(Purpose.PLUGS), span, occupancy, weather)
    indoors += cooking_wh(stream(Purpose.COOKING), span, occupancy, stock)
    house = draw_house(stream(Purpose.HVAC), occupancy.people, stock)
    inside_w = (fridge + 0.8 * indoors) / SLOT_HOURS
    charged, car = charging(stream(Purpose.EV), span, occupancy, stock)
    energy = {
        "fridge_wh": fridge,
        "hvac_wh": hvac_wh(stream(Purpose.THERMOSTAT), house, span, occupancy, weather, inside_w),
        "ev_wh": charged,
        "water_heater_wh": hot_water_wh(stream(Purpose.WATER_HEATER), span, occupancy, stock),
        "laundry_wh": laundry_wh(stream(Purpose.LAUNDRY), span, occupancy, stock),
        "other_wh": indoors + pool_wh(stream(Purpose.POOL), span, stock),
    }
    channels = np.stack([np.rint(energy[name]).astype(np.int64) for name in CHANNELS])
    load_wh: np.ndarray[tuple[int], np.dtype[np.int64]] = channels.sum(axis=0)
    yearly_kwh = float(load_wh.mean()) * 2 * 24 * 365 / WH_PER_KWH
    system = draw_system(stream(Purpose.SOLAR), yearly_kwh)
    pv_wh = np.rint(solar_energy_wh(system, weather)).astype(np.int64) if solar else np.zeros_like(load_wh)
    facts = HomeFacts(
        home_id=f"home-{index:05d}",
        pv_kw=system.dc_kw if solar else 0.0,
        source=SOURCE,
        archetype=archetype.name,
        car=car,
    )
    return facts, Readings(slots.start, load_wh, pv_wh, channels, weather.channels)
