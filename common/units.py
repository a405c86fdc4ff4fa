"""Units of account: integers for energy and money, one conversion to floats at the order boundary.

Energy is in watt-hours (Wh), prices in micro-dollars per kilowatt-hour (u$/kWh, suffix ``_uusd``) and amounts of
money in nano-dollars (n$, suffix ``_nusd``).  1 Wh x 1 u$/kWh = 1e-3 kWh x 1e-6 $/kWh = 1e-9 $: the product of an
energy and a price is exact, without rounding.  Floats live in physics and forecasting only.
"""

from __future__ import annotations

SLOT_SECONDS = 1800
SLOT_HOURS = 0.5
SLOTS_PER_DAY = 48
"""Half-hours of a normal day; a daylight-saving day has 46 or 50 (see :mod:`common.clock`)."""

SHORTEST_DAY_SLOTS, LONGEST_DAY_SLOTS = 46, 50

WH_PER_KWH = 1000
UUSD_PER_USD = 1_000_000
NUSD_PER_USD = 1_000_000_000


def price_uusd(usd_per_kwh: float) -> int:
    """Price in u$/kWh of a price in $/kWh, rounded to the nearest micro-dollar."""
    return round(usd_per_kwh * UUSD_PER_USD)


def amount_nusd(energy_wh: int, price_uusd_per_kwh: int) -> int:
    """Amount in n$ of ``energy_wh`` at a price in u$/kWh; exact."""
    return energy_wh * price_uusd_per_kwh


def usd(nusd: int) -> float:
    """Dollars of an amount in nano-dollars."""
    return nusd / NUSD_PER_USD


def format_usd(nusd: int) -> str:
    """An amount as people write it: ``$7.13``, ``-$0.42``."""
    return f"{'-' if nusd < 0 else ''}${abs(nusd) / NUSD_PER_USD:.2f}"
