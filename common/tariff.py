"""Tariffs: what the utility charges per imported and pays per exported kWh, from OpenEI-URDB-shaped JSON files.

A file has ``energyweekdayschedule`` and ``energyweekendschedule`` (12 months x 24 local hours, each a period number)
and ``energyratestructure`` (per period a list of tiers, of which the first one's ``rate`` in $/kWh is used), as in
https://openei.org/services/doc/rest/util_rates/.  What an exported kWh earns is, in this order,
``export_usd_per_kwh_by_hour`` (``weekday`` and ``weekend``, each 12 months x 24 local hours), the tier's ``sell``, or
``export_usd_per_kwh``; it may be above the import price.  Beside it: ``label``, ``name``, ``utility``,
``effective_date``, ``sheet``, ``source``, ``notes``, and ``leaves_out``: what a bill leaves out besides the fixed
charges, demand charges and higher tiers that the file names in URDB's own fields.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from common.clock import TIMEZONE, local_calendar
from common.errors import UserError
from common.units import price_uusd
from common.urdb import advice, left_out, tariff_fields

_BLOCK_SLOTS = 48 * 64
_FOLDER = Path(__file__).parent / "tariffs"
_Hours = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=24, max_length=24)]
_Schedule = Annotated[list[_Hours], Field(min_length=12, max_length=12)]
_MOST_USD = 10.0
"""Dearest kWh that is believed, $: above it a file's prices are in cents."""
_Price = Annotated[float, Field(ge=0, le=_MOST_USD)]
_HourlyPrices = Annotated[list[_Price], Field(min_length=24, max_length=24)]
_PriceTable = Annotated[list[_HourlyPrices], Field(min_length=12, max_length=12)]


class _Tier(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)
    rate: _Price
    adj: Annotated[float, Field(ge=-_MOST_USD, le=_MOST_USD)] = 0.0
    sell: _Price | None = None


