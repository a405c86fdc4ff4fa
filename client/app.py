"""The ClientApp of a household: thin handlers that parse, call, reply.

An error's text travels to the server: expected trouble is a typed :class:`Refusal` without readings in it, and
anything else is reported by its type only.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import TypeVar

from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from client.community import contribute, home_key, take_mean
from client.fleet import Fleet
from client.learner import base_statistics, correct, finetune, take_base, take_heads
from client.learner import measure as measure_home
from client.learner import train as train_home
from client.node import drop_fleet, keep_fleet, open_fleet
from client.store import Arrays
from common.errors import UserError
from common.messages import (
    COMMUNITY,
    Begin,
    BeginReply,
    Empty,
    Fit,
    HelloReply,
    Measure,
    Refusal,
    SlotReply,
    SlotRequest,
    TotalsReply,
    Wire,
    WireError,
    pack,
    unpack,
)
from common.sum_messages import KeyReply, SumRequest
from common.threads import one_thread

app = ClientApp()
Request = TypeVar("Request", bound=Wire)
_log = logging.getLogger("commonwatt.client")


def _answer(
    message: Message, context: Context, kind: type[Request], act: Callable[[Fleet, Request], Wire | RecordDict]
) -> Message:
    """Parse, act, reply; trouble becomes a refusal."""
    fleet = None
    try:
        one_thread()
        fleet = open_fleet(context)
        _take_mean(fleet, message)
        reply = act(fleet, unpack(kind, message.content))
        keep_fleet(fleet)
    except WireError as error:
        _forget(fleet)
        reply = Refusal(code="bad-request", reason=str(error)[:500])
    except UserError as error:
        _forget(fleet)
        # The text may hold a reading or a path, so it stays in the household's own log.
        _log.error("%s: %s", message.metadata.message_type, error)
        reply = Refusal(code="no-data", reason="the household's data cannot be used; its own log says why")
    except Exception as error:
        _forget(fleet)
        _log.exception("household could not answer %s", message.metadata.message_type)
        reply = Refusal(code="internal", reason=f"{type(error).__name__} in {message.metadata.message_type}")
    return Message(reply if isinstance(reply, RecordDict) else pack(reply), reply_to=message)


def _forget(fleet: Fleet | None) -> None:
    """Whatever a message left half-done in memory is dropped: the disk has the state before it."""
    if fleet is not None:
        drop_fleet(fleet)


def _take_mean(fleet: Fleet, message: Message) -> None:
    """Keep the part of the community's mean that travels beside a message, if there is one."""
    record = message.content.array_records.get(COMMUNITY)
    if record is not None:
        arrays = {name: array.numpy() for name, array in record.items()}
        for home in fleet.homes:
            take_mean(home, arrays)


def _records(arrays: Mapping[str, Arrays], metrics: Mapping[str, Mapping[str, float]]) -> RecordDict:
    """Arrays and metrics of each household, under its own name."""
    content = RecordDict()
    for home, values in arrays.items():
        content[f"arrays:{home}"] = ArrayRecord({name: Array(value) for name, value in values.items()})
    for home, figures in metrics.items():
        content[f"metrics:{home}"] = MetricRecord(dict(figures))
    return content


def _arrays(message: Message) -> Arrays:
    """Arrays that came with a message."""
    record = message.content.array_records.get("arrays")
    if record is None:
        raise WireError("a message of this kind carries arrays; there are none")
    return {name: array.numpy() for name, array in record.items()}


@app.query("hello")
def hello(message: Message, context: Context) -> Message:
    """Say which households this node holds."""
    return _answer(message, context, Empty, lambda fleet, _: HelloReply(homes=fleet.cards()))


@app.query("key")
def key(message: Message, context: Context) -> Message:
    """Give the households' public keys for sums."""

    def act(fleet: Fleet, request: Fit) -> Wire:
        return KeyReply(homes=tuple(home_key(home, request) for home in fleet.homes))

    return _answer(message, context, Fit, act)


@app.query("sum")
def summand(message: Message, context: Context) -> Message:
    """Send the households' surprise behind masks."""
    return _answer(message, context, SumRequest, _summands)


