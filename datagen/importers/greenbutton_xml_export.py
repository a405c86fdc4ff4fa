"""Homes as Green Button XML (ESPI) files: what :mod:`datagen.importers.greenbutton_xml` gives back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from common.clock import TIMEZONE
from datagen.importers.base import Home
from datagen.importers.net_meter import Ints, Register, save_each

ATOM, ESPI = "http://www.w3.org/2005/Atom", "http://naesb.org/espi"
_POINT = "/espi/1_1/resource/UsagePoint/1"
_PACIFIC = (
    "<dstEndRule>B40E2000</dstEndRule><dstOffset>3600</dstOffset>"
    "<dstStartRule>360E2000</dstStartRule><tzOffset>-28800</tzOffset>"
)
_ISSUED = "2000-01-01T00:00:00Z"
"""Atom asks for a time of change; a fixed one keeps files of the same home the same."""


def save(homes: Sequence[Home], target: Path) -> None:
    """Write each home as ``<home_id>.xml`` into a new folder, in half-hours, or hours where it was metered so.

    A home that exports gets a second meter reading, of what the utility received.  Of a home with gross load and
    production the net load of each interval is kept and nothing else.  Gaps are left out; those at the ends are lost.

    Raises:
        UserError: the folder exists and holds something, no homes, or one without a reading.
    """
    save_each(homes, target, ".xml", text_of)


def text_of(register: Register) -> str:
    """The feed of a home: one usage point, a meter reading for each direction, a block for each local day."""
    flows = [(1, register.import_wh)] + ([(19, register.export_wh)] if register.has_export else [])
    readings = [f"{_POINT}/MeterReading/{flow}" for flow, _ in flows]
    entries = [
        _entry("LocalTimeParameters/1", "LocalTimeParameters", _PACIFIC),
        _entry(_POINT, "UsagePoint", "<ServiceCategory><kind>0</kind></ServiceCategory>", readings),
    ]
    for (flow, wh), reading in zip(flows, readings, strict=True):
        kind = f"ReadingType/{flow}"
        entries.append(_entry(reading, "MeterReading", "", [kind, f"{reading}/IntervalBlock"]))
        entries.append(_entry(kind, "ReadingType", _reading_type(flow, register.length_s)))
        for number, block in enumerate(_blocks(register, wh), start=1):
            entries.append(_entry(f"{reading}/IntervalBlock/{number}", "IntervalBlock", block))
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="{ATOM}">\n<id>commonwatt</id>\n'
    return f"{head}<title>exported by Commonwatt</title>\n<updated>{_ISSUED}</updated>\n{''.join(entries)}</feed>\n"


def _entry(href: str, tag: str, inner: str, related: Sequence[str] = ()) -> str:
    links = "".join(f'<link rel="related" href="{other}"/>' for other in related)
    return (
        f'<entry>\n<id>{href}</id>\n<link rel="self" href="{href}"/>{links}\n<title/>\n<updated>{_ISSUED}</updated>\n'
        f'<content><{tag} xmlns="{ESPI}">{inner}</{tag}></content>\n</entry>\n'
    )


def _reading_type(flow: int, length_s: int) -> str:
    return (
        "<accumulationBehaviour>4</accumulationBehaviour><commodity>1</commodity>"
        f"<flowDirection>{flow}</flowDirection><intervalLength>{length_s}</intervalLength><kind>12</kind>"
        "<powerOfTenMultiplier>0</powerOfTenMultiplier><uom>72</uom>"
    )


def _blocks(register: Register, wh: Ints) -> list[str]:
    """A block for each local day with a reading."""
    start, wh = register.start_s[register.metered], wh[register.metered]
    if not len(start):
        return []
    days = pd.DatetimeIndex(pd.to_datetime(start, unit="s", utc=True)).tz_convert(TIMEZONE).normalize()
    length = register.length_s
    blocks = []
    for rows in np.split(np.arange(len(start)), np.flatnonzero(days[1:] != days[:-1]) + 1):
        first, last = int(start[rows[0]]), int(start[rows[-1]]) + length
        readings = "".join(
            f"<IntervalReading><timePeriod><duration>{length}</duration><start>{s}</start></timePeriod>"
            f"<value>{value}</value></IntervalReading>\n"
            for s, value in zip(start[rows].tolist(), wh[rows].tolist(), strict=True)
        )
        interval = f"<interval><duration>{last - first}</duration><start>{first}</start></interval>"
        blocks.append(f"{interval}\n{readings}")
    return blocks
