"""An evaluation over many days: ``evaluate.json``, from the outcome of each day."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from common.books import Books
from common.clock import local_of
from common.config import BatterySpec, RunConfig
from common.errors import UserError
from common.tariff import Tariff
from common.units import usd
from report.accounts import WORSE_OFF_NUSD, Accounts, accounts, residuals, round_trip_efficiency, spans
from report.observed import Bounds, Observed, PeakLoad, peak_load
from report.results import captured_share, percent
from report.schema import Part

BURN_IN_DAYS = 56
"""Days of history before the first test day."""


@dataclass(frozen=True)
class DayOutcome:
    """What became of one day (or of several in a row that were one span).

    Attributes:
        day: first local day, YYYY-MM-DD.
        paid: the homes' accounts.
        peak: what the community drew.
        optimum_nusd: cost of the community's perfect-foresight optimum; None where it was not computed, or
            where a home did not report.
        money_residual_nusd, energy_residual_wh: zero in sound books.
    """

    day: str
    paid: Accounts
    peak: PeakLoad
    optimum_nusd: int | None
    trades: int
    money_residual_nusd: int
    energy_residual_wh: int


class DayRow(Part):
    """One day of an evaluation; costs in $, positive when the homes pay. ``homes`` counts those that reported."""

    day: str
    homes: int
    b0_usd: float
    b1_usd: float
    battery_only_usd: float
    p2p_usd: float
    optimum_usd: float | None
    savings_percent_b1: float | None
    homes_worse_off: int
    trades: int
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
        day_max_ratio_mean, day_max_ratio_p99: highest half-hour of each day, p2p over b1; above 1: a rebound peak.
        money_residual_nusd, energy_residual_wh: largest of the days; zero in sound books.
        round_trip_efficiency: 0..1, corrected for the change of stored energy.
        seconds: wall time of the evaluation.
    """

    savings_percent_b1: float | None
    savings_percent_b0: float | None
    captured_share: float | None
    homes_worse_off: int
    peak_window_cut_percent: float | None
    day_max_ratio_mean: float | None
    day_max_ratio_p99: float | None
    money_residual_nusd: int
    energy_residual_wh: int
    round_trip_efficiency: float | None
    trades_per_day: float
    homes: int
    days: int
    seconds: float
    by_day: list[DayRow]
    by_home: list[HomeRow]
    config: dict[str, str | int | float | bool]
    data_hash: str


def day_outcome(
    books: Books,
    tariff: Tariff,
    battery: BatterySpec,
    observed: Observed | None = None,
    bounds: Bounds | None = None,
) -> DayOutcome:
    """Outcome of the one span in ``books`` (see :func:`report.accounts.by_span`)."""
    money, energy = residuals(books)
    paid = accounts(books, tariff, battery)
    return DayOutcome(
        day=local_of(spans(books)[0].start).date().isoformat(),
        paid=paid,
        peak=peak_load(books, tariff, observed),
        optimum_nusd=None if bounds is None or not paid.reported.all() else sum(bounds.optimum_nusd.values()),
        trades=len(books.trades),
        money_residual_nusd=money,
        energy_residual_wh=energy,
    )


def evaluation(
    outcomes: Sequence[DayOutcome], battery: BatterySpec, config: RunConfig, data_hash: str, seconds: float
) -> Evaluation:
    """Figures over at least one day."""
    rows, homes = [_day_row(outcome) for outcome in outcomes], _home_rows(outcomes)
    sums = [outcome.paid.community for outcome in outcomes]
    b0, b1, p2p = sum(s.b0_nusd for s in sums), sum(s.b1_nusd for s in sums), sum(s.p2p_nusd for s in sums)
    charged, discharged = sum(s.charged_wh for s in sums), sum(s.discharged_wh for s in sums)
    optima = [outcome.optimum_nusd for outcome in outcomes if outcome.optimum_nusd is not None]
    ratios = [row.day_max_ratio for row in rows if row.day_max_ratio is not None]
    return Evaluation(
        savings_percent_b1=percent(b1 - p2p, b1),
        savings_percent_b0=percent(b0 - p2p, b0),
        captured_share=captured_share(b1, p2p, sum(optima)) if len(optima) == len(outcomes) else None,
        homes_worse_off=sum(home.worse_off for home in homes),
        peak_window_cut_percent=_window_cut(outcomes),
        day_max_ratio_mean=round(float(np.mean(ratios)), 6) if ratios else None,
        day_max_ratio_p99=round(float(np.percentile(ratios, 99)), 6) if ratios else None,
        money_residual_nusd=max(outcome.money_residual_nusd for outcome in outcomes),
        energy_residual_wh=max(outcome.energy_residual_wh for outcome in outcomes),
        round_trip_efficiency=round_trip_efficiency(
            charged, discharged, sum(s.stored_change_wh for s in sums), battery
        ),
        trades_per_day=sum(outcome.trades for outcome in outcomes) / len(outcomes),
        homes=len(homes),
        days=len(outcomes),
        seconds=round(seconds, 3),
        by_day=rows,
        by_home=homes,
        config=config.published(),
        data_hash=data_hash,
    )


def spread_days(first_day: date, last_day: date, count: int, gap_days: Collection[date] = ()) -> list[str]:
    """Days spread evenly from the end of the burn-in after ``first_day`` to ``last_day``, as ISO dates.

    Args:
        first_day: first day of the data.
        last_day: last day that may be chosen.
        count: how many days.
        gap_days: days on which some home has no reading; none of them is chosen.

    Raises:
        UserError: there are not so many days.
    """
    first = first_day + timedelta(days=BURN_IN_DAYS)
    days = [first + timedelta(days=k) for k in range((last_day - first).days + 1)]
    days = [day for day in days if day not in gap_days]
    if len(days) < count:
        found = f"{len(days)} day{'' if len(days) == 1 else 's'}{' without a gap' if gap_days else ''}"
        mend = f"use --days {len(days)}, or bring a longer range" if days else "bring a longer range"
        raise UserError(f"--days {count}: the data has only {found} after {BURN_IN_DAYS} days of history; {mend}")
    last = len(days) - 1
    rows = [last] if count == 1 else [round(i * last / (count - 1)) for i in range(count)]
    return [days[row].isoformat() for row in rows]


def _day_row(outcome: DayOutcome) -> DayRow:
    sums = outcome.paid.community
    return DayRow(
        day=outcome.day,
        homes=sums.homes,
        b0_usd=usd(sums.b0_nusd),
        b1_usd=usd(sums.b1_nusd),
        battery_only_usd=usd(sums.battery_only_nusd),
        p2p_usd=usd(sums.p2p_nusd),
        optimum_usd=None if outcome.optimum_nusd is None else usd(outcome.optimum_nusd),
        savings_percent_b1=percent(sums.b1_nusd - sums.p2p_nusd, sums.b1_nusd),
        homes_worse_off=int(outcome.paid.worse_off.sum()),
        trades=outcome.trades,
        day_max_ratio=outcome.peak.day_max_ratio,
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
