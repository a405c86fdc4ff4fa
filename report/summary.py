"""What a run or an evaluation came to, as tables for the terminal; they read at 80 columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from report.evaluation import Evaluation
from report.periods import Estimate
from report.privacy import print_privacy
from report.schema import Home, Result, TariffFacts, Waterfall

HOMES_SHOWN = 20
DAYS_SHOWN = 31
LEAST_OF_A_MONTH = 7
"""Months are shown where one of them has so many days."""
NAME_LENGTH = 14
"""Letters of a home's name where the terminal is too narrow for whole ones."""
OF_WHICH_TRADE = "of which\ntrade"

_Row = TypeVar("_Row")


def print_result(result: Result, console: Console, seconds: Mapping[str, float], files: Sequence[Path]) -> None:
    """Print a run's result, where its time went (wall seconds by phase) and the files that it wrote."""
    console.print(_headline(result))
    console.print(_waterfall(result.waterfall))
    console.print(_peak_text(result), highlight=False)
    console.print(_fitted(lambda name: _home_table(result, name), console))
    _print_left_out(result.provenance.tariff, console)
    if result.rounds:
        console.print(_round_text(result), highlight=False)
    print_privacy(result.privacy, console)
    for warning in result.warnings:
        console.print(f"[yellow]warning:[/] {warning}", highlight=False)
    if seconds:
        spent = "  ".join(f"{phase} {value:.1f} s" for phase, value in seconds.items())
        console.print(f"[bold]Time[/]  {spent}", highlight=False)
    for path in files:
        console.print(f"[bold]Wrote[/] {path}", highlight=False, soft_wrap=True)


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Print an evaluation: its figures, its days and its homes."""
    e = evaluation
    table = _pairs(f"{e.days} day{'s' if e.days > 1 else ''}, {e.homes} homes")
    table.add_row("savings against b1 (own solar, no battery)", _percent(e.savings_percent_b1))
    table.add_row("of which trade; the rest is the batteries'", _percent(_trade_percent(e)))
    table.add_row("savings against b0 (own solar's share included)", _percent(e.savings_percent_b0))
    table.add_row("captured share of the community optimum", _share(e.captured_share))
    table.add_row("homes worse off than with their own battery alone", str(e.homes_worse_off))
    if e.four_weeks is not None:
        table.add_row("the same over any 28 days in a row", str(e.four_weeks.homes_worse_off))
    table.add_row("peak-window energy, cut", _percent(e.peak_window_cut_percent))
    table.add_row("day's highest half-hour, b1 -> P2P, mean", _kw(e.day_max_b1_kw_mean, e.day_max_p2p_kw_mean))
    table.add_row("day's highest half-hour, b1 -> P2P, 99 % of days", _kw(e.day_max_b1_kw_p99, e.day_max_p2p_kw_p99))
    table.add_row("the same over b1's of the same day, mean", _ratio(e.day_max_ratio_mean))
    table.add_row("the same over b1's of the same day, 99 % of days", _ratio(e.day_max_ratio_p99))
    table.add_row("battery round trip", _share(e.round_trip_efficiency))
    table.add_row("trades a day", f"{e.trades_per_day:.1f}")
    table.add_row("residuals of the books", f"{e.money_residual_nusd} n$, {e.energy_residual_wh} Wh")
    table.add_row("wall time", f"{e.seconds:.1f} s")
    console.print(table)
    console.print(_waterfall(e.waterfall))
    if max(month.days for month in e.by_month) >= LEAST_OF_A_MONTH:
        console.print(_months(e))
    days = _table("By day", "day", "b1", "own battery", "P2P", "optimum", "saved", "worse off", "trades")
    for row in e.by_day[:DAYS_SHOWN]:
        days.add_row(
            row.day, _usd(row.b1_usd), _usd(row.battery_only_usd), _usd(row.p2p_usd), _usd(row.optimum_usd),
            _percent(row.savings_percent_b1), str(row.homes_worse_off), str(row.trades),
        )  # fmt: skip
    if len(e.by_day) > DAYS_SHOWN:
        days.caption = f"and {len(e.by_day) - DAYS_SHOWN} more days"
    console.print(days)
    console.print(_fitted(lambda name: _homes_of(e, name), console))
    _print_left_out(e.tariff, console)


def _print_left_out(tariff: TariffFacts, console: Console) -> None:
    """Print what the bills leave out, if anything is known of it."""
    if tariff.left_out:
        console.print(Text(f"Bills leave out: {tariff.left_out}", style="dim"))


def _trade_percent(evaluation: Evaluation) -> float | None:
    """What trade saves beyond the homes' own batteries, in percent of b1; None where b1 is no cost."""
    b1 = sum(day.b1_usd for day in evaluation.by_day)
    return 100 * sum(day.battery_only_usd - day.p2p_usd for day in evaluation.by_day) / b1 if b1 > 0 else None


