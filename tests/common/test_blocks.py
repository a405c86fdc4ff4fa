from datetime import date

import pytest

from common.blocks import days_of, parse_blocks, write_blocks
from common.errors import UserError


def test_blocks_are_read_in_the_order_of_time_and_written_again():
    text = "2025-03-01..2025-03-03, 2025-01-07"
    blocks = parse_blocks(text)
    assert blocks == [(date(2025, 1, 7), date(2025, 1, 7)), (date(2025, 3, 1), date(2025, 3, 3))]
    assert days_of(blocks[1]) == [date(2025, 3, day) for day in (1, 2, 3)]
    assert parse_blocks(write_blocks(blocks)) == blocks
    assert write_blocks(blocks) == "2025-01-07,2025-03-01..2025-03-03"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("7.1.2025", "'7.1.2025' is not a date"),
        ("2025-01-07,", "'' is not a date"),
        ("2025-01-07..2025-01-06", "expected a date, or FIRST..LAST"),
        ("2025-01-01..2025-01-02..2025-01-03", "expected a date, or FIRST..LAST"),
        ("2025-01-01..2025-01-05,2025-01-05", "2025-01-05 is named twice"),
    ],
)
def test_what_is_no_block(text, says):
    with pytest.raises(UserError, match=says):
        parse_blocks(text)
