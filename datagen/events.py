"""The events calendar: broadcasts that so many watch at home that it shows in the load of a neighbourhood.

``datagen/calendars/events.json`` holds local times with their source; lines can be added.  A file of one's own, CSV or
iCalendar, adds to it (:func:`read_events`).
"""

from __future__ import annotations

import csv
import json
import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from common.clock import TIMEZONE, slot_of
from common.errors import UserError

Events = tuple[tuple[int, int], ...]
"""First and end slot of each event."""

LONGEST = timedelta(days=3)


@lru_cache(maxsize=1)
def calendar() -> Events:
    """Events of the calendar that ships with Commonwatt."""
    text = json.loads((files("datagen") / "calendars" / "events.json").read_text(encoding="utf-8"))
    zone = ZoneInfo(text["timezone"])

    def slot(moment: str) -> int:
        return slot_of(datetime.fromisoformat(moment).replace(tzinfo=zone))

    return tuple((slot(event["start"]), slot(event["end"])) for event in text["events"])


def event_slots(slots: range, more: Events = ()) -> NDArray[np.bool_]:
    """Whether an event of the calendar, or one of ``more``, is on in each of ``slots``, shape ``(n,)``."""
    on = np.zeros(len(slots), np.bool_)
    for first, end in (*calendar(), *more):
        on[max(first - slots.start, 0) : max(end - slots.start, 0)] = True
    return on


def known_events(events: Events, slots: range) -> Events:
    """Those of ``events`` that touch ``slots``: what is written to a home's facts."""
    return tuple((first, end) for first, end in events if first < slots.stop and end > slots.start)


def events_of(path: str) -> Events:
    """Events of the file that a run config names; none for an empty name."""
    return read_events(Path(path)) if path else ()


def read_events(path: Path) -> Events:
    """Events of a file: iCalendar (``.ics``), else CSV with a header and columns ``start`` and ``end``.

    Times without a zone are local.  In CSV: ``2025-06-18 19:30``; in iCalendar DTSTART and DTEND as RFC 5545 writes
    them (UTC, a TZID, or local); an event that recurs (RRULE) is refused, for each of its dates has to be named.

    Raises:
        UserError: not such a file; naming the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"events file {path}: cannot be read ({error})") from None
    pairs = _of_ical(text, path) if path.suffix.lower() in (".ics", ".ical") else _of_csv(text, path)
    for where, start, end in pairs:
        if not timedelta() < end - start <= LONGEST:
            raise UserError(f"events file {path}, {where}: {start} to {end}; expected an end after it, within 3 days")
    # A half-hour in which an event is on for any time counts as one.
    return tuple(sorted({(slot_of(start), -(-int(end.timestamp()) // 1800)) for _, start, end in pairs}))


def _of_csv(text: str, path: Path) -> list[tuple[str, datetime, datetime]]:
    rows = csv.DictReader(text.splitlines())
    names = [name.strip().lower() for name in rows.fieldnames or []]
    missing = {"start", "end"} - set(names)
    if missing:
        raise UserError(
            f"events file {path}: column {sorted(missing)[0]} is missing (found: {', '.join(names) or 'none'})"
        )
    rows.fieldnames = names
    return [
        (f"line {number}", _moment(row["start"], path, number), _moment(row["end"], path, number))
        for number, row in enumerate(rows, 2)
    ]


def _moment(text: str | None, path: Path, line: int) -> datetime:
    try:
        moment = datetime.fromisoformat((text or "").strip())
    except ValueError:
        raise UserError(f"events file {path}, line {line}: '{text}' is no time; write YYYY-MM-DD HH:MM") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(TIMEZONE))


def _of_ical(text: str, path: Path) -> list[tuple[str, datetime, datetime]]:
    """Events of a calendar; lines that begin with a blank continue the one before (RFC 5545, 3.1)."""
    events: list[tuple[str, datetime, datetime]] = []
    open_at, found = 0, dict[str, datetime]()
    for number, line in enumerate(re.sub(r"\r?\n[ \t]", "", text).splitlines(), 1):
        name, _, value = line.partition(":")
        key = name.upper().split(";")[0]
        if line.strip().upper() == "BEGIN:VEVENT":
            open_at, found = number, {}
        elif line.strip().upper() == "END:VEVENT":
            if "DTSTART" not in found or "DTEND" not in found:
                raise UserError(f"events file {path}, event {len(events) + 1}: DTSTART or DTEND is missing")
            events.append((f"event {len(events) + 1}", found["DTSTART"], found["DTEND"]))
            open_at = 0
        elif open_at and key == "RRULE":
            raise UserError(f"events file {path}, event {len(events) + 1}: it recurs (RRULE); name each of its dates")
        elif open_at and key in ("DTSTART", "DTEND"):
            zone = next(
                (p.removeprefix("TZID=") for p in name.split(";")[1:] if p.upper().startswith("TZID=")), TIMEZONE
            )
            found[key] = _ical_moment(value.strip(), zone, f"events file {path}, event {len(events) + 1}")
    if not events:
        raise UserError(f"events file {path}: no VEVENT in it; is it iCalendar?")
    return events


def _ical_moment(text: str, zone: str, where: str) -> datetime:
    try:
        if len(text) == len("20250618"):
            return datetime.combine(date.fromisoformat(text), datetime.min.time(), ZoneInfo(zone.strip('"')))
        moment = datetime.strptime(text.removesuffix("Z"), "%Y%m%dT%H%M%S")
        return moment.replace(tzinfo=UTC if text.endswith("Z") else ZoneInfo(zone.strip('"')))
    except (ValueError, ZoneInfoNotFoundError):
        raise UserError(f"{where}: '{text}' in zone {zone} is no time") from None
