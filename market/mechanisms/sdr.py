"""``sdr``, the default: a price posted by the supply-demand ratio; who agrees to it trades, the long side pro rata."""

from __future__ import annotations

from dataclasses import dataclass

from common.config import MarketRules
from market.book import OrderBook
from market.matching import both_sides, share_pro_rata, trade_at_one_price
from market.trades import TradeBook

_UNDER_IMPORT = 8
"""The market's price stays an eighth under the import price. A firm order is made on a forecast: a home only buys what
needs more likely than price over import price, and at a cent under the tariff that is next to nothing."""


def sdr_price(
    surplus_wh: int, need_wh: int, import_uusd: int, export_uusd: int, stored_uusd: int, rules: MarketRules
) -> int:
    """Price of a slot by the supply-demand ratio.

    With r = deliverable surplus / need: ``v r + import (1 - r)`` where ``v = import least / ((import - least) r +
    least)``, and the lowest price once r reaches 1 (Liu et al., Energy-sharing model with price-based demand response
    for microgrids of peer-to-peer prosumers, IEEE Trans. Power Systems 32(5), 2017).  There ``least`` is the export
    price; among homes with batteries it is what a seller would else get by storing, where that is more.

    Args:
        surplus_wh, need_wh: what homes expect to export and import at the tariff alone, Wh.
        import_uusd, export_uusd: the tariff in the slot, u$/kWh.
        stored_uusd: what a kWh will be worth that is stored in the slot.
        rules: the market's floor and ceiling, and its loss.

    Returns:
        u$ per delivered kWh, at most an eighth under the import price (or the ceiling); within that at least the
        market's floor, and what pays a seller as much as exporting or storing.  The highest where exporting pays what a
        neighbour could: then nobody sells, and no price would change that.
    """
    highest = highest_price(import_uusd, rules)
    least = min(max(export_uusd, stored_uusd), import_uusd)
    lowest = min(max(rules.floor_uusd, rules.least_price_uusd(export_uusd), least), highest)
    deliverable = rules.deliverable_wh(surplus_wh)
    if deliverable == 0 or export_uusd >= import_uusd * rules.delivered_share:
        return highest
    if deliverable >= need_wh:
        return lowest
    ratio = deliverable / need_wh
    sold_at = import_uusd * least / ((import_uusd - least) * ratio + least)
    price = round(sold_at * ratio + import_uusd * (1 - ratio))
    return min(max(price, lowest), highest)


def highest_price(import_uusd: int, rules: MarketRules) -> int:
    """Highest price that is posted, u$/kWh: an eighth under the import price, within the market's bounds."""
    return max(rules.floor_uusd, min(rules.ceiling_uusd, import_uusd - import_uusd // _UNDER_IMPORT))


def clear_posted(price_uusd: int, book: OrderBook, rules: MarketRules, seed: int) -> TradeBook:
    """Match a book at a posted price.

    Bids with a limit at or over the price and offers with a limit at or under it take part. The short side is filled
    whole, the long side in proportion to its orders, in integer Wh by largest remainders. A seller's deliverable
    energy is what arrives of its order after the loss, and its trades together inject no more than its order.
    """
    bids, offers = both_sides(book, rules, seed)
    bids, offers = bids.rows(bids.limit_uusd >= price_uusd), offers.rows(offers.limit_uusd <= price_uusd)
    traded_wh = min(int(bids.wanted_wh.sum()), int(offers.wanted_wh.sum()))
    bought_wh = share_pro_rata(bids.wanted_wh, traded_wh)
    sold_wh = share_pro_rata(offers.wanted_wh, traded_wh)
    return trade_at_one_price(book, price_uusd, bids, bought_wh, offers, sold_wh, rules)


class PostsRatioPrice:
    """What broadcasts the price of the supply-demand ratio: ``sdr`` to match at it, an auction as an indication."""

    def posted_price(  # noqa: D102
        self, surplus_wh: int, need_wh: int, import_uusd: int, export_uusd: int, stored_uusd: int, rules: MarketRules
    ) -> int:
        return sdr_price(surplus_wh, need_wh, import_uusd, export_uusd, stored_uusd, rules)


@dataclass(frozen=True)
class SupplyDemandRatio(PostsRatioPrice):
    """The mechanism."""

    name: str = "sdr"
    one_price: bool = True

    def clear(self, price_uusd: int, book: OrderBook, rules: MarketRules, seed: int) -> TradeBook:  # noqa: D102
        return clear_posted(price_uusd, book, rules, seed)
