import json
from dataclasses import replace

import jsonschema
import pytest
from report_cases import (
    BATTERY,
    ELM,
    ELM_PAYS,
    ELM_REFILL,
    FACTS,
    FIRST,
    OAK,
    OAK_PAYS,
    ROUNDS,
    TARIFF,
    by_chance,
    hand_made,
    seen,
)

from common.clock import day_slots, local_of
from common.units import NUSD_PER_USD
from report.json_schema import SCHEMAS, schema_json, schema_path
from report.observed import Bounds
from report.results import build_result, write_result
from report.schema import Result

PART_OF_A_DAY = "only a part of 2025-07-15 was run: what is left in the batteries weighs more than usual"


def build(books=None, observed=None, bounds=None):
    return build_result(books or hand_made(), ROUNDS, TARIFF, BATTERY, FACTS, observed, bounds)


def test_headline_is_the_first_thing_in_the_file_and_reads_as_people_write_it(tmp_path):
    write_result(build(), tmp_path / "result.json")
    written = json.loads((tmp_path / "result.json").read_text())
    assert list(written.items())[:6] == [
        ("baseline_pge_cost", "$1.50"),
        ("optimized_cost", "$1.01"),
        ("savings", "$0.49"),
        ("savings_percent", "32.4%"),
        ("trades_executed", 2),
        ("battery_efficiency", "90%"),
    ]


def test_figures_are_those_computed_by_hand():
    f = build().figures
    paid = OAK_PAYS + ELM_PAYS
    assert f.ledger_cost_usd == paid / NUSD_PER_USD
    assert f.stored_energy_value_usd == ELM_REFILL / NUSD_PER_USD
    assert f.optimized_usd == (paid + ELM_REFILL) / NUSD_PER_USD
    assert (f.baseline_b0_usd, f.baseline_b1_usd) == (2.0, 1.5)
    assert f.savings_percent_b1 == pytest.approx(100 * (1.5 - 1.01399) / 1.5, abs=1e-3)
    assert f.savings_percent_b0 == pytest.approx(100 * (2.0 - 1.01399) / 2.0, abs=1e-3)
    assert (f.trades_executed, f.traded_kwh) == (2, 0.875)
    assert f.round_trip_efficiency == pytest.approx(1.0 / (1.0 + 0.105 / 0.9**0.5))
    assert (f.money_residual_nusd, f.energy_residual_wh) == (0, 0)


def test_homes_are_compared_with_their_own_battery_alone():
    result = build()
    elm, oak = result.homes
    assert (elm.home_id, oak.home_id) == ("elm", "oak")
    assert (oak.bought_kwh, oak.sold_kwh, oak.imported_kwh, oak.exported_kwh) == (0.4, 0.5, 0.6, 0.5)
    assert oak.p2p_usd == 0.301
    assert oak.savings_usd == pytest.approx(0.099)
    assert not oak.worse_off
    assert elm.p2p_usd == (ELM_PAYS + ELM_REFILL) / NUSD_PER_USD
    assert elm.worse_off, "1.3 cents above its battery alone"
    assert result.homes_worse_off == 1


def test_less_than_a_cent_is_not_worse_off():
    elm = ELM.model_copy(update={"battery_only_nusd": ELM_PAYS + ELM_REFILL - 9_999_999})
    assert build(hand_made((OAK, elm))).homes_worse_off == 0


def test_timeline_and_peak_from_the_ledger_alone_leave_readings_unknown():
    result = build()
    first, *_, last = result.timeline
    assert len(result.timeline) == 4
    assert (first.start_utc, first.start_local) == ("2025-07-15T22:00:00Z", "2025-07-15T15:00:00-07:00")
    assert (first.price_usd_per_kwh, first.import_usd_per_kwh, first.export_usd_per_kwh) == (0.2, 0.28, 0.06)
    assert (first.traded_kwh, first.imported_kwh, first.exported_kwh) == (0.475, 0.525, 0.5)
    assert last.cost_so_far_usd == result.figures.ledger_cost_usd
    assert first.load_kwh is first.solar_kwh is first.state_of_charge_percent is None
    assert (result.peak.window_p2p_kwh, result.peak.day_max_p2p_kw) == (0.6, 4.0)
    assert result.peak.window_b1_kwh is result.peak.day_max_ratio is None


