"""``pay-as-bid``: the keenest bid meets the cheapest offer, and each pair trades half-way between its two limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.config import MarketRules
from market.book import OrderBook
from market.matching import both_sides, cut_into_lots
from market.mechanisms.sdr import PostsRatioPrice
from market.trades import TradeBook, injected_for


@dataclass(frozen=True)
class PayAsBid(PostsRatioPrice):
    """The mechanism: a discriminatory auction whose pairs split their gain, so that money balances in each trade.

    Bids in descending, offers in ascending order of their limits, equal limits in the order of the slot's hash, lie
    along one line of delivered energy; they trade as far as a bid's limit is not under the offer's. The same energy
    trades as in the uniform auction.
    """

    name: str = "pay-as-bid"
    one_price: bool = False

    def clear(self, price_uusd: int, book: OrderBook, rules: MarketRules, seed: int) -> TradeBook:  # noqa: D102
        bids, offers = both_sides(book, rules, seed)
        bids = bids.rows(np.argsort(-bids.limit_uusd, kind="stable"))
        offers = offers.rows(np.argsort(offers.limit_uusd, kind="stable"))
        bid, offer, delivered_wh = cut_into_lots(bids.wanted_wh, offers.wanted_wh, rules)
        paying, asking = bids.limit_uusd[bid], offers.limit_uusd[offer]
        agreed = int(np.count_nonzero(paying >= asking))  # limits close in along the line: these come first
        buyer, seller, delivered_wh = bids.home[bid[:agreed]], offers.home[offer[:agreed]], delivered_wh[:agreed]
        price = (paying[:agreed] + asking[:agreed]) // 2
        injected_wh = injected_for(seller, delivered_wh, rules)
        return TradeBook(book.homes, book.slot, buyer, seller, delivered_wh, injected_wh, price)
