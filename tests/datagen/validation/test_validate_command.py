from __future__ import annotations

import json

import numpy as np
import pytest
import typer
from homes_for_validation import axis_of, noisy_homes
from typer.testing import CliRunner

from common.errors import UserError
from datagen.climate import climate_of
from datagen.validation.climate_choice import choose_climate, choose_stock, weather_of
from datagen.validation.command import validate
from datagen.validation.comparison import compare
from datagen.validation.population import generated_population, real_population
from datagen.validation.two_sample import day_profiles, two_sample_auc
from datagen.weather import make_weather


def _run(*arguments: str):
    app = typer.Typer()
    app.command()(validate)
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


def test_the_whole_command_on_a_small_folder(folder, tmp_path):
    out = tmp_path / "out"
    result = _run("--against", str(folder.path), "--homes", "3", "--climate", "10", "--out", str(out))
    assert result.exit_code == 0, result.exception
    assert "zone 10 (Riverside); asked for" in result.output
    for heading in ("energy a year", "Load by hour, workdays", "Diversity", "Telling days apart", "trained on"):
        assert heading in result.output
    assert "too few to tell some from others" in result.output
    found = json.loads((out / "validation.json").read_text())
    assert found["provenance"]["real_homes"] == ["A-1", "B"] and found["provenance"]["generated_homes"] == 3
    assert found["provenance"]["options"] == {
        "against": "citylearn:homes", "homes": 3, "seed": 0, "climate": "10", "stock": "",
    }  # fmt: skip
    assert found["forecast"]["first_test_day"] == "2017-07-15"
    assert found["two_sample"][0]["generated"]["auc"] > 0.5 and found["two_sample"][0]["yardstick"] is None
    assert any(row["name"] == "solar yield a year" for row in found["statistics"])
    assert (out / "validation.png").stat().st_size > 50_000


def test_mistakes_are_named(folder, tmp_path):
    for arguments, message in (
        (("--against", str(tmp_path)), "not a known format"),
        (("--against", str(folder.path), "--climate", "17"), "climate '17' is no zone"),
        (("--against", str(folder.path), "--stock", "mud"), "stock 'mud' is unknown"),
        (("--against", str(folder.path), "--out", str(folder.path / "a.csv")), "is a file; name a folder"),
    ):
        result = _run(*arguments)
        assert isinstance(result.exception, UserError) and message in str(result.exception)
    table = folder.table("a.csv")
    folder.save("a.csv", table.assign(non_shiftable_load=0.0))
    assert len(real_population(str(folder.path))[0]) == 1
    folder.save("b.csv", folder.table("b.csv").assign(non_shiftable_load=0.0, cooling_demand=0.0))
    with pytest.raises(UserError, match="no home has a working meter"):
        real_population(str(folder.path))


def test_the_climate_is_found_from_the_year_of_the_homes():
    axis = axis_of(days=364)
    made = generated_population(axis, 6, 5, make_weather(5, axis.slots, climate_of("15")), True)
    choice = choose_climate("", "nowhere", made)
    assert choice.zone == "15" and "misfit" in choice.reason
    assert choose_climate("5", "nowhere", made).zone == "5"


def test_the_stock_is_found_from_the_nights_of_winter():
    axis = axis_of(days=364)
    homes = noisy_homes(axis, 2, seed=0)
    assert choose_stock("", homes)[0] == "california"
    homes.load_kwh[:, np.isin(axis.month, (12, 1, 2))] *= 2
    assert choose_stock("", homes)[0] == "all-electric"
    assert choose_stock("california", homes)[0] == "california"
    with pytest.raises(UserError, match="choose one of: california, all-electric"):
        choose_stock("igloo", homes)


def test_a_weather_file_beside_the_homes_is_taken(tmp_path):
    (tmp_path / "weather.epw").touch()
    homes = noisy_homes(axis_of(), 2, seed=0)
    assert choose_climate("", str(tmp_path), homes).file == tmp_path / "weather.epw"
    assert choose_climate("7", str(tmp_path), homes).file is None


@pytest.mark.real
def test_fontana_has_seven_sound_homes(real_data):
    path = str(real_data("fontana"))
    real, _, notes = real_population(path)
    assert len(real) == 7 and real.axis.step_slots == 2 and len(real.axis) == 8760
    assert any("Building_7" in note and "left out" in note for note in notes)
    weather, where = weather_of(choose_climate("10", path, real), 0, real.axis.slots)
    generated = generated_population(real.axis, 3, 0, weather, True)
    assert where == "zone 10 (Riverside)" and all(row.real_min <= row.real_max for row in compare(real, generated))
    found = two_sample_auc(day_profiles(real), day_profiles(generated), repeats=1)
    assert 0.4 < found.auc < 1.0
