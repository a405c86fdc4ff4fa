import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from common.clock import day_slots, local_calendar
from common.errors import UserError
from common.tariff import charge_windows, dear_until, load_tariff, tariff_names
from common.urdb import left_out

REAL = {
    "label": "5d5582305457a3e01135a086",
    "uri": "https://apps.openei.org/USURDB/rate/view/5d5582305457a3e01135a086",
    "utility": "Some Utility Co",
    "name": "Residential time of use",
    "startdate": 1704067200,
    "sector": "Residential",
    "dgrules": "Net Billing Hourly",
    "fixedchargefirstmeter": 15.25,
    "fixedchargeunits": "$/month",
    "mincharge": 10,
    "minchargeunits": "$/month",
    "energyratestructure": [
        [{"max": 300, "rate": 0.12, "unit": "kWh"}, {"rate": 0.18, "unit": "kWh"}],
        [{"rate": 0.3, "adj": 0.01, "unit": "kWh"}],
    ],
    "energyweekdayschedule": [[0] * 16 + [1] * 5 + [0] * 3] * 12,
    "energyweekendschedule": [[0] * 24] * 12,
    "flatdemandstructure": [[{"rate": 2.5}]],
    "flatdemandmonths": [0] * 12,
    "energycomments": "Riders are in adj.",
    "approved": True,
}
"""A tariff as the Utility Rate Database hands it out: no word of what exports earn."""


def prices(name: str, day: date) -> list[int]:
    return load_tariff(name).import_uusd(np.array(day_slots(day))).tolist()


def test_the_briefs_tariff() -> None:
    tariff = load_tariff("pge-tou-c")
    slots = np.array(day_slots(date(2025, 1, 15)))
    peak = tariff.peak_window(slots)
    hours = local_calendar(slots).half_hour // 2
    assert ((hours >= 16) & (hours < 20) == peak).all()
    assert set(tariff.import_uusd(slots)[peak]) == {510_000}
    assert set(tariff.import_uusd(slots)[~peak]) == {280_000}
    assert set(tariff.export_uusd(slots)) == {60_000}
    assert tariff.off_peak_uusd(slots[33:35]) == 280_000  # even where only peak slots are asked for


SUMMER, WINTER = date(2026, 7, 1), date(2026, 12, 1)


@pytest.mark.parametrize(
    ("name", "day", "off_peak", "part_peak", "peak"),
    [
        ("pge-e-tou-c", SUMMER, 399_400, None, 522_400),
        ("pge-e-tou-c", WINTER, 367_570, None, 397_570),
        ("pge-e-elec", SUMMER, 333_580, 390_260, 552_140),
        ("pge-e-elec", WINTER, 284_680, 298_540, 320_630),
        ("pge-ev2-a", SUMMER, 225_580, 427_600, 538_090),
        ("pge-ev2-a", WINTER, 225_580, 394_280, 410_990),
    ],
)
def test_published_seasons_and_periods(name: str, day: date, off_peak: int, part_peak: int | None, peak: int) -> None:
    """Every day of the week alike; part-peak is neither in the peak window nor the off-peak price."""
    tariff, slots = load_tariff(name), np.array(day_slots(day))
    hours = local_calendar(slots).half_hour // 2
    expected = np.where((hours >= 16) & (hours < 21), peak, off_peak)
    if part_peak is not None:
        expected[(hours == 15) | (hours >= 21)] = part_peak
    assert (tariff.import_uusd(slots) == expected).all()
    assert (tariff.peak_window(slots) == (expected == peak)).all()
    assert tariff.off_peak_uusd(slots) == off_peak


def test_charging_windows_of_three_periods() -> None:
    """The night's charging ends at 15:00, where part-peak begins; the hour after it is a window of its own."""
    slots = np.array(day_slots(SUMMER))
    windows = charge_windows(load_tariff("pge-ev2-a").import_uusd(slots))
    assert windows.tolist() == [0] * 30 + [1] * 2 + [2] * 16


