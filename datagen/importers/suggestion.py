"""A mapping to start from, for a CSV file of unknown columns: guessed from their names and from the first rows.

What cannot be told is ``???``.  The guess is shown to the user, never used.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import cast

from common.clock import TIMEZONE
from common.errors import UserError
from datagen.importers.mapping import OFFSET, Unit

DELIMITERS = {",": ",", ";": ";", "\t": "tab"}
"""Names of delimiters in a mapping."""
_HEAD_BYTES = 300_000
_MOST_LINES = 3000

_DATUM = re.compile(r"[-+$]{0,2}[0-9][0-9.,:/T -]*(?:[AP]M|Z)?", re.IGNORECASE)
"""A number, a date or a time of day: no column is named so."""
_NUMBER = re.compile(r"[-+]?[0-9]+(?:[.,][0-9]*)?(?:[eE][-+]?[0-9]+)?")
_CLOCK = re.compile(r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?: ?[AP]M)?", re.IGNORECASE)
_DATES = ("%m/%d/%Y", "%m/%d/%y", "%d/%m/%Y", "%d.%m.%Y", "%Y/%m/%d", "%Y-%m-%d", "%b %d %Y", "%d-%b-%Y")
_CLOCKS = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p")
_FORMATS = tuple(f"{date} {clock}" for date in _DATES for clock in _CLOCKS)

_TIME = r"time|date|start|^ts$|period|interval"
_LIKELY = {
    "import": r"import|from.?grid|delivered|purchas",
    "export": r"export|to.?grid|feed.?in|injected|surplus",
    "pv": r"\bpv\b|_pv|pv_|solar|generat|produc",
    "load": r"load|consum|usage|\buse\b|demand|energy|kwh|\bwh\b",
}
_UNITS = (("kWh", r"kwh"), ("Wh", r"wh"), ("kW", r"kw"), ("W", r"[^a-z]w([^a-z]|$)|watt"))


@dataclass(frozen=True)
class Layout:
    """Where a table stands in a text.

    Attributes:
        delimiter: between cells.
        skip_lines: lines before the heading.
        columns: names in the heading.
        rows: cells of the first rows below it.
    """

    delimiter: str
    skip_lines: int
    columns: list[str]
    rows: list[list[str]]

    def cells(self, name: str) -> list[str]:
        """Cells of a column that hold something."""
        at = self.columns.index(name)
        return [row[at] for row in self.rows if len(row) > at and row[at]]


def mapping_wanted(path: Path) -> UserError:
    """The error that a text file without a mapping is; it shows one to start from.

    Args:
        path: of a file that can be read.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    lines = head.decode("utf-8-sig", errors="replace").splitlines()
    lines = lines[: min(_MOST_LINES, len(lines) - (len(head) == _HEAD_BYTES))]  # the last one may be cut
    layout = layout_of(lines)
    if layout is None and _has_datum(split_line(next(filter(None, lines), ""), ",")):
        return UserError(f"{path}: its first line holds data; expected a heading, a line with the names of the columns")
    toml = path.with_suffix(".toml").name
    return UserError(
        f"{path}: a CSV needs a mapping that says what its columns are; write {toml} beside it, like this, and give "
        f"that as the data:\n{suggested_mapping(path.name, layout)}"
    )


def layout_of(lines: Sequence[str]) -> Layout | None:
    """Layout of the table in a text, by its lines; None where no line looks like a heading.

    A heading is as wide as most lines, none of its cells is a number or a time, and one of the next line's is; the
    last such line is taken, for others may stand above it.
    """
    found: list[tuple[int, int, Layout]] = []
    for delimiter in DELIMITERS:
        rows = [split_line(line, delimiter) for line in lines]
        widths = Counter(len(row) for row in rows if len(row) > 1)
        if not widths:
            continue
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
        names = [at for at, row in enumerate(rows) if len(row) == width and any(row) and not _has_datum(row)]
        if names:
            at = next((at for at in reversed(names) if at + 1 < len(rows) and _has_datum(rows[at + 1])), names[0])
            found.append((count, width, Layout(delimiter, at, rows[at], [row for row in rows[at + 1 :] if any(row)])))
    return max(found, key=lambda item: item[:2])[2] if found else None


