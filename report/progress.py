"""Live progress of a run in the terminal, drawn from its events; plain lines where there is no terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from common.units import LONGEST_DAY_SLOTS, UUSD_PER_USD, WH_PER_KWH
from report.events import Event, Phase, RoundDone, RunStarted, SlotDone

ROWS_SHOWN = 6
PLAIN_EVERY_SLOTS = 6
"""Slots from line to line in a log of a single day; a longer run has a line for each day."""
PHASES = {
    "prepare": "preparing the homes' data",
    "begin": "asking the homes who is there",
    "fit": "fitting the linear base by federation",
    "warm-up": "federated warm-up",
    "train": "federated training",
    "finetune": "training each home's own copy",
    "test": "testing on days that nobody learned from",
    "trade": "trading",
    "report": "writing the report",
}


@dataclass
class RunState:
    """What the events said so far.

    Attributes:
        rows: the last slots, each with the number of homes that were silent since the one before.
        traded_wh, trades: of all slots so far.
        ok: None while it runs.
        seconds: wall time by phase, once the run has ended.
        round_seconds: wall time of the last rounds.
    """

    started: RunStarted | None = None
    phase: Phase | None = None
    last_round: RoundDone | None = None
    rows: deque[tuple[SlotDone, int]] = field(default_factory=lambda: deque(maxlen=ROWS_SHOWN))
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=3))
    ok: bool | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    round_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=5))
    traded_wh: int = 0
    trades: int = 0
    _silent: set[str] = field(default_factory=set)

    def apply(self, event: Event) -> None:
        """Take in one event; a kind that is not known changes nothing."""
        match event["event"]:
            case "run-started":
                self.started = event
            case "phase":
                self.phase = event
            case "round":
                self.last_round = event
                self.round_seconds.append(event.get("seconds", 0.0))
            case "silent":
                self._silent.add(event.get("home", "?"))
            case "slot":
                self.traded_wh += event.get("traded_wh", 0)
                self.trades += event.get("trades", 0)
                self.rows.append((event, len(self._silent)))
                self._silent = set()
            case "warning":
                self.notes.append(event.get("message", "warning"))
            case "error":
                self.ok = False
                self.notes.append(f"error: {event.get('message', 'unknown')}")
            case "run-ended":
                self.ok = self.ok is not False and event.get("ok", True)
                self.seconds = event.get("seconds", {})


class Progress:
    """Display of a run; a context manager that is fed with events."""

    def __init__(self, console: Console) -> None:
        self.state = RunState()
        self._console = console
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None

    def update(self, event: Event) -> None:
        """Show an event."""
        self.state.apply(event)
        if self._live is not None:
            self._live.update(_picture(self.state))
            return
        line = _plain(event, self.state)
        if line:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def __enter__(self) -> Progress:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()


def show(events: Iterator[Event], console: Console) -> RunState:
    """Show events until they end; returns what they said."""
    with Progress(console) as progress:
        for event in events:
            progress.update(event)
    return progress.state


def _picture(state: RunState) -> RenderableType:
    """Header, bars of rounds and slots, the last slots, notes."""
    parts: list[RenderableType] = [Text(_header(state), style="bold")]
    if state.phase is not None and state.ok is None:
        parts.append(Text(_phase_text(state.phase), style="cyan"))
    bars = Table.grid(padding=(0, 1))
    if state.last_round is not None:
        done, planned = state.last_round.get("round", 0), state.last_round.get("rounds", 0)
        text = f"{_round_text(state.last_round)}{_time_left(state)}"
        bars.add_row("rounds", ProgressBar(planned or 1, done, width=34), text)
    if state.rows:
        slot, _ = state.rows[-1]
        bars.add_row("slots", ProgressBar(slot.get("of", 1), slot.get("index", 0), width=34), _slot_count(slot))
    parts.append(bars)
    if state.rows:
        parts.append(_slot_table(state))
    parts += [Text(note, style="yellow", overflow="ellipsis", no_wrap=True) for note in state.notes]
    return Group(*parts)


def _slot_table(state: RunState) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("time", "$/kWh", "tariff", "traded kWh", "trades", "silent"):
        table.add_column(name, justify="left" if name == "time" else "right")
    for slot, silent in state.rows:
        table.add_row(
            _time(slot), _price(slot.get("price_uusd")), _price(slot.get("import_uusd")), _kwh(slot.get("traded_wh")),
            _number(slot.get("trades")), str(silent or ""),
        )  # fmt: skip
    return table


def _plain(event: Event, state: RunState) -> str:
    """One line for a log, or nothing: each phase, each round, one slot in six or each day, whatever went wrong."""
    match event["event"]:
        case "run-started":
            return _header(state)
        case "phase":
            return _phase_text(event)
        case "round":
            count = f"round {event.get('round', '?')} of {event.get('rounds', '?')}"
            return f"{count}: {_round_text(event)}{_time_left(state)}"
        case "slot" if _is_told(event):
            prices = f"  price {_price(event.get('price_uusd'))}  tariff {_price(event.get('import_uusd'))}"
            return (
                f"slot {_slot_count(event)}  {_time(event)}{'' if _is_long(event) else prices}  "
                f"traded so far {_kwh(state.traded_wh)} kWh in {_number(state.trades)} trades" + _silent_text(state)
            )
        case ("warning" | "error") as kind:
            return f"{kind}: {event.get('message', '')}"
    return ""


def _is_told(slot: SlotDone) -> bool:
    """Whether a log has a line for the slot: the last of each local day in a run of several, else one in six."""
    last = slot.get("index") == slot.get("of")
    if _is_long(slot):
        return last or _time(slot).endswith("23:30")
    return last or slot.get("index", 0) % PLAIN_EVERY_SLOTS == 0


def _is_long(slot: SlotDone) -> bool:
    return slot.get("of", 0) > LONGEST_DAY_SLOTS


def _header(state: RunState) -> str:
    if state.started is None:
        return "Commonwatt"
    said = state.started
    size = said.get("parameters", 0)
    model = f"  model {said.get('model', '?')} ({size / 1e6:.1f} M parameters)" if size else ""
    if "rounds" in said:
        ahead = f"{said['rounds']} rounds of {said.get('strategy', '?')}"
        after = f" from round {said['rounds_done'] + 1} on" if said.get("rounds_done") else ""
        return f"Commonwatt  {len(said.get('homes', []))} homes  {ahead}{after}{model}"
    homes, slots, days = len(said.get("homes", [])), said.get("slots", "?"), said.get("days", 1)
    return f"Commonwatt  {homes} homes  {slots} slots, {days} day{'' if days == 1 else 's'}{model}"


def _phase_text(phase: Phase) -> str:
    name = phase.get("name", "")
    return PHASES.get(name, name)


def _round_text(done: RoundDone) -> str:
    said = [_loss("loss", done.get("loss")), _loss("held-out", done.get("validation_model"))]
    said += [_loss("base", done.get("validation_base"))]
    return "  ".join(text for text in said if text)


def _time_left(state: RunState) -> str:
    """What the rest of a training run will take, by its last rounds; nothing for the rounds of a trading day."""
    if state.started is None or "rounds" not in state.started or state.last_round is None:
        return ""
    left = state.last_round.get("rounds", 0) - state.last_round.get("round", 0)
    seconds = round(left * sum(state.round_seconds) / len(state.round_seconds))
    return f"  {seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d} left"


def _loss(name: str, value: float | None) -> str:
    return "" if value is None else f"{name} {value:.3f}"


def _silent_text(state: RunState) -> str:
    silent = state.rows[-1][1]
    return f", {silent} home{'' if silent == 1 else 's'} silent" if silent else ""


def _slot_count(slot: SlotDone) -> str:
    return f"{slot.get('index', '?')} of {slot.get('of', '?')}"


def _time(slot: SlotDone) -> str:
    """``07-15 16:30`` of an ISO moment in local time."""
    return slot.get("local", "?")[5:16].replace("T", " ")


def _price(uusd: int | None) -> str:
    return "-" if uusd is None else f"{uusd / UUSD_PER_USD:.3f}"


def _kwh(wh: int | None) -> str:
    return "-" if wh is None else f"{wh / WH_PER_KWH:.2f}"


def _number(count: int | None) -> str:
    return "-" if count is None else str(count)
