"""FedAvg that also broadcasts prices: each kind of message has a configure and an aggregate hook.

``configure_*`` makes the messages of an exchange, ``aggregate_*`` turns the replies into what the runner works with, in
the order of the households' ids, so that nothing depends on the order in which replies come in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol, TypeVar

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg
from numpy.typing import NDArray

from common.config import RunConfig
from common.messages import (
    KEY,
    RECORD,
    Begin,
    BeginReply,
    Empty,
    Fit,
    HelloReply,
    HomeCard,
    HomeReply,
    Measure,
    Plan,
    SlotReply,
    SlotRequest,
    Totals,
    TotalsReply,
    Wire,
    WireError,
    pack,
    refused,
    unpack,
)
from common.sum_messages import HomeKey, KeyReply, SumRequest
from server.averaging import average, least_homes, make_rule, prepare
from server.drawing import Drawn, draw
from server.privacy import Spent, away_from, repeatable_noise, spent
from server.rule_state import RuleState, read_rule, restore_rule
from server.screening import ARRAYS, METRICS, screened, sound_metrics, well_formed


class _OfHome(Protocol):
    @property
    def home_id(self) -> str: ...


Reply = TypeVar("Reply", bound=Wire)
Entry = TypeVar("Entry", bound=_OfHome)
Warn = Callable[[str], None]


class MarketFedAvg(FedAvg):
    """Federated averaging of the forecasters, and the messages of the market beside it.

    A node may hold several households (a gateway); it answers for each of them, and each counts as one participant in
    the average, whichever node it lives on.  Which homes a round is for is drawn in :mod:`server.drawing`; their models
    become one by the rule that the run config names (:mod:`server.averaging`).

    A message lies in the record ``message``; ``arrays`` and ``metrics`` (:mod:`server.screening`) may lie beside it. A
    reply has ``arrays:<home>`` and ``metrics:<home>`` for each household.

    Attributes:
        drawn: homes of the last round.
        accepted: metrics of the updates that entered the last average, by household.
        sent_bytes: size of the arrays that each household sent in the last round.
    """

    def __init__(self, warn: Warn, config: RunConfig) -> None:
        """Make the rule.

        Raises:
            UserError: the options do not fit the number of homes (:func:`server.averaging.make_rule`).
        """
        super().__init__(fraction_evaluate=0.0, min_evaluate_nodes=0, configrecord_key=RECORD)
        self._warn, self._config = warn, config
        self._rule, self._least = make_rule(config, config.homes), least_homes(config)
        self._model = ArrayRecord()
        self._homes_of: dict[int, tuple[str, ...]] = {}
        self._node_of: dict[str, int] = {}
        self.drawn = Drawn((), ())
        self.accepted: dict[str, MetricRecord] = {}
        self.sent_bytes: dict[str, int] = {}

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
        self._node_of = {home: node for node in self.nodes for home in self._homes_of[node]}
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
        if request.settle is None:
            return self._to_nodes(self.nodes, "query.slot", request)
        fills, refused_orders = self._by_node(request.settle.fills), self._by_node(request.settle.refused)
        messages = []
        for node in self.nodes:
            parts = {"fills": tuple(fills[node]), "refused": tuple(refused_orders[node])}
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

    # -- the community's mean ---------------------------------------------------------------------------------------

    def configure_key(self, fit: Fit, known: Collection[str]) -> list[Message]:
        """Ask the nodes of homes whose key is not known for their keys."""
        missing = self._node_of.keys() - known
        return self._to_nodes(sorted({self._node_of[home] for home in missing}), "query.key", fit)

    def aggregate_key(self, replies: Mapping[int, Message]) -> list[HomeKey]:
        """Keys of the homes."""
        return [key for node, reply in self._parsed(replies, KeyReply) for key in self._own(node, reply.homes)]

    def configure_sum(self, node: int, request: SumRequest) -> list[Message]:
        """Ask a node for what its homes add to a sum."""
        return self._to_nodes([node], "query.sum", request)

    def aggregate_sum(self, replies: Mapping[int, Message], homes: Collection[str]) -> dict[str, ArrayRecord]:
        """What the homes sent for a sum, in the order of their ids."""
        return {home: arrays for home, arrays, _, _ in self._updates(replies, homes)}

    # -- learning ---------------------------------------------------------------------------------------------------

    def configure_fit(self, fit: Fit) -> list[Message]:
        """Ask for the sums of the ridge base."""
        return self._to_nodes(self.nodes, "query.fit", fit)

    def aggregate_fit(self, replies: Mapping[int, Message]) -> list[dict[str, NDArray[np.float64]]]:
        """The homes' statistics that may enter the sum, in the order of the homes' ids."""
        sent = {home: arrays for home, arrays, _, _ in self._updates(replies, self._node_of)}
        sound = well_formed(sent, self._warn)
        return [{name: array.numpy() for name, array in sent[home].items()} for home in sorted(sound)]

    def configure_arrays(self, kind: str, arrays: ArrayRecord, message: Wire) -> list[Message]:
        """Send arrays (the base's weights, or a frozen model) to all nodes."""
        return self._to_nodes(self.nodes, kind, message, arrays)

    def configure_round(self, fit: Fit, arrays: ArrayRecord, *, refresh: bool) -> list[Message]:
        """Messages of a federated round to the nodes of the homes that take part.

        Args:
            fit: what the homes may learn.
            arrays: the global model.
            refresh: whether the other nodes are sent the model, too, to renew their forecast.
        """
        self.drawn, self._model = draw(self._config, self._node_of, fit.turn), arrays
        if not self.drawn.present:
            return []
        content = prepare(self._rule, fit.turn, len(self.drawn.present), arrays, pack(fit).config_records[RECORD])
        messages, present = [], frozenset(self.drawn.present)
        for node in self.nodes:
            mine = tuple(home for home in self._homes_of[node] if home in present)
            if not mine:
                messages += self._to_nodes([node], "query.refresh", fit, arrays) if refresh else []
                continue
            part = fit if mine == self._homes_of[node] else fit.model_copy(update={"homes": mine})
            record = ConfigRecord({**content.config_records[RECORD], KEY: part.model_dump_json()})
            messages.append(
                Message(RecordDict({RECORD: record, ARRAYS: arrays}), dst_node_id=node, message_type="train")
            )
        return messages

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Make one model of the homes' by the rule, one share each, in the order of the homes' ids.

        Args:
            server_round: number of the round in the run, as its messages said (``Fit.turn``).
            replies: of the nodes.
        """
        by_node = {message.metadata.src_node_id: message for message in replies if not message.has_error()}
        updates = {
            home: Message(RecordDict({ARRAYS: arrays, METRICS: metrics}), reply_to=message)
            for home, arrays, metrics, message in self._updates(by_node, self.drawn.present)
        }
        self.sent_bytes = {
            home: sum(len(array.data) for array in update.content.array_records[ARRAYS].values())
            for home, update in updates.items()
        }
        accepted = screened(updates, self._warn)
        self.accepted = {home: accepted[home].content.metric_records[METRICS] for home in sorted(accepted)}
        if not self.drawn.present:
            return None, None
        if len(accepted) < self._least:
            self._warn(f"{len(accepted)} usable updates, {self._config.strategy} needs {self._least}: no average")
            accepted = {}
        entering = [away_from(self._model, accepted[home]) for home in sorted(accepted)]
        with repeatable_noise(self._config, server_round):
            return average(self._rule, server_round, entering)

    def configure_measure(self, request: Measure, arrays: ArrayRecord) -> list[Message]:
        """Have all homes measure a model on test days."""
        return self._to_nodes(self.nodes, "evaluate", request, arrays)

    def aggregate_metrics(self, replies: Mapping[int, Message]) -> dict[str, dict[str, float]]:
        """Metrics of the homes, by id; those of other names than most sent, or not finite, are left out."""
        sent: dict[str, MetricRecord] = {}
        for node in self._answering(replies):
            for home in self.homes_of(node):
                metrics = replies[node].content.metric_records.get(f"{METRICS}:{home}")
                if metrics is None:
                    self._warn(f"node {node} sent no metrics for household {home}")
                else:
                    sent[home] = metrics
        return sound_metrics(sent, self._warn)

    def privacy(self) -> Spent | None:
        """Privacy that the models cost so far; None where the run does not protect it."""
        return spent(self._rule)

    def rule_state(self) -> RuleState:
        """What the rule remembers, for a checkpoint."""
        return read_rule(self._rule)

    def restore_rule(self, state: RuleState) -> None:
        """Go on from a checkpoint."""
        restore_rule(self._rule, state)

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

    def _by_node(self, entries: Iterable[Entry]) -> Mapping[int, list[Entry]]:
        """Entries about households, by the node that holds them."""
        parts: dict[int, list[Entry]] = {node: [] for node in self.nodes}
        for entry in entries:
            if entry.home_id in self._node_of:
                parts[self._node_of[entry.home_id]].append(entry)
        return parts

    def _own(self, node: int, entries: Iterable[Entry]) -> list[Entry]:
        """Entries about households that the node holds; a node cannot speak for another's."""
        kept = []
        for entry in entries:
            if self._node_of.get(entry.home_id) == node:
                kept.append(entry)
            else:
                self._warn(f"node {node} answered for household {entry.home_id}, which is not its own; ignored")
        return kept

    def _answering(self, replies: Mapping[int, Message]) -> list[int]:
        """Nodes that did what they were asked, in ascending order; of the others the reason is told."""
        kept = []
        for node in sorted(replies):
            if refused(replies[node].content):
                list(self._parsed({node: replies[node]}, Empty))  # warns with the reason
            else:
                kept.append(node)
        return kept

    def _updates(
        self, replies: Mapping[int, Message], homes: Collection[str]
    ) -> Iterable[tuple[str, ArrayRecord, MetricRecord, Message]]:
        """What was sent for ``homes``, in the order of their ids."""
        found, asked = [], frozenset(homes)
        for node in self._answering(replies):
            content = replies[node].content
            for home in (home for home in self.homes_of(node) if home in asked):
                arrays = content.array_records.get(f"{ARRAYS}:{home}")
                metrics = content.metric_records.get(f"{METRICS}:{home}", MetricRecord())
                if arrays is None:
                    self._warn(f"node {node} sent no arrays for household {home}")
                else:
                    found.append((home, arrays, metrics, replies[node]))
        return sorted(found, key=lambda update: update[0])
