"""One exchange: send each node a message, gather the replies until a deadline.

``Grid.send_and_receive`` sleeps 3 s a poll in a deployment; this uses its two halves with a poll of our own.  An error
reply carries ``src_node_id`` 1, whoever it is from, so replies are mapped back by the id of the message they answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flwr.app import ArrayRecord, Message, RecordDict
from flwr.serverapp import Grid

from common.messages import COMMUNITY, refused


@dataclass(frozen=True)
class Replies:
    """What came back.

    Attributes:
        answered: reply by node id, in ascending order of node id.
        silent: node id to the reason, of the nodes that failed or did not answer in time.
    """

    answered: Mapping[int, Message]
    silent: Mapping[int, str]


def exchange(grid: Grid, messages: Iterable[Message], *, timeout_s: float, poll_s: float) -> Replies:
    """Send ``messages`` (at most one a node) and wait up to ``timeout_s`` for the replies."""
    outgoing = list(messages)
    for message in outgoing:
        message.metadata.ttl = timeout_s
    node_of: dict[str, int] = {}
    silent: dict[int, str] = {}
    # A node that is not reachable gets no message id; zip keeps the pairs together.
    for message_id, message in zip(grid.push_messages(outgoing), outgoing, strict=True):
        if message_id:
            node_of[message_id] = message.metadata.dst_node_id
        else:
            silent[message.metadata.dst_node_id] = "message was not accepted"
    pending, answered = set(node_of), {}
    deadline = time.monotonic() + timeout_s
    while pending:
        for reply in grid.pull_messages(sorted(pending)):
            message_id = reply.metadata.reply_to_message_id
            if message_id not in pending:
                continue
            pending.discard(message_id)
            node = node_of[message_id]
            if reply.has_error():
                silent[node] = f"error {reply.error.code}: {str(reply.error.reason)[:300]}"
            else:
                answered[node] = reply
        if not pending or time.monotonic() >= deadline:
            break
        time.sleep(poll_s)
    silent |= {node_of[message_id]: f"no answer within {timeout_s:g} s" for message_id in pending}
    return Replies({node: answered[node] for node in sorted(answered)}, silent)


START_S = 60.0
"""What a node's process may take to start, s: 5 to 13 s were seen for a simulation on two idle cores."""


class Exchange:
    """The run's grid with its deadlines.

    Args:
        grid: any grid.
        timeout_s: how long a market message may take; ``train_timeout_s``: the same for learning.
        poll_s: pause between looks for replies.
    """

    def __init__(self, grid: Grid, *, timeout_s: float, train_timeout_s: float, poll_s: float) -> None:
        self.grid = grid
        self._timeout_s, self._train_timeout_s, self._poll_s = timeout_s, train_timeout_s, poll_s
        self._waiting: dict[int, ArrayRecord] = {}

    def greet(self, messages: Iterable[Message]) -> Replies:
        """The first exchange: nodes may still be starting their processes, which takes longer than a later message."""
        return self._exchange(messages, max(self._timeout_s, START_S))

    def ask(self, messages: Iterable[Message]) -> Replies:
        """Exchange of market messages."""
        return self._exchange(messages, self._timeout_s)

    def learn(self, messages: Iterable[Message]) -> Replies:
        """Exchange of learning messages, with their longer deadline."""
        return self._exchange(messages, self._train_timeout_s)

    def attach(self, node: int, record: ArrayRecord) -> None:
        """Have a record travel beside each message to a node, until the node has done what one asked."""
        self._waiting[node] = record

    def waiting(self, node: int) -> ArrayRecord | None:
        """What is attached for a node and has not arrived yet."""
        return self._waiting.get(node)

    def _exchange(self, messages: Iterable[Message], timeout_s: float) -> Replies:
        outgoing = list(messages)
        for message in outgoing:
            record = self._waiting.get(message.metadata.dst_node_id)
            if record is not None:  # a content may be shared by the messages to all nodes
                message.content = RecordDict({**message.content, COMMUNITY: record})
        replies = exchange(self.grid, outgoing, timeout_s=timeout_s, poll_s=self._poll_s)
        for node, reply in replies.answered.items():
            if not refused(reply.content):
                self._waiting.pop(node, None)
        return replies

    def node_count(self) -> int:
        """Nodes that are there now."""
        return len(list(self.grid.get_node_ids()))

    def wait_for_nodes(self, wanted: int) -> bool:
        """Wait until exactly ``wanted`` nodes are there; False when they are not within the deadline."""
        deadline = time.monotonic() + self._timeout_s
        while self.node_count() < wanted and time.monotonic() < deadline:
            time.sleep(min(0.5, self._timeout_s / 10))
        return self.node_count() == wanted
