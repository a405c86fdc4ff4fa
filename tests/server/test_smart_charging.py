"""Cars that are charged by plan, in whole runs on the in-process grid."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from client.store import HomeStore
from common.books import Books
from common.clock import day_slots
from common.config import MarketRules
from common.readings import home_folders, read_facts, read_readings, write_home
from common.tariff import load_tariff
from datagen.source import parse_day
from market.audit import verify
from report.accounts import accounts, by_span, residuals
from report.evaluator import Homes, observe, optimum_by_day, optimum_nusd
from tests.conftest import SMALL

Run = Callable[..., Books]
TARIFF, RULES = load_tariff("pge-tou-c"), MarketRules()
PLAIN: dict[str, object] = {"forecaster": "profile", "warmup_rounds": 0, "round_every_slots": 0, "homes_per_node": 3}
MIDNIGHT = day_slots(parse_day(SMALL.date, "date")).start
POWER_WH = 3000
STAYS = (
    (MIDNIGHT - 13, MIDNIGHT + 14, 22_000),
    (MIDNIGHT + 35, MIDNIGHT + 62, 17_000),
    (MIDNIGHT + 84, MIDNIGHT + 110, 9_000),
)
"""Three evenings: the first before the day begins, the second on it, the third on the day after."""


@pytest.fixture
def street(homes_root: Path, tmp_path: Path) -> Path:
    """The small community, whose first home has a car that without control charges as soon as it arrives."""
    root = tmp_path / "street"
    shutil.copytree(homes_root, root, ignore=shutil.ignore_patterns("state"))
    folder = home_folders(root)[0]
    readings, facts = read_readings(folder).without_car(), read_facts(folder)
    assert readings.channels is not None and readings.ev_wh is not None
    ev = readings.ev_wh
    for arrival, _, energy in STAYS:
        row = arrival - readings.first_slot
        ev[row : row + 9] = np.diff(np.minimum(np.arange(10) * POWER_WH, energy))
    car = {"charger_kw": POWER_WH / 500, "sessions": STAYS}
    facts = facts.model_validate(facts.model_dump() | {"car": car})
    write_home(folder, facts, replace(readings, load_wh=readings.load_wh + ev))
    return root


def charged_wh(root: Path) -> dict[int, int]:
    """The car's diary of the newest run."""
    folder = home_folders(root)[0]
    run = max((folder / "state").iterdir(), key=lambda path: path.stat().st_mtime)
    return HomeStore(folder, run.name).charging_wh()


def test_the_car_gets_what_it_needs_by_the_deadline_outside_of_the_peak(run_local: Run, street: Path) -> None:
    days = f"{SMALL.date}..2025-06-19"
    books = run_local(street, date="", start_slot=0, slots=0, test_days=days, **PLAIN)
    diary = charged_wh(street)
    assert verify(books, RULES) == [] and residuals(books) == (0, 0)
    readings = read_readings(home_folders(street)[0])
    assert readings.ev_wh is not None
    before = slice(STAYS[0][0] - readings.first_slot, MIDNIGHT - readings.first_slot)
    without = int(readings.ev_wh[before].sum())
    for number, (arrival, departure, energy) in enumerate(STAYS[:2]):
        taken = {slot: wh for slot, wh in diary.items() if arrival <= slot < departure}
        assert sum(taken.values()) == energy - (without if number == 0 else 0)
        assert max(taken.values(), default=0) <= POWER_WH
    assert set(diary) <= {slot for arrival, end, _ in STAYS for slot in range(arrival + 1, end)}, (
        "plugged in, and known"
    )
    taken_at = np.array(sorted(diary))
    energies = np.array([diary[slot] for slot in taken_at.tolist()])
    assert energies[TARIFF.peak_window(taken_at)].sum() < 0.2 * energies.sum(), "only what neighbours sell cheaply"


