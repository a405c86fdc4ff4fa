"""A comparison in one picture: RMSE of the load with its confidence interval, a panel for each horizon."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from experiments.compare.table import Line
from report.chart import BLUE, GREEN, GREY, INK, ORANGE

_COLOURS = {"federated": BLUE, "local": ORANGE, "centralised": GREEN}
_MARKS = {"transformer": "o", "hybrid": "D"}
_OFFSET = {"transformer": -0.16, "hybrid": 0.16}
_NAMES = {"3h": "3 hours ahead", "day": "a day ahead", "week": "a week ahead", "month": "a month ahead"}
_PANEL_INCHES, _NAME_INCHES, _ROW_INCHES, _FRAME_INCHES, _DPI = 3.2, 2.8, 0.36, 1.5, 100
_NAME_WIDTH = 32
_TITLE, _LABEL, _TICK = 14, 12, 11
_FAR = 2.0
"""What is worse than the best by more than this times the spread of the trained models is named, not drawn."""


def compare_png(lines: Sequence[Line], horizons: Sequence[str], seeds: int, path: Path) -> None:
    """Draw a row of panels for each community."""
    load = [line for line in lines if line.target == "load"]
    communities = list(dict.fromkeys(line.community for line in load))
    names = {one: list(dict.fromkeys(line.run for line in load if line.community == one)) for one in communities}
    heights = [len(names[one]) * _ROW_INCHES + _FRAME_INCHES for one in communities]
    figure = Figure(
        figsize=(_NAME_INCHES + _PANEL_INCHES * len(horizons), sum(heights) + 0.8), dpi=_DPI, facecolor="white",
        layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.1),
    )  # fmt: skip
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(len(communities), len(horizons), height_ratios=heights)
    over = f"mean and 95 % interval over {seeds} seeds" if seeds > 1 else "one seed: no interval"
    figure.suptitle(f"RMSE of the load, kW; {over}", fontsize=17, fontweight="bold", color=INK, x=0.012, ha="left")
    for row, community in enumerate(communities):
        for column, horizon in enumerate(horizons):
            axes = figure.add_subplot(grid[row, column])
            found = [line for line in load if (line.community, line.horizon) == (community, horizon)]
            _draw(axes, found, names[community], named=column == 0)
            title = _NAMES[horizon] + (f"   {community}" if community and column == 0 else "")
            axes.set_title(title, loc="left", fontsize=_TITLE, fontweight="bold", color=INK)
    figure.legend(handles=_legend(), loc="outside lower left", ncols=6, frameon=False, fontsize=_TICK)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})


def _draw(axes: Axes, lines: Sequence[Line], names: Sequence[str], *, named: bool) -> None:
    """Runs from top to bottom; what lies far to the right stands at the edge with its number."""
    at = {name: len(names) - 1 - i for i, name in enumerate(names)}
    low, high = _limits(lines)
    for line in lines:
        found, y = line.figures["rmse"], at[line.run] + (_OFFSET.get(line.model, 0.0) if line.seeds else 0.0)
        colour = _COLOURS.get(line.training, GREY) if line.seeds else GREY
        if found.mean > high:
            axes.text(high, y, f"{found.mean:.2f} \N{RIGHTWARDS ARROW}", ha="right", va="center", fontsize=_TICK,
                      color=colour)  # fmt: skip
            continue
        axes.errorbar(
            found.mean, y, xerr=found.half_width, fmt=_MARKS.get(line.model, "|") if line.seeds else "|", color=colour,
            ms=6 if line.seeds else 12, mew=1 if line.seeds else 2.4, mec="white" if line.seeds else colour,
            elinewidth=2, capsize=3,
        )  # fmt: skip
    axes.set_xlim(low, high)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_yticks(
        list(at.values()), [fill(name, _NAME_WIDTH, break_on_hyphens=False) if named else "" for name in at]
    )
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(labelsize=_TICK, colors=INK)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="both", color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)


def _limits(lines: Sequence[Line]) -> tuple[float, float]:
    """From the best to what is not far worse than the trained models and the ridge."""
    ends = [(e.mean - (e.half_width or 0), e.mean + (e.half_width or 0)) for e in (ln.figures["rmse"] for ln in lines)]
    near = [end for end, line in zip(ends, lines, strict=True) if line.seeds or line.model == "ridge"]
    best, worst = min(low for low, _ in ends), max(high for _, high in near)
    reach = best + _FAR * max(worst - best, 0.01 * best)
    high = max([worst, *(top for _, top in ends if top <= reach)])
    margin = 0.08 * max(high - best, 0.01 * best)
    return float(np.float64(best - margin)), float(np.float64(high + margin))


def _legend() -> list[Line2D]:
    trainings = [Line2D([], [], color=colour, lw=3, label=name) for name, colour in _COLOURS.items()]
    marks = [Line2D([], [], color=INK, marker=mark, ls="", ms=7, label=name) for name, mark in _MARKS.items()]
    return [*trainings, *marks, Line2D([], [], color=GREY, marker="|", ls="", ms=12, mew=2.4, label="baseline")]
