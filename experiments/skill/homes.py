"""The homes of a benchmark, and what a forecaster says of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from client.features import TRAILING, HomeFeatures
from client.history import History
from client.store import open_home
from common.readings import home_folders
from common.tariff import Tariff

Float = NDArray[np.float32]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Home:
    """One home with all its readings: scores need what came; forecasters go by origins, and see what lies before them.

    Attributes:
        features: causal arrays (:class:`client.features.HomeFeatures`); rows are slots after ``features.first_slot``.
    """

    home_id: str
    history: History
    features: HomeFeatures

    def rows(self, slots: Index) -> Index:
        """Rows of origins."""
        return self.features.rows(slots)


@dataclass(frozen=True)
class Forecast:
    """What a forecaster says at n origins, Wh a slot.

    Attributes:
        load_wh, pv_wh: mean, shape ``(n, 1440)``.
        load_quantiles_wh: of the coming day, shape ``(n, 48, 3)``; None where the forecaster has none of its own.
    """

    load_wh: Float
    pv_wh: Float
    load_quantiles_wh: Float | None = None


def open_homes(root: Path, tariff: Tariff, end_slot: int) -> list[Home]:
    """The homes under ``root``, known up to ``end_slot``, each with the community's mean as a home of a run has it."""
    views = {}
    for folder in home_folders(root):
        facts, readings, forecast = open_home(folder)
        views[facts.home_id] = readings.first_slot, partial(
            History, readings, end_slot, tariff=tariff, resolution_slots=facts.resolution_slots, forecast=forecast,
            timezone=facts.timezone,
        )  # fmt: skip
    first = min(start for start, _ in views.values())
    mean = _community([HomeFeatures(view()) for _, view in views.values()], first, end_slot)
    found = []
    for home_id, (start, view) in sorted(views.items()):
        history = view(community=mean[start - first :])
        found.append(Home(home_id, history, HomeFeatures(history)))
    return found


def _community(features: Sequence[HomeFeatures], first: int, end: int) -> Float:
    """Mean surprise by slot from ``first`` on, over the homes that have a scale by then."""
    total, count = np.zeros((2, end - first))
    for one in features:
        rows = np.arange(TRAILING, one.end - one.first_slot)
        at = rows + one.first_slot - first
        total[at] += one.surprise(rows)
        count[at] += 1
    mean: Float = (total / np.maximum(count, 1)).astype(np.float32)
    return mean