def test_readings_add_what_only_the_evaluator_may_know_and_change_nothing_else():
    alone, observed = build().model_dump(), build(observed=seen()).model_dump()
    row = observed["timeline"][0]
    assert (row["load_kwh"], row["solar_kwh"]) == (1.2, 1.2)
    assert row["state_of_charge_percent"] == pytest.approx(100 * 7700 / 19500, abs=0.01)
    assert observed["peak"] == {
        "window_b1_kwh": 2.5, "window_p2p_kwh": 0.6, "window_cut_percent": 76.0,
        "day_max_b1_kw": 3.0, "day_max_p2p_kw": 4.0, "day_max_ratio": pytest.approx(4 / 3, abs=1e-6),
    }  # fmt: skip
    for key in ("load_kwh", "solar_kwh", "state_of_charge_percent"):
        for before, after in zip(alone["timeline"], observed["timeline"], strict=True):
            del before[key], after[key]
    del alone["peak"], observed["peak"]
    assert alone == observed


def test_readings_of_other_slots_are_refused():
    with pytest.raises(ValueError, match="not observed"):
        build(observed=seen().at(seen().slots[:-2]))


def test_captured_share_is_of_the_optimums_savings():
    w = build(
        bounds=Bounds({"oak": 200_000_000, "elm": 600_000_000}, {"oak": 300_000_000, "elm": 650_000_000})
    ).waterfall
    assert (w.grid_only_usd, w.own_solar_usd, w.own_battery_usd) == (2.0, 1.5, 1.05)
    assert (w.perfect_forecast_usd, w.community_optimum_usd) == (0.95, 0.8)
    assert w.captured_share == pytest.approx((1.5 - 1.01399) / 0.7, abs=1e-4)


def test_losses_and_a_baseline_that_is_not_positive_read_well():
    dear = build(hand_made((OAK, ELM.model_copy(update={"b1_nusd": 593_990_321}))))
    assert (dear.savings, dear.savings_percent) == ("-$0.02", "-2.0%")
    paid = build(hand_made((OAK.model_copy(update={"b1_nusd": -1_500_000_000}), ELM)))
    assert (paid.baseline_pge_cost, paid.savings, paid.savings_percent) == ("-$0.40", "-$1.41", "n/a")
    even = build(hand_made((OAK, ELM.model_copy(update={"b1_nusd": 613_990_320}))))
    assert (even.savings, even.savings_percent) == ("$0.00", "0.0%")


def test_a_home_without_totals_is_left_out_of_costs_and_named():
    result = build(hand_made((OAK,)))
    assert (result.figures.homes, result.figures.homes_counted) == (2, 1)
    assert (result.baseline_pge_cost, result.optimized_cost) == ("$0.40", "$0.30")
    assert result.battery_efficiency == "n/a", "oak did not use its battery"
    elm = result.homes[0]
    assert (elm.b1_usd, elm.p2p_usd, elm.worse_off) == (None, None, None)
    assert elm.ledger_cost_usd == 0.682
    assert result.warnings == [
        "totals or meters of elm are missing: costs and savings cover 1 of 2 homes",
        PART_OF_A_DAY,
    ]


def without_a_meter_of_elm():
    """Elm's second meter did not come, so that its 2 kWh from the grid are not in the ledger."""
    books = hand_made()
    gone = (books.meters["slot"] == FIRST + 1) & (books.meters["home_id"] == "elm")
    return replace(books, meters=books.meters[~gone], postings=books.postings[books.postings["slot"] != FIRST + 1])


def with_an_estimated_meter_of_elm():
    """Elm's last meter did not come: settled as if it had injected nothing, the 422 Wh that it sold from the grid."""
    books = hand_made()
    last = (books.meters["slot"] == FIRST + 3) & (books.meters["home_id"] == "elm")
    books.meters.loc[last, ["export_wh", "grid_import_wh", "estimated"]] = [0, 422, 1]
    bill = 422 * 510_000
    books.postings.loc[len(books.postings)] = (13, FIRST + 3, "home:elm", "grid-import", -bill)
    books.postings.loc[len(books.postings)] = (14, FIRST + 3, "grid", "grid-import", bill)
    return books


