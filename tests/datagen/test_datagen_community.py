from __future__ import annotations

import time
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from common.clock import day_slots
from common.config import RunConfig
from common.errors import UserError
from common.readings import home_folders, read_facts, read_forecast, read_readings
from datagen.community import prepare_homes
from datagen.manifest import read_manifest
from datagen.scenario import SCENARIOS, scenario

THREE = RunConfig(homes=3)


def test_a_prepared_community_is_complete(tmp_path):
    seen = []
    root = tmp_path / "a" / "homes"
    manifest = prepare_homes(THREE, root, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert read_manifest(root) == manifest
    assert (
        [folder.name for folder in home_folders(root)] == manifest.homes == ["home-00000", "home-00001", "home-00002"]
    )
    assert [p.name for p in root.parent.iterdir()] == ["homes"]  # no drafts are left
    assert manifest.start_date == date(2025, 6, 18)
    assert (manifest.first_day, manifest.last_day) == (date(2024, 6, 18), date(2025, 6, 21))
    for folder in home_folders(root):
        readings, forecast = read_readings(folder), read_forecast(folder)
        assert readings.first_slot == day_slots(manifest.first_day).start
        assert readings.end_slot == day_slots(manifest.last_day).stop
        last_issue = day_slots(manifest.start_date).stop - 12
        assert forecast is not None and forecast.issue_slot[-1] >= last_issue
    assert [read_facts(folder).pv_kw > 0 for folder in home_folders(root)] == [False, True, False]


def test_homes_do_not_depend_on_how_many_there_are(tmp_path):
    few, more = prepare_homes(THREE, tmp_path / "few"), prepare_homes(replace(THREE, homes=5), tmp_path / "more")
    assert few.data_hash != more.data_hash
    for home in few.homes:
        a, b = read_readings(tmp_path / "few" / home), read_readings(tmp_path / "more" / home)
        np.testing.assert_array_equal(a.channels, b.channels)
        np.testing.assert_array_equal(a.pv_wh, b.pv_wh)


def test_the_same_inputs_give_the_same_hash(tmp_path):
    first = prepare_homes(THREE, tmp_path / "a")
    assert prepare_homes(THREE, tmp_path / "b").data_hash == first.data_hash
    assert prepare_homes(replace(THREE, seed=1), tmp_path / "c").data_hash != first.data_hash


def test_a_folder_with_the_same_inputs_is_used_again(tmp_path):
    first = prepare_homes(THREE, tmp_path / "a")
    stamp = (tmp_path / "a" / "home-00000" / "readings.parquet").stat().st_mtime_ns
    begun = time.perf_counter()
    assert prepare_homes(THREE, tmp_path / "a") == first
    assert time.perf_counter() - begun < 0.5
    assert (tmp_path / "a" / "home-00000" / "readings.parquet").stat().st_mtime_ns == stamp


def test_a_folder_with_other_contents_is_left_alone(tmp_path):
    prepare_homes(THREE, tmp_path / "a")
    with pytest.raises(UserError, match=r"other options \(seed\)"):
        prepare_homes(replace(THREE, seed=1), tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="holds no community"):
        prepare_homes(THREE, tmp_path / "b")
    (tmp_path / "a" / "home-00001" / "readings.parquet").unlink()
    with pytest.raises(UserError, match="home-00001 are missing"):
        prepare_homes(THREE, tmp_path / "a")


def test_nothing_half_written_is_left_after_a_failure(tmp_path):
    def fail(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_homes(THREE, tmp_path / "a", fail)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_scenarios_differ_as_they_say(tmp_path, name):
    manifest = prepare_homes(replace(THREE, homes=2, scenario=name), tmp_path / "a")
    made = scenario(name)
    assert manifest.start_date == made.day
    readings = read_readings(tmp_path / "a" / "home-00001")
    rows = np.arange(day_slots(made.day).start, day_slots(made.day).stop) - readings.first_slot
    top_c = readings.weather[0, rows].max()
    assert top_c > 38 if made.heat_wave else top_c < 40
    assert readings.pv_wh.any() == (made.solar_share > 0)
    if made.clear_sky:
        assert readings.weather[2, rows].sum() / 2000 > 7.5


def test_options_override_the_scenario(tmp_path):
    config = replace(THREE, date="2025-07-04", days=2, solar_share=1.0)
    manifest = prepare_homes(config, tmp_path / "a")
    assert manifest.start_date == date(2025, 7, 4)
    assert (manifest.first_day, manifest.last_day) == (date(2024, 7, 4), date(2025, 7, 8))
    assert all(read_facts(folder).pv_kw > 0 for folder in home_folders(tmp_path / "a"))


def test_test_days_stretch_the_span(tmp_path):
    config = replace(THREE, homes=1, test_days="2025-07-10, 2025-06-20")
    manifest = prepare_homes(config, tmp_path / "a")
    assert (manifest.start_date, manifest.first_day) == (date(2025, 6, 20), date(2024, 6, 20))
    assert manifest.last_day == date(2025, 7, 13)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"date": "18.6.2025"}, "date '18.6.2025' is not a date; write YYYY-MM-DD"),
        ({"date": "2025-02-30"}, "is not a date"),
        ({"date": "0001-01-01"}, "outside the years"),
        ({"days": 10**9}, "outside the calendar"),
        ({"test_days": "2025-06-01,x"}, "test-days 'x' is not a date"),
        ({"date": "2025-06-01", "test_days": "2025-06-02"}, "exclude each other"),
        ({"scenario": "hail"}, "scenario 'hail' is unknown; choose one of: default, heat-wave"),
        ({"homes": 0}, "needs real data"),
        ({"data": "household"}, "nothing to prepare"),
        ({"data": "/no/such/place"}, "no such file or folder"),
    ],
)
def test_bad_options_are_named(tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        prepare_homes(replace(THREE, **change), tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_ten_homes_take_seconds(tmp_path):
    begun = time.process_time()
    prepare_homes(RunConfig(), tmp_path / "a")
    assert time.process_time() - begun < 6
