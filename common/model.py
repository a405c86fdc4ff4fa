"""The Transformer, in one file: days are tokens, and every token is a forecast origin.

A token is one day of a home (48 half-hours that end at any time of day) with what is known of the next day.
Attention is causal over days, so one pass over 28 tokens makes, and trains, 28 forecasts.  The heads speak of the
*residual* of the seasonal profile, in units of the home's trailing scale, and start at zero: an untrained model says
what is usual.  The coming day is decoded half-hour by half-hour, all with the same small net: what a covariate means
for its own half-hour is learnt once, not 48 times.  Tokens are made in :mod:`client.tokens`; training is in
:mod:`client.training`.

Parameters travel as one flat float32 vector in the order of ``Transformer.named_parameters()``, which the
:class:`common.config.ModelSpec` fixes; Flower is slow with many arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from common.config import ModelSpec
from common.metrics import QUANTILES

STEPS, WEEK_STEPS, MONTH_STEPS = 48, 336, 1440
CHANNELS, MASKS, COVARIATES = 24, 5, 21
"""Features of a half-hour of the past day, flags of the channel groups that a home has, covariates of the next day."""

PAST_WIDTH, FUTURE_WIDTH = STEPS * CHANNELS + MASKS, STEPS * COVARIATES
_VECTOR = "parameters"
_RESIDUAL = (".attention.out.weight", ".feed_out.weight")
_STEP_CONTEXT, _STEP_WIDTH = 16, 64
_DAY_OUTPUTS = 1 + len(QUANTILES) + 1


class Heads(NamedTuple):
    """Residuals of the profile, in units of the trailing scale, for B sequences of T tokens.

    Attributes:
        day: load, shape ``(B, T, 48, 4)``: mean, then :data:`QUANTILES`, these beyond the usual spread.
        pv: solar power, shape ``(B, T, 48)``, in units of its own scale.
        week: load, shape ``(B, T, 336, 2)``: mean and median.
        month: load, shape ``(B, T, 1440)``.
    """

    day: Tensor
    pv: Tensor
    week: Tensor
    month: Tensor


class CausalSelfAttention(nn.Module):
    """Each day looks at itself and the days before it."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.heads = spec.heads
        self.qkv = nn.Linear(spec.width, 3 * spec.width, bias=False)
        self.out = nn.Linear(spec.width, spec.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``(B, T, width)`` to the same."""
        b, t, width = x.shape
        qkv = self.qkv(x).view(b, t, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # each (B, heads, T, width / heads)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(b, t, width))  # type: ignore[no-any-return]


class Block(nn.Module):
    """Attention, then a feed-forward net, each on a normalised copy and added back."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(spec.width)
        self.attention = CausalSelfAttention(spec)
        self.norm_feed = nn.LayerNorm(spec.width)
        self.feed_in = nn.Linear(spec.width, spec.feed_forward)
        self.feed_out = nn.Linear(spec.feed_forward, spec.width)

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``(B, T, width)`` to the same."""
        x = x + self.attention(self.norm_attention(x))
        hidden = functional.gelu(self.feed_in(self.norm_feed(x)), approximate="tanh")
        return x + self.feed_out(hidden)  # type: ignore[no-any-return]


class DayDecoder(nn.Module):
    """What the day's context means for each half-hour of the next day, given what is known of that half-hour."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.context = nn.Linear(spec.width, STEPS * _STEP_CONTEXT)
        self.enter = nn.Linear(_STEP_CONTEXT + COVARIATES, _STEP_WIDTH)
        self.hidden = nn.Linear(_STEP_WIDTH, _STEP_WIDTH)
        self.out = nn.Linear(_STEP_WIDTH, _DAY_OUTPUTS)

    def forward(self, x: Tensor, future: Tensor) -> Tensor:
        """Shapes ``(B, T, width)`` and ``(B, T, FUTURE_WIDTH)`` to ``(B, T, 48, 5)``."""
        b, t, _ = x.shape
        context = self.context(x).view(b, t, STEPS, _STEP_CONTEXT)
        step = torch.cat([context, future.view(b, t, STEPS, COVARIATES)], dim=3)
        step = functional.gelu(self.enter(step), approximate="tanh")
        step = step + functional.gelu(self.hidden(step), approximate="tanh")
        return self.out(step)  # type: ignore[no-any-return]


class Transformer(nn.Module):
    """Days in, residuals of the profile for the next day, week and month out."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.past = nn.Linear(PAST_WIDTH, spec.width)
        self.future = nn.Linear(FUTURE_WIDTH, spec.width)
        self.position = nn.Parameter(torch.zeros(spec.context_days, spec.width))
        self.blocks = nn.ModuleList(Block(spec) for _ in range(spec.layers))
        self.norm = nn.LayerNorm(spec.width)
        self.day = DayDecoder(spec)
        self.week = nn.Linear(spec.width, WEEK_STEPS * 2)
        self.month_rank = nn.Linear(spec.width, spec.month_rank)
        self.month = nn.Linear(spec.month_rank, MONTH_STEPS)

    def forward(self, past: Tensor, future: Tensor) -> Heads:
        """Residual forecasts at each token.

        Args:
            past: the day before each origin, shape ``(B, T, PAST_WIDTH)``.
            future: what is known of the day after it, shape ``(B, T, FUTURE_WIDTH)``.
        """
        b, t, _ = past.shape
        # Positions count back from the last token, so that a short context is the end of a long one.
        x = self.past(past) + self.future(future) + self.position[-t:]  # (B, T, width)
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        day = self.day(x, future)
        return Heads(
            day=day[..., :-1],
            pv=day[..., -1],
            week=self.week(x).view(b, t, WEEK_STEPS, 2),
            month=self.month(self.month_rank(x)),
        )


def initial_vector(spec: ModelSpec, seed: int) -> NDArray[np.float32]:
    """Parameters of a new model: the same for the same ``spec`` and ``seed``; its forecasts are all zero."""
    model = Transformer(spec)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in ("day.out.weight", "week.weight", "month.weight") or name.endswith("bias"):
                parameter.zero_()
            elif name == "position":
                parameter.normal_(0, 0.02, generator=generator)
            elif parameter.dim() == 2:  # the two layers that write to the residual stream start smaller, as in GPT-2
                narrow = (2 * spec.layers) ** -0.5 if name.endswith(_RESIDUAL) else 1.0
                parameter.normal_(0, 0.7 * parameter.shape[1] ** -0.5 * narrow, generator=generator)
    return to_vector(model)


def head_start(spec: ModelSpec) -> int:
    """Parameters of the trunk, which come first in the flat vector; the heads are what follows the last norm."""
    with torch.device("meta"):
        parameters = list(Transformer(spec).named_parameters())
    last = max(i for i, (name, _) in enumerate(parameters) if name.startswith("norm."))
    return sum(parameter.numel() for _, parameter in parameters[: last + 1])


def load_model(spec: ModelSpec, vector: NDArray[np.float32]) -> Transformer:
    """Model with the parameters of ``vector``.

    Raises:
        ValueError: the vector is of another length than ``spec`` asks for.
    """
    with torch.device("meta"):  # no time lost on random numbers that are overwritten
        model = Transformer(spec)
    if vector.shape != (count_parameters(model),):
        raise ValueError(f"the model has {count_parameters(model)} parameters, got an array of shape {vector.shape}")
    model = model.to_empty(device="cpu")
    nn.utils.vector_to_parameters(torch.from_numpy(np.array(vector, np.float32)), model.parameters())
    return model


def to_vector(model: Transformer) -> NDArray[np.float32]:
    """All parameters of a model as one flat float32 array."""
    vector: NDArray[np.float32] = nn.utils.parameters_to_vector(model.parameters()).detach().cpu().numpy()
    return vector


def state_to_arrays(vector: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """The arrays that a Flower ``ArrayRecord`` carries: one, named ``parameters``."""
    return {_VECTOR: vector}


def arrays_to_state(arrays: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Inverse of :func:`state_to_arrays`.

    Raises:
        ValueError: other names than agreed.
    """
    if set(arrays) != {_VECTOR}:
        raise ValueError(f"expected one array '{_VECTOR}', got {sorted(arrays)}")
    return np.asarray(arrays[_VECTOR], np.float32)


def count_parameters(model: nn.Module) -> int:
    """Number of trained parameters: 12.6 million for the full model."""
    return sum(parameter.numel() for parameter in model.parameters())
