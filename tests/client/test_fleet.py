"""A node's households over their messages: told twice, missed, out of place, and with data that cannot be read."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from flwr.app import Message
from numpy.typing import NDArray

from client.app import app
from client.fleet import Fleet
from client.household import Household
from client.store import HomeStore, open_home
from common.clock import day_slots
from common.config import MarketRules
from common.messages import (
    CURVE_SLOTS,
    Begin,
    BeginReply,
    Empty,
    Fill,
    Fit,
    HomeReply,
    Quote,
    Refusal,
    Settle,
    SlotReply,
    SlotRequest,
    TotalsReply,
    Wire,
    WireError,
    pack,
    unpack,
)
from common.readings import home_folders
from common.tariff import load_tariff
from datagen.source import parse_day
from server.local_grid import LocalGrid
from tests.conftest import SMALL

FIRST = day_slots(parse_day(SMALL.date, "date")).start + 20
"""Ten in the morning."""

CONFIG = replace(SMALL, homes_per_node=SMALL.homes, forecaster="profile")
_runs = itertools.count(7_000_000)


def open_fleet(root: Path, run: str) -> Fleet:
    """The homes as their disk has them."""
    tariff = load_tariff(CONFIG.tariff)
    homes = [Household(HomeStore(folder, run), CONFIG, tariff) for folder in home_folders(root)]
    return Fleet(homes, tariff, MarketRules())


def begun(root: Path, slots: int) -> Fleet:
    """The homes in a run of their own, at the begin of so many slots."""
    fleet = open_fleet(root, str(next(_runs)))
    fleet.begin(Begin(slot=FIRST, end_slot=FIRST + slots))
    return fleet


def quote(slot: int) -> Quote:
    return Quote(
        slot=slot,
        price_uusd=240_000,
        curve_uusd=(240_000,) * CURVE_SLOTS,
        charge_share=(2.0,) * CURVE_SLOTS,
        wanted_wh=(0,) * CURVE_SLOTS,
        offered_wh=(0,) * CURVE_SLOTS,
    )


def fills(replies: Sequence[HomeReply]) -> tuple[Fill, ...]:
    """Each order filled in full."""
    return tuple(
        Fill(
            home_id=order.home_id,
            bought_wh=order.energy_wh if order.side == "buy" else 0,
            sold_wh=order.energy_wh if order.side == "sell" else 0,
            price_uusd=240_000,
        )
        for reply in replies
        for order in reply.orders
    )


def trade(fleet: Fleet, slots: int, tell: Callable[[Fleet, SlotRequest], tuple[HomeReply, ...]]) -> list[HomeReply]:
    """Quote and settle so many slots with all orders filled; the replies."""
    told: list[HomeReply] = []
    settle: Settle | None = None
    for slot in range(FIRST, FIRST + slots + 1):
        ask = quote(slot) if slot < FIRST + slots else None
        replies = tell(fleet, SlotRequest(settle=settle, quote=ask))
        settle = Settle(slot=slot, fills=fills(replies))
        told += replies
    return told


# -- told twice -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("process", ["same", "another"])
def test_a_message_that_comes_twice_changes_nothing(homes_root: Path, process: str) -> None:
    """Twice the same request, to the process that had it or to one that has only the disk."""
    slots = 10

    def twice(fleet: Fleet, request: SlotRequest) -> tuple[HomeReply, ...]:
        once = fleet.slot(request)
        totals = fleet.totals()
        again = fleet if process == "same" else open_fleet(homes_root, run)
        assert again.slot(request) == once
        assert again.totals() == totals
        for home, other in zip(again.homes, fleet.homes, strict=True):
            assert home.state == other.state
        return once

    single = begun(homes_root, slots)
    run = str(next(_runs))
    double = open_fleet(homes_root, run)
    double.begin(Begin(slot=FIRST, end_slot=FIRST + slots))
    told = trade(single, slots, lambda fleet, request: fleet.slot(request))
    assert trade(double, slots, twice) == told
    assert double.totals() == single.totals()
    assert any(reply.orders for reply in told), "there must be trades that could count twice"
    assert any(home.state.sold_wh for home in single.homes)
    assert [home.state.sold_wh for home in double.homes] == [home.state.sold_wh for home in single.homes]


# -- missed ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missed", [3, 60])
def test_a_home_that_missed_messages_catches_up(homes_root: Path, missed: int) -> None:
    """It tells the meters of the slots that it missed, as many as a message holds, and its totals leave out none."""
    slots = missed + 8
    end = FIRST + slots
    heard, deaf = begun(homes_root, slots), begun(homes_root, slots)
    meters: dict[str, list[int]] = {home.home_id: [] for home in deaf.homes}
    net_wh = dict.fromkeys(meters, 0)
    for slot in range(FIRST, end + 1):
        settle = Settle(slot=slot - 1, fills=()) if slot > FIRST else None
        request = SlotRequest(settle=settle, quote=quote(slot) if slot < end else None)
        heard.slot(request)
        if FIRST + 3 < slot <= FIRST + 3 + missed:
            continue
        for reply in deaf.slot(request):
            meters[reply.home_id] += [meter.slot for meter in reply.meters]
            net_wh[reply.home_id] += sum(meter.import_wh - meter.export_wh for meter in reply.meters)
            if slot == FIRST + 4 + missed:
                caught_up = min(missed + 1, CURVE_SLOTS)
                assert [meter.slot for meter in reply.meters] == list(range(slot - caught_up, slot))
    told = slots - max(missed + 1 - CURVE_SLOTS, 0)
    for home, ours, theirs in zip(deaf.homes, deaf.totals(), heard.totals(), strict=True):
        assert (ours.b0_nusd, ours.b1_nusd) == (theirs.b0_nusd, theirs.b1_nusd)
        assert len(meters[home.home_id]) == len(set(meters[home.home_id])) == told
        assert home.state.next_slot == end
        if told == slots:
            readings = open_home(home.store.folder)[1]
            day = slice(FIRST - readings.first_slot, end - readings.first_slot)
            used_wh = int((readings.load_wh[day] - readings.pv_wh[day]).sum())
            assert net_wh[home.home_id] == used_wh + ours.charged_wh - ours.discharged_wh


def test_a_home_that_hears_nothing_goes_on_by_the_time_of_use_rule(homes_root: Path) -> None:
    """A day without a quote: it fills its battery before the peak and follows its load in the peak, sun or not."""
    fleet = begun(homes_root, 40)
    meters = {
        r.home_id: r.meters for r in fleet.slot(SlotRequest(settle=Settle(slot=FIRST + 39, fills=()), quote=None))
    }
    peak = range(FIRST + 12, FIRST + 20)
    assert {home.had_sun(FIRST + 48) for home in fleet.homes} == {True, False}
    for home in fleet.homes:
        used_wh = sum(home.meter_wh(slot)[0] for slot in peak)
        assert sum(meter.import_wh for meter in meters[home.home_id] if meter.slot in peak) < 0.1 * used_wh
        assert home.state.charged_wh * 0.9 > home.state.discharged_wh - 10, "it began empty"
        before = [meter.import_wh for meter in meters[home.home_id] if meter.slot < peak.start]
        assert home.had_sun(peak.start) or sum(before) > home.facts.battery.capacity_kwh * 500


def test_whether_a_home_has_sun_is_seen_from_what_was_metered(homes_root: Path) -> None:
    fleet = begun(homes_root, 4)
    sunny = [home for home in fleet.homes if home.had_sun(FIRST)]
    assert 0 < len(sunny) < len(fleet.homes)
    for home in fleet.homes:
        readings = home._readings
        pv = readings.pv_wh.copy()
        pv[FIRST - readings.first_slot :] = 0 if home in sunny else 10**5
        home._readings = replace(readings, pv_wh=pv)
        assert home.had_sun(FIRST) == (home in sunny), "what comes is not known"
        assert home.had_sun(FIRST + 48) != (home in sunny)


@pytest.mark.parametrize("bought_wh", [0, 700])
def test_charging_waits_while_a_home_uses_more_than_it_expected(homes_root: Path, bought_wh: int) -> None:
    """With any load the meter shows no more than the highest scenario and the charging that central allows."""
    fleet = begun(homes_root, 4)
    guarded = quote(FIRST).model_copy(update={"charge_share": (0.2,) * CURVE_SLOTS})
    fleet.slot(SlotRequest(settle=None, quote=guarded))
    fills = tuple(Fill(home_id=home.home_id, bought_wh=bought_wh) for home in fleet.homes)
    ceiling = {}
    for home in fleet.homes:
        highest = max(float(home.forecast(FIRST, 1).net_scenarios_wh.max()), 0.0)
        ceiling[home.home_id] = highest + home.state.mode[1]
        assert home.state.mode[2] == pytest.approx(ceiling[home.home_id])
        readings, row = home._readings, FIRST - home._readings.first_slot
        load = readings.load_wh.copy()
        load[row] = readings.pv_wh[row] + round(highest) + round(home.state.mode[1] / 2)
        home._readings = replace(readings, load_wh=load)
    charging = 0
    for reply in fleet.slot(SlotRequest(settle=Settle(slot=FIRST, fills=fills), quote=None)):
        assert reply.meters[0].import_wh <= max(ceiling[reply.home_id], bought_wh) + 1, "what is bought is taken"
        charging += reply.meters[0].import_wh > ceiling[reply.home_id] - 2
    assert charging, "half of the charging has room"


# -- out of place ---------------------------------------------------------------------------------------------------


def grid_of(root: Path) -> LocalGrid:
    """A node that holds all homes of a folder."""
    return LocalGrid(app, 1, replace(CONFIG, homes_dir=str(root)).flat(), run_id=next(_runs))


def ask(grid: LocalGrid, kind: str, request: Wire) -> Message:
    (node,) = grid.get_node_ids()
    (reply,) = grid.send_and_receive([Message(pack(request), dst_node_id=node, message_type=kind)])
    assert not reply.has_error()
    return reply


def refusal(grid: LocalGrid, kind: str, request: Wire) -> Refusal:
    return unpack(Refusal, ask(grid, kind, request).content)


@pytest.mark.parametrize(("settled", "quoted"), [(-1, None), (None, -1), (0, -1), (4, None), (None, 4), (0, 4)])
def test_a_slot_outside_of_the_day_is_refused(homes_root: Path, settled: int | None, quoted: int | None) -> None:
    """Nothing of the message is done, also where its other half is in order."""
    fleet = begun(homes_root, 4)
    bad = SlotRequest(
        settle=None if settled is None else Settle(slot=FIRST + settled, fills=()),
        quote=None if quoted is None else quote(FIRST + quoted),
    )
    before = [home.state.model_copy(deep=True) for home in fleet.homes]
    with pytest.raises(WireError, match="is not of a day"):
        fleet.slot(bad)
    assert [home.state for home in fleet.homes] == before

    grid = grid_of(homes_root)
    unpack(BeginReply, ask(grid, "query.begin", Begin(slot=FIRST, end_slot=FIRST + 4)).content)
    assert refusal(grid, "query.slot", bad).code == "bad-request"
    good = SlotRequest(settle=None, quote=quote(FIRST))
    reply = unpack(SlotReply, ask(grid, "query.slot", good).content)
    assert reply.homes == fleet.slot(good), "the refused message must leave nothing behind"


def test_before_a_day_has_begun_there_is_nothing_to_tell(homes_root: Path) -> None:
    grid = grid_of(homes_root)
    assert refusal(grid, "query.totals", Empty()).code == "bad-request"
    request = SlotRequest(settle=None, quote=quote(FIRST))
    assert refusal(grid, "query.slot", request).code == "bad-request"
    ask(grid, "query.begin", Begin(slot=FIRST, end_slot=FIRST + 1))
    assert len(unpack(TotalsReply, ask(grid, "query.totals", Empty()).content).homes) == SMALL.homes


def test_a_slot_that_has_happened_is_not_decided_on_again(homes_root: Path) -> None:
    grid = grid_of(homes_root)
    ask(grid, "query.begin", Begin(slot=FIRST, end_slot=FIRST + 4))
    ask(grid, "query.slot", SlotRequest(settle=None, quote=quote(FIRST)))
    ask(grid, "query.slot", SlotRequest(settle=Settle(slot=FIRST, fills=()), quote=quote(FIRST + 1)))
    late = SlotRequest(settle=None, quote=quote(FIRST))
    assert refusal(grid, "query.slot", late).code == "bad-request"


def test_a_message_of_another_kind_is_refused(homes_root: Path) -> None:
    assert refusal(grid_of(homes_root), "query.slot", Begin(slot=FIRST, end_slot=FIRST + 1)).code == "bad-request"


# -- unreadable -----------------------------------------------------------------------------------------------------


def too_large(path: Path) -> None:
    table = pd.read_parquet(path)
    table.loc[1234, "load_wh"] = 60123
    table.to_parquet(path, index=False)


def as_text(path: Path) -> None:
    table = pd.read_parquet(path)
    table["load_wh"] = table["load_wh"].astype(str)
    table.loc[1234, "load_wh"] = "60123"
    table.to_parquet(path, index=False)


def no_table(path: Path) -> None:
    path.write_bytes(b"60123")


@pytest.mark.parametrize("spoil", [too_large, as_text, no_table])
@pytest.mark.parametrize(
    ("kind", "request_"),
    [
        ("query.hello", Empty()),
        ("query.fit", Fit(before_slot=FIRST)),
        ("query.begin", Begin(slot=FIRST, end_slot=FIRST + 1)),
        ("query.slot", SlotRequest(settle=None, quote=quote(FIRST))),
        ("query.totals", Empty()),
    ],
)
def test_unreadable_readings_stay_at_home(
    homes_root: Path, tmp_path: Path, spoil: Callable[[Path], None], kind: str, request_: Wire
) -> None:
    root = tmp_path / "homes"
    shutil.copytree(homes_root, root, ignore=shutil.ignore_patterns("state"))
    spoil(root / "home-00001" / "readings.parquet")
    answer = refusal(grid_of(root), kind, request_)
    assert answer.code in ("no-data", "internal")
    for secret in ("60123", "1234", str(tmp_path), tmp_path.name, "home-00001", ".parquet"):
        assert secret not in answer.reason


def test_a_slot_whose_settling_was_lost_is_of_the_day_that_it_lies_in(homes_root: Path) -> None:
    """The day goes on although the last settling never came: the next day's accounts are the same as if it had."""
    b1 = []
    for lost in (False, True):
        fleet = begun(homes_root, 4)
        trade(fleet, 2 if lost else 4, lambda fleet, request: fleet.slot(request))
        fleet.begin(Begin(slot=FIRST + 4, end_slot=FIRST + 6, goes_on=True))
        for slot in (FIRST + 4, FIRST + 5):
            fleet.slot(SlotRequest(settle=Settle(slot=slot, fills=()), quote=None))
        b1.append([home.b1_nusd for home in fleet.totals()])
    assert b1[0] == b1[1]


