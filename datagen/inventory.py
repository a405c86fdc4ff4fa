"""What is in a source of homes, as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from common.clock import local_calendar
from common.readings import CHANNELS, HomeFacts, Readings
from common.units import SLOT_HOURS, SLOTS_PER_DAY, WH_PER_KWH
from datagen.importers import importer_for
from datagen.importers.net_meter import is_net_metered
from datagen.importers.sql_access import database_url
from datagen.plausible import kwh_per_year
from datagen.source import Home

_BARS = "▁▂▃▄▅▆▇█"


def print_homes(source: str, console: Console) -> None:
    """Print one line a home, and what a user should know of the source.

    Raises:
        UserError: an unknown format, or bad data.
    """
    importer = importer_for(source)
    imported = importer.load(source)
    name = Path(database_url(source).database or "database" if "://" in source else source).name
    net = [is_net_metered(facts) for facts, _ in imported.homes]
    load, made = ("import", "export") if all(net) else ("load", "solar")
    table = Table(title=f"{name} ({importer.name})", box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("\nhome", no_wrap=True)
    headings = ("\ndays", "\ngaps", f"{load}\nkWh/y", "peak\nkW", "EV\nkWh/y", "solar\nkW", f"{made}\nkWh/y")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("midnight to\nmidnight", no_wrap=True)
    for facts, readings in imported.homes:
        table.add_row(*_row(facts, readings))
    console.print(table)
    for line in [*_summary(imported.homes, load), *_cars(imported.homes)]:
        console.print(line, highlight=False, markup=False)
    if any(net) and not all(net):
        console.print("note: of a home that is metered at the grid only, load is import and solar is export")
    for warning in imported.warnings:
        console.print(f"note: {warning}", highlight=False, markup=False)


def _row(facts: HomeFacts, readings: Readings) -> tuple[str, ...]:
    metered = np.ones(len(readings), np.bool_) if readings.metered is None else readings.metered
    step = facts.resolution_slots
    whole = len(readings) // step * step
    peak_wh = readings.load_wh[:whole].reshape(-1, step).sum(axis=1).max() / step
    ev_kwh = 0.0 if readings.channels is None else kwh_per_year(readings, readings.channels[CHANNELS.index("ev_wh")])
    has_pv = bool(readings.pv_wh.any())
    return (
        facts.home_id,
        f"{len(readings) / SLOTS_PER_DAY:,.0f}",
        f"{1 - metered.mean():.1%}" if not metered.all() else "",
        f"{kwh_per_year(readings, readings.load_wh):,.0f}",
        f"{peak_wh / SLOT_HOURS / WH_PER_KWH:.1f}",
        f"{ev_kwh:,.0f}" if ev_kwh else "",
        f"{facts.pv_kw:.2f}" if has_pv else "",
        f"{kwh_per_year(readings, readings.pv_wh):,.0f}" if has_pv else "",
        _course(facts, readings, metered),
    )


def _summary(homes: Sequence[Home], load: str) -> list[str]:
    """Figures of several homes together; none for one. ``load`` is how their load is called."""
    if len(homes) < 2:
        return []
    kwh = np.array([kwh_per_year(readings, readings.load_wh) for _, readings in homes])
    low, median, high = np.quantile(kwh, (0.1, 0.5, 0.9))
    lines = [f"{load} kWh/y: mean {kwh.mean():,.0f}; 10 % {low:,.0f}, median {median:,.0f}, 90 % {high:,.0f}"]
    metered = [readings for _, readings in homes if readings.channels is not None]
    parts = []
    for row, name in enumerate(CHANNELS if metered else ()):
        each = np.array([kwh_per_year(r, r.channels[row]) for r in metered if r.channels is not None])
        share = f" ({(each > 0).mean():.0%} of homes)" if (each == 0).any() else ""
        parts.append(f"{name.removesuffix('_wh').replace('_', ' ')} {each.mean():,.0f}{share}")
    if parts:
        lines.append(f"appliances, mean kWh/y: {', '.join(parts)}")
    rated = [(facts, readings) for facts, readings in homes if facts.pv_kw and not is_net_metered(facts)]
    if rated:
        kw = np.quantile([facts.pv_kw for facts, _ in rated], (0.1, 0.5, 0.9))
        yields = np.quantile([kwh_per_year(r, r.pv_wh) / facts.pv_kw for facts, r in rated], (0.1, 0.5, 0.9))
        lines.append(
            f"solar, 10 % / median / 90 %: {' / '.join(f'{v:.1f}' for v in kw)} kW, "
            f"{' / '.join(f'{v:,.0f}' for v in yields)} kWh/kW a year"
        )
    return lines


def _cars(homes: Sequence[Home]) -> list[str]:
    """A line on the cars whose stays at the charger are known; none without any."""
    cars = [(facts.car, len(readings) / SLOTS_PER_DAY / 7) for facts, readings in homes if facts.car is not None]
    if not cars:
        return []
    slowest, fastest = (f"{pick(car.charger_kw for car, _ in cars):g}" for pick in (min, max))
    kw = slowest if slowest == fastest else f"{slowest} to {fastest}"
    stays = [stay for car, _ in cars for stay in car.sessions]
    weekly = np.mean([len(car.sessions) / weeks for car, weeks in cars])
    kwh = sum(stay.energy_wh for stay in stays) / max(len(stays), 1) / WH_PER_KWH
    return [f"cars whose stays are known: {len(cars)}, at {kw} kW, {weekly:.1f} stays a week of {kwh:.1f} kWh"]


def _course(facts: HomeFacts, readings: Readings, metered: NDArray[np.bool_]) -> str:
    """Mean load of every two hours of the local day, as bars."""
    part = local_calendar(np.arange(readings.first_slot, readings.end_slot), facts.timezone).half_hour // 4
    count = np.bincount(part[metered], minlength=12)
    mean = np.bincount(part[metered], readings.load_wh[metered], minlength=12) / np.maximum(count, 1)
    level = np.ceil(mean / max(float(mean.max()), 1.0) * len(_BARS)).astype(int) - 1
    return "".join(_BARS[max(int(k), 0)] for k in level)
