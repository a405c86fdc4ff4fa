"""Training runs: what they write, personalisation, short histories, and the command."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import simulation
from client.store import HomeStore
from common.config import MODELS, RunConfig
from common.errors import UserError
from common.model import head_start, initial_vector
from datagen.occupancy import archetype_mix
from experiments.settings import with_settings
from server.checkpoint import MODEL, load_checkpoint
from server.privacy import told
from tests.experiments.training_cases import options, rounds, trained


def store_of(root: Path, out: Path, home: str) -> HomeStore:
    return HomeStore(root / home, str(load_checkpoint(out).run_id))


def test_own_heads_stay_at_home(homes_root: Path, tmp_path: Path) -> None:
    whole, split = tmp_path / "whole", tmp_path / "split"
    trained(options(homes_root), whole)
    outcome = trained(options(homes_root, personalisation="head", init=str(whole), keep_moments=True), split)
    spec = MODELS["tiny"]
    start = head_start(spec)
    assert outcome.parameters == start < initial_vector(spec, 0).size
    assert {row["sent_bytes"] for row in rounds(split)} == {
        len(next(iter(load_checkpoint(split).model.values())).data)
    }, "only the trunk travels"
    own = {}
    for home in outcome.homes:
        store = store_of(homes_root, split, home)
        assert store.turns("private") == [0, 1, 2]
        kept = store.load_arrays("private-000002")
        assert kept is not None
        own[home] = kept["heads"]
        assert kept["mean"].size == initial_vector(spec, 0).size
        first = store.load_arrays("private-000000")
        assert first is not None
        np.testing.assert_array_equal(first["heads"], load_checkpoint(whole).model["parameters"].numpy()[start:])
    assert len({heads.tobytes() for heads in own.values()}) == 3


def test_each_home_trains_a_copy_after_the_last_round(homes_root: Path, tmp_path: Path) -> None:
    changes: dict[str, object] = {"learning_rate": 3e-3, "rounds": 1}
    plain = trained(options(homes_root, **changes), tmp_path / "plain")
    tuned = trained(options(homes_root, personalisation="finetune", finetune_steps=4, **changes), tmp_path / "tuned")
    assert (tmp_path / "plain" / MODEL).read_bytes() == (tmp_path / "tuned" / MODEL).read_bytes()
    assert set(tuned.tuned) == set(tuned.homes)
    for home in tuned.homes:
        assert tuned.tuned[home]["own_rmse"] != tuned.tuned[home]["shared_rmse"]
        assert tuned.tested[home]["test_model_rmse"] != plain.tested[home]["test_model_rmse"]
        assert tuned.tested[home]["test_base_rmse"] == plain.tested[home]["test_base_rmse"]
        assert tuned.tested[home]["test_days"] == 7


def test_a_short_history_is_the_homes_own_business(homes_root: Path, tmp_path: Path) -> None:
    outcome = trained(options(homes_root, short_history_share=0.6, short_history_days=45), tmp_path)
    first = {h: store_of(homes_root, tmp_path, h).load_state().history_from for h in outcome.homes}
    assert set(first.values()) == {0, outcome.before_slot - 45 * 48}, "some have moved in, the others not"
    assert all(row["accepted"] and row["loss"] for row in rounds(tmp_path))


def test_a_deployment_trains_with_noise_that_no_seed_gives_away(homes_root: Path, tmp_path: Path) -> None:
    models, options_ = [], options(homes_root, data="household", homes_per_node=3, rounds=1, local_steps=1, dp="fixed")
    for name in ("one", "two"):
        outcome = trained(options_, tmp_path / name)
        assert outcome.spent is not None
        assert not told(outcome.spent, options_)["noise_known"]
        models.append((tmp_path / name / MODEL).read_bytes())
    assert models[0] != models[1]


def test_a_date_that_leaves_nothing_to_learn_is_refused(homes_root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="to learn before 2024-07-20 it needs 44 days before that"):
        trained(options(homes_root, date="2024-07-20"), tmp_path)


def test_kinds_of_households() -> None:
    assert sum(archetype_mix("")) == pytest.approx(1)
    assert archetype_mix("couple=1, retired=3") == (1, 0, 0, 3, 0, 0)
    for text, says in (("hermit=1", "choose from couple, family"), ("couple=lots", "expected a number"),
                       ("couple=0", "one must be positive")):  # fmt: skip
        with pytest.raises(UserError, match=says):
            archetype_mix(text)


def test_any_run_option_can_be_set() -> None:
    config = with_settings(RunConfig(), ["proximal-mu=0.1", "keep-moments=true", "rounds=3", "strategy=krum"])
    assert (config.proximal_mu, config.keep_moments, config.rounds, config.strategy) == (0.1, True, 3, "krum")
    for setting, says in (("mu=1", "a key of"), ("rounds", "KEY=VALUE"), ("rounds=many", "type int"),
                          ("keep-moments=yes", "type bool"), ("dropout=2", "between 0 and 1")):  # fmt: skip
        with pytest.raises(UserError, match=says):
            with_settings(RunConfig(), [setting])


def test_the_command(tmp_path: Path) -> None:
    out = tmp_path / "out"
    settings = ("local-steps=1", "batch-size=1", "short-history-share=1", "archetypes=retired=1")
    small = [word for setting in settings for word in ("--set", setting)]
    small += ["--model", "tiny", "--homes", "2", "--rounds", "1", "--date", "2025-06-15"]
    done = CliRunner().invoke(simulation.cli, ["train", *small, "--dp", "fixed", "--out", str(out)])
    assert done.exit_code == 0, done.output
    result = json.loads((out / "training.json").read_text())
    assert [home["home_id"] for home in result["homes"]] == ["home-00000", "home-00001"]
    assert all(home["test_hybrid_rmse"] > 0 and home["rounds"] == 1 for home in result["homes"])
    assert result["privacy"]["epsilon"] > 0
    assert result["privacy"]["noise_known"]
    assert result["config"]["homes-dir"] == ""
    facts = [json.loads(path.read_text()) for path in out.glob("homes/*/home.json")]
    assert {fact["archetype"] for fact in facts} == {"retired"}
    assert list((out / "tensorboard").iterdir())
    for arguments, says in (
        (["--resume", str(out)], "the run is complete"),
        (["--resume", str(out), "--rounds", "3"], "leave out: rounds"),
        (["--grid", "fog"], "choose one of"),
        (["--init", "/no/such/file"], "no such file"),
        (["--strategy", "krum", "--homes", "2", "--out", str(tmp_path / "x")], "needs at least 5 homes"),
    ):
        failed = CliRunner().invoke(simulation.cli, ["train", *arguments])
        assert failed.exit_code == 2, failed.output
        assert says in " ".join(failed.output.split())
