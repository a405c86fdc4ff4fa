"""A run that was cut off goes on to the same model, bit by bit."""

from pathlib import Path

import pytest

import client.app
import server.training_run
from common.errors import UserError
from server.checkpoint import CHECKPOINTS, MODEL, load_checkpoint
from tests.experiments.training_cases import options, rounds, trained

EVERYTHING: dict[str, object] = {
    "rounds": 5, "strategy": "fedadam", "keep_moments": True, "personalisation": "head", "dropout": 0.3, "seed": 4,
}  # fmt: skip


class Killed(BaseException):
    """As SIGKILL: nothing catches it."""


@pytest.fixture(scope="module")
def whole(homes_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output of the uninterrupted run."""
    out = tmp_path_factory.mktemp("whole")
    trained(options(homes_root, **EVERYTHING), out)
    assert {row["took_part"] for row in rounds(out)} == {True, False}, "dropout must be seen"
    return out


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("when", ["before its checkpoint", "between two homes"])
def test_a_run_that_was_killed_goes_on(
    homes_root: Path, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, when: str, every: int
) -> None:
    config = options(homes_root, **EVERYTHING, checkpoint_every=every)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        save, train = server.training_run.save_checkpoint, client.app.train_home

        def save_or_die(out, checkpoint):
            if checkpoint.round == 4 and when == "before its checkpoint":
                raise Killed
            save(out, checkpoint)

        def train_or_die(home, fit, *rest):
            if fit.turn == 4 and home.home_id != "home-00000" and when == "between two homes":
                raise Killed
            return train(home, fit, *rest)

        patch.setattr(server.training_run, "save_checkpoint", save_or_die)
        patch.setattr(client.app, "train_home", train_or_die)
        trained(config, tmp_path)
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint.round == {1: 3, 2: 2}[every]
    assert checkpoint.community is not None, "the homes' mean must be taken up, too"
    trained(config, tmp_path, checkpoint)
    assert (tmp_path / MODEL).read_bytes() == (whole / MODEL).read_bytes()
    assert rounds(tmp_path) == rounds(whole)
    assert len(list((tmp_path / CHECKPOINTS).iterdir())) == 2


def test_momentum_and_privacy_go_on(homes_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, changes in {"m": {"strategy": "fedavgm"}, "dp": {"dp": "adaptive", "dp_noise": 0.01}}.items():
        once, twice = tmp_path / f"{name}-once", tmp_path / f"{name}-twice"
        straight = trained(options(homes_root, rounds=3, **changes), once)
        config, save = options(homes_root, rounds=3, **changes), server.training_run.save_checkpoint

        def save_or_die(out, checkpoint, save=save):
            save(out, checkpoint)
            if checkpoint.round == 2:
                raise Killed

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(server.training_run, "save_checkpoint", save_or_die)
            trained(config, twice)
        again = trained(config, twice, load_checkpoint(twice))
        assert (once / MODEL).read_bytes() == (twice / MODEL).read_bytes()
        assert again.spent == straight.spent


def test_nothing_to_resume_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint in it"):
        load_checkpoint(tmp_path)
    (tmp_path / CHECKPOINTS / "round-000002").mkdir(parents=True)
    with pytest.raises(UserError, match="round-000002 cannot be read"):
        load_checkpoint(tmp_path)
