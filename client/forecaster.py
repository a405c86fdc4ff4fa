"""Forecast of one home at gate closure: linear base, the Transformer's correction, and scenarios around them.

numpy only: answering a market message needs no torch.  The base is made afresh each slot; the Transformer's correction
was computed when the last FedAvg round ended and is added by absolute slot.  Scenarios are the forecast plus the
residuals that the base left on recent days at the same time of day: they carry a home's own habits of surprise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from client.features import DAY, TRAILING, Float, HomeFeatures
from client.history import COMMUNITY_LAG, History
from client.ridge import lit_ahead, load_base, pv_base
from common.config import Forecaster
from common.readings import Readings
from common.ridge import RidgeWeights

HORIZON = 108
"""Slots that a forecast covers by default: 54 hours."""

_CACHED_DAYS = 32


@dataclass(frozen=True)
class Forecast:
    """Load and solar power from ``first_slot`` on; energies in Wh a slot, never negative (net: load - PV).

    Attributes:
        load_wh, pv_wh: expected, shape ``(horizon,)``.
        net_scenarios_wh: net load of equally likely courses, shape ``(scenarios, horizon)``.
    """

    first_slot: int
    load_wh: Float
    pv_wh: Float
    net_scenarios_wh: Float


@dataclass(frozen=True)
class Correction:
    """What the Transformer adds to the base from ``first_slot`` on, gated; Wh a slot, shape ``(n,)`` each."""

    first_slot: int
    load_wh: Float
    pv_wh: Float

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Plain arrays, to store."""
        return {"first_slot": np.array([self.first_slot]), "load_wh": self.load_wh, "pv_wh": self.pv_wh}

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> Correction:
        """Inverse of :meth:`to_arrays`."""
        return Correction(
            first_slot=int(arrays["first_slot"][0]),
            load_wh=np.asarray(arrays["load_wh"], np.float32),
            pv_wh=np.asarray(arrays["pv_wh"], np.float32),
        )

    def over(self, first_slot: int, horizon: int) -> tuple[Float, Float]:
        """Load and solar correction of ``horizon`` slots from ``first_slot`` on; zeros outside what is known."""
        steps = first_slot - self.first_slot + np.arange(horizon)
        inside = (steps >= 0) & (steps < len(self.load_wh))
        steps = np.where(inside, steps, 0)
        return self.load_wh[steps] * inside, self.pv_wh[steps] * inside