def _homes_of(evaluation: Evaluation, name: Callable[[str, bool], str]) -> Table:
    """Homes by savings; of many, those that save most and those that save least."""
    days = f"{evaluation.days} day{'s' if evaluation.days > 1 else ''}"
    title = f"By home, {days} together, saved against b1"
    table = _table(title, "home", "b1", "own\nbattery", "P2P", "saved", "", OF_WHICH_TRADE)
    shown, hidden = _extremes(evaluation.by_home, lambda home: (-home.savings_usd, home.home_id))
    for home in shown:
        table.add_row(
            name(home.home_id, home.worse_off), *map(_usd, (home.b1_usd, home.battery_only_usd, home.p2p_usd)),
            _usd(home.savings_usd), _percent(home.savings_percent_b1), _usd(home.battery_only_usd - home.p2p_usd),
        )  # fmt: skip
    table.caption = _hidden_text("! worse off than with its own battery alone", hidden)
    return table


def _fitted(table_of: Callable[[Callable[[str, bool], str]], Table], console: Console) -> Table:
    """A table of homes with their whole names where the terminal has room for them, else with short ones."""
    whole = table_of(_name)
    wide = console.options.update(max_width=1000)
    return whole if Measurement.get(console, wide, whole).maximum <= console.width else table_of(_short_name)


def _extremes(homes: Sequence[_Row], by: Callable[[_Row], tuple[float, str]]) -> tuple[list[_Row], int]:
    """The first and the last of many, and how many lie between them."""
    ranked = sorted(homes, key=by)
    half = HOMES_SHOWN // 2
    shown = ranked if len(ranked) <= HOMES_SHOWN else ranked[:half] + ranked[-half:]
    return shown, len(ranked) - len(shown)


def _hidden_text(caption: str, hidden: int) -> str:
    between = f"\n{hidden} homes between the first and the last {HOMES_SHOWN // 2} are not shown"
    return caption + (between if hidden else "")


def _name(home_id: str, worse_off: bool) -> str:
    """A home's name, marked where it is worse off."""
    return f"{home_id}{' !' if worse_off else ''}"


def _short_name(home_id: str, worse_off: bool) -> str:
    """The same as it fits a narrow column: a name's end tells it from its neighbours."""
    return _name(home_id if len(home_id) <= NAME_LENGTH else f"{home_id[:4]}…{home_id[5 - NAME_LENGTH :]}", worse_off)


def _headline(result: Result) -> Table:
    table = _pairs("Result")
    table.add_row("baseline PG&E cost", result.baseline_pge_cost)
    table.add_row("optimized cost", result.optimized_cost)
    table.add_row("savings", f"[bold green]{result.savings}  ({result.savings_percent})[/]")
    stored = -(result.figures.stored_energy_value_usd or 0.0)
    table.add_row("of which energy left in batteries (and cars)", f"{'-' if stored < 0 else ''}${abs(stored):.2f}")
    table.add_row("trades executed", f"{result.trades_executed}  ({result.figures.traded_kwh:.1f} kWh)")
    table.add_row("battery efficiency", result.battery_efficiency)
    if result.homes_worse_off is not None:
        counted = result.figures.homes_counted
        table.add_row("homes worse off than with their battery alone", f"{result.homes_worse_off} of {counted}")
    return table


def _months(evaluation: Evaluation) -> Table:
    """Figures by month, each with its 95 % interval."""
    table = _table("By month", "", "days", "saved", "of optimum", "peak cut", "day's max", "worse")
    table.collapse_padding = True  # with intervals, in 80 columns
    for row in [*evaluation.by_month, evaluation.total]:
        table.add_row(
            row.period, str(row.days), _estimate(row.savings_percent_b1, 1, 1), _estimate(row.captured_share, 100, 0),
            _estimate(row.peak_window_cut_percent, 1, 0), _estimate(row.day_max_ratio, 1, 2), str(row.homes_worse_off),
        )  # fmt: skip
    table.caption = "In brackets: 95 % intervals over days (bootstrap)"
    return table


