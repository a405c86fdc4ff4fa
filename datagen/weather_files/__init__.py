"""Real weather, by format of file. A further format is a module with a ``FORMAT`` and a line here."""

from __future__ import annotations

from pathlib import Path

import httpx

from common.errors import UserError
from datagen.weather import Weather
from datagen.weather_files import epw, nsrdb, open_meteo
from datagen.weather_files.base import Records, WeatherFormat, read_text
from datagen.weather_files.half_hours import observed, typical

__all__ = ["WEATHER_FORMATS", "WeatherFormat", "read_weather", "typical_weather"]

WEATHER_FORMATS: dict[str, WeatherFormat] = {
    entry.name: entry for entry in (epw.FORMAT, nsrdb.FORMAT, open_meteo.FORMAT)
}
_HEAD_CHARACTERS = 2000


def read_weather(source: str, slots: range, client: httpx.Client | None = None) -> Weather:
    """Observed weather of the dates of ``slots``.

    Args:
        source: path of a file, or ``open-meteo:LAT,LON`` to ask Open-Meteo's archive.
        slots: contiguous.
        client: for the archive, with its base URL; None for the public one.

    Raises:
        UserError: no such file, an unknown format, bad data, a typical year, dates that are not covered, no network.
    """
    if not source.startswith(open_meteo.PREFIX):
        return observed(_records(source), slots)
    if client is not None:
        return observed(open_meteo.fetch(source, slots, client), slots)
    with open_meteo.archive_client() as public:
        return observed(open_meteo.fetch(source, slots, public), slots)


def typical_weather(source: str, slots: range) -> Weather:
    """The year of a file, typical or actual, laid over ``slots`` by month, day and hour of standard time.

    Raises:
        UserError: no such file, an unknown format, bad data, or less than a year.
    """
    if source.startswith(open_meteo.PREFIX):
        raise UserError(f"'{source}': a year for the generator comes from a file; save Open-Meteo's answer as JSON")
    return typical(_records(source), slots)


def _records(source: str) -> Records:
    text = read_text(Path(source))
    for entry in WEATHER_FORMATS.values():
        if entry.detect(source, text[:_HEAD_CHARACTERS]):
            return entry.read(source, text)
    known = "; ".join(f"{entry.name}: {entry.summary}" for entry in WEATHER_FORMATS.values())
    raise UserError(f"{source}: not a known format of weather ({known})")
