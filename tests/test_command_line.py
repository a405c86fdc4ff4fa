"""A user's mistake ends in one clear line and code 2, and leaves nothing half-written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import simulation
from datagen.scenario import SCENARIOS

ROOT = Path(__file__).resolve().parent.parent
HOURS = 24 * 90
THERMAL = dict.fromkeys(("cooling_demand", "heating_demand", "dhw_demand"), 0.0)


def citylearn(folder: Path, homes: int = 2) -> Path:
    """A small folder in the CityLearn format: 90 days from Monday, 1 January 2018."""
    folder.mkdir()
    hour = pd.Series(range(HOURS))
    day = pd.Timestamp("2018-01-01") + pd.to_timedelta(hour // 24, unit="D")
    clock = pd.DataFrame({"month": day.dt.month, "hour": hour % 24 + 1, "day_type": day.dt.day_of_week + 1})
    load = clock.assign(non_shiftable_load=0.5 + (hour % 24) / 24, solar_generation=0.0, **THERMAL)
    schema: dict[str, object] = {"seconds_per_time_step": 3600, "buildings": {}}
    for number in range(homes):
        name = f"Building_{number + 1}"
        load.to_csv(folder / f"{name}.csv", index=False)
        schema["buildings"][name] = {  # type: ignore[index]
            "include": True, "energy_simulation": f"{name}.csv", "weather": "weather.csv",
            "pv": {"attributes": {"nominal_power": 4.0}},
        }  # fmt: skip
    weather = {"outdoor_dry_bulb_temperature": 15.0, "outdoor_relative_humidity": 60.0,
               "diffuse_solar_irradiance": 0.0, "direct_solar_irradiance": 0.0}  # fmt: skip
    pd.DataFrame(weather, index=range(HOURS)).to_csv(folder / "weather.csv", index=False)
    (folder / "schema.json").write_text(json.dumps(schema))
    return folder


def fails(tmp_path: Path, *arguments: str) -> str:
    """Run a command that must fail with code 2; returns what it said."""
    out = tmp_path / "out"
    done = CliRunner().invoke(simulation.cli, [*arguments, "--out", str(out)])
    assert done.exit_code == 2, done.output
    assert not out.exists(), "nothing may be left half-written"
    assert "Traceback" not in done.output
    return " ".join(done.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["day", "--scenario", "summer"], f"choose one of: {', '.join(SCENARIOS)}"),
        (["day", "--model", "huge"], "choose one of: full, small, tiny"),
        (["day", "--settlement", "later"], "choose one of: firm, metered"),
        (["evaluate", "--mechanism", "lottery"], "choose one of: sdr, uniform, mid-market, pay-as-bid"),
        (["day", "--tariff", "free"], "known names"),
        (["day", "--date", "18.6.2025"], "YYYY-MM-DD"),
        (["day", "--solar-share", "1.5"], "solar-share"),
        (["day", "--homes", "0"], "homes"),
        (["day", "--neighbours", "3"], "they live beside real homes"),
        (["day", "--data", "/no/such/folder"], "no such folder"),
        (["day", "--unknown"], "--unknown"),
        (["evaluate", "--days", "1000"], "has only"),
        (["train", "--strategy", "krum", "--homes", "4"], "krum needs at least 5 homes a round"),
        (["train", "--strategy", "fedsgd"], "choose one of: fedavg"),
        (["day", "--init", str(ROOT / "LICENSE")], "LICENSE: not a model of Commonwatt"),
        (["evaluate", "--init", str(ROOT / "docs")], "docs: the folder holds no model.safetensors; expected"),
        (["evaluate", "--forecaster", "crystal-ball"], "choose one of: hybrid, base, profile, perfect"),
    ],
)
def test_bad_options(tmp_path: Path, arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are found before anything is made; a span of days is known only by the homes."""
    if "--days" not in arguments:
        monkeypatch.setattr("datagen.community._make", None)
    assert says in fails(tmp_path, *arguments)


def change(folder: Path, column: str, row: int, value: object) -> None:
    path = folder / "Building_1.csv"
    table = pd.read_csv(path)
    table[column] = table[column].astype(object)
    table.loc[row, column] = value
    table.to_csv(path, index=False)


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda f: change(f, "non_shiftable_load", 7, -1), "line 9, column non_shiftable_load: -1 is negative"),
        (lambda f: change(f, "non_shiftable_load", 7, ""), "line 9, column non_shiftable_load"),
        (lambda f: change(f, "non_shiftable_load", 7, "lots"), "line 9, column non_shiftable_load"),
        (lambda f: change(f, "hour", 30, 20), "hour"),
        (lambda f: (f / "Building_1.csv").unlink(), "Building_1.csv"),
        (lambda f: (f / "schema.json").unlink(), "schema.json"),
    ],
)
def test_malformed_data(tmp_path: Path, break_it: object, says: str) -> None:
    folder = citylearn(tmp_path / "data")
    break_it(folder)  # type: ignore[operator]
    assert says in fails(tmp_path, "day", "--data", str(folder))


def test_fewer_homes_than_asked_for(tmp_path: Path) -> None:
    assert "asked for 5 homes" in fails(tmp_path, "day", "--data", str(citylearn(tmp_path / "data")), "--homes", "5")


def test_outputs_are_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text("{}")
    done = CliRunner().invoke(simulation.cli, ["day", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "not empty" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_unwritable_output_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(simulation.cli, ["day", "--out", str(tmp_path / "file" / "out")])
    assert done.exit_code == 2
    assert "cannot be written" in " ".join(done.output.split())


def test_help_reads_well() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "simulation.py", "day", "--help"], capture_output=True, text=True, check=True,
        env=os.environ | {"COLUMNS": "100"},
    )  # fmt: skip
    for option in ("--scenario", "--homes", "--days", "--seed", "--date", "--data", "--out", "--tariff",
                   "--solar-share", "--settlement", "--model"):  # fmt: skip
        assert option in done.stdout
