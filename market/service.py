"""The market as central sees it: clear a slot, settle a slot. All input and output of the package is here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from common import config
from common.checks import MECHANISMS
from common.clock import day_slots, local_of
from common.config import MarketRules
from common.messages import Fill, Meter, Order, Totals
from common.tariff import Tariff
from market.book import OrderBook
from market.ledger import Ledger
from market.mechanism import Mechanism
from market.mechanisms import SDR
from market.order import OrderRefusal, Registry, admit
from market.settlement import Settlement, SlotPrices, metered_trades, priced, settle, trades_at
from market.trades import TradeBook, traded_by_home


@dataclass(frozen=True)
class Clearing:
    """A matched slot.

    Attributes:
        prices: of the slot.
        posted_uusd: price that was broadcast, u$ per delivered kWh.
        book: orders that were admitted.
        refusals: orders, or parts of orders, that were not.
        trades: firm under firm settlement, indicative under metered settlement.
        fills: for each home that trades, by home id; a home that is not named got nothing.
    """

    prices: SlotPrices
    posted_uusd: int
    book: OrderBook
    refusals: tuple[OrderRefusal, ...]
    trades: TradeBook
    fills: tuple[Fill, ...]


class MarketService:
    """Clears and settles slots in turn and books them; knows what each home has sold in the local day."""

    def __init__(
        self,
        rules: MarketRules,
        tariff: Tariff,
        ledger: Ledger,
        seed: int,
        settlement: config.Settlement,
        mechanism: Mechanism = SDR,
    ) -> None:
        """Compose the market.

        Args:
            rules: that the market enforces.
            tariff: of the grid, the fallback.
            ledger: where slots are booked; one that holds a part of a day is taken up from there.
            seed: of the hash order of homes.
            settlement: ``firm``: fills are obligations; ``metered``: trades are what the meters allow.
            mechanism: that turns orders into trades.
        """
        self._rules = rules
        self._tariff = tariff
        self._ledger = ledger
        self._seed = seed
        self._settlement = settlement
        self._mechanism = mechanism
        self._max_slot_wh: dict[str, int] = {}
        self._registry = Registry.of({})
        self._day: date | None = None
        self._tariff_uusd: dict[int, tuple[int, int]] = {}
        self._sold_today_wh: Counter[str] = Counter()
        self._open: Clearing | None = None

    def register(self, max_slot_wh: Mapping[str, int]) -> None:
        """Make homes known, each with the most energy that its connection carries in a slot, Wh."""
        assert self._open is None, "the homes of an open slot are settled"
        self._max_slot_wh.update(max_slot_wh)
        self._registry = Registry.of(self._max_slot_wh)

    def clear(self, slot: int, price_uusd: int, orders: Sequence[Order]) -> Clearing:
        """Admit and match the orders of a slot; ``price_uusd`` was broadcast, u$ per delivered kWh.

        The slot then stays open until :meth:`settle`; one slot is open at a time.
        """
        assert self._open is None, f"slot {slot}: slot {self._open and self._open.prices.slot} is not settled"
        self._begin_day(local_of(slot).date())
        prices = SlotPrices(slot, price_uusd, *self._tariff_uusd[slot])
        most_orders = MECHANISMS[self._mechanism.name]
        book, refusals = admit(orders, slot, self._sold_today_wh, self._registry, self._rules, most_orders)
        trades = trades_at(prices, book, self._rules, self._seed, self._mechanism)
        prices = priced(prices, trades, self._mechanism)
        self._open = Clearing(prices, price_uusd, book, refusals, trades, _fills(trades))
        return self._open

    def settle(self, slot: int, meters: Mapping[str, Meter]) -> Settlement:
        """Settle the slot that was cleared, and book it.

        Args:
            slot: that was cleared last.
            meters: by home id; one of an unknown home, of another slot, or of more energy than the home's connection
                carries counts as missing.

        Raises:
            AlreadyBookedError: the ledger holds the slot from an earlier run.
        """
        assert self._open is not None and self._open.prices.slot == slot, f"slot {slot} was not cleared"
        prices, trades = self._open.prices, self._open.trades
        usable = {home: meter for home, meter in meters.items() if self._is_possible(home, meter, slot)}
        if self._settlement == "metered":
            posted = replace(prices, price_uusd=self._open.posted_uusd)
            trades = metered_trades(
                posted, usable, self._open.book, self._sold_today_wh, self._rules, self._seed, self._mechanism
            )
            prices = priced(posted, trades, self._mechanism)
        settlement = settle(prices, trades, usable)
        self._ledger.book(settlement)
        self._sold_today_wh += traded_by_home(settlement.trades)[1]
        self._open = None
        return settlement

    def _is_possible(self, home: str, meter: Meter, slot: int) -> bool:
        most_wh = self._max_slot_wh.get(home, -1)
        return meter.slot == slot and max(meter.import_wh, meter.export_wh) <= most_wh

    def book_totals(self, day_slot: int, totals: Sequence[Totals]) -> None:
        """Book what the homes report of a finished day (or of several in a row) that began with ``day_slot``."""
        self._ledger.book_totals(day_slot, totals)

    def _begin_day(self, day: date) -> None:
        """At local midnight: look up the day's tariff, and what the homes sold in it (a rerun's ledger may know)."""
        if day == self._day:
            return
        slots = day_slots(day)
        numbers = np.array(slots, np.int64)
        imports, exports = self._tariff.import_uusd(numbers).tolist(), self._tariff.export_uusd(numbers).tolist()
        self._tariff_uusd = dict(zip(slots, zip(imports, exports, strict=True), strict=True))
        self._sold_today_wh = Counter(self._ledger.sold_wh(slots))
        self._day = day


def _fills(trades: TradeBook) -> tuple[Fill, ...]:
    """What each home that trades gets, at its mean price where it has several."""
    bought_wh, sold_wh, delivered_wh, amount_nusd = trades.by_home()
    return tuple(
        Fill(
            home_id=trades.homes.ids[home],
            bought_wh=int(bought_wh[home]),
            sold_wh=int(sold_wh[home]),
            price_uusd=round(int(amount_nusd[home]) / int(delivered_wh[home])),
        )
        for home in np.flatnonzero(delivered_wh).tolist()
    )
