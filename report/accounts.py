"""What each home paid: integers from the ledger and from the totals that the homes reported.

Costs are in n$ and positive when the home pays. Energies are in Wh.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.books import Books
from common.config import BatterySpec
from common.units import NUSD_PER_USD

Integers = NDArray[np.int64]

WORSE_OFF_NUSD = NUSD_PER_USD // 100
"""A home is worse off when it pays a cent more: rounding physics to whole Wh moves a day's bill by less than that."""

_ENERGIES = ("import_wh", "export_wh", "bought_wh", "sold_wh", "grid_import_wh", "grid_export_wh")
_TOTALS = (
    "b0_nusd", "b1_nusd", "battery_only_nusd", "stored_value_nusd", "charged_wh", "discharged_wh", "unserved_wh",
    "unserved_alone_wh", "unserved_b1_wh",
)  # fmt: skip


@dataclass(frozen=True)
class CommunitySums:
    """Sums over the homes that reported, so that like is compared with like; see :class:`Accounts`."""

    homes: int
    b0_nusd: int
    b1_nusd: int
    battery_only_nusd: int
    ledger_nusd: int
    stored_value_nusd: int
    charged_wh: int
    discharged_wh: int
    stored_change_wh: int
    unserved_wh: int
    unserved_alone_wh: int
    unserved_b1_wh: int

    @property
    def p2p_nusd(self) -> int:
        """Cost with battery and trade, the change of stored energy valued."""
        return self.ledger_nusd + self.stored_value_nusd


@dataclass(frozen=True)
class Accounts:
    """Accounts of the homes; arrays of shape ``(H,)`` in the order of ``home_ids``.

    Attributes:
        reported: whether the home reported its totals for every span and its meter for every slot; where not, the
            fields from its totals are 0.
        b0_nusd: tariff on gross load. b1_nusd: tariff on net load. battery_only_nusd: own battery, no trade.
        ledger_nusd: what the home paid by the ledger; negative: it received.
        stored_value_nusd: what refilling the battery to its first charge costs, and charging the car with what it would
            have drawn by then without control; negative: they ended fuller.
        bought_wh: delivered by trades. sold_wh: injected for trades. imported_wh, exported_wh: from and to the grid.
        charged_wh, discharged_wh: AC energy into and out of the battery.
        stored_change_wh: stored energy at the end less that at the start.
        unserved_wh: load that grid outages left unserved. unserved_alone_wh: the same with the battery that never
            trades. unserved_b1_wh: the same had the home no battery.
    """

    home_ids: tuple[str, ...]
    reported: NDArray[np.bool_]
    b0_nusd: Integers
    b1_nusd: Integers
    battery_only_nusd: Integers
    ledger_nusd: Integers
    stored_value_nusd: Integers
    bought_wh: Integers
    sold_wh: Integers
    imported_wh: Integers
    exported_wh: Integers
    charged_wh: Integers
    discharged_wh: Integers
    stored_change_wh: Integers
    unserved_wh: Integers
    unserved_alone_wh: Integers
    unserved_b1_wh: Integers

    @property
    def p2p_nusd(self) -> Integers:
        """Cost with battery and trade, the change of stored energy valued, shape ``(H,)``."""
        return self.ledger_nusd + self.stored_value_nusd

    @property
    def worse_off(self) -> NDArray[np.bool_]:
        """Whether each home that reported pays at least a cent more than with its battery alone, shape ``(H,)``."""
        worse: NDArray[np.bool_] = (self.p2p_nusd >= self.battery_only_nusd + WORSE_OFF_NUSD) & self.reported
        return worse

    @property
    def community(self) -> CommunitySums:
        """Sums over the homes that reported."""
        said = self.reported
        return CommunitySums(
            homes=int(said.sum()),
            b0_nusd=int(self.b0_nusd[said].sum()),
            b1_nusd=int(self.b1_nusd[said].sum()),
            battery_only_nusd=int(self.battery_only_nusd[said].sum()),
            ledger_nusd=int(self.ledger_nusd[said].sum()),
            stored_value_nusd=int(self.stored_value_nusd[said].sum()),
            charged_wh=int(self.charged_wh[said].sum()),
            discharged_wh=int(self.discharged_wh[said].sum()),
            stored_change_wh=int(self.stored_change_wh[said].sum()),
            unserved_wh=int(self.unserved_wh[said].sum()),
            unserved_alone_wh=int(self.unserved_alone_wh[said].sum()),
            unserved_b1_wh=int(self.unserved_b1_wh[said].sum()),
        )


