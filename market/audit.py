"""Audit of the books: every rule of the market, checked again from the tables alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from common.books import Books
from common.clock import local_of
from common.config import MarketRules
from market.mechanisms import MECHANISMS
from market.settlement import GRID, home_account

_POSTING_KEY = ["slot", "account", "kind"]


@dataclass(frozen=True)
class Discrepancy:
    """A breach that the audit found.

    Attributes:
        rule: name of the rule that is broken.
        slot: where; for a rule of a whole day, its first slot in the books.
        text: what was found and what was expected.
    """

    rule: str
    slot: int
    text: str


def verify(books: Books, rules: MarketRules, mechanism: str = "sdr") -> list[Discrepancy]:
    """Check the books of a market with the mechanism of that name; an empty list says that they are in order."""
    checks: tuple[Callable[[Books, MarketRules], list[Discrepancy]], ...] = (
        _slots,
        _trades,
        _losses,
        _daily_sales,
        _meters,
        _traded_energy,
        _postings,
    )
    found = [discrepancy for check in checks for discrepancy in check(books, rules)]
    return found + (_one_price(books) if MECHANISMS[mechanism].one_price else [])


def _found(rule: str, frame: pd.DataFrame, bad: pd.Series[bool], text: str) -> list[Discrepancy]:
    """One discrepancy for each bad row; ``text`` is a format of its columns."""
    rows = frame[bad.to_numpy()].to_dict("records")
    return [Discrepancy(rule, int(row["slot"]), text.format_map(row)) for row in rows]


def _slots(books: Books, rules: MarketRules) -> list[Discrepancy]:
    slots = books.slots
    found = _found("slot-once", slots, slots["slot"].duplicated(), "slot {slot} is booked twice")
    bounded = slots["price_uusd"].between(rules.floor_uusd, rules.ceiling_uusd)
    found += _found("price-bounds", slots, ~bounded, "price {price_uusd} u$/kWh is outside of the market's bounds")
    for name, table in (("trades", books.trades), ("meters", books.meters), ("postings", books.postings)):
        found += _found("slot-known", table, ~table["slot"].isin(slots["slot"]), f"{name} of a slot that has no prices")
    return found


def _trades(books: Books, rules: MarketRules) -> list[Discrepancy]:
    trades = books.trades
    amount_nusd = trades["delivered_wh"] * trades["price_uusd"]
    sized = trades["delivered_wh"].between(1, rules.lot_wh)
    bounded = trades["price_uusd"].between(rules.floor_uusd, rules.ceiling_uusd)
    least_uusd = rules.least_price_uusd(np.asarray(_of_slot(books, "export_uusd", trades), np.int64))
    fair = trades["price_uusd"].between(least_uusd, _of_slot(books, "import_uusd", trades))
    who = "trade {trade_id}: "
    return [
        *_found("trade-once", trades, trades["trade_id"].duplicated(), who + "booked twice"),
        *_found("trade-parties", trades, trades["buyer"] == trades["seller"], who + "{buyer} trades with itself"),
        *_found("trade-lot", trades, ~sized, who + f"{{delivered_wh}} Wh, expected 1 to {rules.lot_wh}"),
        *_found("trade-bounds", trades, ~bounded, who + "{price_uusd} u$/kWh is outside of the market's bounds"),
        *_found("trade-tariff", trades, ~fair, who + "{price_uusd} u$/kWh is worse for a side than the grid"),
        *_found("trade-amount", trades, trades["amount_nusd"] != amount_nusd, who + "amount is not energy x price"),
    ]


def _one_price(books: Books) -> list[Discrepancy]:
    trades = books.trades
    other = trades["price_uusd"] != _of_slot(books, "price_uusd", trades)
    return _found("trade-price", trades, other, "trade {trade_id}: not at the price of its slot")


def _losses(books: Books, rules: MarketRules) -> list[Discrepancy]:
    """The loss is rounded up once for each seller and slot."""
    sold = books.trades.groupby(["slot", "seller"], as_index=False)[["delivered_wh", "injected_wh"]].sum()
    expected_wh = pd.Series([rules.injected_wh(int(wh)) for wh in sold["delivered_wh"]], sold.index, "int64")
    text = "{seller} injected {injected_wh} Wh for {delivered_wh} Wh delivered, which is not the loss"
    return _found("loss", sold, sold["injected_wh"] != expected_wh, text)


def _daily_sales(books: Books, rules: MarketRules) -> list[Discrepancy]:
    day_of = {slot: local_of(int(slot)).date() for slot in books.trades["slot"].unique()}
    by_day = books.trades.assign(day=books.trades["slot"].map(day_of)).groupby(["day", "seller"], as_index=False)
    sold = by_day.agg(slot=("slot", "min"), injected_wh=("injected_wh", "sum"))
    text = f"{{seller}} sold {{injected_wh}} Wh on {{day}}, at most {rules.daily_sell_limit_wh}"
    return _found("daily-sell-limit", sold, sold["injected_wh"] > rules.daily_sell_limit_wh, text)


def _meters(books: Books, rules: MarketRules) -> list[Discrepancy]:
    meters = books.meters
    energies = ["import_wh", "export_wh", "bought_wh", "sold_wh", "grid_import_wh", "grid_export_wh"]
    metered_wh = meters["import_wh"] - meters["export_wh"]
    accounted_wh = meters["bought_wh"] - meters["sold_wh"] + meters["grid_import_wh"] - meters["grid_export_wh"]
    both_ways = (meters["grid_import_wh"] > 0) & (meters["grid_export_wh"] > 0)
    return [
        *_found("meter-once", meters, meters.duplicated(["slot", "home_id"]), "{home_id} is settled twice"),
        *_found("meter-sign", meters, (meters[energies] < 0).any(axis=1), "{home_id}: negative energy"),
        *_found("energy-identity", meters, metered_wh != accounted_wh, "{home_id}: metered net is not accounted for"),
        *_found("grid-one-way", meters, both_ways, "{home_id} imports from and exports to the grid"),
    ]


def _traded_energy(books: Books, rules: MarketRules) -> list[Discrepancy]:
    """What the meters say was bought and sold is what the trades say."""
    key = ["slot", "home_id"]
    bought = books.trades[["slot", "buyer", "delivered_wh"]].set_axis([*key, "bought_wh"], axis=1)
    sold = books.trades[["slot", "seller", "injected_wh"]].set_axis([*key, "sold_wh"], axis=1)
    settled = (-books.meters.set_index(key)[["bought_wh", "sold_wh"]]).reset_index()
    gap = pd.concat([bought, sold, settled]).groupby(key, as_index=False)[["bought_wh", "sold_wh"]].sum()
    open_wh = (gap["bought_wh"] != 0) | (gap["sold_wh"] != 0)
    return _found("traded-energy", gap, open_wh, "{home_id}: the meter row and the trades differ")


def _postings(books: Books, rules: MarketRules) -> list[Discrepancy]:
    postings = books.postings
    by_slot = postings.groupby("slot", as_index=False)[["amount_nusd"]].sum()
    found = _found("postings-once", postings, postings["posting_id"].duplicated(), "posting {posting_id} is twice")
    found += _found("zero-sum", by_slot, by_slot["amount_nusd"] != 0, "the postings sum to {amount_nusd} n$")
    due = _postings_due(books)
    due["amount_nusd"] *= -1
    gap = pd.concat([postings[[*_POSTING_KEY, "amount_nusd"]], due])
    gap = gap.groupby(_POSTING_KEY, as_index=False)[["amount_nusd"]].sum()
    text = "{account}, {kind}: {amount_nusd} n$ more than trades and meters say"
    return found + _found("posting-amount", gap, gap["amount_nusd"] != 0, text)


def _postings_due(books: Books) -> pd.DataFrame:
    """Postings that trades, meters and prices call for; columns slot, account, kind, amount_nusd."""
    trades, meters = books.trades, books.meters
    homes = meters["home_id"].map(home_account)
    cost_nusd = meters["grid_import_wh"] * _of_slot(books, "import_uusd", meters)
    credit_nusd = meters["grid_export_wh"] * _of_slot(books, "export_uusd", meters)
    amount_nusd = trades["delivered_wh"] * trades["price_uusd"]
    legs = (
        (trades, trades["buyer"].map(home_account), "trade", -amount_nusd),
        (trades, trades["seller"].map(home_account), "trade", amount_nusd),
        (meters, homes, "grid-import", -cost_nusd),
        (meters, GRID, "grid-import", cost_nusd),
        (meters, homes, "grid-export", credit_nusd),
        (meters, GRID, "grid-export", -credit_nusd),
    )
    frames = [
        pd.DataFrame({"slot": table["slot"], "account": account, "kind": kind, "amount_nusd": nusd})
        for table, account, kind, nusd in legs
    ]
    return pd.concat(frames, ignore_index=True)


def _of_slot(books: Books, column: str, rows: pd.DataFrame) -> pd.Series[int]:
    """A price of each row's slot; 0 where the slot has none."""
    prices = books.slots.drop_duplicates("slot").set_index("slot")[column]
    return pd.Series(prices.reindex(rows["slot"]).fillna(0).to_numpy(np.int64), rows.index)
