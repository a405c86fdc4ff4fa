import numpy as np
import pytest

from common.community import CommunityMean
from common.messages import WireError


def mean(first: int, *values: float) -> CommunityMean:
    return CommunityMean(first, np.array(values, np.float32))


@pytest.mark.parametrize(
    ("other", "first", "values"),
    [
        (mean(12, 3, 4), 10, [1, 2, 3, 4]),
        (mean(11, 5), 10, [1, 5]),
        (mean(14, 3), 10, [1, 2, 0, 0, 3]),
        (mean(8, 7), 8, [7, 0, 1, 2]),
    ],
)
def test_parts_join(other: CommunityMean, first: int, values: list[float]) -> None:
    joined = mean(10, 1, 2).joined(other)
    assert joined.first_slot == first
    np.testing.assert_array_equal(joined.values, np.array(values, np.float32))


@pytest.mark.parametrize("first", range(4, 18))
def test_readings_see_zeros_where_nothing_is_known(first: int) -> None:
    known = {10: 1.0, 11: 2.0, 12: 3.0}
    expected = [known.get(slot, 0.0) for slot in range(first, first + 5)]
    np.testing.assert_array_equal(mean(10, 1, 2, 3).over(first, 5), np.array(expected, np.float32))


def test_it_travels_as_arrays() -> None:
    known = mean(10, 1, 2, 3).since(12)
    again = CommunityMean.from_arrays(known.to_arrays())
    assert (again.first_slot, again.values.tolist(), again.end_slot) == (12, [3.0], 13)
    assert len(mean(10, 1).since(99).values) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"mean": np.array([5.1], np.float32)},
        {"mean": np.array([np.nan], np.float32)},
        {"mean": np.zeros(1)},
        {"mean": np.zeros((1, 1), np.float32)},
        {"first_slot": np.array([-1])},
        {"first_slot": np.array([1, 2])},
        {"more": np.zeros(1)},
    ],
)
def test_what_no_mean_can_be_is_refused(changes: dict[str, np.ndarray]) -> None:
    with pytest.raises(WireError, match="community"):
        CommunityMean.from_arrays(mean(1, 0.5).to_arrays() | changes)
