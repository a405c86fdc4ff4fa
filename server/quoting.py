"""What central broadcasts for a slot: the price, the indicative curve of the coming day, the guard against a rebound.

All of it comes from the homes' indicative plans, summed, and the tariff.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from common.config import MarketRules
from common.messages import CURVE_SLOTS, Plan, Quote
from common.tariff import Tariff
from server.pricing import charge_share, price_curve

Ints = NDArray[np.int64]


class Quoter:
    """Makes quotes from plans."""

    def __init__(self, tariff: Tariff, rules: MarketRules) -> None:
        self._tariff, self._rules = tariff, rules

    def quote(self, slot: int, plans: Mapping[str, Plan]) -> Quote:
        """Quote of a slot from the last plan of each home; a plan of a day ago or more counts for nothing."""
        slots = np.arange(slot, slot + CURVE_SLOTS)
        imports, exports = self._tariff.import_uusd(slots), self._tariff.export_uusd(slots)
        need, charge, surplus = _totals(slot, plans)
        curve = price_curve(surplus, need, imports, exports, self._rules)
        return Quote(slot=slot, price_uusd=curve[0], curve_uusd=curve, charge_share=charge_share(need, charge, imports))


def _totals(slot: int, plans: Mapping[str, Plan]) -> Ints:
    """Sums of the plans' need, charge and surplus from ``slot`` on, Wh, shape ``(3, CURVE_SLOTS)``.

    A plan that began earlier is continued with its own values of a day before.
    """
    total = np.zeros((3, CURVE_SLOTS), np.int64)
    for plan in plans.values():
        age = slot - plan.slot
        if 0 <= age < CURVE_SLOTS:
            total += np.roll(np.array([plan.need_wh, plan.charge_wh, plan.surplus_wh], np.int64), -age, axis=1)
    return total
