"""Homes on their way into folders, in a stream: few are made in this process, many by one worker process a core.

A home is forgotten as soon as it is written, and workers are never more than a few homes ahead, so 10,000 homes take
as much memory as ten.  Weather goes to each worker once, and only names, digests and days come back.  What is written
does not depend on the number of workers.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import shutil
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path

from threadpoolctl import threadpool_limits

from common.errors import UserError
from common.readings import HomeFacts, Readings, WeatherForecast, write_home
from common.threads import one_thread
from common.units import SLOT_HOURS, WH_PER_KWH
from datagen.gaps import gap_days
from datagen.manifest import CommunityManifest, community_hash, home_digest, keep_out_of_git, write_manifest
from datagen.source import Community, Home, HomeRecipe

FORECAST_FILE = "weather_forecast.parquet"

HOMES_PER_WORKER = 128
"""A worker takes 4 to 5 s to start, in which this process makes as many; with fewer for each, fewer are started."""
MOST_WORKERS = 32
"""Each takes about 250 MB of memory."""
CHUNK_HOMES = 4
CHUNKS_AHEAD = 2
"""Chunks of homes that are under way or waiting for each worker."""

Progress = Callable[[int, int], None]
"""Called with the homes done and the homes in all."""


@dataclass(frozen=True)
class WrittenHome:
    """What is kept of a home that lies in its folder: its name, its digest, and the local days with gaps."""

    home_id: str
    digest: bytes
    gap_days: tuple[date, ...]


def write_community(
    community: Community,
    seed: int,
    inputs: dict[str, str | int | float],
    draft: Path,
    progress: Progress | None = None,
    workers: int | None = None,
) -> CommunityManifest:
    """Write all homes of a community, one folder each, and the manifest.

    Args:
        community: its homes are made on the way.
        seed: of the run.
        inputs: what the community is made from.
        draft: folder of the homes' folders.
        progress: told after each home.
        workers: processes that make homes, where the community has a recipe; 1 for this one alone, None for as many
            as pay.

    Raises:
        UserError: bad readings, or a worker that was ended from outside.
        OSError: a full disk, or a folder that may not be written.
    """
    workers = workers_for(community.count) if workers is None else workers
    homes: list[WrittenHome] = []
    # On one thread, as in a worker: what is written does not depend on who makes it.
    with threadpool_limits(limits=1), closing(_written(community, draft, workers)) as written:
        for home in written:
            homes.append(home)
            if progress is not None:
                progress(len(homes), community.count)
    gaps = {day for home in homes for day in home.gap_days}
    manifest = CommunityManifest(
        homes=[home.home_id for home in homes],
        source=community.source,
        scenario=community.scenario,
        seed=seed,
        data_hash=community_hash((home.digest for home in homes), community.forecast),
        first_day=community.first_day,
        last_day=community.last_day,
        start_date=community.start_date,
        inputs=inputs,
        warnings=community.warnings,
        gap_days=sorted(day for day in gaps if community.first_day <= day <= community.last_day),
    )
    write_manifest(draft, manifest)
    keep_out_of_git(draft)
    return manifest


def workers_for(homes: int) -> int:
    """Processes that make so many homes fastest; 1 stands for no other than this one."""
    if multiprocessing.current_process().daemon:  # may have no children
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, homes // HOMES_PER_WORKER, MOST_WORKERS))


def _written(community: Community, draft: Path, workers: int) -> Generator[WrittenHome]:
    """Write homes; each is given back, in order, when it is in its folder."""
    if isinstance(community.homes, HomeRecipe) and workers > 1:
        return _written_by_workers(community.homes, draft, community.forecast, workers)
    return _written_here(community.homes, draft, community.forecast)


def _written_here(
    homes: Iterable[Home], draft: Path, forecast: WeatherForecast | Path | None
) -> Generator[WrittenHome]:
    """Write homes one by one.

    Args:
        homes: facts and readings.
        draft: folder of the homes' folders.
        forecast: of all homes; the first one's file becomes the others', too. Or that file.
    """
    for bare, readings in homes:
        facts = _connected(bare, readings)
        folder = draft / facts.home_id
        write_home(folder, facts, readings, forecast if isinstance(forecast, WeatherForecast) else None)
        if isinstance(forecast, Path):
            _share(forecast, folder / FORECAST_FILE)
        elif forecast is not None:
            forecast = folder / FORECAST_FILE
        yield WrittenHome(facts.home_id, home_digest(facts, readings), tuple(gap_days(readings)))


def _written_by_workers(
    recipe: HomeRecipe, draft: Path, forecast: WeatherForecast | None, workers: int
) -> Generator[WrittenHome]:
    """Write homes in worker processes; all of these have ended when this ends, however it does."""
    first = next(_written_here([recipe.home(0)], draft, forecast))
    yield first
    file = None if forecast is None else draft / first.home_id / FORECAST_FILE
    chunks = (range(at, min(at + CHUNK_HOMES, recipe.count)) for at in range(1, recipe.count, CHUNK_HOMES))
    ahead: deque[Future[list[WrittenHome]]] = deque()
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(workers, context, _Worker.begin, (recipe, draft, file))
    try:
        while True:
            with _interrupts_held():  # a process begun in here never sees one
                wanted = CHUNKS_AHEAD * workers - len(ahead)
                ahead.extend(executor.submit(_Worker.write, chunk) for chunk in islice(chunks, wanted))
            if not ahead:
                return
            yield from ahead.popleft().result()
    except BrokenProcessPool:
        raise UserError(
            "a process that made homes was ended from outside (is memory short?); no home was kept"
        ) from None
    finally:
        with _interrupts_held():
            executor.shutdown(cancel_futures=True)


class _Worker:
    """What a worker process makes homes of, given to it once."""

    recipe: HomeRecipe
    draft: Path
    forecast: Path | None

    @classmethod
    def begin(cls, recipe: HomeRecipe, draft: Path, forecast: Path | None) -> None:
        """Called once in each worker."""
        cls.recipe, cls.draft, cls.forecast = recipe, draft, forecast
        one_thread()
        threading.Thread(target=_end_with_parent, daemon=True).start()

    @classmethod
    def write(cls, indices: range) -> list[WrittenHome]:
        """Make and write homes."""
        return list(_written_here(map(cls.recipe.home, indices), cls.draft, cls.forecast))


def _end_with_parent() -> None:
    """End this process as soon as its parent is gone, killed perhaps; else it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C waits until the end of this; processes that begin in here never see it, so the parent alone acts on it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _connected(facts: HomeFacts, readings: Readings) -> HomeFacts:
    """The home's facts with a connection that carries what its readings and its battery may ask of it together."""
    most_wh = int(max(readings.load_wh.max(), readings.pv_wh.max()))
    needed_kw = most_wh / WH_PER_KWH / SLOT_HOURS + 2 * facts.battery.max_power_kw
    return facts.model_copy(update={"connection_kw": max(facts.connection_kw, float(math.ceil(needed_kw)))})


def _share(file: Path, link: Path) -> None:
    """The same file under a second name, as a hard link where the file system has them: all homes share the weather."""
    try:
        os.link(file, link)
    except OSError:
        shutil.copyfile(file, link)
