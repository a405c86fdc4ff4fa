from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from common.config import BatterySpec
from common.errors import UserError
from common.readings import home_folders, read_facts, read_forecast, read_readings, write_home
from datagen.__main__ import app
from datagen.exporting import WRITABLE
from datagen.importers import IMPORTERS, importer_for

ROOT = Path(__file__).parents[2]


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def test_generate_and_describe(tmp_path):
    made = invoke("generate", "--homes", "2", "--out", tmp_path / "a", "--seed", "3")
    assert made.exit_code == 0 and "2 homes, 2024-06-18 to 2025-06-21" in made.output
    shown = invoke("describe", tmp_path / "a")
    assert shown.exit_code == 0 and "home-00001" in shown.output


def test_a_homes_files_are_its_owners_alone(tmp_path):
    invoke("generate", "--homes", "1", "--out", tmp_path / "a")
    (home,) = home_folders(tmp_path / "a")
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in home.iterdir()} == {0o600}


def test_import_keeps_every_home_and_its_weather(folder, tmp_path):
    done = invoke("import", folder.path, "--out", tmp_path / "mine")
    assert done.exit_code == 0 and "2 homes, 2017-06-01" in done.output
    original = importer_for(str(folder.path)).load(str(folder.path))
    for (facts, readings), home in zip(original.homes, home_folders(tmp_path / "mine"), strict=True):
        assert read_facts(home).home_id == facts.home_id
        again = read_readings(home)
        np.testing.assert_array_equal(again.load_wh, readings.load_wh)
        np.testing.assert_array_equal(again.pv_wh, readings.pv_wh)
        np.testing.assert_array_equal(again.weather, readings.weather)
        assert read_forecast(home) is not None


def test_import_names_homes(folder, tmp_path):
    invoke("import", folder.path, "--out", tmp_path / "mine", "--name", "mine", "--pv-kw", "4.2")
    facts = [read_facts(home) for home in home_folders(tmp_path / "mine")]
    assert [(f.home_id, f.pv_kw) for f in facts] == [("mine-1", 4.2), ("mine-2", 0.0)]


def test_an_assumed_battery_is_told_and_another_is_taken(folder, tmp_path):
    done = invoke("import", folder.path, "--out", tmp_path / "a")
    assert "A-1, B: battery: 13.5 kWh, 5 kW assumed" in " ".join(done.output.split())
    assert {read_facts(home).battery for home in home_folders(tmp_path / "a")} == {BatterySpec()}
    done = invoke("import", folder.path, "--out", tmp_path / "b", "--battery-kwh", "10", "--battery-kw", "4")
    assert "kWh," not in done.output
    batteries = {read_facts(home).battery for home in home_folders(tmp_path / "b")}
    assert batteries == {BatterySpec(capacity_kwh=10, max_power_kw=4)}
    done = invoke("import", folder.path, "--out", tmp_path / "c", "--battery-kwh", "10")
    assert "battery: 10 kWh, 5 kW; --battery-kw says another" in " ".join(done.output.split())


def test_panels_that_are_rated_are_not_assumed(tmp_path):
    rows = [f"Electric usage,2025-06-01,{h:02}:00,{h:02}:59,1.5,2.0,,\n" for h in range(24)]
    heading = "TYPE,DATE,START TIME,END TIME,IMPORT (kWh),EXPORT (kWh),COST,NOTES\n"
    (tmp_path / "5551234567.csv").write_text(heading + "".join(rows))
    told = invoke("import", tmp_path / "5551234567.csv", "--out", tmp_path / "a").output
    assert "panels of 2 kW assumed" in told and "5551234567" not in told  # one home: no file to tell it by
    assert "import" in told and "export" in told and "solar\nkWh/y" not in told
    stored = (tmp_path / "a" / "community.json").read_text()
    assert "panels of 2 kW" in stored and "5551234567" not in stored, "a file's name may be an account number"
    told = invoke("import", tmp_path / "5551234567.csv", "--out", tmp_path / "b", "--pv-kw", "6").output
    assert "assumed" not in told.split("battery")[0] and "the meter shows import and export only" in told


def test_what_is_made_stays_out_of_git(folder, tmp_path):
    invoke("import", folder.path, "--out", tmp_path / "mine")
    invoke("export", folder.path, "--format", "resstock", "--out", tmp_path / "files")
    for name in ("mine", "files"):
        assert (tmp_path / name / ".gitignore").read_text() == "*\n"
    assert importer_for(str(tmp_path / "files")) is IMPORTERS["resstock"]


