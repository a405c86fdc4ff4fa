"""ResStock files: Eastern Standard Time, ends of quarter-hours, and end uses of several releases."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.clock import slot_of
from common.errors import UserError
from common.readings import CHANNELS
from datagen.importers import IMPORTERS, importer_for
from datagen.importers.resstock import load

EST = timezone(timedelta(hours=-5))
USES_2021 = {
    "refrigerator": 0.02, "extra_refrigerator": 0.01, "freezer": 0.01, "cooling": 0.3, "fans_cooling": 0.05,
    "heating_supplement": 0.1, "vehicle": 0.4, "water_systems": 0.2, "recirc_pump": 0.01, "clothes_dryer": 0.1,
    "dishwasher": 0.05, "plug_loads": 0.15, "ceiling_fan": 0.02,
}  # fmt: skip
USES_2024 = {
    "refrigerator": 0.02, "freezer": 0.02, "cooling": 0.3, "cooling_fans_pumps": 0.05, "heating_hp_bkup": 0.1,
    "ev_charging": 0.4, "hot_water": 0.21, "clothes_washer": 0.05, "clothes_dryer": 0.1, "plug_loads": 0.17,
}  # fmt: skip
WH_OF_SLOT = {
    "fridge_wh": 80, "hvac_wh": 900, "ev_wh": 800, "water_heater_wh": 420, "laundry_wh": 300, "other_wh": 340,
}  # fmt: skip


def table(uses: dict[str, float] = USES_2024, suffix: str = "", days: int = 2, pv: float | None = 0.25) -> pd.DataFrame:
    """Days of constant quarter-hours from 1 January 2018, as released."""
    end = pd.date_range("2018-01-01 00:15", periods=96 * days, freq="15min")
    columns = {f"out.electricity.{use}.energy_consumption{suffix}": kwh for use, kwh in uses.items()}
    columns[f"out.electricity.total.energy_consumption{suffix}"] = sum(uses.values())
    if pv is not None:
        columns[f"out.electricity.pv.energy_consumption{suffix}"] = -pv
        columns[f"out.electricity.net.energy_consumption{suffix}"] = sum(uses.values()) - pv
    columns |= {
        "out.natural_gas.total.energy_consumption": 9.0,
        "out.electricity.cooling.energy_consumption_intensity": 1,
    }
    return pd.DataFrame({"bldg_id": 100, "timestamp": end} | columns)


def write(path: Path, frame: pd.DataFrame) -> Path:
    frame.to_parquet(path, index=False) if path.suffix == ".parquet" else frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("suffix", ["", "..kwh", ".kwh"])
@pytest.mark.parametrize("uses", [USES_2021, USES_2024], ids=["2021", "2024"])
@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_a_file_of_each_release(tmp_path, uses, suffix, ending):
    file = write(tmp_path / f"100-0{ending}", table(uses, suffix))
    assert importer_for(str(file)) is IMPORTERS["resstock"]
    imported = load(str(file))
    ((facts, readings),) = imported.homes
    assert facts.home_id == "100-0" and facts.resolution_slots == 1 and facts.pv_kw == 1.0
    assert readings.first_slot == slot_of(datetime(2018, 1, 1, tzinfo=EST)), (
        "the first row ends a quarter past midnight"
    )
    assert len(readings) == 96 and readings.metered is None
    for name, row in zip(CHANNELS, readings.channels, strict=True):
        assert abs(row - WH_OF_SLOT[name]).max() <= 1, name
    assert readings.load_wh.sum() == readings.channels.sum() and abs(readings.load_wh - 2840).max() <= 6
    assert set(readings.pv_wh) == {500}
    assert any("panels of 1 kW assumed" in warning for warning in imported.warnings)


def test_load_is_in_the_half_hour_that_the_time_stamp_ends(tmp_path):
    frame = table()
    total = frame["out.electricity.total.energy_consumption"].copy()
    noon = frame["timestamp"] == "2018-01-01 15:30"  # 12:15-12:30 in California
    frame["out.electricity.total.energy_consumption"] = total.where(~noon, total + 1)
    frame["out.electricity.net.energy_consumption"] += noon
    ((_, readings),) = load(str(write(tmp_path / "1-0.parquet", frame))).homes
    assert readings.load_wh.argmax() == slot_of(datetime(2018, 1, 1, 15, 0, tzinfo=EST)) - readings.first_slot


def test_a_folder_holds_a_home_a_file(tmp_path):
    write(tmp_path / "7-0.parquet", table(pv=None))
    write(tmp_path / "12-0.csv", table(USES_2021))
    (tmp_path / "metadata.csv").write_text("bldg_id,in.state\n7,CA\n")
    homes = load(str(tmp_path)).homes
    assert [facts.home_id for facts, _ in homes] == ["12-0", "7-0"]
    assert not homes[1][1].pv_wh.any() and homes[1][0].pv_kw == 0


def test_a_file_without_end_uses_has_no_channels(tmp_path):
    frame = table(pv=None)[["timestamp", "out.electricity.total.energy_consumption"]]
    ((_, readings),) = load(str(write(tmp_path / "1-0.parquet", frame))).homes
    assert readings.channels is None and abs(readings.load_wh - 2840).max() <= 1


def test_a_missing_row_is_a_gap(tmp_path):
    ((_, readings),) = load(str(write(tmp_path / "1-0.csv", table().drop(index=[40])))).homes
    assert np.flatnonzero(~readings.metered).tolist() == [20]


def test_batteries_are_left_out_with_a_warning(tmp_path):
    frame = table().assign(**{"out.electricity.battery.energy_consumption": -0.1})
    assert any("its battery is left out" in w for w in load(str(write(tmp_path / "1-0.csv", frame))).warnings)


def _set(column: str, row: int, value: object):
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype({column: object})
        frame.loc[row, column] = value
        return frame

    return change


TOTAL, PV, NET = (f"out.electricity.{use}.energy_consumption" for use in ("total", "pv", "net"))
BAD = {
    "no total": (lambda t: t.drop(columns=TOTAL), r"1-0\.csv: column out\.electricity\.total.* is missing"),
    "no time": (lambda t: t.drop(columns="timestamp"), r"1-0\.csv: column timestamp is missing \(found: bldg_id"),
    "bad time": (_set("timestamp", 3, "soon"), r"1-0\.csv, line 5, column timestamp: 'soon' is not a time"),
    "time with offset": (_set("timestamp", 3, "2018-01-01 01:00:00-08:00"), r"line 5, column timestamp: .* an offset"),
    "text": (_set(TOTAL, 3, "much"), r"1-0\.csv, line 5, column out\.electricity\.total.*: 'much' is not a number"),
    "negative load": (_set("out.electricity.cooling.energy_consumption", 3, -0.5), r"1-0\.csv, line 5: hvac_wh of -"),
    "Wh for kWh": (lambda t: t.assign(**{TOTAL: 4e4, PV: 0.0, NET: 4e4}), r"1-0\.csv, line 2: load_wh of 4e\+07 Wh"),
    "positive pv": (_set(PV, 3, 0.5), r"line 5, column out\.electricity\.pv.*: 0\.5 is positive; expected"),
    "net of something else": (_set(NET, 3, 9.0), r"line 5, column out\.electricity\.net.*: 9 is not total 1\.42"),
    "two buildings": (_set("bldg_id", 3, 101), r"column bldg_id: 2 buildings; expected one a file"),
    "aggregate": (lambda t: t.assign(models_used=12), r"column models_used says that it sums many buildings"),
    "duplicate": (
        lambda t: pd.concat([t[:5], t[4:].assign(**{TOTAL: 1.5, NET: 1.25})]),
        r"1-0\.csv, line 7: overlaps the interval of line 6",
    ),
    "off the grid": (lambda t: t.assign(timestamp=t.timestamp + pd.Timedelta(minutes=7)), r"line 2: .*7 minutes late"),
    "no rows": (lambda t: t[:0], r"1-0\.csv: no rows"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(BAD))
def test_bad_files_are_named(tmp_path, case):
    spoil, message = BAD[case]
    frame = table()
    frame["timestamp"] = frame["timestamp"].astype(str) if case != "off the grid" else frame["timestamp"]
    with pytest.raises(UserError, match=message) as caught:
        load(str(write(tmp_path / "1-0.csv", spoil(frame))))
    assert "\n" not in str(caught.value)


def test_bad_parquet_files_are_named(tmp_path):
    file = write(tmp_path / "1-0.parquet", table())
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(UserError, match="no ResStock file here"):
        load(str(file))
    write(file, table().assign(timestamp=1))
    with pytest.raises(
        UserError, match=r"1-0\.parquet, line 2, column timestamp: values of type int64; expected times"
    ):
        load(str(file))
    write(file, table().assign(**{TOTAL: "x"}))
    with pytest.raises(UserError, match=r"column out\.electricity\.total.*: values of type .*; expected numbers"):
        load(str(file))
