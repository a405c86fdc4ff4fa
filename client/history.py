"""What one home may know at gate closure: a view that cannot show anything metered or issued later.

Forecaster and planner get a :class:`History`, never the readings themselves.  A home that is metered hourly
(``resolution_slots`` 2) knows an hour's two halves only when the hour has ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from common.clock import TIMEZONE
from common.readings import Readings, WeatherForecast
from common.tariff import Tariff

_Number = TypeVar("_Number", bound=np.generic)

OWN_CHANNELS = ("battery_soc", "battery_power_kw", "battery_temperature_c", "market_price_usd_per_kwh")
"""What only a run can tell: state of charge 0..1, AC power (+ charging), cell temperature, cleared price."""

COMMUNITY_LAG = 8
"""Slots after which a slot's community mean is known: sums are made every six slots, of hours that have ended."""


@dataclass(frozen=True)
class OwnPast:
    """The home's own battery and market past in a run.

    Attributes:
        first_slot: slot of column 0.
        values: shape ``(4, n)`` float32, rows as :data:`OWN_CHANNELS`.
    """

    first_slot: int
    values: NDArray[np.float32]


class History:
    """Readings and weather forecasts of one home as known at ``gate_slot``; cheap to build (views, no copies).

    Attributes:
        first_slot: slot of the first reading.
        known_end: first slot whose readings are not known: the gate, at the latest, on a whole metered interval.
        load_wh, pv_wh: shape ``(known_end - first_slot,)`` int64, read-only.
        channels: shape ``(6, n)`` int64, or None.
        weather: observed, shape ``(4, n)`` float32, or None.
        forecast: the weather forecasts issued at or before ``known_end``, or None where there are none.
        own: battery and market past before ``known_end``, or None.
        community: the community's mean surprise, shape ``(n - COMMUNITY_LAG,)`` float32, or None.
        tariff: known in advance. timezone: of the local calendar.
        events: first and end slot of each broadcast that many watch, known in advance.
    """

    __slots__ = (
        "channels",
        "community",
        "events",
        "first_slot",
        "forecast",
        "known_end",
        "load_wh",
        "own",
        "pv_wh",
        "resolution_slots",
        "tariff",
        "timezone",
        "weather",
    )

    def __init__(
        self,
        readings: Readings,
        gate_slot: int,
        *,
        tariff: Tariff,
        resolution_slots: int = 1,
        forecast: WeatherForecast | None = None,
        own: OwnPast | None = None,
        community: NDArray[np.float32] | None = None,
        timezone: str = TIMEZONE,
        events: tuple[tuple[int, int], ...] = (),
    ) -> None:
        """Close the gate at ``gate_slot``: what was metered before it is known, nothing else.

        ``community`` has a value for each reading (:meth:`client.features.HomeFeatures.surprise`, mean over homes).
        """
        # Slots count from the epoch, so an even slot starts a whole hour in every time zone with whole-hour offset.
        closed = gate_slot // resolution_slots * resolution_slots
        n = min(max(closed - readings.first_slot, 0), len(readings))
        self.first_slot = readings.first_slot
        self.known_end = readings.first_slot + n
        self.resolution_slots = resolution_slots
        self.tariff = tariff
        self.timezone = timezone
        self.events = events
        self.load_wh = _sealed(readings.load_wh[:n])
        self.pv_wh = _sealed(readings.pv_wh[:n])
        self.channels = None if readings.channels is None else _sealed(readings.channels[:, :n])
        self.weather = None if readings.weather is None else _sealed(readings.weather[:, :n])
        self.forecast = None if forecast is None else _issued(forecast, min(closed, self.known_end))
        self.own = None if own is None else _before(own, self.known_end)
        self.community = None if community is None else _sealed(community[: max(n - COMMUNITY_LAG, 0)])

    def __len__(self) -> int:
        return len(self.load_wh)


def _sealed(values: NDArray[_Number]) -> NDArray[_Number]:
    view = values.view()
    view.flags.writeable = False
    return view


def _issued(forecast: WeatherForecast, known_end: int) -> WeatherForecast | None:
    n = int(np.searchsorted(forecast.issue_slot, known_end, side="right"))
    return WeatherForecast(_sealed(forecast.issue_slot[:n]), _sealed(forecast.values[:n])) if n else None


def _before(own: OwnPast, known_end: int) -> OwnPast | None:
    n = min(known_end - own.first_slot, own.values.shape[1])
    return OwnPast(own.first_slot, _sealed(own.values[:, :n])) if n > 0 else None
