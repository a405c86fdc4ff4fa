"""Homes as this project writes them: a folder of ``<home>/home.json`` and ``<home>/readings.parquet``, or one home's.

The format is that of :mod:`common.readings`; ``community.json`` beside the homes (:mod:`datagen.manifest`) is optional
and only its warnings are taken on.  Weather forecasts are taken where all homes hold the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from common.errors import UserError
from common.readings import (
    CHANNELS,
    FORECAST_LEAD_HOURS,
    HomeFacts,
    Readings,
    WeatherForecast,
    check_facts,
    home_folders,
    read_forecast,
    read_readings,
    write_home,
)
from datagen.cars import metered_stays
from datagen.importers.base import Home, ImportedCommunity, Importer
from datagen.importers.tables import refuse_existing, require_unique
from datagen.manifest import read_manifest

FACTS, FORECAST = "home.json", "weather_forecast.parquet"

_Part = TypeVar("_Part")


def detect(source: str) -> bool:
    """Whether ``source`` is a home's folder, or a folder of such."""
    path = Path(source)
    try:
        return (path / FACTS).is_file() or (path.is_dir() and any(path.glob(f"*/{FACTS}")))
    except (OSError, ValueError):
        return False


def load(source: str) -> ImportedCommunity:
    """Homes of a folder.

    Raises:
        UserError: naming the home, the column, and what was expected.
    """
    path = Path(source)
    folders = [path] if (path / FACTS).is_file() else home_folders(path)
    if not folders:
        raise UserError(f"{source}: no homes here (no */{FACTS})")
    manifest = _read(path / "community.json", read_manifest, path)
    notes: list[str] = []
    homes = [_home(folder, notes) for folder in folders]
    require_unique((facts.home_id for facts, _ in homes), source)
    forecast, warnings = _common_forecast(folders)
    return ImportedCommunity(homes, None, forecast, [*(manifest.warnings if manifest else []), *notes, *warnings])


def save(homes: Sequence[Home], path: Path) -> None:
    """Write a folder of homes; nothing is lost.

    Raises:
        UserError: something is at ``path``, two homes of one name, or readings that are out of range.
    """
    refuse_existing(path)
    require_unique((facts.home_id for facts, _ in homes), str(path))
    for facts, readings in homes:
        write_home(path / facts.home_id, facts, readings)


def _home(folder: Path, notes: list[str]) -> Home:
    file = folder / "readings.parquet"
    facts = _facts(folder)
    readings = _read(file, read_readings, folder)
    if readings.channels is not None:
        excess = np.flatnonzero(readings.channels.sum(axis=0) != readings.load_wh)
        if len(excess):
            row = int(excess[0])
            raise UserError(
                f"{file}: column load_wh, row {row}: {int(readings.load_wh[row])} Wh, but the channels add up to "
                f"{int(readings.channels[:, row].sum())}; expected the sum of {', '.join(CHANNELS)}"
            )
    if readings.pv_wh.any() and not facts.pv_kw:
        raise UserError(f"{folder / FACTS}: pv_kw is 0, but column pv_wh of the readings is not; expected kW")
    check_facts(facts, readings, str(folder / FACTS))
    return metered_stays((facts, _with_empty_gaps(readings)), notes)


def _facts(folder: Path) -> HomeFacts:
    """Facts of a home, with errors that name the key."""
    file = folder / FACTS
    try:
        return HomeFacts.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(none)"
        raise UserError(f"{file}: key {key}: {first['msg']}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{file}: not JSON ({(str(error).splitlines() or ['?'])[0]})") from None


def _with_empty_gaps(readings: Readings) -> Readings:
    """Readings whose gaps hold zeros, as importers give them: what stands there was an estimate."""
    if readings.metered is None or readings.metered.all():
        return Readings(readings.first_slot, readings.load_wh, readings.pv_wh, readings.channels, readings.weather)
    known = readings.metered
    return Readings(
        readings.first_slot,
        readings.load_wh * known,
        readings.pv_wh * known,
        None if readings.channels is None else readings.channels * known,
        readings.weather,
        known,
    )


def _common_forecast(folders: list[Path]) -> tuple[WeatherForecast | None, list[str]]:
    """The forecast that all homes hold, or None with a warning where they differ."""
    first = _forecast(folders[0])
    for folder in folders[1:]:
        files = folders[0] / FORECAST, folder / FORECAST
        if all(file.is_file() for file in files) and files[0].samefile(files[1]):
            continue  # hard links, as community.py makes them
        other = _forecast(folder)
        alike = first is other is None or (
            first is not None
            and other is not None
            and np.array_equal(first.issue_slot, other.issue_slot)
            and np.array_equal(first.values, other.values)
        )
        if not alike:
            return None, [f"{folder.name} and {folders[0].name} hold different weather forecasts; none is used"]
    return first, []


def _forecast(folder: Path) -> WeatherForecast | None:
    """Issued forecasts of a home, checked."""
    file = folder / FORECAST
    forecast = _read(file, read_forecast, folder)
    if forecast is None:
        return None
    issues, leads, _ = forecast.values.shape
    if leads != FORECAST_LEAD_HOURS or len(forecast.issue_slot) != issues:
        raise UserError(f"{file}: column lead_hour: {leads} leads; expected {FORECAST_LEAD_HOURS} for each issue")
    if (np.diff(forecast.issue_slot) <= 0).any() or not np.isfinite(forecast.values).all():
        raise UserError(f"{file}: expected ascending issue_slot, and finite numbers in the other columns")
    return forecast


def _read(file: Path, read: Callable[[Path], _Part], folder: Path) -> _Part:
    """What ``read`` makes of a folder, with errors of the file's format as a user's."""
    try:
        return read(folder)
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
        text = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UserError(f"{file}: cannot be read ({text})") from None


IMPORTER = Importer("commonwatt", "a folder of homes as this project writes them", detect, load, save, True)
