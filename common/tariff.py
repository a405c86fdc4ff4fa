"""Tariffs: what the utility charges per imported and pays per exported kWh, from OpenEI-URDB-shaped JSON files.

A file has ``energyweekdayschedule`` and ``energyweekendschedule`` (12 months x 24 local hours, each a period number)
and ``energyratestructure`` (per period a list of tiers, of which the first one's ``rate`` in $/kWh is used; a tier may
carry ``sell``, the export credit), as in https://openei.org/services/doc/rest/util_rates/.  Beside it: ``label``,
``name``, ``utility``, ``effective_date``, ``source``, ``export_usd_per_kwh`` (where the periods have no ``sell``),
and ``notes`` (fixed charges and credits that are left out of the bill).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from common.clock import TIMEZONE, local_calendar
from common.errors import UserError
from common.units import price_uusd

_BLOCK_SLOTS = 48 * 64
_FOLDER = Path(__file__).parent / "tariffs"
_Hours = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=24, max_length=24)]
_Schedule = Annotated[list[_Hours], Field(min_length=12, max_length=12)]


class _Tier(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)
    rate: float = Field(ge=0)
    adj: float = 0.0
    sell: float | None = None


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
    export_usd_per_kwh: float = Field(ge=0)
    notes: str = ""

    _blocks: dict[int, NDArray[np.int64]] = PrivateAttr(default_factory=dict)

    def _local(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Period number and month (0..11) of each slot, shape ``(2, n)``.

        Local time is worked out once for each block of slots: a run asks for the same days over and over.
        """
        slots = np.asarray(slots, np.int64)
        block = slots // _BLOCK_SLOTS
        found = np.empty((2, len(slots)), np.int64)
        for number in np.unique(block).tolist():
            if number not in self._blocks:
                self._blocks[number] = self._work_out(np.arange(number * _BLOCK_SLOTS, (number + 1) * _BLOCK_SLOTS))
            here = block == number
            found[:, here] = self._blocks[number][:, slots[here] - number * _BLOCK_SLOTS]
        return found

    def _work_out(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        calendar = local_calendar(slots, TIMEZONE)
        weekday, weekend = np.array(self.energyweekdayschedule), np.array(self.energyweekendschedule)
        month, hour = calendar.month - 1, calendar.half_hour // 2
        return np.stack([np.where(calendar.weekday < 5, weekday[month, hour], weekend[month, hour]), month])

    def import_uusd(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Import price of each slot, u$/kWh, shape ``(n,)``."""
        rates = np.array([price_uusd(p[0].rate + p[0].adj) for p in self.energyratestructure], np.int64)
        prices: NDArray[np.int64] = rates[self._local(slots)[0]]
        return prices

    def export_uusd(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Export credit of each slot, u$/kWh, shape ``(n,)``."""
        flat = self.export_usd_per_kwh
        rates = np.array(
            [price_uusd(flat if p[0].sell is None else p[0].sell) for p in self.energyratestructure], np.int64
        )
        prices: NDArray[np.int64] = rates[self._local(slots)[0]]
        return prices

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
        tariff = Tariff.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"tariff file {path}: not JSON ({error}); expected a tariff in the shape of OpenEI URDB, "
            f"as {_FOLDER / 'pge-tou-c.json'} is"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"tariff file {path}: {where or 'file'}: {first['msg']}") from None
    periods = {p for s in (tariff.energyweekdayschedule, tariff.energyweekendschedule) for month in s for p in month}
    if max(periods) >= len(tariff.energyratestructure):
        raise UserError(
            f"tariff file {path}: a schedule names period {max(periods)}, but energyratestructure has only "
            f"{len(tariff.energyratestructure)} periods (0..{len(tariff.energyratestructure) - 1})"
        )
    for number, (tier, *_) in enumerate(tariff.energyratestructure):
        export = tariff.export_usd_per_kwh if tier.sell is None else tier.sell
        if not 0 <= export <= tier.rate + tier.adj:
            raise UserError(
                f"tariff file {path}: energyratestructure.{number}: the export credit {export} must lie between 0 and "
                f"the import price {tier.rate + tier.adj}: else buying to sell would have no limit"
            )
    return tariff
