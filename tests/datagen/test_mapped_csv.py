"""A plain CSV with a mapping: times, units, signs, several homes, and what a wrong mapping or file says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from common.clock import TIMEZONE, day_slots, slot_of
from common.errors import UserError
from common.readings import CHANNELS
from datagen.importers import IMPORTERS, importer_for
from datagen.importers.mapped import load, named_files
from datagen.importers.net_meter import is_net_metered

PACIFIC = ZoneInfo(TIMEZONE)
MAPPING = """\
files = ["house.csv"]

[time]
column = "time"
timezone = "UTC"

[load]
column = "used"
unit = "Wh"
"""
ROWS = ["time,used", *(f"2024-06-01 {k // 2:02d}:{k % 2 * 30:02d},{100 + k}" for k in range(48))]


def write(folder: Path, mapping: str = MAPPING, rows: list[str] | str = ROWS, name: str = "house.csv") -> str:
    """Write mapping and CSV; returns the source."""
    (folder / name).write_text(rows if isinstance(rows, str) else "\n".join(rows) + "\n", encoding="utf-8")
    (folder / "house.toml").write_text(mapping, encoding="utf-8")
    return str(folder / "house.toml")


def only(source: str):
    """Facts and readings of the one home."""
    (home,) = load(source).homes
    return home


def test_the_least_that_a_mapping_says(tmp_path):
    source = write(tmp_path)
    assert importer_for(source) is IMPORTERS["csv"]
    facts, readings = only(source)
    assert facts.home_id == "house" and facts.resolution_slots == 1 and facts.source == "csv:house.toml"
    assert readings.first_slot == slot_of(datetime(2024, 6, 1, tzinfo=UTC))
    assert readings.load_wh.tolist() == list(range(100, 148)) and not readings.pv_wh.any()
    assert readings.channels is None and readings.metered is None


@pytest.mark.parametrize(("unit", "value"), [("Wh", 250), ("kWh", 0.25), ("W", 1000), ("kW", 1)])
@pytest.mark.parametrize("sign", [1, -1])
def test_units_and_signs(tmp_path, unit, value, sign):
    rows = ["time,used", *(f"2024-06-01 00:{k:02d},{sign * value}" for k in (0, 15, 30, 45))]
    mapping = MAPPING.replace('unit = "Wh"', f'unit = "{unit}"\nsign = {sign}')
    assert only(write(tmp_path, mapping, rows))[1].load_wh.tolist() == [500, 500]


def test_everything_that_a_mapping_may_say(tmp_path):
    mapping = """\