def accounts(books: Books) -> Accounts:
    """Accounts of every home that the ledger knows, by name."""
    ids = sorted(set(books.meters["home_id"]) | set(books.totals["home_id"]))
    energies = _per_home(books.meters, "home_id", _ENERGIES, ids)
    is_home = books.postings["account"].str.startswith("home:")
    received = _per_home(books.postings[is_home], "account", ("amount_nusd",), [f"home:{name}" for name in ids])
    totals = books.totals.copy()
    totals["stored_change_wh"] = totals["stored_end_wh"] - totals["stored_start_wh"]
    said = _per_home(totals, "home_id", (*_TOTALS, "stored_change_wh"), ids)
    spans_said = totals.groupby("home_id").size().reindex(ids, fill_value=0).to_numpy(np.int64)
    # A slot without the home's meter would be a slot without its cost: such a home's figures say nothing.
    true_rows = books.meters[books.meters["estimated"] == 0].groupby("home_id").size()
    metered = true_rows.reindex(ids, fill_value=0).to_numpy(np.int64) == len(books.slots)
    reported = (spans_said == len(spans(books))) & (len(totals) > 0) & metered
    return Accounts(
        home_ids=tuple(ids),
        reported=reported,
        ledger_nusd=-received["amount_nusd"],
        bought_wh=energies["bought_wh"],
        sold_wh=energies["sold_wh"],
        imported_wh=energies["grid_import_wh"],
        exported_wh=energies["grid_export_wh"],
        **{name: np.where(reported, values, 0) for name, values in said.items()},
    )


def spans(books: Books) -> list[range]:
    """Slots of each span that homes report totals for: from a ``day_slot`` to the last slot before the next one."""
    slots = np.sort(books.slots["slot"].to_numpy(np.int64))
    starts = sorted({int(slot) for slot in books.totals["day_slot"]}) or [int(slot) for slot in slots[:1]]
    nexts = [*starts[1:], np.iinfo(np.int64).max]
    lasts = [int(slots[slots < after].max(initial=start)) for start, after in zip(starts, nexts, strict=False)]
    return [range(start, last + 1) for start, last in zip(starts, lasts, strict=True)]


def by_span(books: Books) -> list[Books]:
    """Books of each span on their own: the test days of an evaluation."""
    parts = []
    for span in spans(books):
        rows = {
            name: table[table["slot"].between(span.start, span.stop - 1)]
            for name, table in (
                ("slots", books.slots),
                ("trades", books.trades),
                ("meters", books.meters),
                ("postings", books.postings),
            )
        }
        parts.append(Books(totals=books.totals[books.totals["day_slot"] == span.start], **rows))
    return parts


def residuals(books: Books) -> tuple[int, int]:
    """What should be zero: the largest absolute sum of a slot's postings (n$), and the largest absolute difference
    between a home's metered net and bought - sold + imported - exported in a slot (Wh).
    """
    money = books.postings.groupby("slot")["amount_nusd"].sum().abs().max()
    m = {name: books.meters[name].to_numpy(np.int64) for name in _ENERGIES}
    settled = m["bought_wh"] - m["sold_wh"] + m["grid_import_wh"] - m["grid_export_wh"]
    energy = np.abs(m["import_wh"] - m["export_wh"] - settled)
    return (0 if pd.isna(money) else int(money)), int(energy.max(initial=0))


def round_trip_efficiency(
    charged_wh: int, discharged_wh: int, stored_change_wh: int, battery: BatterySpec
) -> float | None:
    """Energy out over energy in, AC, the change of stored energy counted as what it still gives or once took.

    With ``s`` the stored change and ``n`` the one-way efficiency: ``(out + s n) / in`` where the battery ends fuller,
    ``out / (in - s / n)`` where it ends emptier. Both equal ``n^2`` for lossless book-keeping. None for a
    battery that was not used.
    """
    efficiency = battery.one_way_efficiency
    energy_out = discharged_wh + max(stored_change_wh, 0) * efficiency
    energy_in = charged_wh + max(-stored_change_wh, 0) / efficiency
    return energy_out / energy_in if energy_in else None


def _per_home(table: pd.DataFrame, key: str, columns: tuple[str, ...], names: list[str]) -> dict[str, Integers]:
    """Sums of ``columns`` for each of ``names`` in column ``key``, shape ``(H,)`` each; 0 where there is no row."""
    sums = table.groupby(key)[list(columns)].sum().reindex(names, fill_value=0)
    return {name: sums[name].to_numpy(np.int64) for name in columns}
