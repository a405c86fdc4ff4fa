"""The hybrid: ridge and Transformer, in shares that the validation span supports, the same for all homes.

The shares are those of :func:`common.ridge.supported_share`: what least squares says of the homes' held-out sums, and
nothing where the error saved is not more than two standard errors over the homes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from client.features import DAY, MONTH, WEEK
from common.metrics import QUANTILES
from common.ridge import supported_share
from experiments.skill.homes import Float, Forecast

PARTS = {"3h": (0, 6), "day": (6, DAY), "week": (DAY, WEEK), "month": (WEEK, MONTH)}
"""Leads that have a share of their own."""

_LEVELS = np.array(QUANTILES, np.float32)
_QUANTILE_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Shares:
    """Shares of the Transformer in the parts of the load's leads, in the coming day's solar power and quantiles."""

    load: Mapping[str, float]
    pv: float
    quantiles: float


@dataclass(frozen=True)
class Validated:
    """Both forecasts of one home over the validation span, and what came; ``*_known`` masks what lies in the span.

    Attributes:
        ridge, transformer: at n origins, each with quantiles of the coming day.
        load_wh, pv_wh: actual, shape ``(n, 1440)``. known: shape ``(n, 1440)``.
        scale_wh, pv_scale_wh: of the home, shape ``(n,)``: homes count alike.
    """

    ridge: Forecast
    transformer: Forecast
    load_wh: Float
    pv_wh: Float
    known: NDArray[np.bool_]
    scale_wh: Float
    pv_scale_wh: Float


def shares(homes: Sequence[Validated]) -> Shares:
    """Shares that the homes' validation spans support."""
    load = {}
    for name, (low, high) in PARTS.items():
        sums = [
            _sums(
                (home.load_wh - home.ridge.load_wh)[:, low:high] / home.scale_wh[:, None],
                (home.transformer.load_wh - home.ridge.load_wh)[:, low:high] / home.scale_wh[:, None],
                home.known[:, low:high],
            )
            for home in homes
        ]
        load[name] = supported_share(*np.array(sums).T)
    sums = [
        _sums(
            (home.pv_wh - home.ridge.pv_wh)[:, :DAY] / home.pv_scale_wh[:, None],
            (home.transformer.pv_wh - home.ridge.pv_wh)[:, :DAY] / home.pv_scale_wh[:, None],
            home.known[:, :DAY],
        )
        for home in homes
        if home.pv_wh.any()
    ]
    return Shares(load, supported_share(*np.array(sums).T) if sums else 0.0, _quantile_share(homes))


def _sums(residual: Float, said: Float, known: NDArray[np.bool_]) -> tuple[float, float]:
    said = said * known
    return float((residual * said).sum(dtype=np.float64)), float((said * said).sum(dtype=np.float64))


def _quantile_share(homes: Sequence[Validated]) -> float:
    """The share with the least pinball loss, mean over homes, each in units of its scale."""
    losses = []
    for share in _QUANTILE_SHARES:
        of_homes = []
        for home in (home for home in homes if home.known.any()):
            said = _mixed_quantiles(home.ridge, home.transformer, share)
            error = (home.load_wh[:, :DAY, None] - said) / home.scale_wh[:, None, None]
            loss = np.maximum(_LEVELS * error, (_LEVELS - 1) * error)
            of_homes.append(float(loss[home.known[:, :DAY]].mean()))
        losses.append(float(np.mean(of_homes)) if of_homes else 0.0)
    return _QUANTILE_SHARES[int(np.argmin(losses))]


def blended(ridge: Forecast, transformer: Forecast, share: Shares) -> Forecast:
    """The hybrid's forecast."""
    load = ridge.load_wh.copy()
    for name, (low, high) in PARTS.items():
        part = slice(low, high)
        load[:, part] += np.float32(share.load[name]) * (transformer.load_wh[:, part] - ridge.load_wh[:, part])
    pv = ridge.pv_wh.copy()
    pv[:, :DAY] += np.float32(share.pv) * (transformer.pv_wh[:, :DAY] - ridge.pv_wh[:, :DAY])
    return Forecast(load, pv, _mixed_quantiles(ridge, transformer, share.quantiles))


def _mixed_quantiles(ridge: Forecast, transformer: Forecast, share: float) -> Float:
    """Quantiles are averaged level by level (Vincent)."""
    assert ridge.load_quantiles_wh is not None and transformer.load_quantiles_wh is not None
    mixed: Float = (1 - share) * ridge.load_quantiles_wh + share * transformer.load_quantiles_wh
    return mixed
