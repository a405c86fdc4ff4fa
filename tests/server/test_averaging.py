"""Rules of the average, who takes part, and what differential privacy costs."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from math import log
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from safetensors.numpy import save_file

from common.books import Books
from common.checks import STRATEGIES
from common.config import MODELS, BatterySpec, RunConfig
from common.errors import UserError
from common.model import head_start, initial_vector
from common.tariff import load_tariff
from report.events import follow
from report.json_schema import schema_path
from report.privacy import privacy_of
from report.results import RunFacts, build_result
from server.averaging import make_rule
from server.checkpoint import MODEL, initial_model, load_checkpoint
from server.drawing import draw
from server.privacy import spent
from tests.conftest import SMALL
from tests.experiments.training_cases import TRAIN, options, rounds, trained

ENOUGH = {"krum": {"byzantine_homes": 0}, "fedtrimmedavg": {"trim_share": 0.34}}
"""Options with which a rule works on three homes."""
HOMES = [f"home-{i:05d}" for i in range(20)]


def model_of(out: Path) -> np.ndarray:
    return next(iter(load_checkpoint(out).model.values())).numpy()


@pytest.fixture(scope="module")
def plain(homes_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plain")
    trained(options(homes_root), out)
    return out


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_rule_trains_the_model(homes_root: Path, tmp_path: Path, plain: Path, strategy: str) -> None:
    trained(options(homes_root, strategy=strategy, homes_per_node=3, **ENOUGH.get(strategy, {})), tmp_path)
    model, before = model_of(tmp_path), initial_vector(MODELS["tiny"], 0)
    assert model.dtype == np.float32
    assert 0 < np.abs(model - before).max() < 0.1
    same = (tmp_path / MODEL).read_bytes() == (plain / MODEL).read_bytes()
    assert same == (strategy == "fedavg"), "another rule, another model; a gateway the same as its homes alone"
    assert all(row["accepted"] for row in rounds(tmp_path))


def test_too_few_homes_are_said() -> None:
    for changes, says in (
        ({"strategy": "krum"}, "at least 5 homes a round .2 x 1 byzantine-homes"),
        ({"strategy": "fedtrimmedavg"}, "at least 5 homes a round .trim-share 0.2"),
        ({"fraction_train": 0.2}, "fraction-train 0.2 of 3 homes is none; give more than 0.333"),
    ):
        with pytest.raises(UserError, match=says):
            make_rule(replace(TRAIN, **changes), 3)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"strategy": "fedsgd"}, "choose one of: fedavg, fedprox"),
        ({"dp": "fixed", "strategy": "fedadam"}, "accounts for the plain average alone"),
        ({"dp": "fixed", "dropout": 0.1}, "dp with dropout"),
        ({"dropout": 1.0}, "no home would ever take part"),
        ({"fraction_train": 1.5}, "fraction-train must lie between 0 and 1"),
        ({"mode": "trade", "personalisation": "finetune"}, "set round-every-slots = 0"),
        ({"forecaster": "base"}, "mode train trains the Transformer"),
        ({"mode": "trade", "forecaster": "base", "dp": "fixed"}, "dp fixed is for the rounds of the Transformer"),
        ({"mode": "trade", "forecaster": "profile", "personalisation": "head"}, "which forecaster 'profile' has not"),
        ({"short_history_days": 20}, "at least 44"),
    ],
)
def test_options_that_cannot_be(changes: dict[str, object], says: str) -> None:
    with pytest.raises(UserError, match=says):
        replace(TRAIN, **changes).check()


def test_privacy_without_its_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dp_accounting", None)
    with pytest.raises(UserError, match=r"commonwatt\[dp\]"):
        make_rule(replace(TRAIN, dp="fixed"), 3)


def test_the_same_seed_draws_the_same_homes() -> None:
    config = RunConfig(fraction_train=0.5, dropout=0.3, seed=7)
    drawn = [draw(config, HOMES, turn) for turn in range(40)]
    assert drawn == [draw(config, HOMES[::-1], turn) for turn in range(40)]
    assert all(len(d.chosen) == 10 and set(d.present) <= set(d.chosen) for d in drawn)
    assert len({d.chosen for d in drawn}) > 30
    assert sum(len(d.present) for d in drawn) == pytest.approx(0.7 * 400, abs=40)
    assert drawn != [draw(replace(config, seed=8), HOMES, turn) for turn in range(40)]
    all_of_them = draw(RunConfig(), HOMES, 1)
    assert all_of_them.chosen == all_of_them.present == tuple(HOMES)


def epsilon_of(noise: float, rounds: int, delta: float) -> float:
    """Least over the orders of rounds x a / (2 noise^2), turned to epsilon by Canonne et al. 2020, proposition 12."""
    orders = np.linspace(1.01, 200, 200_000)
    renyi = rounds * orders / (2 * noise**2)
    epsilon = renyi + np.log1p(-1 / orders) - (log(delta) + np.log(orders)) / (orders - 1)
    return float(epsilon.min())


@pytest.mark.parametrize("dp", ["fixed", "adaptive"])
def test_privacy_is_accounted_and_repeatable(homes_root: Path, tmp_path: Path, dp: str) -> None:
    config = options(homes_root, dp=dp, dp_noise=1.0, dp_clip=0.01)
    first, again = trained(config, tmp_path / "a"), trained(config, tmp_path / "b")
    assert (tmp_path / "a" / MODEL).read_bytes() == (tmp_path / "b" / MODEL).read_bytes()
    assert first.spent is not None
    assert (first.spent.rounds, first.spent.delta) == (2, 1e-5)
    # Adaptive: the average with noise 1.1547 and the count with noise 1 are two releases a round.
    noise = 1.0 if dp == "fixed" else (1 / 1.1547005**2 + 1) ** -0.5
    assert first.spent.epsilon == pytest.approx(epsilon_of(noise, 2, 1e-5), rel=1e-3)
    noisy = np.abs(model_of(tmp_path / "a") - initial_vector(MODELS["tiny"], 0))
    assert noisy.mean() > 0.01 / 3 / 2, "noise of clip x noise / homes must be there"
    assert again.spent == first.spent


def test_one_release_costs_what_the_formula_says() -> None:
    from flwr.supercore.privacy_accounting import GaussianPrivacyEvent

    rule = make_rule(replace(TRAIN, dp="fixed", dp_noise=1.0), 3)
    before = spent(rule)
    assert before is not None
    assert (before.epsilon, before.rounds) == (0.0, 0)
    rule.accountant.compose(GaussianPrivacyEvent(1.0, 3, 3))
    after = spent(rule)
    assert after is not None
    assert after.epsilon == pytest.approx(epsilon_of(1.0, 1, 1e-5), rel=1e-3)


def test_the_proximal_term_holds_the_homes_back(homes_root: Path, tmp_path: Path, plain: Path) -> None:
    trained(options(homes_root, strategy="fedprox", proximal_mu=1e4, local_steps=3), tmp_path / "held")
    trained(options(homes_root, local_steps=3), tmp_path / "free")
    new = initial_vector(MODELS["tiny"], 0)
    moved = {name: np.linalg.norm(model_of(tmp_path / name) - new) for name in ("held", "free")}
    assert moved["held"] < moved["free"]


def test_a_run_starts_from_a_model_or_a_folder(plain: Path) -> None:
    model = model_of(plain)
    folders = [plain / MODEL, plain, plain / "checkpoints" / "round-000002"]
    for path in folders:
        start = initial_model(replace(TRAIN, init=str(path)))
        np.testing.assert_array_equal(start.shared["parameters"].numpy(), model)
    split = initial_model(replace(TRAIN, init=str(plain), personalisation="head"))
    assert split.heads is not None
    both = np.concatenate([split.shared["parameters"].numpy(), split.heads["parameters"].numpy()])
    np.testing.assert_array_equal(both, model)


def test_a_model_that_does_not_do_is_refused(plain: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a model")
    vector = model_of(plain)
    for name, values in (("trunk", vector[: head_start(MODELS["tiny"])]), ("cut", vector[1:]),
                         ("nan", np.full_like(vector, np.nan))):  # fmt: skip
        save_file({"parameters": values}, tmp_path / name)
    save_file({"weights": vector}, tmp_path / "other")
    for path, changes, says in (
        (plain, {"model": "small"}, r"921,445 parameters are expected .model 'small'., .*those of model 'tiny': give"),
        (tmp_path / "trunk", {}, "the trunk of model 'tiny': give model 'tiny' and personalisation 'head'"),
        (tmp_path / "cut", {}, "which no model of this version has"),
        (tmp_path / "nan", {}, "no list of finite numbers"),
        (tmp_path / "other", {}, "not a model of Commonwatt .*expected a model.safetensors, or the folder"),
        (tmp_path / "text", {}, "not a model of Commonwatt .*expected a model.safetensors, or the folder"),
        (tmp_path / "none", {}, "not a model of Commonwatt .*expected a model.safetensors, or the folder"),
        (plain / "checkpoints", {}, "holds no model.safetensors; expected"),
    ):
        with pytest.raises(UserError, match=f"init {path}.*: .*{says}"):
            initial_model(replace(TRAIN, init=str(path), **changes))


def test_a_trading_run_tells_what_its_privacy_cost(run_local: Callable[..., Books], tmp_path: Path) -> None:
    books = run_local(homes_per_node=3, dp="fixed", slots=1, round_every_slots=0)
    spent = privacy_of(follow(next(tmp_path.glob("run-*/events.jsonl"))))
    assert spent is not None
    assert (spent.rounds, spent.delta, spent.noise_known) == (1, 1e-5, True)
    assert 0 < spent.epsilon < 20
    facts = RunFacts(replace(SMALL, dp="fixed"), "", datetime.now(UTC), datetime.now(UTC))
    result = build_result(books, [], load_tariff("pge-tou-c"), BatterySpec(), facts, privacy=spent)
    jsonschema.validate(result.model_dump(), json.loads(schema_path("result").read_text()))
    assert result.privacy == spent
