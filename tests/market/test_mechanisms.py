"""The rules hold for any orders: thousands of random order books under each mechanism, against the slow oracle."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_cases import NOON, PRICE_UUSD, RULES, match, order
from matching_oracle import matched

from common import checks
from market.book import HomeTable, OrderBook
from market.mechanisms import MECHANISMS

BOOKS = 2_600
"""Books for each mechanism: over 10,000 in all."""

SMALL = replace(RULES, floor_uusd=10, ceiling_uusd=60, lot_wh=20)
"""Bounds and lots so small that every rule binds in a book of a few hundred Wh, which the oracle counts one by one."""

each_mechanism = pytest.mark.parametrize("mechanism", MECHANISMS)


def random_orders(rng, most_orders, slot=NOON):
    """Up to eight homes; many ties, limits beyond the bounds, energies from nothing that arrives to some lots."""
    orders = []
    for number in rng.permutation(20)[: rng.integers(0, 9)].tolist():
        side = "buy" if rng.random() < 0.5 else "sell"
        for _ in range(rng.integers(1, most_orders + 1)):
            limit = int(rng.choice([0, 10, 30, 35, 60, 61, 90, rng.integers(5, 70)]))
            energy = int(rng.integers(1, 5 if rng.random() < 0.3 else 60))
            orders.append(order(f"home-{number}", side, energy, limit, slot))
    return [orders[i] for i in rng.permutation(len(orders)).tolist()]


def assert_sound(trades, orders, rules):
    """Lots, loss, limits, bounds, conservation: from the trades' columns, whatever the mechanism is."""
    trades = list(trades)
    limits = {}
    for o in orders:
        limits.setdefault(o.home_id, []).append((o.limit_uusd, o.energy_wh, o.side))
    bought, sold, delivered = {}, {}, {}
    for t in trades:
        assert t.buyer != t.seller
        assert 1 <= t.delivered_wh <= rules.lot_wh
        assert rules.floor_uusd <= t.price_uusd <= rules.ceiling_uusd
        assert t.amount_nusd == t.delivered_wh * t.price_uusd  # what one pays the other receives
        bought.setdefault(t.buyer, []).append(t)
        sold[t.seller] = sold.get(t.seller, 0) + t.injected_wh
        delivered.setdefault(t.seller, []).append(t)
    for home, injected_wh in sold.items():
        assert injected_wh == rules.injected_wh(sum(t.delivered_wh for t in delivered[home]))
        assert injected_wh <= sum(energy for _, energy, side in limits[home] if side == "sell")
    for home, mine in bought.items():  # what is bought at a price or above has orders that pay so much
        for t in mine:
            willing = sum(energy for limit, energy, side in limits[home] if side == "buy" and limit >= t.price_uusd)
            assert sum(u.delivered_wh for u in mine if u.price_uusd >= t.price_uusd) <= willing
    for home, mine in delivered.items():
        for t in mine:
            willing = sum(
                rules.deliverable_wh(energy)
                for limit, energy, side in limits[home]
                if side == "sell" and limit <= t.price_uusd
            )
            assert sum(u.delivered_wh for u in mine if u.price_uusd <= t.price_uusd) <= willing


