"""Rows of the result: its homes, slots, trades and rounds, and what a reader should be warned of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np

from common.books import Books
from common.clock import day_slots, local_of, utc_of
from common.units import UUSD_PER_USD, WH_PER_KWH, usd
from report.accounts import Accounts, Integers
from report.observed import Observed
from report.schema import Home, Round, TimelineRow, Trade

_MOST_NAMES = 5


def iso_utc(moment: datetime) -> str:
    """A moment as ``2025-07-15T07:00:00Z``."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def home_rows(paid: Accounts) -> list[Home]:
    """One row a home, by name."""
    p2p, worse = paid.p2p_nusd, paid.worse_off
    homes = []
    for h, home_id in enumerate(paid.home_ids):
        said = bool(paid.reported[h])
        homes.append(
            Home(
                home_id=home_id,
                b0_usd=usd(int(paid.b0_nusd[h])) if said else None,
                b1_usd=usd(int(paid.b1_nusd[h])) if said else None,
                battery_only_usd=usd(int(paid.battery_only_nusd[h])) if said else None,
                ledger_cost_usd=usd(int(paid.ledger_nusd[h])),
                stored_energy_value_usd=usd(int(paid.stored_value_nusd[h])) if said else None,
                p2p_usd=usd(int(p2p[h])) if said else None,
                savings_usd=usd(int(paid.b1_nusd[h] - p2p[h])) if said else None,
                bought_kwh=int(paid.bought_wh[h]) / WH_PER_KWH,
                sold_kwh=int(paid.sold_wh[h]) / WH_PER_KWH,
                imported_kwh=int(paid.imported_wh[h]) / WH_PER_KWH,
                exported_kwh=int(paid.exported_wh[h]) / WH_PER_KWH,
                worse_off=bool(worse[h]) if said else None,
            )
        )
    return homes


def timeline_rows(books: Books, observed: Observed | None) -> list[TimelineRow]:
    """One row a slot, in order; load, solar and state of charge only where they were observed."""
    prices = books.slots.sort_values("slot")
    slots = prices["slot"].to_numpy(np.int64)
    grid = books.meters.groupby("slot")[["grid_import_wh", "grid_export_wh"]].sum().reindex(slots, fill_value=0)
    trades = books.trades.groupby("slot")["delivered_wh"].agg(["sum", "size"]).reindex(slots, fill_value=0)
    is_home = books.postings["account"].str.startswith("home:")
    received = books.postings[is_home].groupby("slot")["amount_nusd"].sum().reindex(slots, fill_value=0)
    cost = -received.to_numpy(np.int64).cumsum()
    seen = _seen(slots, observed)
    return [
        TimelineRow(
            start_utc=iso_utc(utc_of(int(row["slot"]))),
            start_local=local_of(int(row["slot"])).isoformat(),
            price_usd_per_kwh=int(row["price_uusd"]) / UUSD_PER_USD,
            import_usd_per_kwh=int(row["import_uusd"]) / UUSD_PER_USD,
            export_usd_per_kwh=int(row["export_uusd"]) / UUSD_PER_USD,
            load_kwh=seen[t][0],
            solar_kwh=seen[t][1],
            state_of_charge_percent=seen[t][2],
            traded_kwh=int(trades["sum"].iloc[t]) / WH_PER_KWH,
            trades=int(trades["size"].iloc[t]),
            imported_kwh=int(grid["grid_import_wh"].iloc[t]) / WH_PER_KWH,
            exported_kwh=int(grid["grid_export_wh"].iloc[t]) / WH_PER_KWH,
            cost_so_far_usd=usd(int(cost[t])),
        )
        for t, row in enumerate(prices.to_dict("records"))
    ]


def _seen(slots: Integers, observed: Observed | None) -> list[tuple[float | None, float | None, float | None]]:
    """Load (kWh), solar (kWh) and state of charge (%) of the community in each slot; None where not observed."""
    if observed is None:
        return [(None, None, None)] * len(slots)
    at = observed.at(slots)
    capacity_wh = int(at.capacity_wh.sum())
    charge = [round(100 * int(stored) / capacity_wh, 2) if capacity_wh else None for stored in at.stored_wh.sum(axis=0)]
    load, solar = at.load_wh.sum(axis=0).tolist(), at.pv_wh.sum(axis=0).tolist()
    return [(a / WH_PER_KWH, b / WH_PER_KWH, c) for a, b, c in zip(load, solar, charge, strict=True)]


def trade_rows(books: Books) -> list[Trade]:
    """One row a trade, in the order of the ledger."""
    return [
        Trade(
            trade_id=int(row["trade_id"]),
            start_utc=iso_utc(utc_of(int(row["slot"]))),
            buyer=str(row["buyer"]),
            seller=str(row["seller"]),
            delivered_kwh=int(row["delivered_wh"]) / WH_PER_KWH,
            injected_kwh=int(row["injected_wh"]) / WH_PER_KWH,
            price_usd_per_kwh=int(row["price_uusd"]) / UUSD_PER_USD,
            amount_usd=usd(int(row["amount_nusd"])),
        )
        for row in books.trades.sort_values("trade_id").to_dict("records")
    ]


def round_row(event: Mapping[str, object]) -> Round:
    """The round that an event of kind ``round`` tells of."""
    return Round.model_validate({name: event.get(name) for name in Round.model_fields})


def warnings_of(books: Books, paid: Accounts) -> list[str]:
    """What is missing in the figures, in words."""
    warnings = []
    missing = [home_id for home_id, said in zip(paid.home_ids, paid.reported, strict=True) if not said]
    if missing:
        counted = len(paid.home_ids) - len(missing)
        warnings.append(
            f"totals or meters of {_some(missing)} are missing: "
            f"costs and savings cover {counted} of {len(paid.home_ids)} homes"
        )
    expected = len(paid.home_ids) * len(books.slots)
    metered = int((books.meters["estimated"] == 0).sum())
    if metered < expected:
        warnings.append(f"{expected - metered} of {expected} meter readings are missing in the ledger")
    days = Counter(local_of(int(slot)).date() for slot in books.slots["slot"])
    partial = [str(day) for day, count in sorted(days.items()) if count < len(day_slots(day))]
    if partial:
        warnings.append(
            f"only a part of {_some(partial)} was run: what is left in the batteries weighs more than usual"
        )
    return warnings


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES} more"
