"""A grid outage at home: the battery carries the load to its last Wh, and what is left is counted."""

import numpy as np

from client.battery import BatteryBank, Mode, follow
from client.island import count_unserved, follow_or_island
from client.store import HomeState
from common.config import BatterySpec

BANK = BatteryBank.of([BatterySpec()] * 3)
HOLD = Mode(*(np.full(3, level) for level in (0.0, 0.0, 0.0, 0.0, 99.0, 99.0)))
SELL = Mode(*(np.full(3, level) for level in (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)))


def test_an_island_uses_its_reserve_and_neither_charges_from_nor_gives_to_the_grid():
    dark, stored = np.array([True, True, False]), np.full(3, 1.35)
    flow = follow_or_island(BANK, stored, np.array([1000, 2000, 1000]), HOLD, dark)
    assert flow.discharge_wh.tolist() == [1000, 1280, 0], "1.35 kWh are 1.28 at the terminals"
    assert abs(flow.stored_kwh[1]) < 0.002 and not flow.charge_wh.any()
    flow = follow_or_island(BANK, np.full(3, 5.0), np.array([-700, -9000, 0]), SELL, dark)
    assert flow.charge_wh.tolist() == [700, 2500, 0] and flow.discharge_wh.tolist()[:2] == [0, 0]
    full = follow_or_island(BANK, BANK.ceiling_kwh, np.array([-700, 0, 0]), SELL, dark)
    assert full.charge_wh.tolist()[:2] == [0, 0], "what the sun gives beyond a full battery is curtailed"


def test_without_an_outage_it_is_the_mode_alone():
    net, stored = np.array([800, -300, 0]), np.array([3.0, 4.0, 1.35])
    one, other = follow_or_island(BANK, stored, net, SELL, np.zeros(3, np.bool_)), follow(BANK, stored, net, SELL)
    assert all((getattr(one, name) == getattr(other, name)).all() for name in vars(one))


def test_what_neither_battery_nor_sun_covers_is_unserved():
    state = HomeState()
    count_unserved(state, 1000, 200, -500, -800)
    count_unserved(state, 100, 900, 700, 800)
    assert (state.unserved_wh, state.unserved_alone_wh, state.unserved_b1_wh) == (300, 0, 1100)
