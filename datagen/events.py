"""The events calendar: broadcasts that so many watch at home that it shows in the load of a neighbourhood.

``datagen/calendars/events.json`` holds local times with their source; lines can be added.
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from common.clock import slot_of


@lru_cache(maxsize=1)
def _calendar() -> list[tuple[int, int]]:
    """First and end slot of each event."""
    calendar = json.loads((files("datagen") / "calendars" / "events.json").read_text(encoding="utf-8"))
    zone = ZoneInfo(calendar["timezone"])

    def slot(text: str) -> int:
        return slot_of(datetime.fromisoformat(text).replace(tzinfo=zone))

    return [(slot(event["start"]), slot(event["end"])) for event in calendar["events"]]


def event_slots(slots: range) -> NDArray[np.bool_]:
    """Whether an event is on in each of ``slots``, shape ``(n,)``."""
    on = np.zeros(len(slots), np.bool_)
    for first, end in _calendar():
        on[max(first - slots.start, 0) : max(end - slots.start, 0)] = True
    return on
