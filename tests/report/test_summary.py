import io
from datetime import date, timedelta
from pathlib import Path

import pytest
from report_cases import BATTERY, FACTS, ROUNDS, TARIFF, by_chance, hand_made, seen
from rich.console import Console

from common.clock import day_slots
from common.tariff import load_tariff
from report.accounts import by_span
from report.evaluation import evaluation
from report.observed import Bounds
from report.outcome import day_outcome
from report.results import build_result
from report.summary import DAYS_SHOWN, print_evaluation, print_result

BOUNDS = Bounds({"oak": 200_000_000, "elm": 600_000_000})
DAYS = [day_slots(date(2025, 7, 1) + timedelta(days=k)) for k in range(DAYS_SHOWN + 2)]


def printed(show, *values, width=80):
    console = Console(file=io.StringIO(), width=width)
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


def test_what_the_bills_leave_out_is_told_of_the_tariff_in_use():
    tariff = load_tariff("pge-e-tou-c")
    outcomes = [day_outcome(hand_made(), tariff, BATTERY)]
    e = evaluation(outcomes, tariff, BATTERY, FACTS.config, FACTS.data_hash, 1.0)
    result = build_result(hand_made(), ROUNDS, tariff, BATTERY, FACTS)
    assert e.tariff == result.provenance.tariff
    for text in (printed(print_evaluation, e), printed(print_result, result, {}, [])):
        words = "Bills leave out: a fixed charge of $0.79343 a day (about $24 a month), the baseline credit"
        assert words in " ".join(text.split())
        assert max(map(len, text.splitlines())) <= 80
    unknown = tariff.model_copy(update={"fixedchargefirstmeter": 0, "leaves_out": []})
    e = evaluation(outcomes, unknown, BATTERY, FACTS.config, FACTS.data_hash, 1.0)
    assert "leave out" not in printed(print_evaluation, e)


def evaluated(homes, days, rename=None):
    """An evaluation of a made-up community, with its first home of another name."""
    books, readings = by_chance(homes, days)
    outcomes = [day_outcome(day, TARIFF, BATTERY, readings) for day in by_span(books)]
    e = evaluation(outcomes, TARIFF, BATTERY, FACTS.config, FACTS.data_hash, 12.0)
    first = e.by_home[0].model_copy(update={"home_id": rename or e.by_home[0].home_id})
    return e.model_copy(update={"by_home": [first, *e.by_home[1:]]})


def test_an_evaluation_reads_at_80_columns_and_shows_a_month():
    text = printed(print_evaluation, evaluated(3, DAYS))
    assert max(map(len, text.splitlines())) <= 80
    assert f"{DAYS_SHOWN + 2} days, 3 homes" in text and "and 2 more days" in text
    assert f"By home, {DAYS_SHOWN + 2} days together, saved against b1" in text
    assert "more days" not in printed(print_evaluation, evaluated(3, DAYS[:28]))


def test_the_highest_half_hours_are_told_in_kw_and_day_by_day():
    outcome = day_outcome(hand_made(), TARIFF, BATTERY, seen(), BOUNDS)
    text = printed(print_evaluation, evaluation([outcome], TARIFF, BATTERY, FACTS.config, FACTS.data_hash, 1.0))
    rows = [line.split() for line in text.splitlines() if "half-hour" in line or "of the same day" in line]
    assert [row[-4:] for row in rows[:2]] == [["3.00", "->", "4.00", "kW"]] * 2
    assert [row[-1] for row in rows[2:]] == ["1.33"] * 2


def test_what_trade_saves_beyond_the_own_battery_is_told_apart():
    e = evaluated(2, DAYS[:2])
    lines = printed(print_evaluation, e).splitlines()
    for home in e.by_home:
        (line,) = (line for line in lines if home.home_id in line)
        assert line.split()[-1] == f"${home.battery_only_usd - home.p2p_usd:.2f}"
    b1, own, p2p = (sum(getattr(day, name) for day in e.by_day) for name in ("b1_usd", "battery_only_usd", "p2p_usd"))
    (line,) = (line for line in lines if "of which trade;" in line)
    assert line.split()[-1] == f"{100 * (own - p2p) / b1:.1f}%"
    result = build_result(hand_made(), ROUNDS, TARIFF, BATTERY, FACTS, seen(), BOUNDS)
    (line,) = (line for line in printed(print_result, result, {}, []).splitlines() if line.startswith(" oak"))
    assert line.split()[1:6] == ["0.40", "0.35", "0.30", "0.10", "0.05"]


def test_names_are_whole_where_there_is_room():
    long = "a-house-of-a-name-as-long-as-some-street-and-its-number-are"
    e = evaluated(2, DAYS[:1], rename=long)
    assert long in printed(print_evaluation, e, width=140)
    narrow = printed(print_evaluation, e)
    assert "a-ho…umber-are" in narrow and max(map(len, narrow.splitlines())) <= 80
