"""How far a comparison is: bars in a terminal, a line for each finished run elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from experiments.compare.unit import BASELINES, Finished, Unit


@dataclass
class Estimator:
    """Time left, from what has been seen: runs of a kind take about as long as each other.

    Attributes:
        workers: processes at once. units: that are to be done. began: moments at which units began, by place.
        steps: that are done. seconds: of units that ended.
    """

    workers: int
    units: Sequence[Unit]
    began: dict[int, float] = field(default_factory=dict)
    steps: dict[int, int] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)

    def left_s(self, now: float) -> float | None:
        """Seconds; None while nothing is known."""
        usual = self._usual(now)
        if usual is None:
            return None
        left = 0.0
        for i, unit in enumerate(self.units):
            if i not in self.seconds:
                whole = usual if unit.training != BASELINES else usual / 2
                left += max(whole - (now - self.began[i] if i in self.began else 0.0), 0.05 * whole)
        waiting = len(self.units) - len(self.seconds)
        return left / max(min(self.workers, waiting), 1)

    def _usual(self, now: float) -> float | None:
        """Seconds of a training run: the mean of those that ended, else what the first ones have come to by now."""
        trained = [s for i, s in self.seconds.items() if self.units[i].training != BASELINES]
        if not trained:
            trained = [
                (now - self.began[i]) * self.units[i].steps / steps
                for i, steps in self.steps.items()
                if steps and i not in self.seconds
            ]
        return sum(trained) / len(trained) if trained else None


class Board:
    """Shows the units of a comparison; a context manager that is told what happens.

    Args:
        units: that are to be done. done: how many were done before. workers: processes at once.
    """

    def __init__(self, units: Sequence[Unit], done: int, workers: int, console: Console) -> None:
        self._units, self._console = units, console
        self._done, self._total = done, len(units) + done
        self._place = {unit.folder: i for i, unit in enumerate(units)}
        self._estimator = Estimator(workers, units)
        self._bars = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[note]}"),
            console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._all = self._bars.add_task("[bold]runs[/]", total=self._total, completed=done, note="")
        self._tasks: dict[int, TaskID] = {}

    def hear(self, unit: Unit, steps: int) -> None:
        """So many more steps of a unit are done; 0: it has begun."""
        i, estimator = self._place[unit.folder], self._estimator
        estimator.began.setdefault(i, time.monotonic())
        estimator.steps[i] = estimator.steps.get(i, 0) + steps
        if i not in self._tasks:
            self._tasks[i] = self._bars.add_task(title(unit), total=max(unit.steps, 1), note="")
        self._bars.update(self._tasks[i], completed=estimator.steps[i], note=self._stage(i))
        self._show_left()

    def finished(self, unit: Unit, result: Finished) -> None:
        """A unit's rows are there."""
        i, estimator = self._place[unit.folder], self._estimator
        now = time.monotonic()
        estimator.seconds[i] = now - estimator.began.get(i, now)
        self._done += 1
        if i in self._tasks:
            self._bars.remove_task(self._tasks.pop(i))
        self._bars.advance(self._all)
        self._show_left()
        rounds = "" if unit.training == BASELINES else f" {unit.config.rounds} rounds {result.train_seconds:.0f} s,"
        self._console.print(
            f"run {self._done} of {self._total}  {title(unit)}:{rounds} scored in "
            f"{result.score_seconds:.0f} s{self._left()}", highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip

    def _stage(self, i: int) -> str:
        unit, steps = self._units[i], self._estimator.steps[i]
        if steps >= unit.steps:
            return "scoring"
        return f"round {steps * unit.config.rounds // unit.steps + 1} of {unit.config.rounds}"

    def _left(self) -> str:
        left = self._estimator.left_s(time.monotonic())
        if left is None or len(self._estimator.seconds) == len(self._units):
            return ""
        minutes, seconds = divmod(int(left), 60)
        return f"  about {minutes // 60}:{minutes % 60:02}:{seconds:02} left"

    def _show_left(self) -> None:
        self._bars.update(self._all, note=f"{self._done} of {self._total}{self._left()}")

    def __enter__(self) -> Board:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()


def title(unit: Unit) -> str:
    """A unit's name and seed."""
    if unit.training == BASELINES:
        return unit.name
    training = "" if unit.name.startswith(unit.training) else f", {unit.training}"
    return f"{unit.name}{training}, seed {unit.config.seed}"