def suggested_mapping(name: str, layout: Layout | None) -> str:
    """A mapping of a file ``name``, with its own columns as far as their names and the first rows tell."""
    layout = layout or Layout(",", 0, [], [])
    left = [column for column in layout.columns if column]

    def take(pattern: str) -> str | None:
        column = next((column for column in left if re.search(pattern, column, re.IGNORECASE)), None)
        if column is not None:
            left.remove(column)
        return column

    time = _time_columns(layout, take(_TIME), left)
    found = {use: take(pattern) for use, pattern in _LIKELY.items()}
    numeric = [column for column in left if _mostly(_NUMBER, layout.cells(column))]
    if found["import"]:
        found["load"] = None
    else:
        found |= {"export": None, "load": found["load"] or (numeric.pop() if len(numeric) == 1 else "???")}
    times = [" ".join(parts) for parts in zip(*(layout.cells(column) for column in time), strict=False)]
    stamps, format_ = _moments(times)
    lines = [f"files = [{_toml(name)}]", *_table_keys(layout, found, stamps)]
    aware = bool(stamps) and all(stamp.tzinfo is not None for stamp in stamps)
    lines += ["[time]", f"column = {_toml(time[0] if len(time) == 1 else time or '???')}"]
    lines += [f'timezone = "{OFFSET if aware else TIMEZONE}"', 'label = "start"']
    if format_:
        lines.append(f'format = "{format_}"')
    for use in ("load", "pv", "import", "export"):
        if column := found[use]:
            lines += [f"[{use}]", f"column = {_toml(column)}", f'unit = "{_unit(column)}"']
    if numeric:
        lines.append(f"# other columns of numbers: {', '.join(map(_toml, numeric[:12]))}")
    return "\n".join(lines)


def _table_keys(layout: Layout, found: dict[str, str | None], stamps: Sequence[datetime]) -> list[str]:
    """Keys of the table as a whole, where they are not the usual ones."""
    keys = []
    steps = Counter(int((b - a).total_seconds()) for a, b in pairwise(stamps) if a < b)
    if steps and (usual := max(steps, key=lambda step: steps[step])) in (300, 600, 900, 1800, 3600):
        keys.append(f"minutes = {usual // 60}")
    if layout.delimiter != ",":
        keys.append(f"delimiter = {_toml(DELIMITERS[layout.delimiter])}")
    energies = [cell for column in found.values() if column in layout.columns for cell in layout.cells(column)]
    if layout.delimiter != "," and any("," in cell for cell in energies):
        keys.append('decimal = ","')
    if layout.skip_lines:
        keys.append(f"skip_lines = {layout.skip_lines}")
    return keys


def _time_columns(layout: Layout, named: str | None, left: list[str]) -> list[str]:
    """Columns of the time: the one that is named so, and with a date alone the first that holds times of day."""
    if named is None or not layout.cells(named) or any(":" in cell for cell in layout.cells(named)):
        return [] if named is None else [named]
    clock = next((column for column in left if _mostly(_CLOCK, layout.cells(column))), None)
    if clock is None:
        return [named]
    left.remove(clock)
    return [named, clock]


def _moments(times: Sequence[str]) -> tuple[list[datetime], str]:
    """Times read, and the format that reads them all: empty for ISO 8601, or where none does (then without times)."""
    for format_ in ("", *_FORMATS):
        try:
            return [datetime.strptime(t, format_) if format_ else datetime.fromisoformat(t) for t in times], format_
        except ValueError:
            continue
    return [], ""


def _has_datum(row: Sequence[str]) -> bool:
    return any(_DATUM.fullmatch(cell) for cell in row)


def _mostly(pattern: re.Pattern[str], cells: Sequence[str]) -> bool:
    return bool(cells) and sum(pattern.fullmatch(cell) is not None for cell in cells) > len(cells) / 2


def split_line(line: str, delimiter: str) -> list[str]:
    """Cells of a line, trimmed."""
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return [cell.strip() for cell in line.split(delimiter)]


def _toml(value: str | list[str]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _unit(name: str) -> Unit:
    """Unit that a heading names; kWh where it names none."""
    found = next((unit for unit, pattern in _UNITS if re.search(pattern, name, re.IGNORECASE)), "kWh")
    return cast(Unit, found)
