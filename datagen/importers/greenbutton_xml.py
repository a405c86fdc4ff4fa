"""Green Button XML (NAESB ESPI, REQ.21): an Atom feed of usage points, reading types and blocks of readings.

A home is an electric ``UsagePoint``.  Its ``MeterReading`` entries point to a ``ReadingType`` (commodity, unit, power
of ten, direction) and to ``IntervalBlock`` entries by links.  Taken are readings in Wh (``uom`` 72): delivered
(``flowDirection`` 1) as load, received (19) as solar; net ones (4, or none given) as one or the other by their sign.
Gas and other units are passed over with a note, qualities other than valid are counted.

``start`` is in seconds since 1970, UTC; ``LocalTimeParameters`` say how to show it and change nothing.  In real files:
PG&E's own service keeps to that (github.com/openeemeter/eemeter, VerdigrisTech/green-button-data: days begin at 07:00
or 08:00 UTC), and so does a quarter-hourly portal feed of 2013-16 in eemeter's tests; but feeds that PG&E's portal made
in 2012 begin at 05:00 UTC, midnight in the Eastern zone, three hours early (mtmckenna/green-button-grapher/data).
Nothing is shifted for that, since nothing in the file tells; a warning says so.  When clocks go back PG&E repeats a
``start`` (JPHutchins/pgesmd_self_access): the second is taken for the hour after it if no reading is that.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from common.clock import TIMEZONE
from common.errors import UserError
from datagen.importers.base import ImportedCommunity, Importer
from datagen.importers.espi import Block, Feed, MeterReading, ReadingType, UsagePoint, read_feed
from datagen.importers.files import SourceFile, any_looks_like, homes_of
from datagen.importers.greenbutton_xml_export import save
from datagen.importers.intervals import END_S, FIRST_S, HOUR_SECONDS, Intervals
from datagen.importers.net_meter import Parts, community_of, registers_wh

WATT_HOURS = 72
DELIVERED, RECEIVED, NET = 1, 19, 4
_ELECTRIC_COMMODITIES = (None, 0, 1, 2)
_ELECTRIC_SERVICES = (None, 0)
_SOUND_QUALITIES = (0, 14, 17, 18, 19)
"""Valid, raw, validated, verified, revenue quality; others are edited, estimated, questionable or projected."""
_PACIFIC_STANDARD_S = -28_800


def detect(source: str) -> bool:
    """Whether a file, or one of a folder or archive, is a feed with Green Button's namespace."""
    return any_looks_like(source, ".xml", lambda head: b"naesb.org/espi" in head.replace(b"\0", b""))


def load(source: str) -> ImportedCommunity:
    """Homes of an XML file, of a folder of them, or of a zip archive (:mod:`datagen.importers.files`).

    Raises:
        UserError: naming the file and line, and what was expected.
    """
    homes: list[Parts] = []
    notes = _Notes()
    for files in homes_of(source, ".xml"):
        points = [(file, _points(file, notes)) for file in files]
        if len(files) == 1:
            homes += [[(files[0].label, intervals)] for intervals in points[0][1]]
            continue
        for file, found in points:
            if len(found) > 1:
                raise UserError(
                    f"{file.label}: {len(found)} electric usage points; expected one in each file of a sub-folder, "
                    "since these are periods of one home"
                )
        homes.append([(file.label, intervals) for file, found in points for intervals in found])
    homes = [parts for parts in homes if parts]
    if not homes:
        what = f"only {', '.join(notes.lines())}" if notes.lines() else "no readings"
        raise UserError(f"{source}: {what}; expected electric readings in Wh (uom 72)")
    return community_of(homes, "xml", notes.lines())


@dataclass
class _Notes:
    """What of the files a user should know."""

    passed_over: Counter[str] = field(default_factory=Counter)
    qualities: Counter[int] = field(default_factory=Counter)
    repeated: int = 0
    one_way: int = 0
    clocks: set[str] = field(default_factory=set)

    def lines(self) -> list[str]:
        lines = [f"{count} x {what} passed over" for what, count in sorted(self.passed_over.items())]
        if self.qualities:
            codes = ", ".join(f"{count} of quality {code}" for code, count in sorted(self.qualities.items()))
            lines.append(f"readings that are not plainly valid: {codes} (7 edited, 8 and 9 estimated, 10 questionable)")
        if self.repeated:
            lines.append(
                f"{self.repeated} readings repeat the time of another when clocks go back; read as the hour after it"
            )
        if self.one_way:
            lines.append(f"{self.one_way} intervals have a reading in one direction only; taken as gaps")
        return lines + sorted(self.clocks)


