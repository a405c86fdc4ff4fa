"""A run in one picture: prices and trades, energy, savings by home, and the forecaster's loss.

Colours are Okabe and Ito's, which people with any colour vision tell apart (https://jfly.uni-koeln.de/color/).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from common.units import SLOT_HOURS
from report.schema import Home, Result, TimelineRow

INK, GREY = "#333333", "#8a8a8a"
BLUE, ORANGE, GREEN, VERMILION, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9"

HOMES_NAMED = 24
"""Up to so many homes are named; more are drawn by rank."""

_SIZE_INCHES, _DPI = (16, 12), 100
_TITLE, _LABEL, _TICK = 14, 12, 11
_MOST_TICKS = 14


def day_png(result: Result, path: Path) -> None:
    """Draw a run, 1600 x 1200 pixels; load, solar and charge only where they are known."""
    figure = Figure(
        figsize=_SIZE_INCHES, dpi=_DPI, layout=ConstrainedLayoutEngine(w_pad=0.16, h_pad=0.14), facecolor="white"
    )
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(3, 2, height_ratios=(1.0, 1.2, 1.0), hspace=0.05, wspace=0.04)
    figure.suptitle(_title(result), fontsize=17, fontweight="bold", color=INK, x=0.012, ha="left")
    _draw_prices(figure.add_subplot(grid[0, :]), result.timeline)
    _draw_energy(figure.add_subplot(grid[1, :]), result.timeline)
    _draw_homes(figure.add_subplot(grid[2, 0]), result.homes)
    _draw_rounds(figure.add_subplot(grid[2, 1]), result)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})


def _title(result: Result) -> str:
    days = [f"{datetime.fromisoformat(row.start_local):%-d %B %Y}" for row in result.timeline]
    span = "no slots" if not days else days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    saved = f"saved {result.savings} ({result.savings_percent})"
    costs = f"{result.baseline_pge_cost} \N{RIGHTWARDS ARROW} {result.optimized_cost}"
    text = f"{span}   |   {result.figures.homes} homes   |   {costs}, {saved}   |   {result.trades_executed} trades"
    return text.replace("$", r"\$")


def _draw_prices(axes: Axes, timeline: Sequence[TimelineRow]) -> None:
    """Posted price between the tariff's import and export price, and the traded energy of each slot behind them."""
    _style(axes, "Prices and trades, by local time", "$ per kWh")
    trades = _twin(axes, "traded, kWh in the half-hour")
    traded = [row.traded_kwh for row in timeline]
    trades.bar(range(len(traded)), traded, width=1.0, align="edge", color=SKY, alpha=0.5, label="traded energy")
    trades.set_ylim(0, 1.5 * max([0.1, *traded]))
    _steps(axes, [row.import_usd_per_kwh for row in timeline], "tariff: import", VERMILION)
    _steps(axes, [row.price_usd_per_kwh for row in timeline], "posted price", BLUE, width=3.0)
    _steps(axes, [row.export_usd_per_kwh for row in timeline], "tariff: export", ORANGE)
    axes.set_ylim(0, 1.15 * max([0.1, *(row.import_usd_per_kwh for row in timeline)]))
    _legend(axes, trades)
    _local_time(axes, timeline)


def _draw_energy(axes: Axes, timeline: Sequence[TimelineRow]) -> None:
    """Mean power of the community: load, solar, exchange with the grid; state of charge on an axis of its own."""
    _style(axes, "Energy of the community, by local time", "kW")
    solar = _power_kw([row.solar_kwh for row in timeline])
    charge = [row.state_of_charge_percent for row in timeline]
    if solar is not None:
        axes.fill_between(
            range(len(solar) + 1), [*solar, solar[-1]], step="post", color=ORANGE, alpha=0.35, lw=0, label="solar"
        )
    _steps(axes, _power_kw([row.load_kwh for row in timeline]), "load", INK)
    _steps(axes, _power_kw([row.imported_kwh for row in timeline]), "import from the grid", VERMILION)
    _steps(axes, _power_kw([row.exported_kwh for row in timeline]), "export to the grid", SKY)
    axes.set_ylim(bottom=0)
    known = [value for value in charge if value is not None]
    if known:
        battery = _twin(axes, "state of charge, %")
        ends = np.arange(1, len(known) + 1)
        battery.plot(ends, known, color=GREEN, linewidth=2.4, linestyle=(0, (4, 1.5)), label="batteries (right)")
        battery.set_ylim(0, 100)
        _legend(axes, battery)
    else:
        _legend(axes)
    _local_time(axes, timeline)


