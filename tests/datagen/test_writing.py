from __future__ import annotations

import multiprocessing
import os
import signal
import time
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pytest

from common.config import RunConfig
from common.errors import UserError
from common.readings import HomeFacts, Readings, read_readings
from datagen.community import prepare_homes
from datagen.source import Community, HomeRecipe
from datagen.writing import CHUNK_HOMES, CHUNKS_AHEAD, HOMES_PER_WORKER, MOST_WORKERS, workers_for, write_community

DAY = date(2025, 6, 18)
NINE = RunConfig(homes=9)


@dataclass(frozen=True)
class SmallHomes(HomeRecipe):
    """Homes of four slots; one may be slow, fail, or take its process with it."""

    count: int
    slow: int = -1
    bad: int = -1
    deadly: int = -1

    def home(self, index):
        if index == self.slow:
            time.sleep(0.5)
        if index == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        load_wh = np.full(4, index if index != self.bad else -1)
        return HomeFacts(home_id=f"h{index:03d}"), Readings(972_000, load_wh, np.zeros(4, np.int64))


def community(homes):
    return Community("generated", "", homes.count, homes, None, DAY, DAY, DAY)


def contents(root):
    return {str(file.relative_to(root)): file.read_bytes() for file in sorted(root.rglob("*")) if file.is_file()}


def test_the_same_bytes_whatever_the_number_of_workers(tmp_path):
    seen = []
    alone = prepare_homes(NINE, tmp_path / "a", workers=1)
    shared = prepare_homes(NINE, tmp_path / "b", lambda done, total: seen.append((done, total)), workers=2)
    assert shared == alone
    assert contents(tmp_path / "b") == contents(tmp_path / "a")
    assert seen == [(done, 9) for done in range(1, 10)]
    forecasts = {(tmp_path / "b" / home / "weather_forecast.parquet").stat().st_ino for home in shared.homes}
    assert len(forecasts) == 1, "one file under many names"
    assert not multiprocessing.active_children()


def test_workers_keep_the_order_and_are_never_far_ahead(tmp_path):
    homes, ahead = SmallHomes(60, slow=1), []

    def look(done, total):
        if done == 3:
            time.sleep(0.5)  # a slow reader must hold the workers up
        ahead.append(len(list(tmp_path.glob("a/h*"))) - done)

    manifest = write_community(community(homes), 0, {}, tmp_path / "a", look, workers=2)
    assert manifest.homes == [f"h{index:03d}" for index in range(60)]
    assert max(ahead) <= CHUNK_HOMES * CHUNKS_AHEAD * 2
    assert [int(read_readings(tmp_path / "a" / home).load_wh[0]) for home in manifest.homes] == list(range(60))


def test_a_home_that_fails_ends_the_workers(tmp_path):
    with pytest.raises(UserError, match="home h030: column load_wh, row 0: -1 Wh"):
        write_community(community(SmallHomes(1000, bad=30)), 0, {}, tmp_path / "a", workers=2)
    assert not multiprocessing.active_children()
    assert len(list((tmp_path / "a").iterdir())) < 100, "the rest was not made"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs signals")
def test_a_killed_worker_is_one_error(tmp_path):
    with pytest.raises(UserError, match="ended from outside"):
        write_community(community(SmallHomes(1000, deadly=30)), 0, {}, tmp_path / "a", workers=2)
    assert not multiprocessing.active_children()


def test_nothing_half_written_is_left_after_an_interrupt(tmp_path):
    def interrupt(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_homes(replace(NINE, homes=40), tmp_path / "a", interrupt, workers=2)
    assert list(tmp_path.iterdir()) == []
    assert not multiprocessing.active_children()


def test_few_homes_are_made_in_this_process():
    assert workers_for(1) == workers_for(10) == workers_for(2 * HOMES_PER_WORKER - 1) == 1
    assert 1 <= workers_for(10**6) <= MOST_WORKERS