# -- what a plan tells ------------------------------------------------------------------------------------------------


def test_homes_tell_what_is_stored_after_the_peak_and_what_of_it_the_sun_would_fill_again(homes_root: Path) -> None:
    def told(planner: str) -> tuple[NDArray[np.int64], ...]:
        """What each home could sell besides in each slot of the plan: of what is stored, and of what is spare."""
        tariff, run = load_tariff(CONFIG.tariff), str(next(_runs))
        homes = [
            Household(HomeStore(folder, run), replace(CONFIG, planner=planner), tariff)
            for folder in home_folders(homes_root)
        ]
        plans = Fleet(homes, tariff, MarketRules()).begin(Begin(slot=FIRST, end_slot=FIRST + 1))
        return np.array([home.plan.stored_wh for home in plans]), np.array([home.plan.spare_wh for home in plans])

    stored, spare = told("optimal")
    peak = slice(32 - 20, 40 - 20)  # the first slot is 10:00
    assert stored[:, peak].any() and not np.delete(stored, np.r_[peak], axis=1).any()
    assert (spare <= stored).all() and (stored <= MarketRules().daily_sell_limit_wh).all()
    assert spare.any() and (spare < stored).any()
    assert not np.any([told("rule"), told("3h")]), "who sells nothing of it"
