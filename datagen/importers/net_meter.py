"""Homes behind one meter that shows import and export: what it tells of them, and what it does not.

Such a meter never sees what the home takes from its own panels.  ``load_wh`` is what was imported and ``pv_wh`` what
was exported, so net load = load - PV, and every bill on it, is exact to the Wh; gross load and production are unknown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.errors import UserError
from common.readings import HomeFacts, Readings
from common.units import SLOT_HOURS, SLOT_SECONDS, WH_PER_KWH
from datagen.importers.base import Home, ImportedCommunity, unrated_note
from datagen.importers.intervals import LOAD, SOLAR, Floats, Intervals, merge, to_readings

Ints = NDArray[np.int64]
Parts = list[tuple[str, Intervals]]
SOURCE_PREFIX = "greenbutton-"
MAPPED_PREFIX = "csv-net:"
"""Homes of such sources hold registers, import and export, not gross load and production."""


def is_net_metered(facts: HomeFacts) -> bool:
    """Whether a home's load is what it imported, and its solar what it exported."""
    return facts.source.startswith((SOURCE_PREFIX, MAPPED_PREFIX))


def registers_wh(imported_wh: Floats, exported_wh: Floats) -> dict[str, Floats]:
    """Energy by channel of :class:`Intervals` from what crossed the meter, Wh, each way."""
    return {LOAD: imported_wh, SOLAR: exported_wh}


def community_of(parts: Sequence[Parts], source: str, warnings: Sequence[str] = ()) -> ImportedCommunity:
    """Homes ``house-1``, ``house-2``, ... from the intervals of their files, each with the file's name.

    Names of files may hold account numbers, so they stand in errors only; warnings name the home.

    Raises:
        UserError: see :func:`datagen.importers.intervals.to_readings`.
    """
    homes: list[Home] = []
    notes, solar, labels = list(warnings), [], {}
    for number, files in enumerate(parts, start=1):
        home_id = f"house-{number}"
        metered = to_readings(merge(files), home_id)
        pv_kw = _highest_export_kw(metered.readings, metered.resolution_slots)
        facts = HomeFacts(
            home_id=home_id, resolution_slots=metered.resolution_slots, pv_kw=pv_kw, source=SOURCE_PREFIX + source
        )
        homes.append((facts, metered.readings))
        labels[home_id] = [label for label, _ in files]
        notes += metered.warnings
        if pv_kw:
            solar.append(home_id)
            notes.append(unrated_note(home_id, pv_kw))
    if solar:
        notes.append(
            f"{', '.join(solar)}: the meter shows import and export only; net load and bills are exact, 'grid only' "
            "(b0) and solar figures are of what crossed the meter"
        )
    return ImportedCommunity(homes, warnings=notes, files=labels)


def _highest_export_kw(readings: Readings, resolution_slots: int) -> float:
    """Highest export, rounded up to 0.1 kW: the least that the panels are rated; 0 without export."""
    top_wh = int(readings.pv_wh.reshape(-1, resolution_slots).sum(axis=1).max())
    return math.ceil(top_wh / (resolution_slots * SLOT_HOURS) / WH_PER_KWH * 10 - 1e-9) / 10


@dataclass(frozen=True)
class Register:
    """What a meter would have shown of a home; arrays of shape ``(n,)``, without gaps between rows.

    Attributes:
        start_s: beginning of each interval, seconds since the epoch (UTC).
        length_s: length of every interval.
        import_wh, export_wh: whole Wh, never negative.
        metered: False in the gaps.
        has_export: whether the home ever exports.
    """

    start_s: Ints
    length_s: int
    import_wh: Ints
    export_wh: Ints
    metered: NDArray[np.bool_]
    has_export: bool


def register_of(home: Home) -> Register:
    """Register of a home, in hours if it was metered in hours, else in half-hours.

    A home with gross load and production is netted interval by interval: its net load is kept, the rest is lost.
    """
    facts, readings = home
    slots = facts.resolution_slots
    skip = -readings.first_slot % slots  # hours begin on even slots; half an hour at an end is no whole reading
    count = (len(readings) - skip) // slots
    if count < 1:
        raise UserError(f"home {facts.home_id}: no whole interval to export")

    def whole(values: Ints) -> Ints:
        total: Ints = values[skip : skip + count * slots].reshape(count, slots).sum(axis=1)
        return total

    load, pv = whole(readings.load_wh), whole(readings.pv_wh)
    if not is_net_metered(facts) and pv.any():
        load, pv = np.maximum(load - pv, 0), np.maximum(pv - load, 0)
    known = np.ones(len(readings), np.bool_) if readings.metered is None else readings.metered
    metered = whole(known.astype(np.int64)) == slots
    if not metered.any():
        raise UserError(f"home {facts.home_id}: no whole interval with a reading to export")
    first = readings.first_slot + skip
    return Register(
        start_s=(first + slots * np.arange(count)) * SLOT_SECONDS,
        length_s=slots * SLOT_SECONDS,
        import_wh=load,
        export_wh=pv,
        metered=metered,
        has_export=bool(pv.any()),
    )


def save_each(homes: Sequence[Home], target: Path, suffix: str, text_of: Callable[[Register], str]) -> None:
    """Write one file a home into a new folder; both are their owner's alone.

    Raises:
        UserError: no homes, one without a reading, or a folder that exists and holds something or cannot be made.
    """
    if not homes:
        raise UserError("no homes to write")
    registers = {f"{facts.home_id}{suffix}": register_of((facts, readings)) for facts, readings in homes}
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.mkdir(mode=0o700, exist_ok=True)
        if any(target.iterdir()):
            raise UserError(f"{target}: exists and is not empty; name a new folder")
        for name, register in registers.items():
            (target / name).touch(mode=0o600)
            (target / name).write_text(text_of(register), encoding="utf-8", newline="")
    except OSError as error:
        raise UserError(f"{target}: cannot be written ({error.strerror})") from None
