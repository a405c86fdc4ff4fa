from datetime import date

import pytest
from report_cases import BATTERY, FACTS, ROUNDS, TARIFF, by_chance, hand_made

from common.clock import day_slots
from report.chart import day_png
from report.results import build_result

JULY_15, JULY_16, OCTOBER_3 = (day_slots(date(2025, *day)) for day in ((7, 15), (7, 16), (10, 3)))
PNG_SIZE = (b"\x89PNG\r\n\x1a\n", 1600, 1200)


def size(path):
    head = path.read_bytes()[:24]
    return head[:8], int.from_bytes(head[16:20]), int.from_bytes(head[20:24])


@pytest.mark.parametrize("observed", [True, False])
@pytest.mark.parametrize(
    ("homes", "spans"),
    [(2, [JULY_15[:12]]), (10, [JULY_15]), (30, [JULY_15, JULY_16, OCTOBER_3])],
    ids=["six hours", "a day", "days with a gap"],
)
def test_the_picture_is_drawn(tmp_path, homes, spans, observed):
    books, readings = by_chance(homes, spans)
    result = build_result(books, ROUNDS, TARIFF, BATTERY, FACTS, readings if observed else None)
    day_png(result, tmp_path / "day.png")
    assert size(tmp_path / "day.png") == PNG_SIZE


def test_without_totals_or_rounds_it_says_so(tmp_path):
    day_png(build_result(hand_made(()), [], TARIFF, BATTERY, FACTS), tmp_path / "day.png")
    assert size(tmp_path / "day.png") == PNG_SIZE


def test_a_run_without_slots_is_drawn_too(tmp_path):
    books, _ = by_chance(2, [JULY_15[:2]])
    result = build_result(books, ROUNDS, TARIFF, BATTERY, FACTS)
    day_png(result.model_copy(update={"timeline": [], "trades": []}), tmp_path / "day.png")
    assert size(tmp_path / "day.png") == PNG_SIZE


def test_the_same_result_gives_the_same_picture(tmp_path):
    result = build_result(hand_made(), ROUNDS, TARIFF, BATTERY, FACTS)
    for name in ("a.png", "b.png"):
        day_png(result, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