def _estimate(figure: Estimate, scale: float, digits: int) -> str:
    if figure.value is None:
        return "-"
    text = f"{scale * figure.value:.{digits}f}"
    if figure.low is None or figure.high is None:
        return text
    return f"{text} [{scale * figure.low:.{digits}f},{scale * figure.high:.{digits}f}]"


def _waterfall(w: Waterfall) -> Table:
    b1 = w.own_solar_usd
    table = _table("Step by step", "", "cost", "against b1")
    steps = (
        ("grid only (b0)", w.grid_only_usd),
        ("with own solar (b1)", w.own_solar_usd),
        ("with own battery, car", w.own_battery_usd),
        ("with P2P trading", w.p2p_usd),
        ("P2P, perfect forecast", w.perfect_forecast_usd),
        ("P2P, 3 h look-ahead", w.look_ahead_3h_usd),
        ("P2P, time-of-use rule", w.time_of_use_rule_usd),
        ("community optimum", w.community_optimum_usd),
    )
    for name, cost in steps:
        if cost is not None:
            change = f"{100 * (cost - b1) / b1:+.1f}%" if b1 is not None and b1 > 0 and cost != b1 else ""
            table.add_row(name, _usd(cost), change)
    if w.captured_share is not None:
        table.caption = f"{w.captured_share:.0%} of the community optimum's savings"
    return table


def _peak_text(result: Result) -> str:
    p = result.peak
    if p.window_b1_kwh is None or p.day_max_b1_kw is None:
        return f"[bold]Peak[/]  window {p.window_p2p_kwh:.1f} kWh; highest half-hour {p.day_max_p2p_kw:.1f} kW"
    change = "" if p.window_cut_percent is None else f" ({-p.window_cut_percent:+.0f}%)"
    return (
        f"[bold]Peak[/]  window {p.window_b1_kwh:.1f} -> {p.window_p2p_kwh:.1f} kWh{change}; "
        f"highest half-hour {p.day_max_b1_kw:.1f} -> {p.day_max_p2p_kw:.1f} kW"
    )


def _home_table(result: Result, name: Callable[[str, bool], str]) -> Table:
    """Homes by savings; of many, those that save most and those that save least."""
    shown, hidden = _extremes(result.homes, lambda home: (-(home.savings_usd or 0.0), home.home_id))
    costs, energies = ("b1", "own\nbattery", "P2P", "saved", OF_WHICH_TRADE), ("bought", "sold", "import", "export")
    table = _table("Homes, saved against b1", "home", *costs, *energies)
    table.collapse_padding = True  # ten columns in 80
    for home in shown:
        table.add_row(name(home.home_id, bool(home.worse_off)), *_home_cells(home))
    table.caption = _hidden_text("$ and kWh; ! worse off than with its own battery alone", hidden)
    return table


def _home_cells(home: Home) -> tuple[str, ...]:
    own, p2p = home.battery_only_usd, home.p2p_usd
    costs = (home.b1_usd, own, p2p, home.savings_usd, None if own is None or p2p is None else own - p2p)
    energies = (home.bought_kwh, home.sold_kwh, home.imported_kwh, home.exported_kwh)
    return (
        *("-" if cost is None else f"{cost:z.2f}" for cost in costs),
        *(f"{energy:.1f}" for energy in energies),
    )


def _round_text(result: Result) -> str:
    first, last = result.rounds[0], result.rounds[-1]
    text = f"[bold]Federated rounds[/]  {len(result.rounds)}"
    if first.loss is not None and last.loss is not None:
        text += f", training loss {first.loss:.3f} -> {last.loss:.3f}"
    if last.validation_model is not None:
        text += f", held-out {last.validation_model:.3f}"
    if last.validation_base is not None:
        text += f" (base {last.validation_base:.3f})"
    return text


def _pairs(title: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, show_header=False, padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, header_style="dim", padding=(0, 1))
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    table.caption_justify = "left"
    return table


def _usd(value: float | None) -> str:
    return "-" if value is None else f"{'-' if round(value, 2) < 0 else ''}${abs(value):.2f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:z.1f}%"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}%"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _kw(before: float | None, after: float | None) -> str:
    return "-" if before is None or after is None else f"{before:.2f} -> {after:.2f} kW"
