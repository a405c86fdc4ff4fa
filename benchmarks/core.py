"""How the core grows with the number of homes: planner, order sizing, matching, forecast; one thread.

    python -m benchmarks.core

prints, for 1 to 10,000 homes, the time of one slot's decisions, per home and in all, and orders matched a second; each
figure is the best of a few runs in this process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from client.battery import BatteryBank
from client.outlook import Outlook
from client.planner import indicative_plan, mode_at_prices, stored_value
from client.trading import Position, size_orders
from common.clock import day_slots
from common.config import BatterySpec, MarketRules, RunConfig
from common.messages import CURVE_SLOTS, Order
from common.tariff import load_tariff
from market.matching import match

SLOTS, SCENARIOS, RUNS = 108, RunConfig().scenarios, 3
HOMES = (1, 10, 100, 1_000, 10_000)
PRICE_UUSD = 200_000


def best_s(act: Callable[[], object]) -> float:
    """Least wall seconds of a few runs."""
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        act()
        times.append(time.perf_counter() - began)
    return min(times)


def community(homes: int) -> tuple[BatteryBank, Outlook, np.ndarray]:
    """Random homes: half with a midday surplus, an evening peak for all."""
    rng = np.random.default_rng(homes)
    first = day_slots(date(2025, 6, 18)).start + 24
    slots = np.arange(first, first + SLOTS)
    tariff = load_tariff("pge-tou-c")
    hour = (slots % 48) / 2.0
    sun = np.maximum(np.sin((hour - 14) / 24 * 2 * np.pi), 0) * 1_500
    net = rng.gamma(2.0, 250.0, (homes, SCENARIOS, SLOTS)) - sun * (rng.random((homes, 1, 1)) < 0.5)
    bank = BatteryBank.of([BatterySpec()] * homes)
    outlook = Outlook(net, tariff.import_uusd(slots), tariff.export_uusd(slots), 280_000 / 0.9**0.5)
    return bank, outlook, rng.uniform(bank.reserve_kwh, bank.ceiling_kwh)


def measure(homes: int) -> tuple[float, float, float, float]:
    """Seconds of: value and mode, indicative plan, order sizing, matching."""
    bank, outlook, stored = community(homes)
    rules = MarketRules()
    value = stored_value(bank, outlook)
    position = Position(bank, stored, value, outlook.net_wh[:, :, 0], 280_000, 60_000)
    left = np.full(homes, rules.daily_sell_limit_wh)
    offers = size_orders(position, PRICE_UUSD, left, rules)
    orders = [
        Order(
            home_id=f"home-{i:05d}", slot=1, side="buy" if buy else "sell", energy_wh=max(buy, sell), limit_uusd=limit
        )
        for i, (buy, sell, limit) in enumerate(
            zip(offers.buy_wh.tolist(), offers.sell_wh.tolist(), offers.limit_uusd.tolist(), strict=True)
        )
        if buy or sell
    ]
    return (
        best_s(lambda: mode_at_prices(bank, stored_value(bank, outlook), 280_000, 60_000, bank.max_slot_wh)),
        best_s(lambda: indicative_plan(bank, stored, outlook, CURVE_SLOTS)),
        best_s(lambda: size_orders(position, PRICE_UUSD, left, rules)),
        best_s(lambda: match(1, PRICE_UUSD, orders, rules, 0)) / max(len(orders), 1),
    )


def main() -> None:
    """Print the table."""
    table = Table(title=f"One slot's decisions, {SCENARIOS} scenarios x {SLOTS} slots")
    for name in ("homes", "value, mode", "plan", "orders", "all, per home", "orders matched"):
        table.add_column(name, justify="right")
    with threadpool_limits(1):
        for homes in HOMES:
            value, plan, orders, per_order = measure(homes)
            table.add_row(
                f"{homes:,}", f"{value * 1e3:.1f} ms", f"{plan * 1e3:.1f} ms", f"{orders * 1e3:.1f} ms",
                f"{(value + plan + orders) / homes * 1e6:.0f} us", f"{1 / per_order:,.0f} a second",
            )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
