"""FedAvg that also broadcasts prices: each kind of message has a configure and an aggregate hook.

``configure_*`` makes the messages of an exchange, ``aggregate_*`` turns the replies into what the runner works with, in
the order of the households' ids, so that nothing depends on the order in which replies come in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg
from numpy.typing import NDArray

from common.messages import (
    Begin,
    BeginReply,
    Empty,
    Fit,
    HelloReply,
    HomeCard,
    HomeReply,
    Plan,
    SlotReply,
    SlotRequest,
    Totals,
    TotalsReply,
    Wire,
    WireError,
    pack,
    unpack,
)
from server.screening import ARRAYS, METRICS, screened, well_formed


class _OfHome(Protocol):
    @property
    def home_id(self) -> str: ...


Reply = TypeVar("Reply", bound=Wire)
Entry = TypeVar("Entry", bound=_OfHome)
Warn = Callable[[str], None]

MESSAGE = "message"
"""Record that holds a message; ``arrays`` and ``metrics`` (:mod:`server.screening`) may lie beside it. A reply has
``arrays:<home>`` and ``metrics:<home>`` for each household."""


class MarketFedAvg(FedAvg):
    """Federated averaging of the forecasters, and the messages of the market beside it.

    A node may hold several households (a gateway); it answers for each of them, and each counts as one participant in
    the average, whichever node it lives on.

    Attributes:
        accepted: metrics of the updates that entered the last average, by household.
    """

    def __init__(self, warn: Warn, fraction_train: float = 1.0) -> None:
        super().__init__(
            fraction_train=fraction_train,
            fraction_evaluate=0.0,
            min_train_nodes=1,
            min_evaluate_nodes=0,
            min_available_nodes=1,
            configrecord_key=MESSAGE,
        )
        self._warn = warn
        self._homes_of: dict[int, tuple[str, ...]] = {}
        self.accepted: dict[str, MetricRecord] = {}

    # -- the market's messages ------------------------------------------------------------------------------------

    def configure_hello(self, grid: Grid) -> list[Message]:
        """Ask each node which households it holds."""
        return self._to_nodes(sorted(grid.get_node_ids()), "query.hello", Empty())

    def aggregate_hello(self, replies: Mapping[int, Message]) -> list[HomeCard]:
        """Cards of all homes, by id; remembers which node speaks for which home."""
        cards: dict[str, HomeCard] = {}
        self._homes_of = {}
        for node, reply in self._parsed(replies, HelloReply):
            fresh = {card.home_id: card for card in reply.homes if card.home_id not in cards}
            if len(fresh) < len(reply.homes):
                self._warn(f"node {node} claims a household that is held already; the second claim is ignored")
            self._homes_of[node] = tuple(fresh)
            cards |= fresh
        return [cards[home] for home in sorted(cards)]

    def configure_begin(self, begin: Begin) -> list[Message]:
        """Announce a day."""
        return self._to_nodes(self.nodes, "query.begin", begin)

    def aggregate_begin(self, replies: Mapping[int, Message]) -> dict[str, Plan]:
        """First plans by home."""
        plans = {p.home_id: p.plan for node, r in self._parsed(replies, BeginReply) for p in self._own(node, r.plans)}
        return dict(sorted(plans.items()))

    def configure_slot(self, request: SlotRequest) -> list[Message]:
        """Settle a slot, quote the next; a node gets the fills of its own households only."""
        messages = []
        for node in self.nodes:
            own = request
            if request.settle is not None:
                mine = self._homes_of[node]
                parts = {
                    "fills": tuple(fill for fill in request.settle.fills if fill.home_id in mine),
                    "refused": tuple(order for order in request.settle.refused if order.home_id in mine),
                }
                own = request.model_copy(update={"settle": request.settle.model_copy(update=parts)})
            messages += self._to_nodes([node], "query.slot", own)
        return messages

    def aggregate_slot(self, replies: Mapping[int, Message]) -> list[HomeReply]:
        """Answers of the homes, by id."""
        homes = [home for node, reply in self._parsed(replies, SlotReply) for home in self._own(node, reply.homes)]
        return sorted(homes, key=lambda home: home.home_id)

    def configure_totals(self) -> list[Message]:
        """Ask the homes for the totals that they choose to report."""
        return self._to_nodes(self.nodes, "query.totals", Empty())

    def aggregate_totals(self, replies: Mapping[int, Message]) -> list[Totals]:
        """Totals of the homes, by id."""
        totals = [home for node, reply in self._parsed(replies, TotalsReply) for home in self._own(node, reply.homes)]
        return sorted(totals, key=lambda home: home.home_id)

    # -- learning ---------------------------------------------------------------------------------------------------

    def configure_fit(self, fit: Fit) -> list[Message]:
        """Ask for the sums of the ridge base."""
        return self._to_nodes(self.nodes, "query.fit", fit)

    def aggregate_fit(self, replies: Mapping[int, Message]) -> list[dict[str, NDArray[np.float64]]]:
        """The homes' statistics that may enter the sum, in the order of the homes' ids."""
        sent = {home: arrays for home, arrays, _, _ in self._updates(replies)}
        sound = well_formed(sent, self._warn)
        return [{name: array.numpy() for name, array in sent[home].items()} for home in sorted(sound)]

    def configure_arrays(self, kind: str, arrays: ArrayRecord, message: Wire) -> list[Message]:
        """Send arrays (the base's weights, or a frozen model) to all nodes."""
        return self._to_nodes(self.nodes, kind, message, arrays)

    def configure_round(self, fit: Fit, arrays: ArrayRecord, grid: Grid) -> list[Message]:
        """Messages of a federated round, through FedAvg's own hook (sampling included)."""
        config: ConfigRecord = pack(fit).config_records[MESSAGE]
        messages = list(self.configure_train(fit.round, arrays, config, grid))
        return [message for message in messages if message.metadata.dst_node_id in self._homes_of]

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Average the homes' models, one share each, in the order of the homes' ids."""
        by_node = {message.metadata.src_node_id: message for message in replies if not message.has_error()}
        updates = {
            home: Message(RecordDict({ARRAYS: arrays, METRICS: metrics}), reply_to=message)
            for home, arrays, metrics, message in self._updates(by_node)
        }
        accepted = screened(updates, self._warn)
        self.accepted = {home: accepted[home].content.metric_records[METRICS] for home in sorted(accepted)}
        if not accepted:
            return None, None
        return super().aggregate_train(server_round, [accepted[home] for home in sorted(accepted)])

    # -- helpers ----------------------------------------------------------------------------------------------------

    @property
    def nodes(self) -> list[int]:
        """Nodes that hold households, in ascending order."""
        return sorted(self._homes_of)

    def homes_of(self, node: int) -> tuple[str, ...]:
        """Households that a node holds."""
        return self._homes_of.get(node, ())

    def _to_nodes(self, nodes: list[int], kind: str, message: Wire, arrays: ArrayRecord | None = None) -> list[Message]:
        content = pack(message)
        if arrays is not None:
            content[ARRAYS] = arrays
        return [Message(content, dst_node_id=node, message_type=kind) for node in nodes]

    def _parsed(self, replies: Mapping[int, Message], kind: type[Reply]) -> Iterable[tuple[int, Reply]]:
        for node in sorted(replies):
            try:
                yield node, unpack(kind, replies[node].content)
            except WireError as error:
                self._warn(f"reply of node {node} ({', '.join(self.homes_of(node))}): {error}")

    def _own(self, node: int, entries: Iterable[Entry]) -> list[Entry]:
        """Entries about households that the node holds; a node cannot speak for another's."""
        kept = []
        for entry in entries:
            if entry.home_id in self._homes_of.get(node, ()):
                kept.append(entry)
            else:
                self._warn(f"node {node} answered for household {entry.home_id}, which is not its own; ignored")
        return kept

    def _updates(self, replies: Mapping[int, Message]) -> Iterable[tuple[str, ArrayRecord, MetricRecord, Message]]:
        found = []
        for node in sorted(replies):
            content = replies[node].content
            refusal = content.config_records.get(MESSAGE)
            if refusal is not None and refusal.get("type") == "Refusal":
                list(self._parsed({node: replies[node]}, Empty))  # warns with the reason
                continue
            for home in self.homes_of(node):
                arrays = content.array_records.get(f"{ARRAYS}:{home}")
                metrics = content.metric_records.get(f"{METRICS}:{home}", MetricRecord())
                if arrays is None:
                    self._warn(f"node {node} sent no arrays for household {home}")
                else:
                    found.append((home, arrays, metrics, replies[node]))
        return sorted(found, key=lambda update: update[0])
