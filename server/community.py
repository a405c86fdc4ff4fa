"""The community's mean surprise: asked for behind masks, summed, and sent back with the next messages.

Central learns the homes' sum only (:mod:`common.secure_sum`).  If a home is missing its masks do not cancel and the sum
is noise: it is asked for again without that home.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

import numpy as np
from flwr.app import Array, ArrayRecord

from common.community import MOST_SURPRISE, CommunityMean
from common.events import EventLog
from common.messages import Fit
from common.secure_sum import LEAST_HOMES, MASKED, Masked, decode_sum, neighbourhoods
from common.sum_messages import MOST_SLOTS, HomeKey, NeighbourKey, SumPart, SumRequest
from server.exchange import Exchange
from server.greeting import answered
from server.strategy import MarketFedAvg

ATTEMPTS = 3
"""How often a sum is asked for: twice without homes that failed before."""


class Community:
    """The mean of a run, which grows from exchange to exchange.

    Attributes:
        mean: what was summed so far, or None.
    """

    def __init__(self, exchange: Exchange, strategy: MarketFedAvg, events: EventLog) -> None:
        self._exchange, self._strategy, self._events = exchange, strategy, events
        self.mean: CommunityMean | None = None
        self._keys: dict[str, HomeKey] = {}
        self._cursor = self._number = 0
        self._said = False

    def sum_up(self, before_slot: int) -> None:
        """Sum what was metered before a slot and not yet summed; the mean then travels to all homes.

        Whole hours only. Without a sum (too few homes, or some that failed three times) the mean stays as it is.
        """
        end = before_slot - before_slot % 2
        if end <= self._cursor:
            return
        homes = sum(len(self._strategy.homes_of(node)) for node in self._strategy.nodes)
        if homes < LEAST_HOMES:
            self._say_too_few(before_slot, homes)
            return
        began = time.monotonic()
        self._ask_keys(Fit(before_slot=before_slot))
        takers = sorted(self._keys)
        for _ in range(ATTEMPTS):
            if len(takers) < LEAST_HOMES:
                break
            first = max(self._first_slot(takers), end - MOST_SLOTS)
            if first >= end:
                return
            sent = self._ask(takers, first, end)
            if len(sent) == len(takers):
                if self._take(list(sent.values()), first, end):
                    seconds = round(time.monotonic() - began, 3)
                    self._events.write(
                        "community", slot=before_slot, homes=len(takers), slots=end - first, seconds=seconds
                    )
                return
            for home in set(takers) - set(sent):
                del self._keys[home]  # asked for again next time: it may have lost its disk
            takers = sorted(sent)
        self._warn(f"no sum before slot {before_slot}: {len(takers)} homes answered at last; the mean stays as it was")

    def restore(self, mean: CommunityMean | None) -> None:
        """Go on with the mean of a checkpoint; nothing of it is summed again."""
        if mean is not None:
            self._cursor = mean.end_slot
            self._deliver(mean)

    def _say_too_few(self, before_slot: int, homes: int) -> None:
        if not self._said:
            self._events.write("community", slot=before_slot, homes=homes, slots=0, seconds=0.0)
        self._said = True

    def _first_slot(self, takers: Iterable[str]) -> int:
        """First slot to sum: not summed yet, and at least :data:`LEAST_HOMES` homes have something to add to it."""
        since = sorted(self._keys[home].from_slot for home in takers)
        return max(self._cursor, since[LEAST_HOMES - 1])

    def _ask_keys(self, fit: Fit) -> None:
        """Ask the homes for the keys that are not known yet."""
        messages = self._strategy.configure_key(fit, self._keys)
        if messages:
            replies = answered(self._exchange.ask(messages), self._strategy, self._events)
            self._keys |= {home.home_id: home for home in self._strategy.aggregate_key(replies)}
            # A run that is resumed counts on: homes answer no number twice.
            self._number = max([self._number, *(key.exchange for key in self._keys.values())])

    def _ask(self, takers: list[str], first: int, end: int) -> dict[str, Masked]:
        """What the homes sent, of those whose answer is sound."""
        self._number += 1
        neighbours = neighbourhoods(takers, str(self._number))
        messages = []
        for node in self._strategy.nodes:
            mine = [home for home in self._strategy.homes_of(node) if home in neighbours]
            if mine:
                parts = tuple(self._part(home, neighbours[home]) for home in mine)
                request = SumRequest(exchange=self._number, first_slot=first, before_slot=end, homes=parts)
                messages += self._strategy.configure_sum(node, request)
        # Until there is a mean, homes go through all of their past.
        send = self._exchange.learn if self.mean is None else self._exchange.ask
        replies = answered(send(messages), self._strategy, self._events)
        records = self._strategy.aggregate_sum(replies, takers)
        return self._screened(records, (2, end - first))

    def _part(self, home: str, neighbours: Iterable[str]) -> SumPart:
        keys = (NeighbourKey(home_id=other, key=self._keys[other].key) for other in sorted({home, *neighbours}))
        return SumPart(home_id=home, keys=tuple(keys))

    def _screened(self, records: Mapping[str, ArrayRecord], shape: tuple[int, int]) -> dict[str, Masked]:
        kept = {}
        for home, record in records.items():
            values = _read(record)
            if values is None or values.shape != shape:
                self._warn(f"masked numbers of {home} ignored: expected one array {MASKED}, {shape} of uint32")
            else:
                kept[home] = values
        return kept

    def _take(self, sent: list[Masked], first: int, end: int) -> bool:
        """Decode a sum; whether it can be one."""
        total, count = decode_sum(sent)
        self._cursor = end  # once summed, never again: the difference of two sums would show what one home told
        values = np.where(count >= LEAST_HOMES, total / np.maximum(count, 1), 0)
        possible = (count >= 0) & (count <= len(sent)) & (count == np.rint(count)) & (np.abs(values) <= MOST_SURPRISE)
        if not possible.all():
            self._warn(f"sum of slots {first} to {end - 1} discarded: some home sent what cannot be its surprise")
            return False
        self._deliver(CommunityMean(first, values.astype(np.float32)))
        return True

    def _deliver(self, part: CommunityMean) -> None:
        """Have the part travel with each node's next message, and whatever the node did not take yet."""
        self.mean = part if self.mean is None else self.mean.joined(part)
        for node in self._strategy.nodes:
            waiting = self._exchange.waiting(node)
            first = part.first_slot if waiting is None else int(waiting["first_slot"].numpy()[0])
            arrays = self.mean.since(min(first, part.first_slot)).to_arrays()
            self._exchange.attach(node, ArrayRecord({name: Array(values) for name, values in arrays.items()}))

    def _warn(self, text: str) -> None:
        self._events.write("warning", message=f"community: {text}")


def _read(record: ArrayRecord) -> Masked | None:
    try:
        values = record[MASKED].numpy()
    except Exception:  # there is none, or whatever a home may put into an array's bytes
        return None
    return values if values.dtype == np.uint32 else None
