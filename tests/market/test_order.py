from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from market_cases import NOON, RULES, energies, limits, order

from market.order import RefusalReason, Registry, admit

KNOWN = {"a": 5_000, "b": 5_000, "c": 20_000}


def admitted(orders, sold_today_wh=None):
    book, refusals = admit(orders, NOON, sold_today_wh or {}, Registry.of(KNOWN), RULES)
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


@given(any_orders, sales)
def test_every_watt_hour_is_accepted_or_refused(orders, sold_today_wh):
    accepted, refusals = admitted(orders, sold_today_wh)
    ordered, accounted = Counter(), Counter()
    for o in orders:
        ordered[o.home_id, o.side] += o.energy_wh
    for o in accepted:
        accounted[o.home_id, o.side] += o.energy_wh
    for refusal in refusals:
        assert 0 < refusal.refused_wh <= refusal.order.energy_wh
        accounted[refusal.order.home_id, refusal.order.side] += refusal.refused_wh
    assert accounted == ordered
    assert len({o.home_id for o in accepted}) == len(accepted)
    for o in accepted:
        assert o.side == "buy" or sold_today_wh.get(o.home_id, 0) + o.energy_wh <= RULES.daily_sell_limit_wh


@given(any_orders, sales, st.randoms(use_true_random=False))
def test_arrival_order_does_not_matter_to_admission(orders, sold_today_wh, random):
    def key(x):
        return repr(x)

    accepted, refusals = admitted(orders, sold_today_wh)
    accepted_too, refusals_too = admitted(random.sample(orders, len(orders)), sold_today_wh)
    assert sorted(accepted, key=key) == sorted(accepted_too, key=key)
    assert sorted(refusals, key=key) == sorted(refusals_too, key=key)
