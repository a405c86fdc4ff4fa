"""The file that declares a comparison: TOML, read strictly; each complaint says what, where, and what would do.

::

    seeds = [0, 1, 2]              # of the trainings; the homes are those of common.seed for all of them
    trainings = ["federated", "local", "centralised"]
    horizons = ["3h", "day"]       # optional; else all: 3h, day, week, month
    score-days = 28                # optional; else 56: days at the end that score

    [common]                       # any option of the homes or of the learning, for all runs
    homes = 5
    rounds = 24

    [[grid]]                       # options that vary: the product of all that is in [ ]
    strategy = ["fedavg", "fedprox"]
    proximal-mu = [0.01, 0.1]
    name = "{strategy} mu={proximal-mu}"   # optional; else made of what varies
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails

from common.errors import UserError
from experiments.skill.split import TEST_DAYS

Value = str | int | float | bool
Training = Literal["federated", "local", "centralised"]
Horizon = Literal["3h", "day", "week", "month"]

PATHS = ("data", "climate", "tariff", "init")
"""Options that may name a file or folder, relative to the declaring file."""


class Declared(BaseModel):
    """A comparison as it was declared; what the keys are is checked in :mod:`experiments.compare.grid`.

    Attributes:
        seeds: of the trainings. trainings: ways to learn. horizons: that are scored. score_days: that score.
        common: options of all runs, with ``-``. grid: tables of options, each with a value or a list of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    seeds: list[int] = Field(min_length=1)
    trainings: list[Training] = Field(["federated", "local", "centralised"], min_length=1)
    horizons: list[Horizon] = Field(["3h", "day", "week", "month"], min_length=1)
    score_days: int = Field(TEST_DAYS, ge=1, alias="score-days")
    common: dict[str, Value] = {}
    grid: list[dict[str, Value | list[Value]]] = []

    @field_validator("seeds", "trainings", "horizons")
    @classmethod
    def _once_each(cls, values: list[Value]) -> list[Value]:
        twice = sorted({str(value) for value in values if values.count(value) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} is there more than once")
        return values

    @field_validator("seeds")
    @classmethod
    def _not_negative(cls, values: list[int]) -> list[int]:
        if min(values) < 0:
            raise ValueError("a seed is 0 or more")
        return values

    @field_validator("grid")
    @classmethod
    def _lists_with_something(
        cls, tables: list[dict[str, Value | list[Value]]]
    ) -> list[dict[str, Value | list[Value]]]:
        for number, table in enumerate(tables, start=1):
            for key, value in table.items():
                if value == []:
                    raise ValueError(f"table {number}: '{key}' is an empty list; give a value, or leave the key")
                if isinstance(value, list) and len({(type(one), one) for one in value}) < len(value):
                    raise ValueError(f"table {number}: '{key}' has a value more than once")
        return tables


def read_declared(path: Path) -> Declared:
    """Read a declaration; the paths in it become absolute.

    Raises:
        UserError: no such file, not TOML, or another shape.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not TOML: {error}") from None
    try:
        declared = Declared.model_validate(found)
    except ValidationError as error:
        raise UserError(f"{path}: {_first(error.errors())}") from None
    here = path.resolve().parent
    common = {key: _absolute(key, value, here) for key, value in declared.common.items()}
    grid: list[dict[str, Value | list[Value]]] = [
        {
            key: [_absolute(key, one, here) for one in value]
            if isinstance(value, list)
            else _absolute(key, value, here)
            for key, value in table.items()
        }
        for table in declared.grid
    ]
    return declared.model_copy(update={"common": common, "grid": grid})


def _absolute(key: str, value: Value, here: Path) -> Value:
    """A path as processes that work elsewhere take it; a name stays a name."""
    if key not in PATHS or not isinstance(value, str) or not value or "://" in value:
        return value
    given = here / value
    if given.exists() and not (key == "data" and value == "generated"):
        return str(given.resolve())
    return value


def _first(errors: list[ErrorDetails]) -> str:
    """What is wrong first: where, and what was expected. Of a value that fits none of several types: one line."""
    error = errors[0]
    place = [str(part) for part in error["loc"]]
    if place[0] in ("common", "grid"):
        if place[0] == "grid" and len(place) > 1 and place[1].isdigit():
            place[1] = f"table {int(place[1]) + 1}"
        values = "a text, a number, true or false" + (", or a list of these" if place[0] == "grid" else "")
        where = f"[{place[0]}]" + "".join(f", {part}" for part in place[1 : 2 if place[0] == "common" else 3])
        return f"{where}: {_said(error) if error['type'] == 'value_error' else f'expected {values}'}"
    key = f"'{place[0]}'" + (f", value {int(place[1]) + 1}" if len(place) > 1 and place[1].isdigit() else "")
    if error["type"] == "extra_forbidden":
        known = ("seeds", "trainings", "horizons", "score-days", "common", "grid")
        return f"unknown key {key}; known keys: {', '.join(known)}. Options of all runs belong under [common]"
    return f"{key}: {_said(error)}"


def _said(error: ErrorDetails) -> str:
    text = error["msg"].removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def published(declared: Declared) -> dict[str, object]:
    """The declaration for results that are handed on: of files and folders their names alone."""

    def shown(value: Value) -> Value:
        return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value

    grid = [
        {
            key: [shown(one) for one in value] if isinstance(value, list) else shown(value)
            for key, value in table.items()
        }
        for table in declared.grid
    ]
    common = {key: shown(value) for key, value in declared.common.items()}
    return declared.model_dump(by_alias=True) | {"common": common, "grid": grid}


# -- is it the same comparison? ---------------------------------------------------------------------------------------


def differences(was: Declared, now: Declared) -> list[str]:
    """What differs between two declarations, a line each."""
    before, after = (dict(_flat(one.model_dump(by_alias=True))) for one in (was, now))
    lines = []
    for key in [*before, *(key for key in after if key not in before)]:
        if key not in after:
            lines.append(f"{key} was {before[key]!r} and is gone")
        elif key not in before:
            lines.append(f"{key} = {after[key]!r} is new")
        elif (type(before[key]), before[key]) != (type(after[key]), after[key]):
            lines.append(f"{key} was {before[key]!r}, is {after[key]!r}")
    return lines


def _flat(declared: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for key, value in declared.items():
        if key == "common":
            assert isinstance(value, dict)
            yield from ((f"common.{name}", one) for name, one in value.items())
        elif key == "grid":
            assert isinstance(value, list)
            for number, table in enumerate(value, start=1):
                yield from ((f"grid {number}.{name}", one) for name, one in table.items())
        else:
            yield key, value
