"""Small made-up orders, meters and slots for the market's tests."""

import numpy as np
from hypothesis import strategies as st

from common.config import MarketRules
from common.messages import Meter, Order
from common.tariff import load_tariff
from market.book import OrderBook
from market.mechanisms import MECHANISMS

RULES = MarketRules()
PRICE_UUSD = 250_000
NOON = 953_000 // 48 * 48 + 40
"""A slot at local noon in winter (20:00 UTC)."""

limits = st.sampled_from([0, 100_000, PRICE_UUSD - 1, PRICE_UUSD, PRICE_UUSD + 1, 1_000_000, 2_000_000])
energies = st.one_of(st.integers(1, 40), st.integers(1, 9_000))
seeds = st.integers(0, 2**31)


def order(home_id, side, energy_wh, limit_uusd=PRICE_UUSD, slot=NOON):
    return Order(home_id=home_id, slot=slot, side=side, energy_wh=energy_wh, limit_uusd=limit_uusd)


def match(slot, price_uusd, orders, rules, seed, mechanism="sdr"):
    """Trades of orders that need no admission."""
    return tuple(MECHANISMS[mechanism].clear(price_uusd, OrderBook.of(orders, slot), rules, seed))


def meter(import_wh=0, export_wh=0, slot=NOON):
    return Meter(slot=slot, import_wh=import_wh, export_wh=export_wh)


@st.composite
def books_of_orders(draw, max_homes=12, slot=NOON):
    """At most one order for each home, in any order of homes."""
    homes = draw(st.lists(st.integers(0, 99), unique=True, max_size=max_homes))
    return [
        order(f"home-{n}", draw(st.sampled_from(["buy", "sell"])), draw(energies), draw(limits), slot) for n in homes
    ]


@st.composite
def meters_of_homes(draw, homes, slot=NOON):
    """A meter for some of ``homes``; energy may flow both ways within a slot."""
    flows = st.integers(0, 6_000)
    return {home: meter(draw(flows), draw(flows), slot) for home in homes if draw(st.integers(0, 9))}


def tariff_uusd(slot, name="pge-tou-c"):
    tariff, slots = load_tariff(name), np.array([slot])
    return int(tariff.import_uusd(slots)[0]), int(tariff.export_uusd(slots)[0])
