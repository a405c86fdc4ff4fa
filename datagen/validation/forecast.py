"""Train on generated homes, test on real ones: does a forecaster learn from the generator what it needs.

The test of a synthetic data set that matters most to its user (Esteban et al. 2017, https://arxiv.org/abs/1706.02633,
call it "train on synthetic, test on real").  The last eight weeks of the real homes are the test.  One forecaster is
trained on the same real homes before that, the other on generated homes over the same calendar days: as many homes, as
many rows.  The first has an advantage that no generator can give, since it knows the very homes; so *other real homes*
(each home is forecast by a model that never saw it) stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from common.clock import local_of
from datagen.validation.features import SCALE_DAYS, Floats, Ints, Samples, origins_of, samples_of
from datagen.validation.population import Population

TEST_DAYS, LEAST_TRAINING_DAYS = 56, 14
UNSEEN_FOLDS = 3
MOST_ROWS = 120_000
TREES, LEAVES, LEARNING_RATE = 150, 31, 0.07
DRAWS = 3
"""Groups of generated homes that the comparison is averaged over."""

Model = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Score:
    """Error of a forecaster on the test weeks of the real homes.

    Attributes:
        name: what it was trained on.
        homes, rows: how much it was trained on; 0 for one that is not trained.
        rmse_kw, mae_kw: of the mean power of a step, kWh/h; over all homes, origins and leads.
    """

    name: str
    homes: int
    rows: int
    rmse_kw: float
    mae_kw: float


@dataclass(frozen=True)
class Transfer:
    """Result of the comparison.

    Attributes:
        scores: by what was trained on.
        ratio, mae_ratio: error after training on generated homes over that after training on the real ones; RMSE, MAE.
        ratios: of RMSE, of each group of generated homes.
        unseen_ratio: as ``ratio``, against other real homes; None with a single home.
        test_days, first_test_day: the test period, and its first local day.
    """

    scores: list[Score]
    ratio: float
    mae_ratio: float
    ratios: list[float]
    unseen_ratio: float | None
    test_days: int
    first_test_day: str


def transfer(
    real: Population, generated: Population, seed: int = 0, step: Callable[[int, int], None] | None = None
) -> Transfer | None:
    """Compare a forecaster trained on generated homes with one trained on real homes, on the real homes' last weeks.

    Args:
        real, generated: on the same axis.
        seed: of the choice of rows and homes.
        step: told after each fit, with the fits done and in all.

    Returns:
        None if the data is too short: 28 days to look back on, 14 to train, 56 to test.
    """
    axis = real.axis
    test_from = len(axis) - TEST_DAYS * axis.day_steps
    if test_from < (SCALE_DAYS + LEAST_TRAINING_DAYS) * axis.day_steps:
        return None
    origins = origins_of(axis)
    before = origins[origins + axis.day_steps <= test_from]
    rng = np.random.default_rng(seed)
    training, made = samples_of(real, before), samples_of(generated, before)
    pools = [made.of(np.isin(made.home, group)) for group in _groups(len(generated), len(real), rng)]
    folds = rng.permutation(np.arange(len(real)) % min(UNSEEN_FOLDS, len(real)))
    bench = _Bench(
        test=samples_of(real, origins[origins >= test_from]),
        rows=min(MOST_ROWS, len(training), *(len(pool) for pool in pools)),
        rng=rng,
        fits=2 + len(pools) + (int(folds.max()) + 1 if len(real) > 1 else 0),
        step=step,
    )
    known = bench.score("the same real homes, before", training)
    unseen = _unseen(bench, training, folds) if len(real) > 1 else None
    by_group = [bench.score("generated homes, as many", pool) for pool in pools]
    rmse_kw = float(np.mean([score.rmse_kw for score in by_group]))
    mae_kw = float(np.mean([score.mae_kw for score in by_group]))
    return Transfer(
        scores=[
            known,
            *([] if unseen is None else [unseen]),
            replace(by_group[0], rmse_kw=rmse_kw, mae_kw=mae_kw),
            bench.score("generated homes, all", made),
            *(bench.naive(column, f"no model: as a {span} before") for column, span in enumerate(("day", "week"))),
        ],
        ratio=rmse_kw / known.rmse_kw,
        mae_ratio=mae_kw / known.mae_kw,
        ratios=[score.rmse_kw / known.rmse_kw for score in by_group],
        unseen_ratio=None if unseen is None else rmse_kw / unseen.rmse_kw,
        test_days=TEST_DAYS,
        first_test_day=str(local_of(axis.slots.start + test_from * axis.step_slots).date()),
    )


@dataclass
class _Bench:
    """Fits forecasters of equal strength and scores them on the same test rows."""

    test: Samples
    rows: int
    rng: np.random.Generator
    fits: int
    step: Callable[[int, int], None] | None
    done: int = 0

    def score(self, name: str, pool: Samples) -> Score:
        """Score of a forecaster trained on ``pool``."""
        return self.scored(name, pool, self.fit(pool)(self.test.features))

    def scored(self, name: str, pool: Samples, forecast: Floats) -> Score:
        """Score of a forecast of all test rows."""
        rmse_kw, mae_kw = _errors(self.test, forecast)
        return Score(name, len(np.unique(pool.home)), min(self.rows, len(pool)), rmse_kw, mae_kw)

    def naive(self, column: int, name: str) -> Score:
        """Score of a load of the past, where that is known."""
        known = self.test.of(np.isfinite(self.test.naive[:, column]))
        return Score(name, 0, 0, *_errors(known, known.naive[:, column]))

    def fit(self, pool: Samples) -> Model:
        """Forecaster of the load over scale, trained on as many rows of ``pool`` as all others."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        chosen = pool.of(self.rng.choice(len(pool), min(self.rows, len(pool)), replace=False))
        model = HistGradientBoostingRegressor(
            max_iter=TREES, max_leaf_nodes=LEAVES, learning_rate=LEARNING_RATE, min_samples_leaf=50,
            early_stopping=False, random_state=0,
        )  # fmt: skip
        with threadpool_limits(limits=1):
            model.fit(chosen.features, chosen.target)
        self.done += 1
        if self.step is not None:
            self.step(self.done, self.fits)

        def predict(features: Floats) -> Floats:
            with threadpool_limits(limits=1):
                return np.asarray(model.predict(features))

        return predict


def _unseen(bench: _Bench, training: Samples, folds: Ints) -> Score:
    """Score on real homes, each forecast by a model that never saw it; ``folds`` by home."""
    forecast = np.empty(len(bench.test))
    pool = training
    for fold in range(int(folds.max()) + 1):
        chosen = folds[bench.test.home] == fold
        pool = training.of(folds[training.home] != fold)
        forecast[chosen] = bench.fit(pool)(bench.test.features[chosen])
    return bench.scored("other real homes, before", pool, forecast)


def _groups(generated: int, real: int, rng: np.random.Generator) -> Iterator[Ints]:
    """Groups of as many generated homes as there are real ones, without overlap as far as there are enough."""
    size = min(generated, real)
    order = rng.permutation(generated)
    for draw in range(min(DRAWS, generated // size)):
        yield order[draw * size : (draw + 1) * size]


def _errors(rows: Samples, forecast: Floats) -> tuple[float, float]:
    """RMSE and MAE of forecasts of the load over scale, in kW."""
    error_kw = (forecast - rows.target) * rows.scale_kw
    return float(np.sqrt(np.mean(error_kw**2))), float(np.mean(np.abs(error_kw)))
