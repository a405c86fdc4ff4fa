"""Everything that a source holds, on its way into a folder of homes: what ``python -m datagen import`` does.

A run chooses homes and days of its data (:mod:`datagen.imported`); an import keeps all of them as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from common.clock import local_of
from common.errors import UserError
from common.readings import FORECAST_LEAD_HOURS, HomeFacts, Readings
from common.units import SLOT_HOURS, WH_PER_KWH
from datagen.cars import filled
from datagen.importers import ImportedCommunity, importer_for, sql
from datagen.importers.base import unrated_note
from datagen.plausible import assumed_batteries, short_history, unlikely_years
from datagen.source import Community, Home
from datagen.weather import Weather
from datagen.weather_files import read_weather
from datagen.weather_forecast import issue_forecasts

MOST_OVER_RATED = 1.1
"""By how much cold, bright weather may lift panels over their rated power."""


@dataclass(frozen=True)
class ImportOptions:
    """What a user may say of the homes of a source beside what the source says.

    Attributes:
        weather: file of the weather of those dates, or ``open-meteo:LAT,LON``; empty for what the source holds.
        query: SQL in place of the source's own tables; for databases only.
        name: home id of the one home, or what ids begin with where there are several; empty for the source's ids.
        pv_kw: rated solar power of every home with solar; None for what the source says.
        battery_kwh, battery_kw: capacity and power of every home's battery; None for what the source says.
        tell: called with lines for this user's eyes: which home is from which file, whose name may hold an account.
    """

    weather: str = ""
    query: str = ""
    name: str = ""
    pv_kw: float | None = None
    battery_kwh: float | None = None
    battery_kw: float | None = None
    tell: Callable[[str], None] = lambda _: None


def imported_source(source: str, options: ImportOptions, seed: int) -> Community:
    """All homes of a source, with gaps marked and filled, and weather where there is any.

    Args:
        source: path or URL of a known format.
        options: see there.
        seed: of the weather forecasts that are made of observed weather.

    Raises:
        UserError: an unknown format, bad data, or options that do not fit it.
    """
    found, importer = _load(source, options.query)
    slots = range(min(r.first_slot for _, r in found.homes), max(r.end_slot for _, r in found.homes))
    if options.pv_kw is not None and not any(facts.pv_kw for facts, _ in found.homes):
        raise UserError("--pv-kw: no home of the source has solar; leave it out")
    weather, weather_notes = _weather(options.weather, slots) if options.weather else (found.weather, [])
    forecast = None if options.weather else found.forecast
    if forecast is None and weather is not None:
        forecast = issue_forecasts(weather, seed)
    homes, names = [], {}
    for number, (facts, readings) in enumerate(found.homes, start=1):
        named = _named(facts, readings, options, number, len(found.homes))
        names[facts.home_id] = named.home_id
        seen = _with_weather(readings, weather) if options.weather and weather is not None else readings
        homes.append((named, seen))
        if len(found.homes) > 1 and facts.home_id in found.files:  # else there is nothing to tell apart
            options.tell(f"{named.home_id} is {', '.join(found.files[facts.home_id])}")
    rated = {unrated_note(facts.home_id, facts.pv_kw) for facts, _ in found.homes} if options.pv_kw else set()
    warnings = _renamed([text for text in found.warnings if text not in rated], names)
    warnings += [*weather_notes, *unlikely_years(homes), *short_history(homes), *_battery_notes(homes, options)]
    return Community(
        source=importer,
        scenario="",
        count=len(homes),
        homes=map(filled, _unique(homes)),
        forecast=forecast,
        first_day=local_of(slots.start).date(),
        last_day=local_of(slots.stop).date() - timedelta(days=1),
        start_date=local_of(slots.start).date(),
        warnings=list(dict.fromkeys(warnings)),
    )


def _load(source: str, query: str) -> tuple[ImportedCommunity, str]:
    """Homes of a source, and the name of its format."""
    if query:
        if not sql.detect(source):
            raise UserError(f"--query is for databases, and '{source}' is no URL such as sqlite:///homes.db")
        return sql.load_query(source, query), sql.IMPORTER.name
    importer = importer_for(source)
    return importer.load(source), importer.name


def _weather(source: str, slots: range) -> tuple[Weather, list[str]]:
    """Observed weather of ``slots``, and if there is any of three more days, where the last forecasts come true."""
    longer = range(slots.start, slots.stop + 2 * FORECAST_LEAD_HOURS)
    try:
        weather = read_weather(source, longer)
    except UserError:
        try:
            weather = read_weather(source, slots)
        except UserError as error:
            raise UserError(f"--weather: {error}") from None
        late = "the weather ends with the readings, so the newest forecast of the last three days is that many days old"
        return weather, [*weather.notes, late]
    return weather, list(weather.notes)


def _battery_notes(homes: list[Home], options: ImportOptions) -> list[str]:
    """What of the homes' batteries the user did not say."""
    if options.battery_kwh is None and options.battery_kw is None:
        return assumed_batteries(homes)
    both = options.battery_kwh == 0 or (options.battery_kwh is not None and options.battery_kw is not None)
    batteries = {facts.battery for facts, _ in homes}
    if both or len(batteries) > 1:
        return []
    left = "--battery-kw" if options.battery_kw is None else "--battery-kwh"
    (battery,) = batteries
    return [f"battery: {battery.capacity_kwh:g} kWh, {battery.max_power_kw:g} kW; {left} says another"]


def _named(facts: HomeFacts, readings: Readings, options: ImportOptions, number: int, count: int) -> HomeFacts:
    changes: dict[str, object] = {}
    if options.name:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,58}", options.name):
            raise UserError(f"--name '{options.name}': expected letters, digits, '-' and '_', at most 58")
        changes["home_id"] = options.name if count == 1 else f"{options.name}-{number}"
    if options.pv_kw is not None and facts.pv_kw:
        most_kw = int(readings.pv_wh.max()) / WH_PER_KWH / SLOT_HOURS
        if most_kw > MOST_OVER_RATED * options.pv_kw:
            raise UserError(
                f"--pv-kw {options.pv_kw:g}: {facts.home_id} made {most_kw:.1f} kW in its best half-hour; "
                "expected the rated power of the panels, kW"
            )
        changes["pv_kw"] = options.pv_kw
    battery = {"capacity_kwh": options.battery_kwh, "max_power_kw": options.battery_kw}
    said = {key: value for key, value in battery.items() if value is not None}
    if said:
        changes["battery"] = facts.battery.model_copy(update=said)
    return facts.model_copy(update=changes)


def _renamed(warnings: list[str], names: dict[str, str]) -> list[str]:
    """Warnings in which homes go by their new ids."""
    old = re.compile(r"(?<![\w-])(" + "|".join(map(re.escape, sorted(names))) + r")(?=: | \()")
    return [old.sub(lambda found: names[found[1]], warning) for warning in warnings]


def _with_weather(readings: Readings, weather: Weather) -> Readings:
    rows = slice(readings.first_slot - weather.first_slot, readings.end_slot - weather.first_slot)
    return replace(readings, weather=weather.channels[:, rows])


def _unique(homes: list[Home]) -> list[Home]:
    seen: set[str] = set()
    for facts, _ in homes:
        if facts.home_id in seen:
            raise UserError(f"two homes are called '{facts.home_id}'; give them names of their own in the source")
        seen.add(facts.home_id)
    return homes
