"""The result of a run: from the ledger's tables, and from the readings where one may see them, to ``result.json``."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from common.books import Books
from common.clock import local_of
from common.config import BatterySpec, RunConfig
from common.tariff import Tariff
from common.units import NUSD_PER_USD, WH_PER_KWH, format_usd, usd
from report.accounts import Accounts, CommunitySums, accounts, residuals, round_trip_efficiency
from report.observed import Bounds, Observed, PeakLoad, peak_load
from report.rows import home_rows, iso_utc, round_row, timeline_rows, trade_rows, warnings_of
from report.schema import Figures, Peak, Privacy, Provenance, Result, TariffFacts, Waterfall

NOT_KNOWN = "n/a"
_PACKAGES = ("commonwatt", "flwr", "torch")


@dataclass(frozen=True)
class RunFacts:
    """Where a run comes from: its options, a hash of the homes' readings, and when it ran (aware moments)."""

    config: RunConfig
    data_hash: str
    started: datetime
    ended: datetime


def build_result(
    books: Books,
    rounds: Sequence[Mapping[str, object]],
    tariff: Tariff,
    battery: BatterySpec,
    facts: RunFacts,
    observed: Observed | None = None,
    bounds: Bounds | None = None,
    privacy: Privacy | None = None,
) -> Result:
    """Result of a run.

    Args:
        books: the ledger's tables; all but load, solar, state of charge and bounds comes from them alone.
        rounds: events of kind ``round`` (see :mod:`report.events`), in order.
        tariff: what the homes pay without trade.
        battery: the homes' battery.
        facts: where the run comes from.
        observed: all homes' readings; None in a deployment.
        bounds: what foresight would reach; None where it was not computed.
        privacy: what the models cost of it; None without differential privacy.
    """
    paid = accounts(books)
    sums = paid.community
    figures = _figures(books, paid, sums, battery)
    efficiency = figures.round_trip_efficiency
    return Result(
        **_headline(sums),
        trades_executed=len(books.trades),
        battery_efficiency=NOT_KNOWN if efficiency is None else f"{efficiency:.0%}",
        figures=figures,
        waterfall=_waterfall(sums, bounds if paid.reported.all() else None),
        peak=_peak(peak_load(books, tariff, observed)),
        homes_worse_off=int(paid.worse_off.sum()) if sums.homes else None,
        warnings=warnings_of(books, paid),
        homes=home_rows(paid),
        timeline=timeline_rows(books, observed),
        trades=trade_rows(books),
        rounds=[round_row(event) for event in rounds],
        privacy=privacy,
        provenance=_provenance(books, tariff, facts),
    )


