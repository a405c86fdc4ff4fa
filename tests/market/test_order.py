from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from market_cases import NOON, RULES, energies, limits, order

from market.order import RefusalReason, Registry, admit

KNOWN = {"a": 5_000, "b": 5_000, "c": 20_000}


def admitted(orders, sold_today_wh=None, most_orders=1):
    book, refusals = admit(orders, NOON, sold_today_wh or {}, Registry.of(KNOWN), RULES, most_orders)
    return book.orders(), refusals


def reasons(orders, sold_today_wh=None):
    return [refusal.reason for refusal in admitted(orders, sold_today_wh)[1]]


def test_takes_one_order_of_each_home():
    orders = [order("a", "buy", 100), order("b", "sell", 200)]
    assert admitted(orders) == (tuple(orders), ())


def test_refuses_what_is_wrong_with_an_order():
    assert reasons([order("stranger", "buy", 100)]) == [RefusalReason.UNKNOWN_HOME]
    assert reasons([order("a", "buy", 100, slot=NOON - 1)]) == [RefusalReason.WRONG_SLOT]
    assert reasons([order("a", "buy", 5_001)]) == [RefusalReason.ENERGY_OUT_OF_BOUNDS]


def test_refuses_all_orders_of_a_home_that_orders_twice():
    both = [order("a", "buy", 100), order("a", "sell", 100)]
    twice = [order("a", "buy", 100), order("a", "buy", 200)]
    assert reasons(both) == [RefusalReason.BOTH_SIDES] * 2
    assert reasons(twice) == [RefusalReason.DUPLICATE_SIDE] * 2
    assert admitted([*both, order("b", "buy", 1)])[0] == (order("b", "buy", 1),)


def test_cuts_a_sale_to_what_is_left_of_the_day():
    accepted, (refusal,) = admitted([order("c", "sell", 4_000)], {"c": 7_500})
    assert accepted == (order("c", "sell", 2_500),)
    assert (refusal.reason, refusal.refused_wh) == (RefusalReason.DAILY_SELL_LIMIT, 1_500)
    accepted, (refusal,) = admitted([order("c", "sell", 4_000)], {"c": 10_000})
    assert accepted == ()
    assert refusal.refused_wh == 4_000


def test_the_daily_limit_does_not_bind_buyers():
    orders = [order("c", "buy", 12_000)]
    assert admitted(orders, {"c": 10_000}) == (tuple(orders), ())


def test_a_limit_outside_of_the_price_bounds_is_the_homes_own_affair():
    orders = [order("a", "buy", 10, limit_uusd=5_000_000), order("b", "sell", 10, limit_uusd=0)]
    assert admitted(orders) == (tuple(orders), ())


def test_a_ladder_is_cut_from_its_least_eager_order_on():
    bids = [order("a", "buy", 4_000, limit_uusd=300_000), order("a", "buy", 3_000, limit_uusd=200_000)]
    accepted, (refusal,) = admitted(bids, most_orders=8)
    assert accepted == (bids[0], order("a", "buy", 1_000, limit_uusd=200_000))
    assert (refusal.order, refusal.reason, refusal.refused_wh) == (bids[1], RefusalReason.ENERGY_OUT_OF_BOUNDS, 2_000)
    offers = [order("a", "sell", 3_000, limit_uusd=100_000 * n) for n in (3, 1, 2)]
    accepted, refusals = admitted(offers, {"a": 6_000}, most_orders=8)
    assert accepted == (offers[1], order("a", "sell", 1_000, limit_uusd=200_000))
    assert {(r.order.limit_uusd, r.reason, r.refused_wh) for r in refusals} == {
        (200_000, RefusalReason.ENERGY_OUT_OF_BOUNDS, 1_000),  # 5 kWh is all that its connection carries ...
        (200_000, RefusalReason.DAILY_SELL_LIMIT, 1_000),  # ... and 4 kWh are left of the day
        (300_000, RefusalReason.ENERGY_OUT_OF_BOUNDS, 3_000),
    }


def test_a_ladder_has_one_side_and_no_more_steps_than_agreed():
    both = [order("a", "buy", 1), order("a", "sell", 1), order("a", "sell", 2)]
    assert {r.reason for r in admitted(both, most_orders=2)[1]} == {RefusalReason.BOTH_SIDES}
    many = [order("a", "sell", 1), order("a", "sell", 1), order("a", "sell", 2)]
    assert [r.reason for r in admitted(many, most_orders=2)[1]] == [RefusalReason.TOO_MANY_ORDERS] * 3
    assert len(admitted(many, most_orders=3)[0]) == 3


any_orders = st.lists(
    st.builds(
        order,
        st.sampled_from(["a", "b", "c", "stranger"]),
        st.sampled_from(["buy", "sell"]),
        energies,
        limits,
        st.sampled_from([NOON, NOON, NOON, NOON + 1]),
    ),
    max_size=10,
)
sales = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(0, RULES.daily_sell_limit_wh))


@given(any_orders, sales, st.sampled_from([1, 3, 8]))
def test_every_watt_hour_is_accepted_or_refused(orders, sold_today_wh, most_orders):
    accepted, refusals = admitted(orders, sold_today_wh, most_orders)
    ordered, accounted = Counter(), Counter()
    for o in orders:
        ordered[o.home_id, o.side] += o.energy_wh
    for o in accepted:
        accounted[o.home_id, o.side] += o.energy_wh
    for refusal in refusals:
        assert 0 < refusal.refused_wh <= refusal.order.energy_wh
        accounted[refusal.order.home_id, refusal.order.side] += refusal.refused_wh
    assert accounted == ordered
    taken_wh, count = Counter(), Counter(o.home_id for o in accepted)
    for o in accepted:
        taken_wh[o.home_id, o.side] += o.energy_wh
    assert len(taken_wh) == len(count) and all(number <= most_orders for number in count.values())
    for (home, side), wh in taken_wh.items():
        assert wh <= KNOWN[home]
        assert side == "buy" or sold_today_wh.get(home, 0) + wh <= RULES.daily_sell_limit_wh


@given(any_orders, sales, st.randoms(use_true_random=False), st.sampled_from([1, 3, 8]))
def test_arrival_order_does_not_matter_to_admission(orders, sold_today_wh, random, most_orders):
    def key(x):
        return repr(x)

    accepted, refusals = admitted(orders, sold_today_wh, most_orders)
    accepted_too, refusals_too = admitted(random.sample(orders, len(orders)), sold_today_wh, most_orders)
    assert sorted(accepted, key=key) == sorted(accepted_too, key=key)
    assert sorted(refusals, key=key) == sorted(refusals_too, key=key)
