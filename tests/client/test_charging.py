"""Smart charging against a linear program and against what a brute force finds."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from client.cars import Stays, beyond_surplus_uusd, charge, limits_wh, paces_wh, plan_charging, wanted_wh
from client.outlook import Outlook
from client.store import CHARGING, HomeStore

BUY, SELL = np.array([510, 280, 280, 510, 190, 280, 230, 510]) * 1000, np.full(8, 60_000)


def stays(need: list[int], slots: list[int], power: list[int]) -> Stays:
    return Stays(*(np.array(values, np.int64) for values in (need, slots, power)))


def outlook(net: np.ndarray, buy: np.ndarray = BUY, sell: np.ndarray = SELL) -> Outlook:
    return Outlook(net.astype(np.float64), buy, sell, 0.0)


def least_cost(
    net: np.ndarray, buy: np.ndarray, sell: np.ndarray, need: float, power: float, caps: np.ndarray
) -> float:
    """The same by HiGHS: import, export and charging of each slot; charging beyond the surplus is capped."""
    n = len(net)
    surplus = np.maximum(-net, 0.0)
    eye = np.eye(n)
    meter = np.hstack([eye, -eye, -eye])
    total = np.concatenate([np.zeros(2 * n), np.ones(n)])[None]
    most = np.minimum(power, np.minimum(surplus, power) + caps)
    found = linprog(
        np.concatenate([buy, -sell, np.zeros(n)]),
        A_eq=np.vstack([meter, total]),
        b_eq=np.concatenate([net, [need]]),
        bounds=[(0, None)] * (2 * n) + [(0, m) for m in most],
    )
    return float(found.fun) if found.status == 0 else np.inf


@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.booleans())
@settings(max_examples=200, deadline=None)
def test_the_plan_costs_what_the_linear_program_does(seed: int, staying: int, capped: bool) -> None:
    rng = np.random.default_rng(seed)
    net = rng.integers(-3000, 3000, (1, 2, 8)).astype(np.float64)
    buy, sell = rng.integers(200, 600, 8) * 1000, rng.integers(0, 200, 8) * 1000
    power = int(rng.integers(500, 4000))
    caps = rng.integers(0, 3000, (1, 8)).astype(np.float64) if capped else np.full((1, 8), np.inf)
    offered = np.minimum(power, np.minimum(np.maximum(-net, 0.0), power) + caps[:, None])[:, :, :staying].sum(axis=2)
    need = int(rng.integers(0, max(int(offered.min()), 1) + 1))
    plan = plan_charging(stays([need], [staying], [power]), outlook(net, buy, sell), caps)
    for k in range(2):
        charged = np.zeros(8) if not need else plan.surplus_wh[0, k] + plan.grid_wh[0, k]
        assert charged.sum() == pytest.approx(need) and not charged[staying:].any()
        meter = net[0, k] + charged
        cost = np.where(meter > 0, meter * buy, meter * sell).sum()
        part = slice(staying)
        best = least_cost(net[0, k, part], buy[part], sell[part], need, power, np.minimum(caps[0, part], power))
        rest = np.where(net[0, k, staying:] > 0, buy[staying:], sell[staying:]) @ net[0, k, staying:]
        assert cost == pytest.approx(best + rest, rel=1e-6, abs=1.0)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_each_wanted_wh_is_worth_its_price_and_the_next_is_not(seed: int) -> None:
    """By brute force: what it costs the rest of the stay to give one Wh more or less, mean over scenarios."""
    rng = np.random.default_rng(seed)
    net = rng.integers(-40, 40, (1, 3, 8)).astype(np.float64)
    need, staying, power = int(rng.integers(1, 120)), int(rng.integers(2, 9)), int(rng.integers(5, 40))
    price = int(rng.choice([60_000, 190_000, 230_000, 280_000, 510_000]))

    def later_cost(energy: int) -> float:
        """Mean cost of the rest; what the rest cannot give costs $1000 a kWh."""
        later, part = outlook(net).after_first(), []
        for k in range(3):
            own = np.minimum(np.maximum(-later.net_wh[0, k], 0), power)[: staying - 1]
            ways = [(later.export_uusd[t], own[t]) for t in range(staying - 1)]
            ways += [(later.import_uusd[t], power - own[t]) for t in range(staying - 1)]
            left, cost = float(max(need - energy, 0)), 0.0
            for at, most in sorted(ways):
                cost, left = cost + at * min(most, left), left - min(most, left)
            part.append(cost + 1e9 * left)
        return float(np.mean(part))

    spared = [later_cost(e) - later_cost(e + 1) for e in range(min(need, power))]
    expected = next((e for e, worth in enumerate(spared) if worth < price - 1e-3), len(spared))
    assert wanted_wh(stays([need], [staying], [power]), outlook(net), price)[0] == expected


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_the_car_is_ready_in_time_whatever_comes(seed: int) -> None:
    """With forecasts that are nonsense, spread or not, energy arrives by the deadline and never faster than it may."""
    rng = np.random.default_rng(seed)
    slots = int(rng.integers(1, 9))
    power = int(rng.integers(1, 3600))
    need = int(rng.integers(1, slots * power + 1))
    for slot in range(slots):
        here = stays([need], [slots - slot], [power])
        view = outlook(rng.integers(-4000, 4000, (1, 3, 8)))
        caps = paces_wh(here, BUY) if rng.random() < 0.8 else None
        least, most = limits_wh(here, view, caps)
        assert 0 <= least[0] <= most[0] <= min(power, need)
        taken = charge(rng.integers(-4000, 4000, 1), least, most)
        assert least[0] <= taken[0] <= most[0]
        need -= int(taken[0])
    assert need == 0


def test_charging_is_spread_over_the_cheapest_slots_of_the_stay() -> None:
    """Half an hour before the peak, two slots of peak, then a night of which the car sees the first three slots."""
    price = np.array([280, 510, 510, 280, 280, 280, 280, 190]) * 1000
    here = stays([1600], [6], [3600])
    assert paces_wh(here, price)[0].tolist() == [400, 0, 0, 400, 400, 400, 0, 0]
    view = outlook(np.full((1, 1, 8), 100), price)
    assert limits_wh(here, view, paces_wh(here, price)) == (400, 1600), "an even pace from the grid, any of the sun"
    assert wanted_wh(here, view, 270_000, paces_wh(here, price))[0] == 1600, "more where a neighbour is cheaper"
    hurried = stays([1600], [6], [300])
    assert paces_wh(hurried, price)[0].tolist() == [300, 200, 200, 300, 300, 300, 0, 0], "the peak, if it must be"


def test_a_home_is_the_same_among_others() -> None:
    rng = np.random.default_rng(5)
    net = rng.integers(-3000, 3000, (4, 3, 8)).astype(np.float64)
    many = stays([5000, 0, 900, 12_000], [8, 0, 3, 6], [3600, 0, 700, 3600])
    for i in range(4):
        one = stays([many.need_wh[i]], [many.slots[i]], [many.max_slot_wh[i]])
        assert wanted_wh(many, outlook(net), 280_000)[i] == wanted_wh(one, outlook(net[i : i + 1]), 280_000)[0]
        seen = plan_charging(many, outlook(net)).beside(outlook(net)).net_wh[i]
        assert np.array_equal(
            seen, plan_charging(one, outlook(net[i : i + 1])).beside(outlook(net[i : i + 1])).net_wh[0]
        )
    assert many.must_wh.tolist() == [0, 0, 0, 0] and stays([1500], [2], [900]).must_wh[0] == 600


def test_where_exporting_pays_more_a_car_waits_for_a_slot_in_which_it_does_not() -> None:
    """What it took then would come out of the export, whatever its home has: in the slot itself and in the plan."""
    buy, sell = np.array([400, 400, 390, 400]) * 1000, np.array([1_000, 60, 1_100, 60]) * 1000
    here = stays([3000], [4], [2000])
    price = beyond_surplus_uusd(outlook(np.zeros((1, 1, 4)), buy, sell))
    view = outlook(np.full((1, 1, 4), 200), buy, sell)
    assert paces_wh(here, price)[0].tolist() == [0, 1500, 0, 1500]
    assert limits_wh(here, view, paces_wh(here, price))[0] == 0
    planned = plan_charging(here, view, paces_wh(here, price))
    assert planned.grid_wh[0, 0].tolist() == [0, 1500, 0, 1500]


def test_a_line_of_the_diary_that_a_cut_left_unfinished_does_not_count(tmp_path: Path) -> None:
    store = HomeStore(tmp_path, "7")
    store.note_charging(10, 500)
    store.note_charging(11, 600)
    path = tmp_path / "state" / "7" / CHARGING
    path.write_text(path.read_text()[:-3])
    store.note_charging(11, 610)
    store.note_charging(10, 510)
    assert store.charging_wh() == {10: 510, 11: 610}
