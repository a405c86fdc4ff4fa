"""Which battery each home has: the usual one, or a mix of sizes, none among them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from common.config import BatterySpec
from common.errors import UserError
from datagen.source import Home, HomeRecipe

_GOLDEN = (5**0.5 - 1) / 2
"""Multiples of it lie evenly in 0..1, so that any number of homes has about the shares asked for."""
_SEED_STEP = 0.754877666
_HOURS_TO_FULL, _USUAL_KW = 2.0, 5.0
_EXAMPLE = "13.5=0.5,5=0.25,0=0.25"

Mix = tuple[tuple[float, BatterySpec], ...]
"""Up to which share of the homes each battery goes, ascending."""


def battery_mix(text: str) -> Mix:
    """A mix from ``13.5=0.5,5=0.25,0=0.25``: capacity in kWh (0 for no battery) and share of the homes.

    A battery gives the usual 5 kW, a small one no more than would empty it in two hours.

    Raises:
        UserError: not of this form, a size that no battery has, or shares that do not add up to 1.
    """
    upto, mix = 0.0, []
    for part in text.split(","):
        size, _, share = (word.strip() for word in part.partition("="))
        try:
            kwh, weight = float(size), float(share)
            spec = BatterySpec(capacity_kwh=kwh, max_power_kw=min(_USUAL_KW, kwh / _HOURS_TO_FULL))
        except ValueError:
            raise UserError(
                f"batteries '{part.strip()}': expected a capacity of 0 to 1000 kWh and a share, as {_EXAMPLE}"
            ) from None
        if not 0 <= weight <= 1:
            raise UserError(f"batteries '{part.strip()}': the share must lie between 0 and 1")
        upto += weight
        mix.append((upto, spec))
    if not math.isclose(upto, 1.0, abs_tol=1e-6):
        raise UserError(f"batteries '{text}': the shares add up to {upto:g}; they must add up to 1")
    return tuple(mix)


def battery_of(index: int, seed: int, mix: Mix) -> BatterySpec:
    """Battery of home ``index``; which homes have which is drawn from the seed."""
    place = ((index + 1) * _GOLDEN + seed * _SEED_STEP) % 1.0
    return next((spec for upto, spec in mix if place < upto), mix[-1][1])


@dataclass(frozen=True)
class EquippedHomes(HomeRecipe):
    """Recipe of homes with the batteries of a mix."""

    count: int
    recipe: HomeRecipe
    seed: int
    mix: Mix

    def home(self, index: int) -> Home:
        """Make home ``index``."""
        return _equipped(self.recipe.home(index), index, self.seed, self.mix)


def equipped(homes: Iterable[Home], seed: int, batteries: str) -> Iterable[Home]:
    """Homes with the batteries of a mix (:func:`battery_mix`) in place of their own; as they are if it is empty."""
    if not batteries:
        return homes
    mix = battery_mix(batteries)
    if isinstance(homes, HomeRecipe):
        return EquippedHomes(homes.count, homes, seed, mix)
    return (_equipped(home, index, seed, mix) for index, home in enumerate(homes))


def _equipped(home: Home, index: int, seed: int, mix: Mix) -> Home:
    facts, readings = home
    return facts.model_copy(update={"battery": battery_of(index, seed, mix)}), readings
