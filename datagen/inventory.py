"""What is in a source of homes, as a table for people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from common.clock import local_calendar
from common.readings import CHANNELS, HomeFacts, Readings
from common.units import SLOT_HOURS, SLOTS_PER_DAY, WH_PER_KWH
from datagen.importers import importer_for

_BARS = "▁▂▃▄▅▆▇█"


def print_homes(source: str, console: Console) -> None:
    """Print one line a home, and what a user should know of the source.

    Raises:
        UserError: an unknown format, or bad data.
    """
    importer = importer_for(source)
    imported = importer.load(source)
    table = Table(
        title=f"{Path(source).name if '://' not in source else importer.name} ({importer.name})",
        box=SIMPLE,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("\nhome", no_wrap=True)
    for heading in ("\ndays", "\ngaps", "load\nkWh/y", "peak\nkW", "EV\nkWh/y", "solar\nkW", "solar\nkWh/y"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("midnight to\nmidnight", no_wrap=True)
    for facts, readings in imported.homes:
        table.add_row(*_row(facts, readings))
    console.print(table)
    for warning in imported.warnings:
        console.print(f"note: {warning}", highlight=False, markup=False)


def _row(facts: HomeFacts, readings: Readings) -> tuple[str, ...]:
    metered = np.ones(len(readings), np.bool_) if readings.metered is None else readings.metered
    per_year = 365 * 24 / (max(int(metered.sum()), 1) * SLOT_HOURS) / WH_PER_KWH
    step = facts.resolution_slots
    whole = len(readings) // step * step
    peak_wh = readings.load_wh[:whole].reshape(-1, step).sum(axis=1).max() / step
    ev_wh = 0 if readings.channels is None else int(readings.channels[CHANNELS.index("ev_wh"), metered].sum())
    has_pv = bool(readings.pv_wh.any())
    return (
        facts.home_id,
        f"{len(readings) / SLOTS_PER_DAY:,.0f}",
        f"{1 - metered.mean():.1%}" if not metered.all() else "",
        f"{readings.load_wh[metered].sum() * per_year:,.0f}",
        f"{peak_wh / SLOT_HOURS / WH_PER_KWH:.1f}",
        f"{ev_wh * per_year:,.0f}" if ev_wh else "",
        f"{facts.pv_kw:.2f}" if has_pv else "",
        f"{readings.pv_wh[metered].sum() * per_year:,.0f}" if has_pv else "",
        _course(facts, readings, metered),
    )


def _course(facts: HomeFacts, readings: Readings, metered: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> str:
    """Mean load of every two hours of the local day, as bars."""
    part = local_calendar(np.arange(readings.first_slot, readings.end_slot), facts.timezone).half_hour // 4
    count = np.bincount(part[metered], minlength=12)
    mean = np.bincount(part[metered], readings.load_wh[metered], minlength=12) / np.maximum(count, 1)
    level = np.ceil(mean / max(float(mean.max()), 1.0) * len(_BARS)).astype(int) - 1
    return "".join(_BARS[max(int(k), 0)] for k in level)
