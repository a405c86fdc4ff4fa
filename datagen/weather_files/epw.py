"""EnergyPlus weather files (EPW): eight lines of header and 8760 hours.

As the EnergyPlus documentation says (https://energyplus.readthedocs.io/en/latest/, Auxiliary Programs; so does pvlib's
``iotools.read_epw``, which the tests compare with): hours are local standard time all year, hour 1 is 00:00 to 01:00
and a record is named by its end.  Radiation is the energy of the hour before, Wh/m2, so it equals the hour's mean in
W/m2; temperature, humidity and wind hold at the hour's end.  What a file's maker did is another matter: an actual year
made of half-hourly satellite instants may average those at :00 and :30, so its radiation lies a quarter hour late.
"""

from __future__ import annotations

import numpy as np

from common.errors import UserError
from datagen.site import Site
from datagen.weather_files.base import (
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

HEADER_LINES = 8
_COLUMNS: dict[str, tuple[int, str, tuple[float, ...]]] = {
    # name: position, what people call it, codes for missing
    "temperature_c": (6, "dry bulb temperature", (99.9,)),
    "humidity_pct": (8, "relative humidity", (999.0,)),
    "ghi_w_m2": (13, "global horizontal radiation", (9999.0,)),
    "dni_w_m2": (14, "direct normal radiation", (9999.0,)),
    "dhi_w_m2": (15, "diffuse horizontal radiation", (9999.0,)),
    "wind_m_s": (21, "wind speed", (999.0, 99.9)),
    "rain_mm": (33, "liquid precipitation depth", (999.0, 99.0)),
}
_LEAST_CELLS = 22


def detect(name: str, head: str) -> bool:
    """Whether a file begins like an EPW."""
    return head.lstrip().upper().startswith("LOCATION,")


def read(name: str, text: str) -> Records:
    """Records of an EPW file."""
    lines = text.splitlines()
    site, offset_min = _location(name, lines)
    _one_record_an_hour(name, lines[HEADER_LINES - 1] if len(lines) >= HEADER_LINES else "")
    rows = [row for row in lines[HEADER_LINES:] if row.strip()]
    if not rows:
        raise UserError(f"{name}: no records after {HEADER_LINES} lines of header")
    minutes = np.empty(len(rows), np.int64)
    values = {column: np.empty(len(rows)) for column in _COLUMNS}
    for index, row in enumerate(rows):
        line, cells = HEADER_LINES + 1 + index, row.split(",")
        if len(cells) < _LEAST_CELLS:
            raise UserError(f"{name}, line {line}: {len(cells)} columns; expected at least {_LEAST_CELLS}")
        minutes[index] = _hour_begin(name, line, cells)
        for column, (position, label, missing) in _COLUMNS.items():
            text_value = cells[position] if position < len(cells) else ""
            values[column][index] = parse_number(name, line, f"column {position + 1} ({label})", text_value, missing)
    mixed = check_sequence(name, minutes, 60, HEADER_LINES + 1)
    if np.isnan(values["rain_mm"]).all():
        del values["rain_mm"]
    columns, notes = checked_columns(name, values, 60, lambda row: f"line {HEADER_LINES + 1 + row}")
    return Records(name, site, offset_min, 60, minutes - offset_min, 60, columns, mixed, notes)


def _hour_begin(name: str, line: int, cells: list[str]) -> int:
    """When a record's hour begins, minutes since the epoch on the file's clock."""
    year = parse_integer(name, line, "column 1 (year)", cells[0], FIRST_YEAR, LAST_YEAR)
    month = parse_integer(name, line, "column 2 (month)", cells[1], 1, 12)
    day = parse_integer(name, line, "column 3 (day)", cells[2], 1, 31)
    hour = parse_integer(name, line, "column 4 (hour)", cells[3], 1, 24)
    return epoch_minutes(name, line, year, month, day, 60 * (hour - 1))


def _location(name: str, lines: list[str]) -> tuple[Site, int]:
    cells = cells_of(lines[0]) if lines else []
    if len(cells) < 10 or cells[0].upper() != "LOCATION":
        raise UserError(f"{name}, line 1: expected LOCATION and nine values, as in an EPW file")
    numbers = [
        parse_number(name, 1, f"column {position + 1} ({label})", cells[position])
        for position, label in ((6, "latitude"), (7, "longitude"), (8, "time zone"), (9, "elevation"))
    ]
    return located(name, 1, cells[1] or name, numbers)


def _one_record_an_hour(name: str, line: str) -> None:
    """Refuse what is not hourly: ``DATA PERIODS,1,1,...`` is one period with one record an hour."""
    cells = [cell.strip() for cell in line.split(",")]
    if cells[0].upper() == "DATA PERIODS" and len(cells) > 2 and cells[2] != "1":
        raise bad_cell(name, HEADER_LINES, "records an hour", cells[2], "1")


FORMAT = WeatherFormat("epw", "an EnergyPlus weather file, which begins with LOCATION", detect, read)
