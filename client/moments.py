"""What goes with a home's optimiser: its moments from round to round, and the pull towards the global model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

MEAN, SQUARE, STEP = "mean", "square", "step"
"""Names of the moments as arrays: of the gradient and of its square, flat float32 in the order of the parameters, and
the number of steps that they come from, shape ``(1,)``."""


def read_moments(optimiser: torch.optim.AdamW) -> dict[str, NDArray[np.float32]]:
    """Moments of an optimiser that has taken a step."""
    states = [optimiser.state[parameter] for group in optimiser.param_groups for parameter in group["params"]]

    def flat(name: str) -> NDArray[np.float32]:
        return np.concatenate([state[name].detach().cpu().numpy().ravel() for state in states])

    return {MEAN: flat("exp_avg"), SQUARE: flat("exp_avg_sq"), STEP: np.array([float(states[0]["step"])], np.float32)}


def load_moments(optimiser: torch.optim.AdamW, moments: Mapping[str, NDArray[np.float32]]) -> None:
    """Give a new optimiser the moments of an earlier one.

    Raises:
        ValueError: they are of another model.
    """
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    sizes = [parameter.numel() for parameter in parameters]
    if any(moments[name].shape != (sum(sizes),) for name in (MEAN, SQUARE)):
        raise ValueError(f"moments of {moments[MEAN].size} parameters for a model of {sum(sizes)}")
    means, squares = (np.split(moments[name], np.cumsum(sizes)[:-1]) for name in (MEAN, SQUARE))
    for parameter, mean, square in zip(parameters, means, squares, strict=True):
        optimiser.state[parameter] = {
            "step": torch.tensor(float(moments[STEP][0]), device=parameter.device),
            "exp_avg": torch.from_numpy(mean.copy()).view_as(parameter).to(parameter.device),
            "exp_avg_sq": torch.from_numpy(square.copy()).view_as(parameter).to(parameter.device),
        }


class Proximal:
    """FedProx's term, ``mu / 2 ||w - w_global||^2`` (https://arxiv.org/abs/1812.06127).

    Args:
        model: as it came.
        mu: weight of the term; 0 for none.
        shared: leading parameters that the homes share; the rest, a home's own, is pulled nowhere. None for all.
    """

    def __init__(self, model: nn.Module, mu: float, shared: int | None) -> None:
        self._model, self._mu, self._shared = model, mu, shared
        self._anchor = self._flat().detach().clone() if mu else None

    def __call__(self) -> Tensor | float:
        """The term at the model's parameters of now."""
        if self._anchor is None:
            return 0.0
        return 0.5 * self._mu * (self._flat() - self._anchor).square().sum()

    def _flat(self) -> Tensor:
        return nn.utils.parameters_to_vector(self._model.parameters())[: self._shared]
