"""An in-process ``Grid``: the same ServerApp and ClientApp, without ray and without a SuperLink.

``evaluate``, tests and large fleets run on it.  ``Grid`` is a public abstract class of flwr, and apps are callables.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable, Mapping

from flwr.app import ArrayRecord, Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common import ConfigRecord, MetricRecord
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity  # private: constructing a Message reads it

_FIRST_NODE = 1000


def new_run_id() -> int:
    """Run id for a grid; homes keep their state by it, so none may come twice."""
    return secrets.randbits(48)


def _isolated(records: RecordDict) -> RecordDict:
    """Copy of the records (array payloads are immutable bytes and stay shared), so that nodes cannot alias."""
    copies: dict[str, ArrayRecord | ConfigRecord | MetricRecord] = {}
    for name, record in records.items():
        copies[name] = type(record)(dict(record))  # type: ignore[arg-type]
    return RecordDict(copies)


class LocalGrid(Grid):
    """Calls a ClientApp directly for each message.

    Args:
        client_app: the app of every node.
        nodes: number of nodes; node ``i`` has ``partition-id`` i.
        run_config: Flower's flat run config, the same for all nodes.
    """

    def __init__(
        self, client_app: ClientApp, nodes: int, run_config: Mapping[str, str | int | float | bool], run_id: int = 1
    ) -> None:
        TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = run_id
        self._run = Run.create_empty(run_id)
        self._app = client_app
        self._contexts = {
            _FIRST_NODE + i: Context(
                run_id=run_id,
                node_id=_FIRST_NODE + i,
                node_config={"partition-id": i, "num-partitions": nodes},
                state=RecordDict(),
                run_config=dict(run_config),
            )
            for i in range(nodes)
        }
        self._ids = itertools.count(1)
        self._replies: dict[str, Message] = {}

    def set_run(self, run: Run) -> None:
        """Set the run."""
        self._run = run

    @property
    def run(self) -> Run:
        """Run information."""
        return self._run

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """Create a message (deprecated in flwr in favour of ``Message(...)``, which this calls)."""
        return Message(content, dst_node_id=dst_node_id, message_type=message_type, group_id=group_id, ttl=ttl)

    def get_node_ids(self) -> Iterable[int]:
        """Ids of the nodes."""
        return list(self._contexts)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Handle each message at once; the replies wait to be pulled."""
        ids = []
        for message in messages:
            message_id = str(next(self._ids))
            message.metadata.__dict__["_message_id"] = message_id
            message.content = _isolated(message.content)
            try:
                reply = self._app(message, self._contexts[message.metadata.dst_node_id])
            except Exception as error:  # the runtimes, too, turn any exception into an error reply
                reply = Message(Error(code=2, reason=f"{type(error).__name__}: {error}"), reply_to=message)
            self._replies[message_id] = reply
            ids.append(message_id)
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Replies that are there."""
        return [self._replies.pop(i) for i in list(message_ids) if i in self._replies]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Push and pull."""
        return self.pull_messages(self.push_messages(messages))
