"""How the core grows with the number of homes: planner, order sizing, matching.

    python -m benchmarks.core

prints, for 1 to 10,000 homes, the time of one slot's decisions, per home and in all; and for 10 to 100,000 homes how
many orders a second are admitted (from messages to columns) and matched. Decisions are timed by the wall, on all cores
that the process may use (the planner works in parts); the market in seconds of CPU. Each is the least of a few runs in
this process.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from client.battery import BatteryBank
from client.indicative import indicative_plan
from client.ladder import offered
from client.outlook import Outlook, Trade
from client.planner import mode_at_prices, stored_value
from client.trading import Position, size_orders
from common.checks import MECHANISMS as MOST_ORDERS
from common.clock import day_slots
from common.config import BatterySpec, MarketRules, RunConfig
from common.messages import CURVE_SLOTS, Order
from common.tariff import load_tariff
from market.mechanisms import MECHANISMS
from market.order import Registry, admit

SLOTS, RUNS = 108, 5
FORESEEN = 48  # the most that a plan foresees: one made at noon
HOMES = (1, 10, 100, 1_000, 10_000)
IN_MARKET = (10, 100, 1_000, 10_000, 100_000)
PRICE_UUSD = 200_000


def best_s(act: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Least seconds of a few runs, by a clock."""
    times = []
    for _ in range(RUNS):
        began = clock()
        act()
        times.append(clock() - began)
    return min(times)


def community(homes: int, scenarios: int) -> tuple[BatteryBank, Outlook, np.ndarray]:
    """Random homes: half with a midday surplus, an evening peak for all."""
    rng = np.random.default_rng(homes)
    first = day_slots(date(2025, 6, 18)).start + 24
    slots = np.arange(first, first + SLOTS)
    tariff = load_tariff("pge-tou-c")
    hour = (slots % 48) / 2.0
    sun = np.maximum(np.sin((hour - 14) / 24 * 2 * np.pi), 0) * 1_500
    net = rng.gamma(2.0, 250.0, (homes, scenarios, SLOTS)) - sun * (rng.random((homes, 1, 1)) < 0.5)
    bank = BatteryBank.of([BatterySpec()] * homes)
    outlook = Outlook(
        net,
        tariff.import_uusd(slots),
        tariff.export_uusd(slots),
        280_000 / 0.9**0.5,
        sales=Trade(np.where(hour % 24 < 16, 232_750, 423_937), np.where(sun > 0.0, 0.0, 500.0)),
        purchases=Trade(np.where(hour % 24 < 16, 245_000, 252_000), np.where(sun > 0.0, 300.0, 0.0)),
    )
    return bank, outlook, rng.uniform(bank.reserve_kwh, bank.ceiling_kwh)


def measure(homes: int, scenarios: int) -> tuple[float, float, float, float]:
    """Seconds of: value and mode, indicative plan, an order at a posted price, a ladder of orders for an auction."""
    bank, outlook, stored = community(homes, scenarios)
    rules = MarketRules()
    alone = replace(outlook, sales=None, purchases=None)  # plans are made at the tariff alone
    position = Position(bank, stored, stored_value(bank, outlook, FORESEEN), outlook.net_wh[:, :, 0], 280_000, 60_000)
    left = np.full(homes, rules.daily_sell_limit_wh)
    acts: tuple[Callable[[], object], ...] = (
        lambda: mode_at_prices(bank, stored_value(bank, outlook, FORESEEN), 280_000, 60_000, bank.max_slot_wh),
        lambda: indicative_plan(bank, stored, alone, CURVE_SLOTS),
        lambda: size_orders(position, PRICE_UUSD, left, rules),
        lambda: offered(position, PRICE_UUSD, left, rules, MOST_ORDERS["uniform"]),
    )
    value, plan, order, ladder = (best_s(act, time.perf_counter) for act in acts)
    return value, plan, order, ladder


def random_orders(homes: int) -> list[Order]:
    """An order of each home on either side, some of them beyond the posted price."""
    rng = np.random.default_rng(homes)
    sides, energies = rng.choice(["buy", "sell"], homes).tolist(), rng.integers(1, 2_500, homes).tolist()
    limits = (PRICE_UUSD + np.where(np.array(sides) == "buy", 1, -1) * rng.integers(-10_000, 80_000, homes)).tolist()
    return [
        Order(home_id=f"home-{i:06d}", slot=1, side=side, energy_wh=energy, limit_uusd=limit)
        for i, (side, energy, limit) in enumerate(zip(sides, energies, limits, strict=True))
    ]


def measure_market(homes: int) -> tuple[float, dict[str, float]]:
    """Orders a second: admitted, and matched by each mechanism."""
    rules, orders = MarketRules(), random_orders(homes)
    registry = Registry.of({order.home_id: 20_000 for order in orders})
    book, _ = admit(orders, 1, {}, registry, rules)
    matched = {name: best_s(partial(m.clear, PRICE_UUSD, book, rules, 0)) for name, m in MECHANISMS.items()}
    return homes / best_s(lambda: admit(orders, 1, {}, registry, rules)), {n: homes / s for n, s in matched.items()}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", type=int, default=RunConfig().scenarios, help="that a plan averages over")
    scenarios = parser.parse_args().scenarios
    cores = len(os.sched_getaffinity(0))
    decisions = Table(title=f"One slot's decisions, {scenarios} scenarios x {SLOTS} slots, {cores} cores")
    for name in ("homes", "value, mode", "plan", "order", "all, per home", "a ladder, per home"):
        decisions.add_column(name, justify="right")
    market = Table(title="Million orders a second, one thread")
    for name in ("homes", "admitted", *(f"matched, {name}" for name in MECHANISMS), "both, sdr"):
        market.add_column(name, justify="right")
    with threadpool_limits(1):
        for homes in HOMES:
            value, plan, order, ladder = measure(homes, scenarios)
            decisions.add_row(
                f"{homes:,}", f"{value * 1e3:.1f} ms", f"{plan * 1e3:.1f} ms", f"{order * 1e3:.1f} ms",
                f"{(value + plan + order) / homes * 1e6:.0f} us", f"{ladder / homes * 1e6:.0f} us",
            )  # fmt: skip
        for homes in IN_MARKET:
            admitted, matched = measure_market(homes)
            both = 1 / (1 / admitted + 1 / matched["sdr"])
            market.add_row(f"{homes:,}", *(f"{n / 1e6:.2f}" for n in (admitted, *matched.values(), both)))
    Console().print(decisions, market)


if __name__ == "__main__":
    main()
