"""The mechanisms, a module each; ``mechanism`` of the run config names one."""

from __future__ import annotations

from market.mechanism import Mechanism
from market.mechanisms.mid_market import MidMarket
from market.mechanisms.pay_as_bid import PayAsBid
from market.mechanisms.sdr import SupplyDemandRatio
from market.mechanisms.uniform import UniformPrice

SDR: Mechanism = SupplyDemandRatio()
MECHANISMS: dict[str, Mechanism] = {m.name: m for m in (SDR, UniformPrice(), MidMarket(), PayAsBid())}
"""By name; the names and what a home may send stand in :data:`common.checks.MECHANISMS`, which homes know, too."""