def _draw_homes(axes: Axes, homes: Sequence[Home]) -> None:
    """Savings of each home against b1, and what its battery alone would have saved."""
    _style(axes, "Savings by home, against its own bill without battery", "$")
    bars, marks, names = [], [], []
    for home in sorted(homes, key=lambda home: (-(home.savings_usd or 0.0), home.home_id)):
        if home.savings_usd is not None and home.b1_usd is not None and home.battery_only_usd is not None:
            bars.append(home.savings_usd)
            marks.append(home.b1_usd - home.battery_only_usd)
            names.append(home.home_id)
    if not bars:
        _say(axes, "no home reported its totals")
        return
    ranks = np.arange(1, len(bars) + 1)
    many = len(bars) > HOMES_NAMED
    if many:
        axes.fill_between(ranks, bars, step="mid", color=BLUE, lw=0, label="battery and trade")
    else:
        axes.bar(ranks, bars, width=0.7, color=BLUE, label="battery and trade")
    size = 12 if many else 70
    axes.scatter(ranks, marks, s=size, marker="D", color=ORANGE, edgecolor="white", lw=0 if many else 1,
                 label="its battery alone", zorder=4)  # fmt: skip
    axes.axhline(0, color=INK, linewidth=1)
    axes.margins(x=0.02)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, -0.02), max(high, 0.10))  # a few hundredths of a cent are nothing to look at
    if many:
        axes.set_xlabel("homes by savings", fontsize=_LABEL, color=INK)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        longest = max(map(len, names))
        turned = len(names) * longest > 60
        axes.set_xticks(ranks, names, rotation=40 if turned else 0, ha="right" if turned else "center")
    _legend(axes)


def _draw_rounds(axes: Axes, result: Result) -> None:
    """Loss of the forecaster over the FedAvg rounds."""
    _style(axes, "Federated learning: loss by round", "loss")
    lines = (
        ("training", [done.loss for done in result.rounds], BLUE, "-"),
        ("held-out, Transformer alone", [done.validation_model for done in result.rounds], VERMILION, "-"),
        ("held-out, linear base", [done.validation_base for done in result.rounds], GREY, "--"),
    )
    for label, losses, colour, dash in lines:
        points = [(done.round, loss) for done, loss in zip(result.rounds, losses, strict=True) if loss is not None]
        if points:
            axes.plot(*zip(*points, strict=True), dash, color=colour, marker="o", ms=5, linewidth=2.2, label=label)
    if not axes.lines:
        _say(axes, "no federated rounds")
        return
    axes.set_xlabel("round", fontsize=_LABEL, color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(axes)


def _power_kw(energies_kwh: Sequence[float | None]) -> list[float] | None:
    """Mean power of half-hours; None unless all are known."""
    known = [energy / SLOT_HOURS for energy in energies_kwh if energy is not None]
    return known if known and len(known) == len(energies_kwh) else None


def _steps(axes: Axes, values: Sequence[float] | None, label: str, colour: str, width: float = 2.0) -> None:
    """A line that is constant over each slot; nothing where the values are not known."""
    if values:
        edges = range(len(values) + 1)
        axes.step(edges, [*values, values[-1]], where="post", color=colour, linewidth=width, label=label, zorder=3)


def _local_time(axes: Axes, timeline: Sequence[TimelineRow]) -> None:
    """Ticks at full local hours, or at midnights over several days; slots are spaced evenly, also across gaps."""
    moments = [datetime.fromisoformat(row.start_local) for row in timeline]
    midnights = [t for t, moment in enumerate(moments) if (moment.hour, moment.minute) == (0, 0)]
    if len(midnights) > 2:
        shown = midnights[:: -(-len(midnights) // _MOST_TICKS)]
        axes.set_xticks(shown, [f"{moments[t]:%-d %b}" for t in shown])
    else:
        hours = [t for t, moment in enumerate(moments) if moment.minute == 0]
        step = next((n for n in (1, 2, 3, 6) if len(hours) <= n * _MOST_TICKS), 12)
        shown = [t for t in hours if moments[t].hour % step == 0]
        axes.set_xticks(shown, [f"{moments[t]:%H:%M}" for t in shown])
    for t in midnights[1:]:
        axes.axvline(t, color=GREY, linewidth=0.8, linestyle=":", zorder=1)
    axes.set_xlim(0, max(len(timeline), 1))


def _style(axes: Axes, title: str, unit: str) -> None:
    axes.set_title(title, loc="left", fontsize=_TITLE, fontweight="bold", color=INK, pad=30)
    axes.set_ylabel(unit, fontsize=_LABEL, color=INK)
    axes.tick_params(labelsize=_TICK, colors=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)


def _twin(axes: Axes, unit: str) -> Axes:
    """A second vertical axis, drawn behind the first."""
    twin = axes.twinx()
    twin.set_ylabel(unit, fontsize=_LABEL, color=INK)
    twin.tick_params(labelsize=_TICK, colors=INK)
    twin.spines[["top", "left"]].set_visible(False)
    twin.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_zorder(twin.get_zorder() + 1)
    axes.patch.set_visible(False)
    return twin


def _legend(*all_axes: Axes) -> None:
    """One row of labels between the title and the first of the axes."""
    parts = [part for axes in all_axes for part in zip(*axes.get_legend_handles_labels(), strict=True)]
    all_axes[0].legend(
        [handle for handle, _ in parts], [label for _, label in parts], loc="lower left", bbox_to_anchor=(-0.005, 0.99),
        ncols=max(len(parts), 1), frameon=False, fontsize=_TICK, borderaxespad=0.3, columnspacing=1.6, handlelength=1.6,
    )  # fmt: skip


def _say(axes: Axes, text: str) -> None:
    """A sentence in place of a picture."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=_LABEL, color=GREY)
    axes.set_xticks([])
    axes.set_yticks([])
