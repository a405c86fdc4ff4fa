"""A training run: federated rounds on the homes' history, without a market, from hello to the test of the model."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from flwr.serverapp import Grid

from common.checks import SHORTEST_HISTORY_DAYS
from common.clock import day_slots, local_of
from common.config import RunConfig
from common.errors import UserError
from common.events import EventLog
from common.messages import HomeCard
from common.threads import one_thread
from server.checkpoint import MODEL, Checkpoint, save_checkpoint, save_model
from server.exchange import Exchange
from server.greeting import greet_homes
from server.learning import Learning, Metrics, RoundOutcome
from server.privacy import Spent
from server.strategy import MarketFedAvg

ROUNDS = "rounds.jsonl"
"""File of a run's output: one line for each round and home."""

TEST_DAYS = 56
"""Days at the end of the data that are left for the test, unless a date says otherwise."""

_SHOWN = ("loss", "base_rmse", "model_rmse", "seconds")
"""Metrics of a home's update that go into :data:`ROUNDS`."""


@dataclass(frozen=True)
class Training:
    """What a training run came to; all that it needs from the homes' side was reported by them.

    Attributes:
        homes: ids.
        before_slot, end_slot: the homes learned before the one and were tested from it to the other.
        parameters: of the model, as much of it as is shared.
        gates: share of the Transformer's residual per head.
        tuned: metrics of the homes' own copies (personalisation ``finetune``), by home.
        tested: errors on the test days, by home.
        spent: privacy that the models cost, or None.
        seconds: wall time by phase, of this process alone.
    """

    homes: tuple[str, ...]
    before_slot: int
    end_slot: int
    parameters: int
    gates: tuple[float, ...]
    tuned: Metrics
    tested: Metrics
    spent: Spent | None
    seconds: dict[str, float]


def run_training(
    grid: Grid, config: RunConfig, out: Path, events: EventLog, run_id: int, resumed: Checkpoint | None = None
) -> Training:
    """Train on ``grid``; leave rounds, checkpoints and model in ``out``.

    Args:
        grid: any grid.
        config: of mode ``train``.
        out: folder of the results.
        events: of the run.
        run_id: under which the homes keep what is theirs.
        resumed: checkpoint to go on from, of the same run; None to begin.

    Raises:
        UserError: what the user has to mend.
    """
    one_thread()

    def warn(text: str) -> None:
        events.write("warning", message=text)

    exchange = Exchange(grid, timeout_s=config.timeout_s, train_timeout_s=config.train_timeout_s, poll_s=config.poll_s)
    strategy = MarketFedAvg(warn, config)
    learning = Learning(config, exchange, strategy, events)
    return TrainingRun(config, exchange, strategy, learning, events, out, run_id).run(resumed)


