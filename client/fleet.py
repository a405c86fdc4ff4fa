"""The households of one node: what they are asked, and what they answer.

A node holds one household, or several as a gateway; arrays have a leading ``home`` axis, and a home's numbers are the
same whichever homes it shares the node with.  Decisions (:mod:`client.deciding`) see a
:class:`client.history.History` that ends at gate closure; the reading of a slot is opened only when the slot happens
(:mod:`client.settling`).
"""

from __future__ import annotations

from collections.abc import Sequence

from client.accounts import totals
from client.battery import BatteryBank
from client.deciding import Decider
from client.household import Household
from client.settling import Settler
from common.config import MarketRules
from common.messages import (
    CURVE_SLOTS,
    Begin,
    HomeCard,
    HomePlan,
    HomeReply,
    Meter,
    Order,
    Plan,
    SlotRequest,
    Totals,
    WireError,
)
from common.tariff import Tariff


class Fleet:
    """Households of a node, in the order of their ids."""

    def __init__(self, homes: Sequence[Household], tariff: Tariff, rules: MarketRules, most_orders: int = 1) -> None:
        self.homes, self._tariff = homes, tariff
        bank = BatteryBank.of([home.facts.battery for home in homes])
        self._decider = Decider(homes, bank, tariff, rules, most_orders)
        self._settler = Settler(homes, bank, tariff)

    def cards(self) -> tuple[HomeCard, ...]:
        """Cards of the homes."""
        return tuple(home.card() for home in self.homes)

    def begin(self, begin: Begin) -> tuple[HomePlan, ...]:
        """Begin a day (or several); answer with the first indicative plans."""
        if begin.goes_on and all(home.state.end_slot == begin.slot for home in self.homes):
            self._settler.end_days_before(begin.slot)
        for home in self.homes:
            home.begin(begin.slot, begin.end_slot, begin.goes_on)
            home.save()
        plans = self._decider.plans(begin.slot)
        return tuple(HomePlan(home_id=home.home_id, plan=plans[home.home_id]) for home in self.homes)

    def slot(self, request: SlotRequest) -> tuple[HomeReply, ...]:
        """Let a slot happen, then decide on the next one.

        Raises:
            WireError: a slot outside of the day that was begun, or one to decide on that has happened.
        """
        for part in (request.settle, request.quote):
            if part is not None:
                self._check(part.slot)
        happens = -1 if request.settle is None else request.settle.slot
        happened = max(happens + 1, *(home.state.next_slot for home in self.homes))
        if request.quote is not None and request.quote.slot < happened:
            raise WireError(f"slot {request.quote.slot} has happened: there is nothing to decide any more")
        meters: dict[str, list[Meter]] = {home.home_id: [] for home in self.homes}
        orders: dict[str, tuple[Order, ...]] = {}
        plans: dict[str, Plan] = {}
        if request.settle is not None:
            meters = self._settler.settle(request.settle)
        if request.quote is not None:
            orders, plans = self._decider.decide(request.quote)
        for home in self.homes:
            home.save()
        return tuple(
            HomeReply(
                home_id=home.home_id,
                meters=tuple(meters[home.home_id][-CURVE_SLOTS:]),
                orders=orders.get(home.home_id, ()),
                plan=plans.get(home.home_id),
            )
            for home in self.homes
        )

    def _check(self, slot: int) -> None:
        for home in self.homes:
            if not home.state.first_slot <= slot < home.state.end_slot:
                raise WireError(f"slot {slot} is not of a day that was begun for {home.home_id}")

    def totals(self) -> tuple[Totals, ...]:
        """Totals of the day that the homes choose to report."""
        return tuple(totals(home, self._tariff) for home in self.homes)
