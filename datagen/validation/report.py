"""What a comparison of generated with real homes found, as tables in the terminal and as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from datetime import date
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from common.clock import local_of
from datagen.validation.comparison import Comparison, Profile
from datagen.validation.population import Population
from datagen.validation.study import Validation
from datagen.validation.two_sample import TwoSample

INSIDE, OUTSIDE = "yes", "[red]no[/red]"
LEAST_TELL = 0.6
"""Figures of days that tell generated from real ones worse than this (AUC) are not worth a line."""

INDISTINGUISHABLE, TRANSFER_AIM = 0.5, 1.05


def days_of(population: Population) -> tuple[date, date]:
    """First and last local day."""
    slots = population.axis.slots
    return local_of(slots.start).date(), local_of(slots.stop - 1).date()


def show(found: Validation, console: Console) -> None:
    """Print all tables and a summary."""
    first, last = days_of(found.real)
    minutes = round(60 * found.real.axis.step_hours)
    console.print(
        f"{len(found.generated)} generated homes (version {found.generator_version}, seed {found.seed}) against "
        f"{len(found.real)} real homes of {found.against}, {first} to {last}, every {minutes} minutes",
        highlight=False, markup=False,
    )  # fmt: skip
    console.print(f"climate: {found.climate}; {found.climate_reason}", highlight=False, markup=False)
    console.print(f"stock: {found.stock}; {found.stock_reason}", highlight=False, markup=False)
    console.print(_comparison_table(found.comparisons))
    for profile in found.profiles:
        console.print(_profile_table(profile))
    console.print(_coincidence_table(found))
    console.print(_distinction_table(found))
    if found.tells:
        console.print(_tell_table(found))
    if found.transfer is not None:
        console.print(_transfer_table(found))
    for note in found.notes:
        console.print(f"note: {note}", highlight=False, markup=False)
    for line in summary(found):
        console.print(line, style="bold", highlight=False, markup=False)


def summary(found: Validation) -> list[str]:
    """The headline figures, a line each."""
    inside = sum(row.inside for row in found.comparisons)
    lines = [f"{inside} of {len(found.comparisons)} statistics: the generated median lies in the real homes' range"]
    headline = found.distinctions[0]
    if headline.generated is not None:
        beside = "" if headline.yardstick is None else f"; real from other real homes: {_auc(headline.yardstick)}"
        lines.append(
            f"AUC {_auc(headline.generated)} of telling generated from real days of unseen homes "
            f"({INDISTINGUISHABLE} is indistinguishable){beside}"
        )
    if found.transfer is not None:
        lines.append(
            f"error on real homes of a forecaster trained on generated homes over that of one trained on real homes: "
            f"{found.transfer.ratio:.3f} (aim: at most {TRANSFER_AIM})"
        )
    return lines


def write_json(found: Validation, options: dict[str, str | int], path: Path) -> None:
    """Write all figures with where they come from; what is not known is null."""
    first, last = days_of(found.real)
    document = {
        "provenance": {
            "options": options,
            "generator_version": found.generator_version,
            "seed": found.seed,
            "stock": found.stock,
            "stock_reason": found.stock_reason,
            "climate": found.climate,
            "climate_reason": found.climate_reason,
            "against": found.against,
            "real_homes": list(found.real.home_ids),
            "generated_homes": len(found.generated),
            "first_day": str(first),
            "last_day": str(last),
            "step_hours": found.real.axis.step_hours,
            "notes": found.notes,
        },
        "summary": summary(found),
        "statistics": [asdict(row) for row in found.comparisons],
        "profiles": [asdict(profile) for profile in found.profiles],
        "coincidence": {
            "homes": list(range(1, len(found.coincidence_generated) + 1)),
            "real_mean": found.coincidence_real.mean(axis=1),
            "generated_mean": found.coincidence_generated.mean(axis=1),
            "generated_p10": np.quantile(found.coincidence_generated, 0.1, axis=1),
            "generated_p90": np.quantile(found.coincidence_generated, 0.9, axis=1),
        },
        "two_sample": [asdict(row) for row in found.distinctions],
        "tells": [asdict(tell) for tell in found.tells],
        "forecast": None if found.transfer is None else asdict(found.transfer),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_plain(document), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _plain(value: object) -> object:
    """A value as JSON knows it; NaN is null."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(columns[0], no_wrap=True)
    for column in columns[1:]:
        table.add_column(column, justify="right")
    return table