@each_mechanism
def test_random_books_agree_with_the_oracle_and_keep_every_rule(mechanism):
    rng = np.random.default_rng(list(MECHANISMS).index(mechanism))
    homes = HomeTable.of(f"home-{n}" for n in range(20))
    traded = 0
    for seed in range(BOOKS):
        orders = random_orders(rng, checks.MECHANISMS[mechanism] // 2 or 1)
        price = int(rng.integers(10, 61))
        book = OrderBook.of(orders, NOON, homes)
        trades = MECHANISMS[mechanism].clear(price, book, SMALL, seed)
        rows = [(t.buyer, t.seller, t.delivered_wh, t.injected_wh, t.price_uusd) for t in trades]
        assert rows == matched(NOON, price, orders, SMALL, seed, mechanism)
        assert_sound(trades, orders, SMALL)
        traded += bool(rows)
        if seed % 10 == 0:
            shuffled = [orders[i] for i in rng.permutation(len(orders)).tolist()]
            again = MECHANISMS[mechanism].clear(price, OrderBook.of(shuffled, NOON), SMALL, seed)
            assert list(again) == list(trades)  # neither arrival nor who else is in the market matters
    assert traded > BOOKS / 3


@each_mechanism
def test_large_books_keep_every_rule(mechanism):
    rng = np.random.default_rng(7)
    for seed in range(20):
        orders = [
            order(f"home-{n}", str(rng.choice(["buy", "sell"])), int(rng.integers(1, 9_000)), int(limit))
            for n, limit in enumerate(rng.integers(50_000, 1_200_000, 60).tolist())
        ]
        trades = match(NOON, PRICE_UUSD, orders, RULES, seed, mechanism)
        assert trades
        assert_sound(trades, orders, RULES)


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_both_auctions_trade_the_same_energy_and_never_less_than_a_posted_price(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    orders = random_orders(rng, 4)
    volume = {
        name: sum(t.delivered_wh for t in match(NOON, data.draw(st.integers(10, 60)), orders, SMALL, 0, name))
        for name in ("uniform", "pay-as-bid")
    }
    assert volume["uniform"] == volume["pay-as-bid"]
    singles = list({o.home_id: o for o in orders}.values())
    posted = sum(t.delivered_wh for t in match(NOON, data.draw(st.integers(10, 60)), singles, SMALL, 0))
    assert posted <= sum(t.delivered_wh for t in match(NOON, 30, singles, SMALL, 0, "uniform"))


def prices_and_energies(trades):
    return [(t.buyer, t.seller, t.delivered_wh, t.price_uusd) for t in trades]


def test_the_call_auction_by_hand():
    bids = [order("a", "buy", 100, 300_000), order("b", "buy", 100, 200_000)]
    offers = [order("s", "sell", 200, 150_000)]  # 190 Wh arrive
    trades = match(NOON, 0, [*bids, *offers], RULES, 0, "uniform")
    # b, at the margin, is not filled whole: its limit is the price.
    assert sorted(prices_and_energies(trades)) == [("a", "s", 100, 200_000), ("b", "s", 90, 200_000)]
    # Both sides whole: between the last limits that trade, half-way.
    trades = match(NOON, 0, [bids[0], order("s", "sell", 106, 150_000)], RULES, 0, "uniform")
    assert prices_and_energies(trades) == [("a", "s", 100, 225_000)]
    # Who is left out narrows it: an offer at 180,000 that does not trade.
    trades = match(
        NOON, 0, [bids[0], order("s", "sell", 106, 150_000), order("t", "sell", 9, 180_000)], RULES, 0, "uniform"
    )
    assert prices_and_energies(trades) == [("a", "s", 100, 165_000)]
    assert match(NOON, 0, [bids[0], order("s", "sell", 100, 300_001)], RULES, 0, "uniform") == ()


def test_pay_as_bid_by_hand():
    bids = [order("a", "buy", 100, 300_000), order("b", "buy", 100, 200_000)]
    offers = [order("s", "sell", 158, 150_000), order("t", "sell", 100, 250_000)]  # 150 Wh and 95 Wh arrive
    trades = match(NOON, 0, [*bids, *offers], RULES, 0, "pay-as-bid")
    assert prices_and_energies(trades) == [("a", "s", 100, 225_000), ("b", "s", 50, 175_000)]


def test_the_posted_price_of_the_middle():
    middle = MECHANISMS["mid-market"]
    assert middle.posted_price(0, 9_000, 280_000, 60_000, 252_000, RULES) == 170_000
    assert middle.posted_price(9_000, 0, 110_000, 20_000, 99_000, RULES) == RULES.floor_uusd


def test_the_run_config_names_the_mechanisms_that_there_are():
    assert MECHANISMS.keys() == checks.MECHANISMS.keys()
    assert all(mechanism.name == name for name, mechanism in MECHANISMS.items())
