"""What a market mechanism is: a price that central broadcasts, and a rule that turns orders into trades.

The mechanisms are the modules of :mod:`market.mechanisms`; the run config names one.
"""

from __future__ import annotations

from typing import Protocol

from common.config import MarketRules
from market.book import OrderBook
from market.trades import TradeBook


class Mechanism(Protocol):
    """A market mechanism.

    Attributes:
        name: in the run config.
        one_price: whether all trades of a slot have the same price.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def one_price(self) -> bool: ...  # noqa: D102

    def posted_price(
        self, surplus_wh: int, need_wh: int, import_uusd: int, export_uusd: int, stored_uusd: int, rules: MarketRules
    ) -> int:
        """Price of a slot, u$ per delivered kWh, in floor and ceiling; in dear hours central may post less.

        Args:
            surplus_wh, need_wh: what homes expect to export and import at the tariff alone, Wh; or what they could
                give in dear hours of what is stored, and several times what they lack there.
            import_uusd, export_uusd: the tariff in the slot, u$/kWh.
            stored_uusd: what a kWh will be worth that is stored in the slot; or what refilling costs, or more.
            rules: of the market.
        """
        ...

    def clear(self, price_uusd: int, book: OrderBook, rules: MarketRules, seed: int) -> TradeBook:
        """Trades of a slot; they do not depend on the order in which orders arrived.

        Args:
            price_uusd: that was broadcast; an auction finds its own.
            book: admitted orders, each home on one side only.
            rules: loss, size of a lot, floor and ceiling.
            seed: of the hash that breaks ties.
        """
        ...
