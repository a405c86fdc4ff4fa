"""Cars: their stays agree with what they drew, whoever made the home and whatever its readings went through."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from client.store import open_home
from common.car import Car, check_car
from common.clock import TIMEZONE, day_slots, local_calendar, slot_of, utc_of
from common.config import RunConfig
from common.errors import UserError
from common.readings import CHANNELS, HomeFacts, Readings, read_facts, write_home
from datagen.cars import cut_car, filled, metered_stays
from datagen.community import prepare_homes
from datagen.exporting import export_homes
from datagen.generated import generated_community
from datagen.household import generate_home
from datagen.importers.mapped import load
from datagen.importers.prepared import load as load_folder
from datagen.inventory import _cars
from datagen.manifest import home_digest
from datagen.scenario import scenario
from datagen.stock import ALL_ELECTRIC, CALIFORNIA
from datagen.weather import make_weather

EV, OTHER = CHANNELS.index("ev_wh"), CHANNELS.index("other_wh")
RUSH = scenario("ev-rush").stock(CALIFORNIA)
FIRST = day_slots(date(2025, 6, 18)).start


def rows_of(stay, readings):
    return slice(max(stay.arrival_slot - readings.first_slot, 0), max(stay.departure_slot - readings.first_slot, 0))


@pytest.mark.parametrize("begin", [date(2025, 2, 20), date(2025, 10, 20), date(2025, 6, 1)], ids=str)
def test_the_stays_of_generated_cars_agree_with_what_they_drew(begin):
    slots = range(day_slots(begin).start, day_slots(begin + timedelta(days=30)).start)
    weather = make_weather(0, slots)
    cars = 0
    for seed in range(4):
        for facts, readings in (generate_home(k, seed, slots, weather, False, RUSH) for k in range(12)):
            ev_wh = readings.channels[EV]
            if facts.car is None:
                assert not ev_wh.any()
                continue
            cars += 1
            car = facts.car
            check_car(car, ev_wh, readings.first_slot, facts.home_id)
            assert all(b.arrival_slot >= a.departure_slot for a, b in pairwise(car.sessions))
            assert sum(int(ev_wh[rows_of(stay, readings)].sum()) for stay in car.sessions) == ev_wh.sum()
            for stay in car.sessions:
                assert stay.arrival_slot in slots
                assert 0 < stay.energy_wh <= car.max_slot_wh * (stay.departure_slot - stay.arrival_slot)
                beyond = stay.departure_slot > readings.end_slot
                drawn = int(ev_wh[rows_of(stay, readings)].sum())
                assert drawn <= stay.energy_wh if beyond else drawn == stay.energy_wh
            arrivals = local_calendar(np.array([stay.arrival_slot for stay in car.sessions])).half_hour
            departures = local_calendar(np.array([stay.departure_slot for stay in car.sessions])).half_hour
            assert (arrivals >= 18).all() and (departures <= 24).all(), "there over night, timer or not"
    assert cars > 30


def test_a_timer_car_is_there_long_before_it_charges():
    slots = range(FIRST, FIRST + 21 * 48)
    weather = make_weather(0, slots)
    for index in range(12):
        facts, readings = generate_home(index, 0, slots, weather, False, replace(RUSH, car=1.0, car_timer=1.0))
        for stay in facts.car.sessions:
            drawn = np.flatnonzero(readings.channels[EV, rows_of(stay, readings)])
            midnight = day_slots(utc_of(stay.arrival_slot).astimezone(ZoneInfo(TIMEZONE)).date()).stop
            assert stay.arrival_slot < midnight
            assert not len(drawn) or stay.arrival_slot + drawn[0] >= midnight


def test_a_stay_may_outlast_the_readings_and_a_home_without_a_car_has_none():
    weather = make_weather(0, range(FIRST, FIRST + 12 * 48))
    homes = list(generated_community(RunConfig(homes=12, seed=2, scenario="ev-rush")).homes)
    over = [s for f, r in homes if f.car for s in f.car.sessions if s.departure_slot > r.end_slot]
    assert over and all(stay.arrival_slot < homes[0][1].end_slot for stay in over)
    assert not any(generate_home(k, 0, range(FIRST, FIRST + 576), weather, False, ALL_ELECTRIC)[0].car for k in (1, 2))


def test_homes_without_a_car_keep_their_hash():
    readings = Readings(FIRST, np.ones(4, np.int64), np.zeros(4, np.int64))
    assert home_digest(HomeFacts(home_id="a"), readings).hex().startswith("b85eec5a176f4bc9")
    assert home_digest(home()[0], home()[1]) != home_digest(*home(car=False))


def home(car=True, metered=None) -> tuple[HomeFacts, Readings]:
    """Ten days; the car draws 700 Wh in each half-hour from 20:00 to 22:00 and is there from 19:00 to 07:00."""
    count = 480
    channels = np.full((6, count), 10)
    channels[EV] = 0
    at = np.arange(count) % 48
    channels[EV, (at >= 40) & (at < 44)] = 700
    stays = tuple((FIRST + 48 * day + 38, FIRST + 48 * day + 62, 2800) for day in range(10))
    if metered is not None:
        channels = channels * metered
    readings = Readings(FIRST, channels.sum(axis=0), np.zeros(count, np.int64), channels, metered=metered)
    return HomeFacts(home_id="oak", car=Car(charger_kw=1.4, sessions=stays) if car else None), readings


def test_a_car_goes_through_its_folder_and_a_run(tmp_path):
    facts, readings = home()
    write_home(tmp_path / "oak", facts, readings)
    assert read_facts(tmp_path / "oak") == facts and open_home(tmp_path / "oak")[0] == facts
    ((again, _),) = load_folder(str(tmp_path / "oak")).homes
    assert again == facts
    config = RunConfig(homes=3, scenario="ev-rush", seed=1)
    prepare_homes(config, tmp_path / "homes")
    wanted = {facts.home_id: facts.car for facts, _ in generated_community(config).homes}
    assert {name: read_facts(tmp_path / "homes" / name).car for name in wanted} == wanted and any(wanted.values())


def _car(**changes):
    return lambda facts: facts["car"].update(changes)


def _stay(at, stay):
    return lambda facts: facts["car"]["sessions"].__setitem__(at, stay)


BAD = {
    "energy": (_stay(0, [FIRST + 38, FIRST + 62, 3000]), r"needs 3000 Wh but ev_wh has 2800 Wh between its slots"),
    "outside": (_stay(0, [FIRST + 38, FIRST + 43, 2100]), rf"ev_wh is 700 Wh in slot {FIRST + 43}, .* outside"),
    "too fast": (_car(charger_kw=0.8), r"above its charger's 400 Wh a slot"),
    "no power": (_car(charger_kw=0), r"home\.json: key car\.charger_kw: Input should be greater than 0"),
    "backwards": (_stay(0, [FIRST + 62, FIRST + 38, 2800]), r"key car\.sessions: .*expected \[arrival slot, later"),
    "overlap": (_stay(0, [FIRST + 38, FIRST + 99, 2800]), r"key car\.sessions: .*begins before session"),
    "two numbers": (_stay(0, [FIRST + 38, FIRST + 62]), r"key car\.sessions\.0\.2: Field required"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(BAD))
@pytest.mark.parametrize("read", [open_home, lambda folder: load_folder(str(folder))], ids=["client", "import"])
def test_a_car_that_its_readings_belie_is_named(tmp_path, case, read):
    spoil, says = BAD[case]
    write_home(tmp_path / "oak", *home())
    facts = json.loads((tmp_path / "oak" / "home.json").read_text())
    spoil(facts)
    (tmp_path / "oak" / "home.json").write_text(json.dumps(facts))
    with pytest.raises(UserError, match=says) as caught:
        read(tmp_path / "oak")
    assert "home.json" in str(caught.value) and "\n" not in str(caught.value)


def test_a_car_needs_channels_and_is_never_written_wrong(tmp_path):
    facts, readings = home()
    with pytest.raises(UserError, match=r"home oak: the home has a car but its readings lack the appliance channels"):
        write_home(tmp_path / "oak", facts, replace(readings, channels=None))
    assert not (tmp_path / "oak").exists()


def test_a_stay_with_a_gap_is_load_like_any():
    metered = np.arange(480) // 48 != 8
    notes: list[str] = []
    facts, readings = metered_stays(home(metered=metered), notes)
    assert [stay.arrival_slot - FIRST for stay in facts.car.sessions] == [48 * day + 38 for day in (*range(7), 9)]
    assert notes == ["oak: 2 stays of its car have slots without a reading, and what it drew there is other load"]
    whole = filled((facts, readings))
    check_car(whole[0].car, whole[1].channels[EV], FIRST, "oak")
    assert whole[0] == facts and whole[1].channels[OTHER].max() == 710
    assert (whole[1].channels.sum(axis=0) == whole[1].load_wh).all()
    assert (whole[1].load_wh == home()[1].load_wh).all(), "the day before stands in for a gap"


def test_cut_stays_are_those_that_touch_the_slots():
    car = home()[0].car
    assert cut_car(None, range(5)) is None
    assert len(cut_car(car, range(FIRST + 62, FIRST + 48 + 39)).sessions) == 1
    assert cut_car(car, range(FIRST + 61, FIRST + 48 + 38)).sessions == car.sessions[:1]


@pytest.mark.parametrize("name", ["csv", "commonwatt", "sql"])
def test_what_formats_keep_of_a_car(tmp_path, name):
    write_home(tmp_path / "homes" / "oak", *home())
    write_home(tmp_path / "homes" / "elm", *(home(car=False)[0].model_copy(update={"home_id": "elm"}), home()[1]))
    _, _, notes = export_homes(str(tmp_path / "homes"), name, tmp_path / "out")
    if name == "sql":
        assert notes == ["1 of the homes had stays of its car at the charger, which sql has no place for"]
        return
    found = (load(str(tmp_path / "out.toml")) if name == "csv" else load_folder(str(tmp_path / "out"))).homes
    cars = {facts.home_id: facts.car for facts, _ in found}
    assert cars == {"oak": home()[0].car, "elm": None} and not notes
    assert _cars(found) == ["cars whose stays are known: 1, at 1.4 kW, 7.0 stays a week of 2.8 kWh"]


MAPPING = """\
files = ["house.csv"]
[time]
column = "time"
timezone = "America/Los_Angeles"
[load]
column = "used"
unit = "Wh"
[channels.ev]
column = "car"
unit = "Wh"
[home]
outages = [[1, 2]]
[home.car]
charger_kw = 1.4
sessions = SESSIONS
"""


def at(text):
    return slot_of(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(TIMEZONE)))


def mapped(folder: Path, sessions: str, minutes: int = 30, mapping: str = MAPPING, gap: str = ""):
    """The home of a mapping: its car draws 700 Wh a half-hour from 20:00 to 22:00 and from 07:00 to 07:30."""
    times = pd.date_range("2025-06-18", "2025-06-21", freq="30min", inclusive="left")
    clock = times.hour + times.minute / 60
    table = pd.DataFrame({"car": 700 * (((clock >= 20) & (clock < 22)) | (clock == 7))}, index=times)
    table["used"] = table["car"] + 100
    table = table.resample(f"{minutes}min").sum()
    table.loc[table.index.strftime("%Y-%m-%d %H:%M") == gap] = np.nan
    table.rename_axis("time").to_csv(folder / "house.csv")
    (folder / "house.toml").write_text(mapping.replace("SESSIONS", sessions))
    imported = load(str(folder / "house.toml"))
    return *imported.homes[0], imported.warnings


@pytest.mark.parametrize("minutes", [30, 60])
def test_a_user_names_the_times_at_which_a_car_was_there(tmp_path, minutes):
    given = """[["2025-06-19 19:15", "2025-06-20 07:10"], ["2025-06-18 19:40", "2025-06-19 07:55"],
        ["2025-06-18 05:00", "2025-06-18T14:40:00Z"], ["2025-06-20 10:00", "2025-06-20 11:00"],
        ["2025-06-20 20:00", "2025-06-21 07:00"]]"""
    facts, readings, _ = mapped(tmp_path, given, minutes)
    first, second, third, last = facts.car.sessions
    check_car(facts.car, readings.channels[EV], readings.first_slot, "house")
    assert (first.arrival_slot, first.energy_wh) == (at("2025-06-18 05:00"), 700)
    assert (second.arrival_slot, second.energy_wh) == (at("2025-06-18 19:30") - (minutes == 60), 3500)
    assert second.departure_slot == (at("2025-06-19 07:30") if minutes == 30 else at("2025-06-19 08:00"))
    assert third.departure_slot == at("2025-06-20 07:30") + (minutes == 60), "it charged in the slot in which it left"
    assert last == (at("2025-06-20 20:00"), at("2025-06-21 07:00"), 2800)
    assert facts.outages == ((1, 2),)


def test_a_stay_with_a_gap_in_a_mapping_is_told(tmp_path):
    given = """[["2025-06-18 19:00", "2025-06-19 08:00"], ["2025-06-19 19:00", "2025-06-20 08:00"],
        ["2025-06-18 06:00", "2025-06-18 08:00"], ["2025-06-20 19:00", "2025-06-21 08:00", 3500]]"""
    facts, readings, warnings = mapped(tmp_path, given, gap="2025-06-18 20:30")
    assert [stay.energy_wh for stay in facts.car.sessions] == [700, 3500, 3500]
    assert any(warning.startswith("house: 1 stay of its car has slots without a reading") for warning in warnings)
    assert readings.channels[EV].sum() == 700 + 3500 + 2800


BAD_MAPPINGS = {
    "no time": ('[["soon", "late"]]', r"home house: car, session \['soon', 'late'\]: 'soon' is no time; write YYYY"),
    "one time": ('[["2025-06-18 19:00"]]', r"car, session .*: expected \[arrival, departure\] or \[arrival, dep"),
    "text Wh": ('[["2025-06-18 19:00", "2025-06-19 08:00", "3"]]', r"expected \[arrival, departure\] or"),
    "nested": ("[[[1]]]", r"house\.toml: key 'home\.car\.sessions\.0\.0\.int': Input should be a valid integer"),
    "overlap": (
        '[["2025-06-18 19:00", "2025-06-19 21:00"], ["2025-06-19 19:00", "2025-06-20 08:00"]]',
        r"home house: car, key sessions: session .* begins before session .* ends",
    ),
    "outside": ('[["2025-06-18 19:00", "2025-06-18 21:00"]]', r"home house: ev_wh is 700 Wh in slot \d+, which is out"),
    "energy": ('[["2025-06-18 06:00", "2025-06-18 08:00", 600]]', r"needs 600 Wh but ev_wh has 700 Wh between"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(BAD_MAPPINGS))
def test_stays_in_a_mapping_that_cannot_be(tmp_path, case):
    sessions, says = BAD_MAPPINGS[case]
    with pytest.raises(UserError, match=says) as caught:
        mapped(tmp_path, sessions)
    assert "\n" not in str(caught.value)


def test_a_mapping_with_a_car_needs_its_charger_metered_and_outages_two_slots(tmp_path):
    without = MAPPING.replace('[channels.ev]\ncolumn = "car"\nunit = "Wh"\n', "")
    with pytest.raises(UserError, match=r"home house: a car needs \[channels\.ev\]"):
        mapped(tmp_path, "[]", mapping=without)
    with pytest.raises(UserError, match=r"key 'home\.outages\.0': List should have at least 2 items"):
        mapped(tmp_path, "[]", mapping=MAPPING.replace("[[1, 2]]", "[[1]]"))
