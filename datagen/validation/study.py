"""The whole comparison of generated with real homes, from a source of real homes to all figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datagen.community import GENERATOR_VERSION
from datagen.stock import stock_of
from datagen.validation.climate_choice import choose_climate, choose_stock, weather_of
from datagen.validation.comparison import Comparison, Profile, compare, profiles
from datagen.validation.forecast import Transfer, transfer
from datagen.validation.population import Population, generated_population, real_population
from datagen.validation.statistics import coincidence
from datagen.validation.two_sample import Tell, TwoSample, day_profiles, tells, two_sample_auc, yardstick_auc

Floats = NDArray[np.float64]

MOST_COINCIDENT = 40
YARDSTICK_SPLITS = 5

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Distinction:
    """A two-sample test beside its yardstick; None where there are too few homes.

    Attributes:
        name: what was tested.
        generated: generated against real days.
        yardstick: real against other real homes.
    """

    name: str
    generated: TwoSample | None
    yardstick: TwoSample | None


@dataclass(frozen=True)
class Validation:
    """All that was found.

    Attributes:
        against: where the real homes are from: never a path or a URL, which may hold a secret.
        generator_version, seed: of the generated homes.
        stock, stock_reason: what they are made of, by name, and why.
        climate, climate_reason: where they live, and why there.
        real, generated: the homes.
        comparisons, profiles: figures by home.
        coincidence_real, coincidence_generated: peak of the sum over the sum of peaks for groups of 1, 2, .. homes;
            shape ``(sizes, draws)``.
        distinctions: two-sample tests; the first is the headline.
        tells: simple figures of days that give the generated ones away.
        transfer: forecasters, or None where the data is too short.
        notes: what a reader should know.
    """

    against: str
    generator_version: int
    seed: int
    stock: str
    stock_reason: str
    climate: str
    climate_reason: str
    real: Population
    generated: Population
    comparisons: list[Comparison]
    profiles: list[Profile]
    coincidence_real: Floats
    coincidence_generated: Floats
    distinctions: list[Distinction]
    tells: list[Tell]
    transfer: Transfer | None
    notes: list[str]


def study(
    against: str,
    homes: int,
    seed: int,
    climate: str = "",
    stock: str = "",
    progress: Progress | None = None,
) -> Validation:
    """Compare the generator's homes with real ones.

    Args:
        against: source of the real homes, as an importer takes it.
        homes: number of generated homes.
        seed: of the generated community and of every random choice.
        climate: a zone, a weather file, or empty to choose by the data.
        stock: housing stock of the generated homes by name, or empty to choose by the data.
        progress: told how far it is.

    Raises:
        UserError: a bad source, bad data, or an unknown climate or stock.
    """
    tell = progress or (lambda what, done, total: None)
    real, name, notes = real_population(against)
    stock, stock_reason = choose_stock(stock, real)
    choice = choose_climate(climate, against, real, stock_of(stock))
    weather, where = weather_of(choice, seed, real.axis.slots)
    generated = generated_population(
        real.axis, homes, seed, weather, bool((real.pv_kw > 0).any()), stock_of(stock),
        lambda done, total: tell("generating homes", done, total),
    )  # fmt: skip
    found = transfer(real, generated, seed, lambda done, total: tell("training forecasters", done, total))
    if found is None:
        notes.append("too few days for a forecaster (28 to look back on, 14 to train, 56 to test)")
    if len(real) < 4:
        notes.append(f"{len(real)} real homes are too few to tell some from others; there is no yardstick")
    distinctions = _distinctions(real, generated, seed, tell)
    days = day_profiles(real), day_profiles(generated)
    return Validation(
        against=name,
        generator_version=GENERATOR_VERSION,
        seed=seed,
        stock=stock,
        stock_reason=stock_reason,
        climate=where,
        climate_reason=choice.reason,
        real=real,
        generated=generated,
        comparisons=compare(real, generated),
        profiles=profiles(real, generated),
        coincidence_real=_coincidence(real, seed),
        coincidence_generated=_coincidence(generated, seed),
        distinctions=distinctions,
        tells=tells(*days, real.axis.step_hours) if all(len(side) for side in days) else [],
        transfer=found,
        notes=notes,
    )


def _coincidence(population: Population, seed: int) -> Floats:
    return coincidence(population, range(1, min(len(population), MOST_COINCIDENT) + 1), seed)


def _distinctions(real: Population, generated: Population, seed: int, tell: Progress) -> list[Distinction]:
    """Two-sample tests: with unseen homes, of shapes alone, and with seen homes."""
    plan = (
        ("homes unseen", False, True, 3),
        ("homes unseen, load over the home's mean", True, True, 2),
        ("homes seen", False, False, 2),
    )
    total = sum(repeats for *_, repeats in plan) + len(plan) * YARDSTICK_SPLITS
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        tell("telling days apart", min(done, total), total)

    found = []
    for name, relative, unseen, repeats in plan:
        sides = day_profiles(real, relative), day_profiles(generated, relative)
        headline = unseen and not relative
        auc = two_sample_auc(*sides, unseen=unseen, repeats=repeats, seed=seed, importance=headline, step=step)
        yardstick = yardstick_auc(sides[0], unseen=unseen, repeats=YARDSTICK_SPLITS, seed=seed, step=step)
        found.append(Distinction(name, auc, yardstick))
    tell("telling days apart", total, total)
    return found
