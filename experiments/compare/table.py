"""The table of a comparison: mean and 95 % confidence interval over seeds of every figure, as CSV.

The half-width of the interval is Student's: t(0.975, n - 1) s / sqrt(n).  It says how much the seeds of the training
matter, for these homes and these days; it says nothing of other homes.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from experiments.compare.declared import Value
from experiments.compare.grid import Run, shown
from experiments.compare.unit import Finished
from experiments.skill.scoring import FIGURES, SkillRow

CONFIDENCE = 0.95
Key = tuple[str, str, str]
"""Model, target and horizon."""


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds.

    Attributes:
        half_width: of its confidence interval; None of a single value.
    """

    mean: float
    half_width: float | None


@dataclass(frozen=True)
class Line:
    """A line of the table.

    Attributes:
        run: its name; of a baseline the model's. community: name of the homes; empty where there is one community.
        strategy, settings: of the run; empty where it has none.
        training, model, target, horizon: as in :class:`experiments.skill.scoring.SkillRow`.
        seeds: how many the figures are the mean of; 0 of a baseline, which draws nothing.
        steps: optimiser steps of all homes together, mean over seeds.
        figures: by name. values: of RMSE by seed.
    """

    run: str
    community: str
    strategy: str
    settings: Mapping[str, Value]
    training: str
    model: str
    target: str
    horizon: str
    seeds: int
    steps: float
    figures: Mapping[str, Estimate]
    values: Mapping[int, float]


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and half-width of its 95 % confidence interval."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Estimate(mean, None)
    quantile = float(student.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
    return Estimate(mean, quantile * float(np.std(values, ddof=1)) / math.sqrt(len(values)))


def baseline_lines(community: str, finished: Finished) -> list[Line]:
    """Lines of a community's baselines."""
    lines = []
    for row in finished.rows:
        name = row.model if row.training == "none" else f"{row.model}, {row.training}"
        figures = {figure: Estimate(getattr(row, figure), None) for figure in FIGURES}
        lines.append(
            Line(name, community, "", {}, row.training, row.model, row.target, row.horizon, 0, 0.0, figures, {})
        )
    return lines


def run_lines(run: Run, by_seed: Mapping[int, Finished]) -> list[Line]:
    """Lines of a run from what each seed came to."""
    rows: dict[Key, dict[int, SkillRow]] = {}
    for seed, finished in by_seed.items():
        for row in finished.rows:
            rows.setdefault((row.model, row.target, row.horizon), {})[seed] = row
    steps = float(np.mean([finished.steps for finished in by_seed.values()]))
    return [
        Line(
            run.name, run.community.name, run.strategy, run.settings, run.training, *key, len(found), steps,
            {figure: estimate([getattr(row, figure) for row in found.values()]) for figure in FIGURES},
            {seed: row.rmse for seed, row in found.items()},
        )
        for key, found in rows.items()
    ]  # fmt: skip


def paired(line: Line, other: Line) -> Estimate:
    """RMSE of one line less that of another of the same seeds, seed by seed: the seeds' common luck cancels."""
    return estimate([value - other.values[seed] for seed, value in line.values.items()])


def csv_text(lines: Sequence[Line]) -> str:
    """The lines as CSV: means, and half-widths where there is more than one seed."""
    heading = ["run", "homes", "strategy", "settings", "training", "model", "target", "horizon", "seeds", "steps"]
    heading += [name for figure in FIGURES for name in (figure, f"{figure}_ci95")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heading)
    for line in lines:
        settings = " ".join(f"{key}={shown(value)}" for key, value in line.settings.items())
        row = [line.run, line.community, line.strategy, settings, line.training, line.model, line.target, line.horizon]
        cells = [*row, str(line.seeds), f"{line.steps:g}"]
        for figure in FIGURES:
            found = line.figures[figure]
            width = "" if found.half_width is None else f"{found.half_width:.6f}"
            cells += ["" if math.isnan(found.mean) else f"{found.mean:.6f}", width]
        writer.writerow(cells)
    return text.getvalue()
