"""What a neighbourhood's homes are made of: shares of homes with each big device, and how the houses are built."""

from __future__ import annotations

from dataclasses import dataclass

from common.errors import UserError


@dataclass(frozen=True)
class Stock:
    """A housing stock; shares are of all homes, 0..1.

    Attributes:
        cooled: with central cooling. A heat pump cools, too.
        heat_pump: heated by a heat pump. The others burn gas, whose furnace takes power for its fan only.
        electric_water: with an electric water heater; the others burn gas.
        heat_pump_water: of the electric water heaters, those that are heat pumps.
        electric_cooking: with an electric range.
        electric_dryer: with an electric clothes dryer.
        car: with an electric car that is charged at home.
        car_timer: of the cars, those that charge by a timer from midnight on; the others when they come home.
        pool: with a pool pump.
        loss_w_per_m2_c: median heat loss of a house by floor area and degree, W/(m2 C): about 1.8 for the mix of old
            and new houses, 1.5 for those built under the energy codes of the last fifteen years.
    """

    cooled: float
    heat_pump: float
    electric_water: float
    heat_pump_water: float
    electric_cooking: float
    electric_dryer: float
    car: float
    pool: float
    loss_w_per_m2_c: float
    car_timer: float = 0.5


CALIFORNIA = Stock(
    cooled=0.80,
    heat_pump=0.25,
    electric_water=0.20,
    heat_pump_water=0.25,
    electric_cooking=0.40,
    electric_dryer=0.45,
    car=0.4,
    pool=0.13,
    loss_w_per_m2_c=1.8,
)
"""Detached homes of California: about the shares of RECS 2020 (docs/data.md), with the cars of homes that trade."""

ALL_ELECTRIC = Stock(
    cooled=1.0,
    heat_pump=1.0,
    electric_water=0.9,
    heat_pump_water=0.85,
    electric_cooking=0.8,
    electric_dryer=0.9,
    car=0.0,
    pool=0.0,
    loss_w_per_m2_c=1.5,
)
"""A recent tract of all-electric homes without cars."""

STOCKS = {"california": CALIFORNIA, "all-electric": ALL_ELECTRIC}


def stock_of(name: str) -> Stock:
    """Housing stock by name.

    Raises:
        UserError: unknown name.
    """
    if name not in STOCKS:
        raise UserError(f"stock '{name}' is unknown; choose one of: {', '.join(STOCKS)}")
    return STOCKS[name]
