"""Files of the National Solar Radiation Data Base (PSM3, PSM4): two lines about the place, then a table.

The CSV is SAM's (https://developer.nlr.gov/docs/solar/nsrdb/).  Records are 30 or 60 minutes apart and stamped with the
instant that the satellite's picture stands for: the middle of their interval, so the hour 12:00 to 13:00 is stamped
12:30 (since 2019; pvlib issue 733, https://github.com/pvlib/pvlib-python/issues/733).  ``Time Zone`` is that of the
stamps: local standard time, or 0 where UTC was asked for.
"""

from __future__ import annotations

import numpy as np

from common.errors import UserError
from datagen.site import Site
from datagen.weather import relative_humidity_pct
from datagen.weather_files.base import (
    Floats,
    Ints,
    Records,
    WeatherFormat,
    bad_cell,
    cells_of,
    checked_columns,
    located,
    parse_integer,
    parse_number,
)
from datagen.weather_files.sequence import FIRST_YEAR, LAST_YEAR, check_sequence, epoch_minutes

FIRST_LINE = 4
_MISSING = (-9999.0, -999.0)
_NAMES = {
    "ghi": "ghi_w_m2",
    "dni": "dni_w_m2",
    "dhi": "dhi_w_m2",
    "temperature": "temperature_c",
    "air temperature": "temperature_c",
    "relative humidity": "humidity_pct",
    "dew point": "dew_point_c",
    "wind speed": "wind_m_s",
}
_TIMES = ("year", "month", "day", "hour", "minute")


def detect(name: str, head: str) -> bool:
    """Whether a file begins like one of the NSRDB."""
    first = head.lstrip().split("\n", 1)[0].lower()
    return "," in first and "latitude" in first and "longitude" in first and "time zone" in first


def read(name: str, text: str) -> Records:
    """Records of an NSRDB file."""
    lines = text.splitlines()
    if len(lines) < FIRST_LINE:
        raise UserError(f"{name}: {len(lines)} lines; expected two of header, one of names, and the records")
    header = dict(zip(_names(lines[0]), cells_of(lines[1]), strict=False))
    site, local_min, stamp_min = _place(name, header)
    times, positions = _table(name, _names(lines[2]))
    rows = [row for row in lines[FIRST_LINE - 1 :] if row.strip(" ,")]
    stamps = np.empty(len(rows), np.int64)
    values = {column: np.empty(len(rows)) for column in positions}
    for index, row in enumerate(rows):
        line, cells = FIRST_LINE + index, row.split(",")
        if len(cells) <= max(*times, *positions.values()):
            raise UserError(f"{name}, line {line}: {len(cells)} columns; expected those of line 3")
        stamps[index] = _stamp(name, line, [cells[position] for position in times])
        for column, position in positions.items():
            values[column][index] = parse_number(name, line, f"column {position + 1}", cells[position], _MISSING)
    step = _step(name, stamps)
    mixed = check_sequence(name, stamps, step, FIRST_LINE)
    columns, notes = checked_columns(name, _with_humidity(values), step, lambda row: f"line {FIRST_LINE + row}")
    start = stamps - step // 2 - stamp_min
    return Records(name, site, local_min, step, start, step // 2, columns, mixed, notes)


def _names(line: str) -> list[str]:
    return [cell.lower() for cell in cells_of(line)]


def _place(name: str, header: dict[str, str]) -> tuple[Site, int, int]:
    """Site, its standard time and the time of the stamps as minutes from UTC."""
    numbers = []
    for label in ("latitude", "longitude", "local time zone", "elevation"):
        text = header.get(label, header.get("time zone", "") if label == "local time zone" else "")
        number = parse_number(name, 2, label, text)
        if np.isnan(number):
            raise bad_cell(name, 2, label, text, "a number")
        numbers.append(number)
    site, local_min = located(name, 2, f"NSRDB {numbers[0]:.2f} {numbers[1]:.2f}", numbers)
    zone = header.get("time zone", header.get("local time zone", ""))
    _, stamp_min = located(name, 2, "", [*numbers[:2], parse_number(name, 2, "time zone", zone), numbers[3]])
    return site, local_min, stamp_min


def _table(name: str, names: list[str]) -> tuple[list[int], dict[str, int]]:
    """Positions of the columns of time, and of those that are used."""
    missing = [label for label in _TIMES if label not in names]
    positions: dict[str, int] = {}
    for position, label in enumerate(names):
        if label in _NAMES:
            positions.setdefault(_NAMES[label], position)
    missing += [column for column in ("ghi_w_m2", "temperature_c", "wind_m_s") if column not in positions]
    if "humidity_pct" not in positions and "dew_point_c" not in positions:
        missing.append("relative humidity")
    if missing:
        raise UserError(f"{name}, line 3: no column for {', '.join(missing)}; expected it among the attributes")
    return [names.index(label) for label in _TIMES], positions


def _stamp(name: str, line: int, cells: list[str]) -> int:
    year = parse_integer(name, line, "Year", cells[0], FIRST_YEAR, LAST_YEAR)
    month = parse_integer(name, line, "Month", cells[1], 1, 12)
    day = parse_integer(name, line, "Day", cells[2], 1, 31)
    hour = parse_integer(name, line, "Hour", cells[3], 0, 23)
    minute = parse_integer(name, line, "Minute", cells[4], 0, 59)
    return epoch_minutes(name, line, year, month, day, 60 * hour + minute)


def _step(name: str, stamps: Ints) -> int:
    if len(stamps) < 2:
        raise UserError(f"{name}: {len(stamps)} records; expected at least 2")
    step = int(stamps[1] - stamps[0])
    if step not in (30, 60) or stamps[0] % 15:
        raise UserError(f"{name}, lines {FIRST_LINE} and {FIRST_LINE + 1}: {step} minutes apart; expected 30 or 60")
    return step


def _with_humidity(values: dict[str, Floats]) -> dict[str, Floats]:
    """The columns with relative humidity, if need be from the dew point."""
    dew_c = values.pop("dew_point_c", None)
    if "humidity_pct" not in values and dew_c is not None:
        plausible = np.where((np.abs(dew_c) < 60) & (np.abs(values["temperature_c"]) < 60), dew_c, np.nan)
        values["humidity_pct"] = relative_humidity_pct(values["temperature_c"], plausible)
    return values


FORMAT = WeatherFormat("nsrdb", "a CSV of the NSRDB (PSM), whose first line names Latitude and Time Zone", detect, read)
