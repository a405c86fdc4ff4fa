"""Rows of the skill table: errors of one forecaster for one target and horizon, mean over homes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from client.features import MONTH
from common.metrics import QUANTILES, coverage, mae, nrmse, pinball, rmse
from common.units import SLOT_HOURS, WH_PER_KWH
from experiments.skill.homes import Forecast, Home, Index
from experiments.skill.intervals import adaptive_quantiles, stretched
from experiments.skill.split import DAY, HORIZONS, Split

Float = NDArray[np.float32]
_KW = 1 / WH_PER_KWH / SLOT_HOURS


class SkillRow(BaseModel):
    """Errors of a forecaster, mean over homes; kW (of a half-hour's mean power), but for ``nrmse`` and ``coverage80``.

    Attributes:
        model: forecaster. training: ``none``, ``local``, ``federated`` or ``centralised``.
        target: ``load``, ``pv`` (homes with solar) or ``net`` (load - PV).
        horizon: ``3h``, ``day``, ``week`` or ``month``: all half-hours up to it count.
        mae: of the median. rmse: of the mean. nrmse: rmse over the mean of the absolute actual value.
        pinball: mean over the levels 0.1, 0.5 and 0.9. coverage80: share inside the 0.1-0.9 interval.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    training: str
    target: str
    horizon: str
    mae: float
    rmse: float
    nrmse: float
    pinball: float
    coverage80: float


@dataclass(frozen=True)
class HomeErrors:
    """The same figures of one home."""

    mae: float
    rmse: float
    nrmse: float
    pinball: float
    coverage80: float


def score(home: Home, origins: Index, split: Split, said: Forecast) -> dict[tuple[str, str], HomeErrors]:
    """Errors of one home by target and horizon.

    Args:
        home: with the readings that came.
        origins: all of :meth:`Split.origins`, rows of the home.
        split: says which of them score.
        said: forecasts at the origins. Where it has no quantiles of its own, the errors that it made lately make them;
            its own are stretched by the same rule.
    """
    end, test = split.end - home.features.first_slot, split.test - home.features.first_slot
    ahead = origins[:, None] + np.arange(MONTH)
    came = ahead < end
    ahead = np.minimum(ahead, end - 1)
    load, pv = home.features.load[ahead], home.features.pv[ahead]
    series = {"load": (said.load_wh, load, said.load_quantiles_wh), "net": (said.load_wh - said.pv_wh, load - pv, None)}
    if home.features.has_pv:
        series["pv"] = (said.pv_wh, pv, None)
    longest = max(HORIZONS[name] for name in split.horizons)
    errors = {}
    for target, (mean, actual, own) in series.items():
        error = np.where(came, actual - mean, np.nan).astype(np.float32)
        quantiles = mean[origins >= test, :longest, None] + adaptive_quantiles(
            error[:, :longest], int((origins >= test).sum())
        )
        if own is not None:
            quantiles[:, :DAY] = stretched(own, np.where(came, actual, np.nan)[:, :DAY])[origins >= test][:, :longest]
        if target != "net":
            quantiles = np.maximum(quantiles, 0)
        for name in split.horizons:
            horizon = HORIZONS[name]
            scored = (origins >= test) & (origins + horizon <= end)
            within = quantiles[: int(scored.sum()), :horizon]
            errors[target, name] = home_errors(mean[scored, :horizon], within, actual[scored, :horizon])
    return errors


def home_errors(mean: Float, quantiles: Float, actual: Float) -> HomeErrors:
    """Errors of one home; ``mean`` and ``actual`` of shape ``(n, horizon)``, ``quantiles`` ``(n, horizon, 3)``; Wh."""
    low, median, high = (quantiles[..., k] * _KW for k in range(len(QUANTILES)))
    said, truth = mean * _KW, actual * _KW
    return HomeErrors(
        mae=mae(median, truth),
        rmse=rmse(said, truth),
        nrmse=nrmse(said, truth),
        pinball=float(np.mean([pinball(q, truth, a) for q, a in zip((low, median, high), QUANTILES, strict=True)])),
        coverage80=coverage(low, high, truth),
    )


def skill_row(model: str, training: str, target: str, horizon: str, homes: Sequence[HomeErrors]) -> SkillRow:
    """Mean over homes."""
    means = {name: round(float(np.mean([getattr(home, name) for home in homes])), 6) for name in FIGURES}
    return SkillRow(model=model, training=training, target=target, horizon=horizon, **means)


FIGURES = ("mae", "rmse", "nrmse", "pinball", "coverage80")