@pytest.mark.parametrize(("name", "paths"), [("csv", "out.csv, out.toml"), ("sql", "out"), ("greenbutton-csv", "out/")])
def test_an_export_names_what_it_wrote(folder, tmp_path, name, paths):
    done = invoke("export", folder.path, "--format", name, "--out", tmp_path / "out")
    assert done.output.strip() == f"2 homes as {name} in " + ", ".join(f"{tmp_path}/{p}" for p in paths.split(", "))


def test_help_reads_in_the_order_of_use():
    shown = invoke("--help").output
    order = [shown.index(f" {name} ") for name in ("import", "generate", "describe", "export", "validate", "formats")]
    assert order == sorted(order) and "`" not in shown
    assert "a database URL" in " ".join(invoke("import", "--help").output.split())


def test_a_database_is_described_by_its_name(folder, tmp_path):
    invoke("export", folder.path, "--format", "sql", "--out", tmp_path / "homes.db")
    assert " homes.db (sql)" in invoke("describe", f"sqlite:///{tmp_path}/homes.db").output


@pytest.mark.parametrize("name", WRITABLE)
def test_every_format_is_exported_and_imported(folder, tmp_path, name):
    done = invoke("export", folder.path, "--format", name, "--out", tmp_path / "out")
    assert done.exit_code == 0
    written = tmp_path / "out"
    source = {"sql": f"sqlite:///{written}", "csv": f"{written}.toml"}.get(name, str(written))
    assert importer_for(source) is IMPORTERS[name]
    before, after = (importer_for(path).load(path).homes for path in (str(folder.path), source))
    for (_, a), (_, b) in zip(before, after, strict=True):
        net_a, net_b = ((r.load_wh - r.pv_wh).reshape(-1, 2).sum(axis=1) for r in (a, b))
        np.testing.assert_array_equal(net_a, net_b)  # by the hour: that is how these homes were metered
        assert a.first_slot == b.first_slot


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("describe", "nowhere"), "no such file or folder"),
        (("import", "{data}", "--out", "{data}"), "exists already"),
        (("import", "{data}", "--out", "{new}", "--query", "SELECT 1"), "--query is for databases"),
        (("import", "{data}", "--out", "{new}", "--name", "a b"), "--name 'a b'"),
        (("import", "{data}", "--out", "{new}", "--weather", "nowhere.epw"), r"^--weather: nowhere\.epw: No such file"),
        (("export", "{data}", "--out", "{new}", "--format", "xlsx"), "unknown; choose one of: commonwatt, citylearn"),
        (("generate", "--out", "{new}", "--climate", "99"), "no zone"),
        (("generate", "--out", "{new}", "--stock", "igloo"), "choose one of: california, all-electric"),
    ],
)
def test_mistakes_are_told_and_leave_nothing(folder, tmp_path, arguments, message):
    texts = [text.format(data=folder.path, new=tmp_path / "new") for text in arguments]
    with pytest.raises(UserError, match=message) as caught:
        invoke(*texts)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_a_mistake_on_the_command_line_is_one_line():
    done = subprocess.run(
        [sys.executable, "-m", "datagen", "describe", "nowhere"],
        cwd=ROOT, env=os.environ | {"NO_COLOR": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.strip() == "error: data 'nowhere': no such file or folder"


def test_panels_rated_below_what_they_made_are_refused(folder, tmp_path):
    with pytest.raises(UserError, match=r"--pv-kw 0\.5: A-1 made .* kW in its best half-hour"):
        invoke("import", folder.path, "--out", tmp_path / "new", "--pv-kw", "0.5")


def test_several_homes_are_summed_up(tmp_path):
    invoke("generate", "--homes", "3", "--out", tmp_path / "a")
    shown = invoke("describe", tmp_path / "a").output
    assert "load kWh/y: mean" in shown and "appliances, mean kWh/y: fridge" in shown and "solar, 10 %" in shown


def test_an_export_that_fails_leaves_nothing(folder, tmp_path):
    invoke("generate", "--homes", "1", "--out", tmp_path / "a")
    (home,) = home_folders(tmp_path / "a")
    readings = read_readings(home)
    metered = np.arange(len(readings)) != 500
    write_home(home, read_facts(home), replace(readings, metered=metered))
    for name in ("citylearn", "xlsx"):
        with pytest.raises(UserError):
            invoke("export", tmp_path / "a", "--format", name, "--out", tmp_path / "b" / "c")
    assert not (tmp_path / "b").exists() or not list((tmp_path / "b").iterdir())
    with pytest.raises(UserError, match="exists already"):
        invoke("export", tmp_path / "a", "--format", "commonwatt", "--out", folder.path)