files = ["house.csv"]
minutes = 30
delimiter = ";"
decimal = ","
skip_lines = 2
[time]
column = ["Date", "Clock"]
timezone = "America/Los_Angeles"
label = "end"
format = "%m/%d/%Y %H:%M"
[load]
column = "Use"
unit = "kWh"
[pv]
column = "Sun"
unit = "kWh"
[channels.ev]
column = "Car"
unit = "kW"
[home]
id = "oak"
pv_kw = 4.5
battery = {capacity_kwh = 9.8, max_power_kw = 3}
"""
    rows = "Account 12;\n;\nDate;Clock;Use;Sun;Car\n06/01/2024;00:30;1,5;0;1,0\n06/01/2024;01:00;0,25;0,125;0\n\n"
    facts, readings = only(write(tmp_path, mapping, rows))
    assert facts.home_id == "oak" and facts.pv_kw == 4.5
    assert facts.battery.capacity_kwh == 9.8 and facts.battery.max_power_kw == 3 and facts.battery.min_soc == 0.1
    assert readings.first_slot == day_slots(datetime(2024, 6, 1).date()).start
    assert readings.load_wh.tolist() == [1500, 250] and readings.pv_wh.tolist() == [0, 125]
    assert readings.channels[CHANNELS.index("ev_wh")].tolist() == [500, 0]
    assert readings.channels[CHANNELS.index("other_wh")].tolist() == [1000, 250]


@pytest.mark.parametrize("minutes", [15, 30, 60])
@pytest.mark.parametrize("label", ["start", "end"])
@pytest.mark.parametrize("day", ["2024-03-10", "2024-11-03"])
@pytest.mark.parametrize("zone", ["UTC", TIMEZONE, "offset"])
def test_times_over_a_change_of_the_clocks(tmp_path, minutes, label, day, zone):
    slots = day_slots(datetime.fromisoformat(day).date())
    starts = [datetime.fromtimestamp(s, UTC) for s in range(slots.start * 1800, slots.stop * 1800, minutes * 60)]
    labels = [t + timedelta(minutes=minutes) if label == "end" else t for t in starts]
    local = [t.astimezone(UTC if zone == "UTC" else PACIFIC) for t in labels]
    text = [t.isoformat() if zone == "offset" else t.strftime("%Y-%m-%d %H:%M") for t in local]
    rows = ["time,used", *(f"{t},{k % 90}" for k, t in enumerate(text))]
    mapping = MAPPING.replace('timezone = "UTC"', f'timezone = "{zone}"\nlabel = "{label}"')
    facts, readings = only(write(tmp_path, mapping, rows))
    assert (readings.first_slot, readings.end_slot) == (slots.start, slots.stop)
    assert readings.load_wh.sum() == sum(k % 90 for k in range(len(rows) - 1)) and readings.metered is None
    assert facts.resolution_slots == (2 if minutes == 60 else 1)


def test_the_end_of_the_last_interval_before_clocks_go_forward_may_be_two_or_three(tmp_path):
    mapping = MAPPING.replace('timezone = "UTC"', f'timezone = "{TIMEZONE}"\nlabel = "end"')
    for moment in ("02:00", "03:00"):
        rows = ["time,used", "2024-03-10 01:30,1", f"2024-03-10 {moment},2", "2024-03-10 03:30,3"]
        readings = only(write(tmp_path, mapping, rows))[1]
        assert readings.load_wh.tolist() == [1, 2, 3]


def test_an_empty_cell_or_a_missing_row_is_a_gap(tmp_path):
    rows = [row for k, row in enumerate(ROWS) if k != 10]
    rows[5] = "2024-06-01 02:00,"
    rows[7] = "2024-06-01 03:00,NaN"
    imported = load(write(tmp_path, rows=rows))
    readings = imported.homes[0][1]
    assert np.flatnonzero(~readings.metered).tolist() == [4, 6, 9] and not readings.load_wh[[4, 6, 9]].any()
    assert any(
        "3 half-hours have no reading (6.2%, 3 gaps, the longest 0.5 h from" in warning for warning in imported.warnings
    )


def test_what_crosses_the_meter_stands_for_load_and_solar(tmp_path):
    mapping = MAPPING.replace("[load]", "[import]") + '\n[export]\ncolumn = "fed"\nunit = "Wh"\n'
    rows = ["time,used,fed,sun", *(f"2024-06-01 0{k}:00,{200 - 20 * k},{50 * k},{60 * k}" for k in range(4))]
    imported = load(write(tmp_path, mapping, rows))
    readings = imported.homes[0][1]
    assert readings.load_wh.reshape(-1, 2).sum(axis=1).tolist() == [200, 180, 160, 140]
    assert readings.pv_wh.reshape(-1, 2).sum(axis=1).tolist() == [0, 50, 100, 150]
    assert any("b0" in warning and "net load is exact" in warning for warning in imported.warnings)
    imported = load(write(tmp_path, mapping + '\n[pv]\ncolumn = "sun"\nunit = "Wh"\n', rows))
    readings = imported.homes[0][1]
    assert readings.load_wh.reshape(-1, 2).sum(axis=1).tolist() == [200, 190, 180, 170], "import - export + pv"
    assert readings.pv_wh.reshape(-1, 2).sum(axis=1).tolist() == [0, 60, 120, 180]
    assert not any("b0" in warning for warning in imported.warnings)


def test_several_homes_in_a_file(tmp_path):
    mapping = 'home_column = "who"\n' + MAPPING + "\n[home]\npv_kw = 2\n[homes.oak]\npv_kw = 3\nminutes = 60\n"
    rows = ["who,time,used", "elm tree,2024-06-01 00:00,1", "oak,2024-06-01 00:00,8", "elm tree,2024-06-01 00:30,2"]
    (elm_facts, elm), (oak_facts, oak) = load(write(tmp_path, mapping, rows)).homes
    assert (elm_facts.home_id, elm_facts.pv_kw, elm.load_wh.tolist()) == ("elm-tree", 2, [1, 2])
    assert (oak_facts.home_id, oak_facts.pv_kw, oak.load_wh.tolist()) == ("oak", 3, [4, 4])
    assert oak_facts.resolution_slots == 2


def test_several_files_are_one_home_or_one_each(tmp_path):
    write(tmp_path, rows=["time,used", *ROWS[25:]], name="b-2.csv")
    source = write(tmp_path, MAPPING.replace('"house.csv"', '"b-*.csv"'), ROWS[:25], name="b-1.csv")
    assert [file.name for file in named_files(tmp_path / "house.toml")] == ["b-1.csv", "b-2.csv"]
    assert only(source)[1].load_wh.tolist() == list(range(100, 148))
    source = write(
        tmp_path, 'home_from_file = true\nfiles = ["b-*.csv"]\n' + MAPPING.split("\n", 1)[1], ROWS[:25], "b-1.csv"
    )
    assert [facts.home_id for facts, _ in load(source).homes] == ["b-1", "b-2"]


def test_an_error_names_the_file_of_several(tmp_path):
    write(tmp_path, rows=["time,used", *ROWS[24:]], name="b-2.csv")
    source = write(tmp_path, MAPPING.replace('"house.csv"', '"b-*.csv"'), [*ROWS[:24], "2024-06-01 11:30,5"], "b-1.csv")
    with pytest.raises(UserError, match=r"b-2\.csv, line 2: overlaps the interval of .*b-1\.csv, line 25"):
        load(source)


def test_rows_in_descending_order(tmp_path):
    assert only(write(tmp_path, rows=[ROWS[0], *reversed(ROWS[1:])]))[1].load_wh.tolist() == list(range(100, 148))


BAD_MAPPINGS = {
    "no TOML": ("[time]\nx = \n", r"house\.toml: not TOML \(.*line 2"),
    "unknown key": (MAPPING + 'colour = "red"', r"key 'load\.colour' is unknown"),
    "missing key": (MAPPING.replace('unit = "Wh"', ""), r"key 'load\.unit' is missing"),
    "missing section": ('files = ["house.csv"]', r"key 'time' is missing"),
    "unit": (MAPPING.replace('"Wh"', '"MWh"'), r"key 'load\.unit': Input should be 'Wh', 'kWh', 'W' or 'kW' \(found"),
    "type": (MAPPING.replace('"used"', "3"), r"key 'load\.column': Input should be a valid string \(found '3'\)"),
    "zone": (MAPPING.replace('"UTC"', '"Pacific"'), r"key 'time\.timezone': expected \"UTC\", .* \(found 'Pacific'\)"),
    "zone path": (MAPPING.replace('"UTC"', '"../x"'), r"key 'time\.timezone': expected \"UTC\", .* \(found '\.\./x'\)"),
    "channel": (MAPPING + '[channels.car]\ncolumn = "x"\nunit = "Wh"', r"key 'channels\.car\.\[key\]': Input"),
    "no energy": (MAPPING.split("[load]", maxsplit=1)[0], r"expected either \[load\] .* or \[import\]"),
    "two meanings": (MAPPING + '[import]\ncolumn = "used"\nunit = "Wh"', r"expected either \[load\] .* or \[import\]"),
    "export alone": (MAPPING + '[export]\ncolumn = "used"\nunit = "Wh"', r"\[export\] goes with \[import\]"),
    "no file": (MAPPING.replace("house.csv", "home.csv"), r"key 'files': 'home\.csv' is not beside it"),
    "no column": (MAPPING.replace('"used"', '"load"'), r"house\.csv, line 1: no column 'load', .* \(found: 'time'"),
    "unknown home": (MAPPING + "[homes.oak]\npv_kw = 1", r"key 'homes\.oak': no such home \(found: house\)"),
    "id": (MAPPING + '[home]\nid = "a b"', r"key 'home\.id': String should match"),
    "minutes": ("minutes = 60\n" + MAPPING, r"house\.toml: key 'minutes' is 60, but rows of home house are 30 minutes"),
    "skip_lines": ("skip_lines = 5\n" + MAPPING, r"no column 'time', .*; they stand in line 1: write skip_lines = 0"),
    "far too many": ("skip_lines = 99\n" + MAPPING, r"no line below the first 99; is skip_lines right\?"),
    "delimiter": ('delimiter = ";"\n' + MAPPING, r"no column 'time', .*they stand in line 1: .* and delimiter = \",\""),
    "battery": (MAPPING + "[home.battery]\ncapacity = 3", r"key 'home\.battery\.capacity' is unknown"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(BAD_MAPPINGS))
def test_bad_mappings_are_named(tmp_path, case):
    mapping, message = BAD_MAPPINGS[case]
    with pytest.raises(UserError, match=message) as caught:
        load(write(tmp_path, mapping))
    assert "\n" not in str(caught.value)


def _with(line: int, text: str) -> list[str]:
    return [*ROWS[: line - 1], text, *ROWS[line:]]


BAD_FILES = {
    "text": (_with(4, "2024-06-01 01:00,many"), r"house\.csv, line 4, column used: 'many' is not a number"),
    "decimal comma": (_with(4, '2024-06-01 01:00,"1,5"'), r"line 4, column used: '1,5' .* one with a decimal point"),
    "infinite": (_with(4, "2024-06-01 01:00,inf"), r"line 4, column used: 'inf' is not a number"),
    "negative": (_with(4, "2024-06-01 01:00,-5"), r"house\.csv, line 4: load_wh of -5 Wh in 30 minutes; expected 0"),
    "unit": (_with(4, "2024-06-01 01:00,600000"), r"house\.csv, line 4: load_wh of 600000 Wh .*is the unit right"),
    "time": (_with(4, "1 o'clock,5"), r'line 4, column time: "1 o\'clock" is not a time; expected one like 2024-03-10'),
    "empty time": (_with(4, ",5"), r"line 4, column time: '' is not a time"),
    "year": (_with(4, "0024-06-01 01:00,5"), r"line 4, column time: .* is not a time; .* 1990 to 2099"),
    "offset": (_with(4, "2024-06-01 01:00-07:00,5"), r"line 4, column time: .* carries an offset; .*\"offset\""),
    "duplicate": (_with(4, "2024-06-01 00:30,5"), r"house\.csv, line 4: overlaps the interval of line 3"),
    "off the grid": (_with(4, "2024-06-01 01:10,5"), r"house\.csv, line 4: .* 10 minutes late"),
    "ragged": (_with(4, "2024-06-01 01:00,5,6,7"), r"house\.csv, line 4: 4 cells; expected 2, as in"),
    "one row": (ROWS[:2], r"house\.csv: one row of home house; write its length as 'minutes' in house\.toml"),
    "no rows": (ROWS[:1], r"house\.csv: no rows below the heading"),
    "empty": ("", r"house\.csv: the file is empty"),
    "quote": (_with(4, '2024-06-01 01:00,"5'), r"house\.csv, line 4: a quote that is not closed in its line"),
    "closed later": (
        [*_with(4, '2024-06-01 01:00,"5'), '2024-06-02 00:00,5"', "2024-06-02 00:30,5,6"],
        r"house\.csv, line 4: a quote that is not closed in its line",
    ),
    "format": (_with(4, "06/01/2024 01:00,5"), r"is not a time; .*; the key 'format' of \[time\] says how"),
    "two of a name": (["time,used,used", "2024-06-01 00:00,1,1"], r"line 1: two columns are named 'used'"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(BAD_FILES))
def test_bad_files_are_named(tmp_path, case):
    rows, message = BAD_FILES[case]
    with pytest.raises(UserError, match=message) as caught:
        load(write(tmp_path, rows=rows))
    assert "\n" not in str(caught.value)


def test_a_skipped_local_time_is_named(tmp_path):
    rows = ["time,used", "2024-03-10 01:30,1", "2024-03-10 02:30,1", "2024-03-10 03:30,1"]
    with pytest.raises(UserError, match=r"house\.csv, line 3, column time: 2024-03-10 02:30 does not exist in America"):
        load(write(tmp_path, MAPPING.replace("UTC", TIMEZONE), rows))


def test_a_file_that_is_no_utf_8_is_said_to_be_that(tmp_path):
    write(tmp_path)
    (tmp_path / "house.csv").write_bytes("time,used\n2024-06-01,\xe9\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"house\.csv: not text in UTF-8; save it as 'CSV UTF-8'"):
        load(str(tmp_path / "house.toml"))


def test_what_an_import_and_export_meter_knows_is_kept_in_its_source(tmp_path):
    mapping = MAPPING.replace("[load]", "[import]")
    facts, _ = only(write(tmp_path, mapping))
    assert facts.source == "csv-net:house.toml" and is_net_metered(facts)
    assert not is_net_metered(only(write(tmp_path))[0])


def test_a_csv_alone_gets_a_mapping_to_start_from(tmp_path):
    csv = tmp_path / "meter.csv"
    csv.write_text("Timestamp;Consumption [kWh];Solar (kW)\n2024-06-01 00:00;1;2\n2024-06-01 00:30;1;2\n")
    with pytest.raises(UserError, match=r"write meter\.toml beside it") as caught:
        importer_for(str(csv))
    mapping = str(caught.value).split("\n", 1)[1]
    (tmp_path / "meter.toml").write_text(mapping)
    readings = only(str(tmp_path / "meter.toml"))[1]
    assert readings.load_wh.tolist() == [1000, 1000] and readings.pv_wh.tolist() == [1000, 1000]
    with pytest.raises(UserError, match="no such file"):
        importer_for(str(tmp_path / "other.csv"))
    csv.write_text("a,b\n")
    with pytest.raises(UserError, match=r"column = \"\?\?\?\""):
        importer_for(str(csv))


def test_a_file_that_changes_its_step_is_refused(tmp_path):
    hours = pd.date_range("2024-05-01", periods=24, freq="h")
    halves = pd.date_range("2024-05-02", periods=96, freq="30min")
    table = pd.DataFrame({"t": [*hours, *halves], "kwh": [1.0] * 24 + [0.5] * 96})
    table.to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "a.toml").write_text(
        'files = ["a.csv"]\n[time]\ncolumn = "t"\ntimezone = "UTC"\n[load]\ncolumn = "kwh"\nunit = "kWh"\n'
    )
    with pytest.raises(UserError, match="30 minutes apart in some places and 60 in others"):
        load(str(tmp_path / "a.toml"))


def test_an_unknown_time_zone_is_refused(tmp_path):
    pd.DataFrame({"t": pd.date_range("2024-05-01", periods=48, freq="h"), "kwh": 1.0}).to_csv(
        tmp_path / "a.csv", index=False
    )
    (tmp_path / "a.toml").write_text(
        'files = ["a.csv"]\n[time]\ncolumn = "t"\ntimezone = "UTC"\n[load]\ncolumn = "kwh"\nunit = "kWh"\n'
        '[home]\ntimezone = "Mars/X"\n'
    )
    with pytest.raises(UserError, match="'Mars/X' is no time zone"):
        load(str(tmp_path / "a.toml"))


@pytest.mark.parametrize(
    "labels", [["01:00", "01:00", "02:00"], ["01:00", "02:00", "02:00"]], ids=["by the clock", "by their beginning"]
)
def test_both_customs_of_naming_the_ends_of_autumn_hours(tmp_path, labels):
    # From before the change in spring, where the label 02:00 or 03:00 ends the same hour.
    wall = pd.date_range("2024-03-01 09:00", "2024-11-03 07:00", freq="h", tz="UTC").tz_convert("America/Los_Angeles")
    before = [f"{moment:%Y-%m-%d %H:%M}" for moment in wall]
    after = [f"2024-11-03 {hour:02d}:00" for hour in range(3, 24)]
    table = pd.DataFrame({"t": before + [f"2024-11-03 {label}" for label in labels] + after})
    table["kwh"] = np.arange(len(table)) / 100 + 0.5
    table.to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "a.toml").write_text(
        'files = ["a.csv"]\n[time]\ncolumn = "t"\ntimezone = "America/Los_Angeles"\nlabel = "end"\n'
        '[load]\ncolumn = "kwh"\nunit = "kWh"\n'
    )
    imported = load(str(tmp_path / "a.toml"))
    ((_, readings),) = imported.homes
    assert readings.metered is None and not imported.warnings
    assert readings.load_wh.reshape(-1, 2).sum(axis=1).tolist() == (1000 * table.kwh).round().astype(int).tolist()
