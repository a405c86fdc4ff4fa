"""Communities of imported homes: spans that differ, gaps, days of the run, what the data may be."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from common.clock import day_slots
from common.config import RunConfig
from common.errors import UserError
from common.readings import FORECAST_LEAD_HOURS, HomeFacts, Readings, WeatherForecast, read_readings, write_home
from datagen.community import prepare_homes
from datagen.gaps import gap_days
from datagen.imported import dead_share, imported_community
from datagen.importers.prepared import save

FIRST = date(2024, 2, 1)
"""A span with a change of the clocks, on 10 March."""


def slots(first: date, days: int) -> range:
    return range(day_slots(first).start, day_slots(first + timedelta(days=days - 1)).stop)


def readings(first: date = FIRST, days: int = 60, gaps: tuple[range, ...] = (), pv: bool = False) -> Readings:
    """Readings that differ from slot to slot; no readings in ``gaps`` (slots)."""
    span = slots(first, days)
    every = np.arange(span.start, span.stop)
    metered = ~np.isin(every, np.concatenate([np.asarray(gap, np.int64) for gap in gaps])) if gaps else None
    known = np.ones(len(every), np.bool_) if metered is None else metered
    return Readings(
        span.start, (100 + every % 700) * known, (every % 5 if pv else 0 * every) * known, None, None, metered
    )


def write(root: Path, **homes: Readings) -> RunConfig:
    """Write homes; returns the config that takes them all."""
    save([(HomeFacts(home_id=name, pv_kw=float(r.pv_wh.any())), r) for name, r in homes.items()], root / "data")
    return RunConfig(data=str(root / "data"), homes=0)


def part(day: date, first: int, count: int) -> range:
    """Half-hours of a day."""
    return day_slots(day)[first : first + count]


LAST = FIRST + timedelta(days=59)


def test_homes_may_cover_different_slots(tmp_path):
    config = write(tmp_path, elm=readings(), oak=readings(FIRST - timedelta(days=5), 64))
    community = imported_community(config)
    assert (community.first_day, community.last_day) == (FIRST, LAST - timedelta(days=1))
    assert community.start_date == LAST - timedelta(days=1) and not community.warnings


def test_a_day_that_is_not_whole_is_none(tmp_path):
    whole = readings()
    cut = Readings(whole.first_slot + 1, whole.load_wh[1:-1], whole.pv_wh[1:-1])
    community = imported_community(write(tmp_path, elm=cut))
    assert (community.first_day, community.last_day) == (FIRST + timedelta(days=1), LAST - timedelta(days=1))


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ((FIRST + timedelta(days=100), 60), r"0 whole days in common \(oak begins 2024-05-11 00:00, elm ends"),
        ((FIRST + timedelta(days=9), 60), r"51 whole days in common \(oak begins 2024-02-10 00:00, elm ends"),
        ((FIRST, 30), r"30 whole days in common \(.* oak ends .*\); a run needs 57, .*: bring a longer range"),
    ],
)  # fmt: skip
def test_spans_that_are_too_short_name_the_homes(tmp_path, other, says):
    with pytest.raises(UserError, match=says):
        imported_community(write(tmp_path, elm=readings(), oak=readings(*other)))


def test_a_home_that_is_too_short_is_told_what_would_do(tmp_path):
    config = write(tmp_path, elm=readings())
    says = r"elm has 60 whole days \(2024-02-01 00:00 to 2024-04-01 00:00\); a run needs 63, .*: use --days 4, or bring"
    with pytest.raises(UserError, match=says):
        imported_community(replace(config, days=7))
    assert imported_community(replace(config, days=4)).start_date == LAST - timedelta(days=3)


def test_a_dead_meter_may_be_a_wrong_unit(tmp_path):
    home = readings()
    home.load_wh[: len(home) // 2] = 0
    config = write(tmp_path, elm=home)
    with pytest.raises(
        UserError, match=r"elm reads under 1 Wh in 50% of its hours\); is the unit right\? --homes 1 takes it"
    ):
        imported_community(config)
    assert any("read under 1 Wh" in warning for warning in imported_community(replace(config, homes=1)).warnings)


def test_the_run_is_on_the_last_days_that_are_metered_throughout(tmp_path):
    config = write(tmp_path, elm=readings(), oak=readings(gaps=(part(LAST, 20, 3), part(FIRST, 0, 1))))
    manifest = prepare_homes(config, tmp_path / "a")
    assert manifest.start_date == LAST - timedelta(days=1) and manifest.gap_days == [FIRST, LAST]
    assert any("the run begins on 2024-03-30" in warning for warning in manifest.warnings)
    assert prepare_homes(replace(config, days=2), tmp_path / "b").start_date == LAST - timedelta(days=2)
    with pytest.raises(UserError, match=r"no 4 days in a row from 2024-03-28 to 2024-03-31 .*; give a date"):
        prepare_homes(replace(config, days=4), tmp_path / "c")


def test_a_date_with_gaps_is_taken_with_a_warning(tmp_path):
    config = write(tmp_path, elm=readings(), oak=readings(gaps=(part(LAST, 20, 3),)))
    manifest = prepare_homes(replace(config, date=LAST.isoformat()), tmp_path / "a")
    assert manifest.start_date == LAST
    (warning,) = manifest.warnings
    assert warning == "oak: no reading for 1.5 h from 2024-03-31 10:00, in the run; estimated from a week before"
    assert not prepare_homes(replace(config, date="2024-03-30"), tmp_path / "b").warnings
    manifest = prepare_homes(replace(config, test_days="2024-03-29,2024-03-31"), tmp_path / "c")
    assert manifest.warnings == [warning]


def test_gaps_are_filled_and_stay_marked(tmp_path):
    gap = part(LAST, 20, 3)
    manifest = prepare_homes(write(tmp_path, oak=readings(gaps=(gap,))), tmp_path / "a")
    assert manifest.homes == ["oak"]
    got, whole = read_readings(tmp_path / "a" / "oak"), readings()
    rows = np.asarray(gap) - got.first_slot
    np.testing.assert_array_equal(got.load_wh[rows], whole.load_wh[rows - 7 * 48])
    assert np.flatnonzero(~got.metered).tolist() == rows.tolist()


def test_a_gap_changes_the_hash(tmp_path):
    gap = part(LAST, 20, 3)
    whole, holed = readings(), readings(gaps=(gap,))
    rows = np.asarray(gap) - whole.first_slot
    whole.load_wh[rows] = whole.load_wh[rows - 7 * 48]
    hashes = set()
    for name, home in (("a", whole), ("b", holed)):
        config = replace(write(tmp_path / name, oak=home), date="2024-03-30")
        hashes.add(prepare_homes(config, tmp_path / name / "homes").data_hash)
    assert len(hashes) == 2


def test_days_of_gaps():
    change = date(2024, 3, 10)
    home = readings(gaps=(part(FIRST, 0, 1), part(change, 44, 2), part(LAST, 47, 1)))
    assert gap_days(home) == [FIRST, change, LAST] and gap_days(readings()) == []


def test_a_gap_is_no_dead_meter():
    home = readings(gaps=(part(FIRST, 0, 24), part(LAST, 0, 48)))
    assert dead_share(home) == 0
    home.load_wh[: 2 * 24] = 0  # of the first day only 12 hours were metered
    assert dead_share(home) == pytest.approx(12 / (60 * 24 - 1 - 36))
    assert dead_share(replace(home, metered=np.zeros(len(home), np.bool_))) == 1


def test_homes_keep_their_solar_unless_asked(tmp_path):
    config = write(tmp_path, elm=readings(pv=True), oak=readings(pv=True))

    def equipped(config: RunConfig) -> int:
        return sum(r.pv_wh.any() for _, r in imported_community(config).homes)

    assert equipped(config) == 2 and equipped(replace(config, solar_share=0.5)) == 1
    assert equipped(replace(config, solar_share=0.0)) == 0


def test_forecasts_come_along(tmp_path):
    values = np.zeros((1, FORECAST_LEAD_HOURS, 4), np.float32)
    forecast = WeatherForecast(np.array([day_slots(FIRST).start]), values)
    write_home(tmp_path / "data" / "oak", HomeFacts(home_id="oak"), readings(), forecast)
    community = imported_community(RunConfig(data=str(tmp_path / "data"), homes=0))
    assert community.forecast is not None and community.forecast.issue_slot.tolist() == [day_slots(FIRST).start]


def test_more_homes_than_there_are(tmp_path):
    with pytest.raises(UserError, match=r"asked for 2 homes, .* has 1"):
        imported_community(replace(write(tmp_path, oak=readings()), homes=2))


def test_a_database_is_imported_first(tmp_path):
    with pytest.raises(UserError, match=r"import it first: python -m datagen import URL --out homes") as caught:
        prepare_homes(RunConfig(data="postgresql://u:tiger@h/x", homes=0), tmp_path / "a")
    assert "tiger" not in str(caught.value)


def test_the_inputs_are_all_files_of_the_data(tmp_path):
    config = write(tmp_path, oak=readings())
    before = prepare_homes(config, tmp_path / "a").inputs["data"]
    (tmp_path / "data" / "oak" / "state").mkdir()
    (tmp_path / "data" / "oak" / "state" / "notes").write_text("1")
    assert prepare_homes(config, tmp_path / "a").inputs["data"] == before, "a client's notes are no data"
    write_home(tmp_path / "data" / "oak", HomeFacts(home_id="oak", pv_kw=1), readings())
    assert prepare_homes(config, tmp_path / "b").inputs["data"] != before


def test_the_inputs_of_a_mapping_are_the_files_that_it_names(tmp_path):
    config = RunConfig(data=str(tmp_path / "house.toml"), homes=0)
    (tmp_path / "house.toml").write_text(
        'files = ["house.csv"]\n[time]\ncolumn = "t"\ntimezone = "UTC"\n[load]\ncolumn = "x"\nunit = "Wh"\n'
    )
    span = slots(FIRST, 60)
    rows = [f"{np.datetime64(slot * 1800, 's')},{slot % 90}" for slot in span]
    (tmp_path / "house.csv").write_text("\n".join(["t,x", *rows]))
    before = prepare_homes(config, tmp_path / "a").inputs["data"]
    (tmp_path / "other.csv").write_text("t,x")
    assert prepare_homes(config, tmp_path / "a").inputs["data"] == before
    (tmp_path / "house.csv").write_text("\n".join(["t,x", *rows, ""]))
    assert prepare_homes(config, tmp_path / "b").inputs["data"] != before
