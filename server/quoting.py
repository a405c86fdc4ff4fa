"""What central broadcasts for a slot: the price, the indicative curve of the coming day, the guard against a rebound.

All of it comes from the homes' indicative plans, summed, and the tariff.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from common.clock import day_slots, local_of
from common.config import MarketRules
from common.messages import CURVE_SLOTS, Plan, Quote
from common.tariff import Tariff, charge_windows
from market.mechanism import Mechanism
from market.mechanisms import SDR
from server.pricing import UNLIMITED, charge_share, offered_wh, price_curve, wanted_wh

Ints = NDArray[np.int64]


class Quoter:
    """Makes quotes from plans; remembers how much charging it allowed, and what the day's meters said beside that."""

    def __init__(self, tariff: Tariff, rules: MarketRules, mechanism: Mechanism = SDR) -> None:
        self._tariff, self._rules, self._mechanism = tariff, rules, mechanism
        self._quoted = -1
        self._allowed_share = UNLIMITED
        self._allowed_wh: dict[int, int] = {}
        self._beside_charging_wh: dict[int, int] = {}

    def saw(self, slot: int, net_import_wh: int) -> None:
        """Tell what the community's meters said of a slot: import less export, Wh.

        The charging that it allowed by the plans of that time is taken off, whether it was done or not: else charging
        would raise its own bound, slot by slot.
        """
        self._beside_charging_wh[slot] = net_import_wh - self._allowed_wh.pop(slot, 0)

    def quote(self, slot: int, plans: Mapping[str, Plan]) -> Quote:
        """Quote of a slot from the last plan of each home; a plan of a day ago or more counts for nothing."""
        slots = np.arange(slot, slot + CURVE_SLOTS)
        with_next = self._tariff.import_uusd(np.arange(slot, slot + CURVE_SLOTS + 1))
        imports, exports = with_next[:-1], self._tariff.export_uusd(slots)
        plans = {home: plan for home, plan in plans.items() if 0 <= slot - plan.slot < CURVE_SLOTS}
        need, charge, surplus, buyers = _totals(slot, plans)
        curve = price_curve(surplus, need, with_next, exports, self._rules, self._mechanism)
        wanted = wanted_wh(surplus, need, sum(any(plan.surplus_wh) for plan in plans.values()), self._rules)
        offered = offered_wh(surplus, need, buyers, self._rules)
        postponed = self._postponed_wh(slot, plans, charge)
        need[0] += postponed
        charge[0] += postponed
        share = charge_share(need - surplus, charge, imports, self._highest_today_wh(slot))
        self._quoted, self._allowed_share = slot, share[0]
        inside = charge_windows(imports) == 0
        self._allowed_wh[slot] = round(share[0] * int(charge[inside].sum())) if share[0] <= 1.0 else int(charge[0])
        return Quote(
            slot=slot, price_uusd=curve[0], curve_uusd=curve, charge_share=share, wanted_wh=wanted, offered_wh=offered
        )

    def _highest_today_wh(self, slot: int) -> Ints:
        """The day's highest import so far, charging left out, in the slots that are left of it; then 0.

        The slot before counts for nothing: it is settled after this quote, but for those that a FedAvg round follows,
        and trades do not depend on that.
        """
        today = day_slots(local_of(slot).date())
        self._beside_charging_wh = {at: wh for at, wh in self._beside_charging_wh.items() if at in today}
        highest = max([0, *(wh for at, wh in self._beside_charging_wh.items() if at < slot - 1)])
        return np.where(np.arange(slot, slot + CURVE_SLOTS) < today.stop, highest, 0)

    def _postponed_wh(self, slot: int, plans: Mapping[str, Plan], charge_wh: Ints) -> int:
        """Grid charging that the homes planned for the slot before and that the guard put off, Wh.

        The plans do not know of the guard: what they meant to charge in a slot is not in what they plan for later.

        Args:
            slot: that is quoted now.
            plans: made for the slot before.
            charge_wh: what they plan to charge from ``slot`` on, shape ``(CURVE_SLOTS,)``.
        """
        imports = self._tariff.import_uusd(np.arange(slot - 1, slot + CURVE_SLOTS))
        rises = np.flatnonzero(np.diff(imports) > 0)  # where a charging window ends
        left = int(rises[0]) if len(rises) else CURVE_SLOTS
        if self._quoted != slot - 1 or left == 0:
            return 0
        planned = sum(plan.charge_wh[0] for plan in plans.values() if plan.slot == slot - 1)
        allowed = min(self._allowed_share, 1.0) * (planned + int(charge_wh[:left].sum()))
        return max(0, planned - int(allowed))


def _totals(slot: int, plans: Mapping[str, Plan]) -> Ints:
    """Sums of the plans' need, charge and surplus from ``slot`` on, Wh, and how many have no surplus; ``(4, T)``.

    A plan that began earlier, by less than a day, is continued with its own values of a day before.
    """
    total = np.zeros((4, CURVE_SLOTS), np.int64)
    for plan in plans.values():
        told = np.array([plan.need_wh, plan.charge_wh, plan.surplus_wh, np.equal(plan.surplus_wh, 0)], np.int64)
        total += np.roll(told, plan.slot - slot, axis=1)
    return total
