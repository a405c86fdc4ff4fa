"""Books for the tests of the report: two homes by hand, and communities of any size by chance."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd

from common.books import Books
from common.clock import day_slots
from common.config import BatterySpec, MarketRules, RunConfig
from common.messages import Totals
from common.tariff import load_tariff
from report.observed import Observed
from report.results import RunFacts

TARIFF = load_tariff("pge-tou-c")
BATTERY = BatterySpec()
FIRST = day_slots(date(2025, 7, 15)).start + 30  # 15:00: two slots off-peak at $0.28, then two in the peak at $0.51
FACTS = RunFacts(
    config=RunConfig(homes=2, slots=4, date="2025-07-15"),
    data_hash="0" * 64,
    started=datetime(2025, 8, 1, 12, tzinfo=UTC),
    ended=datetime(2025, 8, 1, 12, 5, tzinfo=UTC),
)
ROUNDS = (
    {"event": "round", "round": 1, "rounds": 2, "slot": FIRST, "homes": 2, "loss": 0.9, "validation_base": 0.8},
    {"event": "round", "round": 2, "rounds": 2, "slot": FIRST, "homes": 2, "loss": 0.7, "validation_model": 0.75,
     "gates": [1.0, 0.5], "seconds": 2.5},
)  # fmt: skip

METERS = (
    "slot", "home_id", "import_wh", "export_wh", "bought_wh", "sold_wh", "grid_import_wh", "grid_export_wh",
    "estimated",
)  # fmt: skip
TRADES = ("trade_id", "slot", "buyer", "seller", "delivered_wh", "injected_wh", "price_uusd", "amount_nusd")
POSTINGS = ("posting_id", "slot", "account", "kind", "amount_nusd")

OAK_PAYS = 301_000_000
"""n$: 0.600 x 0.51 from the grid and 0.400 x 0.30 from elm, less 0.475 x 0.20 from elm and 0.500 x 0.06 exported."""
ELM_PAYS = 682_000_000
"""n$: 0.475 x 0.20 from oak and (0.525 + 2.000) x 0.28 from the grid, less 0.400 x 0.30 from oak."""
ELM_REFILL = round(105 * 280_000 / 0.9**0.5)
"""n$: elm ended 105 Wh lower; at $0.28 and 94.9 % one way."""


OAK = Totals(
    home_id="oak", b0_nusd=900_000_000, b1_nusd=400_000_000, battery_only_nusd=350_000_000,
    stored_start_wh=5000, stored_end_wh=5000, stored_value_nusd=0, charged_wh=0, discharged_wh=0,
)  # fmt: skip
ELM = Totals(
    home_id="elm", b0_nusd=1_100_000_000, b1_nusd=1_100_000_000, battery_only_nusd=700_000_000,
    stored_start_wh=2700, stored_end_wh=2595, stored_value_nusd=ELM_REFILL, charged_wh=1000, discharged_wh=1000,
)  # fmt: skip


def hand_made(totals=(OAK, ELM)):
    """Four slots: oak sells 475 Wh to elm at $0.20, elm charges 1 kWh, and sells 400 Wh to oak at $0.30."""
    s = FIRST
    return Books(
        slots=slot_table(range(s, s + 4), [200_000, 200_000, 300_000, 300_000]),
        trades=pd.DataFrame(
            [
                (1, s, "elm", "oak", 475, 500, 200_000, 95_000_000),
                (2, s + 3, "oak", "elm", 400, 422, 300_000, 120_000_000),
            ],
            columns=TRADES,
        ),
        meters=pd.DataFrame(
            [
                (s, "oak", 0, 1000, 0, 500, 0, 500, 0), (s, "elm", 1000, 0, 475, 0, 525, 0, 0),
                (s + 1, "oak", 0, 0, 0, 0, 0, 0, 0), (s + 1, "elm", 2000, 0, 0, 0, 2000, 0, 0),
                (s + 2, "oak", 600, 0, 0, 0, 600, 0, 0), (s + 2, "elm", 0, 0, 0, 0, 0, 0, 0),
                (s + 3, "oak", 400, 0, 400, 0, 0, 0, 0), (s + 3, "elm", 0, 422, 0, 422, 0, 0, 0),
            ],
            columns=METERS,
        ),
        postings=pd.DataFrame(
            [
                (1, s, "home:elm", "trade", -95_000_000), (2, s, "home:oak", "trade", 95_000_000),
                (3, s, "home:elm", "grid-import", -147_000_000), (4, s, "grid", "grid-import", 147_000_000),
                (5, s, "home:oak", "grid-export", 30_000_000), (6, s, "grid", "grid-export", -30_000_000),
                (7, s + 1, "home:elm", "grid-import", -560_000_000), (8, s + 1, "grid", "grid-import", 560_000_000),
                (9, s + 2, "home:oak", "grid-import", -306_000_000), (10, s + 2, "grid", "grid-import", 306_000_000),
                (11, s + 3, "home:oak", "trade", -120_000_000), (12, s + 3, "home:elm", "trade", 120_000_000),
            ],
            columns=POSTINGS,
        ),
        totals=totals_table({FIRST: totals}),
    )  # fmt: skip


def seen():
    """Readings of elm and oak in the slots of :func:`hand_made`, and one slot on either side."""
    return Observed(
        slots=np.arange(FIRST - 1, FIRST + 5),
        load_wh=np.array([[9, 1000, 1000, 900, 600, 9], [9, 200, 100, 700, 500, 9]]),
        pv_wh=np.array([[0, 0, 0, 0, 0, 0], [9, 1200, 100, 100, 100, 9]]),
        stored_wh=np.array([[2700, 2700, 3649, 2700, 2595, 2595], [5000] * 6]),
        capacity_wh=np.array([13_500, 6_000]),
    )


def slot_table(slots, prices):
    numbers = np.array(slots, np.int64)
    return pd.DataFrame(
        {
            "slot": numbers,
            "price_uusd": prices,
            "import_uusd": TARIFF.import_uusd(numbers),
            "export_uusd": TARIFF.export_uusd(numbers),
        }
    )


def totals_table(by_span):
    rows = [{"day_slot": slot} | said.model_dump() for slot, homes in by_span.items() for said in homes]
    return pd.DataFrame(rows, columns=["day_slot", *Totals.model_fields])


def by_chance(homes, spans, seed=0):
    """Sound books and readings of a made-up community: half the homes with solar, trade at noon and in the evening."""
    rng = np.random.default_rng(seed)
    slots = np.concatenate([np.array(span, np.int64) for span in spans])
    ids = [f"home-{h:02d}" for h in range(homes)]
    hour = (slots - day_slots(date(2025, 7, 15)).start) % 48 / 2
    load = 300 + 500 * np.exp(-(((hour - 19) / 3) ** 2)) + rng.gamma(2, 60, (homes, len(slots)))
    solar = np.maximum(np.sin((hour - 6) / 14 * np.pi), 0) * 2200 * (np.arange(homes) % 2 == 0)[:, None]
    stored = 6000 + 3500 * np.sin((hour - 11) / 24 * 2 * np.pi) + rng.normal(0, 150, (homes, len(slots)))
    buy, sell = TARIFF.import_uusd(slots), TARIFF.export_uusd(slots)
    net = np.rint(load - solar).astype(np.int64)
    price = np.where(net.sum(0) < 0, 100_000, buy - 60_000)
    trades, meters, postings = [], [], []
    for t, slot in enumerate(slots):
        need, spare = np.maximum(net[:, t], 0), np.maximum(-net[:, t], 0)
        bought, sold = np.zeros(homes, np.int64), np.zeros(homes, np.int64)
        for buyer, seller in zip(np.flatnonzero(need), np.flatnonzero(spare), strict=False):
            wh = min(int(need[buyer]), MarketRules().deliverable_wh(int(spare[seller])), 2000)
            if wh:
                injected, amount = MarketRules().injected_wh(wh), wh * int(price[t])
                trades.append((len(trades) + 1, slot, ids[buyer], ids[seller], wh, injected, int(price[t]), amount))
                postings += [
                    (0, slot, f"home:{ids[buyer]}", "trade", -amount),
                    (0, slot, f"home:{ids[seller]}", "trade", amount),
                ]
                bought[buyer], sold[seller] = wh, injected
        for h, home_id in enumerate(ids):
            taken, given = int(need[h] - bought[h]), int(spare[h] - sold[h])
            meters.append((slot, home_id, int(need[h]), int(spare[h]), int(bought[h]), int(sold[h]), taken, given, 0))
            paid = taken * int(buy[t]) - given * int(sell[t])
            postings += [(0, slot, f"home:{home_id}", "grid-import", -paid), (0, slot, "grid", "grid-import", paid)]
    said = {}
    for span in spans:
        inside = np.isin(slots, np.array(span))
        b1 = np.where(net > 0, net * buy, net * sell)[:, inside].sum(1)
        b0 = (np.rint(load).astype(np.int64) * buy)[:, inside].sum(1)
        said[span[0]] = [
            Totals(
                home_id=name, b0_nusd=int(b0[h]), b1_nusd=int(b1[h]), battery_only_nusd=int(b1[h] * 0.9),
                stored_start_wh=3000, stored_end_wh=3000, stored_value_nusd=0, charged_wh=10_000, discharged_wh=9_000,
            )
            for h, name in enumerate(ids)
        ]  # fmt: skip
    books = Books(
        slots=slot_table(slots, price),
        trades=pd.DataFrame(trades, columns=TRADES),
        meters=pd.DataFrame(meters, columns=METERS),
        postings=pd.DataFrame(postings, columns=POSTINGS),
        totals=totals_table(said),
    )
    whole = (np.rint(a).astype(np.int64) for a in (load, solar, stored))
    return books, Observed(slots, *whole, np.full(len(ids), 13_500))
