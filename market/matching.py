"""Matching at a posted price: pro rata on the long side, then lots.

Homes stand in the order of a keyed hash of (seed, slot, home). That order alone decides which home gets the last
watt-hour of a rounding tie and who trades with whom: it changes every slot, it favours nobody, neither the arrival of
a message nor a client's choice can move it, and the same seed gives the same trades.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from common.config import MarketRules
from common.messages import Order
from common.units import amount_nusd

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


def match(slot: int, price_uusd: int, orders: Sequence[Order], rules: MarketRules, seed: int) -> tuple[Trade, ...]:
    """Match admitted orders at the posted price.

    Buys with a limit at or over the price and sells with a limit at or under it take part. The short side is filled
    whole, the long side in proportion to its orders, in integer Wh by largest remainders. A seller's deliverable
    energy is what arrives of its order after the loss, and its trades together inject no more than its order.

    Args:
        slot: of all orders.
        price_uusd: posted price, u$ per delivered kWh, within floor and ceiling.
        orders: admitted, at most one for each home; their sequence does not matter.
        rules: loss and size of a lot.
        seed: of the hash order.

    Returns:
        Trades of at most ``rules.lot_wh`` delivered Wh each.
    """
    assert rules.floor_uusd <= price_uusd <= rules.ceiling_uusd, f"price {price_uusd} is outside of the market's bounds"
    assert all(order.slot == slot for order in orders), f"an order for another slot than {slot}"
    assert len({order.home_id for order in orders}) == len(orders), "a home has more than one order"

    buys = [o for o in orders if o.side == "buy" and o.limit_uusd >= price_uusd]
    sells = [o for o in orders if o.side == "sell" and o.limit_uusd <= price_uusd]
    if not buys or not sells:
        return ()
    buyers, demand_wh = _in_hash_order(buys, [o.energy_wh for o in buys], slot, seed)
    sellers, supply_wh = _in_hash_order(sells, [rules.deliverable_wh(o.energy_wh) for o in sells], slot, seed)
    traded_wh = min(int(demand_wh.sum()), int(supply_wh.sum()))
    bought_wh = share_pro_rata(demand_wh, traded_wh)
    sold_wh = share_pro_rata(supply_wh, traded_wh)
    return _pair(slot, price_uusd, buyers, bought_wh, sellers, sold_wh, rules)


def share_pro_rata(wanted_wh: NDArray[np.int64], total_wh: int) -> NDArray[np.int64]:
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


def traded_by_home(trades: Iterable[Trade]) -> tuple[Counter[str], Counter[str]]:
    """Energy that each home bought (delivered Wh) and sold (injected Wh)."""
    bought_wh: Counter[str] = Counter()
    sold_wh: Counter[str] = Counter()
    for trade in trades:
        bought_wh[trade.buyer] += trade.delivered_wh
        sold_wh[trade.seller] += trade.injected_wh
    return bought_wh, sold_wh


def _in_hash_order(
    orders: Sequence[Order], energy_wh: Sequence[int], slot: int, seed: int
) -> tuple[list[str], NDArray[np.int64]]:
    """Home ids and energies of orders, in the order of the slot's hash."""
    keyed = blake2b(f"{seed}/{slot}/".encode(), digest_size=16)
    digests = bytearray()
    for order in orders:
        hasher = keyed.copy()
        hasher.update(order.home_id.encode())
        digests += hasher.digest()
    # 128 bits: two homes never share a digest, so nothing is left for the arrival order to decide.
    words = np.frombuffer(digests, dtype=">u8").reshape(-1, 2)
    rank = np.lexsort((words[:, 1], words[:, 0]))
    return [orders[i].home_id for i in rank.tolist()], np.array(energy_wh, np.int64)[rank]


def _pair(
    slot: int,
    price_uusd: int,
    buyers: Sequence[str],
    bought_wh: NDArray[np.int64],
    sellers: Sequence[str],
    sold_wh: NDArray[np.int64],
    rules: MarketRules,
) -> tuple[Trade, ...]:
    """Lay buyers and sellers along the same line of delivered Wh, and cut it where either changes and at full lots."""
    bought_to, sold_to = np.cumsum(bought_wh), np.cumsum(sold_wh)
    to = np.union1d(bought_to, sold_to)
    since = np.concatenate([[0], to[:-1]])
    lots = -(-(to - since) // rules.lot_wh)
    nth = np.arange(lots.sum()) - np.repeat(np.cumsum(lots) - lots, lots) + 1
    lot_to = np.minimum(np.repeat(since, lots) + nth * rules.lot_wh, np.repeat(to, lots))
    assert len(lot_to) <= IDS_PER_SLOT

    buyer = np.searchsorted(bought_to, lot_to)
    seller = np.searchsorted(sold_to, lot_to)
    seller_since = (sold_to - sold_wh)[seller]
    lot_since = np.concatenate([[0], lot_to[:-1]])
    trades: list[Trade] = []
    rows = zip(
        buyer.tolist(),
        seller.tolist(),
        (lot_since - seller_since).tolist(),
        (lot_to - seller_since).tolist(),
        strict=True,
    )
    for number, (b, s, delivered_before_wh, delivered_after_wh) in enumerate(rows, slot * IDS_PER_SLOT):
        # The loss is rounded up once for each seller, not once for each lot: what was injected so far, by difference.
        injected_wh = rules.injected_wh(delivered_after_wh) - rules.injected_wh(delivered_before_wh)
        delivered_wh = delivered_after_wh - delivered_before_wh
        trades.append(Trade(number, slot, buyers[b], sellers[s], delivered_wh, injected_wh, price_uusd))
    return tuple(trades)
