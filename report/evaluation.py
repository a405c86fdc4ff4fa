"""An evaluation over many days: ``evaluate.json``, from the outcome of each day."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.config import BatterySpec, RunConfig
from common.tariff import Tariff
from common.units import usd
from report.accounts import WORSE_OFF_NUSD, round_trip_efficiency
from report.outcome import DayOutcome
from report.periods import FourWeeks, PeriodRow, four_weeks, months, period_row
from report.results import captured_share, percent, tariff_facts
from report.schema import Part, TariffFacts, Waterfall


class DayRow(Part):
    """One day of an evaluation; costs in $, positive when the homes pay. ``homes`` counts those that reported.

    The three ways to decide that are compared, and the optimum, are null where they were not computed.
    """

    day: str
    homes: int
    b0_usd: float
    b1_usd: float
    battery_only_usd: float
    p2p_usd: float
    perfect_forecast_usd: float | None
    look_ahead_3h_usd: float | None
    time_of_use_rule_usd: float | None
    optimum_usd: float | None
    savings_percent_b1: float | None
    homes_worse_off: int
    trades: int
    day_max_b1_kw: float | None
    day_max_p2p_kw: float | None
    day_max_ratio: float | None


class HomeRow(Part):
    """One home over the days that it reported; costs in $, positive when it pays.

    ``worse_off``: it pays at least a cent more than with its own battery alone.
    """

    home_id: str
    days: int
    b1_usd: float
    battery_only_usd: float
    p2p_usd: float
    savings_usd: float
    savings_percent_b1: float | None
    worse_off: bool


class Evaluation(Part):
    """``evaluate.json``: figures over all days together, unless the name says mean or p99 (over days).

    Attributes:
        savings_percent_b1: 100 (b1 - p2p) / b1. savings_percent_b0: 100 (b0 - p2p) / b0, own solar's share included.
        captured_share: (b1 - p2p) / (b1 - optimum), 0..1.
        homes_worse_off: homes that pay at least a cent more, over all days together, than with their battery alone.
        peak_window_cut_percent: cut of the energy drawn in the peak window against b1.
        day_max_b1_kw_mean, ..._p99, day_max_p2p_kw_mean, ..._p99: highest half-hour of each day, b1 and p2p apart, kW;
            the days of one 99th percentile need not be those of the other.
        day_max_ratio_mean, day_max_ratio_p99: highest half-hour of each day, p2p over b1 of the same day; above 1: a
            rebound peak.
        money_residual_nusd, energy_residual_wh: largest of the days; zero in sound books.
        round_trip_efficiency: 0..1, corrected for the change of stored energy.
        waterfall: costs of all days together, step by step, and beside them the same days decided in other ways.
        total: all days with intervals; by_month: the same by calendar month.
        four_weeks: who is worse off over any 28 days in a row.
        seconds: wall time of the evaluation.
        tariff: where it comes from, and what the bills leave out.
    """

    savings_percent_b1: float | None
    savings_percent_b0: float | None
    captured_share: float | None
    homes_worse_off: int
    peak_window_cut_percent: float | None
    day_max_b1_kw_mean: float | None
    day_max_b1_kw_p99: float | None
    day_max_p2p_kw_mean: float | None
    day_max_p2p_kw_p99: float | None
    day_max_ratio_mean: float | None
    day_max_ratio_p99: float | None
    money_residual_nusd: int
    energy_residual_wh: int
    round_trip_efficiency: float | None
    trades_per_day: float
    waterfall: Waterfall
    total: PeriodRow
    four_weeks: FourWeeks | None
    by_month: list[PeriodRow]
    homes: int
    days: int
    seconds: float
    by_day: list[DayRow]
    by_home: list[HomeRow]
    config: dict[str, str | int | float | bool]
    tariff: TariffFacts
    data_hash: str


def evaluation(
    outcomes: Sequence[DayOutcome],
    tariff: Tariff,
    battery: BatterySpec,
    config: RunConfig,
    data_hash: str,
    seconds: float,
) -> Evaluation:
    """Figures over at least one day."""
    rows, homes = [_day_row(outcome) for outcome in outcomes], _home_rows(outcomes)
    sums = [outcome.paid.community for outcome in outcomes]
    b0, b1, p2p = sum(s.b0_nusd for s in sums), sum(s.b1_nusd for s in sums), sum(s.p2p_nusd for s in sums)
    charged, discharged = sum(s.charged_wh for s in sums), sum(s.discharged_wh for s in sums)
    optima = [outcome.optimum_nusd for outcome in outcomes if outcome.optimum_nusd is not None]
    known = [row for row in rows if row.day_max_b1_kw is not None]  # else the two sides would be of different days
    return Evaluation(
        savings_percent_b1=percent(b1 - p2p, b1),
        savings_percent_b0=percent(b0 - p2p, b0),
        captured_share=captured_share(b1, p2p, sum(optima)) if len(optima) == len(outcomes) else None,
        homes_worse_off=sum(home.worse_off for home in homes),
        peak_window_cut_percent=_window_cut(outcomes),
        **_mean_and_p99("day_max_b1_kw", [row.day_max_b1_kw for row in known]),
        **_mean_and_p99("day_max_p2p_kw", [row.day_max_p2p_kw for row in known]),
        **_mean_and_p99("day_max_ratio", [row.day_max_ratio for row in known]),
        money_residual_nusd=max(outcome.money_residual_nusd for outcome in outcomes),
        energy_residual_wh=max(outcome.energy_residual_wh for outcome in outcomes),
        round_trip_efficiency=round_trip_efficiency(
            charged, discharged, sum(s.stored_change_wh for s in sums), battery
        ),
        trades_per_day=sum(outcome.trades for outcome in outcomes) / len(outcomes),
        waterfall=_waterfall(outcomes),
        total=period_row("all", outcomes),
        four_weeks=four_weeks(outcomes),
        by_month=months(outcomes),
        homes=len(homes),
        days=len(outcomes),
        seconds=round(seconds, 3),
        by_day=rows,
        by_home=homes,
        config=config.published(),
        tariff=tariff_facts(tariff),
        data_hash=data_hash,
    )


def _day_row(outcome: DayOutcome) -> DayRow:
    sums = outcome.paid.community
    return DayRow(
        day=outcome.day,
        homes=sums.homes,
        b0_usd=usd(sums.b0_nusd),
        b1_usd=usd(sums.b1_nusd),
        battery_only_usd=usd(sums.battery_only_nusd),
        p2p_usd=usd(sums.p2p_nusd),
        perfect_forecast_usd=_usd_of(outcome, "perfect_forecast_nusd"),
        look_ahead_3h_usd=_usd_of(outcome, "near_nusd"),
        time_of_use_rule_usd=_usd_of(outcome, "rule_nusd"),
        optimum_usd=_usd_of(outcome, "optimum_nusd"),
        savings_percent_b1=percent(sums.b1_nusd - sums.p2p_nusd, sums.b1_nusd),
        homes_worse_off=int(outcome.paid.worse_off.sum()),
        trades=outcome.trades,
        day_max_b1_kw=outcome.peak.day_max_b1_kw,
        day_max_p2p_kw=outcome.peak.day_max_p2p_kw,
        day_max_ratio=outcome.peak.day_max_ratio,
    )


def _mean_and_p99(name: str, of_days: Sequence[float | None]) -> dict[str, float | None]:
    """Mean and 99th percentile over the days that have the figure, by their names in ``evaluate.json``."""
    known = [value for value in of_days if value is not None]
    if not known:
        return {f"{name}_mean": None, f"{name}_p99": None}
    return {
        f"{name}_mean": round(float(np.mean(known)), 6),
        f"{name}_p99": round(float(np.percentile(known, 99)), 6),
    }


def _usd_of(outcome: DayOutcome, name: str) -> float | None:
    return usd(outcome.bounds[name]) if name in outcome.bounds else None


def _waterfall(outcomes: Sequence[DayOutcome]) -> Waterfall:
    """Costs of all days together; of a way to decide only where it is known of every day."""
    sums = [outcome.paid.community for outcome in outcomes]
    b1, p2p = sum(s.b1_nusd for s in sums), sum(s.p2p_nusd for s in sums)
    names = ("perfect_forecast_nusd", "near_nusd", "rule_nusd", "optimum_nusd")
    costs = {n: sum(o.bounds[n] for o in outcomes) for n in names if all(n in o.bounds for o in outcomes)}
    perfect, near, rule, optimum = (usd(costs[name]) if name in costs else None for name in names)
    return Waterfall(
        grid_only_usd=usd(sum(s.b0_nusd for s in sums)),
        own_solar_usd=usd(b1),
        own_battery_usd=usd(sum(s.battery_only_nusd for s in sums)),
        p2p_usd=usd(p2p),
        perfect_forecast_usd=perfect,
        look_ahead_3h_usd=near,
        time_of_use_rule_usd=rule,
        community_optimum_usd=optimum,
        captured_share=captured_share(b1, p2p, costs["optimum_nusd"]) if "optimum_nusd" in costs else None,
    )


def _home_rows(outcomes: Sequence[DayOutcome]) -> list[HomeRow]:
    """Each home over all the days that it reported, in the order of ids."""
    paid_nusd: dict[str, list[int]] = {}
    for paid in (outcome.paid for outcome in outcomes):
        costs = (np.ones_like(paid.b1_nusd), paid.b1_nusd, paid.battery_only_nusd, paid.p2p_nusd)
        for home_id, row in zip(paid.home_ids, (np.stack(costs) * paid.reported).T.tolist(), strict=True):
            paid_nusd[home_id] = [a + b for a, b in zip(paid_nusd.get(home_id, [0] * len(row)), row, strict=True)]
    return [
        HomeRow(
            home_id=home_id,
            days=days,
            b1_usd=usd(b1),
            battery_only_usd=usd(alone),
            p2p_usd=usd(p2p),
            savings_usd=usd(b1 - p2p),
            savings_percent_b1=percent(b1 - p2p, b1),
            worse_off=p2p - alone >= WORSE_OFF_NUSD,
        )
        for home_id, (days, b1, alone, p2p) in sorted(paid_nusd.items())
    ]


def _window_cut(outcomes: Sequence[DayOutcome]) -> float | None:
    """Cut of the energy drawn in the peak window, in percent, over the days that were observed."""
    pairs = [(peak.window_b1_wh, peak.window_p2p_wh) for peak in (outcome.peak for outcome in outcomes)]
    b1 = sum(before for before, _ in pairs if before is not None)
    p2p = sum(after for before, after in pairs if before is not None)
    return percent(b1 - p2p, b1)
