import dataclasses
import json
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import simulation
from client.features import MONTH, HomeFeatures
from client.history import History
from client.ridge import statistics
from client.store import open_home
from common.clock import day_slots, local_of
from common.config import MODELS
from common.errors import UserError
from common.metrics import QUANTILES, sample_quantiles
from common.model import initial_vector
from common.readings import home_folders
from common.ridge import solve
from common.tariff import load_tariff
from experiments.skill import baselines, networks, spread
from experiments.skill.baselines import ewma_profile
from experiments.skill.blend import Validated, blended, shares
from experiments.skill.homes import Forecast, Home, open_homes
from experiments.skill.intervals import PER_DAY, WINDOW_DAYS, adaptive_quantiles, rolling_quantiles
from experiments.skill.scoring import home_errors
from experiments.skill.split import DAY, ORIGIN_STEP, split_of
from experiments.skill.trees import fit_trees, forecast_trees

FIRST = day_slots(local_of(970_000).date()).start


def test_the_split_is_of_whole_local_days_that_do_not_overlap():
    end = FIRST + 400 * DAY
    split = split_of(FIRST, end)
    days = [local_of(slot).date() for slot in (split.validation, split.test, split.end)]
    assert [(b - a).days for a, b in pairwise(days)] == [28, 56]
    assert all(local_of(slot).hour == 0 for slot in (split.validation, split.test, split.end))
    assert split.end <= end
    assert (np.diff(split.origins()) == 6).all()
    with pytest.raises(UserError, match="needs 200"):
        split_of(FIRST, FIRST + 150 * DAY)


def test_sample_quantiles_have_the_ranks_of_a_new_value():
    samples = np.random.default_rng(0).normal(size=(28, 5)).astype(np.float32)
    expected = np.quantile(samples, QUANTILES, axis=0, method="weibull").T
    np.testing.assert_allclose(sample_quantiles(samples), expected, rtol=1e-5)
    np.testing.assert_array_equal(sample_quantiles(samples[:1]), np.repeat(samples[0][:, None], 3, axis=1))


@pytest.mark.parametrize("make", [rolling_quantiles, adaptive_quantiles])
def test_quantiles_know_no_outcome_that_lies_ahead(make):
    horizon, origins = 3 * DAY, PER_DAY * 80
    error = np.random.default_rng(1).normal(size=(origins, horizon)).astype(np.float32)
    before = make(error, PER_DAY * 10)
    known_at = np.arange(origins)[:, None] * 6 + np.arange(horizon)  # slot of each outcome
    at = origins - 5
    changed = np.where(known_at >= at * 6, np.float32(99), error)
    np.testing.assert_array_equal(make(changed, PER_DAY * 10)[: at - (origins - PER_DAY * 10) + 1], before[: 1 - 5])


def test_stretched_quantiles_cover_errors_that_grow():
    horizon, origins = 2 * DAY, PER_DAY * 150
    rng, growth = np.random.default_rng(2), np.linspace(1, 4, origins)[:, None]
    error = (rng.normal(size=(origins, horizon)) * growth * 100).astype(np.float32)
    covered = {}
    for make in (rolling_quantiles, adaptive_quantiles):
        said = make(error, PER_DAY * 50)
        late = error[-len(said) :]
        covered[make] = np.mean((said[..., 0] <= late) & (late <= said[..., 2]))
        assert (np.diff(said, axis=2) >= 0).all()
    assert covered[rolling_quantiles] < covered[adaptive_quantiles]
    assert covered[adaptive_quantiles] == pytest.approx(0.8, abs=0.02)
    assert WINDOW_DAYS == 28


def test_only_the_first_day_is_narrowed():
    horizon, origins = 3 * DAY, PER_DAY * 120
    rng, calmer = np.random.default_rng(3), np.linspace(4, 1, origins)[:, None]
    error = (rng.normal(size=(origins, horizon)) * calmer * 100).astype(np.float32)
    rolling, stretched = (make(error, PER_DAY * 40) for make in (rolling_quantiles, adaptive_quantiles))
    width = (stretched[..., 2] - stretched[..., 0]) / (rolling[..., 2] - rolling[..., 0])
    assert width[:, :DAY].mean() < 0.99
    assert width[:, DAY:].min() > 0.999
    assert width.max() <= 3.001


