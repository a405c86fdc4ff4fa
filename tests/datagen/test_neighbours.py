"""Generated neighbours of real homes: whose days, whose weather, and what stays as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from common.clock import day_slots
from common.config import RunConfig
from common.errors import UserError
from common.readings import HomeFacts, Readings, home_folders, read_facts, read_forecast, read_readings
from datagen.community import prepare_homes
from datagen.imported import imported_community
from datagen.importers.prepared import save
from datagen.site import sky_of

FIRST, DAYS = date(2024, 2, 1), 60
"""A span with a change of the clocks, on 10 March."""
SLOTS = range(day_slots(FIRST).start, day_slots(FIRST + timedelta(days=DAYS)).start)


def readings(weather: bool = False, pv: bool = False, warmer_c: float = 0.0) -> Readings:
    """Readings that begin some hours before the first whole day."""
    span = range(SLOTS.start - 5, SLOTS.stop)
    every = np.arange(span.start, span.stop)
    channels = None
    if weather:
        sun = 0.7 * sky_of(span).clear_ghi_w_m2
        rows = (15 + warmer_c + 5 * np.sin(every / 7.6), np.full(len(span), 60.0), sun, np.full(len(span), 2.0))
        channels = np.stack(rows).astype(np.float32)
    return Readings(span.start, 100 + every % 700, every % 5 if pv else 0 * every, None, channels)


def write(root: Path, neighbours: int = 3, **homes: Readings) -> RunConfig:
    save([(HomeFacts(home_id=name, pv_kw=float(r.pv_wh.any())), r) for name, r in homes.items()], root / "data")
    return RunConfig(data=str(root / "data"), homes=0, neighbours=neighbours)


def made(config: RunConfig) -> dict[str, Readings]:
    return {facts.home_id: found for facts, found in imported_community(config).homes}


def test_they_live_beside_the_real_homes_in_the_order_of_folders(tmp_path):
    config = write(tmp_path, elm=readings(), oak=readings())
    manifest = prepare_homes(config, tmp_path / "homes")
    assert manifest.homes == ["elm", "neighbour-00000", "neighbour-00001", "neighbour-00002", "oak"]
    assert [folder.name for folder in home_folders(tmp_path / "homes")] == manifest.homes
    np.testing.assert_array_equal(read_readings(tmp_path / "homes" / "oak").load_wh, readings().load_wh)
    for name in manifest.homes[1:4]:
        found = read_readings(tmp_path / "homes" / name)
        assert (found.first_slot, found.end_slot) == (SLOTS.start, SLOTS.stop)
        assert read_facts(tmp_path / "homes" / name).source == "generated"
    assert manifest.source == "commonwatt" and str(tmp_path) not in manifest.model_dump_json()
    assert any("neighbour-00000 to neighbour-00002 are generated" in warning for warning in manifest.warnings)


def test_a_neighbour_does_not_depend_on_how_many_there_are(tmp_path):
    config = write(tmp_path, elm=readings())
    few, many = made(config), made(replace(config, neighbours=8))
    for name in few:
        np.testing.assert_array_equal(few[name].load_wh, many[name].load_wh)
        np.testing.assert_array_equal(few[name].pv_wh, many[name].pv_wh)
    assert len(many) == 9


def test_they_live_in_the_weather_that_the_homes_saw(tmp_path):
    config = write(tmp_path, elm=readings(weather=True), oak=readings(weather=True))
    community = imported_community(config)
    homes = {facts.home_id: found for facts, found in community.homes}
    seen = readings(weather=True).weather[:, 5:]
    np.testing.assert_array_equal(homes["neighbour-00001"].weather, seen)
    pv = homes["neighbour-00001"].pv_wh
    assert pv.any() and not pv[seen[2] == 0].any()
    assert not any("made weather" in warning for warning in community.warnings)


@pytest.mark.parametrize("warmer_c", [None, 1.0])
def test_else_in_made_weather_with_a_warning(tmp_path, warmer_c):
    homes = {"elm": readings(), "oak": readings()}
    if warmer_c is not None:
        homes = {"elm": readings(weather=True), "oak": readings(weather=True, warmer_c=warmer_c)}
    manifest = prepare_homes(write(tmp_path, **homes), tmp_path / "homes")
    assert any("made weather of climate zone 12" in warning for warning in manifest.warnings)
    forecasts = [read_forecast(folder) for folder in home_folders(tmp_path / "homes")]
    # Made forecasts must not mislead a real home that sees another sky.
    assert all((forecast is None) == (warmer_c is not None) for forecast in forecasts)


@pytest.mark.parametrize(("share", "equipped"), [(-1.0, 2), (0.0, 0), (1.0, 4)])
def test_the_solar_share_is_of_the_neighbours(tmp_path, share, equipped):
    homes = made(replace(write(tmp_path, 4, elm=readings(pv=True), oak=readings()), solar_share=share))
    assert homes["elm"].pv_wh.any() and not homes["oak"].pv_wh.any()
    assert sum(found.pv_wh.any() for name, found in homes.items() if name.startswith("neighbour")) == equipped


def test_they_are_part_of_the_inputs(tmp_path):
    config = write(tmp_path, elm=readings())
    prepare_homes(config, tmp_path / "homes")
    for other in (replace(config, neighbours=2), replace(config, climate="3"), replace(config, stock="all-electric")):
        with pytest.raises(UserError, match="made from other options"):
            prepare_homes(other, tmp_path / "homes")
        assert other.homes_root() != config.homes_root()


def test_a_home_alone_is_told_of_neighbours(tmp_path):
    config = write(tmp_path, 0, elm=readings())
    assert any("--neighbours 9" in warning for warning in imported_community(config).warnings)
    assert not any("--neighbours" in w for w in imported_community(replace(config, neighbours=1)).warnings)


def test_a_real_home_of_that_name_is_refused(tmp_path):
    config = write(tmp_path, **{"neighbour-00000": readings()})
    with pytest.raises(UserError, match=r"has a home neighbour-00000, .* leave neighbours out, or rename it"):
        imported_community(config)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"neighbours": 3}, "they live beside real homes"),
        ({"neighbours": 3, "data": "household"}, "they live beside real homes"),
        ({"neighbours": -1, "data": "/x"}, "neighbours must be at least 0"),
    ],
)
def test_they_are_for_real_data(values, says):
    with pytest.raises(UserError, match=says):
        RunConfig.parse(values)


def test_a_house_that_exports_by_day_has_no_dead_meter(tmp_path):
    home = readings(pv=True)
    by_day = np.arange(len(home)) % 48 < 20
    home = replace(home, load_wh=np.where(by_day, 0, home.load_wh), pv_wh=np.where(by_day, 500, 0))
    assert "mine" in made(write(tmp_path, 1, mine=home))
