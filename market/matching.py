"""What the mechanisms share: sides of a book, shares of the long side, and the cut into lots.

Everything is columns: a call costs a few sorts, whatever the number of homes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.config import MarketRules
from market.book import Bools, Ints, OrderBook
from market.trades import IDS_PER_SLOT, TradeBook, injected_for


@dataclass(frozen=True, eq=False)
class Side:
    """Bids or offers, columns of shape ``(n,)``.

    Attributes:
        home: number of the home.
        wanted_wh: delivered energy: of an offer what arrives of it after the loss.
        limit_uusd: within the market's floor and ceiling.
    """

    home: Ints
    wanted_wh: Ints
    limit_uusd: Ints

    def __len__(self) -> int:
        return len(self.home)

    def rows(self, at: Ints | Bools) -> Side:
        """Some of the rows, or all in another order."""
        return Side(self.home[at], self.wanted_wh[at], self.limit_uusd[at])


def both_sides(book: OrderBook, rules: MarketRules, seed: int) -> tuple[Side, Side]:
    """Bids and offers of a book, homes in the order of the slot's hash, a home's orders from the most eager one.

    A limit beyond the floor or ceiling is drawn in to it where the order can trade all the same, and leaves the order
    out where it cannot: a bid under the floor, an offer over the ceiling.
    """
    # Stable: should two ids ever share a digest, the order of their ids decides, never arrival.
    rank = np.argsort(book.homes.places(book.slot, seed)[book.home], kind="stable")
    sells, limit = book.sells[rank], book.limit_uusd[rank]
    all_orders = Side(book.home[rank], book.energy_wh[rank], np.clip(limit, rules.floor_uusd, rules.ceiling_uusd))
    bids = all_orders.rows(~sells & (limit >= rules.floor_uusd))
    offers = all_orders.rows(sells & (limit <= rules.ceiling_uusd))
    return bids, Side(offers.home, rules.deliverable_wh(offers.wanted_wh), offers.limit_uusd)


def share_pro_rata(wanted_wh: Ints, total_wh: int) -> Ints:
    """Divide ``total_wh`` in proportion to ``wanted_wh``, shape ``(n,)``, in integers that add up exactly.

    Largest remainder (Hamilton) method; equal remainders go to the earlier entry. No share exceeds what is wanted.
    """
    wanted_total_wh = int(wanted_wh.sum())
    assert 0 <= total_wh <= wanted_total_wh
    if total_wh in (0, wanted_total_wh):
        return wanted_wh.copy() if total_wh else np.zeros_like(wanted_wh)
    assert int(wanted_wh.max()) * total_wh < 2**63, "the products must fit into 64 bits"
    shares_wh, remainders = np.divmod(wanted_wh * total_wh, wanted_total_wh)
    left_wh = total_wh - int(shares_wh.sum())
    shares_wh[np.argsort(-remainders, kind="stable")[:left_wh]] += 1
    return shares_wh


def trade_at_one_price(
    book: OrderBook, price_uusd: int, bids: Side, bought_wh: Ints, offers: Side, sold_wh: Ints, rules: MarketRules
) -> TradeBook:
    """Trades of filled bids and offers at one price, homes paired in the order in which they stand.

    Args:
        book: of the orders.
        price_uusd: u$ per delivered kWh.
        bids, offers: in the order of the slot's hash.
        bought_wh, sold_wh: what each of them gets, delivered Wh; both add up to the same.
        rules: of the market.
    """
    assert rules.floor_uusd <= price_uusd <= rules.ceiling_uusd, f"price {price_uusd} is outside of the market's bounds"
    (buyers, bought), (sellers, sold) = _by_home(bids, bought_wh), _by_home(offers, sold_wh)
    buyer, seller, delivered = cut_into_lots(bought, sold, rules)
    injected = injected_for(sellers[seller], delivered, rules)
    price = np.full_like(delivered, price_uusd)
    return TradeBook(book.homes, book.slot, buyers[buyer], sellers[seller], delivered, injected, price)


def _by_home(side: Side, filled_wh: Ints) -> tuple[Ints, Ints]:
    """Homes and what they get in all; the orders of a home stand together."""
    if len(side) == 0:
        return side.home, filled_wh
    first = np.flatnonzero(np.diff(side.home, prepend=-1))
    return side.home[first], np.add.reduceat(filled_wh, first)


def cut_into_lots(bought_wh: Ints, sold_wh: Ints, rules: MarketRules) -> tuple[Ints, Ints, Ints]:
    """Lay buyers and sellers along the same line of delivered Wh, and cut it where either changes and at full lots.

    Args:
        bought_wh, sold_wh: delivered Wh by row, each in the order of trade; what one adds up to more than the other
            is not traded.
        rules: size of a lot.

    Returns:
        Row of the buyer, row of the seller, delivered Wh of each lot, shape ``(M,)``.
    """
    traded_wh = min(int(bought_wh.sum()), int(sold_wh.sum()))
    if traded_wh == 0:
        return (np.zeros(0, np.int64),) * 3
    bought_to, sold_to = np.cumsum(bought_wh), np.cumsum(sold_wh)
    cuts = np.sort(np.concatenate([bought_to, sold_to]), kind="stable")  # two sorted runs: a merge
    to = cuts[(np.diff(cuts, prepend=0) > 0) & (cuts <= traded_wh)]
    since = np.concatenate([[0], to[:-1]])
    lots = -(-(to - since) // rules.lot_wh)
    nth = np.arange(lots.sum()) - np.repeat(np.cumsum(lots) - lots, lots) + 1
    lot_to = np.minimum(np.repeat(since, lots) + nth * rules.lot_wh, np.repeat(to, lots))
    assert len(lot_to) <= IDS_PER_SLOT
    delivered = np.diff(lot_to, prepend=0)
    return np.searchsorted(bought_to, lot_to), np.searchsorted(sold_to, lot_to), delivered
