"""What an importer is: a way to recognise a format and to load homes from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from common.readings import HomeFacts, Readings
from datagen.weather import Weather


@dataclass(frozen=True)
class ImportedCommunity:
    """Homes as measured.

    Attributes:
        homes: facts and readings; all homes cover the same slots.
        weather: observed weather if it is the homes' own, so that forecasts can be made of it; else None.
        warnings: what a user should know about the data.
    """

    homes: list[tuple[HomeFacts, Readings]]
    weather: Weather | None
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Importer:
    """A format of real homes.

    Attributes:
        name: in messages.
        summary: how a user recognises the format.
        detect: whether a path looks like it; reads little and never raises.
        load: the homes at a path; raises UserError where the data is bad.
    """

    name: str
    summary: str
    detect: Callable[[Path], bool]
    load: Callable[[Path], ImportedCommunity]
