"""Events of a run: their kinds, and a reader that follows ``events.jsonl`` (written by ``common.events.EventLog``).

Every event has ``at`` (ISO 8601, UTC) and ``event``, its kind. The kinds and their fields are the typed dictionaries
below; a reader skips kinds and fields that it doesn't know, and takes a missing field for unknown.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, Required, TypedDict, cast


class RunStarted(TypedDict, total=False):
    """A run begins with these homes (ids); ``model`` is the preset's name, ``parameters`` how many it has.

    A training run has ``rounds``, of which ``rounds_done`` were done before, and a ``strategy``; no slots, no days.
    """

    at: str
    event: Required[Literal["run-started"]]
    homes: list[str]
    slots: int
    days: int
    rounds: int
    rounds_done: int
    strategy: str
    model: str
    parameters: int


class Phase(TypedDict, total=False):
    """A phase begins: begin, fit, warm-up, train, finetune, test, trade or report."""

    at: str
    event: Required[Literal["phase"]]
    name: str


class RoundDone(TypedDict, total=False):
    """A FedAvg round is done, of ``rounds`` that are planned. Fields as in :class:`report.schema.Round`."""

    at: str
    event: Required[Literal["round"]]
    round: int
    rounds: int
    slot: int
    homes: int
    loss: float | None
    validation_base: float | None
    validation_model: float | None
    gates: list[float] | None
    seconds: float


class CommunitySummed(TypedDict, total=False):
    """The surprise of ``slots`` half-hours before ``slot`` was summed over ``homes``; 0 slots, once: too few homes."""

    at: str
    event: Required[Literal["community"]]
    slot: int
    homes: int
    slots: int
    seconds: float


class SlotDone(TypedDict, total=False):
    """A slot of the market is done: number ``index`` (from 1) ``of`` so many; ``local`` is its start, ISO 8601."""

    at: str
    event: Required[Literal["slot"]]
    slot: int
    local: str
    index: int
    of: int
    price_uusd: int
    import_uusd: int
    traded_wh: int
    trades: int
    imported_wh: int
    exported_wh: int
    estimated: list[str]


class DayDone(TypedDict, total=False):
    """A day, or several in a row, is done: number ``number`` (from 1) ``of`` so many; it began with ``slot``."""

    at: str
    event: Required[Literal["day"]]
    number: int
    of: int
    slot: int


class OrderRefused(TypedDict, total=False):
    """The market did not take an order of a home, or ``refused_wh`` of it; ``reason`` as in ``market.order``."""

    at: str
    event: Required[Literal["refusal"]]
    slot: int
    home_id: str
    reason: str
    refused_wh: int


class Silent(TypedDict, total=False):
    """A home did not answer a message; ``reason`` says how."""

    at: str
    event: Required[Literal["silent"]]
    home: str
    reason: str


class Warned(TypedDict, total=False):
    """Something that a person should know; the run goes on."""

    at: str
    event: Required[Literal["warning"]]
    message: str


class Failed(TypedDict, total=False):
    """The run can't go on; ``mendable`` says that the user can do something about it."""

    at: str
    event: Required[Literal["error"]]
    message: str
    mendable: bool


class PrivacySpent(TypedDict, total=False):
    """What differential privacy the models of the run cost; fields as in :class:`report.schema.Privacy`."""

    at: str
    event: Required[Literal["privacy"]]
    epsilon: float
    delta: float
    rounds: int
    clip: float
    noise_known: bool
    not_covered: list[str]


class RunEnded(TypedDict, total=False):
    """The last event; ``seconds`` is wall time by phase."""

    at: str
    event: Required[Literal["run-ended"]]
    ok: bool
    seconds: dict[str, float]


Event = (
    RunStarted
    | Phase
    | RoundDone
    | CommunitySummed
    | SlotDone
    | DayDone
    | OrderRefused
    | Silent
    | Warned
    | Failed
    | PrivacySpent
    | RunEnded
)


def follow(
    path: Path,
    alive: Callable[[], bool] = lambda: False,
    pause_s: float = 0.2,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Event]:
    """Events of a file, and then those that are appended, until ``run-ended``.

    A last line without its line break is left until it is whole; a whole line that is no event is skipped. The file
    need not exist yet.

    Args:
        path: the file; each run starts a fresh one.
        alive: whether more may come; once it says no, what lies in the file is read and that is the end. The
            default reads a finished file.
        pause_s: pause between looks, s.
        sleep: how to pause.
    """
    offset, rest = 0, b""
    while True:
        more = alive()  # asked before the read, so that a run's last words are not missed
        fresh = _read_from(path, offset)
        offset += len(fresh)
        *lines, rest = (rest + fresh).split(b"\n")
        for event in (parsed for parsed in map(_parse, lines) if parsed is not None):
            yield event
            if event["event"] == "run-ended":
                return
        if not more:
            return
        sleep(pause_s)


def _read_from(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read()
    except FileNotFoundError:
        return b""


def _parse(line: bytes) -> Event | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return cast(Event, value) if isinstance(value, dict) and isinstance(value.get("event"), str) else None
