"""What a rule of the average remembers from round to round, as arrays and plain facts, to store and to restore."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord
from flwr.serverapp.strategy import FedAdam, FedAvgM, FedYogi, Strategy
from numpy.typing import NDArray


@dataclass(frozen=True)
class RuleState:
    """Memory of a rule.

    Attributes:
        arrays: moments of FedAdam and FedYogi, momentum and model of FedAvgM, by ``<what>:<array>``.
        facts: JSON values: ``clip`` and ``account`` of differential privacy.
    """

    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


def read_rule(rule: Strategy) -> RuleState:
    """What the rule remembers after a round."""
    facts: dict[str, Any] = {}
    if getattr(rule, "accountant", None) is not None:
        facts = {"clip": rule.clipping_norm, "account": rule.accountant.state_dict()}  # type: ignore[attr-defined]
    return RuleState(_arrays(_inner(rule)), facts)


def restore_rule(rule: Strategy, state: RuleState) -> None:
    """Give a new rule the memory of an earlier one, made from the same options."""
    if state.facts:
        rule.clipping_norm = float(state.facts["clip"])  # type: ignore[attr-defined]
        rule.accountant.load_state_dict(dict(state.facts["account"]))  # type: ignore[attr-defined]
    inner = _inner(rule)
    named = {what: _named(state.arrays, what) for what in ("mean", "square", "momentum", "model")}
    if isinstance(inner, FedAdam | FedYogi) and named["mean"]:
        inner.m_t, inner.v_t = named["mean"], named["square"]
    if isinstance(inner, FedAvgM) and named["model"]:
        inner.momentum_vector = list(named["momentum"].values()) or None
        inner.current_arrays = ArrayRecord({name: Array(values) for name, values in named["model"].items()})


def _inner(rule: Strategy) -> Strategy:
    """The rule inside of the privacy around it."""
    inner: Strategy = getattr(rule, "strategy", rule)
    return inner


def _arrays(rule: Strategy) -> dict[str, NDArray[Any]]:
    if isinstance(rule, FedAdam | FedYogi) and rule.m_t and rule.v_t:
        return _prefixed("mean", rule.m_t) | _prefixed("square", rule.v_t)
    if isinstance(rule, FedAvgM) and rule.current_arrays is not None:
        model = {name: array.numpy() for name, array in rule.current_arrays.items()}
        momentum = dict(zip(model, rule.momentum_vector or [], strict=False))
        return _prefixed("model", model) | _prefixed("momentum", momentum)
    return {}


def _prefixed(what: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {f"{what}:{name}": np.asarray(values) for name, values in arrays.items()}


def _named(arrays: Mapping[str, NDArray[Any]], what: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(f"{what}:"): values for name, values in arrays.items() if name.startswith(f"{what}:")}
