"""Tasks side by side, a process each, told of to one display; the processes end with the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing.connection import wait
from queue import Empty
from threading import Thread
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

Task = TypeVar("Task")
Result = TypeVar("Result")

_POLL_S = 0.2
_told: Queue[tuple[int, int]] | None = None
"""In a process of the pool: the queue to what shows the progress."""


class Tell(Protocol):
    """Told how a task goes."""

    def __call__(self, steps: int) -> None:
        """So many more steps are done; 0: it has begun."""


def side_by_side(
    do: Callable[[Task, Tell], Result], tasks: Sequence[Task], workers: int, hear: Callable[[Task, int], None]
) -> Iterator[tuple[Task, Result]]:
    """Do the tasks, begun in their order; each with its result as soon as it is there.

    Args:
        do: a function of a module: a process of its own does each task, unless there is one worker, or one task.
        tasks: what is to be done; they travel by value.
        workers: processes at once.
        hear: told of the tasks' steps, in this process.

    An error of a task is raised here. Whatever ends the iteration ends the processes, in the midst of their tasks.
    """
    if workers == 1 or len(tasks) < 2:
        for task in tasks:
            yield task, do(task, partial(hear, task))
        return
    context = multiprocessing.get_context("spawn")
    told: Queue[tuple[int, int]] = context.Queue()
    before = set(multiprocessing.active_children())
    with ProcessPoolExecutor(min(workers, len(tasks)), context, _take, (told,)) as pool:
        futures = [pool.submit(_do, do, number, task) for number, task in enumerate(tasks)]
        try:
            for number, result in _as_done(futures, told, lambda number, steps: hear(tasks[number], steps)):
                yield tasks[number], result
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - before:
                process.terminate()
                process.join()
            raise


def _as_done(
    futures: Sequence[Future[Result]], told: Queue[tuple[int, int]], hear: Callable[[int, int], None]
) -> Iterator[tuple[int, Result]]:
    waiting = dict(enumerate(futures))
    while waiting:
        over = [number for number, future in waiting.items() if future.done()]
        try:
            while True:
                hear(*told.get(timeout=0 if over else _POLL_S))
        except Empty:
            pass
        for number in over:
            yield number, waiting.pop(number).result()


def _take(told: Queue[tuple[int, int]]) -> None:
    """What each process of the pool does first."""
    global _told  # noqa: PLW0603 - what the pool gives each of its processes at its start
    _told = told
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one says when to end
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End with the process that started this one, also where that was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _do(do: Callable[[Task, Tell], Result], number: int, task: Task) -> Result:
    def tell(steps: int) -> None:
        assert _told is not None
        _told.put((number, steps))

    return do(task, tell)
