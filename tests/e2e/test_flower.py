"""The same app on Flower's own runtimes: ray simulation, plain ``flwr run``, a SuperLink with SuperNodes."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pandas as pd
import psutil
import pytest

from common.books import Books
from common.config import BatterySpec, MarketRules
from common.tariff import load_tariff
from market.audit import verify
from market.ledger import read_books
from report.json_schema import schema_path
from report.results import RunFacts, build_result
from server.app import LEDGER
from server.launch import end_tree, flower_environment, free_port, run_to_end, simulation_superlink
from server.loopback import deployment
from tests.conftest import SMALL

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("e2e")]  # one after the other: they start servers
ROOT = Path(__file__).resolve().parent.parent.parent


def until_it_ends(alive: Callable[[], bool]) -> None:
    while alive():
        os.sched_yield()
        psutil.cpu_percent(interval=0.2)


def simulate(out: Path, root: Path, workers: int, **changes: object) -> Books:
    """Run a variation of the small community through ``flwr run`` on ray; returns its books."""
    config = replace(SMALL, homes_dir=str(root), out=str(out), **changes)  # type: ignore[arg-type]
    federation = {
        "num-supernodes": config.homes, "client-resources-num-cpus": 1, "init-args-num-cpus": workers,
    }  # fmt: skip
    with simulation_superlink(out / "flower") as link:
        run_to_end(link, ROOT, config.flat(), federation, until_it_ends)
    return read_books(out / LEDGER)


def same_trades(a: Books, b: Books) -> None:
    for name in ("slots", "trades", "meters", "postings", "totals"):
        pd.testing.assert_frame_equal(getattr(a, name), getattr(b, name), obj=name)


def test_ray_with_one_or_two_workers_trades_as_in_process(
    tmp_path: Path, homes_root: Path, run_local: Callable[..., Books]
) -> None:
    local = run_local()
    assert len(local.trades) > 0, "a comparison of nothing proves nothing"
    same_trades(local, simulate(tmp_path / "one", homes_root, workers=1))
    same_trades(local, simulate(tmp_path / "two", homes_root, workers=2))


def test_separate_processes_trade_as_in_process(
    tmp_path: Path, homes_root: Path, run_local: Callable[..., Books]
) -> None:
    """Three SuperNodes with TLS and registered keys, a few slots, one FedAvg round and the homes' masked sums."""
    few = {"homes": 3, "start_slot": 19, "slots": 3, "round_every_slots": 2, "warmup_rounds": 0}
    local = run_local(data="household", **few)
    assert len(local.trades) > 0
    out = tmp_path / "out"
    config = replace(SMALL, data="household", out=str(out), poll_s=0.2, timeout_s=180.0, **few)  # type: ignore[arg-type]
    with deployment(out / "flower", sorted(homes_root.glob("home-*"))) as link:
        run_to_end(link, ROOT, config.flat(), {}, until_it_ends)
    same_trades(local, read_books(out / LEDGER))
    result = json.loads((out / "result.json").read_text())
    assert len(result["rounds"]) == 1
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    sums = [(event["homes"], event["slots"]) for event in events if event["event"] == "community"]
    assert [homes for homes, _ in sums] == [3, 3]
    assert sums[1][1] == 2, "whole hours since the first sum"
    assert result["timeline"][0]["load_kwh"] is None, "nobody but the homes may see their load"
    assert result["waterfall"]["community_optimum_usd"] is None


def test_a_day_of_the_full_model_through_the_command_line(tmp_path: Path) -> None:
    """Real parts only: generated homes, ``flwr run``, ray, 12.6 million parameters; a short day to save time."""
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, ROOT / "simulation.py", "day", "--homes", "2", "--slots", "6", "--out", out],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12.6 M parameters" in done.stdout
    for name in ("result.json", "day.png", "ledger.sqlite", "events.jsonl", "model.safetensors"):
        assert (out / name).stat().st_size > 0
        assert name in done.stdout
    result = json.loads((out / "result.json").read_text())
    jsonschema.validate(result, json.loads(schema_path("result").read_text()))
    assert len(result["timeline"]) == 6
    assert len(result["rounds"]) == 5
    books = read_books(out / "ledger.sqlite")
    assert verify(books, MarketRules()) == []
    facts = RunFacts(SMALL, "", datetime.now(UTC), datetime.now(UTC))
    again = build_result(books, result["rounds"], load_tariff("pge-tou-c"), BatterySpec(), facts).model_dump()
    for name in ("baseline_pge_cost", "optimized_cost", "savings", "trades_executed", "figures", "homes", "trades"):
        assert again[name] == result[name], f"{name} does not follow from the ledger"
    assert not flower_processes(out), "the run must be torn down"


def test_plain_flwr_run(tmp_path: Path) -> None:
    """What Flower's users type; with the wrong number of SuperNodes it says so and how to give it."""
    port = str(free_port())
    environment = flower_environment(tmp_path / "flwr") | {
        "COMMONWATT_HOME": str(tmp_path / "commonwatt"),
        "FLWR_LOCAL_SUPERLINK_HTTP_API_PORT": port,
        "FLWR_LOCAL_CONTROL_API_PORT": str(free_port()),
    }
    (tmp_path / "empty").mkdir()

    def run(nodes: int) -> str:
        command = [
            "flwr", "run", str(ROOT), "--stream", "--federation-config", f"num-supernodes={nodes}",
            "--run-config", 'homes=3 model="tiny" slots=2 warmup-rounds=0 timeout-s=5.0',
        ]  # fmt: skip
        done = subprocess.run(
            command, env=environment, cwd=tmp_path / "empty", capture_output=True, text=True, check=False, timeout=300
        )
        return done.stdout + done.stderr

    try:
        said = run(3)
        assert "Commonwatt wrote" in said, said
        (result,) = (tmp_path / "commonwatt" / "outputs").glob("*/result.json")
        assert json.loads(result.read_text())["provenance"]["slots"] == 2
        assert '--federation-config "num-supernodes=3"' in run(2)
    finally:
        for process in psutil.process_iter(["cmdline"]):
            if port in (process.info["cmdline"] or []):
                end_tree(process.pid)


def test_a_run_that_is_told_to_stop_leaves_no_process(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, ROOT / "simulation.py", "day", "--homes", "2", "--model", "tiny", "--out", out]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    events = out / "events.jsonl"
    deadline = time.monotonic() + 120
    while not (events.exists() and "round" in events.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    family = psutil.Process(run.pid).children(recursive=True)
    assert len(family) > 3, "the run did not start"
    run.terminate()
    assert run.wait(timeout=60) == 143
    assert not [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def flower_processes(out: Path) -> list[int]:
    """Processes that still use a run's Flower folder."""
    home = str(out / "flower")
    return [p.pid for p in psutil.process_iter(["cmdline"]) if home in " ".join(p.info["cmdline"] or [])]