def _summands(fleet: Fleet, request: SumRequest) -> RecordDict:
    homes, parts = {home.home_id: home for home in fleet.homes}, {part.home_id: part for part in request.homes}
    if not parts.keys() <= homes.keys() or len(parts) < len(request.homes):
        raise WireError("SumRequest.homes: expected households of this node, each once")
    return _records({name: contribute(homes[name], request, parts[name]) for name in sorted(parts)}, {})


@app.query("fit")
def fit(message: Message, context: Context) -> Message:
    """Send the sums of the ridge base."""
    return _answer(message, context, Fit, _statistics)


def _statistics(fleet: Fleet, fit: Fit) -> RecordDict:
    return _records({home.home_id: base_statistics(home, fit) for home in fleet.homes}, {})


@app.query("base")
def base(message: Message, context: Context) -> Message:
    """Take the weights of the ridge base."""

    def act(fleet: Fleet, _: Fit) -> Wire:
        for home in fleet.homes:
            take_base(home, _arrays(message))
        return Empty()

    return _answer(message, context, Fit, act)


@app.query("heads")
def heads(message: Message, context: Context) -> Message:
    """Take the heads that the homes' own begin from."""

    def act(fleet: Fleet, _: Fit) -> Wire:
        for home in fleet.homes:
            take_heads(home, _arrays(message))
        return Empty()

    return _answer(message, context, Fit, act)


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train the Transformer on the home's own data and renew the forecast."""

    def act(fleet: Fleet, request: Fit) -> RecordDict:
        trained = {}
        for home in fleet.homes:
            if request.homes is None or home.home_id in request.homes:
                trained[home.home_id] = train_home(home, request, _arrays(message), _proximal_mu(message))
            else:
                correct(home, request, _arrays(message))
        return _records(
            {home: arrays for home, (arrays, _) in trained.items()}, {h: m for h, (_, m) in trained.items()}
        )

    return _answer(message, context, Fit, act)


def _proximal_mu(message: Message) -> float:
    """FedProx's weight, where Flower's strategy of that name put it."""
    given = message.content.config_records["message"].get("proximal-mu", 0.0)
    if not isinstance(given, float) or not 0 <= given < math.inf:
        raise WireError("proximal-mu: expected a number, 0 or more")
    return given


@app.query("refresh")
def refresh(message: Message, context: Context) -> Message:
    """Renew the forecast from a frozen model."""

    def act(fleet: Fleet, request: Fit) -> Wire:
        for home in fleet.homes:
            correct(home, request, _arrays(message))
        return Empty()

    return _answer(message, context, Fit, act)


@app.query("finetune")
def own_copy(message: Message, context: Context) -> Message:
    """Train a copy of the model for each home alone, and forecast with it from now on."""

    def act(fleet: Fleet, request: Fit) -> RecordDict:
        return _records({}, {home.home_id: finetune(home, request, _arrays(message)) for home in fleet.homes})

    return _answer(message, context, Fit, act)


@app.evaluate()
def measure(message: Message, context: Context) -> Message:
    """Measure the model on days that nothing was learnt from."""

    def act(fleet: Fleet, request: Measure) -> RecordDict:
        return _records({}, {home.home_id: measure_home(home, request, _arrays(message)) for home in fleet.homes})

    return _answer(message, context, Measure, act)


@app.query("begin")
def begin(message: Message, context: Context) -> Message:
    """Begin a day; answer with the first plans."""
    return _answer(message, context, Begin, lambda fleet, request: BeginReply(plans=fleet.begin(request)))


@app.query("slot")
def slot(message: Message, context: Context) -> Message:
    """Let a slot happen, then decide on the next."""
    return _answer(message, context, SlotRequest, lambda fleet, request: SlotReply(homes=fleet.slot(request)))


@app.query("totals")
def totals(message: Message, context: Context) -> Message:
    """Report the totals of the day."""
    return _answer(message, context, Empty, lambda fleet, _: TotalsReply(homes=fleet.totals()))
