"""Comparisons: what a grid comes to, what is refused, the table with intervals, and going on after a stop."""

import csv
import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

import simulation
from client import node
from client.store import open_home
from common.clock import day_slots
from common.config import RunConfig
from common.errors import UserError
from common.readings import write_home
from datagen.manifest import CommunityManifest, read_manifest
from experiments.compare.command import compare
from experiments.compare.declared import read_declared
from experiments.compare.grid import Run, runs_of
from experiments.compare.pages import markdown
from experiments.compare.table import estimate, run_lines
from experiments.compare.unit import ROWS, Finished
from experiments.skill.networks import jobs_of, learning, train
from experiments.skill.scoring import SkillRow
from experiments.skill.split import split_of
from server.checkpoint import CHECKPOINTS, load_checkpoint

DAYS = 110
EXAMPLE = Path(simulation.__file__).parent / "experiments" / "examples" / "compare.toml"
SMALL = """
seeds = [0, 1]
horizons = ["3h"]
score-days = 3
[common]
homes = 2
model = "tiny"
rounds = 2
local-steps = 1
batch-size = 1
learning-rate = 0.003
[[grid]]
strategy = "fedprox"
proximal-mu = 0.1
"""


class Killed(BaseException):
    """As SIGKILL: nothing catches it."""


def declared(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "grid.toml"
    file.write_text(text)
    return file


def planned(tmp_path: Path, text: str) -> list[Run]:
    file = declared(tmp_path, text)
    return runs_of(read_declared(file), file)


# -- the declaration --------------------------------------------------------------------------------------------------


def test_a_grid_is_the_product_of_what_matters(tmp_path: Path) -> None:
    runs = planned(
        tmp_path,
        'seeds = [0]\n[[grid]]\nstrategy = ["fedavg", "fedprox"]\nproximal-mu = [0.01, 0.1]\nrounds = [2, 4]\n',
    )
    names = [(run.training, run.name) for run in runs]
    assert names[:2] == [("federated", f"fedavg rounds={n}") for n in (2, 4)]
    assert names[2:6] == [("federated", f"fedprox rounds={n} proximal-mu={mu}") for mu in (0.01, 0.1) for n in (2, 4)]
    assert names[6:] == [(t, f"{t} rounds={n}") for t in ("local", "centralised") for n in (2, 4)]
    assert {run.config.proximal_mu for run in runs if run.training == "local"} == {0.0}


def test_names_and_communities(tmp_path: Path) -> None:
    runs = planned(
        tmp_path,
        'seeds = [0]\ntrainings = ["federated"]\n[common]\nscenario = "winter"\n'
        '[[grid]]\nhomes = [2, 3]\nname = "{strategy} of {homes}"\n',
    )
    assert [(run.name, run.community.name) for run in runs] == [("fedavg of 2", "homes=2"), ("fedavg of 3", "homes=3")]
    assert [(run.community.config.homes, run.community.config.scenario) for run in runs] == [
        (2, "winter"),
        (3, "winter"),
    ]


def test_the_example_is_sound() -> None:
    runs = runs_of(read_declared(EXAMPLE), EXAMPLE)
    assert [run.name for run in runs][-2:] == ["local", "centralised"]
    assert len(runs) >= 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("seeds = []", "'seeds': list should have at least 1 item"),
        ("trainings = ['local']", "'seeds': field required"),
        ("seeds = [0, 0]", "0 is there more than once"),
        ("seeds = [0.5]", "'seeds', value 1: input should be a valid integer"),
        ("seeds = [-1]", "a seed is 0 or more"),
        ("seeds = [0]\nrounds = 3", "unknown key 'rounds'; known keys: seeds, trainings.*belong under \\[common\\]"),
        ("seeds = [0]\ntrainings = ['shared']", "'trainings', value 1: input should be 'federated', 'local'"),
        ("seeds = [0]\n[common]\nround = 3", "\\[common\\]: unknown key 'round'; known keys: .*rounds"),
        ("seeds = [0]\n[common]\nrounds = 'many'", "\\[common\\]: 'rounds' must be of type int, got 'many'"),
        ("seeds = [0]\n[common]\nrounds = [1, 2]", "\\[common\\], rounds: expected a text, a number"),
        ("seeds = [0]\n[common]\ndropout = 2.0", "\\[common\\]: dropout must lie between 0 and 1"),
        ("seeds = [0]\n[common]\nslots = 3", "'slots' cannot be given: an option of a trading day"),
        ("seeds = [0]\n[common]\nshort-history-share = 0.5", "cannot be given: it shortens what federated"),
        ("seeds = [0]\n[common]\ninit = '/no/such'", "\\[common\\]: init /no/such: not a model"),
        ("seeds = [0]\n[[grid]]\nstrategy = []", "table 1: 'strategy' is an empty list"),
        ("seeds = [0]\n[[grid]]\nrounds = [1, 1]", "table 1: 'rounds' has a value more than once"),
        ("seeds = [0]\n[[grid]]\nstrategy = 'fedsgd'", "table 1: strategy 'fedsgd' is unknown; choose one of"),
        ("seeds = [0]\n[[grid]]\nseed = [1, 2]", "table 1: 'seed' does not belong here; 'seeds'"),
        ("seeds = [0]\n[[grid]]\nname = '{mu}'", "table 1: 'name' has {mu}, which is no option"),
        ("seeds = [0]\n[[grid]]\nname = 'x'\nrounds = [1, 2]", "several runs are called 'x'"),
        ("seeds = [0]\n[[grid]]\nproximal-mu = 0.1", "'proximal-mu' changes none .*it is for strategy fedprox"),
        ("seeds = [0]\ntrainings = ['local']\n[[grid]]\nstrategy = 'fedavg'", "it is for federated training"),
        ("seeds = [0]\n[[grid]]\n[[grid]]\nstrategy = 'fedavg'", "table 2: 'fedavg' is the same .*table 1"),
        ("seeds = [0]\n[[grid]]\nstrategy = 'fedprox'\n[[grid]]\nstrategy = 'fedprox'\nproximal-mu = 0.01",
         "table 2: 'fedprox.*' is the same run"),
        ("seeds = [0]\nseeds = [1]", "not TOML: Cannot overwrite"),
    ],
)  # fmt: skip
def test_a_mistake_is_said_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        planned(tmp_path, text)
    assert str(tmp_path / "grid.toml") in str(caught.value)


