"""Several models trained side by side, a process each, with one display of how far they are."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from queue import Empty, Queue
from typing import Protocol

from common.config import RunConfig
from experiments.skill.networks import Job, Vector, jobs, train
from experiments.skill.split import Split

_POLL_S = 0.2
_told: Queue[tuple[str, int]] | None = None


class Progress(Protocol):
    """Shows training."""

    def begin(self, job: str, steps: int) -> None:
        """A job of so many steps was planned."""

    def advance(self, job: str, steps: int) -> None:
        """So many more steps of it are done."""


def train_all(
    config: RunConfig, split: Split, home_ids: Sequence[str], out: Path, workers: int, progress: Progress
) -> Iterator[tuple[str, dict[str, Vector]]]:
    """Train the three ways; each with its model of each home, as soon as it is there."""
    planned = jobs(config, split, home_ids, out)
    for training in dict.fromkeys(job.training for job in planned):
        progress.begin(training, sum(job.steps for job in planned if job.training == training))
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        told: Queue[tuple[str, int]] = manager.Queue()
        with ProcessPoolExecutor(workers, context, _take, (told,)) as pool:
            futures = {job: pool.submit(_do, job) for job in planned}
            for training in dict.fromkeys(job.training for job in planned):
                mine = {job: future for job, future in futures.items() if job.training == training}
                _wait(list(mine.values()), told, progress)
                yield training, _by_home(mine, home_ids)


def _by_home(done: dict[Job, Future[Vector]], home_ids: Sequence[str]) -> dict[str, Vector]:
    vectors = {job.home_id: future.result() for job, future in done.items()}
    return vectors if "" not in vectors else dict.fromkeys(home_ids, vectors[""])


def _wait(futures: Sequence[Future[Vector]], told: Queue[tuple[str, int]], progress: Progress) -> None:
    """Show what the processes tell until these are done; an error of theirs is raised by ``result()``."""
    while True:
        over = all(future.done() for future in futures)
        try:
            while True:
                progress.advance(*told.get(timeout=_POLL_S))
        except Empty:
            if over:
                return


def _take(told: Queue[tuple[str, int]]) -> None:
    global _told  # noqa: PLW0603 - what the pool gives each of its processes at its start
    _told = told


def _do(job: Job) -> Vector:
    def tell(steps: int) -> None:
        if _told is not None:
            _told.put((job.training, steps))

    return train(job, tell)
