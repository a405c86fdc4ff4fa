"""State of charge within 10-80 % and 5 kW, shared by trade and own use, whatever is filled: random communities."""

import numpy as np
import pytest

from client.battery import UNBOUNDED_WH, BatteryBank, Mode, follow
from common.config import BatterySpec
from common.messages import Fill, Settle, SlotRequest
from tests.client.test_fleet import FIRST, begun, quote

SLOTS = 96


@pytest.mark.parametrize("seed", range(5))
def test_batteries_of_a_random_community_keep_their_limits(seed):
    """400 homes, two days, any load and sun, any mode, fills up to what no connection would carry."""
    rng, homes, spec = np.random.default_rng(seed), 400, BatterySpec()
    bank = BatteryBank.of([spec] * homes)
    stored = bank.reserve_kwh + rng.random(homes) * bank.usable_kwh
    for _ in range(SLOTS):
        net_wh = rng.normal(200, 1_500, homes).round().astype(np.int64)
        hostile = rng.random(homes) < 0.1
        traded_wh = np.where(hostile, rng.integers(-(10**6), 10**6, homes), rng.integers(-2_500, 2_500, homes))
        low, one, other, high = np.sort(rng.uniform(-1, 15, (4, homes)), axis=0)  # also beyond what a battery holds
        first = rng.random(homes) < 0.5
        limit = rng.choice([0.0, 300.5, 10_000.0, np.inf], homes)
        ceiling = rng.choice([0.0, 800.0, UNBOUNDED_WH], homes)
        mode = Mode(low, limit, ceiling, np.where(first, one, other), np.where(first, other, one), high)
        flow = follow(bank, stored, net_wh - traded_wh, mode)
        stored = flow.stored_kwh
        soc = stored / spec.capacity_kwh
        assert ((soc >= 0.10 - 1e-12) & (soc <= 0.80 + 1e-12)).all()
        assert ((flow.charge_wh >= 0) & (flow.discharge_wh >= 0)).all()
        # One inverter: what goes to or comes from neighbours and what the home itself uses are the same 5 kW.
        assert (np.maximum(flow.charge_wh, flow.discharge_wh) <= 5_000 * 0.5).all()
        assert (np.minimum(flow.charge_wh, flow.discharge_wh) == 0).all()


def test_homes_keep_their_limits_under_hostile_fills(homes_root):
    """A central that fills what nobody ordered gets no more out of a battery than there is."""
    fleet, rng = begun(homes_root, 20), np.random.default_rng(0)
    settle = None
    for slot in range(FIRST, FIRST + 20):
        before = [(home.state.stored_kwh, home.state.charged_wh, home.state.discharged_wh) for home in fleet.homes]
        replies = fleet.slot(SlotRequest(settle=settle, quote=quote(slot)))
        for home, reply, (_, charged, discharged) in zip(fleet.homes, replies, before, strict=True):
            spec, state = home.facts.battery, home.state
            assert spec.reserve_kwh - 1e-9 <= state.stored_kwh <= spec.ceiling_kwh + 1e-9
            assert max(state.charged_wh - charged, state.discharged_wh - discharged) <= 5_000 * 0.5
            if settle is not None:
                load, pv = home.meter_wh(settle.slot)
                battery = (state.charged_wh - charged) - (state.discharged_wh - discharged)
                assert reply.meters[0].import_wh - reply.meters[0].export_wh == load - pv + battery
        amounts = rng.integers(0, 10**6, (len(fleet.homes), 2)).tolist()
        fills = [
            Fill(home_id=home.home_id, bought_wh=buy if buy % 2 else 0, sold_wh=0 if buy % 2 else sell)
            for home, (buy, sell) in zip(fleet.homes, amounts, strict=True)
        ]
        settle = Settle(slot=slot, fills=tuple(fills))
