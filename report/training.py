"""The result of a training run, ``training.json``, and its table for the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from report.privacy import print_privacy
from report.schema import Privacy

HOMES_SHOWN = 20


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TrainedHome(_Row):
    """One home; errors are RMSE of the next day's load in units of the home's own scale.

    Attributes:
        rounds: in which its update entered the average.
        loss: training loss of the last of them.
        base_rmse, model_rmse: on the held-out days before the test, of the base and of the model that came alone.
        test_base_rmse, test_hybrid_rmse: on the test days, without and with the last model, gated as in forecasts.
        test_model_rmse: of the model alone. test_days: how many.
        shared_rmse, own_rmse: on the held-out days, of the last shared model and of the home's own copy of it
            (personalisation ``finetune``).
    """

    home_id: str
    rounds: int
    loss: float | None = None
    base_rmse: float | None = None
    model_rmse: float | None = None
    test_days: int = 0
    test_base_rmse: float | None = None
    test_hybrid_rmse: float | None = None
    test_model_rmse: float | None = None
    shared_rmse: float | None = None
    own_rmse: float | None = None


class TrainingResult(_Row):
    """A training run.

    Attributes:
        strategy, rounds, parameters: rule of the average, rounds that are done, parameters that travelled.
        learned_before, tested_until: local days: all learning is of days before the one; the test is of the days from
            it up to, and without, the other.
        gates: share of the Transformer's residual that forecasts use, by head.
        homes: by id.
        privacy: None without differential privacy.
        seconds: wall time by phase, of the last process alone where the run was resumed.
        versions, seed, config, data_hash, started_utc, ended_utc: where the run comes from.
    """

    strategy: str
    rounds: int
    parameters: int
    learned_before: str
    tested_until: str
    gates: dict[str, float]
    homes: list[TrainedHome]
    privacy: Privacy | None
    seconds: dict[str, float]
    versions: dict[str, str]
    seed: int
    config: dict[str, str | int | float | bool]
    data_hash: str
    started_utc: str
    ended_utc: str


def trained_homes(homes: Sequence[str], rounds: Path, reported: Mapping[str, Mapping[str, float]]) -> list[TrainedHome]:
    """Rows of the homes, from ``rounds.jsonl`` and what they reported after the last round."""
    last: dict[str, dict[str, float]] = {home: {} for home in homes}
    counts = dict.fromkeys(homes, 0)
    for line in rounds.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["accepted"]:
            counts[row["home"]] += 1
            last[row["home"]] = {name: row[name] for name in ("loss", "base_rmse", "model_rmse")}
    known = set(TrainedHome.model_fields)
    rows = []
    for home in homes:
        figures = {name: value for name, value in reported.get(home, {}).items() if name in known}
        if "test_days" in figures:
            figures["test_days"] = int(figures["test_days"])
        rows.append(TrainedHome.model_validate({"home_id": home, "rounds": counts[home], **last[home], **figures}))
    return rows


def print_training(result: TrainingResult, console: Console) -> None:
    """Print a training run: its homes, its gates, what privacy it cost, where its time went."""
    r = result
    title = f"{r.rounds} rounds of {r.strategy}, learned before {r.learned_before}, tested until {r.tested_until}"
    own = any(home.own_rmse is not None for home in r.homes)
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    table.add_column("home")
    for name in ("rounds", "loss", "held-out base", "model", "test base", "hybrid", *(("own copy",) if own else ())):
        table.add_column(name, justify="right")
    for home in r.homes[:HOMES_SHOWN]:
        figures = (home.loss, home.base_rmse, home.model_rmse, home.test_base_rmse, home.test_hybrid_rmse)
        extra = (home.own_rmse,) if own else ()
        table.add_row(home.home_id, str(home.rounds), *(_figure(value) for value in (*figures, *extra)))
    hidden = len(r.homes) - HOMES_SHOWN
    table.caption = "RMSE of the next day's load, in units of each home's scale" + (
        f"; and {hidden} more homes in training.json" if hidden > 0 else ""
    )
    table.caption_justify = "left"
    console.print(table)
    gates = "  ".join(f"{head} {share:.2f}" for head, share in r.gates.items())
    console.print(f"[bold]Gates[/]  {gates or 'closed'}", highlight=False)
    print_privacy(r.privacy, console)
    spent = "  ".join(f"{phase} {value:.1f} s" for phase, value in r.seconds.items())
    console.print(f"[bold]Time[/]  {spent}", highlight=False)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
