"""Test days in blocks: single days, and days in a row, as the run config writes them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise

from common.errors import UserError

Block = tuple[date, date]
"""First and last day."""


def parse_blocks(text: str) -> list[Block]:
    """Blocks of ``2025-01-07,2025-03-01..2025-03-31``, in the order of time.

    Raises:
        UserError: not a date, a block that ends before it begins, or a day that is in two blocks.
    """
    blocks = []
    for part in text.split(","):
        ends = [_day(end.strip()) for end in part.split("..")]
        if len(ends) > 2 or ends[-1] < ends[0]:
            raise UserError(f"test-days '{part}': expected a date, or FIRST..LAST")
        blocks.append((ends[0], ends[-1]))
    blocks.sort()
    for (_, last), (first, _) in pairwise(blocks):
        if first <= last:
            raise UserError(f"test-days: {first} is named twice")
    return blocks


def days_of(block: Block) -> list[date]:
    """All days of a block."""
    first, last = block
    return [first + timedelta(days=k) for k in range((last - first).days + 1)]


def write_blocks(blocks: Iterable[Block]) -> str:
    """Inverse of :func:`parse_blocks`."""
    return ",".join(f"{first}" if first == last else f"{first}..{last}" for first, last in blocks)


def _day(text: str) -> date:
    try:
        if len(text) != len("YYYY-MM-DD"):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise UserError(f"test-days '{text}' is not a date; write YYYY-MM-DD") from None