def _points(file: SourceFile, notes: _Notes) -> list[Intervals]:
    """Intervals of each electric usage point of a file."""
    feed = read_feed(file.label, file.content())
    offset = feed.standard_offset_s
    if offset is not None and offset != _PACIFIC_STANDARD_S:
        notes.clocks.add(f"a file names a clock of UTC{offset / 3600:+g} h; homes are taken to be in {TIMEZONE}")
    streams: dict[int, list[tuple[ReadingType, Block]]] = {}
    passed_over: set[tuple[str, int]] = set()
    for block in feed.blocks:
        reading, kind = _of_block(file.label, feed, block)
        point = _point_of(feed, reading)
        why = _why_not(None if point is None else feed.points[point], kind)
        if why:
            passed_over.add((why, -1 if reading is None else id(reading)))
        else:
            streams.setdefault(-1 if point is None else point, []).append((kind, block))
    notes.passed_over.update(why for why, _ in passed_over)
    found = [_intervals(file.label, streams[point], notes) for point in sorted(streams)]
    notes.clocks.update(note for intervals in found if (note := _odd_midnight(intervals)))
    return [intervals for intervals in found if len(intervals)]


def _why_not(point: UsagePoint | None, kind: ReadingType) -> str:
    """Why readings are no electric energy of a home; "" if they are."""
    if (point is not None and point.service not in _ELECTRIC_SERVICES) or kind.commodity not in _ELECTRIC_COMMODITIES:
        return "meter readings of gas or another service"
    if kind.unit != WATT_HOURS:
        return f"meter readings in unit {kind.unit} (uom; 72 is Wh)"
    if kind.direction not in (None, 0, DELIVERED, NET, RECEIVED):
        return f"meter readings of flow direction {kind.direction} (1 is delivered, 19 received, 4 net)"
    return ""


def _of_block(label: str, feed: Feed, block: Block) -> tuple[MeterReading | None, ReadingType]:
    """Meter reading and reading type that a block belongs to: by links; where they lead nowhere, the only ones."""
    readings = [reading for reading in feed.readings if reading.holds(block)]
    reading = readings[0] if readings else feed.readings[0] if len(feed.readings) == 1 else None
    kinds = [kind for kind in feed.types if reading is not None and kind.href in reading.related]
    if not kinds and len(feed.types) == 1:
        kinds = feed.types
    if not kinds:
        raise UserError(
            f"{label}, line {block.line}: an IntervalBlock without a ReadingType; expected links from a MeterReading "
            "to both"
        )
    return reading, kinds[0]


def _point_of(feed: Feed, reading: MeterReading | None) -> int | None:
    """Number of the usage point of a meter reading; None where the feed has none."""
    for number, point in enumerate(feed.points):
        if reading is not None and point.holds(reading):
            return number
    return 0 if len(feed.points) == 1 else None


def _intervals(label: str, stream: list[tuple[ReadingType, Block]], notes: _Notes) -> Intervals:
    """Intervals of a home: what was delivered and received at the same time becomes one."""
    delivered: list[pd.DataFrame] = []
    received: list[pd.DataFrame] = []
    net: list[pd.DataFrame] = []
    for kind, block in stream:
        table = _readings(label, kind, block)
        sound = table["quality"].isin(_SOUND_QUALITIES)
        notes.qualities.update(int(code) for code in table["quality"][~sound])
        (delivered if kind.direction == DELIVERED else received if kind.direction == RECEIVED else net).append(table)
    tables = []
    if net:
        table = _in_time(pd.concat(net), notes)
        tables.append(table.assign(load=table["wh"].clip(lower=0), pv=(-table["wh"]).clip(lower=0)))
    both = [_in_time(pd.concat(part), notes) if part else None for part in (delivered, received)]
    if both[0] is not None and both[1] is not None:
        tables.append(_side_by_side(both[0], both[1], notes))
    elif both[0] is not None:
        tables.append(both[0].assign(load=both[0]["wh"], pv=0.0))
    elif both[1] is not None:
        tables.append(both[1].assign(load=0.0, pv=both[1]["wh"]))
    table = pd.concat(tables)
    return Intervals(
        start_s=table["start"].to_numpy(np.int64),
        length_s=table["length"].to_numpy(np.int64),
        energy_wh=registers_wh(table["load"].to_numpy(np.float64), table["pv"].to_numpy(np.float64)),
        line=table["line"].to_numpy(np.int64),
    )


