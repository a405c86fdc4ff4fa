"""Ladders for auctions: a curve in steps, by which no home expects to lose."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from client.ladder import offered
from client.trading import size_orders
from tests.client.test_trading import RULES, random_position

STEPS = 8
seeds, prices = st.integers(0, 10**6), st.integers(100_000, 500_000)


def ladders(position, price, left=10**6):
    return offered(position, price, np.full(len(position.bank), left), RULES, STEPS)


@given(seeds, prices)
@settings(max_examples=30, deadline=None)
def test_a_ladder_has_one_side_that_of_the_posted_price_and_grows_dearer(seed, price):
    position = random_position(seed)
    steps = ladders(position, price)
    posted = size_orders(position, price, np.full(len(position.bank), 10**6), RULES)
    assert len(steps) == STEPS
    for i in range(len(position.bank)):
        bids = [(int(s.buy_wh[i]), int(s.limit_uusd[i])) for s in steps if s.buy_wh[i]]
        asks = [(int(s.sell_wh[i]), int(s.limit_uusd[i])) for s in steps if s.sell_wh[i]]
        assert not bids or (posted.buy_wh[i] and not asks)
        assert not asks or posted.sell_wh[i]
        assert min([wh for wh, _ in bids + asks], default=1) > 0
        assert [limit for _, limit in bids] == sorted((limit for _, limit in bids), reverse=True)
        assert [limit for _, limit in asks] == sorted(limit for _, limit in asks)
        assert all(RULES.floor_uusd <= limit <= RULES.ceiling_uusd for _, limit in bids + asks)


@given(seeds, prices, st.integers(100_000, 510_000))
@settings(max_examples=30, deadline=None)
def test_every_wh_of_a_ladder_is_worth_its_limit(seed, price, found):
    """Whatever price the auction finds: it fills no more of a ladder than the home would order at that price."""
    position = random_position(seed)
    steps = ladders(position, price)
    at_found = size_orders(position, found, np.full(len(position.bank), 10**6), RULES)
    bought = sum(np.where(s.limit_uusd > found, s.buy_wh, 0) for s in steps)
    sold = sum(np.where(s.limit_uusd < found, s.sell_wh, 0) for s in steps)
    assert (bought <= at_found.buy_wh).all()
    assert (sold <= at_found.sell_wh).all()


@given(seeds, prices, st.integers(0, 3_000))
@settings(max_examples=20, deadline=None)
def test_a_ladder_keeps_the_days_sell_limit(seed, price, left):
    steps = ladders(random_position(seed), price, left)
    assert (sum(s.sell_wh for s in steps) <= left).all()


def test_a_posted_price_takes_one_order():
    position = random_position(3)
    left = np.full(len(position.bank), 10**6)
    (only,) = offered(position, 200_000, left, RULES, 1)
    assert np.array_equal(only.buy_wh, size_orders(position, 200_000, left, RULES).buy_wh)
