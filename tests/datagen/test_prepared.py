"""Homes as this project writes them: one's folder, a folder of them, and what is wrong with a bad one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.errors import UserError
from common.readings import FORECAST_LEAD_HOURS, HomeFacts, Readings, WeatherForecast, write_home
from datagen.importers import IMPORTERS, importer_for
from datagen.importers.prepared import load, save


def readings(n: int = 96) -> Readings:
    channels = np.arange(6 * n).reshape(6, n) % 50
    metered = np.arange(n) != 5
    channels[:, ~metered] = 0
    return Readings(
        first_slot=970_000,
        load_wh=channels.sum(axis=0),
        pv_wh=np.arange(n) % 7 * metered,
        channels=channels,
        weather=np.ones((4, n), np.float32),
        metered=metered,
    )


def forecast(seed: int = 0) -> WeatherForecast:
    values = np.random.default_rng(seed).random((2, FORECAST_LEAD_HOURS, 4)).astype(np.float32)
    return WeatherForecast(np.array([970_000, 970_012]), values)


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    """A folder of two homes that share their weather."""
    for name in ("elm", "oak"):
        write_home(tmp_path / "homes" / name, HomeFacts(home_id=name, pv_kw=3), readings(), forecast())
    return tmp_path / "homes"


def test_a_folder_of_homes(homes):
    assert importer_for(str(homes)) is IMPORTERS["commonwatt"]
    imported = load(str(homes))
    assert [facts.home_id for facts, _ in imported.homes] == ["elm", "oak"]
    for name in ("load_wh", "pv_wh", "channels", "weather", "metered"):
        np.testing.assert_array_equal(getattr(imported.homes[0][1], name), getattr(readings(), name))
    assert imported.weather is None and not imported.warnings
    np.testing.assert_array_equal(imported.forecast.values, forecast().values)


def test_one_home(homes):
    imported = load(str(homes / "oak"))
    assert importer_for(str(homes / "oak")) is IMPORTERS["commonwatt"]
    assert [facts.home_id for facts, _ in imported.homes] == ["oak"] and imported.forecast is not None


def test_estimates_in_gaps_are_not_taken_for_readings(homes):
    filled = replace(readings(), load_wh=readings().load_wh + 600 * (np.arange(96) == 5))
    filled.channels[0, 5] = 600
    write_home(homes / "oak", HomeFacts(home_id="oak", pv_kw=3), filled, forecast())
    got = load(str(homes)).homes[1][1]
    assert got.load_wh[5] == 0 and not got.channels[:, 5].any() and not got.metered[5]


@pytest.mark.parametrize("other", [None, forecast(1)], ids=["none", "another"])
def test_different_forecasts_are_not_used(homes, other):
    (homes / "oak" / "weather_forecast.parquet").unlink()
    write_home(homes / "oak", HomeFacts(home_id="oak", pv_kw=3), readings(), other)
    imported = load(str(homes))
    assert imported.forecast is None
    assert any("oak" in w and "hold different weather forecasts; none is used" in w for w in imported.warnings)


def test_what_is_written_comes_back(tmp_path):
    home = (HomeFacts(home_id="oak", pv_kw=3, source="x", archetype="y"), readings())
    save([home], tmp_path / "new")
    ((facts, got),) = load(str(tmp_path / "new")).homes
    assert facts == home[0] and got.first_slot == home[1].first_slot
    with pytest.raises(UserError, match="exists already"):
        save([home], tmp_path / "new")
    with pytest.raises(UserError, match="two homes are named 'oak'"):
        save([home, home], tmp_path / "twice")


def _table(change):
    def spoil(folder: Path) -> None:
        path = folder / "readings.parquet"
        change(pd.read_parquet(path)).to_parquet(path, index=False)

    return spoil


def _facts(**changes):
    def spoil(folder: Path) -> None:
        facts = json.loads((folder / "home.json").read_text())
        (folder / "home.json").write_text(json.dumps(facts | changes))

    return spoil


def _forecasts(change):
    def spoil(folder: Path) -> None:
        path = folder / "weather_forecast.parquet"
        change(pd.read_parquet(path)).to_parquet(path, index=False)

    return spoil


BAD = {
    "no readings": (lambda folder: (folder / "readings.parquet").unlink(), r"oak: readings\.parquet is missing"),
    "no Parquet": (lambda f: (f / "readings.parquet").write_bytes(b"PAR1junk"), r"oak/readings\.parquet: cannot"),
    "no column": (_table(lambda t: t.drop(columns="pv_wh")), r"oak/readings\.parquet: column pv_wh is missing"),
    "negative": (_table(lambda t: t.assign(pv_wh=-1)), r"oak/readings\.parquet: column pv_wh, row 0: -1 Wh"),
    "missing row": (_table(lambda t: t.drop(index=[7])), r"oak/readings\.parquet: slots must follow each other"),
    "sum": (_table(lambda t: t.assign(load_wh=t.load_wh + 1)), r"column load_wh, row 0: 1\d+ Wh, but the"),
    "no JSON": (lambda folder: (folder / "home.json").write_text("{"), r"oak/home\.json"),
    "fact": (_facts(pv_kw=-1), r"oak/home\.json: key pv_kw: Input should be greater than or equal to 0"),
    "rating": (_facts(pv_kw=0), r"oak/home\.json: pv_kw is 0, but column pv_wh of the readings is not; expected kW"),
    "two of a name": (_facts(home_id="elm"), r"two homes are named 'elm'"),
    "leads": (_forecasts(lambda t: t[t.lead_hour < 5]), r"oak/weather_forecast\.parquet: column lead_hour: 5 leads"),
    "no weather": (_forecasts(lambda t: t.drop(columns="wind_m_s")), r"oak/weather_forecast\.parquet: cannot be read"),
    "manifest": (lambda f: (f.parent / "community.json").write_text("[]"), r"community\.json: not a community's"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(BAD))
def test_bad_folders_are_named(homes, case):
    spoil, message = BAD[case]
    spoil(homes / "oak")
    with pytest.raises(UserError, match=message) as caught:
        load(str(homes))
    assert "\n" not in str(caught.value)


def test_an_empty_folder(tmp_path):
    with pytest.raises(UserError, match=r"no homes here \(no \*/home\.json\)"):
        load(str(tmp_path))
