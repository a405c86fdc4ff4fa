"""Settlement of a slot: trades and meters become postings that sum to zero.

For each home, to the Wh: metered net = bought - sold + imported from the grid - exported to the grid, where sold energy
counts as injected. Trades are paid at their price, the rest at the tariff. Under *firm* settlement the trades are the
fills of the clearing; under *metered* settlement they are matched after the fact on what the meters say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from common.config import MarketRules
from common.messages import Meter, Order
from common.units import amount_nusd
from market.matching import Trade, match, traded_by_home
from market.order import sellable_wh

GRID = "grid"
"""Account of the utility."""

PostingKind = Literal["trade", "grid-import", "grid-export"]


@dataclass(frozen=True)
class SlotPrices:
    """Prices of a slot, u$/kWh: the market's posted price, and the tariff's for import and for export."""

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


def home_account(home_id: str) -> str:
    """Account of a home."""
    return f"home:{home_id}"


def settle(prices: SlotPrices, trades: Sequence[Trade], meters: Mapping[str, Meter]) -> Settlement:
    """Settle trades against meters; what the trades leave open is bought from or sold to the grid.

    A home that traded but whose meter is missing is settled as if it had used what it bought and delivered nothing of
    what it sold, and is named in ``estimated``. A home without meter and without trades is left out: its energy is
    unknown, not zero.

    Args:
        prices: of the slot.
        trades: of the slot, each an obligation of both sides.
        meters: of the slot, by home id.
    """
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
        trades=tuple(trades),
        meters=tuple(settled),
        postings=tuple(postings),
        estimated=frozenset(traders - meters.keys()),
    )


def metered_trades(
    prices: SlotPrices,
    meters: Mapping[str, Meter],
    orders: Sequence[Order],
    sold_today_wh: Mapping[str, int],
    rules: MarketRules,
    seed: int,
) -> tuple[Trade, ...]:
    """Trades of metered settlement: net positions as metered, matched at the posted price.

    Each home that metered a net import is a buyer of all of it, each that metered a net export a seller of it, up to
    what is left of its daily limit. A home's order matters only by its limit: where it excludes the posted price, the
    home does not trade on that side. A home whose meter is missing does not trade.

    Args:
        prices: of the slot.
        meters: of the slot, by home id.
        orders: admitted for the slot, at most one for each home.
        sold_today_wh: energy that each home has injected for sale in the local day before this slot, Wh.
        rules: of the market.
        seed: of the hash order.
    """
    limits_uusd = {(order.home_id, order.side): order.limit_uusd for order in orders}
    positions = []
    for home_id, meter in meters.items():
        net_wh = meter.import_wh - meter.export_wh
        side: Literal["buy", "sell"] = "buy" if net_wh > 0 else "sell"
        energy_wh = net_wh if net_wh > 0 else min(-net_wh, sellable_wh(home_id, sold_today_wh, rules))
        if energy_wh > 0:
            limit_uusd = limits_uusd.get((home_id, side), prices.price_uusd)
            positions.append(
                Order(home_id=home_id, slot=prices.slot, side=side, energy_wh=energy_wh, limit_uusd=limit_uusd)
            )
    return match(prices.slot, prices.price_uusd, positions, rules, seed)


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
