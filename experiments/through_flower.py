"""A run on Flower's own runtimes as the command line shows it: progress by its events, and why it failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from common.config import RunConfig
from report.events import follow
from report.progress import show
from server.app import EVENTS
from server.launch import LaunchError, Value, run_to_end, simulation_superlink


def through_flower(project: Path, config: RunConfig, folder: Path, nodes: int, workers: int, console: Console) -> None:
    """Run the app in ``project`` through ``flwr run`` in simulation mode, and show how it goes.

    Raises:
        LaunchError: the run did not complete.
    """
    federation: dict[str, Value] = {
        "num-supernodes": nodes, "client-resources-num-cpus": 1, "init-args-num-cpus": min(workers, nodes),
    }  # fmt: skip
    with cause(folder), simulation_superlink(folder / "flower") as link:
        run_to_end(link, project, config.flat(), federation, watched(folder, console))


@contextmanager
def cause(folder: Path) -> Iterator[None]:
    """Tell why a run failed in the words of its last event, rather than in those of the processes around it."""
    try:
        yield
    except LaunchError as error:
        causes = [event for event in follow(folder / EVENTS) if event["event"] == "error"]
        if not causes:
            raise
        text = causes[-1].get("message", "")
        raise LaunchError(f"{text} ({error})") from None


def watched(folder: Path, console: Console) -> Callable[[Callable[[], bool]], None]:
    """What shows a run's progress: its events as they are written."""

    def watch(alive: Callable[[], bool]) -> None:
        show(follow(folder / EVENTS, alive), console)

    return watch