def test_errors_are_in_kilowatts():
    actual = np.array([[100.0, 300.0]], np.float32)
    quantiles = np.stack([actual - 50, actual + 50, actual + 100], axis=2)
    found = home_errors(actual + 100, quantiles, actual)
    assert found.rmse == pytest.approx(0.2)  # 100 Wh in half an hour
    assert found.nrmse == pytest.approx(0.5)
    assert found.mae == pytest.approx(0.1)
    assert found.pinball == pytest.approx((0.1 * 0.1 + 0.5 * 0.1 + 0.1 * 0.2) / 3)
    assert found.coverage80 == 1


def _validated(ridge_wh: float, transformer_wh: float, actual_wh: float, noise: int) -> Validated:
    rng = np.random.default_rng(noise)
    actual = (actual_wh + rng.normal(size=(8, MONTH))).astype(np.float32)

    def said(level: float) -> Forecast:
        flat = np.full((8, MONTH), level, np.float32)
        return Forecast(flat, flat, np.repeat(flat[:, :DAY, None], 3, axis=2))

    known = np.ones((8, MONTH), bool)
    return Validated(said(ridge_wh), said(transformer_wh), actual, actual, known, np.ones(8), np.ones(8))


def test_the_hybrid_takes_the_share_that_validation_supports():
    homes = [_validated(100, 200, 175, noise) for noise in range(4)]
    share = shares(homes)
    assert all(value == pytest.approx(0.75, abs=0.02) for value in (*share.load.values(), share.pv))
    assert share.quantiles == 0.75
    mixed = blended(homes[0].ridge, homes[0].transformer, share)
    np.testing.assert_allclose(mixed.load_wh, 175, atol=2)
    worse = shares([_validated(100, 200, 90, noise) for noise in range(4)])
    assert not any((*worse.load.values(), worse.pv, worse.quantiles))
    homes[0] = dataclasses.replace(homes[0], known=np.zeros((8, MONTH), bool))
    assert shares(homes[:1]).load["day"] == 0


def test_the_benchmark_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("experiments.skill.trees.available", lambda: False)  # slow
    short = partial(split_of, test_days=8, horizons=("3h", "day", "week"))
    monkeypatch.setattr("experiments.skill.benchmark.split_of", short)
    out = tmp_path / "out"
    options = ["--model", "tiny", "--homes", "2", "--rounds", "1", "--set", "local-steps=2", "--workers", "1"]
    done = CliRunner().invoke(simulation.cli, ["forecast-benchmark", *options, "--out", str(out)])
    assert done.exit_code == 0, done.output
    rows = json.loads((out / "forecast_benchmark.json").read_text())
    found = {(row["model"], row["training"]) for row in rows}
    three = ("federated", "centralised", "local")
    naive = {(name, "none") for name in ("persistence", "daily-naive", "weekly-naive", "ewma-profile")}
    assert found == naive | {("ridge", "local"), ("ridge", "federated")} | {
        (model, training) for model in ("transformer", "hybrid") for training in three
    }
    assert {(row["target"], row["horizon"]) for row in rows} == {
        (target, horizon) for target in ("load", "net", "pv") for horizon in ("3h", "day", "week")
    }
    assert all(
        np.isfinite([v for k, v in row.items() if k not in ("model", "training", "target", "horizon")]).all()
        for row in rows
    )
    day = {(r["model"], r["training"]): r["rmse"] for r in rows if (r["target"], r["horizon"]) == ("load", "day")}
    assert day["ridge", "federated"] < day["daily-naive", "none"]
    run = json.loads((out / "forecast_benchmark_run.json").read_text())
    assert set(run["shares_of_the_transformer"]) == set(three)
    assert not any(str(tmp_path) in str(value) for value in run.values())


def test_trees_correct_the_coming_day_and_keep_the_rest(homes_root: Path):
    tariff = load_tariff("pge-tou-c")
    readings = open_home(home_folders(homes_root)[0])[1]
    homes = open_homes(homes_root, tariff, readings.end_slot)
    end = len(homes[0].history)
    learn = {home.home_id: np.arange(28 * DAY, end - 21 * DAY, 26) for home in homes}
    decide = {home.home_id: np.arange(end - 20 * DAY, end - 12 * DAY, 26) for home in homes}
    both = {home.home_id: np.concatenate([learn[home.home_id], decide[home.home_id]]) for home in homes}
    base = {home.home_id: ewma_profile(home, both[home.home_id]).load_wh[:, :DAY] for home in homes}
    fitted = fit_trees(homes, learn, decide, base)
    rows = np.arange(end - 11 * DAY, end - DAY, 26)
    for home in homes:
        below = ewma_profile(home, rows)
        said = forecast_trees(home, rows, below, fitted)
        np.testing.assert_array_equal(said.load_wh[:, DAY:], below.load_wh[:, DAY:])
        assert not np.array_equal(said.load_wh[:, :DAY], below.load_wh[:, :DAY])
        assert said.load_quantiles_wh is not None
        assert (np.diff(said.load_quantiles_wh, axis=2) >= 0).all()


