"""Home-years generated and written, in this process and on all cores, and how fast each format of real homes is read.

    python -m benchmarks.datagen                  1, 10 and 100 homes, and the formats
    python -m benchmarks.datagen --homes 10000    so many homes on all cores, and nothing else

A row is one half-hour of one home.  Peak memory is the resident memory of this process and its workers together (what
they share counts once for each), sampled every 50 ms.  Homes go to a temporary folder: 0.35 MB each.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from common.config import RunConfig
from common.readings import home_folders, read_facts, read_readings
from datagen.community import prepare_homes
from datagen.importers import IMPORTERS, importer_for
from datagen.source import Home

HOMES = (1, 10, 100)
MANY = 10_000
FILES = {"csv": "homes.toml", "sql": "homes.db"}
"""Formats that are files; the others are folders."""
console = Console()


@dataclass(frozen=True)
class Measured:
    """One community made: wall seconds from nothing to the whole folder, half-hours of all homes, bytes on disk, and
    the highest resident memory meanwhile.
    """

    homes: int
    seconds: float
    rows: int
    size_bytes: int
    peak_bytes: int


@contextmanager
def peak_memory() -> Iterator[list[int]]:
    """Highest resident memory of this process and its children so far, bytes, in a list of one."""
    peak, done, process = [0], threading.Event(), psutil.Process()

    def sample() -> None:
        while not done.wait(0.05):
            total = process.memory_info().rss
            for child in process.children(recursive=True):
                try:
                    total += child.memory_info().rss
                except psutil.Error:  # has just ended
                    continue
            peak[0] = max(peak[0], total)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def measure(homes: int, workers: int) -> Measured:
    """Make a community in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder, peak_memory() as peak, Progress(transient=True) as shown:
        root = Path(folder) / "homes"
        task = shown.add_task(f"{homes:,} homes, {workers} process{'es' if workers > 1 else ''}", total=homes)
        began = time.perf_counter()
        prepare_homes(RunConfig(homes=homes), root, lambda done, _: shown.update(task, completed=done), workers)
        seconds = time.perf_counter() - began
        folders = home_folders(root)
        rows = len(read_readings(folders[0])) * len(folders)
        files = {stat.st_ino: stat.st_size for stat in (file.stat() for file in root.rglob("*") if file.is_file())}
    return Measured(homes, seconds, rows, sum(files.values()), peak[0])


def time_of_many(few: Measured, more: Measured) -> float:
    """Seconds that :data:`MANY` homes take at the pace between two measured numbers of homes."""
    pace = (more.seconds - few.seconds) / (more.homes - few.homes)
    return more.seconds + pace * (MANY - more.homes)


def generation_table(runs: list[tuple[int, list[Measured]]]) -> Table:
    """Speed of making homes, for each number of workers and homes; from the last two how long many would take."""
    table = Table(title="Home-years generated and written")
    for name in ("workers", "homes", "seconds", "homes/s", "rows/s", "MB each", "peak MB", f"{MANY:,}"):
        table.add_column(name, justify="right")
    for workers, measured in runs:
        for run in measured:
            many = time_of_many(*measured[-2:]) if run is measured[-1] and len(measured) > 1 else None
            table.add_row(
                str(workers), f"{run.homes:,}", f"{run.seconds:.2f}", f"{run.homes / run.seconds:.1f}",
                f"{run.rows / run.seconds:,.0f}", f"{run.size_bytes / run.homes / 1e6:.2f}",
                f"{run.peak_bytes / 1e6:,.0f}", f"{many / 60:.1f} min" if many else "",
            )  # fmt: skip
    return table


def import_table() -> Table:
    """Speed of reading a year of one home in each format that can be written."""
    table = Table(title="A year of one home read")
    for name in ("format", "MB", "seconds", "rows/s"):
        table.add_column(name, justify="left" if name == "format" else "right")
    with tempfile.TemporaryDirectory() as folder:
        prepare_homes(RunConfig(homes=2), Path(folder) / "made")
        source = home_folders(Path(folder) / "made")[1]  # has solar
        home = (read_facts(source), read_readings(source))
        for name, importer in IMPORTERS.items():
            if importer.save is not None:
                table.add_row(name, *read_speed(name, home, Path(folder)))
    return table


def read_speed(name: str, home: Home, folder: Path) -> tuple[str, str, str]:
    """MB, seconds and rows a second of one format; the best of three."""
    target = folder / name / FILES.get(name, "homes")
    target.parent.mkdir()
    save = IMPORTERS[name].save
    assert save is not None
    save([home], target)
    size = sum(file.stat().st_size for file in target.parent.rglob("*") if file.is_file())
    seconds, rows = float("inf"), 0
    for _ in range(3):
        began = time.perf_counter()
        rows = len(importer_for(str(target)).load(str(target)).homes[0][1])
        seconds = min(seconds, time.perf_counter() - began)
    return f"{size / 1e6:.2f}", f"{seconds:.3f}", f"{rows / seconds:,.0f}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--homes", type=int, help="measure so many homes on all cores, and nothing else")
    asked = parser.parse_args().homes
    cores = max(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 1)
    measure(1, 1)  # loads what is loaded late
    if asked:
        console.print(generation_table([(cores, [measure(asked, cores)])]))
        return
    ways = [1, cores] if cores > 1 else [1]
    console.print(generation_table([(workers, [measure(homes, workers) for homes in HOMES]) for workers in ways]))
    console.print(import_table())


if __name__ == "__main__":
    main()
