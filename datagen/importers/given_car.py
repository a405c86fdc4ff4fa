"""A car as a user gives it in a mapping: its charger, and when it was plugged in.

::

    [home.car]
    charger_kw = 7.2
    sessions = [
      ["2025-06-18 18:05", "2025-06-19 07:40"],     # plugged in, gone; local times of the home
      [972421, 972446, 9120],                       # or slots, and what it needed, Wh
    ]

What a stay needed is what the channel ``ev`` has in it, unless it is given.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from common.car import Car, Session
from common.clock import slot_of
from common.errors import UserError
from common.readings import HomeFacts, Readings, check_facts
from datagen.cars import EV, metered_stays
from datagen.source import Home

Given = list[int | str]
"""Arrival and departure, each a slot or a local time, and perhaps Wh."""


class GivenCar(BaseModel):
    """A car.

    Attributes:
        charger_kw: AC power of the charger.
        sessions: stays at the charger, in any order.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    charger_kw: float
    sessions: list[Given]


def with_car(home: Home, given: GivenCar | None, where: str, notes: list[str]) -> Home:
    """The home with a car, if one is given; what is worth a warning goes to ``notes``.

    Args:
        home: with the channel ``ev_wh``; gaps hold zeros.
        given: times are of the home's time zone.
        where: mapping and home, for errors.
        notes: see :func:`datagen.cars.metered_stays`.

    Raises:
        UserError: a time that is none, stays that overlap, or readings that do not go with them.
    """
    facts, readings = home
    if given is None:
        return home
    if readings.channels is None:
        raise UserError(f"{where}: a car needs [channels.ev], what its charger drew; add it, or leave the car out")
    bounds = sorted((_bounds(stay, facts, where), stay) for stay in given.sessions)
    following = [*(arrival for (arrival, _), _ in bounds[1:]), np.iinfo(np.int64).max]
    sessions = []
    for ((arrival, departure), stay), latest in zip(bounds, following, strict=False):
        # A car that charges until it leaves is there in a part of the slot, or of the metered hour, in which it leaves.
        begun = departure - departure % facts.resolution_slots
        after = begun + facts.resolution_slots
        partly = isinstance(stay[1], str) and after <= latest and _drawn(readings, begun, after) > 0
        end = after if partly else departure
        energy_wh = stay[2] if len(stay) == 3 else _drawn(readings, arrival, end)
        if energy_wh != 0:
            sessions.append(Session(arrival, end, int(energy_wh)))
    try:
        car = Car(charger_kw=given.charger_kw, sessions=tuple(sessions))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise UserError(f"{where}: car, key {key}: {first['msg'].removeprefix('Value error, ')}") from None
    facts, readings = metered_stays((facts.model_copy(update={"car": car}), readings), notes)
    check_facts(facts, readings, where)
    return facts, readings


def _drawn(readings: Readings, first: int, end: int) -> int:
    """What a car drew from slot ``first`` until ``end``, Wh, as far as the readings go."""
    assert readings.channels is not None
    rows = slice(max(first - readings.first_slot, 0), max(end - readings.first_slot, 0))
    return int(readings.channels[EV, rows].sum())


def _bounds(stay: Given, facts: HomeFacts, where: str) -> tuple[int, int]:
    """Slots in which a car arrives and departs; the beginning of the hour of arrival where readings are hourly."""
    if not 2 <= len(stay) <= 3 or (len(stay) == 3 and not isinstance(stay[2], int)):
        raise UserError(f"{where}: car, session {stay}: expected [arrival, departure] or [arrival, departure, Wh]")
    arrival, departure = (_slot(moment, facts.timezone, f"{where}: car, session {stay}") for moment in stay[:2])
    return arrival - arrival % facts.resolution_slots * isinstance(stay[0], str), departure


def _slot(moment: int | str, timezone: str, where: str) -> int:
    if isinstance(moment, int):
        return moment
    try:
        time = datetime.fromisoformat(moment.strip())
    except ValueError:
        raise UserError(f"{where}: '{moment}' is no time; write YYYY-MM-DD HH:MM") from None
    return slot_of(time if time.tzinfo else time.replace(tzinfo=ZoneInfo(timezone)))
