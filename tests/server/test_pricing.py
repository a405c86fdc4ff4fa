"""Price signal and charging guard."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.clock import day_slots
from common.config import MarketRules
from common.messages import CURVE_SLOTS, Plan
from common.tariff import load_tariff
from market.mechanisms import MECHANISMS, SDR
from market.mechanisms.sdr import highest_price, sdr_price
from server.pricing import UNLIMITED, PlanSums, charge_share, offered_wh, price_curve, wanted_wh
from server.quoting import Quoter

RULES = MarketRules()
OFF_PEAK, PEAK, EXPORT = 280_000, 510_000, 60_000
ENERGY = st.integers(0, 50_000)
NONE = (0,) * CURVE_SLOTS


def plan_of(slot, **energies):
    """A plan of what is named, and of nothing else."""
    return Plan(**dict.fromkeys(Plan.model_fields, NONE) | {"slot": slot} | energies)


def test_known_points():
    assert sdr_price(0, 0, PEAK, EXPORT, 0, RULES) == 446_250  # no surplus: an eighth under the tariff
    assert sdr_price(0, 5_000, OFF_PEAK, EXPORT, 0, RULES) == 245_000
    assert sdr_price(5_000, 0, OFF_PEAK, EXPORT, 0, RULES) == 100_000  # nobody needs it: the floor
    assert sdr_price(10_000, 9_500, OFF_PEAK, EXPORT, 0, RULES) == 100_000  # after the loss it is just enough
    half = OFF_PEAK * EXPORT / ((OFF_PEAK - EXPORT) / 2 + EXPORT) / 2 + OFF_PEAK / 2
    assert sdr_price(10_000, 19_000, OFF_PEAK, EXPORT, 0, RULES) == round(half)


@given(ENERGY, ENERGY, ENERGY)
def test_more_surplus_never_raises_the_price_and_it_stays_in_bounds(surplus, more, need):
    price = sdr_price(surplus, need, OFF_PEAK, EXPORT, 0, RULES)
    assert sdr_price(surplus + more, need, OFF_PEAK, EXPORT, 0, RULES) <= price
    assert sdr_price(surplus, need + more, OFF_PEAK, EXPORT, 0, RULES) >= price
    assert RULES.floor_uusd <= price <= OFF_PEAK * 7 // 8


def test_a_tariff_under_the_floor_gives_the_floor():
    assert sdr_price(0, 1_000, 50_000, 10_000, 0, RULES) == RULES.floor_uusd


@given(ENERGY, ENERGY, st.integers(0, 1_300_000), st.integers(0, 1_300_000))
def test_the_price_stays_in_bounds_whatever_exporting_pays(surplus, need, imports, exports):
    price = sdr_price(surplus, need, imports, exports, 0, RULES)
    assert RULES.floor_uusd <= price <= max(RULES.floor_uusd, min(RULES.ceiling_uusd, imports * 7 // 8 + 1))
    if exports >= imports * RULES.delivered_share:  # no seller gets more than the grid pays
        assert price * RULES.delivered_share <= max(exports, RULES.floor_uusd)


@given(ENERGY, ENERGY, st.integers(0, 1_300_000), st.integers(0, 1_300_000))
def test_a_seller_gets_what_the_grid_pays_where_a_neighbour_can_pay_it(surplus, need, imports, exports):
    price, highest = sdr_price(surplus, need, imports, exports, 0, RULES), highest_price(imports, RULES)
    assert price >= min(RULES.least_price_uusd(exports), highest)
    assert sdr_price(50_000, 0, imports, exports, 0, RULES) == min(max(100_000, -(-exports * 20 // 19)), highest)


def test_nobody_has_to_sell_for_less_than_what_storing_is_worth():
    """A kWh that is stored will save 90 % of the off-peak price: that takes the place of the export price."""
    stored = round(0.9 * OFF_PEAK)
    assert sdr_price(5_000, 0, PEAK, EXPORT, stored, RULES) == stored
    assert sdr_price(10_000, 19_000, PEAK, EXPORT, stored, RULES) == sdr_price(10_000, 19_000, PEAK, stored, 0, RULES)
    assert sdr_price(5_000, 0, OFF_PEAK, EXPORT, stored, RULES) == highest_price(OFF_PEAK, RULES)


@given(ENERGY, ENERGY, ENERGY, st.integers(0, PEAK))
def test_more_surplus_never_raises_the_price_among_batteries_either(surplus, more, need, stored):
    price = sdr_price(surplus, need, PEAK, EXPORT, stored, RULES)
    assert sdr_price(surplus + more, need, PEAK, EXPORT, stored, RULES) <= price
    assert price >= sdr_price(surplus, need, PEAK, EXPORT, 0, RULES)


def sums(need_wh, surplus_wh=0, stored_wh=0, spare_wh=0):
    return PlanSums(*np.broadcast_arrays(need_wh, 0, surplus_wh, stored_wh, spare_wh))


def test_the_curve_is_the_price_of_each_slot():
    surplus, need = np.array([0, 4_000]), np.array([1_000, 5_000])
    imports, exports = np.array([OFF_PEAK, PEAK, PEAK]), np.array([EXPORT, EXPORT])
    assert price_curve(sums(need, surplus), imports, exports, RULES, SDR) == tuple(
        sdr_price(int(s), int(n), int(i), EXPORT, round(0.9 * OFF_PEAK), RULES)
        for s, n, i in zip(surplus, need, imports[:2], strict=True)
    )


def test_before_the_tariff_falls_the_price_stays_near_what_refilling_costs():
    """$0.28 over 0.9 and 0.95 is $0.3275; an eighth of the way from there to $0.51 is $0.3503."""
    imports, exports = np.array([PEAK, PEAK, OFF_PEAK, OFF_PEAK, PEAK, OFF_PEAK]), np.full(5, EXPORT)
    need = np.full(5, 5_000)
    curve = price_curve(sums(need), imports, exports, RULES, SDR)
    assert curve == (446_250, 350_300, 245_000, 245_000, 350_300), "also where the fall is the end of the curve"
    with_surplus = price_curve(sums(need, need * 3), imports, exports, RULES, SDR)
    assert with_surplus[1] == with_surplus[0] < 350_300, "where that is lower, the ratio's price stands"


def test_at_the_peak_the_price_falls_to_what_refilling_costs_where_eight_times_the_lack_is_spare():
    """$0.28 over 0.9 is $0.3111; what is lacking is that of the slot and of the dear ones after it."""
    imports, exports = np.array([OFF_PEAK, PEAK, PEAK, PEAK, OFF_PEAK]), np.full(4, EXPORT)
    nothing, need, refill = np.zeros(4, np.int64), np.array([9_000, 300, 100, 0]), 311_111

    def curve(surplus, spare_wh):
        spare = np.array([0, spare_wh, spare_wh, spare_wh])
        return price_curve(sums(need, surplus, spare_wh=spare), imports, exports, RULES, SDR)

    enough = -(-8 * 400 * 20 // 19)  # 95 % of it is delivered
    assert curve(nothing, enough) == (245_000, refill, refill, refill)
    barely = curve(nothing, enough - 2)
    assert refill < barely[1] < refill + 1_000 and barely[2:] == (refill, refill)
    assert curve(nothing, 0) == price_curve(sums(need), imports, exports, RULES, SDR)
    sunny = np.array([0, 0, 20_000, 0])
    assert curve(sunny, 1)[2] == 252_000, "nor is one raised by what is spare"
    a_little = np.array([0, 0, 40, 0])
    less = -(-8 * (400 - 38) * 20 // 19)
    assert curve(a_little, less)[1] == refill < curve(a_little, less - 2)[1], "95 % of a surplus is delivered"
    of_first = -(-8 * 300 * 20 // 19)
    assert curve(sunny, of_first)[1] == refill < curve(sunny, of_first - 2)[1], "what it leaves over is not spare"


def test_at_the_peak_the_price_falls_near_what_refilling_costs_where_three_times_the_lack_is_stored():
    """A quarter of the way from $0.3275 to $0.51 is $0.3731."""
    imports, exports = np.array([OFF_PEAK, PEAK, PEAK, PEAK, OFF_PEAK]), np.full(4, EXPORT)
    need, near = np.array([9_000, 300, 100, 0]), 373_114

    def curve(stored_wh, spare_wh=0):
        of_peak = np.array([0, 1, 1, 1])
        return price_curve(sums(need, 0, stored_wh * of_peak, spare_wh * of_peak), imports, exports, RULES, SDR)

    enough = -(-3 * 400 * 20 // 19)
    assert curve(enough)[:3] == (245_000, near, near)
    assert near < curve(enough - 2)[1] < near + 1_000
    assert curve(0)[1] == 446_250
    assert curve(3 * enough, 3 * enough)[1] == 311_111, "the lower price stands"


TARIFF = st.tuples(st.integers(0, 1_300_000), st.integers(0, 1_300_000))
STORED = st.tuples(ENERGY, ENERGY, ENERGY, ENERGY)


@given(st.lists(st.tuples(TARIFF, STORED), min_size=2, max_size=6), st.sampled_from(list(MECHANISMS.values())))
def test_what_is_stored_raises_no_price_and_changes_none_in_the_cheapest_hours(slots, mechanism):
    """Also where a home says that it has something stored at all times, or more to spare than is stored."""
    (imports, exports), energies = np.array([t for t, _ in slots]).T, np.array([e for _, e in slots]).T
    need, surplus, stored, spare = energies[:, :-1]
    without, with_stored, with_both = (
        price_curve(sums(need, surplus, *told), imports, exports[:-1], RULES, mechanism)
        for told in ((), (stored,), (stored, spare))
    )
    for t, prices in enumerate(zip(with_both, with_stored, without, strict=True)):
        assert RULES.floor_uusd <= prices[0] <= prices[1] <= prices[2]
        if imports[t] == imports[:-1].min():
            assert prices[0] == prices[2]


def test_a_quote_counts_what_homes_can_spare():
    peak = day_slots(date(2025, 6, 18)).start + 32
    lacks, spare = (100,) * CURVE_SLOTS, (9_000,) * 8 + (0,) * (CURVE_SLOTS - 8)
    plans = {
        "sunny": plan_of(peak, stored_wh=spare, spare_wh=spare),
        "other": plan_of(peak, need_wh=lacks),
    }
    quote = Quoter(load_tariff("pge-tou-c"), RULES).quote(peak, plans)
    assert set(quote.curve_uusd[:8]) == {311_111} and set(quote.curve_uusd[8:]) == {245_000}


@pytest.mark.parametrize("name", ["stored_wh", "spare_wh"])
def test_nobody_has_more_to_spare_than_it_may_sell(name):
    peak = day_slots(date(2025, 6, 18)).start + 32
    lacks, spare = (800,) * CURVE_SLOTS, (1_000_000,) * 8 + (0,) * (CURVE_SLOTS - 8)
    honest = plan_of(peak, need_wh=lacks)
    told = [tuple(min(wh, at) for wh in spare) for at in (10**6, 10_000)]
    liar, most = (honest.model_copy(update={name: energy}) for energy in told)
    quotes = [
        Quoter(load_tariff("pge-tou-c"), RULES).quote(peak, {f"h{i}": honest for i in range(6)} | {"l": plan})
        for plan in (liar, most)
    ]
    assert quotes[0] == quotes[1] and quotes[0].price_uusd > 400_000


def test_an_older_plan_names_what_is_spare_in_the_slots_that_it_was_of():
    peak = day_slots(date(2025, 6, 18)).start + 32
    spare = (0,) * 3 + (9_000,) * 8 + (0,) * (CURVE_SLOTS - 11)
    plan = plan_of(peak - 3, stored_wh=spare, spare_wh=spare)
    later = {"slot": peak, "stored_wh": spare[3:] + spare[:3], "spare_wh": spare[3:] + spare[:3]}
    for now, then in ((plan, later), (plan.model_copy(update={"spare_wh": NONE}), later | {"spare_wh": NONE})):
        told = now, now.model_copy(update=then)
        quotes = [Quoter(load_tariff("pge-tou-c"), RULES).quote(peak, {"h": each}) for each in told]
        assert quotes[0].curve_uusd == quotes[1].curve_uusd
        assert set(quotes[0].curve_uusd[:7]) == {373_114 if then["spare_wh"] == NONE else 311_111}


def test_a_quote_knows_the_price_after_its_curve():
    night = day_slots(date(2025, 6, 18)).stop - 8  # 20:00, local
    curve = Quoter(load_tariff("pge-tou-c"), RULES).quote(night, {}).curve_uusd
    assert (curve[0], *curve[-2:]) == (245_000, 446_250, 350_300)


@given(st.lists(st.tuples(st.integers(0, 1_300_000), st.integers(0, 1_300_000)), min_size=2, max_size=6), ENERGY)
def test_before_the_tariff_falls_a_seller_still_gets_what_exporting_and_refilling_cost(tariff, need):
    imports, exports = np.array(tariff).T
    energy = np.full(len(tariff) - 1, need)
    posted = [sdr_price(0, need, buy, sell, 0, RULES) for buy, sell in tariff]
    for t, price in enumerate(price_curve(sums(energy), imports, exports[:-1], RULES, SDR)):
        assert RULES.floor_uusd <= price <= posted[t]
        if price < posted[t]:
            assert imports[t + 1] < imports[t]
            assert price * RULES.delivered_share >= max(exports[t], imports[t + 1] / 0.9 - 1)


def test_charging_fills_the_valley():
    rest = np.array([3_000, 1_000, 2_000, 5_000, 500])
    charge = np.array([3_000, 0, 0, 0, 0])
    imports = np.array([OFF_PEAK, OFF_PEAK, OFF_PEAK, PEAK, OFF_PEAK])
    share = charge_share(rest + charge, charge, imports, np.zeros(len(rest), np.int64))
    assert share[:3] == pytest.approx((0.0, 2 / 3, 1 / 3))  # to 3000 Wh each
    assert share[3] == UNLIMITED
    assert share[4] == 1.0  # nobody plans to charge then


def usual_peak(rest, charge):
    return 1.1 * max(rest.max(), (rest + charge).mean())


def test_no_new_peak_though_all_want_to_charge_in_the_last_slot():
    rest, charge = np.array([2_000, 4_000]), np.array([50_000, 0])
    share = charge_share(rest + charge, charge, np.array([OFF_PEAK, PEAK]), np.zeros(2, np.int64))
    assert share[0] * 50_000 + 2_000 == pytest.approx(usual_peak(rest, charge))


@given(st.lists(st.tuples(ENERGY, ENERGY), min_size=1, max_size=48), st.integers(0, 47))
def test_shares_hold_the_peak_and_fit_the_wire(slots, rise):
    rest, charge = np.array(slots).T
    imports = np.where(np.arange(len(rest)) < rise, OFF_PEAK, PEAK)
    share = np.array(charge_share(rest + charge, charge, imports, np.zeros(len(rest), np.int64)))
    assert ((share >= 0) & (share <= UNLIMITED)).all()
    for window in (imports == OFF_PEAK, imports == PEAK):
        if window.any() and charge[window].sum() > 0:
            allowed = share[window] * charge[window].sum()
            assert allowed.sum() <= charge[window].sum() + 1e-6
            peak = usual_peak(rest, charge)
            assert (allowed + rest[window] <= np.maximum(peak, rest[window]) + 1e-6).all()


def test_charging_may_stand_as_high_as_the_day_has_been_already():
    imports, rest = np.array([OFF_PEAK] * 4 + [PEAK]), np.array([1_000, 1_000, 1_000, 1_000, 500])
    charge = np.array([0, 0, 0, 9_000, 0])
    nothing = np.zeros(5, np.int64)
    usual = 2_970  # by the mean, for homes need little but what they charge
    assert sum(charge_share(rest + charge, charge, imports, nothing)[:4]) * 9_000 == pytest.approx(4 * (usual - 1_000))
    seen = np.array([3_100, 3_100, 0, 0, 0])  # the next day begins after two slots
    share = charge_share(rest + charge, charge, imports, seen)
    assert np.array(share[:4]) * 9_000 == pytest.approx([2_100, 2_100, 1_970, 1_970])
    assert sum(charge_share(rest + charge, charge, imports, 20_000 + nothing)[:4]) == pytest.approx(1.0)


def planned(slot, need_wh=(8_000,) * 12 + (3_000,) * 36, charge_wh=(8_000,) * 12 + (0,) * 36):
    return {"home": plan_of(slot, need_wh=need_wh, charge_wh=charge_wh)}


def run(quoter, first, net_import_wh, plan=planned):
    """Quote slots from ``first`` on and tell what was metered in each; homes make the same kind of plan in each."""
    plans = plan(first)
    for slot, wh in enumerate(net_import_wh, first):
        quoter.quote(slot, plans)
        plans = plan(slot)
        if wh is not None:
            quoter.saw(slot, wh)
    return quoter.quote(first + len(net_import_wh), plans)


def test_what_was_imported_today_is_room_for_charging_two_slots_later():
    day = day_slots(date(2025, 6, 18))

    def allowed(*net_import_wh, last=day.start + 20):
        quoter = Quoter(load_tariff("pge-tou-c"), RULES)
        quote = run(quoter, last - len(net_import_wh), net_import_wh)
        return sum(quote.charge_share[:12])

    little = allowed(500, 500, 500)
    assert little < 0.99
    assert allowed(500, 20_000, 500) == pytest.approx(1.0)
    assert allowed(500, 500, 20_000) == little, "it may not have been told yet"
    assert allowed(500, -20_000, 500) == little
    assert allowed(500, None, 500) == little
    first_of_day = day.start + 2
    assert allowed(500, 20_000, 500, last=first_of_day) > allowed(20_000, 500, 500, last=first_of_day)


@pytest.mark.parametrize("day", [date(2025, 3, 9), date(2025, 6, 18), date(2025, 11, 2)])
def test_what_was_imported_today_is_no_room_after_midnight(day):
    def night(slot):
        return planned(slot, (2_000,) * 38 + (500,) * 10, (2_000,) * 38 + (0,) * 10)

    evening = day_slots(day).stop - 6  # 21:00, local
    quote = run(Quoter(load_tariff("pge-tou-c"), RULES), evening - 3, [500, 8_000, 500], night)
    share = np.array(quote.charge_share[:37])  # central goes by plans of the slot before, which charge for 38 slots
    assert len(set(share[:6])) == 1 and len(set(share[6:])) == 1
    assert share[0] > share[6] > 0


@pytest.mark.parametrize("more", [1, 2])
@pytest.mark.parametrize("now_wh", [0, 4_000])
def test_charging_does_not_raise_its_own_bound(more, now_wh):
    """What was allowed by the plans that homes charged by is not what the community imports by itself.

    Homes that mean to charge nothing now (``now_wh`` 0) are allowed the same share, and may.
    """
    slot, tariff = day_slots(date(2025, 6, 18)).start + 20, load_tariff("pge-tou-c")

    def plan(at):  # what homes want grows after the fourth slot is quoted, and they charge by what they want then
        wh = 4_000 * (more if at >= slot + 3 else 1)
        charge = (now_wh, *[wh] * 11, *[0] * 20, *[wh] * 16)  # with charging at night, which is another window
        return planned(at, (now_wh, *[wh] * 11, *[3_000] * 20, *[wh] * 16), charge)

    def shares(fourth_wh):
        quoter, found, plans = Quoter(tariff, RULES), [], plan(slot)
        for now in range(slot, slot + 6):
            found.append(quoter.quote(now, plans).charge_share[0])
            plans = plan(now)
            window = sum(plans["home"].charge_wh[: slot + 12 - now])
            quoter.saw(now, int(found[-1] * window) + (fourth_wh if now == slot + 3 else 500))
        return found

    quiet, high = shares(500), shares(20_000)
    assert quiet[:5] == high[:5] and high[5] > quiet[5]
    assert shares(0) == quiet, "under what the plans expect nothing is seen"


def test_charging_of_a_home_whose_reply_was_lost_is_no_load_of_its_own():
    slot = day_slots(date(2025, 6, 18)).start + 20

    def share(lost):
        quoter, plans = Quoter(load_tariff("pge-tou-c"), RULES), {}
        for now in range(slot, slot + 6):
            fresh = {home: planned(now)["home"] for home in "abc"}
            first = quoter.quote(now, plans or fresh).charge_share[0]
            plans = fresh | ({"a": plans["a"]} if lost and now == slot + 3 else {})
            quoter.saw(now, int(3 * first * sum(fresh["a"].charge_wh[: slot + 12 - now])))
        return quoter.quote(slot + 6, plans).charge_share[:6]

    assert share(lost=True) == share(lost=False)


def test_a_slot_that_central_did_not_quote_tells_nothing():
    """Central does not know what homes charged in it."""
    slot = day_slots(date(2025, 6, 18)).start + 20
    quotes = []
    for metered in (500, 20_000):
        quoter = Quoter(load_tariff("pge-tou-c"), RULES)
        quoter.quote(slot - 4, planned(slot - 4))
        quoter.saw(slot - 3, metered)
        quoter.quote(slot - 2, planned(slot - 3))
        quoter.quote(slot - 1, planned(slot - 2))
        quotes.append(quoter.quote(slot, planned(slot - 1)))
    assert quotes[0] == quotes[1]


def test_charging_in_dear_hours_is_no_load_of_its_own():
    """Nothing limits it there, so what homes mean to charge is what they charge."""
    peak, tariff = day_slots(date(2025, 6, 18)).start + 32, load_tariff("pge-tou-c")

    def plan(at):  # at the peak and all night
        charge = ((9_000,) * max(peak + 8 - at, 0) + (8_000,) * 40 + (0,) * 8)[:CURVE_SLOTS]
        return planned(at, tuple(np.add(charge, 500).tolist()), charge)

    def night(metered_wh):
        return run(Quoter(tariff, RULES), peak, [metered_wh] * 8, plan).charge_share[:7]

    assert night(9_500) == night(0)
    assert night(60_000) > night(0)


def test_without_plans_the_night_is_shared_evenly():
    nothing = np.zeros(4, np.int64)
    assert charge_share(nothing, nothing, np.full(4, OFF_PEAK), nothing) == (0.25,) * 4


def _eager_plan(slot, charge_wh):
    """A home that needs 500 Wh a slot, more a day later, and wants ``charge_wh`` in its battery at once."""
    need = (500 + charge_wh, *[500] * (CURVE_SLOTS - 2), 5_000)
    return plan_of(slot, need_wh=need, charge_wh=(charge_wh, *NONE[1:]))


def test_charging_that_the_guard_put_off_is_still_to_come():
    """Each plan charges at once, the guard lets it charge evenly; the shares then add up to what is left."""
    quoter = Quoter(load_tariff("pge-tou-c"), RULES)
    midnight = day_slots(date(2025, 6, 18)).start
    left, charged = 2_400.0, []
    plans = {"home": _eager_plan(midnight, round(left))}
    for slot in range(midnight, midnight + 32):  # up to the peak at 16:00
        share = quoter.quote(slot, plans).charge_share[0]
        plans = {"home": _eager_plan(slot, round(left))}
        charged.append(min(share, 1.0) * left)
        left -= charged[-1]
    assert charged == pytest.approx([75.0] * 32, abs=3.0)


def test_what_the_guard_put_off_is_planned_for_the_next_slot():
    """As if the homes had planned it there themselves."""
    quoter, fresh = (Quoter(load_tariff("pge-tou-c"), RULES) for _ in range(2))
    slot = day_slots(date(2025, 6, 18)).start + 20
    rest, nothing = (500, *[3_000] * 5, *[500] * 42), (0,) * (CURVE_SLOTS - 1)
    eager = planned(slot, (24_500, *rest[1:]), (24_000, *nothing))
    put_off = 24_000 - int(quoter.quote(slot, eager).charge_share[0] * 24_000)
    assert 0 < put_off < 24_000
    late = planned(slot + 1, (3_000 + put_off, *rest[2:], 24_500), (put_off, *nothing[1:], 24_000))
    assert quoter.quote(slot + 1, eager).charge_share == fresh.quote(slot + 1, late).charge_share


def test_nothing_is_put_off_where_homes_begin_anew():
    """At a day's beginning homes plan without a quote, from what is stored."""
    quoter, fresh = (Quoter(load_tariff("pge-tou-c"), RULES) for _ in range(2))
    midnight = day_slots(date(2025, 6, 18)).start
    night = (*[8_000] * 32, *[0] * 8, *[8_000] * 8)
    before = planned(midnight - 1, (8_000, *night[:-1]), (8_000, *night[:-1]))
    assert sum(quoter.quote(midnight - 1, before).charge_share[:33]) < 0.95
    anew = planned(midnight, night, night)
    assert quoter.quote(midnight, anew) == fresh.quote(midnight, anew)


