"""The scenarios side by side: ``scenarios.json`` and its table."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from report.schema import Part, Result


class ScenarioRow(Part):
    """The day of a scenario; see :class:`report.schema.Result` for the figures.

    Attributes:
        captured_share: of the community optimum's savings; null with a grid outage, of which there is no optimum.
        unserved_kwh: load that an outage left unserved; unserved_battery_only_kwh: the same with batteries that never
            trade; unserved_b1_kwh: the same had the homes no batteries.
    """

    scenario: str
    date: str
    homes: int
    b1_usd: float | None
    savings_usd: float | None
    savings_percent_b1: float | None
    captured_share: float | None
    homes_worse_off: int | None
    peak_window_cut_percent: float | None
    day_max_ratio: float | None
    trades: int
    traded_kwh: float
    unserved_kwh: float
    unserved_battery_only_kwh: float
    unserved_b1_kwh: float
    money_residual_nusd: int
    energy_residual_wh: int


class ScenarioTable(Part):
    """``scenarios.json``; ``config`` is what the scenarios share."""

    scenarios: list[ScenarioRow]
    config: dict[str, str | int | float | bool]


def scenario_row(name: str, result: Result) -> ScenarioRow:
    """What a run came to."""
    f = result.figures
    return ScenarioRow(
        scenario=name,
        date=result.timeline[0].start_local[:10],
        homes=f.homes,
        b1_usd=f.baseline_b1_usd,
        savings_usd=f.savings_usd,
        savings_percent_b1=f.savings_percent_b1,
        captured_share=result.waterfall.captured_share,
        homes_worse_off=result.homes_worse_off,
        peak_window_cut_percent=result.peak.window_cut_percent,
        day_max_ratio=result.peak.day_max_ratio,
        trades=f.trades_executed,
        traded_kwh=f.traded_kwh,
        unserved_kwh=f.unserved_kwh,
        unserved_battery_only_kwh=f.unserved_battery_only_kwh,
        unserved_b1_kwh=f.unserved_b1_kwh,
        money_residual_nusd=f.money_residual_nusd,
        energy_residual_wh=f.energy_residual_wh,
    )


def print_scenarios(table: ScenarioTable, console: Console) -> None:
    """Print the table; it reads at 80 columns."""
    shown = Table(
        title="Scenarios", title_justify="left", title_style="bold", box=None, header_style="dim", padding=(0, 1)
    )
    for number, name in enumerate(("", "b1", "saved", "", "of opt.", "worse", "peak", "max", "trades", "unserved")):
        shown.add_column(name, justify="right" if number else "left", no_wrap=True)
    shown.collapse_padding = True  # ten columns in 80
    for row in table.scenarios:
        dark = f"{row.unserved_kwh:.1f} ({row.unserved_b1_kwh:.1f})" if row.unserved_b1_kwh else "-"
        cut, ratio = row.peak_window_cut_percent, row.day_max_ratio
        shown.add_row(
            row.scenario,
            "-" if row.b1_usd is None else f"${row.b1_usd:.2f}",
            "-" if row.savings_usd is None else f"${row.savings_usd:.2f}",
            "-" if row.savings_percent_b1 is None else f"{row.savings_percent_b1:z.1f}%",
            "-" if row.captured_share is None else f"{100 * row.captured_share:.1f}%",
            "-" if row.homes_worse_off is None else str(row.homes_worse_off),
            "-" if cut is None else f"{-cut:+.0f}%",
            "-" if ratio is None else f"{ratio:.2f}",
            str(row.trades),
            dark,
        )
    shown.caption = (
        "saved: against b1; of opt.: share of the community optimum's savings;\n"
        "worse: homes worse off than with their own battery; peak: energy drawn\n"
        "in the peak window; max: highest half-hour over b1's; unserved: kWh of\n"
        "load in an outage (in brackets: without batteries)"
    )
    shown.caption_justify = "left"
    console.print(shown)
