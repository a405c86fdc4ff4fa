"""One home of a generated community: its facts and its readings."""

from __future__ import annotations

import math

import numpy as np

from common.readings import CHANNELS, HomeFacts, Readings
from common.units import WH_PER_KWH
from datagen import appliances
from datagen.ev import draw_car, ev_wh
from datagen.hvac import draw_house, hvac_wh
from datagen.occupancy import draw_archetype, draw_occupancy
from datagen.solar import draw_system, solar_energy_wh
from datagen.span import span_of
from datagen.streams import Purpose, home_stream
from datagen.weather import Weather

SOURCE = "generated"


def has_solar(index: int, share: float) -> bool:
    """Whether home ``index`` has solar when a ``share`` of homes has: spread evenly, whatever the number of homes."""
    tiny = 1e-9
    return math.floor((index + 1) * share + tiny) > math.floor(index * share + tiny)


def generate_home(index: int, seed: int, slots: range, weather: Weather, solar: bool) -> tuple[HomeFacts, Readings]:
    """Facts and readings of home ``index``, a function of its arguments alone.

    Args:
        index: number of the home from 0; home 7 of 10 equals home 7 of 10,000.
        seed: of the community.
        slots: contiguous; as long as ``weather``.
        weather: of the community.
        solar: whether the home has solar. Nothing else of the home depends on it.
    """
    assert weather.first_slot == slots.start and len(weather) == len(slots)
    span = span_of(slots)

    def stream(purpose: Purpose) -> np.random.Generator:
        return home_stream(seed, index, purpose)

    archetype = draw_archetype(stream(Purpose.ARCHETYPE))
    occupancy = draw_occupancy(stream(Purpose.OCCUPANCY), archetype, span)
    house = draw_house(stream(Purpose.HVAC), occupancy.people)
    ev_stream = stream(Purpose.EV)
    car = draw_car(ev_stream)
    energy = {
        "fridge_wh": appliances.fridge_wh(stream(Purpose.FRIDGE), span, weather),
        "hvac_wh": hvac_wh(house, span, occupancy, weather),
        "ev_wh": np.zeros(len(span)) if car is None else ev_wh(ev_stream, car, span, occupancy),
        "water_heater_wh": appliances.water_heater_wh(stream(Purpose.WATER_HEATER), span, occupancy),
        "laundry_wh": appliances.laundry_wh(stream(Purpose.LAUNDRY), span, occupancy),
        "other_wh": appliances.other_wh(stream(Purpose.OTHER), span, occupancy, weather),
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
    )
    return facts, Readings(slots.start, load_wh, pv_wh, channels, weather.channels)
