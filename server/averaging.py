"""The rule by which the homes' models become one, by name: Flower's own strategies, with differential privacy around.

Only the averaging of a strategy is used.  Who takes part is drawn in :mod:`server.drawing`, what may enter is decided
in :mod:`server.screening`; the rule sees one participant for each home, whichever node it lives on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import (
    FedAdam,
    FedAvg,
    FedAvgM,
    FedMedian,
    FedProx,
    FedTrimmedAvg,
    FedYogi,
    Krum,
    Strategy,
)

from common.checks import STRATEGIES
from common.config import RunConfig
from common.errors import UserError
from common.messages import RECORD
from server.checkpoint import initial_model
from server.drawing import homes_a_round
from server.privacy import accountant, private

PROXIMAL_MU, ADAPTIVE_RATE, MOMENTUM = 0.01, 3e-3, 0.9
"""What stands for 0 in ``proximal-mu``, in ``server-learning-rate`` of fedadam and fedyogi, and in ``server-momentum``.

Flower's own rate for FedAdam, 0.1, forecast unseen days worst of the rates that were tried (docs/experiments.md)."""

ADAPTIVE_TAU = 1e-3
"""Floor of the adaptive rules' denominator; Flower's own default."""


def make_rule(config: RunConfig, homes: int) -> Strategy:
    """The rule that ``strategy`` names, for a run of ``homes`` homes.

    Raises:
        UserError: see :func:`check_rule`.
    """
    check_rule(config, homes)
    rule = _RULES[config.strategy](config)
    return rule if config.dp == "none" else private(rule, config, homes_a_round(config, homes))


def check_learning(config: RunConfig, homes: int) -> None:
    """Refuse a run that could not begin to learn: its rule, or the model that it starts from.

    The run itself would find out, but only after homes were made and servers started.

    Raises:
        UserError: see :func:`check_rule` and :func:`server.checkpoint.initial_model`.
    """
    check_rule(config, homes)
    if config.init and config.forecaster == "hybrid":
        initial_model(config)


def check_rule(config: RunConfig, homes: int) -> None:
    """Check that the rule can work on ``homes`` homes.

    Raises:
        UserError: too few homes for the rule, a fraction that draws none, or privacy that cannot be accounted for.
    """
    drawn = homes_a_round(config, homes)
    if drawn < 1:
        raise UserError(
            f"fraction-train {config.fraction_train:g} of {homes} homes is none; give more than {1 / homes:.3g}"
        )
    least = least_homes(config)
    if drawn < least:
        raise UserError(
            f"strategy {config.strategy} needs at least {least} homes a round ({_why(config)}), {drawn} are drawn: "
            "give more homes, or another fraction-train"
        )
    if config.dp != "none":
        accountant(config, drawn)


def least_homes(config: RunConfig) -> int:
    """Fewest updates that the rule can work on."""
    if config.strategy == "krum":
        return 2 * config.byzantine_homes + 3
    if config.strategy == "fedtrimmedavg" and config.trim_share:
        return int(np.ceil(1 / config.trim_share))
    return 1


def _why(config: RunConfig) -> str:
    if config.strategy == "krum":
        return f"2 x {config.byzantine_homes} byzantine-homes + 3"
    return f"trim-share {config.trim_share:g} of fewer cuts none"


def prepare(rule: Strategy, turn: int, participants: int, arrays: ArrayRecord, config: ConfigRecord) -> RecordDict:
    """Tell the rule of a round, and get what it wants each participant to be sent.

    Args:
        rule: of :func:`make_rule`.
        turn: number of the round.
        participants: homes that take part, at least 1.
        arrays: the global model.
        config: the message; a rule may add to it (FedProx adds ``proximal-mu``).
    """
    messages = list(rule.configure_train(turn, arrays, config, cast(Grid, _Participants(participants))))
    return messages[0].content


def average(rule: Strategy, turn: int, updates: Iterable[Message]) -> tuple[ArrayRecord | None, MetricRecord | None]:
    """Average with the rule; float32 whatever the rule computes in (FedAdam's numbers come out as float64)."""
    arrays, metrics = rule.aggregate_train(turn, list(updates))
    if arrays is None:
        return None, None
    return ArrayRecord({k: Array(np.asarray(v.numpy(), np.float32)) for k, v in arrays.items()}), metrics


class _Participants:
    """What a rule's sampling asks a grid for: who is there. All of them take part, for they are drawn already."""

    def __init__(self, count: int) -> None:
        self._count = count

    def get_node_ids(self) -> list[int]:
        return list(range(1, self._count + 1))


_COMMON: dict[str, Any] = {
    "fraction_train": 1.0,
    "fraction_evaluate": 0.0,
    "min_train_nodes": 1,
    "min_evaluate_nodes": 0,
    "min_available_nodes": 1,
    "configrecord_key": RECORD,
}


def _adaptive(rule: type[FedAdam | FedYogi]) -> Callable[[RunConfig], Strategy]:
    return lambda config: rule(eta=config.server_learning_rate or ADAPTIVE_RATE, tau=ADAPTIVE_TAU, **_COMMON)


_RULES: dict[str, Callable[[RunConfig], Strategy]] = {
    "fedavg": lambda config: FedAvg(**_COMMON),
    "fedprox": lambda config: FedProx(proximal_mu=config.proximal_mu or PROXIMAL_MU, **_COMMON),
    "fedadam": _adaptive(FedAdam),
    "fedyogi": _adaptive(FedYogi),
    "fedavgm": lambda config: FedAvgM(
        server_learning_rate=config.server_learning_rate or 1.0,
        server_momentum=config.server_momentum or MOMENTUM,
        **_COMMON,
    ),
    "fedmedian": lambda config: FedMedian(**_COMMON),
    "fedtrimmedavg": lambda config: FedTrimmedAvg(beta=config.trim_share, **_COMMON),
    "krum": lambda config: Krum(num_malicious_nodes=config.byzantine_homes, **_COMMON),
}
assert tuple(_RULES) == STRATEGIES
