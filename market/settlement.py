"""Settlement of a slot: trades and meters become postings that sum to zero.

For each home, to the Wh: metered net = bought - sold + imported from the grid - exported to the grid, where sold energy
counts as injected. Trades are paid at their price, the rest at the tariff. Under *firm* settlement the trades are the
fills of the clearing; under *metered* settlement the mechanism clears after the fact what the meters say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from common.config import MarketRules
from common.messages import Meter
from common.units import amount_nusd
from market.book import OrderBook
from market.mechanism import Mechanism
from market.order import sellable_wh
from market.trades import Trade, TradeBook, traded_by_home

GRID = "grid"
"""Account of the utility."""

PostingKind = Literal["trade", "grid-import", "grid-export"]


@dataclass(frozen=True)
class SlotPrices:
    """Prices of a slot, u$/kWh: the market's, and the tariff's for import and for export.

    The market's price is that of all trades where they have one, else the price that was broadcast.
    """

    slot: int
    price_uusd: int
    import_uusd: int
    export_uusd: int


@dataclass(frozen=True)
class SettledMeter:
    """A home's energy in a slot, Wh: metered, traded (bought as delivered, sold as injected), and with the grid.

    ``estimated`` says that the meter did not come.
    """

    home_id: str
    import_wh: int
    export_wh: int
    bought_wh: int
    sold_wh: int
    grid_import_wh: int
    grid_export_wh: int
    estimated: bool


@dataclass(frozen=True)
class Posting:
    """One line of the ledger; a positive amount is received by the account, n$."""

    account: str
    kind: PostingKind
    amount_nusd: int


@dataclass(frozen=True)
class Settlement:
    """A settled slot.

    Attributes:
        prices: of the slot.
        trades: that are paid.
        meters: one for each home that metered or traded, by home id.
        postings: they sum to 0 n$.
        estimated: homes that traded and whose meter did not come.
    """

    prices: SlotPrices
    trades: tuple[Trade, ...]
    meters: tuple[SettledMeter, ...]
    postings: tuple[Posting, ...]
    estimated: frozenset[str]

    @property
    def net_import_wh(self) -> int:
        """What all meters together took from the network less what they gave."""
        return sum(meter.import_wh - meter.export_wh for meter in self.meters)


def home_account(home_id: str) -> str:
    """Account of a home."""
    return f"home:{home_id}"


def settle(prices: SlotPrices, trades: Iterable[Trade], meters: Mapping[str, Meter]) -> Settlement:
    """Settle trades against meters; what the trades leave open is bought from or sold to the grid.

    A home that traded but whose meter is missing is settled as if it had used what it bought and delivered nothing of
    what it sold, and is named in ``estimated``. A home without meter and without trades is left out: its energy is
    unknown, not zero.

    Args:
        prices: of the slot.
        trades: of the slot, each an obligation of both sides.
        meters: of the slot, by home id.
    """
    trades = tuple(trades)
    assert all(trade.slot == prices.slot for trade in trades), f"a trade of another slot than {prices.slot}"
    assert all(meter.slot == prices.slot for meter in meters.values()), f"a meter of another slot than {prices.slot}"
    bought_wh, sold_wh = traded_by_home(trades)
    traders = bought_wh.keys() | sold_wh.keys()
    postings = [posting for trade in trades for posting in _pay_trade(trade)]
    settled = []
    for home_id in sorted(meters.keys() | traders):
        row = _settle_home(home_id, meters.get(home_id), bought_wh[home_id], sold_wh[home_id])
        settled.append(row)
        postings += _pay_grid(row, prices)
    assert sum(posting.amount_nusd for posting in postings) == 0
    return Settlement(
        prices=prices,
        trades=trades,
        meters=tuple(settled),
        postings=tuple(postings),
        estimated=frozenset(traders - meters.keys()),
    )


def priced(prices: SlotPrices, trades: TradeBook, mechanism: Mechanism) -> SlotPrices:
    """Prices of the slot with the price of its trades, where all of them have the same."""
    if mechanism.one_price and len(trades):
        return replace(prices, price_uusd=int(trades.price_uusd[0]))
    return prices


def trades_at(prices: SlotPrices, book: OrderBook, rules: MarketRules, seed: int, mechanism: Mechanism) -> TradeBook:
    """Trades of a slot, none of them worse for a side than the grid: whatever a home's limit is, and at any price.

    So there are none where exporting pays more than importing costs.

    Args:
        prices: of the slot, with the price that was broadcast.
        book: orders of the slot.
        rules: of the market.
        seed: of the hash order.
        mechanism: of the market.
    """
    least_uusd, most_uusd = rules.least_price_uusd(prices.export_uusd), prices.import_uusd
    limit = np.where(book.sells, np.maximum(book.limit_uusd, least_uusd), np.minimum(book.limit_uusd, most_uusd))
    return mechanism.clear(prices.price_uusd, replace(book, limit_uusd=limit), rules, seed)


def metered_trades(
    prices: SlotPrices,
    meters: Mapping[str, Meter],
    book: OrderBook,
    sold_today_wh: Mapping[str, int],
    rules: MarketRules,
    seed: int,
    mechanism: Mechanism,
) -> TradeBook:
    """Trades of metered settlement: net positions as metered, cleared by the mechanism of the market.

    Each home that metered a net import bids for all of it, each that metered a net export offers it, up to what is
    left of its daily limit. A home's orders matter only by their limits: its energy is laid along its orders on that
    side, from the most eager one, and what goes beyond them has the last one's limit; without orders on that side the
    limit is the broadcast price. No limit goes beyond the tariff. A home whose meter is missing does not trade.

    Args:
        prices: of the slot, with the price that was broadcast.
        meters: of the slot, by home id; of homes in the book's table.
        book: admitted orders of the slot.
        sold_today_wh: energy that each home has injected for sale in the local day before this slot, Wh.
        rules: of the market.
        seed: of the hash order.
        mechanism: of the market.
    """
    orders: dict[tuple[int, bool], list[tuple[int, int]]] = {}
    columns = (book.home.tolist(), book.sells.tolist(), book.energy_wh.tolist(), book.limit_uusd.tolist())
    for home, sells, energy_wh, limit_uusd in zip(*columns, strict=True):
        orders.setdefault((home, sells), []).append((energy_wh, limit_uusd))
    rows: list[tuple[int, bool, int, int]] = []
    for home_id in sorted(meters):
        net_wh = meters[home_id].import_wh - meters[home_id].export_wh
        side = (book.homes.number[home_id], net_wh < 0)
        left_wh = min(-net_wh, sellable_wh(home_id, sold_today_wh, rules)) if net_wh < 0 else net_wh
        *eager, (_, last_uusd) = orders.get(side, [(0, prices.price_uusd)])
        for energy_wh, limit_uusd in eager:
            rows.append((*side, min(energy_wh, left_wh), limit_uusd))
            left_wh -= rows[-1][2]
        rows.append((*side, left_wh, last_uusd))
    home, sells, energy, limit = np.array([row for row in rows if row[2] > 0], np.int64).reshape(-1, 4).T
    positions = OrderBook(book.homes, prices.slot, home, sells.astype(np.bool_), energy, limit)
    return trades_at(prices, positions, rules, seed, mechanism)


def _settle_home(home_id: str, meter: Meter | None, bought_wh: int, sold_wh: int) -> SettledMeter:
    # A silent buyer is taken to have used what it bought; a silent seller to have delivered nothing, so that the grid
    # makes its shortfall good at its cost: nobody gains by keeping a meter silent.
    import_wh, export_wh = (bought_wh, 0) if meter is None else (meter.import_wh, meter.export_wh)
    deviation_wh = (import_wh - export_wh) - (bought_wh - sold_wh)
    return SettledMeter(
        home_id=home_id,
        import_wh=import_wh,
        export_wh=export_wh,
        bought_wh=bought_wh,
        sold_wh=sold_wh,
        grid_import_wh=max(deviation_wh, 0),
        grid_export_wh=max(-deviation_wh, 0),
        estimated=meter is None,
    )


def _pay_trade(trade: Trade) -> tuple[Posting, Posting]:
    return (
        Posting(home_account(trade.buyer), "trade", -trade.amount_nusd),
        Posting(home_account(trade.seller), "trade", trade.amount_nusd),
    )


def _pay_grid(row: SettledMeter, prices: SlotPrices) -> tuple[Posting, ...]:
    """Postings of a home's energy with the grid; none where it took and gave nothing."""
    account = home_account(row.home_id)
    if row.grid_import_wh > 0:
        cost_nusd = amount_nusd(row.grid_import_wh, prices.import_uusd)
        return Posting(account, "grid-import", -cost_nusd), Posting(GRID, "grid-import", cost_nusd)
    if row.grid_export_wh > 0:
        credit_nusd = amount_nusd(row.grid_export_wh, prices.export_uusd)
        return Posting(account, "grid-export", credit_nusd), Posting(GRID, "grid-export", -credit_nusd)
    return ()
