"""What a user is told of imported homes: assumed batteries, unlikely years, short histories."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from common.clock import day_slots
from common.config import BatterySpec
from common.readings import HomeFacts, Readings
from datagen.plausible import (
    assumed_batteries,
    short_history,
    unlikely_years,
    whole_days,
)
from datagen.source import Home

FIRST = date(2024, 2, 1)


def home(home_id: str = "elm", days: int = 60, wh: int = 300, skip: int = 0, **facts: object) -> Home:
    """A home that uses as much in every half-hour; its first slots may be missing."""
    slots = range(day_slots(FIRST).start + skip, day_slots(FIRST + timedelta(days=days)).start)
    load = np.full(len(slots), wh, np.int64)
    return HomeFacts.model_validate({"home_id": home_id, **facts}), Readings(slots.start, load, 0 * load)


def test_a_battery_that_nobody_spoke_of_is_noted():
    said = home("oak", battery=BatterySpec())
    assert assumed_batteries([said]) == []
    (note,) = assumed_batteries([said, *(home(f"elm-{k}") for k in range(5))])
    assert note.startswith("elm-0, elm-1, elm-2 and 2 more: battery: 13.5 kWh, 5 kW assumed")


@pytest.mark.parametrize(
    ("wh", "noted"), [(0, True), (16, True), (18, False), (300, False), (5_700, False), (5_800, True)]
)
def test_a_year_that_no_home_has_is_noted(wh, noted):
    notes = unlikely_years([home(wh=wh), home("oak")])
    assert bool(notes) == noted and all("elm" in note and "is the unit right?" in note for note in notes)


def test_gaps_do_not_make_a_year_unlikely():
    facts, readings = home()
    metered = np.arange(len(readings)) < 48
    gappy = Readings(readings.first_slot, readings.load_wh * metered, readings.pv_wh, metered=metered)
    assert not unlikely_years([(facts, gappy)])


@pytest.mark.parametrize(
    ("days", "says"),
    [
        (1, "1 whole day: a run needs 57, of which 56 are history, and 'evaluate' 84"),
        (56, "56 whole days: a run needs 57"),
        (57, "57 whole days: 'evaluate' needs 84 for its usual 28 test days; give it --days 1, or download"),
        (83, "give it --days 27, or download a longer range"),
        (84, ""),
    ],
)
def test_a_short_history_is_noted(days, says):
    notes = short_history([home(days=days)])
    assert [says in note for note in notes] == ([True] if says else [])


def test_days_are_those_that_all_homes_cover_whole():
    homes = [home(days=60), home("oak", days=90, skip=1)]
    assert whole_days(homes) == (FIRST + timedelta(days=1), FIRST + timedelta(days=59))
    assert "59 whole days in common" in short_history(homes)[0]
