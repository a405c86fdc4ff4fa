"""The body of ``simulation.py forecast-benchmark``."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from common.clock import day_slots
from common.config import RunConfig
from datagen.manifest import CommunityManifest
from experiments.skill.benchmark import Benchmark, run_benchmark
from experiments.skill.table import show, write


class _Bars:
    """Bars of the training jobs; plain lines of what is being done."""

    def __init__(self, console: Console) -> None:
        self.shown = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed} of {task.total} steps"),
            TimeElapsedColumn(), TimeRemainingColumn(), console=console, transient=True,
        )  # fmt: skip
        self._tasks: dict[str, TaskID] = {}

    def begin(self, job: str, steps: int) -> None:
        self._tasks[job] = self.shown.add_task(job, total=steps)

    def advance(self, job: str, steps: int) -> None:
        self.shown.advance(self._tasks[job], steps)


def benchmark(config: RunConfig, manifest: CommunityManifest, out: Path, workers: int, console: Console) -> Benchmark:
    """Run a benchmark on the homes of ``config.homes_dir``, print its tables, and leave its files in ``out``."""
    began = time.monotonic()
    bars = _Bars(console)

    def say(text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - began), 60)
        console.print(f"{minutes:2}:{seconds:02}  {text}", highlight=False)

    ends = day_slots(manifest.first_day).start, day_slots(manifest.last_day + timedelta(days=1)).start
    with bars.shown:
        bench = run_benchmark(config, Path(config.homes_dir), ends, out / "models", workers, bars, say)
    files = write(bench, config, manifest.data_hash, time.monotonic() - began, out)
    show(bench.rows, console)
    for path in files:
        console.print(f"[bold]Wrote[/] {path}", highlight=False, soft_wrap=True)
    return bench
