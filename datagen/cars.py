"""Cars whose homes' readings have gaps, or are cut: the stays at the charger stay true to the readings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from common.car import Car
from common.readings import CHANNELS
from datagen.gaps import fill_gaps
from datagen.source import Home

EV, OTHER = CHANNELS.index("ev_wh"), CHANNELS.index("other_wh")


def cut_car(car: Car | None, slots: range) -> Car | None:
    """The car with those of its stays that touch ``slots``."""
    if car is None:
        return None
    kept = (stay for stay in car.sessions if stay.arrival_slot < slots.stop and stay.departure_slot > slots.start)
    return car.model_copy(update={"sessions": tuple(kept)})


def metered_stays(home: Home, notes: list[str]) -> Home:
    """A home whose car has only stays that were metered throughout; how many were not goes to ``notes``.

    What a car needs in a stay with a gap is not known, so what it drew there is load like any (``other_wh``), and so is
    what stands in for a gap.
    """
    facts, readings = home
    if facts.car is None or readings.channels is None or readings.metered is None:
        return home
    kept, as_load = [], ~readings.metered
    for stay in facts.car.sessions:
        rows = slice(*(max(slot - readings.first_slot, 0) for slot in (stay.arrival_slot, stay.departure_slot)))
        if readings.metered[rows].all():
            kept.append(stay)
        else:
            as_load[rows] = True
    lost = len(facts.car.sessions) - len(kept)
    if lost:
        stays = "stay of its car has" if lost == 1 else "stays of its car have"
        notes.append(f"{facts.home_id}: {lost} {stays} slots without a reading, and what it drew there is other load")
    channels = readings.channels.copy()
    channels[OTHER] += np.where(as_load, channels[EV], 0)
    channels[EV, as_load] = 0
    car = facts.car.model_copy(update={"sessions": tuple(kept)})
    return facts.model_copy(update={"car": car}), replace(readings, channels=channels)


def filled(home: Home) -> Home:
    """The home with estimates in its gaps (:func:`datagen.gaps.fill_gaps`), of which none is a car's."""
    facts, readings = home
    return metered_stays((facts, fill_gaps(readings)), [])