def test_mistakes_leave_nothing(tmp_path: Path) -> None:
    file = declared(tmp_path, 'seeds = [0]\n[common]\nhomes = 2\n[[grid]]\nstrategy = "krum"\n')
    for arguments, says in (
        (["compare", str(file), "--out", str(tmp_path / "out")], "run 'krum': strategy krum needs at least 5 homes"),
        (["compare"], "name a TOML file"),
        (["compare", "--resume", str(tmp_path)], "no comparison in it"),
        (["compare", str(tmp_path / "none.toml")], "cannot be read"),
    ):
        failed = CliRunner().invoke(simulation.cli, arguments)
        assert failed.exit_code == 2, failed.output
        assert says in " ".join(failed.output.split())
    assert not (tmp_path / "out").exists()


# -- the table --------------------------------------------------------------------------------------------------------


def finished(rmse: float, seed: int) -> Finished:
    row = SkillRow(model="hybrid", training="federated", target="load", horizon="day", mae=0.1, rmse=rmse, nrmse=1.0,
                   pinball=0.1, coverage80=0.8)  # fmt: skip
    return Finished(rows=[row], shares={}, seed=seed, steps=8, train_seconds=1, score_seconds=1, config={},
                    data_hash="", versions={}, ended_utc="")  # fmt: skip


def test_intervals_are_students(tmp_path: Path) -> None:
    three = estimate([1.0, 2.0, 3.0])
    assert three.mean == 2.0
    assert three.half_width == pytest.approx(4.302653 / 3**0.5, rel=1e-6)
    assert estimate([1.0]).half_width is None
    run = planned(tmp_path, "seeds = [0]\n")[0]
    page = markdown(run_lines(run, {0: finished(0.5, 0)}), ["day"], {}, 1)
    assert "one seed, so there is no interval" in page
    assert "**0.500**" in page
    assert " ± 0.0" not in page
    page = markdown(run_lines(run, {s: finished(0.5 + s / 10, s) for s in (0, 1)}), ["day"], {}, 2)
    assert "**0.550 ± 0.635**" in page  # 12.706 x 0.0707 / sqrt(2)


# -- whole comparisons ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_homes(homes_root: Path):
    """Prepares two of the three homes that the tests share, with the days that a benchmark needs and some."""

    def prepare(config: RunConfig) -> CommunityManifest:
        root, whole = Path(config.homes_dir), read_manifest(homes_root)
        assert whole is not None
        first_day = whole.last_day - timedelta(days=DAYS)
        for home in whole.homes[:2]:
            if not (root / home).exists():
                facts, readings, forecast = open_home(homes_root / home)
                write_home(root / home, facts, readings.since(day_slots(first_day).start), forecast)
        return whole.model_copy(update={"homes": whole.homes[:2], "first_day": first_day})

    return prepare


@pytest.fixture(scope="module")
def whole(two_homes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output of a comparison that was not interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    compare(declared(folder, SMALL), folder / "out", 1, two_homes, Console(quiet=True))
    return folder / "out"


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / "compare.csv").open() as file:
        return list(csv.DictReader(file))


