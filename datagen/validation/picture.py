"""Generated and real homes in one picture: profiles, distributions, diversity, and a week of a few homes.

Colours are Okabe and Ito's, which people with any colour vision tell apart (https://jfly.uni-koeln.de/color/).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from datagen.validation.comparison import Profile
from datagen.validation.population import Population
from datagen.validation.statistics import ramps
from datagen.validation.study import Validation

Floats = NDArray[np.float64]

INK, GREY, REAL, GENERATED = "#333333", "#8a8a8a", "#0072B2", "#D55E00"
TRACES = 2
_SIZE_INCHES, _DPI = (16, 15), 100


def draw(found: Validation, path: Path) -> None:
    """Draw a comparison, 1600 x 1500 pixels."""
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    title = f"{len(found.generated)} generated homes against {len(found.real)} real homes of {Path(found.against).name}"
    figure.suptitle(title, fontsize=17, fontweight="bold", color=INK, x=0.012, ha="left")
    grid = figure.add_gridspec(4, 6, height_ratios=(1, 1, 0.9, 0.9))
    for column, profile in enumerate(found.profiles[:3]):
        _draw_profile(figure.add_subplot(grid[0, 2 * column : 2 * column + 2]), profile)
    _draw_levels(figure.add_subplot(grid[1, 0:2]), found)
    _draw_ramps(figure.add_subplot(grid[1, 2:4]), found)
    _draw_coincidence(figure.add_subplot(grid[1, 4:6]), found)
    start = _sample_week(found.real)
    weeks = [figure.add_subplot(grid[2 + row, :]) for row in range(2)]
    for axes, population in zip(weeks, (found.real, found.generated), strict=True):
        _draw_week(axes, population, start)
    for axes in weeks:
        axes.set_ylim(0, max(axes.get_ylim()[1] for axes in weeks))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})


def _draw_profile(axes: Axes, profile: Profile) -> None:
    """Median and band of either side: least to greatest of the real, 10 to 90 % of the generated homes."""
    _style(axes, f"{profile.name[0].upper()}{profile.name[1:]}", profile.unit)
    place = np.arange(len(profile.labels))
    bands = (
        (profile.real_min, profile.real_median, profile.real_max, REAL, "real: median, min to max"),
        (profile.generated_p10, profile.generated_median, profile.generated_p90, GENERATED,
         "generated: median, 10 to 90 %"),
    )  # fmt: skip
    for low, middle, high, colour, label in bands:
        axes.fill_between(place, low, high, color=colour, alpha=0.18, lw=0)
        axes.plot(place, middle, color=colour, lw=2.2, label=label)
    every = 3 if len(place) > 12 else 1
    axes.set_xticks(place[::every], profile.labels[::every])
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=10, frameon=False)


def _draw_levels(axes: Axes, found: Validation) -> None:
    """Share of the time above a level, each home a thin line."""
    _style(axes, "Load duration", "load / mean of the home")
    share = np.linspace(0, 1, 200)
    for population, colour in ((found.real, REAL), (found.generated, GENERATED)):
        curves = np.nanquantile(population.load_kwh, 1 - share, axis=1).T / population.mean_kwh[:, None]
        axes.plot(100 * share, curves.T, color=colour, lw=0.5, alpha=0.35)
        axes.plot(100 * share, np.median(curves, axis=0), color=colour, lw=2.4, label=population.name)
    axes.set_yscale("log")
    axes.set_ylim(0.05, 15)
    axes.set_xlabel("% of the time")
    axes.legend(fontsize=10, frameon=False)


def _draw_ramps(axes: Axes, found: Validation) -> None:
    """Distribution of the absolute change from step to step."""
    _style(axes, "Ramps from step to step", "share of the steps with more")
    size = np.geomspace(0.01, 10, 120)
    for population, colour in ((found.real, REAL), (found.generated, GENERATED)):
        changes = np.abs(ramps(population))
        shares = np.stack([_share_above(row[np.isfinite(row)], size) for row in changes])
        axes.plot(size, shares.T, color=colour, lw=0.5, alpha=0.35)
        axes.plot(size, np.median(shares, axis=0), color=colour, lw=2.4, label=population.name)
    axes.set_xscale("log")
    axes.set_xlabel("|change| / mean of the home")
    axes.legend(fontsize=10, frameon=False)


def _share_above(values: Floats, thresholds: Floats) -> Floats:
    return np.asarray(1 - np.searchsorted(np.sort(values), thresholds, side="right") / max(len(values), 1))


def _draw_coincidence(axes: Axes, found: Validation) -> None:
    _style(axes, "Diversity", "peak of the sum / sum of peaks")
    for values, colour, label in (
        (found.coincidence_real, REAL, "real"),
        (found.coincidence_generated, GENERATED, "generated"),
    ):
        size = np.arange(1, len(values) + 1)
        axes.fill_between(size, *np.quantile(values, (0.1, 0.9), axis=1), color=colour, alpha=0.18, lw=0)
        axes.plot(size, values.mean(axis=1), color=colour, lw=2.4, marker="o", ms=3, label=label)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("homes")
    axes.legend(fontsize=10, frameon=False)


def _sample_week(real: Population) -> int:
    """Step of the first Monday after a third of the data."""
    monday = (real.axis.weekday == 0) & (real.axis.hour == 0)
    return int(np.flatnonzero(monday & (np.arange(len(real.axis)) >= len(real.axis) // 3))[0])


def _draw_week(axes: Axes, population: Population, start: int) -> None:
    """A week of the homes nearest to a third and two thirds of the ranking by yearly energy."""
    _style(axes, f"A week of {TRACES} {population.name} homes, a third and two thirds up by energy", "kW")
    steps = slice(start, min(start + 7 * population.axis.day_steps, len(population.axis)))
    ranking = np.argsort(population.mean_kwh)
    picked = [ranking[len(ranking) * (k + 1) // (TRACES + 1)] for k in range(TRACES)]
    power_kw = population.load_kwh[picked, steps] / population.axis.step_hours
    days = np.arange(power_kw.shape[1]) / population.axis.day_steps
    for row, colour in zip(range(len(picked)), (REAL if population.name == "real" else GENERATED, GREY), strict=True):
        axes.step(days, power_kw[row], where="post", color=colour, lw=1.4, label=population.home_ids[picked[row]])
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, 7)
    axes.set_xticks(range(8), ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", ""])
    axes.legend(fontsize=10, frameon=False, loc="upper right")


def _style(axes: Axes, title: str, label: str) -> None:
    axes.set_title(title, loc="left", fontsize=13, color=INK)
    axes.set_ylabel(label, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=GREY, alpha=0.2)
