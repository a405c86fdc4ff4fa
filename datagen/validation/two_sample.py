"""Classifier two-sample test: how well generated days can be told from real ones.

Lopez-Paz and Oquab 2017, https://arxiv.org/abs/1610.06545.  A gradient-boosted classifier is trained to say of a day's
load profile whether it is real or generated, and tested on other days.  Its area under the ROC curve (AUC) is 0.5 if
the two are indistinguishable and 1 if it is always right.

Days of one home are alike, so what "other days" are decides what is tested:

unseen homes (the headline)
    All days of a home lie on one side of the split.  The classifier has to learn what real homes have in common and
    generated ones lack.
seen homes
    Days are split at random.  The classifier may learn each home by heart, and no two homes are alike, so this is
    near 1 even for real homes against other real homes.

That is why both stand beside a yardstick: the real homes, split at random in two groups, told apart by the same
procedure.  With unseen homes it lies about 0.5, but with a handful of homes a split may by chance put the big ones on
one side, so its spread between splits matters as much as its mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from datagen.validation.population import Population

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_HOMES = 2
FOLDS = 5
MOST_DAYS = 3000
"""Days of each side that enter a fold: more cost time and change the AUC little."""

TREES, LEAVES, LEARNING_RATE = 120, 15, 0.1


@dataclass(frozen=True)
class DayProfiles:
    """Whole metered days.

    Attributes:
        kwh: energy by step; shape ``(days, steps)``.
        home: number of the home of each day; shape ``(days,)``.
    """

    kwh: Floats
    home: Ints

    def __len__(self) -> int:
        return len(self.home)

    @property
    def homes(self) -> Ints:
        """Numbers of the homes, ascending."""
        return np.unique(self.home)

    def of_homes(self, homes: Ints) -> DayProfiles:
        """Days of some homes."""
        chosen = np.isin(self.home, homes)
        return DayProfiles(self.kwh[chosen], self.home[chosen])


@dataclass(frozen=True)
class TwoSample:
    """AUC of a two-sample test.

    Attributes:
        auc: mean over all folds and repeats.
        spread: standard deviation between repeats (each a mean over folds).
        importance: drop of the AUC when a step of the day is shuffled; shape ``(steps,)``, or None if not asked for.
    """

    auc: float
    spread: float
    importance: Floats | None = None


@dataclass(frozen=True)
class Tell:
    """A simple figure of a day and how well it alone tells generated days from real ones.

    Attributes:
        auc: of the figure by itself, 0.5 .. 1.
        higher: whether generated days tend to have more of it.
        real_median, generated_median: over days.
    """

    name: str
    auc: float
    higher: bool
    real_median: float
    generated_median: float


def day_profiles(population: Population, relative: bool = False) -> DayProfiles:
    """Ordinary days on which every step was metered.

    Args:
        population: homes.
        relative: divide by the home's mean, so that the size of homes tells nothing.
    """
    days = population.days_kwh / population.mean_kwh[:, None, None] if relative else population.days_kwh
    whole = np.isfinite(days).all(axis=2)
    return DayProfiles(days[whole], np.nonzero(whole)[0])


def two_sample_auc(
    real: DayProfiles,
    generated: DayProfiles,
    *,
    unseen: bool = True,
    repeats: int = 3,
    seed: int = 0,
    importance: bool = False,
    step: Callable[[], None] | None = None,
) -> TwoSample | None:
    """How well a classifier tells ``generated`` days from ``real`` ones.

    Args:
        real, generated: days of either side.
        unseen: test on homes that were not trained on; else on other days of the same homes.
        repeats: number of random splits in folds.
        seed: of splits and classifiers.
        importance: also find which steps of the day the classifier goes by (first repeat).
        step: told after each repeat.

    Returns:
        None if a side has fewer than two homes (or folds of days).
    """
    smaller = min(len(side.homes) if unseen else len(side) for side in (real, generated))
    if smaller < LEAST_HOMES:
        return None
    aucs, drops = [], []
    for repeat in range(repeats):
        rng = np.random.default_rng((seed, repeat))
        folds = min(FOLDS, smaller)
        groups = [_folds(side, folds, unseen, rng) for side in (real, generated)]
        found = []
        for fold in range(folds):
            inside = [side.kwh[group != fold] for side, group in zip((real, generated), groups, strict=True)]
            outside = [side.kwh[group == fold] for side, group in zip((real, generated), groups, strict=True)]
            train, test = _balanced(inside, rng), _balanced(outside, rng)
            model = _classifier(seed + repeat)
            with threadpool_limits(limits=1):  # small fits gain little from more, and stall where cores are shared
                model.fit(*train)
                found.append(_auc(test[1], model.predict_proba(test[0])[:, 1]))
                if importance and repeat == 0:
                    drops.append(_importance(model.predict_proba, test, found[-1], rng))
        aucs.append(float(np.mean(found)))
        if step is not None:
            step()
    return TwoSample(float(np.mean(aucs)), float(np.std(aucs)), np.mean(drops, axis=0) if drops else None)


def yardstick_auc(
    real: DayProfiles,
    *,
    unseen: bool = True,
    repeats: int = 6,
    seed: int = 0,
    step: Callable[[], None] | None = None,
) -> TwoSample | None:
    """How well the classifier tells one half of the real homes from the other, over random halves.

    Returns:
        None with fewer than four homes; the spread is that between halves.
    """
    homes = real.homes
    if len(homes) < 2 * LEAST_HOMES:
        return None
    aucs = []
    for repeat in range(repeats):
        order = np.random.default_rng((seed, repeat)).permutation(homes)
        half = len(homes) // 2
        sides = real.of_homes(order[:half]), real.of_homes(order[half:])
        result = two_sample_auc(*sides, unseen=unseen, repeats=1, seed=seed + repeat)
        if result is not None:
            aucs.append(result.auc)
        if step is not None:
            step()
    return TwoSample(float(np.mean(aucs)), float(np.std(aucs))) if aucs else None


def tells(real: DayProfiles, generated: DayProfiles, step_hours: float) -> list[Tell]:
    """Simple figures of days by how well each alone tells generated from real, best first; homes weigh the same."""
    weights = np.concatenate([_home_weights(side) for side in (real, generated)])
    label = np.repeat([0, 1], [len(real), len(generated)])
    found = []
    for name, of in _day_figures(step_hours).items():
        values = [of(side.kwh) for side in (real, generated)]
        auc = _auc(label, np.concatenate(values), weights)
        medians = [float(np.median(value)) for value in values]
        found.append(Tell(name, max(auc, 1 - auc), auc > 0.5, medians[0], medians[1]))
    return sorted(found, key=lambda tell: -tell.auc)


def _day_figures(step_hours: float) -> dict[str, Callable[[Floats], Floats]]:
    """Figures of days, each a function from ``(days, steps)`` kWh to ``(days,)``."""
    per_hour = round(1 / step_hours)

    def between(begin: int, end: int) -> Callable[[Floats], Floats]:
        return lambda kwh: kwh[:, begin * per_hour : end * per_hour].sum(axis=1) / kwh.sum(axis=1)

    return {
        "energy, kWh": lambda kwh: kwh.sum(axis=1),
        "least step, kW": lambda kwh: kwh.min(axis=1) / step_hours,
        "median step, kW": lambda kwh: np.median(kwh, axis=1) / step_hours,
        "greatest step, kW": lambda kwh: kwh.max(axis=1) / step_hours,
        "greatest / mean": lambda kwh: kwh.max(axis=1) / kwh.mean(axis=1),
        "median / mean": lambda kwh: np.median(kwh, axis=1) / kwh.mean(axis=1),
        "least / mean": lambda kwh: kwh.min(axis=1) / kwh.mean(axis=1),
        "mean |ramp| / mean": lambda kwh: np.abs(np.diff(kwh, axis=1)).mean(axis=1) / kwh.mean(axis=1),
        "least |ramp|, kW": lambda kwh: np.abs(np.diff(kwh, axis=1)).min(axis=1) / step_hours,
        "median |ramp|, kW": lambda kwh: np.median(np.abs(np.diff(kwh, axis=1)), axis=1) / step_hours,
        "turns (rise to fall) a day": lambda kwh: (np.diff(np.sign(np.diff(kwh, axis=1)), axis=1) != 0).sum(axis=1),
        "share of 0-6 h": between(0, 6),
        "share of 6-10 h": between(6, 10),
        "share of 10-16 h": between(10, 16),
        "share of 16-21 h": between(16, 21),
        "share of 21-24 h": between(21, 24),
        "hour of the peak": lambda kwh: kwh.argmax(axis=1) * step_hours,
        "steps above 1.5 x mean": lambda kwh: (kwh > 1.5 * kwh.mean(axis=1, keepdims=True)).sum(axis=1),
    }


def _home_weights(days: DayProfiles) -> Floats:
    """Weights of days such that each home weighs the same and all together 1."""
    _, row, count = np.unique(days.home, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / count[row] / len(count))


def _folds(days: DayProfiles, folds: int, unseen: bool, rng: np.random.Generator) -> Ints:
    """Fold of each day: of whole homes where they are to be unseen, else of days at random."""
    homes, row = np.unique(days.home, return_inverse=True) if unseen else (days.home, np.arange(len(days)))
    group: Ints = rng.permutation(np.arange(len(homes)) % folds)[row]
    return group


def _balanced(sides: list[Floats], rng: np.random.Generator) -> tuple[Floats, Ints]:
    """As many days of either side, and their labels (1: generated)."""
    size = min(MOST_DAYS, *(len(side) for side in sides))
    picked = [side[rng.choice(len(side), size, replace=False)] for side in sides]
    return np.concatenate(picked), np.repeat([0, 1], size)


def _importance(
    predict: Callable[[Floats], Floats], test: tuple[Floats, Ints], auc: float, rng: np.random.Generator
) -> Floats:
    """Drop of the AUC when one step of the day is shuffled between days (Breiman 2001, doi:10.1023/A:1010933404324)."""
    profile, label = test
    drop = np.empty(profile.shape[1])
    for column in range(len(drop)):
        shuffled = profile.copy()
        shuffled[:, column] = rng.permutation(shuffled[:, column])
        drop[column] = auc - _auc(label, predict(shuffled)[:, 1])
    return drop


def _auc(label: Ints, score: Floats, weights: Floats | None = None) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(label, score, sample_weight=weights))


def _classifier(seed: int):  # type: ignore[no-untyped-def]  # noqa: ANN202 - scikit-learn has no types
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=TREES, max_leaf_nodes=LEAVES, learning_rate=LEARNING_RATE, random_state=seed
    )