class TrainingRun:
    """One training run; ``run()`` does all of it."""

    def __init__(
        self,
        config: RunConfig,
        exchange: Exchange,
        strategy: MarketFedAvg,
        learning: Learning,
        events: EventLog,
        out: Path,
        run_id: int,
    ) -> None:
        self._config, self._exchange, self._strategy = config, exchange, strategy
        self._learning, self._events, self._out, self._run_id = learning, events, out, run_id
        self._seconds: dict[str, float] = defaultdict(float)

    def run(self, resumed: Checkpoint | None = None) -> Training:
        """Greet, fit the base, train round by round, test; with a checkpoint from its round on."""
        config, learning = self._config, self._learning
        with self._phase("begin"):
            cards = greet_homes(config, self._exchange, self._strategy, self._events)
            homes = tuple(card.home_id for card in cards)
            before, end = _span(config, cards) if resumed is None else (resumed.before_slot, resumed.end_slot)
        self._say_started(homes, 0 if resumed is None else resumed.round)
        if resumed is None:
            with self._phase("fit"):
                learning.fit_base(before)
                learning.hand_out_heads(before)
            (self._out / ROUNDS).touch()
            self._save(0, homes, before, end)
        else:
            self._go_on(resumed, homes)
        with self._phase("train"):
            for number in range(learning.turn + 1, config.rounds + 1):
                outcome = learning.round(before)
                assert outcome is not None, "mode train has a Transformer"
                self._write_round(number, homes, outcome)
                if number % config.checkpoint_every == 0 or number == config.rounds:
                    self._save(number, homes, before, end)
        tuned = learning.finetune(before)
        with self._phase("test"):
            tested = learning.measure(before, end)
        save_model(self._out / MODEL, learning.arrays, config.model)
        return Training(
            homes, before, end, learning.parameters, learning.gates, tuned, tested, self._strategy.privacy(),
            dict(self._seconds),
        )  # fmt: skip

    def _go_on(self, checkpoint: Checkpoint, homes: tuple[str, ...]) -> None:
        """Take up a checkpoint; the rounds that were written after it are forgotten.

        Raises:
            UserError: other homes than those of the checkpoint.
        """
        if homes != checkpoint.homes:
            raise UserError("--resume: other homes answered than the run began with; give it the folders of then")
        self._learning.go_on(checkpoint.round, checkpoint.model, checkpoint.gates, checkpoint.community)
        self._strategy.restore_rule(checkpoint.rule)
        path = self._out / ROUNDS
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["round"] <= checkpoint.round]
        draft = path.with_name(f".{path.name}")
        draft.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        draft.replace(path)

    def _write_round(self, number: int, homes: tuple[str, ...], outcome: RoundOutcome) -> None:
        """Append a line for each home: whether it was drawn, took part and was accepted, and its metrics."""
        with (self._out / ROUNDS).open("a", encoding="utf-8") as file:
            for home in homes:
                metrics = outcome.accepted.get(home, {})
                row = {
                    "round": number,
                    "home": home,
                    "drawn": home in outcome.drawn.chosen,
                    "took_part": home in outcome.sent_bytes,
                    "accepted": home in outcome.accepted,
                    **{name: round(metrics[name], 6) if name in metrics else None for name in _SHOWN},
                    "sent_bytes": outcome.sent_bytes.get(home, 0),
                }
                file.write(json.dumps(row) + "\n")

    def _save(self, number: int, homes: tuple[str, ...], before: int, end: int) -> None:
        learning = self._learning
        save_checkpoint(
            self._out,
            Checkpoint(
                number, self._run_id, self._config.flat(), homes, before, end, learning.gates, learning.arrays,
                self._strategy.rule_state(), learning.community,
            ),
        )  # fmt: skip

    def _say_started(self, homes: tuple[str, ...], done: int) -> None:
        self._events.write(
            "run-started",
            homes=list(homes),
            rounds=self._config.rounds,
            rounds_done=done,
            strategy=self._config.strategy,
            model=self._config.model,
            parameters=self._learning.parameters,
        )

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        self._events.write("phase", name=name)
        began = time.monotonic()
        try:
            yield
        finally:
            self._seconds[name] += time.monotonic() - began


def _span(config: RunConfig, cards: list[HomeCard]) -> tuple[int, int]:
    """First slot that is not learnt, and the end of the test days: whole local days that all homes have.

    Raises:
        UserError: a home has too little before it, or nothing that reaches it.
    """
    end = day_slots(local_of(min(card.end_slot for card in cards)).date()).start
    first_test = date.fromisoformat(config.date) if config.date else local_of(end).date() - timedelta(days=TEST_DAYS)
    before = day_slots(first_test).start
    for card in cards:
        if before > end or card.first_slot > before - SHORTEST_HISTORY_DAYS * 48:
            raise UserError(
                f"home {card.home_id} has readings from {local_of(card.first_slot):%Y-%m-%d} to "
                f"{local_of(card.end_slot - 1):%Y-%m-%d}; to learn before {first_test} it needs "
                f"{SHORTEST_HISTORY_DAYS} days before that: choose another --date"
            )
    return before, end
