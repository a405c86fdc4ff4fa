"""Batteries: limits, energy balance, efficiency, monotony, whole Wh."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.battery import UNBOUNDED_WH, BatteryBank, Mode, follow
from common.config import BatterySpec

SPECS = st.builds(
    BatterySpec,
    capacity_kwh=st.sampled_from([0.0, 5.0, 13.5]),
    min_soc=st.sampled_from([0.0, 0.1]),
    max_soc=st.sampled_from([0.8, 1.0]),
    max_power_kw=st.sampled_from([0.0, 1.0, 5.0]),
    round_trip_efficiency=st.sampled_from([0.5, 0.9, 1.0]),
)
NET_WH = st.integers(-8_000, 8_000)
SHARE = st.floats(0, 1)


@st.composite
def cases(draw):
    spec = draw(SPECS)
    bank = BatteryBank.of([spec])

    def level(share):
        return bank.reserve_kwh + share * bank.usable_kwh

    low, one, other, high = sorted(draw(st.tuples(SHARE, SHARE, SHARE, SHARE)))
    surplus_to, load_to = draw(st.permutations([one, other]))
    limit = np.array([draw(st.sampled_from([0.0, 300.5, np.inf]))])
    ceiling = np.array([draw(st.sampled_from([0.0, 500.0, UNBOUNDED_WH]))])
    mode = Mode(level(low), limit, ceiling, level(surplus_to), level(load_to), level(high))
    return spec, bank, level(draw(SHARE)), mode


def _after(bank, stored, net, mode):
    flow = follow(bank, stored, np.array([net]), mode)
    return int(flow.charge_wh[0]), int(flow.discharge_wh[0]), float(flow.stored_kwh[0])


@given(cases(), NET_WH)
def test_limits_and_energy_balance(case, net):
    spec, bank, stored, mode = case
    charge, discharge, after = _after(bank, stored, net, mode)
    eta, power_wh = spec.one_way_efficiency, spec.max_slot_kwh * 1000
    assert 0 <= charge <= power_wh and 0 <= discharge <= power_wh
    assert charge == 0 or discharge == 0
    assert spec.reserve_kwh - 1e-9 <= after <= spec.ceiling_kwh + 1e-9
    assert after - stored[0] == pytest.approx((charge * eta - discharge / eta) / 1000, abs=1e-12)


@given(cases(), NET_WH)
def test_the_mode_is_obeyed(case, net):
    _, bank, stored, mode = case
    charge, discharge, after = _after(bank, stored, net, mode)
    if charge > max(-net, 0):  # some of it from the grid
        assert charge - max(-net, 0) <= mode.grid_charge_limit_wh[0]
        assert charge + net <= mode.import_ceiling_wh[0]
        assert after <= mode.grid_charge_to_kwh[0] + 1e-9
    elif charge > 0:
        assert after <= max(mode.surplus_charge_to_kwh[0], mode.grid_charge_to_kwh[0]) + 1e-9
    if discharge > max(net, 0):  # some of it to export
        assert after >= mode.discharge_to_export_down_to_kwh[0] - 1e-9
    elif discharge > 0:
        assert after >= min(mode.discharge_to_load_down_to_kwh[0], mode.discharge_to_export_down_to_kwh[0]) - 1e-9


@given(cases(), NET_WH, SHARE)
def test_below_its_reserve_it_is_filled_up_at_full_power_whatever_the_mode(case, net, share):
    """After an outage: against an oracle that adds the Wh one by one."""
    spec, bank, _, mode = case
    stored = share * bank.reserve_kwh
    charge, discharge, after = _after(bank, stored, net, mode)
    assert after <= spec.ceiling_kwh + 1e-9
    missing_wh = 0
    while missing_wh < spec.max_slot_kwh * 1000 and stored[0] + (missing_wh + 1) * spec.one_way_efficiency / 1000 <= (
        spec.reserve_kwh - 1e-9
    ):
        missing_wh += 1
    assert charge >= missing_wh
    if missing_wh:
        assert discharge == 0


@given(cases(), NET_WH, st.integers(0, 3_000))
def test_more_need_never_stores_more(case, net, more):
    _, bank, stored, mode = case
    assert _after(bank, stored, net + more, mode)[2] <= _after(bank, stored, net, mode)[2] + 0.003  # whole Wh


@given(st.lists(cases(), min_size=2, max_size=5), st.lists(NET_WH, min_size=5, max_size=5))
def test_a_home_alone_or_among_others(homes, nets):
    specs, banks, stored, modes = zip(*homes, strict=True)
    together = Mode(*(np.concatenate([getattr(m, f) for m in modes]) for f in Mode.__dataclass_fields__))
    flow = follow(BatteryBank.of(specs), np.concatenate(stored), np.array(nets[: len(specs)]), together)
    for i, bank in enumerate(banks):
        assert _after(bank, stored[i], nets[i], modes[i]) == (
            flow.charge_wh[i],
            flow.discharge_wh[i],
            flow.stored_kwh[i],
        )


def test_it_follows_the_load_that_comes():
    bank = BatteryBank.of([BatterySpec()])
    mode = Mode(*(np.array([x]) for x in (1.35, np.inf, UNBOUNDED_WH, 10.8, 1.35, 10.8)))
    assert _after(bank, np.array([5.0]), 700, mode)[:2] == (0, 700)
    assert _after(bank, np.array([5.0]), -700, mode)[:2] == (700, 0)
    assert _after(bank, np.array([5.0]), 9_000, mode)[:2] == (0, 2_500)


def test_it_waits_with_charging_while_the_home_uses_more_than_its_import_ceiling():
    bank = BatteryBank.of([BatterySpec()])
    mode = Mode(*(np.array([x]) for x in (10.8, 1_000.0, 1_500.0, 10.8, 10.8, 10.8)))
    charges = [_after(bank, np.array([5.0]), net, mode)[0] for net in (-400, 0, 500, 900, 1_500, 4_000)]
    assert charges == [1_400, 1_000, 1_000, 600, 0, 0]


def test_round_trip_efficiency():
    spec = BatterySpec()
    bank, empty = BatteryBank.of([spec]), np.array([spec.reserve_kwh])
    fill = Mode(*(np.array([x]) for x in (10.8, np.inf, UNBOUNDED_WH, 10.8, 10.8, 10.8)))
    drain = Mode(*(np.array([x]) for x in (0.0, 0.0, 0.0, 0.0, 0.0, 10.8)))
    charged, _, stored = _after(bank, empty, 0, fill)
    _, discharged, _ = _after(bank, np.array([stored]), 5_000, drain)
    assert discharged / charged == pytest.approx(0.9, abs=1e-3)


def test_no_battery_does_nothing():
    bank = BatteryBank.of([BatterySpec(capacity_kwh=0)])
    mode = Mode(*(np.array([x]) for x in (0.0, np.inf, 0.0, 0.0, 0.0, 0.0)))
    for net in (-3_000, 0, 3_000):
        assert _after(bank, np.zeros(1), net, mode) == (0, 0, 0.0)
