"""The community's mean surprise by slot, as central sends it and as each home keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.messages import WireError

MOST_SURPRISE = 5.0
"""Bound of a home's surprise, in units of its scale; the mean keeps to it, too."""


@dataclass(frozen=True)
class CommunityMean:
    """Mean over homes of how far the load was from each home's profile, in units of the home's scale.

    Attributes:
        first_slot: slot of the first value.
        values: one a slot, shape ``(n,)`` float32; 0 where nothing is known.
    """

    first_slot: int
    values: NDArray[np.float32]

    @property
    def end_slot(self) -> int:
        """First slot after the values."""
        return self.first_slot + len(self.values)

    def since(self, slot: int) -> CommunityMean:
        """The values of ``slot`` and later."""
        row = min(max(slot - self.first_slot, 0), len(self.values))
        return CommunityMean(self.first_slot + row, self.values[row:])

    def joined(self, other: CommunityMean) -> CommunityMean:
        """Both in one; where they overlap ``other`` counts, and a gap between them is unknown."""
        first, end = min(self.first_slot, other.first_slot), max(self.end_slot, other.end_slot)
        values = self.over(first, end - first)
        row = other.first_slot - first
        values[row : row + len(other.values)] = other.values
        return CommunityMean(first, values)

    def over(self, first_slot: int, count: int) -> NDArray[np.float32]:
        """Values of ``count`` slots from ``first_slot`` on; zeros where nothing is known."""
        values = np.zeros(count, np.float32)
        low, high = max(first_slot, self.first_slot), min(first_slot + count, self.end_slot)
        if low < high:
            values[low - first_slot : high - first_slot] = self.values[low - self.first_slot : high - self.first_slot]
        return values

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Plain arrays, to send and to store."""
        return {"first_slot": np.array([self.first_slot]), "mean": self.values}

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> CommunityMean:
        """Inverse of :meth:`to_arrays`.

        Raises:
            WireError: other arrays than these, or values that no mean can have.
        """
        if set(arrays) != {"first_slot", "mean"}:
            raise WireError("community: expected the arrays first_slot and mean")
        first, mean = arrays["first_slot"], arrays["mean"]
        if first.shape != (1,) or first.dtype != np.int64 or mean.ndim != 1 or mean.dtype != np.float32:
            raise WireError("community: expected one int64 slot and a float32 value for each slot")
        if first[0] < 0 or not (np.abs(mean) <= MOST_SURPRISE).all():  # NaN is refused, too
            raise WireError(f"community: a mean lies between -{MOST_SURPRISE:g} and {MOST_SURPRISE:g}")
        return CommunityMean(int(first[0]), mean)
