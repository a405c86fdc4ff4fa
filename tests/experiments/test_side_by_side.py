"""Tasks in processes of their own: results as they come, and no process that outlives an error."""

import os
from pathlib import Path

import psutil
import pytest

from experiments.side_by_side import side_by_side
from tests.experiments.side_by_side_cases import fail_or_wait, square


@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_is_done_and_heard(workers: int) -> None:
    heard: list[tuple[int, int]] = []
    tasks = [0, 1, 2, 3]
    done = list(side_by_side(square, tasks, workers, lambda task, steps: heard.append((task, steps))))
    assert sorted(done) == [(0, 0), (1, 1), (2, 4), (3, 9)]
    assert {task for task, steps in heard if steps == 0} == set(tasks)


def test_an_error_ends_all_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIDS", str(tmp_path))
    with pytest.raises(ValueError, match="no such luck"):
        list(side_by_side(fail_or_wait, [str(tmp_path / "a"), ""], 2, lambda task, steps: None))
    pid = int((tmp_path / "a.pid").read_text())
    assert pid != os.getpid()
    assert not psutil.pid_exists(pid)
