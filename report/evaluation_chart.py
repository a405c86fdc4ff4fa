"""An evaluation in one picture: the bill step by step, and the months with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from report.chart import BLUE, GREEN, GREY, INK, ORANGE, SKY, VERMILION
from report.evaluation import Evaluation
from report.periods import Estimate, PeriodRow
from report.schema import Waterfall

_TITLE, _LABEL, _TICK = 14, 12, 11

STEPS: tuple[tuple[str, str, str], ...] = (
    ("grid only\n(b0)", "grid_only_usd", GREY),
    ("own solar\n(b1)", "own_solar_usd", ORANGE),
    ("own\nbattery", "own_battery_usd", SKY),
    ("P2P", "p2p_usd", BLUE),
    ("P2P, perfect\nforecast", "perfect_forecast_usd", GREEN),
    ("P2P, 3 h\nlook-ahead", "look_ahead_3h_usd", VERMILION),
    ("P2P, time-of-\nuse rule", "time_of_use_rule_usd", VERMILION),
    ("community\noptimum", "community_optimum_usd", INK),
)
"""Label, field of the waterfall and colour of each bar."""

FIGURES: tuple[tuple[str, str, Callable[[PeriodRow], Estimate], float], ...] = (
    ("Savings against b1", "%", lambda row: row.savings_percent_b1, 1.0),
    ("Share of the community optimum's savings", "%", lambda row: row.captured_share, 100.0),
    ("Day's highest half-hour over b1's, mean", "ratio", lambda row: row.day_max_ratio, 1.0),
)


def evaluation_png(evaluation: Evaluation, path: Path) -> None:
    """Draw an evaluation, 1600 x 1400 pixels; months where there are several."""
    layout = ConstrainedLayoutEngine(w_pad=0.16, h_pad=0.14)
    figure = Figure(figsize=(16, 14), dpi=100, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(4, 1, height_ratios=(1.6, 1, 1, 1))
    e = evaluation
    saved = "" if e.savings_percent_b1 is None else f"   |   saved {e.savings_percent_b1:.1f} % of b1"
    title = f"{e.by_day[0].day} to {e.by_day[-1].day}   |   {e.days} days, {e.homes} homes{saved}"
    figure.suptitle(title, fontsize=17, fontweight="bold", color=INK, x=0.012, ha="left")
    _draw_waterfall(figure.add_subplot(grid[0]), e.waterfall)
    for row, (title, unit, of, scale) in enumerate(FIGURES, 1):
        _draw_months(figure.add_subplot(grid[row]), e.by_month, title, unit, [of(m) for m in e.by_month], scale)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})


def _draw_waterfall(axes: Axes, waterfall: Waterfall) -> None:
    """A bar for each step that is known, and what it saves against b1."""
    known = [(label, getattr(waterfall, name), colour) for label, name, colour in STEPS]
    bars = [(label, cost, colour) for label, cost, colour in known if cost is not None]
    _style(axes, "Bill of all homes, step by step, and the same days decided in other ways", "$")
    axes.bar(range(len(bars)), [cost for _, cost, _ in bars], color=[colour for *_, colour in bars], width=0.65)
    b1 = waterfall.own_solar_usd
    for x, (_, cost, _) in enumerate(bars):
        change = f"\n{100 * (cost - b1) / b1:+.1f} %" if b1 and b1 > 0 and cost != b1 else ""
        text = rf"\${cost:.2f}{change}"
        axes.annotate(
            text, (x, max(cost, 0)), (0, 4), textcoords="offset points", ha="center", fontsize=_TICK, color=INK
        )
    axes.set_xticks(range(len(bars)), [label for label, *_ in bars])
    axes.margins(y=0.22)


def _draw_months(
    axes: Axes, rows: Sequence[PeriodRow], title: str, unit: str, figures: Sequence[Estimate], scale: float
) -> None:
    """A figure of each month with its 95 % interval."""
    _style(axes, title, unit)
    for x, figure in enumerate(figures):
        if figure.value is None:
            continue
        value = scale * figure.value
        ends = [value if end is None else scale * end for end in (figure.low, figure.high)]
        spread = np.abs(np.array([[ends[0] - value], [ends[1] - value]]))
        axes.errorbar([x], [value], yerr=spread, fmt="o", color=BLUE, ms=7, capsize=5, lw=2)
    axes.set_xticks(range(len(rows)), [f"{row.period}\n{row.days} d" for row in rows])
    axes.set_xlim(-0.5, max(len(rows), 1) - 0.5)


def _style(axes: Axes, title: str, unit: str) -> None:
    axes.set_title(title, loc="left", fontsize=_TITLE, fontweight="bold", color=INK)
    axes.set_ylabel(unit, fontsize=_LABEL, color=INK)
    axes.tick_params(labelsize=_TICK, colors=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