def test_export_credits_by_month_hour_and_kind_of_day() -> None:
    tariff = load_tariff("pge-e-elec")
    wednesday, saturday = (np.array(day_slots(date(2026, 8, day))) for day in (5, 8))
    assert tariff.export_uusd(wednesday)[38:40].tolist() == [1_154_410] * 2  # 19:00, the dearest hour of a weekday
    assert tariff.export_uusd(saturday)[38:40].tolist() == [1_192_890] * 2
    assert (
        tariff.export_uusd(np.array(day_slots(date(2026, 4, 8))))[30] == 180
    )  # an afternoon of April: next to nothing
    exporting_pays = tariff.export_uusd(wednesday) > tariff.import_uusd(wednesday)
    assert exporting_pays.tolist() == [False] * 34 + [True] * 12 + [False] * 2
    assert not (tariff.export_uusd(wednesday[::-1]) != tariff.export_uusd(wednesday)[::-1]).any()


def test_the_published_means_of_the_export_credits() -> None:
    """As others read PG&E's hourly file: all hours, and those from 9 to 16."""
    credits = load_tariff("pge-e-elec").export_usd_per_kwh_by_hour
    assert credits is not None
    for table, mean, midday in ((credits.weekday, 0.10187, 0.04664), (credits.weekend, 0.08396, 0.02407)):
        assert np.mean(table) == pytest.approx(mean, abs=5e-6)
        assert np.array(table)[:, 9:16].mean() == pytest.approx(midday, abs=5e-6)


@pytest.mark.parametrize(("day", "slots"), [(date(2025, 3, 9), 46), (date(2025, 11, 2), 50), (date(2025, 6, 1), 48)])
def test_peak_has_eight_slots_also_when_the_clocks_change(day: date, slots: int) -> None:
    series = prices("pge-tou-c", day)
    assert len(series) == slots
    assert series.count(510_000) == 8


def test_every_tariff_names_its_source() -> None:
    for name in tariff_names():
        tariff = load_tariff(name)
        assert tariff.source
        assert tariff.effective_date
        assert tariff.label == name


