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
from server.pricing import UNLIMITED, PlanSums, charge_share, offered_wh, price_curve, wanted_wh

Ints = NDArray[np.int64]


class Quoter:
    """Makes quotes from plans; remembers of the day what the meters said, and how much charging the guard allowed."""

    def __init__(self, tariff: Tariff, rules: MarketRules, mechanism: Mechanism = SDR) -> None:
        self._tariff, self._rules, self._mechanism = tariff, rules, mechanism
        self._quoted, self._quoted_share = -1, UNLIMITED
        self._net_import_wh: dict[int, int] = {}
        self._allowed_wh: dict[int, int] = {}

    def saw(self, slot: int, net_import_wh: int) -> None:
        """Tell what the community's meters said of a slot: import less export, Wh."""
        self._net_import_wh[slot] = net_import_wh

    def quote(self, slot: int, plans: Mapping[str, Plan]) -> Quote:
        """Quote of a slot from the last plan of each home; a plan of a day ago or more counts for nothing."""
        slots = np.arange(slot, slot + CURVE_SLOTS)
        with_next = self._tariff.import_uusd(np.arange(slot, slot + CURVE_SLOTS + 1))
        imports, exports = with_next[:-1], self._tariff.export_uusd(slots)
        plans = {home: plan for home, plan in plans.items() if 0 <= slot - plan.slot < CURVE_SLOTS}
        sums, buyers = _summed(slot, plans, self._rules)
        curve = price_curve(sums, with_next, exports, self._rules, self._mechanism)
        need, charge, surplus = sums.need_wh, sums.charge_wh, sums.surplus_wh
        wanted = wanted_wh(surplus, need, sum(any(plan.surplus_wh) for plan in plans.values()), self._rules)
        offered = offered_wh(surplus, need, buyers, self._rules)
        if self._quoted == slot - 1 and any(plan.slot < slot for plan in plans.values()):
            self._allowed_wh[slot - 1], put_off = self._guarded_wh(slot, charge)
            need[0] += put_off
            charge[0] += put_off
        share = charge_share(need - surplus, charge, imports, self._highest_today_wh(slot))
        self._quoted, self._quoted_share = slot, share[0]
        return Quote(
            slot=slot, price_uusd=curve[0], curve_uusd=curve, charge_share=share, wanted_wh=wanted, offered_wh=offered
        )

    def _guarded_wh(self, slot: int, charge_wh: Ints) -> tuple[int, int]:
        """Grid charging in the slot before that the guard allowed, and that it put off to ``slot``, Wh.

        Homes plan anew when they know the quote, and charge by that plan.  It does not know of the guard: what it means
        to charge in its first slot is not in what it means to charge later.

        Args:
            slot: that is quoted now; central quoted the one before, too.
            charge_wh: sum of the last plans from ``slot`` on, shape ``(CURVE_SLOTS,)``.
        """
        before = np.arange(slot - 1, slot - 1 + CURVE_SLOTS)
        charge_wh = np.roll(charge_wh, 1)  # plans go on as a day before: the last value is of the slot before
        inside = charge_windows(self._tariff.import_uusd(before)) == 0
        meant, share = int(charge_wh[0]), self._quoted_share
        allowed = int(share * int(charge_wh[inside].sum())) if share <= 1.0 else meant
        return allowed, max(0, meant - allowed) if inside[1] else 0

    def _highest_today_wh(self, slot: int) -> Ints:
        """The day's highest import so far, charging left out, in the slots that are left of it; then 0.

        All that the guard let homes charge counts as charged: else charging would raise its own bound, slot by slot.
        The slot before counts for nothing: it is settled after this quote, but for those that a FedAvg round follows,
        and trades do not depend on that.
        """
        today = day_slots(local_of(slot).date())
        self._net_import_wh = {at: wh for at, wh in self._net_import_wh.items() if at in today}
        self._allowed_wh = {at: wh for at, wh in self._allowed_wh.items() if at in today}
        known = (self._net_import_wh.keys() & self._allowed_wh.keys()) - {slot - 1}
        highest = max([0, *(self._net_import_wh[at] - self._allowed_wh[at] for at in known)])
        return np.where(np.arange(slot, slot + CURVE_SLOTS) < today.stop, highest, 0)


def _summed(slot: int, plans: Mapping[str, Plan], rules: MarketRules) -> tuple[PlanSums, Ints]:
    """Sums of the plans from ``slot`` on, and how many have no surplus, shape ``(T,)``.

    A plan that began earlier, by less than a day, is continued with its own values of a day before.  No home has
    more stored than it may sell in a day.
    """
    made: dict[int, list[tuple[tuple[int, ...], ...]]] = {}
    for plan in plans.values():
        energies = (plan.need_wh, plan.charge_wh, plan.surplus_wh, plan.stored_wh, plan.spare_wh)
        made.setdefault(plan.slot, []).append(energies)
    total = np.zeros((6, CURVE_SLOTS), np.int64)
    for began, told in made.items():
        energy_wh = np.array(told, np.int64)  # (n, 5, T)
        energy_wh[:, 3:] = np.minimum(energy_wh[:, 3:], rules.daily_sell_limit_wh)
        no_surplus = (energy_wh[:, 2:3] == 0).sum(axis=0)
        total += np.roll(np.concatenate([energy_wh.sum(axis=0), no_surplus]), began - slot, axis=1)
    return PlanSums(*total[:5]), total[5]
