"""``uniform``: a call auction; bids and offers cross, and all trades pay the one price at which they do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from common.config import MarketRules
from market.book import Bools, Ints, OrderBook
from market.matching import Side, both_sides, share_pro_rata, trade_at_one_price
from market.mechanisms.sdr import PostsRatioPrice
from market.trades import TradeBook


def clearing_interval(bids: Side, offers: Side, rules: MarketRules) -> tuple[int, int]:
    """Lowest and highest price at which supply meets demand, u$/kWh.

    With D(p), D'(p) the energy of bids at or over p, and over p, and S(p), S'(p) that of offers at or under p, and
    under p: the prices within floor and ceiling with ``D'(p) <= S(p)`` and ``S'(p) <= D(p)``. There is always one.
    At each of them the same energy can trade, min(D, S), and at no other price more.
    """
    bid_uusd, bid_wh = _by_limit(bids)
    ask_uusd, ask_wh = _by_limit(offers)
    # D' and S only change at limits, so the lowest such price is one of them or the floor; likewise the highest.
    levels = np.sort(np.concatenate([[rules.floor_uusd], bid_uusd, ask_uusd, [rules.ceiling_uusd]]), kind="stable")
    demand, demand_over = (bid_wh[-1] - bid_wh[np.searchsorted(bid_uusd, levels, side)] for side in _AT_AND_BEYOND)
    supply_under, supply = (ask_wh[np.searchsorted(ask_uusd, levels, side)] for side in _AT_AND_BEYOND)
    lowest = levels[np.argmax(demand_over <= supply)]
    highest = levels[len(levels) - 1 - np.argmax((supply_under <= demand)[::-1])]
    return int(lowest), int(highest)


_AT_AND_BEYOND: tuple[Literal["left"], Literal["right"]] = ("left", "right")


def _by_limit(side: Side) -> tuple[Ints, Ints]:
    """Limits in ascending order, shape ``(n,)``; energy of the orders before each of them and in all, ``(n + 1,)``."""
    rank = np.argsort(side.limit_uusd)
    return side.limit_uusd[rank], np.concatenate([[0], np.cumsum(side.wanted_wh[rank])])


def _filled(side: Side, better: Bools, at: Bools, volume_wh: int) -> Ints:
    """What each order gets, Wh: those better than the price all, those at it pro rata what is left."""
    filled_wh = np.where(better, side.wanted_wh, 0)
    filled_wh[at] = share_pro_rata(side.wanted_wh[at], volume_wh - int(filled_wh.sum()))
    return filled_wh


@dataclass(frozen=True)
class UniformPrice(PostsRatioPrice):
    """The mechanism: a k-double auction with k = 1/2, in which quantities are divisible.

    Chatterjee and Samuelson, Bargaining under incomplete information, Operations Research 31(5), 1983; as a call
    auction: Economides and Schwartz, Electronic call market trading, Journal of Portfolio Management 21(3), 1995.
    """

    name: str = "uniform"
    one_price: bool = True

    def clear(self, price_uusd: int, book: OrderBook, rules: MarketRules, seed: int) -> TradeBook:  # noqa: D102
        bids, offers = both_sides(book, rules, seed)
        lowest, highest = clearing_interval(bids, offers, rules)
        price = (lowest + highest) // 2
        demand_wh = int(bids.wanted_wh[bids.limit_uusd >= price].sum())
        supply_wh = int(offers.wanted_wh[offers.limit_uusd <= price].sum())
        volume_wh = min(demand_wh, supply_wh)
        bought_wh = _filled(bids, bids.limit_uusd > price, bids.limit_uusd == price, volume_wh)
        sold_wh = _filled(offers, offers.limit_uusd < price, offers.limit_uusd == price, volume_wh)
        return trade_at_one_price(book, price, bids, bought_wh, offers, sold_wh, rules)
