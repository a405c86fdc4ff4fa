import io

import pytest
from rich.console import Console

from report.progress import show

EVENTS = [
    {"event": "phase", "name": "prepare"},
    {"event": "run-started", "homes": ["oak", "elm"], "slots": 12, "days": 1, "model": "full", "parameters": 12500000},
    {"event": "phase", "name": "warm-up"},
    {"event": "round", "round": 1, "rounds": 4, "loss": 0.9, "validation_base": 0.8, "validation_model": 0.81},
    {"event": "phase", "name": "trade"},
    *(
        {
            "event": "slot", "slot": k, "local": f"2025-07-15T{k // 2:02d}:00:00-07:00", "index": k, "of": 12,
            "price_uusd": 221_000, "import_uusd": 280_000, "traded_wh": 1250, "trades": 3,
        }
        for k in range(1, 12)
    ),
    {"event": "silent", "home": "elm", "reason": "no answer in 60 s"},
    {"event": "refusal", "home": "oak"},
    {"event": "slot", "index": 12, "of": 12},
    {"event": "warning", "message": "disk [almost] full"},
    {"event": "run-ended", "ok": True, "seconds": {"trade": 3.5}},
]  # fmt: skip


def shown(events, *, terminal):
    console = Console(file=io.StringIO(), width=80, force_terminal=terminal)
    state = show(iter(events), console)
    return state, console.file.getvalue()


def test_a_log_has_a_line_for_phases_rounds_and_one_slot_in_six():
    _, text = shown(EVENTS, terminal=False)
    lines = text.splitlines()
    assert "Commonwatt  2 homes  12 slots, 1 day  model full (12.5 M parameters)" in lines
    assert "round 1 of 4: loss 0.900  held-out 0.810  base 0.800" in lines
    assert [line.split("  ")[0] for line in lines if line.startswith("slot")] == ["slot 6 of 12", "slot 12 of 12"]
    assert "slot 6 of 12  07-15 03:00  price 0.221  tariff 0.280  traded so far 7.50 kWh in 18 trades" in lines
    assert any(line.endswith(", 1 home silent") for line in lines)
    assert "warning: disk [almost] full" in lines


def test_a_log_of_several_days_has_a_line_for_each():
    slots = [
        {
            "event": "slot", "local": f"2025-07-{15 + k // 48}T{k % 48 // 2:02d}:{k % 2 * 30:02d}:00-07:00",
            "index": k + 1, "of": 130, "traded_wh": 100, "trades": 1,
        }
        for k in range(130)
    ]  # fmt: skip
    _, text = shown(slots, terminal=False)
    assert text.splitlines() == [
        "slot 48 of 130  07-15 23:30  traded so far 4.80 kWh in 48 trades",
        "slot 96 of 130  07-16 23:30  traded so far 9.60 kWh in 96 trades",
        "slot 130 of 130  07-17 16:30  traded so far 13.00 kWh in 130 trades",
    ]


def test_a_terminal_shows_bars_and_the_last_slots():
    state, text = shown(EVENTS, terminal=True)
    assert state.ok
    assert state.seconds == {"trade": 3.5}
    for words in ("rounds", "12 of 12", "07-15 05:00", "disk [almost] full"):
        assert words in text


@pytest.mark.parametrize("terminal", [True, False])
def test_bare_and_unknown_events_do_no_harm(terminal):
    kinds = ("run-started", "phase", "round", "slot", "silent", "warning", "error", "day", "run-ended")
    state, _ = shown([{"event": kind} for kind in kinds], terminal=terminal)
    assert state.ok is False, "an error was among them"


def test_a_run_that_says_nothing_more_is_neither_well_nor_failed():
    assert shown([{"event": "phase", "name": "trade"}], terminal=False)[0].ok is None
