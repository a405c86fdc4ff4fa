"""CSV tables with errors that name the file, the line, the column, and what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.errors import UserError

Table = Mapping[str, NDArray[np.float64]]


def bad_row(path: Path, row: int, column: str, problem: str) -> UserError:
    """Error about a row of a table; ``row`` counts from 0 after the heading."""
    return UserError(f"{path}, line {row + 2}, column {column}: {problem}")


def read_table(path: Path, columns: tuple[str, ...], energies: tuple[str, ...] = ()) -> dict[str, NDArray[np.float64]]:
    """Columns of a CSV file as numbers, all finite; ``energies`` among them may not be negative.

    Raises:
        UserError: a missing file or column, text or a gap where a number belongs, or a negative energy.
    """
    if not path.is_file():
        raise UserError(f"{path}: the schema names this file, but it is missing")
    try:
        found = pd.read_csv(path, skip_blank_lines=False, low_memory=False, index_col=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a CSV table ({error})") from None
    missing = [name for name in columns if name not in found]
    if missing:
        raise UserError(f"{path}: column {missing[0]} is missing (found: {', '.join(map(str, found.columns))})")
    if found.empty:
        raise UserError(f"{path}: no rows below the heading")
    return {name: _numbers(path, name, found[name], name in energies) for name in columns}


def _numbers(path: Path, name: str, column: pd.Series, energy: bool) -> NDArray[np.float64]:
    values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        given = column.iloc[int(bad[0])]
        problem = "empty" if pd.isna(given) else f"{given!r} is not a finite number"
        raise bad_row(path, int(bad[0]), name, f"{problem}; expected a number")
    negative = np.flatnonzero(values < 0) if energy else np.zeros(0, np.int64)
    if len(negative):
        row = int(negative[0])
        raise bad_row(path, row, name, f"{values[row]:g} is negative; expected 0 or more")
    return values
