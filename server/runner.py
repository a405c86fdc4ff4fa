"""The loop of slots and rounds: what central does, from the first hello to the last posting.

One round trip a slot: the message that settles slot t asks for the orders of slot t + 1.  The runner works on any
``Grid`` (ray simulation, SuperLink, in-process) and does not know which.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta

from flwr.app import Message

from common.blocks import days_of, parse_blocks
from common.clock import day_slots, local_of
from common.config import RunConfig
from common.errors import UserError
from common.events import EventLog
from common.messages import Begin, HomeCard, Plan, RefusedOrder, Settle, SlotRequest
from common.units import SLOT_HOURS, WH_PER_KWH
from market.service import MarketService
from market.settlement import Settlement
from server.exchange import Exchange
from server.greeting import HISTORY_DAYS, answered, greet_homes
from server.learning import Learning
from server.quoting import Quoter
from server.strategy import MarketFedAvg

MOST_UNANSWERED = 6
"""Slot messages in a row that nobody answers, after which the run ends."""


@dataclass(frozen=True)
class Span:
    """Slots in a row, one or more days.

    Attributes:
        fit: the homes first learn from what lies before it.
        goes_on: it follows on the span before it, and the batteries keep their energy.
    """

    first: int
    end: int
    fit: bool
    goes_on: bool = False


def spans_of(config: RunConfig) -> list[Span]:
    """Spans of a run: ``days`` from ``date``, or each of ``test_days`` by itself.

    The model is frozen on test days: the homes learn before a day, or the first of several in a row, when
    ``refit_days`` went by since they last did, always on what lies before that day only.  Of days in a row each is a
    span of its own, so that each has accounts of its own.
    """
    limit = config.slots or 10**9
    if not config.test_days:
        if not config.date:
            raise UserError('date is missing: give the first day of the run, as date="YYYY-MM-DD"')
        first = date.fromisoformat(config.date)
        start, end = day_slots(first).start, day_slots(first + timedelta(days=config.days - 1)).stop
        start += config.start_slot
        return [Span(start, min(end, start + limit), fit=True)]
    spans: list[Span] = []
    last_fit: date | None = None
    for block in parse_blocks(config.test_days):
        for day in days_of(block):
            goes_on = day > block[0] and not config.slots
            fit = not goes_on and (last_fit is None or (day - last_fit).days >= config.refit_days)
            last_fit = day if fit else last_fit
            slots = day_slots(day)
            spans.append(Span(slots.start, min(slots.stop, slots.start + limit), fit, goes_on))
    return spans


class Runner:
    """One run of the community; ``run()`` does all of it, and the ledger and the events say what happened."""

    def __init__(
        self,
        config: RunConfig,
        exchange: Exchange,
        strategy: MarketFedAvg,
        market: MarketService,
        learning: Learning,
        quoter: Quoter,
        events: EventLog,
    ) -> None:
        self._config, self._exchange, self._strategy = config, exchange, strategy
        self._market, self._learning, self._quoter, self._events = market, learning, quoter, events
        self._plans: dict[str, Plan] = {}
        self._done = self._slots = self._unanswered = 0
        self.seconds: dict[str, float] = defaultdict(float)

    def run(self) -> None:
        """Greet the homes, then learn and trade, span by span.

        Raises:
            UserError: too few homes, or homes without enough history.
        """
        spans = spans_of(self._config)
        self._slots = sum(span.end - span.first for span in spans)
        with self._phase("begin"):
            cards = greet_homes(self._config, self._exchange, self._strategy, self._events)
            _check_history(cards, spans)
        self._market.register({card.home_id: round(card.connection_kw * SLOT_HOURS * WH_PER_KWH) for card in cards})
        self._events.write(
            "run-started",
            homes=[card.home_id for card in cards],
            slots=self._slots,
            days=len(spans) if self._config.test_days else self._config.days,
            model=self._config.model,
            parameters=self._learning.parameters,
        )
        for number, span in enumerate(spans, 1):
            if span.fit:
                with self._phase("fit"):
                    self._learning.fit_base(span.first)
                with self._phase("warm-up"):
                    self._learning.warm_up(span.first)
            with self._phase("trade"):
                self._trade(span)
            self._events.write("day", number=number, of=len(spans), slot=span.first)
        self.seconds["trade"] -= self.seconds["rounds"]  # rounds happen between slots; each second counts once

    # -- a span -----------------------------------------------------------------------------------------------------

    def _trade(self, span: Span) -> None:
        """Slots ``span.first .. span.end - 1``, with a round after every sixth."""
        every = self._config.round_every_slots
        self._learning.refresh(span.first)
        begin = Begin(slot=span.first, end_slot=span.end, goes_on=span.goes_on)
        self._plans = self._strategy.aggregate_begin(self._ask(self._strategy.configure_begin(begin)))
        pending: Settle | None = None
        for slot in range(span.first, span.end):
            if every and slot > span.first and (slot - span.first) % every == 0:
                self._slot(pending, None)
                pending = None
                with self._phase("rounds"):
                    self._learn(slot)
            pending = self._slot(pending, slot)
        self._slot(pending, None)
        if every and (span.end - span.first) % every == 0:
            with self._phase("rounds"):
                self._learn(span.end)
        totals = self._strategy.aggregate_totals(self._ask(self._strategy.configure_totals()))
        self._market.book_totals(span.first, totals)

    def _learn(self, slot: int) -> None:
        """Train on what was metered before ``slot``; on test days the model is frozen and only sees the new data."""
        if self._config.test_days:
            self._learning.refresh(slot)
        else:
            self._learning.round(slot)

    def _slot(self, settle: Settle | None, slot: int | None) -> Settle | None:
        """One round trip: settle a slot, quote ``slot``, clear its orders; returns the fills to settle next."""
        if settle is None and slot is None:
            return None
        quote = None if slot is None else self._quoter.quote(slot, self._plans)
        request = SlotRequest(settle=settle, quote=quote)
        homes = self._strategy.aggregate_slot(self._ask(self._strategy.configure_slot(request)))
        self._unanswered = 0 if homes else self._unanswered + 1
        if self._unanswered >= MOST_UNANSWERED:
            raise RuntimeError(f"no household answered {MOST_UNANSWERED} messages in a row: see events.jsonl for why")
        if settle is not None:
            meters = {home.home_id: meter for home in homes for meter in home.meters if meter.slot == settle.slot}
            settlement = self._market.settle(settle.slot, meters)
            if not settlement.estimated:
                self._quoter.saw(settle.slot, settlement.net_import_wh)
            self._report(settlement)
        if quote is None:
            return None
        self._plans |= {home.home_id: home.plan for home in homes if home.plan is not None}
        orders = [order for home in homes for order in home.orders if order.home_id == home.home_id]
        clearing = self._market.clear(quote.slot, quote.price_uusd, orders)
        refused = tuple(
            RefusedOrder(home_id=r.order.home_id, reason=r.reason.value, refused_wh=r.refused_wh)
            for r in clearing.refusals
        )
        for order in refused:
            self._events.write("refusal", slot=quote.slot, **order.model_dump())
        return Settle(slot=quote.slot, fills=clearing.fills, refused=refused)

    # -- helpers ----------------------------------------------------------------------------------------------------

    def _ask(self, messages: list[Message]) -> Mapping[int, Message]:
        return answered(self._exchange.ask(messages), self._strategy, self._events)

    def _report(self, settlement: Settlement) -> None:
        """Say that a slot is done."""
        self._done += 1
        slot = settlement.prices.slot
        self._events.write(
            "slot",
            slot=slot,
            local=local_of(slot).isoformat(),
            index=self._done,
            of=self._slots,
            price_uusd=settlement.prices.price_uusd,
            import_uusd=settlement.prices.import_uusd,
            traded_wh=sum(trade.delivered_wh for trade in settlement.trades),
            trades=len(settlement.trades),
            imported_wh=sum(meter.grid_import_wh for meter in settlement.meters),
            exported_wh=sum(meter.grid_export_wh for meter in settlement.meters),
            estimated=sorted(settlement.estimated),
        )

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        if name != "rounds":
            self._events.write("phase", name=name)
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] += time.monotonic() - began


def _check_history(cards: list[HomeCard], spans: list[Span]) -> None:
    first, end = min(span.first for span in spans), max(span.end for span in spans)
    for card in cards:
        if card.first_slot > first - HISTORY_DAYS * 48 or card.end_slot < end:
            raise UserError(
                f"home {card.home_id} has readings from {local_of(card.first_slot):%Y-%m-%d} to "
                f"{local_of(card.end_slot - 1):%Y-%m-%d}; the run needs {HISTORY_DAYS} days before "
                f"{local_of(first):%Y-%m-%d} and up to {local_of(end - 1):%Y-%m-%d}: choose another --date or --days"
            )
