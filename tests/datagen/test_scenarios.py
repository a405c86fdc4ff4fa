from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from common.clock import day_slots, local_of, slot_of
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
        ("a.ics", "BEGIN:VCALENDAR\nEND:VCALENDAR\n", "no VEVENT in it"),
        (
            "a.ics",
            ICAL.replace("20250618T220000", "soon"),
            "event 1: DTSTART: Expected datetime, date, or time.",
        ),
        ("a.ics", ICAL.replace("20250619T043000Z", "20250619"), "event 1: DTSTART and DTEND must be of the same type"),
        (
            "a.ics",
            ICAL.replace("20250619T043000Z", "20250618T043000Z"),
            "event 1: 2025-06-18 22:00:00-04:00 to",
        ),
        ("a.ics", ICAL.replace("DTEND", "DTSTART:20250618T220000\r\nDTEND"), "event 1: Multiple DTSTART defined"),
        ("a.ics", ICAL.replace("DTEND", "RRULE:FREQ=HOURLY\r\nDTEND"), "event 1: RRULE FREQ=HOURLY: expected FREQ=DAI"),
        ("a.ics", ICAL.replace("DTEND", "RRULE:FREQ=DAILY;INTERVAL=0\r\nDTEND"), "and INTERVAL above 0"),
        ("a.ics", ICAL.replace("DTEND", "RRULE:often\r\nDTEND"), "event 1: RRULE"),
        ("a.ics", ICAL.replace("DTEND", "RRULE:FREQ=SOME\r\nDTEND"), "event 1: RRULE"),
        ("a.ics", ICAL.replace("DTEND", "RRULE:FREQ=DAILY;BYDAY=XX\r\nDTEND"), "event 1: RRULE"),
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


def test_what_icalendar_says_in_other_words(tmp_path):
    def events(*changes, slots=range(0)):
        text = ICAL
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "a.ics").write_text(text)
        return read_events(tmp_path / "a.ics", slots)

    usual = ((at(19, 0), at(21, 30)),)
    assert events(("DTEND:20250619T043000Z", "DURATION:PT2H30M")) == usual
    assert events(("America/New_York", '"Eastern Standard Time"')) == usual, "as Outlook names zones"
    assert events(("BEGIN:VCALENDAR\r\n", ""), ("END:VCALENDAR\r\n", "")) == usual
    assert events((";TZID=America/New_York:20250618T22", ":20250618T19")) == usual, "local"
    assert events(("DTEND:", "STATUS:CANCELLED\r\nDTEND:")) == (), "it is off"
    day = ("DTSTART;TZID=America/New_York:20250618T220000", "DTSTART;VALUE=DATE:20250618")
    whole = day_slots(date(2025, 6, 18))
    assert events(day, ("DTEND:20250619T043000Z\r\n", "")) == ((whole.start, whole.stop),)
    assert events(day, ("DTEND:20250619T043000Z", "DTEND;VALUE=DATE:20250619")) == ((whole.start, whole.stop),)


def test_events_that_recur_are_on_in_the_slots_that_are_asked_for(tmp_path):
    weekly = "RRULE:FREQ=WEEKLY\r\nEXDATE;TZID=America/New_York:20250625T220000\r\n"
    single = "BEGIN:VEVENT\r\nDTSTART:20240101T120000\r\nDURATION:PT1H\r\nEND:VEVENT\r\n"
    text = ICAL.replace("DTEND", weekly + "DTEND").replace("END:VCAL", single + "END:VCAL")
    (tmp_path / "a.ics").write_text(text)
    alone = ((slot_of(datetime(2024, 1, 1, 12, tzinfo=LOCAL)), slot_of(datetime(2024, 1, 1, 13, tzinfo=LOCAL))),)
    assert read_events(tmp_path / "a.ics") == alone
    july = range(day_slots(date(2025, 6, 10)).start, day_slots(date(2025, 7, 10)).start)
    assert read_events(tmp_path / "a.ics", july) == alone + tuple(
        (at(19, 0, day) + later * 1440, at(21, 30, day) + later * 1440) for day, later in ((18, 0), (2, 1), (9, 1))
    )
    year = range(day_slots(date(2025, 10, 1)).start, day_slots(date(2025, 12, 1)).start)
    hours = {local_of(first).strftime("%a %H:%M") for first, _ in read_events(tmp_path / "a.ics", year)[1:]}
    assert hours == {"Wed 19:00"}, "by the clock of New York, over its change, too"
    homes = list(generated_community(RunConfig(homes=1, events=str(tmp_path / "a.ics"))).homes)
    assert (at(19, 0), at(21, 30)) in homes[0][0].events and len(homes[0][0].events) == 1


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
