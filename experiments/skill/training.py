"""The three ways to learn, trained side by side, with one display of how far they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from common.config import RunConfig
from experiments.side_by_side import side_by_side
from experiments.skill.networks import Job, Vector, jobs, train
from experiments.skill.split import Split


class Progress(Protocol):
    """Shows training."""

    def begin(self, job: str, steps: int) -> None:
        """A job of so many steps was planned."""

    def advance(self, job: str, steps: int) -> None:
        """So many more steps of it are done."""


def train_all(
    config: RunConfig, split: Split, home_ids: Sequence[str], out: Path, workers: int, progress: Progress
) -> Iterator[tuple[str, dict[str, Vector]]]:
    """Train the three ways; each with its model of each home, in order, as soon as it is there."""
    planned = jobs(config, split, home_ids, out)
    missing = {training: sum(job.training == training for job in planned) for training in _trainings(planned)}
    for training in missing:
        progress.begin(training, sum(job.steps for job in planned if job.training == training))
    found: dict[str, dict[str, Vector]] = {training: {} for training in missing}
    waiting = list(missing)

    def hear(job: Job, steps: int) -> None:
        progress.advance(job.training, steps)

    for job, vectors in side_by_side(train, planned, workers, hear):
        found[job.training] |= vectors
        missing[job.training] -= 1
        while waiting and not missing[waiting[0]]:
            training = waiting.pop(0)
            yield training, found.pop(training)


def _trainings(planned: Sequence[Job]) -> list[str]:
    return list(dict.fromkeys(job.training for job in planned))
