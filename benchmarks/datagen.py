"""How fast homes are made, written and read, and that memory does not grow with their number.

    python -m benchmarks.datagen [--homes 10000]

A row is one half-hour of one home.  Homes are a year of history and the days around a run, as ``python -m datagen
generate`` makes them, written to a temporary folder, in this process and in one worker process a core.  Formats are
timed on one home of a year, written before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from common.config import RunConfig
from common.readings import home_folders, read_readings
from datagen.community import prepare_homes
from datagen.importers import IMPORTERS

MB = 1e6
FULL_STREAM = 10_000


@contextmanager
def peak_memory() -> Iterator[list[float]]:
    """Peak of the memory of this process and its children while it lasts, MB, in the list's only place."""
    peak, ended = [0.0], threading.Event()

    def watch() -> None:
        me = psutil.Process()
        while not ended.wait(0.1):
            total = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            peak[0] = max(peak[0], total / MB)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def generate(homes: int, workers: int | None) -> tuple[float, int, float, float]:
    """Seconds, rows, MB a home and peak MB of memory."""
    with TemporaryDirectory() as folder, peak_memory() as peak:
        began = time.perf_counter()
        prepare_homes(RunConfig(homes=homes), Path(folder) / "homes", workers=workers)
        seconds = time.perf_counter() - began
        first = home_folders(Path(folder) / "homes")[0]
        size = sum(file.stat().st_size for file in first.iterdir() if file.name != "weather_forecast.parquet") / MB
        return seconds, homes * len(read_readings(first)), size, peak[0]


def read(name: str, folder: Path) -> tuple[float, float]:
    """Seconds to write and to read one home in a format."""
    homes = IMPORTERS["commonwatt"].load(str(folder / "homes")).homes
    save, load = IMPORTERS[name].save, IMPORTERS[name].load
    assert save is not None
    target = folder / name
    began = time.perf_counter()
    save(homes, target)
    written = time.perf_counter()
    source = {"csv": f"{target}.toml", "sql": f"sqlite:///{target}"}.get(name, str(target))
    load(source)
    return written - began, time.perf_counter() - written


def main(homes: Annotated[int, typer.Option(min=1, help="homes of the largest stream")] = 200) -> None:
    """Print both tables."""
    console = Console()
    table = Table(title="Homes made and written, a year each")
    for heading in ("homes", "processes", "s", "homes/s", "rows/s", "MB a home", "peak MB", f"{FULL_STREAM:,} take"):
        table.add_column(heading, justify="right")
    for count, workers in ((10, 1), (homes, 1), (homes, None)):
        seconds, rows, size, peak = generate(count, workers)
        table.add_row(
            f"{count:,}", "1" if workers else "as pay", f"{seconds:.1f}", f"{count / seconds:.1f}",
            f"{rows / seconds:,.0f}", f"{size:.2f}", f"{peak:,.0f}", f"{FULL_STREAM / count * seconds / 60:.0f} min",
        )  # fmt: skip
    console.print(table)
    table = Table(title="A home-year written and read, by format")
    for heading in ("format", "rows/s written", "rows/s read"):
        table.add_column(heading, justify="right")
    with TemporaryDirectory() as folder:
        prepare_homes(RunConfig(homes=1), Path(folder) / "homes")
        rows = len(read_readings(home_folders(Path(folder) / "homes")[0]))
        for name in IMPORTERS:
            written, loaded = read(name, Path(folder))
            table.add_row(name, f"{rows / written:,.0f}", f"{rows / loaded:,.0f}")
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
