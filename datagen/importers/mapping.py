"""The mapping file of a CSV: a small TOML that says what its columns are (:mod:`datagen.importers.mapped`)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from common.clock import TIMEZONE, known_timezone
from common.config import BatterySpec
from common.errors import UserError
from common.readings import HomeFacts
from datagen.importers.given_car import GivenCar

Unit = Literal["Wh", "kWh", "W", "kW"]
Channel = Literal["fridge", "hvac", "ev", "water_heater", "laundry", "other"]
Times = list[Annotated[list[int], Field(min_length=2, max_length=2)]]
"""First and end slot of each."""
OFFSET = "offset"
"""A time zone's name that says: each time carries its own offset."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class EnergyColumn(_Part):
    """A column of energies.

    Attributes:
        column: its heading.
        unit: energy of the interval (Wh, kWh), or mean power in it (W, kW).
        sign: -1 where the file counts in the other direction.
    """

    column: str
    unit: Unit
    sign: Literal[1, -1] = 1


class TimeColumn(_Part):
    """The column of times.

    Attributes:
        column: its heading, or several whose texts are joined by a space (a date and a time of day).
        timezone: ``UTC``, an IANA name, or ``offset`` where each time carries its own.
        label: whether a time names the start or the end of its interval.
        format: as of ``strptime``; empty for ISO 8601.
    """

    column: str | list[str]
    timezone: str
    label: Literal["start", "end"] = "start"
    format: str = ""

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            return name if name == OFFSET else known_timezone(name)
        except ValueError:
            raise ValueError(f'expected "UTC", "{TIMEZONE}" or another IANA name, or "{OFFSET}"') from None

    @property
    def columns(self) -> list[str]:
        """Headings of the time's parts."""
        return [self.column] if isinstance(self.column, str) else self.column


class GivenFacts(_Part):
    """What a user may say of a home; what is left out is as usual. ``minutes`` goes before that of the file."""

    minutes: int | None = Field(default=None, ge=1, le=60)
    pv_kw: float | None = Field(default=None, ge=0)
    connection_kw: float | None = Field(default=None, gt=0, le=1000)
    timezone: str | None = None
    archetype: str | None = None
    events: Times | None = None
    outages: Times | None = None
    battery: BatterySpec | None = None
    car: GivenCar | None = None

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        return None if name is None else known_timezone(name)


class NamedFacts(GivenFacts):
    """Facts that hold for all homes of the file, and the id where it is one home."""

    id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")


class Mapping(_Part):
    """A mapping file.

    Attributes:
        files: CSV files, relative to the mapping; ``*`` stands for any text. All have the same columns.
        minutes: length of an interval; None: the most frequent step between the rows.
        skip_lines: lines before the heading.
        home_column: heading of the homes' ids; None: all rows are of one home.
        home_from_file: each file is a home of its own, named like the file.
        load, pv: consumption, and production of the panels.
        import_, export: what crossed the meter, in place of ``load``.
        channels: appliances.
        home, homes: facts of all homes, and by id.
    """

    files: list[str] = Field(min_length=1)
    minutes: int | None = Field(default=None, ge=1, le=60)
    delimiter: Literal[",", ";", "tab"] = ","
    decimal: Literal[".", ","] = "."
    skip_lines: int = Field(default=0, ge=0, le=1000)
    home_column: str | None = None
    home_from_file: bool = False
    time: TimeColumn
    load: EnergyColumn | None = None
    pv: EnergyColumn | None = None
    import_: EnergyColumn | None = Field(default=None, alias="import")
    export: EnergyColumn | None = None
    channels: dict[Channel, EnergyColumn] = {}
    home: NamedFacts = NamedFacts()
    homes: dict[str, GivenFacts] = {}

    @model_validator(mode="after")
    def _one_meaning(self) -> Mapping:
        if (self.load is None) == (self.import_ is None):
            raise ValueError("expected either [load] (with [pv]) or [import] (with [export])")
        if self.export is not None and self.import_ is None:
            raise ValueError("[export] goes with [import]; what panels make is [pv]")
        if self.channels and self.import_ is not None and self.pv is None:
            raise ValueError("[channels] are parts of the load; [import] and [export] give it only together with [pv]")
        if self.home_column is not None and self.home_from_file:
            raise ValueError("home_column and home_from_file exclude each other")
        return self

    @property
    def energy_columns(self) -> dict[str, EnergyColumn]:
        """Columns of energies by what they are."""
        named = {"load": self.load, "pv": self.pv, "import": self.import_, "export": self.export}
        return {name: column for name, column in named.items() if column is not None} | {
            f"{channel}_wh": column for channel, column in self.channels.items()
        }

    def facts(self, home_id: str, source: str) -> HomeFacts:
        """Facts of a home but its car: as usual, but for what the mapping says of all homes, and then of this one."""
        given: dict[str, object] = {"home_id": home_id, "source": source}
        for said in (self.home, self.homes.get(home_id)):
            if said is not None:
                given |= said.model_dump(exclude_none=True, exclude={"id", "minutes", "car"})
        return HomeFacts.model_validate(given)

    def car(self, home_id: str) -> GivenCar | None:
        """The car of a home, if the mapping says of one."""
        own = self.homes.get(home_id)
        return own.car if own is not None and own.car is not None else self.home.car


def read_mapping(path: Path) -> Mapping:
    """A mapping file, checked.

    Raises:
        UserError: no such file, no TOML (with the line), or a key that is wrong, by its name.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        return Mapping.model_validate(found)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{path}: not TOML ({str(error).splitlines()[0]})") from None
    except ValidationError as error:
        raise UserError(f"{path}: {_first(error.errors()[0])}") from None


def _first(error: ErrorDetails) -> str:
    """An error of a mapping in words: the key, and what was expected."""
    key = ".".join(str(part) for part in error["loc"] if part not in ("str", "list[str]"))
    if error["type"] == "extra_forbidden":
        return f"key '{key}' is unknown (is it misspelt, or below the wrong [heading]?)"
    if error["type"] == "missing":
        return f"key '{key}' is missing"
    problem = error["msg"].removeprefix("Value error, ").replace("\n", " ")
    return f"key '{key}': {problem} (found {str(error['input'])[:60]!r})" if key else problem
