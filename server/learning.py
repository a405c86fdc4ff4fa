"""Federated learning as central sees it: the ridge base by sums, the Transformer by rounds, gates by held-out sums."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from flwr.app import Array, ArrayRecord, Message

from common.community import CommunityMean
from common.config import RunConfig
from common.events import EventLog
from common.messages import Fit, Measure
from common.ridge import GATED_HEADS, add, solve, solve_gates
from server.checkpoint import initial_model, parameter_count
from server.community import Community
from server.drawing import Drawn
from server.exchange import Exchange
from server.greeting import answered
from server.strategy import MarketFedAvg

BASE_KINDS = ("hybrid", "base")
"""Forecasters that need the ridge base."""

Metrics = dict[str, dict[str, float]]
"""Metrics by home."""


@dataclass(frozen=True)
class RoundOutcome:
    """A federated round, as central saw it.

    Attributes:
        drawn: homes that it was for.
        accepted: metrics of the updates that entered the average, by home.
        sent_bytes: size of the arrays that each home sent.
    """

    drawn: Drawn
    accepted: Metrics
    sent_bytes: Mapping[str, int]


class Learning:
    """The global model of a run and its rounds.

    Attributes:
        arrays: the global model as Flower carries it: what the homes share of it.
        gates: share of the Transformer's residual that the homes add, per head: what the held-out days support.
        turn: rounds so far, over all fits of the run.
    """

    def __init__(self, config: RunConfig, exchange: Exchange, strategy: MarketFedAvg, events: EventLog) -> None:
        self._config, self._exchange, self._strategy, self._events = config, exchange, strategy, events
        self._community = Community(exchange, strategy, events)
        self._learns = config.forecaster == "hybrid"
        start = initial_model(config) if self._learns else None
        self.arrays: ArrayRecord = start.shared if start else ArrayRecord()
        self._heads = start.heads if start else None
        self.parameters = parameter_count(self.arrays)
        self.gates: tuple[float, ...] = ()
        self.turn = 0
        self._round = 0
        self._rounds = _rounds_of(config)

    def fit_base(self, before_slot: int) -> None:
        """Fit the ridge base on what was metered before a slot: homes send sums, central solves once."""
        if self._config.forecaster not in BASE_KINDS:
            return
        self._sum_up(before_slot)
        fit = Fit(before_slot=before_slot)
        statistics = self._strategy.aggregate_fit(self._learn(self._strategy.configure_fit(fit)))
        if not statistics:
            self._events.write("warning", message="no usable statistics: the homes forecast with their profile alone")
            return
        weights = ArrayRecord({name: Array(values) for name, values in solve(add(statistics)).to_arrays().items()})
        self._learn(self._strategy.configure_arrays("query.base", weights, fit))

    def hand_out_heads(self, before_slot: int) -> None:
        """Give the homes the heads that theirs begin from, where the run starts from a whole model."""
        if self._heads is not None:
            self._learn(self._strategy.configure_arrays("query.heads", self._heads, Fit(before_slot=before_slot)))
            self._heads = None

    def warm_up(self, before_slot: int) -> None:
        """Rounds on the history."""
        if self._config.test_days:
            self._round = 0  # each fit has a learning-rate schedule of its own
        self.hand_out_heads(before_slot)
        for _ in range(self._config.warmup_rounds):
            self.round(before_slot)
        self.finetune(before_slot)

    def round(self, before_slot: int) -> RoundOutcome | None:
        """One federated round on what was metered before a slot; None where the forecaster has no Transformer."""
        self._sum_up(before_slot)
        if not self._learns:
            return None
        began = time.monotonic()
        self._round, self.turn = self._round + 1, self.turn + 1
        fit = self._fit(before_slot, self.turn)
        messages = self._strategy.configure_round(fit, self.arrays, refresh=self._config.mode == "trade")
        replies = self._learn(messages)
        arrays, _ = self._strategy.aggregate_train(self.turn, replies.values())
        accepted = {home: _numbers(record) for home, record in self._strategy.accepted.items()}
        outcome = RoundOutcome(self._strategy.drawn, accepted, self._strategy.sent_bytes)
        if arrays is None:
            text = f"round {self._round}: no usable update; the model stays as it was"
            self._events.write("warning", message=text)
            return outcome
        self.arrays, self.gates = arrays, _gates(accepted)
        self._events.write(
            "round",
            round=self._round,
            rounds=self._rounds,
            slot=before_slot,
            homes=len(accepted),
            gates=list(self.gates),
            seconds=round(time.monotonic() - began, 3),
            # Of all accepted homes; a rule's own metrics may be of those that it chose (Krum: of one).
            loss=_mean(accepted, "loss"),
            validation_base=_mean(accepted, "base_rmse"),
            validation_model=_mean(accepted, "model_rmse"),
        )
        return outcome

    def finetune(self, before_slot: int) -> Metrics:
        """Have each home train a copy of its own (personalisation ``finetune``); the gates are then the copies'."""
        if self._config.personalisation != "finetune" or not self._learns:
            return {}
        self._events.write("phase", name="finetune")
        fit = self._fit(before_slot, self.turn + 1)
        messages = self._strategy.configure_arrays("query.finetune", self.arrays, fit)
        tuned = self._strategy.aggregate_metrics(self._learn(messages))
        self.gates = _gates(tuned) if tuned else self.gates
        return tuned

    def refresh(self, before_slot: int) -> None:
        """Have the homes renew their forecast from the model as it is, without training."""
        self._sum_up(before_slot)
        if self._learns:
            fit = self._fit(before_slot, self.turn + 1)
            self._learn(self._strategy.configure_arrays("query.refresh", self.arrays, fit))

    def measure(self, before_slot: int, end_slot: int) -> Metrics:
        """Errors of each home's forecasts on the days from ``before_slot`` to ``end_slot``.

        The homes are told the community's mean of those days, each of whose forecasts sees as much as it would have.
        """
        self._sum_up(end_slot)
        request = Measure(before_slot=before_slot, end_slot=end_slot, turn=self.turn + 1, gates=self.gates)
        return self._strategy.aggregate_metrics(self._learn(self._strategy.configure_measure(request, self.arrays)))

    @property
    def community(self) -> CommunityMean | None:
        """The community's mean as far as it was summed."""
        return self._community.mean

    def go_on(self, turn: int, arrays: ArrayRecord, gates: tuple[float, ...], community: CommunityMean | None) -> None:
        """Continue after round ``turn`` of a training run, with the model, the gates and the mean of then."""
        self._community.restore(community)
        self._round = self.turn = turn
        self.arrays, self.gates, self._heads = arrays, gates, None

    def _sum_up(self, before_slot: int) -> None:
        """Let the homes know the community's mean before a slot, if their forecasts use it."""
        if self._config.forecaster in BASE_KINDS:
            self._community.sum_up(before_slot)

    def _fit(self, before_slot: int, turn: int) -> Fit:
        rounds = max(self._rounds, self._round)
        return Fit(before_slot=before_slot, round=self._round, rounds=rounds, turn=turn, gates=self.gates)

    def _learn(self, messages: list[Message]) -> Mapping[int, Message]:
        return answered(self._exchange.learn(messages), self._strategy, self._events)


def _rounds_of(config: RunConfig) -> int:
    """Rounds that the learning-rate schedule spans."""
    if config.mode == "train":
        return config.rounds
    in_day = 0
    if config.round_every_slots and not config.test_days:
        in_day = (config.slots or config.days * 48) // config.round_every_slots
    return config.warmup_rounds + in_day


def _numbers(metrics: Mapping[str, object]) -> dict[str, float]:
    return {name: float(np.mean(np.asarray(value, np.float64))) for name, value in metrics.items()}


def _mean(by_home: Metrics, name: str) -> float | None:
    values = [metrics[name] for metrics in by_home.values() if name in metrics]
    return float(np.mean(values)) if values else None


def _gates(by_home: Metrics) -> tuple[float, ...]:
    """Share of the Transformer's residual that the homes' held-out days support, per head."""
    sums = [
        {head: np.array([metrics[f"gate-{head}-product"], metrics[f"gate-{head}-square"]]) for head in GATED_HEADS}
        for metrics in by_home.values()
    ]
    shares = solve_gates(sums)
    return tuple(shares[head] for head in GATED_HEADS)