def write_result(result: Result, path: Path) -> None:
    """Write ``result.json``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}")
    draft.write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
    draft.replace(path)  # complete or not at all


def percent(part: float, whole: float) -> float | None:
    """``part`` of ``whole`` in percent, to four digits; None where ``whole`` is not positive."""
    return round(100 * part / whole, 4) if whole > 0 else None


def _headline(sums: CommunitySums) -> dict[str, str]:
    """The costs and savings as people write them; savings are the difference of the cents that are shown."""
    if not sums.homes:
        return dict.fromkeys(("baseline_pge_cost", "optimized_cost", "savings", "savings_percent"), NOT_KNOWN)
    cent = NUSD_PER_USD // 100
    b1_cents, p2p_cents = round(sums.b1_nusd / cent), round(sums.p2p_nusd / cent)
    saved = percent(sums.b1_nusd - sums.p2p_nusd, sums.b1_nusd)
    return {
        "baseline_pge_cost": format_usd(b1_cents * cent),
        "optimized_cost": format_usd(p2p_cents * cent),
        "savings": format_usd((b1_cents - p2p_cents) * cent),
        "savings_percent": NOT_KNOWN if saved is None else f"{saved:z.1f}%",
    }


def _figures(books: Books, paid: Accounts, sums: CommunitySums, battery: BatterySpec) -> Figures:
    money_residual, energy_residual = residuals(books)
    return Figures(
        homes=len(paid.home_ids),
        homes_counted=sums.homes,
        baseline_b1_usd=_usd_if(sums.homes, sums.b1_nusd),
        baseline_b0_usd=_usd_if(sums.homes, sums.b0_nusd),
        optimized_usd=_usd_if(sums.homes, sums.p2p_nusd),
        savings_usd=_usd_if(sums.homes, sums.b1_nusd - sums.p2p_nusd),
        savings_percent_b1=percent(sums.b1_nusd - sums.p2p_nusd, sums.b1_nusd),
        savings_percent_b0=percent(sums.b0_nusd - sums.p2p_nusd, sums.b0_nusd),
        trades_executed=len(books.trades),
        traded_kwh=int(books.trades["delivered_wh"].sum()) / WH_PER_KWH,
        round_trip_efficiency=round_trip_efficiency(
            sums.charged_wh, sums.discharged_wh, sums.stored_change_wh, battery
        ),
        ledger_cost_usd=_usd_if(sums.homes, sums.ledger_nusd),
        stored_energy_value_usd=_usd_if(sums.homes, sums.stored_value_nusd),
        money_residual_nusd=money_residual,
        energy_residual_wh=energy_residual,
        unserved_kwh=sums.unserved_wh / WH_PER_KWH,
        unserved_battery_only_kwh=sums.unserved_alone_wh / WH_PER_KWH,
        unserved_b1_kwh=sums.unserved_b1_wh / WH_PER_KWH,
    )


def _waterfall(sums: CommunitySums, bounds: Bounds | None) -> Waterfall:
    """Costs step by step; ``bounds`` only where every home reported, because they are the whole community's."""
    known = vars(bounds).values() if bounds is not None else [None] * 4
    optimum, *others = (None if costs is None else sum(costs.values()) for costs in known)
    perfect, near, rule = (None if cost is None else usd(cost) for cost in others)
    return Waterfall(
        grid_only_usd=_usd_if(sums.homes, sums.b0_nusd),
        own_solar_usd=_usd_if(sums.homes, sums.b1_nusd),
        own_battery_usd=_usd_if(sums.homes, sums.battery_only_nusd),
        p2p_usd=_usd_if(sums.homes, sums.p2p_nusd),
        perfect_forecast_usd=perfect,
        look_ahead_3h_usd=near,
        time_of_use_rule_usd=rule,
        community_optimum_usd=None if optimum is None else usd(optimum),
        captured_share=None if optimum is None else captured_share(sums.b1_nusd, sums.p2p_nusd, optimum),
    )


def captured_share(b1: int, p2p: int, optimum: int) -> float | None:
    """Savings over the optimum's savings; None where the optimum saves nothing."""
    return round((b1 - p2p) / (b1 - optimum), 6) if b1 > optimum else None


def _usd_if(known: int, nusd: int) -> float | None:
    return usd(nusd) if known else None


def _peak(load: PeakLoad) -> Peak:
    window_b1 = load.window_b1_wh
    return Peak(
        window_b1_kwh=None if window_b1 is None else window_b1 / WH_PER_KWH,
        window_p2p_kwh=load.window_p2p_wh / WH_PER_KWH,
        window_cut_percent=None if window_b1 is None else percent(window_b1 - load.window_p2p_wh, window_b1),
        day_max_b1_kw=load.day_max_b1_kw,
        day_max_p2p_kw=load.day_max_p2p_kw,
        day_max_ratio=load.day_max_ratio,
    )


def _provenance(books: Books, tariff: Tariff, facts: RunFacts) -> Provenance:
    days = {local_of(int(slot)).date() for slot in books.slots["slot"]}
    return Provenance(
        versions=versions(),
        seed=facts.config.seed,
        config=facts.config.published(),
        data_hash=facts.data_hash,
        tariff=tariff_facts(tariff),
        started_utc=iso_utc(facts.started),
        ended_utc=iso_utc(facts.ended),
        slots=len(books.slots),
        days=len(days),
    )


def tariff_facts(tariff: Tariff) -> TariffFacts:
    """What a reader of the figures should know of the tariff."""
    return TariffFacts(
        label=tariff.label,
        effective_date=tariff.effective_date,
        source=tariff.source,
        notes=tariff.notes,
        left_out=tariff.left_out,
    )


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide a run's numbers."""
    return {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