def test_what_a_comparison_leaves(whole: Path) -> None:
    rows = rows_of(whole)
    found = {(row["run"], row["model"], row["target"]): row for row in rows if row["horizon"] == "3h"}
    assert len(found) == len(rows) == (6 + 3 * 2) * len({row["target"] for row in rows})
    names = {run for run, _, _ in found}
    assert names == {"persistence", "daily-naive", "weekly-naive", "ewma-profile", "ridge, local", "ridge, federated",
                     "fedprox", "local", "centralised"}  # fmt: skip
    trained = found["fedprox", "transformer", "load"]
    assert (trained["strategy"], trained["seeds"], trained["steps"]) == ("fedprox", "2", "4")
    by_seed = [json.loads((whole / f"runs/fedprox/seed-{s}" / ROWS).read_text())["rows"] for s in (0, 1)]
    rmse = [row["rmse"] for one in by_seed for row in one if (row["model"], row["target"]) == ("transformer", "load")]
    assert float(trained["rmse"]) == pytest.approx(np.mean(rmse), abs=1e-6)
    assert float(trained["rmse_ci95"]) == pytest.approx(12.7062 * abs(rmse[0] - rmse[1]) / 2, abs=1e-5)
    assert found["persistence", "persistence", "load"]["rmse_ci95"] == ""
    assert (whole / "compare.png").stat().st_size > 10_000
    page = (whole / "compare.md").read_text()
    assert "| fedprox: hybrid |" in page
    assert "over 2 seeds" in page
    facts = json.loads((whole / "compare.json").read_text())
    assert facts["runs"]["runs/local/seed-1"]["steps"] == 4
    assert facts["grid"]["common"]["homes"] == 2
    assert not list(whole.glob(f"runs/*/*/{CHECKPOINTS}")), "what was needed to go on is gone"
    assert not list(whole.glob("homes/*/state/*"))


def test_a_comparison_that_was_killed_goes_on(
    whole: Path, two_homes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import server.training_run

    file, out, save = declared(tmp_path, SMALL), tmp_path / "out", server.training_run.save_checkpoint

    def save_or_die(folder, checkpoint):
        save(folder, checkpoint)
        if folder.name == "seed-1" and checkpoint.round == 1:
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(server.training_run, "save_checkpoint", save_or_die)
        compare(file, out, 1, two_homes, Console(quiet=True))
    done = {path: path.stat().st_mtime_ns for path in out.rglob(ROWS)}
    assert len(done) == 4, "the baselines and the runs of the first seed"
    assert load_checkpoint(out / "runs/fedprox/seed-1").round == 1
    node._fleets.clear()
    for changed, says in (
        (SMALL.replace("0.1", "0.2"), "grid 1.proximal-mu was 0.1, is 0.2"),
        (SMALL.replace("[0, 1]", "[0, 1, 2]"), r"seeds was \[0, 1\], is \[0, 1, 2\]"),
        (SMALL.replace("homes = 2", "homes = 2\nscenario = 'winter'"), "common.scenario = 'winter' is new"),
    ):
        with pytest.raises(UserError, match=says):
            compare(declared(tmp_path, changed), out, 1, two_homes, Console(quiet=True))
    compare(None, out, 1, two_homes, Console(quiet=True))
    assert {path: path.stat().st_mtime_ns for path in done} == done, "what was done is not done again"
    assert len((out / "runs/fedprox/seed-1/rounds.jsonl").read_text().splitlines()) == 2 * 2
    assert (out / "compare.csv").read_text() == (whole / "compare.csv").read_text()


@pytest.mark.parametrize("kind", ["head", "finetune"])
def test_each_home_is_scored_with_what_is_its_own(two_homes, tmp_path: Path, kind: str) -> None:
    from common.config import MODELS
    from common.model import head_start

    config = RunConfig(
        model="tiny", rounds=1, local_steps=1, batch_size=1, learning_rate=3e-3, personalisation=kind, finetune_steps=1,
        homes_dir=str(tmp_path / "homes"),
    )  # fmt: skip
    homes = two_homes(config)
    split = split_of(day_slots(homes.first_day).start, day_slots(homes.last_day).start, 3, ["3h"])
    (job,) = jobs_of("federated", learning(config, split, 2), split, homes.homes, tmp_path / "run")
    vectors = list(train(job, lambda steps: None).values())
    start = head_start(MODELS["tiny"])
    assert len(vectors) == 2
    assert vectors[0].shape == vectors[1].shape
    assert (vectors[0][:start] == vectors[1][:start]).all() == (kind == "head")
    assert not np.array_equal(vectors[0][start:], vectors[1][start:])
