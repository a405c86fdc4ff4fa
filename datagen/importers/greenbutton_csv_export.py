"""Homes as Green Button CSV files: what :mod:`datagen.importers.greenbutton_csv` gives back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from common.clock import TIMEZONE
from common.units import WH_PER_KWH
from datagen.importers.base import Home
from datagen.importers.net_meter import Register, save_each

PREAMBLE = "Name,exported by Commonwatt\nAddress,\nAccount Number,\nService,\n\n"
CLOCK = ("DATE", "START TIME", "END TIME")


def save(homes: Sequence[Home], target: Path) -> None:
    """Write each home as ``<home_id>.csv`` into a new folder, in half-hours, or hours where it was metered so.

    Homes that export get the columns of net metering.  Of a home with gross load and production the net load of each
    interval is kept and nothing else.  Gaps are left out, except in the hour that autumn repeats, where an empty cell
    tells which of the two is missing; gaps at the ends are not kept.

    Raises:
        UserError: the folder exists and holds something, no homes, or one without a reading.
    """
    save_each(homes, target, ".csv", text_of)


def text_of(register: Register, parts: int = 1) -> str:
    """The file of a home, with a preamble of placeholders.

    Args:
        register: what its meter would have shown.
        parts: how many rows to write for each interval; 2 turns half-hours into quarter-hours.
    """
    seconds = register.length_s // parts
    before = 7200 // seconds
    # Two hours without readings in front: if the home begins in the hour that autumn repeats, they show in which.
    start = register.start_s[0] + seconds * np.arange(-before, parts * len(register.start_s))
    known = np.pad(np.repeat(register.metered, parts), (before, 0))
    local = pd.DatetimeIndex(pd.to_datetime(start, unit="s", utc=True)).tz_convert(TIMEZONE).tz_localize(None)
    repeated = np.asarray(
        local.tz_localize(TIMEZONE, ambiguous=np.ones(len(local), np.bool_))
        != local.tz_localize(TIMEZONE, ambiguous=np.zeros(len(local), np.bool_))
    )
    if not repeated[before]:
        repeated[:before] = False
    end = local + pd.Timedelta(seconds=seconds - 60)
    columns = [
        np.asarray(index.strftime(form)) for index, form in ((local, "%Y-%m-%d"), (local, "%H:%M"), (end, "%H:%M"))
    ]
    names = ["IMPORT (kWh)", "EXPORT (kWh)"] if register.has_export else ["USAGE (kWh)"]
    for wh in (register.import_wh, register.export_wh)[: len(names)]:
        pieces = np.stack([wh // parts + (k < wh % parts) for k in range(parts)], axis=1).ravel()
        pieces = np.pad(pieces, (before, 0))
        columns.append(np.where(known, pd.Series(pieces / WH_PER_KWH).map("{:.3f}".format), ""))
    table = pd.DataFrame(dict(enumerate(columns)))[known | repeated]
    table.insert(0, "type", "Electric usage")
    heading = ",".join(["TYPE", *CLOCK, *names, "COST", "NOTES"])
    body: str = table.assign(cost="", notes="").to_csv(header=False, index=False, lineterminator="\n")
    return PREAMBLE + heading + "\n" + body