def test_what_is_put_off_is_owed_and_the_days_add_up(run_local: Run, street: Path) -> None:
    """What the car is owed is by its diary, the battery follows from the meters, and days sum up to the whole."""
    days = f"{SMALL.date}..2025-06-19"
    daily = run_local(street, date="", start_slot=0, slots=0, test_days=days, **PLAIN)
    homes = Homes.open(street, lambda folder: charged_wh(street))
    home = read_facts(home_folders(street)[0]).home_id
    parts = by_span(daily)
    for books in parts:
        slots = np.sort(books.slots["slot"].to_numpy(np.int64))
        said = books.totals.set_index("home_id").loc[home]
        refill_wh = (said["stored_start_wh"] - said["stored_end_wh"]) / 0.9**0.5
        owed_wh = -int(homes.car_change_wh(home, slots).sum())
        assert said["stored_value_nusd"] == pytest.approx((refill_wh + owed_wh) * 280_000, abs=600_000)
        seen = observe(homes, books)
        row = sorted(set(books.meters["home_id"])).index(home)
        assert (
            abs(int(seen.stored_wh[row, -1]) - int(books.totals.set_index("home_id").loc[home, "stored_end_wh"])) <= 60
        )
        assert (seen.stored_wh[row] >= 1300).all() and (seen.stored_wh[row] <= 10_860).all()
    whole = run_local(street, date=SMALL.date, days=2, start_slot=0, slots=0, **PLAIN)
    days_sum = sum(accounts(part).p2p_nusd for part in parts)
    assert np.abs(days_sum - accounts(whole).p2p_nusd).max() <= 2000
    by_day, at_once = optimum_by_day(homes, parts, TARIFF, RULES), optimum_nusd(homes, whole, TARIFF, RULES)
    assert by_day is not None and at_once is not None
    for name, cost in at_once.items():
        assert sum(day[name] for day in by_day) == pytest.approx(cost, abs=20)
    assert sum(at_once.values()) <= accounts(whole).p2p_nusd.sum() + 1000, "no policy beats the bound"


def test_smart_charging_saves_and_may_be_left_off(run_local: Run, street: Path) -> None:
    books = {}
    for smart in (True, False):
        options = {"date": SMALL.date, "days": 2, "start_slot": 0, "slots": 0, "smart_charging": smart}
        books[smart] = accounts(run_local(street, **options, **PLAIN))
    assert (books[True].b1_nusd == books[False].b1_nusd).all(), "the baseline charges as it did"
    assert books[True].p2p_nusd[0] < books[False].p2p_nusd[0] - 10**9, "a dollar in two days"
    assert books[True].battery_only_nusd[0] < books[False].battery_only_nusd[0] - 10**9, (
        "the comparator charges well, too"
    )
    assert (books[True].battery_only_nusd[1:] == books[False].battery_only_nusd[1:]).all()


def test_in_an_outage_no_car_charges_and_what_it_leaves_without_is_unserved(run_local: Run, street: Path) -> None:
    first, end = MIDNIGHT + 38, MIDNIGHT + 63
    for path in street.glob("*/home.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"outages": [[first, end]]}))
    books = run_local(street, date=SMALL.date, days=2, start_slot=0, slots=0, **PLAIN)
    diary = charged_wh(street)
    arrival, departure, energy = STAYS[1]
    taken = sum(wh for slot, wh in diary.items() if arrival <= slot < departure)
    assert not any(first <= slot < end for slot in diary)
    assert 0 <= taken < energy
    paid = accounts(books)
    assert paid.unserved_wh[0] >= energy - taken
    assert verify(books, RULES) == [] and residuals(books) == (0, 0)


def test_a_car_that_an_outage_robs_of_its_stay_saves_nothing_by_it(run_local: Run, street: Path) -> None:
    """What could not be charged is unserved with and without control; only what the next stay puts off is owed."""
    arrival, departure, energy = STAYS[1]
    for path in street.glob("*/home.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"outages": [[arrival - 1, departure + 1]]}))
    books = run_local(street, date=SMALL.date, days=2, start_slot=0, slots=0, **PLAIN)
    home = read_facts(home_folders(street)[0]).home_id
    said = books.totals.set_index("home_id").loc[home]
    assert said["unserved_wh"] >= energy and said["unserved_b1_wh"] >= energy
    homes = Homes.open(street, lambda folder: charged_wh(street))
    slots = np.sort(books.slots["slot"].to_numpy(np.int64))
    lit = (slots < arrival) | (slots >= departure)
    refill_wh = (said["stored_start_wh"] - said["stored_end_wh"]) / 0.9**0.5
    owed_wh = -int(homes.car_change_wh(home, slots[lit]).sum())
    assert said["stored_value_nusd"] == pytest.approx((refill_wh + owed_wh) * 280_000, abs=600_000)


def test_the_same_trades_in_one_process_and_in_several(run_local: Run, street: Path) -> None:
    plain = PLAIN | {"start_slot": 30, "slots": 14}
    together = run_local(street, **plain)
    single = run_local(street, **(plain | {"homes_per_node": 1}))
    for name in ("trades", "meters", "totals"):
        pd.testing.assert_frame_equal(getattr(together, name), getattr(single, name), obj=name)
