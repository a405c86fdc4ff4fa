import io
from datetime import date
from pathlib import Path

import pytest
from report_cases import BATTERY, FACTS, ROUNDS, TARIFF, by_chance, hand_made, seen
from rich.console import Console

from common.clock import day_slots
from report.accounts import by_span
from report.evaluation import day_outcome, evaluation
from report.observed import Bounds
from report.results import build_result
from report.summary import print_evaluation, print_result

BOUNDS = Bounds({"oak": 200_000_000, "elm": 600_000_000})
DAYS = [day_slots(date(2025, 7, day)) for day in range(1, 13)]


def printed(show, *values):
    console = Console(file=io.StringIO(), width=80)
    show(*values[:1], console, *values[1:])
    return console.file.getvalue()


def test_the_headline_the_steps_the_homes_and_the_files_are_told():
    result = build_result(hand_made(), ROUNDS, TARIFF, BATTERY, FACTS, seen(), BOUNDS)
    text = printed(print_result, result, {"prepare": 1.0, "trade": 2.5}, [Path("outputs/result.json")])
    for words in (
        "$1.50", "$0.49  (32.4%)", "1 of 2", "community optimum", "69% of the community optimum's savings",
        "2.5 -> 0.6 kWh (-76%)", "elm !", "0.900 -> 0.700", "trade 2.5 s", "Wrote outputs/result.json",
    ):  # fmt: skip
        assert words in text


@pytest.mark.parametrize("homes", [2, 50])
def test_it_fits_80_columns_and_shows_no_more_homes_than_fit(homes):
    books, readings = by_chance(homes, DAYS[:3])
    text = printed(print_result, build_result(books, ROUNDS, TARIFF, BATTERY, FACTS, readings), {}, [])
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert text.count("home-") == min(homes, 20)


def test_what_nobody_reported_is_a_dash_or_left_out():
    text = printed(print_result, build_result(hand_made(()), [], TARIFF, BATTERY, FACTS), {}, [])
    assert "n/a" in text
    assert "warning: totals or meters of elm, oak are missing" in text
    assert "None" not in text


def test_an_evaluation_reads_at_80_columns():
    books, readings = by_chance(3, DAYS)
    outcomes = [day_outcome(day, TARIFF, BATTERY, readings) for day in by_span(books)]
    text = printed(print_evaluation, evaluation(outcomes, BATTERY, FACTS.config, FACTS.data_hash, 12.0))
    assert max(map(len, text.splitlines())) <= 80
    assert "12 days, 3 homes" in text
    assert "and 2 more days" in text
