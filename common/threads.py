"""One thread for numbers: sums split over threads differ in their last bit, and a seed must give the same day."""

from __future__ import annotations

from functools import lru_cache

from threadpoolctl import threadpool_limits


@lru_cache(maxsize=1)
def one_thread() -> None:
    """Limit this process's linear algebra to one thread, once (looking through the loaded libraries takes 2 ms)."""
    threadpool_limits(limits=1)
