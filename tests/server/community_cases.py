"""Small made-up homes and central's side of their sums, on the in-process grid."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from client.app import app
from client.features import TRAILING
from client.household import Household
from client.store import HomeStore
from common.config import RunConfig
from common.events import EventLog
from common.readings import HomeFacts, Readings, write_home
from common.tariff import load_tariff
from server.community import Community
from server.exchange import Exchange
from server.greeting import greet_homes
from server.local_grid import LocalGrid, new_run_id
from server.strategy import MarketFedAvg
from tests.client.home_cases import FIRST_SLOT, make_readings

HOMES, DAYS = 5, 40
BEFORE = FIRST_SLOT + (DAYS - 2) * 48
"""Slot before which most tests sum: two days before the readings end."""


def write_homes(root: Path, homes: int = HOMES, **facts: Any) -> Path:
    """``home-00000`` and so on; each but the first three began a day later than the one before."""
    for i in range(homes):
        readings = make_readings(seed=i, days=DAYS, solar=False)
        bare = Readings(readings.first_slot, readings.load_wh, readings.pv_wh).since(FIRST_SLOT + 48 * max(i - 2, 0))
        write_home(root / f"home-{i:05d}", HomeFacts(home_id=f"home-{i:05d}", **facts), bare)
    return root


@dataclass(frozen=True)
class Central:
    """Central after it greeted the homes; ``events`` grows."""

    config: RunConfig
    run_id: int
    strategy: MarketFedAvg
    exchange: Exchange
    community: Community
    events: list[dict[str, Any]]

    def household(self, number: int) -> Household:
        """A home as a process that has just started finds it."""
        store = HomeStore(Path(self.config.homes_dir) / f"home-{number:05d}", str(self.run_id))
        return Household(store, self.config, load_tariff(self.config.tariff))

    def said(self, event: str) -> list[dict[str, Any]]:
        return [found for found in self.events if found["event"] == event]

    def send_something(self) -> None:
        """A message that is answered, beside which the mean travels."""
        self.exchange.ask(self.strategy.configure_hello(self.exchange.grid))


def central(root: Path, out: Path, run_id: int = 0, **changes: Any) -> Central:
    homes = len(list(root.glob("*/home.json")))
    config = replace(RunConfig(homes=homes, forecaster="base", homes_dir=str(root), timeout_s=5.0), **changes)
    run_id = run_id or new_run_id()
    events: list[dict[str, Any]] = []
    log = EventLog(out / "events.jsonl", events.append)
    grid = LocalGrid(app, -(-homes // config.homes_per_node), config.flat(), run_id)
    exchange = Exchange(grid, timeout_s=config.timeout_s, train_timeout_s=5.0, poll_s=0.01)
    strategy = MarketFedAvg(lambda text: log.write("warning", message=text), config)
    greet_homes(config, exchange, strategy, log)
    return Central(config, run_id, strategy, exchange, Community(exchange, strategy, log), events)


def plain_mean(one: Central, homes: Iterable[int], first: int, end: int) -> np.ndarray:
    """Mean surprise by slot over the homes that have one, if they are three or more."""
    total, count = np.zeros((2, end - first))
    for number in homes:
        home = one.household(number)
        features = home.forecaster.features(home.history(end))
        rows = np.arange(TRAILING, features.end - home.first_slot)
        at = rows + home.first_slot - first
        inside = at >= 0
        total[at[inside]] += features.surprise(rows[inside])
        count[at[inside]] += 1
    return np.where(count >= 3, total / np.maximum(count, 1), 0)
