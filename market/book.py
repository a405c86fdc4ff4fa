"""Admitted orders as columns: what the mechanisms clear.

Homes stand in the order of a keyed hash of (seed, slot, home).  That order alone decides which home gets the last
watt-hour of a rounding tie and who trades with whom: it changes every slot, it favours nobody, neither the arrival of
a message nor a client's choice can move it, and the same seed gives the same trades.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from common.messages import Order

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Words = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class HomeTable:
    """The homes of a market, each with a number; made once, because each home's digest costs a hash.

    Attributes:
        ids: ascending; a home's number is its place.
        number: of each id.
        digest: 64 bits of each home's id, shape ``(H,)``.
    """

    ids: tuple[str, ...]
    number: Mapping[str, int]
    digest: Words

    @staticmethod
    def of(ids: Iterable[str]) -> HomeTable:
        """Table of homes, given in any order."""
        known = tuple(sorted(set(ids)))
        digests = b"".join(blake2b(home.encode(), digest_size=8).digest() for home in known)
        return HomeTable(known, {home: i for i, home in enumerate(known)}, np.frombuffer(digests, ">u8").astype("u8"))

    def places(self, slot: int, seed: int) -> Words:
        """Keyed hash of each home in a slot, shape ``(H,)``: homes stand in its ascending order.

        The home's digest and a digest of (seed, slot) go through the finaliser of splitmix64 (Steele, Lea, Flood,
        Fast splittable pseudorandom number generators, OOPSLA 2014), which maps different words to different words.
        """
        key = np.frombuffer(blake2b(f"{seed}/{slot}".encode(), digest_size=8).digest(), ">u8").astype("u8")
        word = self.digest ^ key
        word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        place: Words = word ^ (word >> np.uint64(31))
        return place


@dataclass(frozen=True, eq=False)
class OrderBook:
    """Admitted orders of a slot, columns of shape ``(N,)`` in a canonical order: the orders' arrival is forgotten.

    Sorted by home, then from the order that its home wants most to the one that it wants least.

    Attributes:
        homes: that may trade.
        slot: of all orders.
        home: number of each order's home.
        sells: whether it is an offer; the others are bids.
        energy_wh: bid: delivered energy; offer: injected energy; positive.
        limit_uusd: highest price to pay, or lowest to accept, per delivered kWh.
    """

    homes: HomeTable
    slot: int
    home: Ints
    sells: Bools
    energy_wh: Ints
    limit_uusd: Ints

    @staticmethod
    def of(orders: Sequence[Order], slot: int, homes: HomeTable | None = None) -> OrderBook:
        """Book of orders that need no admission; of a table of their own homes unless one is given."""
        assert all(order.slot == slot for order in orders), f"an order for another slot than {slot}"
        homes = homes or HomeTable.of(order.home_id for order in orders)
        home = np.array([homes.number[order.home_id] for order in orders], np.int64)
        sells = np.array([order.side == "sell" for order in orders], np.bool_)
        energy = np.array([order.energy_wh for order in orders], np.int64)
        limit = np.array([order.limit_uusd for order in orders], np.int64)
        rank = eagerness(home, sells, energy, limit)
        return OrderBook(homes, slot, home[rank], sells[rank], energy[rank], limit[rank])

    def __len__(self) -> int:
        return len(self.home)

    def orders(self) -> tuple[Order, ...]:
        """The orders one by one."""
        columns = (self.home.tolist(), self.sells.tolist(), self.energy_wh.tolist(), self.limit_uusd.tolist())
        return tuple(
            Order(
                home_id=self.homes.ids[home],
                slot=self.slot,
                side="sell" if sells else "buy",
                energy_wh=energy,
                limit_uusd=limit,
            )
            for home, sells, energy, limit in zip(*columns, strict=True)
        )


def eagerness(home: Ints, sells: Bools, energy_wh: Ints, limit_uusd: Ints) -> Ints:
    """Rows sorted by home, then by limit: bids from the highest, offers from the lowest; small ones first in a tie."""
    rank: Ints = np.argsort(home, kind="stable")
    if (np.diff(home[rank]) == 0).any():  # else one order each, and the rest of the keys has nothing to say
        rank = np.lexsort((energy_wh, np.where(sells, limit_uusd, -limit_uusd), sells, home))
    return rank
