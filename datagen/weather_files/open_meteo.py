"""Open-Meteo's JSON, from a file or live from the archive of past weather.

As its documentation says (https://open-meteo.com/en/docs/historical-weather-api): temperature, humidity and wind hold
at the instant of the stamp; ``shortwave_radiation``, ``direct_normal_irradiance`` and ``diffuse_radiation`` are means
of the hour before it, and ``precipitation`` its sum.  Units are those of ``hourly_units``.  Times must be GMT, since a
local clock repeats an hour in autumn.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np

from common.clock import utc_of
from common.errors import UserError
from datagen.weather_files.base import Floats, Ints, Records, WeatherFormat, checked_columns, located
from datagen.weather_files.sequence import FIRST_YEAR, LAST_YEAR, check_sequence

PREFIX = "open-meteo:"
ARCHIVE_URL = "https://archive-api.open-meteo.com"
TIMEOUT_S = 30.0
_LARGEST = 1e9

_VARIABLES = {
    "temperature_2m": "temperature_c",
    "relative_humidity_2m": "humidity_pct",
    "shortwave_radiation": "ghi_w_m2",
    "direct_normal_irradiance": "dni_w_m2",
    "diffuse_radiation": "dhi_w_m2",
    "wind_speed_10m": "wind_m_s",
    "precipitation": "rain_mm",
}
_NEEDED = ("temperature_2m", "relative_humidity_2m", "shortwave_radiation", "wind_speed_10m")
_UNITS: dict[str, dict[str, tuple[float, float]]] = {
    # variable: unit: factor and summand
    "temperature_2m": {"°C": (1.0, 0.0), "°F": (5 / 9, -160 / 9)},
    "relative_humidity_2m": {"%": (1.0, 0.0)},
    "wind_speed_10m": {"km/h": (1 / 3.6, 0.0), "m/s": (1.0, 0.0), "mp/h": (0.44704, 0.0), "kn": (0.514444, 0.0)},
    "precipitation": {"mm": (1.0, 0.0), "inch": (25.4, 0.0)},
} | {
    name: {"W/m²": (1.0, 0.0), "W/m2": (1.0, 0.0)}
    for name in ("shortwave_radiation", "direct_normal_irradiance", "diffuse_radiation")
}


def detect(name: str, head: str) -> bool:
    """Whether a file begins like JSON."""
    return head.lstrip().startswith("{")


def read(name: str, text: str) -> Records:
    """Records of the JSON as the API returns it."""
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError) as error:
        place = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise UserError(f"{name}{place}: not JSON; expected the answer of Open-Meteo") from None
    if not isinstance(answer, dict):
        raise UserError(f"{name}: expected one place, an object with 'hourly'")
    if answer.get("error"):
        raise UserError(f"{name}: Open-Meteo says: {str(answer.get('reason', 'error'))[:200]}")
    hourly, units = answer.get("hourly"), answer.get("hourly_units")
    if not isinstance(hourly, dict) or not isinstance(units, dict):
        raise UserError(f"{name}: no 'hourly' and 'hourly_units'; expected hourly values of Open-Meteo")
    absent = [variable for variable in _NEEDED if variable not in hourly]
    if absent:
        raise UserError(f"{name}: no '{absent[0]}' among the hourly values; expected {', '.join(_NEEDED)}")
    if answer.get("utc_offset_seconds") != 0:
        raise UserError(
            f"{name}: utc_offset_seconds is {answer.get('utc_offset_seconds')!r:.40}; expected 0: ask with timezone=GMT"
        )
    numbers = [_float(name, label, answer.get(label)) for label in ("latitude", "longitude")]
    altitude = _float(name, "elevation", answer.get("elevation", 0.0))
    zone_h = float(round(numbers[1] / 15)) if abs(numbers[1]) <= 180 else 0.0
    site, offset_min = located(name, 1, f"{numbers[0]:.2f} {numbers[1]:.2f}", [*numbers, zone_h, altitude])
    stamps = _stamps(name, hourly.get("time"))
    check_sequence(name, stamps, 60, 0)
    values = {
        column: _values(name, variable, hourly[variable], units, len(stamps))
        for variable, column in _VARIABLES.items()
        if variable in hourly
    }
    columns, notes = checked_columns(name, values, 60, lambda row: f"hour {row}")
    return Records(name, site, offset_min, 60, stamps - 60, 60, columns, False, notes)


def fetch(source: str, slots: range, client: httpx.Client) -> Records:
    """Records of the archive for the dates of ``slots``.

    Args:
        source: ``open-meteo:LAT,LON``.
        slots: that must be covered.
        client: whose base URL is the archive's.

    Raises:
        UserError: not a place, no network, or a refusal by the archive.
    """
    try:
        latitude, longitude = (float(part) for part in source.removeprefix(PREFIX).split(","))
        if not (abs(latitude) <= 90 and abs(longitude) <= 180):
            raise ValueError
    except ValueError:
        raise UserError(f"'{source}': expected {PREFIX}LATITUDE,LONGITUDE, as {PREFIX}37.77,-122.42") from None
    last = utc_of(slots.stop) + timedelta(minutes=59)  # radiation is stamped with the end of its hour
    query: dict[str, str | float] = {
        "latitude": latitude,
        "longitude": longitude,
        "start_date": utc_of(slots.start).date().isoformat(),
        "end_date": last.date().isoformat(),
        "hourly": ",".join(_VARIABLES),
        "timezone": "GMT",
        "wind_speed_unit": "ms",
    }
    try:
        answer = client.get("/v1/archive", params=query)
    except httpx.HTTPError as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{source}: no answer from {client.base_url}: {reason[:120]}; go online, give a file, or leave the "
            "weather out"
        ) from None
    if answer.status_code != httpx.codes.OK and not answer.text.lstrip().startswith("{"):
        raise UserError(f"{source}: {client.base_url} answers {answer.status_code}")
    return read(source, answer.text)


def archive_client() -> httpx.Client:
    """Client of the public archive."""
    return httpx.Client(base_url=ARCHIVE_URL, timeout=TIMEOUT_S)


def _float(name: str, label: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST:
        return float(value)
    raise UserError(f"{name}: {label} is {value!r:.40}; expected a number")


def _stamps(name: str, times: object) -> Ints:
    """Stamps as minutes since the epoch."""
    if not isinstance(times, list) or not times:
        raise UserError(f"{name}: no times in 'hourly'; expected a list")
    stamps = np.empty(len(times), np.int64)
    for row, text in enumerate(times):
        try:
            moment = datetime.fromisoformat(text) if isinstance(text, str) else datetime.fromtimestamp(text, UTC)
        except (ValueError, TypeError, OverflowError, OSError):
            raise UserError(f"{name}, hour {row}, time: {text!r:.40}; expected as 2024-06-18T13:00") from None
        if moment.utcoffset() is not None and moment.utcoffset() != timedelta(0):
            raise UserError(f"{name}, hour {row}, time: {text!r:.40}; expected GMT")
        if not FIRST_YEAR <= moment.year <= LAST_YEAR or moment.minute or moment.second or moment.microsecond:
            raise UserError(f"{name}, hour {row}, time: {text!r:.40}; expected a whole hour, {FIRST_YEAR}-{LAST_YEAR}")
        stamps[row] = int(moment.replace(tzinfo=UTC).timestamp()) // 60
    return stamps


def _values(name: str, variable: str, values: object, units: dict[str, object], count: int) -> Floats:
    known = _UNITS[variable]
    unit = units.get(variable)
    if not isinstance(unit, str) or unit not in known:
        raise UserError(f"{name}: unit of {variable} is {unit!r:.40}; expected one of {', '.join(known)}")
    if not isinstance(values, list) or len(values) != count:
        raise UserError(f"{name}: {variable} is no list of {count} values, as many as there are times")
    factor, summand = known[unit]
    numbers = np.empty(count)
    for row, value in enumerate(values):
        if value is None:
            numbers[row] = np.nan
        else:
            numbers[row] = _float(name, f"{variable} of hour {row}", value)
    return numbers * factor + summand


FORMAT = WeatherFormat("open-meteo", "the JSON of Open-Meteo with hourly values in GMT", detect, read)
