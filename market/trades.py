"""Trades of a slot: columns for the machine, one by one for the books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from common.config import MarketRules
from common.units import amount_nusd
from market.book import HomeTable, Ints

IDS_PER_SLOT = 100_000_000
"""Numbers of trades and postings start at ``slot * IDS_PER_SLOT``: unique over the books, and the same in a rerun."""


@dataclass(frozen=True)
class Trade:
    """One transaction between two homes.

    Attributes:
        trade_id: unique over all slots.
        slot: when the energy flows.
        buyer, seller: home ids.
        delivered_wh: energy that arrives at the buyer and is paid for, Wh.
        injected_wh: energy that the seller feeds in for it, loss included, Wh.
        price_uusd: u$ per delivered kWh.
    """

    trade_id: int
    slot: int
    buyer: str
    seller: str
    delivered_wh: int
    injected_wh: int
    price_uusd: int

    @property
    def amount_nusd(self) -> int:
        """What the buyer pays the seller, n$."""
        return amount_nusd(self.delivered_wh, self.price_uusd)


@dataclass(frozen=True, eq=False)
class TradeBook(Sequence[Trade]):
    """Trades of a slot as columns of shape ``(M,)``; a sequence of :class:`Trade`, each made when it is asked for.

    Attributes:
        homes, slot: of the order book.
        buyer, seller: numbers of the homes.
        delivered_wh, injected_wh, price_uusd: as in :class:`Trade`.
    """

    homes: HomeTable
    slot: int
    buyer: Ints
    seller: Ints
    delivered_wh: Ints
    injected_wh: Ints
    price_uusd: Ints

    @staticmethod
    def none(homes: HomeTable, slot: int) -> TradeBook:
        """No trades."""
        return TradeBook(homes, slot, *(np.zeros(0, np.int64) for _ in range(5)))

    def __len__(self) -> int:
        return len(self.buyer)

    @overload
    def __getitem__(self, at: int) -> Trade: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[Trade, ...]: ...

    def __getitem__(self, at: int | slice) -> Trade | tuple[Trade, ...]:
        if isinstance(at, slice):
            return tuple(self)[at]
        number = range(len(self))[at]
        return Trade(
            self.slot * IDS_PER_SLOT + number,
            self.slot,
            self.homes.ids[self.buyer[number]],
            self.homes.ids[self.seller[number]],
            int(self.delivered_wh[number]),
            int(self.injected_wh[number]),
            int(self.price_uusd[number]),
        )

    def __iter__(self) -> Iterator[Trade]:
        ids = self.homes.ids
        columns = (self.buyer, self.seller, self.delivered_wh, self.injected_wh, self.price_uusd)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for number, (buyer, seller, *amounts) in enumerate(rows, self.slot * IDS_PER_SLOT):
            yield Trade(number, self.slot, ids[buyer], ids[seller], *amounts)

    def by_home(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Bought (delivered) Wh, sold (injected) Wh, delivered Wh either way, and its amount in n$, shape ``(H,)``."""
        bought, sold, delivered, amount = np.zeros((4, len(self.homes.ids)), np.int64)
        np.add.at(bought, self.buyer, self.delivered_wh)
        np.add.at(sold, self.seller, self.injected_wh)
        for party in (self.buyer, self.seller):
            np.add.at(delivered, party, self.delivered_wh)
            np.add.at(amount, party, self.delivered_wh * self.price_uusd)
        return bought, sold, delivered, amount


def traded_by_home(trades: Iterable[Trade]) -> tuple[Counter[str], Counter[str]]:
    """Energy that each home bought (delivered Wh) and sold (injected Wh)."""
    bought_wh: Counter[str] = Counter()
    sold_wh: Counter[str] = Counter()
    for trade in trades:
        bought_wh[trade.buyer] += trade.delivered_wh
        sold_wh[trade.seller] += trade.injected_wh
    return bought_wh, sold_wh


def injected_for(seller: Ints, delivered_wh: Ints, rules: MarketRules) -> Ints:
    """Energy that is injected for each trade, Wh, shape ``(M,)``.

    The loss is rounded up once for each seller, not once for each trade: what it injected so far, by difference.
    """
    rank = np.argsort(seller, kind="stable")
    so_far = np.cumsum(delivered_wh[rank])
    opens = np.diff(seller[rank], prepend=-1) != 0  # the first trade of each seller
    before_seller = (so_far - delivered_wh[rank])[opens][np.cumsum(opens) - 1]
    after = so_far - before_seller
    injected = np.empty_like(delivered_wh)
    injected[rank] = rules.injected_wh(after) - rules.injected_wh(after - delivered_wh[rank])
    return injected
