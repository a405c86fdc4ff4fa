"""What a format of real homes is: a way to recognise it, to load homes from it, and to write homes in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from common.readings import HomeFacts, Readings, WeatherForecast
from datagen.weather import Weather

Home = tuple[HomeFacts, Readings]


@dataclass(frozen=True)
class ImportedCommunity:
    """Homes as metered.

    Attributes:
        homes: facts and readings. Homes may cover different slots; gaps are marked, not filled.
        weather: observed weather if it is the homes' own, so that forecasts can be made of it; else None.
        forecast: forecasts as they were issued, where the format holds them.
        warnings: what a user should know about the data; they are stored, so no path and no file's name is in them.
        files: names of the files of homes that go by other names than these, by home; to be shown, never stored.
    """

    homes: list[Home]
    weather: Weather | None = None
    forecast: WeatherForecast | None = None
    warnings: list[str] = field(default_factory=list)
    files: dict[str, list[str]] = field(default_factory=dict)


def unrated_note(home_id: str, pv_kw: float) -> str:
    """The warning that panels which nothing rates are taken as ``pv_kw``."""
    return f"{home_id}: panels of {pv_kw:g} kW assumed, the most that the readings show; 'import --pv-kw' says another"


@dataclass(frozen=True)
class Importer:
    """A format of real homes.

    Attributes:
        name: in messages and options.
        summary: how a user recognises the format.
        detect: whether a source (a path, or a URL) looks like it; reads little and never raises.
        load: the homes of a source; raises UserError where the data is bad, and nothing else.
        save: writes homes in this format to a new file or folder: what ``load`` would give back; None where there is
            no such thing. Raises UserError where the format cannot hold the homes.
        keeps_cars: whether ``save`` writes a car's stays at its charger; else what it drew is load like any.
    """

    name: str
    summary: str
    detect: Callable[[str], bool]
    load: Callable[[str], ImportedCommunity]
    save: Callable[[Sequence[Home], Path], None] | None = None
    keeps_cars: bool = False
