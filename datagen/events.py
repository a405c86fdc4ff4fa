"""The events calendar: broadcasts that so many watch at home that it shows in the load of a neighbourhood.

``datagen/calendars/events.json`` holds local times with their source; lines can be added.  A file of one's own, CSV or
iCalendar, adds to it (:func:`read_events`).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from common.clock import TIMEZONE, slot_of, utc_of
from common.errors import UserError
from common.units import SLOT_SECONDS

if TYPE_CHECKING:
    from icalendar import Event

Events = tuple[tuple[int, int], ...]
"""First and end slot of each event."""
Times = tuple[datetime, datetime]
"""Beginning and end of an event."""

LONGEST = timedelta(days=3)
_MOMENTS, _RECURRING = ("DTSTART", "DTEND"), ("RRULE", "RDATE", "EXDATE")
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")


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


def events_of(path: str, slots: range) -> Events:
    """Events of the file that a run config names, for ``slots``; none for an empty name."""
    return read_events(Path(path), slots) if path else ()


def read_events(path: Path, slots: range = range(0)) -> Events:
    """Events of a file: iCalendar (``.ics``), else CSV with a header and columns ``start`` and ``end``.

    Times without a zone are local.  In CSV: ``2025-06-18 19:30``; in iCalendar as RFC 5545 writes them (UTC, a TZID, or
    local; a date is a whole day).

    Args:
        path: of the file.
        slots: in which an event that recurs (RRULE, RDATE) is looked for; the others are given wherever they lie.

    Raises:
        UserError: not such a file; naming the line or the event.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"events file {path}: cannot be read ({error})") from None
    is_ical = path.suffix.lower() in (".ics", ".ical")
    times = _of_ical(text, slots, path) if is_ical else _of_csv(text, path)
    # A half-hour in which an event is on for any time counts as one.
    return tuple(sorted({(slot_of(start), -(-int(end.timestamp()) // SLOT_SECONDS)) for start, end in times}))


def _of_csv(text: str, path: Path) -> list[Times]:
    rows = csv.DictReader(text.splitlines())
    names = [name.strip().lower() for name in rows.fieldnames or []]
    missing = {"start", "end"} - set(names)
    if missing:
        raise UserError(
            f"events file {path}: column {sorted(missing)[0]} is missing (found: {', '.join(names) or 'none'})"
        )
    rows.fieldnames = names
    return [
        _checked(_moment(row["start"], path, number), _moment(row["end"], path, number), f"{path}, line {number}")
        for number, row in enumerate(rows, 2)
    ]


def _checked(start: datetime, end: datetime, where: str) -> Times:
    """Both, of which the end must lie after the start, within :data:`LONGEST`."""
    if not timedelta() < end - start <= LONGEST:
        raise UserError(f"events file {where}: {start} to {end}; expected an end after it, within 3 days")
    return start, end


def _moment(text: str | None, path: Path, line: int) -> datetime:
    try:
        moment = datetime.fromisoformat((text or "").strip())
    except ValueError:
        raise UserError(f"events file {path}, line {line}: '{text}' is no time; write YYYY-MM-DD HH:MM") from None
    return _aware(moment)


def _aware(moment: date) -> datetime:
    """A moment with its zone, local without one; the beginning of the local day for a date."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, datetime.min.time())
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(TIMEZONE))


def _of_ical(text: str, slots: range, path: Path) -> list[Times]:
    """Events of one or more calendars, those that recur as often as they do in ``slots``."""
    import icalendar
    import recurring_ical_events

    try:
        calendars = icalendar.Calendar.from_ical(text, multiple=True)
    except ValueError as error:
        raise UserError(f"events file {path}: no iCalendar, or no VEVENT in it ({_first_line(error)})") from None
    found = (part for calendar in calendars for part in calendar.walk("VEVENT"))
    events = [part for part in found if isinstance(part, icalendar.Event)]
    if not events:
        raise UserError(f"events file {path}: no VEVENT in it; is it iCalendar?")
    events = [event for event in events if not _is_off(event)]
    times = [_times(event, f"{path}, event {number}") for number, event in enumerate(events, 1)]
    if not any(_recurs(event) for event in events):
        return times
    alone = [pair for event, pair in zip(events, times, strict=True) if not _recurs(event)]
    # A day more at either end: a local time without a zone may lie on another day than it does in UTC.
    begin, end = utc_of(slots.start) - timedelta(days=1), utc_of(slots.stop) + timedelta(days=1)
    for calendar in calendars:
        calendar.subcomponents = [part for part in calendar.subcomponents if not _is_off(part)]
        try:
            occurrences = recurring_ical_events.of(calendar).between(begin, end)
        except (ValueError, TypeError) as error:
            raise UserError(f"events file {path}, an event that recurs: {_first_line(error)}") from None
        alone += [_checked(_aware(event.start), _aware(event.end), f"{path}, recurring") for event in occurrences]
    return alone


def _is_off(part: Mapping[str, object]) -> bool:
    """Whether a part of a calendar is an event that was cancelled."""
    return str(part.get("STATUS", "")).upper() == "CANCELLED"


def _recurs(event: Event) -> bool:
    return any(name in event for name in _RECURRING)


def _times(event: Event, where: str) -> Times:
    """Beginning and end of an event, of the first where it recurs.

    Raises:
        UserError: naming what is wrong, and what was expected.
    """
    for name, problem in event.errors:
        if name in (*_MOMENTS, "DURATION", *_RECURRING):
            raise UserError(f"events file {where}: {name}: {problem}")
    _check_rules(event, where)
    timed = isinstance(getattr(event.get("DTSTART"), "dt", None), datetime)  # a date alone is a whole day
    lasts = isinstance(getattr(event.get("DURATION"), "dt", None), timedelta)
    if "DTSTART" not in event or (timed and not lasts and "DTEND" not in event):
        raise UserError(f"events file {where}: DTSTART or DTEND is missing (or a DURATION such as PT2H)")
    try:
        start, end = event.start, event.end
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"events file {where}: {_first_line(error)}") from None
    given: Any  # the library's type is a union of all that a calendar may hold
    for given in (event[name] for name in _MOMENTS if name in event):
        zone = given.params.get("TZID")
        if zone and isinstance(given.dt, datetime) and given.dt.tzinfo is None:
            raise UserError(f"events file {where}: '{given.to_ical().decode()}' in zone {zone} is no time")
    return _checked(_aware(start), _aware(end), where)


def _check_rules(event: Event, where: str) -> None:
    """Raise UserError where an event would recur within a day, or for ever at one time."""
    rules: Any = event.get("RRULE", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        if rule.get("FREQ", [""])[0] not in _FREQUENCIES or rule.get("INTERVAL", [1])[0] < 1:
            text = rule.to_ical().decode()
            raise UserError(
                f"events file {where}: RRULE {text}: expected FREQ={', '.join(_FREQUENCIES)}, and INTERVAL above 0"
            )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