def _comparison_table(rows: list[Comparison]) -> Table:
    table = _table("Homes", "", "real min / median / max", "generated 10 % / median / 90 %", "in range")
    for row in rows:
        real = (row.real_min, row.real_median, row.real_max)
        generated = (row.generated_p10, row.generated_median, row.generated_p90)
        sides = (" / ".join(_figure(value) for value in side) for side in (real, generated))
        name = f"{row.name}, {row.unit}" if row.unit else row.name
        table.add_row(name, *sides, INSIDE if row.inside else OUTSIDE)
    return table


def _profile_table(profile: Profile) -> Table:
    known = np.isfinite(profile.real_median) & np.isfinite(profile.generated_median)
    inside = int((profile.inside & known).sum())
    title = f"{profile.name[0].upper()}{profile.name[1:]}, {profile.unit}: {inside} of {int(known.sum())} in range"
    table = _table(title, "", "real min", "median", "max", "generated 10 %", "median", "90 %", "in range")
    columns = (
        profile.real_min, profile.real_median, profile.real_max,
        profile.generated_p10, profile.generated_median, profile.generated_p90,
    )  # fmt: skip
    for row in np.flatnonzero(known):
        figures = (f"{column[row]:.2f}" for column in columns)
        table.add_row(profile.labels[row], *figures, INSIDE if profile.inside[row] else OUTSIDE)
    return table


def _coincidence_table(found: Validation) -> Table:
    title = "Diversity: peak of the sum over the sum of peaks, mean over random groups"
    table = _table(title, "homes", "real", "generated 10 %", "mean", "90 %")
    real, generated = found.coincidence_real, found.coincidence_generated
    sizes = sorted({*range(1, len(real) + 1), 10, 20, 40, len(generated)} & set(range(1, len(generated) + 1)))
    for size in sizes:
        row = generated[size - 1]
        beside = f"{real[size - 1].mean():.2f}" if size <= len(real) else ""
        table.add_row(
            str(size), beside, f"{np.quantile(row, 0.1):.2f}", f"{row.mean():.2f}", f"{np.quantile(row, 0.9):.2f}"
        )
    return table


def _distinction_table(found: Validation) -> Table:
    table = _table(
        "Telling days apart: AUC of gradient boosting, 0.5 is indistinguishable",
        "", "generated from real", "real from other real",
    )  # fmt: skip
    for row in found.distinctions:
        table.add_row(row.name, _auc(row.generated), _auc(row.yardstick))
    headline = found.distinctions[0].generated
    if headline is not None and headline.importance is not None:
        order = np.argsort(-headline.importance)[:5]
        hours = ", ".join(
            f"{_clock(row * found.real.axis.step_hours)} (-{max(headline.importance[row], 0):.3f})" for row in order
        )
        table.caption = f"steps that the classifier goes by, and the loss of AUC without each: {hours}"
    return table


def _tell_table(found: Validation) -> Table:
    table = _table(
        "What gives generated days away: single figures of a day", "", "AUC", "generated have", "real", "generated"
    )
    for tell in found.tells:
        if tell.auc >= LEAST_TELL or tell is found.tells[0]:
            more = "more" if tell.higher else "less"
            table.add_row(tell.name, f"{tell.auc:.2f}", more, _figure(tell.real_median), _figure(tell.generated_median))
    return table


def _transfer_table(found: Validation) -> Table:
    assert found.transfer is not None
    result = found.transfer
    title = f"Day-ahead forecasts of the real homes, {result.test_days} days from {result.first_test_day}"
    table = _table(title, "trained on", "homes", "rows", "RMSE, kWh/h", "MAE, kWh/h", "RMSE ratio")
    for score in result.scores:
        size = (str(score.homes), f"{score.rows:,}") if score.homes else ("", "")
        ratio = f"{score.rmse_kw / result.scores[0].rmse_kw:.3f}"
        table.add_row(score.name, *size, f"{score.rmse_kw:.3f}", f"{score.mae_kw:.3f}", ratio)
    spread = ", ".join(f"{ratio:.3f}" for ratio in result.ratios)
    unseen = "" if result.unseen_ratio is None else f"; against other real homes {result.unseen_ratio:.3f}"
    table.caption = f"ratios of the groups of generated homes: {spread}{unseen}; of MAE {result.mae_ratio:.3f}"
    return table


def _auc(result: TwoSample | None) -> str:
    return "too few homes" if result is None else f"{result.auc:.3f} +- {result.spread:.3f}"


def _clock(hour: float) -> str:
    return f"{int(hour):02d}:{round(hour % 1 * 60):02d}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"
