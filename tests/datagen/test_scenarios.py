from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from common.clock import day_slots, slot_of
from common.config import RunConfig
from common.errors import UserError
from common.readings import CHANNELS, read_facts
from datagen.community import prepare_homes
from datagen.events import event_slots, read_events
from datagen.generated import generated_community
from datagen.scenario import SCENARIOS, scenario
from datagen.stock import CALIFORNIA

LOCAL = ZoneInfo("America/Los_Angeles")
ICAL = """BEGIN:VCALENDAR\r
BEGIN:VEVENT\r
SUMMARY:a match whose name is so long that it\r
  is folded\r
DTSTART;TZID=America/New_York:20250618T220000\r
DTEND:20250619T043000Z\r
END:VEVENT\r
END:VCALENDAR\r
"""


def at(hour, minute, day=18):
    return slot_of(datetime(2025, 6, day, hour, minute, tzinfo=LOCAL))


def test_events_of_ones_own_in_either_format(tmp_path):
    (tmp_path / "a.csv").write_text("name,Start,End\nfinal,2025-06-18 19:00,2025-06-18 21:15\n")
    (tmp_path / "a.ics").write_text(ICAL)
    assert read_events(tmp_path / "a.csv") == ((at(19, 0), at(21, 30)),)
    assert read_events(tmp_path / "a.ics") == ((at(19, 0), at(21, 30)),)
    day = day_slots(date(2025, 6, 18))
    assert not event_slots(day).any()
    assert np.flatnonzero(event_slots(day, read_events(tmp_path / "a.csv"))).tolist() == list(range(38, 43))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "begin,end\n", "column start is missing (found: begin, end)"),
        ("a.csv", "start,end\nsoon,later\n", "line 2: 'soon' is no time"),
        ("a.csv", "start,end\n2025-06-18 21:00,2025-06-18 19:00\n", "line 2: 2025-06-18 21:00"),
        ("a.ics", "hello", "no VEVENT in it"),
        ("a.ics", ICAL.replace("DTEND", "DURATION"), "DTSTART or DTEND is missing"),
        ("a.ics", ICAL.replace("DTEND", "RRULE:FREQ=DAILY\r\nDTEND"), "it recurs"),
        ("a.ics", ICAL.replace("America/New_York", "Nowhere"), "in zone Nowhere is no time"),
    ],
)
def test_files_that_are_no_calendar(tmp_path, name, text, says):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError) as found:
        read_events(tmp_path / name)
    assert says in str(found.value)
    with pytest.raises(UserError, match="cannot be read"):
        read_events(tmp_path / "missing.csv")


def homes_of(**changes):
    return list(generated_community(RunConfig(homes=12, **changes)).homes)


def test_in_an_ev_rush_most_homes_charge_in_the_evening_and_nothing_else_differs():
    ordinary, rush = homes_of(), homes_of(scenario="ev-rush")
    ev = CHANNELS.index("ev_wh")
    cars = [[home.channels[ev].sum() > 0 for _, home in homes] for homes in (ordinary, rush)]
    assert sum(cars[1]) >= 9 > sum(cars[0]), "nine in ten homes have a car"
    for (_, a), (_, b) in zip(ordinary, rush, strict=True):
        assert (np.delete(a.channels, ev, axis=0) == np.delete(b.channels, ev, axis=0)).all()
    by_hour = sum(home.channels[ev][: 48 * 300].reshape(-1, 48).sum(axis=0) for _, home in rush)
    local_midnight = (day_slots(date(2025, 6, 18)).start - rush[0][1].first_slot) % 48
    by_hour = np.roll(by_hour, -local_midnight)
    assert by_hour[32:48].sum() > 0.6 * by_hour.sum(), "from 16:00 to midnight"
    assert scenario("default").stock(CALIFORNIA) == CALIFORNIA


def test_what_homes_are_told_lies_in_their_facts(tmp_path):
    (tmp_path / "a.csv").write_text("start,end\n2025-06-18 19:00,2025-06-18 21:00\n2031-01-01 10:00,2031-01-01 11:00\n")
    config = RunConfig(homes=1, scenario="grid-outage", events=str(tmp_path / "a.csv"))
    manifest = prepare_homes(config, tmp_path / "homes")
    facts = read_facts(tmp_path / "homes" / "home-00000")
    first, end = SCENARIOS["grid-outage"].outage
    midnight = day_slots(manifest.start_date).start
    assert facts.outages == ((midnight + first, midnight + end),)
    assert facts.events == ((at(19, 0), at(21, 0)),), "those that touch the data"
    (tmp_path / "a.csv").write_text("start,end\n")
    with pytest.raises(UserError, match=r"made from other options \(events\)"):
        prepare_homes(config, tmp_path / "homes")
