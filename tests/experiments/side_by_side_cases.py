"""Tasks for processes of their own; this module imports nothing heavy."""

import os
import time
from pathlib import Path


def square(task: int, tell) -> int:
    tell(0)
    time.sleep(0.3 if task == 0 else 0.0)
    tell(task)
    return task * task


def fail_or_wait(task: str, tell) -> str:
    """Task "fail" fails once the others have written their process's id; they wait for long."""
    if not task:
        while len(list(Path(os.environ["PIDS"]).glob("*.pid"))) < 1:
            time.sleep(0.05)
        raise ValueError("no such luck")
    draft = Path(task).with_suffix(".draft")
    draft.write_text(str(os.getpid()))
    draft.rename(Path(task).with_suffix(".pid"))
    time.sleep(60)
    return task
