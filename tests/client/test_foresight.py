"""What is stored after the foreseen slots is worth the mean over scenarios: against dynamic programming on a grid."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client import deciding, planner
from client.battery import BatteryBank
from client.outlook import Outlook
from client.planner import levels_nusd, stored_value
from client.value import reached
from common.clock import slot_of
from common.config import BatterySpec

SPEC = BatterySpec(capacity_kwh=4.0, min_soc=0.1, max_soc=0.8, max_power_kw=1.0, round_trip_efficiency=1.0)
STEP_WH = 100
"""Without losses and with whole steps an optimal plan goes from step to step, so the oracle is exact."""


def random_outlook(seed):
    """One home, three scenarios, eight slots; net load, power, and room of the battery are whole steps."""
    rng = np.random.default_rng(seed)
    net = STEP_WH * rng.integers(-12, 13, (1, 3, 8)).astype(np.float64)
    imports = rng.choice([510_000, 280_000, 350_000], 8)
    return Outlook(net, imports, np.minimum(rng.choice([60_000, 250_000], 8), imports), float(rng.choice([0, 280_000])))


def slope_by_steps(outlook, foreseen):
    """Oracle: worth of each step of stored energy, n$ a kWh, mean over scenarios, from the reserve up."""
    steps = round((SPEC.ceiling_kwh - SPEC.reserve_kwh) * 1000 / STEP_WH)
    grid, power = np.arange(steps + 1) * STEP_WH, SPEC.max_slot_kwh * 1000
    charged = grid[None, :] - grid[:, None]  # from one step to another
    value = np.tile(grid * outlook.terminal_uusd, (3, 1))
    for t in reversed(range(outlook.net_wh.shape[2])):
        if t + 1 == foreseen:
            value = np.tile(value.mean(axis=0), (3, 1))
        meter = outlook.net_wh[0, :, t, None, None] + charged
        cost = np.where(meter > 0, meter * outlook.import_uusd[t], meter * outlook.export_uusd[t])
        gain = np.where(np.abs(charged) <= power, value[:, None, :] - cost, -np.inf)
        value = gain.max(axis=2)
    return np.diff(value.mean(axis=0)) / STEP_WH * 1000


def our_slope(outlook, foreseen):
    bank = BatteryBank.of([SPEC])
    middle = np.arange(SPEC.reserve_kwh + STEP_WH / 2000, SPEC.ceiling_kwh, STEP_WH / 1000)
    return stored_value(bank, outlook, foreseen).at(middle[None])[0]


@given(st.integers(0, 10**6), st.integers(1, 7))
@settings(max_examples=80, deadline=None)
def test_the_slope_is_the_oracles_to_half_a_level(seed, foreseen):
    outlook = random_outlook(seed)
    levels = levels_nusd(BatteryBank.of([SPEC]), outlook)[0]
    apart = np.max(levels[:-1] - levels[1:]) / planner._FINER
    assert our_slope(outlook, foreseen) == pytest.approx(slope_by_steps(outlook, foreseen), abs=apart / 2 + 1)


@given(st.integers(0, 10**6), st.integers(1, 7))
@settings(max_examples=20, deadline=None)
def test_with_many_levels_it_is_the_oracles(seed, foreseen):
    outlook = random_outlook(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planner, "_FINER", 1_000)
        ours = our_slope(outlook, foreseen)
    assert ours == pytest.approx(slope_by_steps(outlook, foreseen), abs=300_000)  # a thirtieth of a cent


@given(st.integers(0, 10**6), st.integers(1, 7))
@settings(max_examples=20, deadline=None)
def test_it_changes_nothing_where_all_scenarios_go_on_alike(seed, foreseen):
    outlook = random_outlook(seed)
    outlook.net_wh[:, :, foreseen:] = outlook.net_wh[:, :1, foreseen:]
    assert np.array_equal(our_slope(outlook, foreseen), our_slope(outlook, None))


@pytest.mark.parametrize(("hour", "slots"), [(0, 24), (11, 2), (12, 48), (23, 26)])
def test_a_plan_foresees_the_slots_until_the_next_noon(hour, slots):
    slot = slot_of(datetime(2025, 6, 18, hour, tzinfo=ZoneInfo("America/Los_Angeles")))
    assert deciding._until_noon(slot) == slots


@given(st.integers(0, 10**6), st.integers(1, 70))
@settings(max_examples=50, deadline=None)
def test_what_is_reached_is_what_a_binary_search_says(seed, count):
    rng = np.random.default_rng(seed)
    ascending, marks = np.sort(rng.integers(0, 20, (2, count)).astype(float), axis=1), rng.integers(-2, 22, (2, 9))
    found = [np.searchsorted(row, mark, side="right") for row, mark in zip(ascending, marks, strict=True)]
    assert np.array_equal(reached(ascending, marks.astype(float)), found)
