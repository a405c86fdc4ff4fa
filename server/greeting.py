"""The first exchange of a run: which homes are there, and whether they are those that it is for."""

from __future__ import annotations

import time
from collections.abc import Mapping

from flwr.app import Message

from common.config import RunConfig
from common.errors import UserError
from common.events import EventLog
from common.messages import HomeCard
from server.exchange import Exchange, Replies
from server.strategy import MarketFedAvg

HISTORY_DAYS = 35
"""Least history before the first slot: four weeks of profile and a week to learn from."""


def greet_homes(config: RunConfig, exchange: Exchange, strategy: MarketFedAvg, events: EventLog) -> list[HomeCard]:
    """Cards of the homes, once all of them are there.

    Raises:
        UserError: another number of nodes or homes than the run is for, and how to mend it.
    """
    wanted, deployed = config.homes, config.data == "household"
    nodes = -(-wanted // config.homes_per_node)
    if not deployed and not exchange.wait_for_nodes(nodes):
        raise UserError(
            f"the run has {exchange.node_count()} SuperNodes, {wanted} homes need {nodes}: "
            f'flwr run . --stream --federation-config "num-supernodes={nodes}"'
        )

    def greet() -> list[HomeCard]:
        hello = strategy.configure_hello(exchange.grid)
        return strategy.aggregate_hello(answered(exchange.greet(hello), strategy, events))

    cards, deadline = greet(), time.monotonic() + config.timeout_s
    while deployed and len(cards) < wanted and time.monotonic() < deadline:
        time.sleep(config.poll_s)
        cards = greet()
    if len(cards) == wanted:
        return cards
    said = f"{len(cards)} households answered, {wanted} are expected (homes={wanted})"
    if deployed:
        raise UserError(f"{said}: start a flower-supernode for each with its own household-dir, or set homes")
    raise UserError(f"{said}: the warnings in events.jsonl say why the others did not")


def answered(replies: Replies, strategy: MarketFedAvg, events: EventLog) -> Mapping[int, Message]:
    """Replies that came, by node; of the others it is written down why not."""
    for node, reason in replies.silent.items():
        for home in strategy.homes_of(node) or (f"node {node}",):
            events.write("silent", home=home, reason=reason)
    return replies.answered