def _readings(label: str, kind: ReadingType, block: Block) -> pd.DataFrame:
    """Readings of a block in Wh, with lengths and negative values checked."""
    value = np.array(block.value, np.float64) * 10.0**kind.power_of_ten
    length = np.array([own or kind.interval_s or 0 for own in block.duration], np.int64)
    if kind.direction in (DELIVERED, RECEIVED) and (value < 0).any():
        row = int(np.argmax(value < 0))
        raise UserError(
            f"{label}, line {block.lines[row]}, value: {block.value[row]:g} is negative; expected 0 or more, since its "
            f"flow direction is {kind.direction}"
        )
    default = 0 if kind.quality is None else kind.quality
    return pd.DataFrame(
        {
            "start": np.array(block.start, np.int64),
            "length": length,
            "wh": value,
            "line": np.array(block.lines, np.int64),
            "quality": [default if code is None else code for code in block.quality],
        }
    )


def _in_time(table: pd.DataFrame, notes: _Notes) -> pd.DataFrame:
    """Readings with the second of a repeated time moved on an hour, where clocks went back and nothing is there."""
    start = table["start"].to_numpy(np.int64).copy()
    again = np.flatnonzero(np.asarray(table["start"].duplicated()) & (start >= FIRST_S) & (start < END_S))
    if not len(again):
        return table
    taken, later = set(start.tolist()), start[again] + HOUR_SECONDS
    labels, later_labels = (
        pd.DatetimeIndex(pd.to_datetime(moments, unit="s", utc=True)).tz_convert(TIMEZONE).tz_localize(None)
        for moments in (start[again], later)
    )
    for row, moved in zip(again[labels == later_labels].tolist(), later[labels == later_labels].tolist(), strict=True):
        if moved not in taken:
            start[row] = moved
            taken.add(moved)
            notes.repeated += 1
    return table.assign(start=start)


def _side_by_side(delivered: pd.DataFrame, received: pd.DataFrame, notes: _Notes) -> pd.DataFrame:
    """One row for each interval and what was delivered and received in it; a contradiction stays two rows."""
    columns = ["start", "length", "wh", "line"]
    # The same reading may stand in overlapping blocks; only whole repetitions may go before the two are joined.
    parts = [part[columns].drop_duplicates(["start", "length", "wh"]) for part in (delivered, received)]
    table = parts[0].merge(parts[1], "outer", on=["start", "length"], suffixes=("", "_pv"))
    one_way = table["line"].isna() | table["line_pv"].isna()
    notes.one_way += int(one_way.sum())
    # One direction alone is no reading of the meter.
    return table.assign(
        load=table["wh"].where(~one_way), pv=table["wh_pv"].where(~one_way), line=table["line"].fillna(table["line_pv"])
    )


def _odd_midnight(intervals: Intervals) -> str:
    """A warning if the readings span whole days of a clock that is not the homes' own."""
    if not len(intervals):
        return ""
    ends = [int(intervals.start_s.min()), int((intervals.start_s + intervals.length_s).max())]
    if not all(FIRST_S <= end <= END_S for end in ends):
        return ""
    at = [pd.Timestamp(end, unit="s", tz="UTC") for end in ends]
    for zone, name in (("America/New_York", "Eastern time"), ("UTC", "UTC")):
        local = [moment.tz_convert(zone) for moment in at]
        if all(moment == moment.normalize() for moment in local):
            return (
                f"the readings begin and end at midnight {name}, not local time: some older downloads are hours off; "
                "compare a day with the chart on the utility's page"
            )
    return ""


IMPORTER = Importer(
    "greenbutton-xml", "Green Button XML (ESPI): a file, a folder or the zip as downloaded", detect, load, save
)
