from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from common.config import RunConfig
from datagen.community import prepare_homes
from datagen.writing import HOMES_PER_WORKER, workers_for

SIX = RunConfig(homes=6)


def _files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_homes_are_the_same_bytes_whatever_the_number_of_processes(tmp_path):
    seen = []
    alone = prepare_homes(SIX, tmp_path / "alone", workers=1)
    together = prepare_homes(SIX, tmp_path / "together", lambda done, total: seen.append((done, total)), workers=2)
    assert alone == together
    assert seen == [(k, 6) for k in range(1, 7)]
    assert _files(tmp_path / "alone") == _files(tmp_path / "together")


def test_a_failure_among_workers_leaves_nothing(tmp_path):
    def fail(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_homes(replace(SIX, homes=20), tmp_path / "a", fail, workers=2)
    assert list(tmp_path.iterdir()) == []


def test_few_homes_are_made_in_this_process():
    assert workers_for(10) == workers_for(HOMES_PER_WORKER) == 1
    assert workers_for(10**6) >= 1
