"""Federated learning as central sees it: the ridge base by sums, the Transformer by FedAvg, gates by held-out sums."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
from flwr.app import Array, ArrayRecord, Message, MetricRecord

from common.config import RunConfig
from common.events import EventLog
from common.messages import Fit
from common.ridge import GATED_HEADS, add, solve, solve_gates
from server.checkpoint import initial_arrays, parameter_count
from server.exchange import Exchange
from server.strategy import MarketFedAvg

BASE_KINDS = ("hybrid", "base")
"""Forecasters that need the ridge base."""


class Learning:
    """The global model of a run and its rounds.

    Attributes:
        arrays: the global model as Flower carries it.
        gates: share of the Transformer's residual that the homes add, per head: what the held-out days support.
    """

    def __init__(self, config: RunConfig, exchange: Exchange, strategy: MarketFedAvg, events: EventLog) -> None:
        self._config, self._exchange, self._strategy, self._events = config, exchange, strategy, events
        self._learns = config.forecaster == "hybrid"
        self.arrays: ArrayRecord = initial_arrays(config) if self._learns else ArrayRecord()
        self.parameters = parameter_count(self.arrays)
        self.gates: tuple[float, ...] = ()
        self._round = 0
        in_day = 0
        if config.round_every_slots and not config.test_days:
            in_day = (config.slots or config.days * 48) // config.round_every_slots
        self._rounds = config.warmup_rounds + in_day

    def fit_base(self, before_slot: int) -> None:
        """Fit the ridge base on what was metered before a slot: homes send sums, central solves once."""
        if self._config.forecaster not in BASE_KINDS:
            return
        fit = Fit(before_slot=before_slot)
        statistics = self._strategy.aggregate_fit(self._learn(self._strategy.configure_fit(fit)))
        if not statistics:
            self._events.write("warning", message="no usable statistics: the homes forecast with their profile alone")
            return
        weights = ArrayRecord({name: Array(values) for name, values in solve(add(statistics)).to_arrays().items()})
        self._learn(self._strategy.configure_arrays("query.base", weights, fit))

    def warm_up(self, before_slot: int) -> None:
        """Rounds on the history."""
        if self._config.test_days:
            self._round = 0  # each fit has a learning-rate schedule of its own
        for _ in range(self._config.warmup_rounds):
            self.round(before_slot)

    def round(self, before_slot: int) -> None:
        """One FedAvg round on what was metered before a slot."""
        if not self._learns:
            return
        began = time.monotonic()
        self._round += 1
        fit = Fit(before_slot=before_slot, round=self._round, rounds=max(self._rounds, self._round), gates=self.gates)
        replies = self._learn(self._strategy.configure_round(fit, self.arrays, self._exchange.grid))
        arrays, metrics = self._strategy.aggregate_train(self._round, replies.values())
        if arrays is None or metrics is None:
            self._events.write("warning", message=f"round {self._round}: no usable update; the model stays as it was")
            return
        self.arrays, self.gates = arrays, _gates(self._strategy.accepted)
        self._events.write(
            "round",
            round=self._round,
            rounds=self._rounds,
            slot=before_slot,
            homes=len(self._strategy.accepted),
            gates=list(self.gates),
            seconds=round(time.monotonic() - began, 3),
            loss=metrics.get("loss"),
            validation_base=metrics.get("base_rmse"),
            validation_hybrid=metrics.get("hybrid_rmse"),
        )

    def refresh(self, before_slot: int) -> None:
        """Have the homes renew their forecast from the model as it is, without training."""
        if self._learns:
            fit = Fit(before_slot=before_slot, round=self._round, rounds=self._rounds, gates=self.gates)
            self._learn(self._strategy.configure_arrays("query.refresh", self.arrays, fit))

    def _learn(self, messages: list[Message]) -> Mapping[int, Message]:
        replies = self._exchange.learn(messages)
        for node, reason in replies.silent.items():
            for home in self._strategy.homes_of(node) or (f"node {node}",):
                self._events.write("silent", home=home, reason=reason)
        return replies.answered


def _gates(by_home: Mapping[str, MetricRecord]) -> tuple[float, ...]:
    """Share of the Transformer's residual that the homes' held-out days support, per head."""
    sums = [
        {head: np.array([metrics[f"gate-{head}-product"], metrics[f"gate-{head}-square"]]) for head in GATED_HEADS}
        for metrics in by_home.values()
    ]
    shares = solve_gates(sums)
    return tuple(shares[head] for head in GATED_HEADS)