def test_no_forecaster_sees_what_lies_after_its_origin(homes_root: Path):
    tariff = load_tariff("pge-tou-c")
    facts, readings, issued = open_home(home_folders(homes_root)[0])
    cut = readings.end_slot - 20 * DAY
    late = np.arange(readings.first_slot, readings.end_slot) >= cut
    other = dataclasses.replace(
        readings,
        load_wh=np.where(late, 7 * readings.load_wh[::-1] % 5000, readings.load_wh),
        pv_wh=np.where(late, readings.pv_wh // 2, readings.pv_wh),
        channels=None if readings.channels is None else np.where(late, readings.channels // 3, readings.channels),
        weather=None if readings.weather is None else np.where(late, readings.weather + 5, readings.weather),
    )
    homes = []
    for one in (readings, other):
        surprise = np.where(late & (one is other), np.float32(3), np.float32(0.2))
        history = History(one, one.end_slot, tariff=tariff, forecast=issued, community=surprise)
        homes.append(Home(facts.home_id, history, HomeFeatures(history)))
    rows = homes[0].rows(np.array([cut - 3 * DAY, cut]))
    weights = solve(statistics(homes[0].features, cut))
    rng = np.random.default_rng(0)
    vector = initial_vector(MODELS["tiny"], 0)
    vector = vector + rng.normal(0, 0.02, vector.shape).astype(np.float32)
    learn = {facts.home_id: np.arange(28 * DAY, rows[0] - DAY, 26)}
    below = {facts.home_id: np.concatenate([ewma_profile(homes[0], learn[facts.home_id]).load_wh[:, :DAY]] * 2)}
    fitted = fit_trees(homes[:1], learn, learn, below)
    forecasters = {
        "persistence": baselines.persistence,
        "daily": baselines.daily_naive,
        "weekly": baselines.weekly_naive,
        "profile": baselines.ewma_profile,
        "ridge": partial(baselines.ridge, weights=weights),
        "trees": lambda home, at: forecast_trees(home, at, ewma_profile(home, at), fitted),
        "transformer": lambda home, at: networks.forecast(home, at, vector, "tiny"),
    }
    for name, forecaster in forecasters.items():
        first, second = (forecaster(home, rows) for home in homes)
        np.testing.assert_array_equal(first.load_wh, second.load_wh, err_msg=name)
        np.testing.assert_array_equal(first.pv_wh, second.pv_wh, err_msg=name)
        if first.load_quantiles_wh is not None:
            np.testing.assert_array_equal(first.load_quantiles_wh, second.load_quantiles_wh, err_msg=name)
        seen = forecaster(homes[1], rows + 2 * DAY).load_wh
        assert not np.array_equal(seen, forecaster(homes[0], rows + 2 * DAY).load_wh), f"{name}: the test says nothing"


def test_the_ridge_learns_and_says_its_quantiles_from_the_past_alone(homes_root: Path):
    tariff = load_tariff("pge-tou-c")
    facts, readings, issued = open_home(home_folders(homes_root)[0])
    cut = readings.end_slot - 8 * DAY
    late = np.arange(readings.first_slot, readings.end_slot) >= cut
    other = dataclasses.replace(readings, load_wh=np.where(late, readings.load_wh * 2 + 100, readings.load_wh))
    found = []
    for one in (readings, other):
        history = History(one, one.end_slot, tariff=tariff, forecast=issued)
        home = Home(facts.home_id, history, HomeFeatures(history))
        weights = solve(statistics(home.features, cut))
        learned = spread.fit_ridge_spread([home], {home.home_id: weights}, cut)
        rows = home.rows(np.arange(cut - 45 * DAY, cut + DAY, ORIGIN_STEP))
        found.append((learned, spread.ridge(home, rows, weights, learned).load_quantiles_wh, rows, home))
    (first, before, rows, home), (second, after, *_) = found
    assert np.abs(first).sum() > 0
    np.testing.assert_array_equal(first, second)
    known = rows <= cut - home.features.first_slot
    np.testing.assert_array_equal(before[known], after[known])
    assert not np.array_equal(before[~known], after[~known]), "the test says nothing"
    assert (np.diff(before, axis=2) >= 0).all()
    assert (before >= 0).all()
    untaught = spread.fit_ridge_spread([home], {home.home_id: weights}, home.features.first_slot + 40 * DAY)
    assert not untaught.any()
