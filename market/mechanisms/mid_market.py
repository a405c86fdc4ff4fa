"""``mid-market``: half-way between the import and the export price, whatever surplus and need are."""

from __future__ import annotations

from dataclasses import dataclass

from common.config import MarketRules
from market.book import OrderBook
from market.mechanisms.sdr import clear_posted, highest_price
from market.trades import TradeBook


@dataclass(frozen=True)
class MidMarket:
    """The mechanism; matching as with ``sdr``.

    The price is that of Long et al., Peer-to-peer energy trading in a community microgrid, IEEE PES General Meeting
    2017, without its second step: who is left over deals with the grid for itself.
    """

    name: str = "mid-market"
    one_price: bool = True

    def posted_price(  # noqa: D102
        self, surplus_wh: int, need_wh: int, import_uusd: int, export_uusd: int, stored_uusd: int, rules: MarketRules
    ) -> int:
        middle = (import_uusd + export_uusd) // 2
        return min(max(middle, rules.floor_uusd), highest_price(import_uusd, rules))

    def clear(self, price_uusd: int, book: OrderBook, rules: MarketRules, seed: int) -> TradeBook:  # noqa: D102
        return clear_posted(price_uusd, book, rules, seed)
