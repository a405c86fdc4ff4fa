"""What the ledger says, as plain tables: the market writes it, the report reads it.

Columns (all integers unless said otherwise; Wh, u$/kWh, n$):

``slots``     slot, price_uusd, import_uusd, export_uusd
``trades``    trade_id, slot, buyer (text), seller (text), delivered_wh, injected_wh, price_uusd, amount_nusd
``meters``    slot, home_id (text), import_wh, export_wh, bought_wh, sold_wh, grid_import_wh, grid_export_wh,
              estimated (1 where the meter did not come and the trades alone were settled, else 0), where
              import_wh - export_wh = bought_wh - sold_wh + grid_import_wh - grid_export_wh (sold as injected)
``postings``  posting_id, slot, account (text: ``home:<id>`` or ``grid``), kind (text: trade, grid-import,
              grid-export), amount_nusd; positive is received. They sum to 0 in each slot.
``totals``    day_slot, then the fields of :class:`common.messages.Totals`
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Books:
    """The tables of a ledger; see the module's text for their columns."""

    slots: pd.DataFrame
    trades: pd.DataFrame
    meters: pd.DataFrame
    postings: pd.DataFrame
    totals: pd.DataFrame