@pytest.mark.parametrize(
    ("books", "elm_pays_nusd"),
    [
        (without_a_meter_of_elm(), ELM_PAYS - 2000 * 280_000),
        (with_an_estimated_meter_of_elm(), ELM_PAYS + 422 * 510_000),
    ],
    ids=["missing", "estimated"],
)
def test_a_home_with_totals_but_without_one_meter_is_left_out_on_both_sides_and_named(books, elm_pays_nusd):
    result = build(books, bounds=Bounds({"oak": 200_000_000, "elm": 600_000_000}))
    f, w = result.figures, result.waterfall
    assert (f.money_residual_nusd, f.energy_residual_wh) == (0, 0)
    assert (f.homes, f.homes_counted) == (2, 1)
    assert (f.baseline_b0_usd, f.baseline_b1_usd) == (0.9, 0.4)
    assert (f.ledger_cost_usd, f.stored_energy_value_usd, f.optimized_usd) == (0.301, 0.0, 0.301)
    assert (result.baseline_pge_cost, result.optimized_cost, result.savings) == ("$0.40", "$0.30", "$0.10")
    assert (w.own_battery_usd, w.p2p_usd) == (0.35, 0.301)
    assert w.community_optimum_usd is w.captured_share is None, "the optimum is both homes'"
    assert result.battery_efficiency == "n/a", "oak did not use its battery"
    assert result.homes_worse_off == 0
    elm = result.homes[0]
    assert elm.b0_usd is elm.b1_usd is elm.battery_only_usd is elm.p2p_usd is elm.savings_usd is elm.worse_off is None
    assert elm.ledger_cost_usd == elm_pays_nusd / NUSD_PER_USD
    assert result.warnings[0] == "totals or meters of elm are missing: costs and savings cover 1 of 2 homes"


def test_without_any_totals_the_trades_are_still_told():
    result = build(hand_made(()))
    assert (result.baseline_pge_cost, result.savings, result.savings_percent) == ("n/a", "n/a", "n/a")
    assert result.figures.optimized_usd is result.homes_worse_off is result.waterfall.p2p_usd is None
    assert result.figures.traded_kwh == 0.875
    assert result.warnings == [
        "totals or meters of elm, oak are missing: costs and savings cover 0 of 2 homes",
        PART_OF_A_DAY,
    ]


def test_missing_meter_readings_are_warned_of():
    books = hand_made()
    assert build(replace(books, meters=books.meters[:-1])).warnings == [
        "totals or meters of elm are missing: costs and savings cover 1 of 2 homes",
        "1 of 8 meter readings are missing in the ledger",
        PART_OF_A_DAY,
    ]


def test_days_in_a_row_and_apart_and_a_long_day():
    from datetime import date

    spans = [day_slots(date(2025, 11, 1)), day_slots(date(2025, 11, 2)), day_slots(date(2026, 2, 3))]
    books, observed = by_chance(3, spans)
    result = build(books, observed)
    assert len(result.timeline) == 48 + 50 + 48
    assert (result.provenance.slots, result.provenance.days) == (146, 3)
    assert result.figures.homes_counted == 3
    assert result.figures.money_residual_nusd == result.figures.energy_residual_wh == 0
    assert local_of(spans[1][-1]).isoformat() == result.timeline[97].start_local


def test_rounds_keep_what_the_events_said():
    first, last = build().rounds
    assert (first.loss, first.validation_base, first.validation_model, first.gates) == (0.9, 0.8, None, None)
    assert (last.round, last.slot, last.homes, last.gates, last.seconds) == (2, FIRST, 2, [1.0, 0.5], 2.5)


def test_provenance_says_where_the_figures_come_from():
    p = build().provenance
    assert (p.seed, p.config["homes"], p.config["date"], p.data_hash) == (0, 2, "2025-07-15", "0" * 64)
    assert p.tariff.label == "pge-tou-c"
    assert (p.started_utc, p.ended_utc) == ("2025-08-01T12:00:00Z", "2025-08-01T12:05:00Z")
    assert set(p.versions) == {"python", "commonwatt", "flwr", "torch"}


@pytest.mark.parametrize("totals", [(OAK, ELM), (OAK,), ()])
@pytest.mark.parametrize("observed", [None, seen()])
def test_result_keeps_to_its_schema_and_survives_a_round_trip(totals, observed):
    result = build(hand_made(totals), observed)
    text = result.model_dump_json()
    jsonschema.validate(json.loads(text), json.loads(schema_json("result")))
    assert Result.model_validate_json(text) == result


def test_same_books_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_result(build(observed=seen()), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_in_the_docs_are_up_to_date(name, request):
    committed = request.config.rootpath / schema_path(name)
    assert committed.read_text() == schema_json(name), "run: python -m report.json_schema"