class HomeForecaster:
    """Forecasts of one home; what it caches can be lost at any time and changes no forecast.

    Args:
        kind: ``hybrid`` (base and correction), ``base`` (ridge) or ``profile`` (seasonal profile).
        ridge: weights of the linear base; without them the base is the profile.
        correction: the Transformer's, for ``hybrid``.
    """

    def __init__(
        self, kind: Forecaster, ridge: RidgeWeights | None = None, correction: Correction | None = None
    ) -> None:
        if kind == "perfect":
            raise ValueError("a home has no foresight; see perfect_forecast")
        self._kind = kind
        self._features: HomeFeatures | None = None
        self._blocks: dict[tuple[int, int], tuple[Float, Float]] = {}
        self.ridge = ridge
        self.correction = correction

    @property
    def ridge(self) -> RidgeWeights | None:
        """Weights of the linear base."""
        return self._ridge

    @ridge.setter
    def ridge(self, weights: RidgeWeights | None) -> None:
        self._ridge = None if self._kind == "profile" else weights
        self._blocks.clear()

    def features(self, history: History) -> HomeFeatures:
        """The causal arrays of the home, brought up to the end of ``history``."""
        if self._features is None:
            self._features = HomeFeatures(history)
        else:
            self._features.update(history)
        return self._features

    def forget_since(self, slot: int) -> None:
        """Drop cached forecasts that saw the community's mean of ``slot`` or later: it is another one now."""
        if self._features is not None:
            row = slot - self._features.first_slot
            seen = [key for key in self._blocks if (key[0] + 1) * DAY - 1 - COMMUNITY_LAG > row]
            for key in seen:
                del self._blocks[key]

    def forecast(self, history: History, slot: int, horizon: int = HORIZON, scenarios: int = 5) -> Forecast:
        """Forecast the slots ``slot .. slot + horizon - 1``.

        Args:
            history: the home as known at gate closure.
            slot: first slot of the forecast; at or after ``history.known_end``.
            horizon: slots, up to a week.
            scenarios: courses to draw.

        Raises:
            ValueError: ``slot`` is already known, or there are less than 28 days of history.
        """
        lead = slot - history.known_end
        if not 0 <= lead < DAY:
            raise ValueError(f"slot {slot} must lie within a day after the known end {history.known_end}")
        features = self.features(history)
        row = int(features.rows(np.array([history.known_end]))[0])
        reach = -(-(lead + horizon + 1) // 4) * 4  # the same for both halves of an hour, so that one cache serves
        load, pv = self._base(features, np.array([row]), reach)  # (1, reach)
        load_error, pv_error = self._residuals(features, row, reach, scenarios)  # (scenarios, reach)
        ahead = slice(lead, lead + horizon)
        load, pv = load[:, ahead], pv[:, ahead]
        lit = lit_ahead(features, np.array([row]), reach)[:, ahead]
        if self.correction is not None and self._kind == "hybrid":
            load_more, pv_more = self.correction.over(slot, horizon)
            load, pv = np.maximum(load + load_more, 0), np.maximum(pv + pv_more, 0) * lit
        net = np.maximum(load + load_error[:, ahead], 0) - np.maximum(pv + pv_error[:, ahead], 0) * lit
        return Forecast(slot, load[0], pv[0], net)

    def _base(self, features: HomeFeatures, rows: NDArray[np.int64], reach: int) -> tuple[Float, Float]:
        return load_base(features, rows, reach, self._ridge), pv_base(features, rows, reach, self._ridge)

    def _residuals(self, features: HomeFeatures, row: int, reach: int, scenarios: int) -> tuple[Float, Float]:
        """Actual minus base of the last days from the same time of day on, ``(scenarios, reach)`` each.

        Scenario ``k`` is what happened after the origin ``k`` days ago. Where its later days have not happened yet,
        the same leads of an older day (``k + scenarios`` days ago) stand in.
        """
        load, pv = np.zeros((2, scenarios, reach), np.float32)
        for scenario in range(scenarios):
            for low in range(0, reach, DAY):
                days = scenario + 1 if scenario >= low // DAY else scenario + 1 + scenarios * (low // DAY)
                origin = row - DAY * days
                if origin < TRAILING:
                    continue
                steps = slice(low, min(low + DAY, reach))
                actual = slice(origin + steps.start, origin + steps.stop)
                load_base_wh, pv_base_wh = self._base_of_day(features, origin // DAY, reach)
                load[scenario, steps] = features.load[actual] - load_base_wh[origin % DAY, steps]
                pv[scenario, steps] = features.pv[actual] - pv_base_wh[origin % DAY, steps]
        return load, pv

    def _base_of_day(self, features: HomeFeatures, day: int, reach: int) -> tuple[Float, Float]:
        """Base forecasts from the 48 origins of a past day, shape ``(48, reach)`` each; cached."""
        if (day, reach) not in self._blocks:
            rows = np.maximum(np.arange(day * DAY, (day + 1) * DAY), TRAILING)
            while len(self._blocks) >= _CACHED_DAYS:
                self._blocks.pop(next(iter(self._blocks)))
            self._blocks[day, reach] = self._base(features, rows, reach)
        return self._blocks[day, reach]


def perfect_forecast(readings: Readings, slot: int, horizon: int = HORIZON, scenarios: int = 5) -> Forecast:
    """Foresight, as a bound that no forecaster can reach; past the end of the readings their last day repeats.

    Only an evaluator that owns the readings may call it: a home's forecaster sees a :class:`History`.
    """
    rows = slot - readings.first_slot + np.arange(horizon)
    beyond = np.maximum(-(-(rows - len(readings) + 1) // DAY), 0)
    rows = rows - DAY * beyond
    load, pv = readings.load_wh[rows].astype(np.float32), readings.pv_wh[rows].astype(np.float32)
    return Forecast(slot, load, pv, np.tile(load - pv, (scenarios, 1)))