class _ByHour(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    weekday: _PriceTable
    weekend: _PriceTable


class Tariff(BaseModel):
    """A tariff; prices are looked up by slot in local time."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    label: str
    name: str
    utility: str
    effective_date: str
    source: str
    energyweekdayschedule: _Schedule
    energyweekendschedule: _Schedule
    energyratestructure: Annotated[list[Annotated[list[_Tier], Field(min_length=1)]], Field(min_length=1)]
    export_usd_per_kwh: _Price | None = None
    export_usd_per_kwh_by_hour: _ByHour | None = None
    sheet: str = ""
    notes: str = ""
    leaves_out: list[str] = []

    _blocks: dict[int, NDArray[np.int64]] = PrivateAttr(default_factory=dict)

    def _local(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Period number, month (0..11) and export credit (u$/kWh) of each slot, shape ``(3, n)``.

        Local time is worked out once for each block of slots: a run asks for the same days over and over.
        """
        slots = np.asarray(slots, np.int64)
        block = slots // _BLOCK_SLOTS
        found = np.empty((3, len(slots)), np.int64)
        for number in np.unique(block).tolist():
            if number not in self._blocks:
                self._blocks[number] = self._work_out(np.arange(number * _BLOCK_SLOTS, (number + 1) * _BLOCK_SLOTS))
            here = block == number
            found[:, here] = self._blocks[number][:, slots[here] - number * _BLOCK_SLOTS]
        return found

    def _work_out(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        calendar = local_calendar(slots, TIMEZONE)
        month, hour, weekday = calendar.month - 1, calendar.half_hour // 2, calendar.weekday < 5

        def of_day(on_weekdays: object, on_weekends: object) -> NDArray[np.int64]:
            table = np.array([on_weekends, on_weekdays], np.int64)
            return np.asarray(table[weekday.astype(np.int64), month, hour], np.int64)

        period = of_day(self.energyweekdayschedule, self.energyweekendschedule)
        if self.export_usd_per_kwh_by_hour is not None:
            hourly = self.export_usd_per_kwh_by_hour
            export = of_day(*([[price_uusd(p) for p in row] for row in t] for t in (hourly.weekday, hourly.weekend)))
        else:
            export = np.array([price_uusd(self._export_usd(tier) or 0.0) for tier, *_ in self.energyratestructure])[
                period
            ]
        return np.stack([period, month, export])

    def _export_usd(self, tier: _Tier) -> float | None:
        return self.export_usd_per_kwh if tier.sell is None else tier.sell

    @property
    def left_out(self) -> str:
        """What a bill at this tariff leaves out, in words, separated by commas; empty for nothing that is known."""
        return ", ".join([*left_out(self.model_dump()), *self.leaves_out])

    def import_uusd(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Import price of each slot, u$/kWh, shape ``(n,)``."""
        rates = np.array([price_uusd(p[0].rate + p[0].adj) for p in self.energyratestructure], np.int64)
        prices: NDArray[np.int64] = rates[self._local(slots)[0]]
        return prices

    def export_uusd(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Export credit of each slot, u$/kWh, shape ``(n,)``; it may be above the import price."""
        export: NDArray[np.int64] = self._local(slots)[2]
        return export

    def peak_window(self, slots: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each slot is at its month's highest import price, in months whose price varies; shape ``(n,)``."""
        rates = np.array([price_uusd(p[0].rate + p[0].adj) for p in self.energyratestructure], np.int64)
        by_month = rates[np.concatenate([self.energyweekdayschedule, self.energyweekendschedule], axis=1)]  # (12, 48)
        month = self._local(slots)[1]
        dearest, varies = by_month.max(1), by_month.max(1) > by_month.min(1)
        window: NDArray[np.bool_] = (self.import_uusd(slots) == dearest[month]) & varies[month]
        return window

    def off_peak_uusd(self, slots: NDArray[np.int64]) -> int:
        """Lowest import price in the months of ``slots``, u$/kWh: what refilling a battery costs."""
        rates = np.array([price_uusd(p[0].rate + p[0].adj) for p in self.energyratestructure], np.int64)
        by_month = rates[np.concatenate([self.energyweekdayschedule, self.energyweekendschedule], axis=1)]
        return int(by_month[self._local(slots)[1]].min())


def charge_windows(import_uusd: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of the charging window of each slot: a window ends where the import price rises; shape ``(T,)``."""
    return np.cumsum(np.diff(import_uusd, prepend=import_uusd[:1]) > 0)


def dear_until(import_uusd: NDArray[np.int64]) -> NDArray[np.int64]:
    """Slot after the run of slots dearer than the lowest price that each slot lies in; itself outside; ``(T,)``."""
    ends = np.append(np.flatnonzero(import_uusd == import_uusd.min()), len(import_uusd))
    return ends[np.searchsorted(ends, np.arange(len(import_uusd)))]


def tariff_names() -> list[str]:
    """Labels of the tariffs that ship with Commonwatt."""
    return sorted(p.stem for p in _FOLDER.glob("*.json"))


def load_tariff(name_or_path: str) -> Tariff:
    """Tariff by the label of one that ships with Commonwatt, or by the path of a JSON file.

    Raises:
        UserError: unknown name, unreadable file, or a file of another shape.
    """
    path = _FOLDER / f"{name_or_path}.json"
    if not path.is_file():
        path = Path(name_or_path)
    if not path.is_file():
        raise UserError(f"tariff '{name_or_path}': no such name or file; known names: {', '.join(tariff_names())}")
    try:
        fields = tariff_fields(json.loads(path.read_text(encoding="utf-8")), str(path), path.stem)
        tariff = Tariff.model_validate(fields)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"tariff file {path}: not JSON ({error}); expected a tariff in the shape of OpenEI URDB, "
            f"as {_FOLDER / 'pge-tou-c.json'} is"
        ) from None
    except ValidationError as error:
        raise UserError(f"tariff file {path}: {_said(error, fields)}") from None
    _check(tariff, path)
    return tariff


def _said(error: ValidationError, fields: dict[str, Any]) -> str:
    """The first thing that is wrong with a file's fields, and how to mend it."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "file"
    if first["type"] == "missing":
        return f"{where} is missing{advice(fields, where)}"
    cents = " (prices are in $/kWh, not in cents)" if first["type"] == "less_than_equal" else ""
    return f"{where}: {first['msg']}{cents}"


def _check(tariff: Tariff, path: Path) -> None:
    """Refuse a tariff whose schedules name no period, or whose periods have no import or export price."""
    periods = {p for s in (tariff.energyweekdayschedule, tariff.energyweekendschedule) for month in s for p in month}
    if max(periods) >= len(tariff.energyratestructure):
        raise UserError(
            f"tariff file {path}: a schedule names period {max(periods)}, but energyratestructure has only "
            f"{len(tariff.energyratestructure)} periods (0..{len(tariff.energyratestructure) - 1})"
        )
    for number in sorted(periods):
        tier = tariff.energyratestructure[number][0]
        if not 0 <= tier.rate + tier.adj <= _MOST_USD:
            beyond = "below 0" if tier.rate + tier.adj < 0 else f"above {_MOST_USD:g}"
            raise UserError(
                f"tariff file {path}: energyratestructure.{number}: the import price (rate {tier.rate} + adj "
                f"{tier.adj}) is {beyond}; only prices from 0 to {_MOST_USD:g} $/kWh are understood"
            )
        if tariff.export_usd_per_kwh_by_hour is None and tariff._export_usd(tier) is None:
            raise UserError(
                f"tariff file {path}: it does not say what an exported kWh earns in period {number}"
                f"{advice(tariff.model_dump(), 'export')}"
            )
