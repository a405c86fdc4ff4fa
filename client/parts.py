"""Work on many homes in parts, on all cores: numpy lets other threads run while it computes.

A part's numbers are its own, so nothing depends on how many threads there are, or which comes first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

_FEWEST_PARTS = 4
"""Fewer are done one after the other: a node with a few dozen homes shares its cores with other nodes."""

_Part = TypeVar("_Part")
_Done = TypeVar("_Done")


def in_parts(work: Callable[[_Part], _Done], parts: Sequence[_Part]) -> list[_Done]:
    """What ``work`` makes of each part, in their order."""
    if len(parts) < _FEWEST_PARTS:
        return [work(part) for part in parts]
    return list(_pool().map(work, parts))


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0)), thread_name_prefix="planner")
