"""What a run's options must fulfil before anything is started; each complaint says what, and what would do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from common.blocks import parse_blocks
from common.errors import UserError
from common.units import SHORTEST_DAY_SLOTS

if TYPE_CHECKING:
    from common.config import RunConfig

STRATEGIES = ("fedavg", "fedprox", "fedadam", "fedyogi", "fedavgm", "fedmedian", "fedtrimmedavg", "krum")
"""Rules of the average (:mod:`server.averaging`)."""

MECHANISMS = {"sdr": 1, "uniform": 8, "mid-market": 1, "pay-as-bid": 8}
"""Market mechanisms (:mod:`market.mechanisms`), each with the most orders that a home may send in a slot: at a posted
price one says all, to an auction a home sends its demand or supply curve in steps."""

ACCOUNTED = ("fedavg", "fedprox")
"""Rules for which Flower accounts for privacy: the plain average, where a home moves the model by 1/n of its norm."""

SHORTEST_HISTORY_DAYS = 44
"""Days that a home needs to train: 28 that make its scale, 2 of targets, 14 that are held out."""

_CHOICES = {
    "mode": ("trade", "train"),
    "settlement": ("firm", "metered"),
    "mechanism": tuple(MECHANISMS),
    "forecaster": ("hybrid", "base", "profile", "perfect"),
    "planner": ("optimal", "3h", "rule"),
    "strategy": STRATEGIES,
    "personalisation": ("none", "head", "finetune"),
    "dp": ("none", "fixed", "adaptive"),
}
_LEAST = {
    "homes": 0, "neighbours": 0, "homes_per_node": 1, "days": 1, "start_slot": 0, "slots": 0, "scenarios": 1,
    "warmup_rounds": 0, "round_every_slots": 0, "local_steps": 1, "batch_size": 1, "refit_days": 1, "seed": 0,
    "rounds": 1, "byzantine_homes": 0, "finetune_steps": 1, "checkpoint_every": 1,
    "short_history_days": SHORTEST_HISTORY_DAYS,
}  # fmt: skip
_POSITIVE = ("learning_rate", "timeout_s", "train_timeout_s", "poll_s", "fraction_train", "dp_noise", "dp_clip")
_SHARES = ("fraction_train", "dropout", "short_history_share")
_NOT_NEGATIVE = ("proximal_mu", "server_learning_rate", "server_momentum", "trim_share", *_SHARES)


def check_run(config: RunConfig, models: Sequence[str]) -> None:
    """Check the options of a run.

    Args:
        config: the options.
        models: names of the model's sizes.

    Raises:
        UserError: naming the option, its value and what it may be.
    """
    for name, allowed in (_CHOICES | {"model": tuple(models)}).items():
        if getattr(config, name) not in allowed:
            raise UserError(f"{name} '{getattr(config, name)}' is unknown; choose one of: {', '.join(allowed)}")
    for name, bound in _LEAST.items():
        if getattr(config, name) < bound:
            raise UserError(f"{_key(name)} must be at least {bound}, got {getattr(config, name)}")
    _check_dates(config)
    if not config.climate.strip() or (config.climate.isdecimal() and not 1 <= int(config.climate) <= 16):
        raise UserError(f"climate '{config.climate}' is no zone; give 1 to 16, or the path of a weather file")
    _check_numbers(config)
    _check_homes(config)
    _check_learning(config)


def _key(name: str) -> str:
    """An option as users write it."""
    return name.replace("_", "-")


def _check_numbers(config: RunConfig) -> None:
    for name in {"solar_share", "dp_delta", *_POSITIVE, *_NOT_NEGATIVE}:
        if not math.isfinite(getattr(config, name)):
            raise UserError(f"{_key(name)} must be a number, got {getattr(config, name)}")
    if config.start_slot >= SHORTEST_DAY_SLOTS:
        raise UserError(f"start-slot must be less than {SHORTEST_DAY_SLOTS}, got {config.start_slot}")
    if config.solar_share > 1:
        raise UserError(f"solar-share must lie between 0 and 1, got {config.solar_share}")
    for name in _POSITIVE:
        if not getattr(config, name) > 0:
            raise UserError(f"{_key(name)} must be positive, got {getattr(config, name)}")
    for name in _NOT_NEGATIVE:
        if getattr(config, name) < 0:
            raise UserError(f"{_key(name)} must not be negative, got {getattr(config, name)}")
    for name in _SHARES:
        if getattr(config, name) > 1:
            raise UserError(f"{_key(name)} must lie between 0 and 1, got {getattr(config, name)}")


def _check_homes(config: RunConfig) -> None:
    if config.neighbours and config.data in ("generated", "household"):
        raise UserError("neighbours: they live beside real homes (data); of generated homes, 'homes' says how many")
    if config.data == "household" and config.homes == 0:
        raise UserError("homes: say how many households the run waits for")


def _check_learning(config: RunConfig) -> None:
    """Options of the federated rounds that exclude each other."""
    if config.dropout == 1:
        raise UserError("dropout 1: no home would ever take part; give less than 1")
    if not config.trim_share < 0.5:
        raise UserError(f"trim-share must be less than 0.5, or nothing is left; got {config.trim_share}")
    if not config.server_momentum < 1:
        raise UserError(f"server-momentum must be less than 1, got {config.server_momentum}")
    if config.mode == "train" and config.forecaster != "hybrid":
        raise UserError(f"mode train trains the Transformer, which forecaster '{config.forecaster}' has not: leave it")
    for name in ("personalisation", "dp"):
        if getattr(config, name) != "none" and config.forecaster != "hybrid":
            raise UserError(
                f"{name} {getattr(config, name)} is for the rounds of the Transformer, which forecaster "
                f"'{config.forecaster}' has not: leave one of them"
            )
    in_day = config.mode == "trade" and config.round_every_slots and not config.test_days
    if config.personalisation == "finetune" and in_day:
        raise UserError(
            "personalisation finetune follows the last round; set round-every-slots = 0, so that all come before the "
            "trade, or train with mode train"
        )
    if config.dp != "none":
        _check_privacy(config)


def _check_privacy(config: RunConfig) -> None:
    if not 0 < config.dp_delta < 1:
        raise UserError(f"dp-delta must lie between 0 and 1, got {config.dp_delta}")
    if config.strategy not in ACCOUNTED:
        raise UserError(
            f"dp with strategy {config.strategy}: Flower accounts for the plain average alone; choose one of: "
            f"{', '.join(ACCOUNTED)}"
        )
    if config.dropout:
        raise UserError("dp with dropout: the account holds only where every drawn home takes part; leave one of them")


def _check_dates(config: RunConfig) -> None:
    if config.test_days:
        parse_blocks(config.test_days)
    if config.date:
        try:
            date.fromisoformat(config.date)
        except ValueError:
            raise UserError(f"date '{config.date}': expected YYYY-MM-DD") from None