def test_nothing_is_carried_into_the_next_charging_window():
    """At 16:00 the window before the peak has ended: what was not charged by then is no longer wanted."""
    peak = day_slots(date(2025, 6, 18)).start + 32
    quoter, fresh = (Quoter(load_tariff("pge-tou-c"), RULES) for _ in range(2))
    share = quoter.quote(peak - 1, {"home": _eager_plan(peak - 1, 24_000)}).charge_share[0]
    plans = {"home": _eager_plan(peak - 1, 24_000)}
    assert share < 0.9, "something was put off"
    assert quoter.quote(peak, plans) == fresh.quote(peak, plans)


def test_what_is_wanted_is_shared_by_those_who_sell():
    surplus, need = np.array([0, 950, 5_000]), np.array([1_900, 1_900, 1_900])
    assert wanted_wh(surplus, need, 2, RULES) == (1_000, 525, 0)
    assert wanted_wh(surplus, need, 0, RULES) == (0, 0, 0)


def test_what_is_offered_is_shared_by_those_who_have_nothing_to_offer():
    surplus, need = np.array([0, 5_000, 2_000, 5_000]), np.array([1_900, 950, 1_900, 950])
    assert offered_wh(surplus, need, np.array([2, 2, 2, 0]), RULES) == (0, 1_900, 0, 0)


def test_homes_that_fell_silent_take_no_part_of_what_is_wanted():
    """A plan of a day ago counts for nothing, nor does one of a slot that is still to come."""
    noon = day_slots(date(2025, 6, 18)).start + 24
    seller = plan_of(noon - 1, surplus_wh=(100,) * CURVE_SLOTS)
    buyer = plan_of(noon - 1, need_wh=(2_000,) * CURVE_SLOTS)
    silent = {f"s{age}": seller.model_copy(update={"slot": noon - age}) for age in (CURVE_SLOTS, 500, -1)}
    quotes = [
        Quoter(load_tariff("pge-tou-c"), RULES).quote(noon, {"b": buyer, "s": seller} | others)
        for others in ({}, silent)
    ]
    assert quotes[0] == quotes[1]
    assert set(quotes[0].wanted_wh) == {2_005}