def test_bad_files_say_what_and_where(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    with pytest.raises(UserError, match="known names: pge-e-elec"):
        load_tariff("no-such-tariff")
    path.write_text("{")
    with pytest.raises(UserError, match=r"not JSON .*; expected a tariff in the shape of .* as .*pge-tou-c\.json"):
        load_tariff(str(path))
    path.write_bytes(b"\x89PNG\r\n\xff")
    with pytest.raises(UserError, match=r"not JSON .*; expected a tariff"):
        load_tariff(str(path))
    good = load_tariff("pge-tou-c").model_dump()
    path.write_text(json.dumps(good | {"energyratestructure": [[{"rate": 0.3}]]}))
    with pytest.raises(UserError, match="names period 1"):
        load_tariff(str(path))
    path.write_text(json.dumps(good | {"energyweekdayschedule": [[0] * 24] * 11}))
    with pytest.raises(UserError, match="energyweekdayschedule"):
        load_tariff(str(path))
    path.write_text(json.dumps(good | {"energyratestructure": [[{"rate": -0.1}], [{"rate": 0.5}]]}))
    with pytest.raises(UserError, match="rate"):
        load_tariff(str(path))


def written(path: Path, fields: object) -> str:
    path.write_text(json.dumps(fields))
    return str(path)


def test_a_file_of_the_utility_rate_database(tmp_path: Path) -> None:
    for wrapped in (REAL, {"items": [REAL]}, [REAL]):
        with pytest.raises(
            UserError, match=r'exported kWh earns in period 0; add "export_usd_per_kwh": 0\.05 .*"sell"'
        ):
            load_tariff(written(tmp_path / "mine.json", wrapped))
    tariff = load_tariff(written(tmp_path / "mine.json", {"items": [REAL | {"export_usd_per_kwh": 0.05}]}))
    slots = np.array(day_slots(SUMMER))
    assert set(tariff.import_uusd(slots)) == {120_000, 310_000}
    assert set(tariff.export_uusd(slots)) == {50_000}
    assert tariff.effective_date == "2024-01-01"
    assert tariff.source == REAL["uri"]
    assert tariff.left_out == (
        "a fixed charge of $15.25 a month, a minimum charge of $10 a month, prices above the first tier (300 kWh), "
        "demand charges"
    )


def test_charges_of_older_files_of_the_database_and_by_the_day_are_left_out_too() -> None:
    charges = {"fixedmonthlycharge": 8, "minmonthlycharge": 4.5}
    assert left_out(charges) == ["a fixed charge of $8 a month", "a minimum charge of $4.5 a month"]
    by_day = {"mincharge": 0.4, "minchargeunits": "$/day"}
    assert left_out(by_day) == ["a minimum charge of $0.4 a day (about $12 a month)"]
    assert left_out({"fixedchargefirstmeter": 0.0, "mincharge": None}) == []


def test_what_an_export_earns_by_hour_by_tier_or_flat(tmp_path: Path) -> None:
    slots = np.array(day_slots(SUMMER))  # a Wednesday
    by_tier = REAL | {"energyratestructure": [[{"rate": 0.12, "sell": 0.2}], [{"rate": 0.31, "sell": 0.0}]]}
    assert set(load_tariff(written(tmp_path / "tier.json", by_tier)).export_uusd(slots)) == {200_000, 0}
    hours = {"weekday": [[h / 100 for h in range(24)]] * 12, "weekend": [[0.5] * 24] * 12}
    by_hour = load_tariff(written(tmp_path / "hour.json", by_tier | {"export_usd_per_kwh_by_hour": hours}))
    assert by_hour.export_uusd(slots).tolist() == [10_000 * (i // 2) for i in range(48)]
    assert set(by_hour.export_uusd(slots + 48 * 3)) == {500_000}  # Saturday
    hours["weekday"] = hours["weekday"][:11]
    with pytest.raises(UserError, match=r"export_usd_per_kwh_by_hour\.weekday: List should have at least 12"):
        load_tariff(written(tmp_path / "hour.json", by_tier | {"export_usd_per_kwh_by_hour": hours}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"energyweekendschedule": None}, r"energyweekendschedule is missing; ask .* in full \(detail=full\)"),
        (
            {"energyratestructure": [[{"rate": 28.0}], [{"rate": 51.0}]]},
            r"rate: .* \(prices are in \$/kWh, not in cents",
        ),
        (
            {"energyratestructure": [[{"rate": 0.1, "adj": -0.2}], [{"rate": 0.5}]]},
            r"rate 0\.1 \+ adj -0\.2\) is below 0",
        ),
        ({"energyratestructure": [[{"rate": 0.1, "adj": 150}], [{"rate": 0.5}]]}, r"adj: .*not in cents"),
        ({"energyratestructure": [[{"rate": 0.1}], [{"rate": 0.5, "adj": -11}]]}, r"adj: "),
        (
            {"energyratestructure": [[{"rate": 9.0, "adj": 2.0}], [{"rate": 0.5}]]},
            r"rate 9\.0 \+ adj 2\.0\) is above 10",
        ),
        (
            {"flatdemandstructure": [{"rate": 5}]},
            r"flatdemandstructure: expected a list of periods, each a list of tiers",
        ),
        ({"demandratestructure": [[5]]}, r"demandratestructure: expected a list of periods"),
        ({"coincidentratestructure": "none"}, r"coincidentratestructure: expected a list of periods"),
        ({"startdate": 1e18}, r"startdate: 1e\+18 is no date; expected seconds since 1970"),
        ({"startdate": -(10**30)}, r"startdate: -1000.* is no date"),
        ({"startdate": float("nan")}, r"startdate: nan is no date"),
        ({"dgrules": "Net Metering", "export_usd_per_kwh": None}, r'exports earn the import price, give .* as "sell"'),
    ],
)
def test_a_file_of_the_database_says_how_to_mend_it(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_tariff(written(tmp_path / "mine.json", REAL | {"export_usd_per_kwh": 0.05} | change))


def test_a_file_of_several_tariffs_or_none(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"2 tariffs: 5d5582305457a3e01135a086 .Residential time of use., .*keep the one"
    ):
        load_tariff(written(tmp_path / "two.json", {"items": [REAL, REAL]}))
    with pytest.raises(UserError, match="0 tariffs; expected one"):
        load_tariff(written(tmp_path / "none.json", {"items": []}))
    with pytest.raises(UserError, match="not a tariff"):
        load_tariff(written(tmp_path / "none.json", "errors"))


def test_every_shipped_tariff_of_the_utility_says_what_a_bill_leaves_out() -> None:
    for name in tariff_names():
        assert "taxes" in load_tariff(name).leaves_out
        if name != "pge-tou-c":
            tariff = load_tariff(name)
            assert tariff.left_out.startswith("a fixed charge of $0.79343 a day (about $24 a month), ")
            assert tariff.sheet
            assert "Second-hand" in tariff.source


def test_dear_hours_end_where_the_lowest_price_comes_back():
    assert dear_until(np.array([280, 510, 400, 280, 280, 400])).tolist() == [0, 3, 3, 3, 4, 6]
    assert dear_until(np.array([280, 280])).tolist() == [0, 1]
