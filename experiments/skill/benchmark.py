"""``forecast-benchmark``: trains and scores every forecaster on the same homes, origins and horizons.

The last eight weeks score, the four before them decide (gates, when trees stop), the rest is learnt from; nothing else
looks at the held-out weeks.  Forecasters see of the held-out weeks what a home of a run would: what lies before each
origin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from client.features import DAY, MONTH, TRAILING
from client.ridge import statistics
from common.config import RunConfig
from common.ridge import RidgeWeights, add, personal, solve
from common.spread import Weights
from common.tariff import load_tariff
from experiments.skill import baselines, networks, spread, trees
from experiments.skill.blend import Shares, Validated, blended, shares
from experiments.skill.homes import Forecast, Home, Index, open_homes
from experiments.skill.scoring import HomeErrors, SkillRow, score, skill_row
from experiments.skill.split import ORIGIN_STEP, Split, split_of
from experiments.skill.training import Progress, train_all

_TREE_STEP = 2 * ORIGIN_STEP + 2
"""Slots between origins that trees learn from: seven hours, so that all times of day come."""

Speak = Callable[[str], None]
Forecaster = Callable[[Home, Index], Forecast]


@dataclass
class Benchmark:
    """A benchmark and what it has found so far.

    Attributes:
        rows: of the table, in the order in which they were made.
        shares: of the hybrids, by the Transformer's training.
    """

    homes: Sequence[Home]
    split: Split
    rows: list[SkillRow] = field(default_factory=list)
    shares: dict[str, Shares] = field(default_factory=dict)

    def origins(self, home: Home) -> Index:
        """Rows of the origins of a home at which forecasts are made."""
        return home.rows(self.split.origins())

    def add(self, model: str, training: str, forecaster: Forecaster) -> None:
        """Score a forecaster, home by home: the forecasts of one home at a time fill the memory."""
        errors: dict[tuple[str, str], list[HomeErrors]] = {}
        for home in self.homes:
            origins = self.origins(home)
            for key, found in score(home, origins, self.split, forecaster(home, origins)).items():
                errors.setdefault(key, []).append(found)
        self.rows += [skill_row(model, training, *key, found) for key, found in errors.items()]


def run_benchmark(
    config: RunConfig, root: Path, ends: tuple[int, int], out: Path, workers: int, progress: Progress, say: Speak
) -> Benchmark:
    """Train and score everything.

    Args:
        config: of the homes and the Transformer's training (``rounds``, ``local_steps``, ...).
        root: folder of the homes' folders.
        ends: first slot, and the slot after the last, that all homes have.
        out: folder for models.
        workers: processes that train at once.
        progress: shows the training. say: told what is being done.

    Raises:
        UserError: too little data.
    """
    split = split_of(*ends)
    say("reading the homes")
    homes = open_homes(root, load_tariff(config.tariff), split.end)
    bench = Benchmark(homes, split)
    say("naive forecasts and ridge")
    ridges = fit_ridges(homes, split)
    add_baselines(bench, ridges)
    if trees.available():
        say("LightGBM")
        _add_trees(bench, ridges.common)
    else:
        say("LightGBM is not installed and left out: pip install 'commonwatt[lightgbm]'")
    say("training the Transformers")
    for training, vectors in train_all(config, split, [home.home_id for home in homes], out, workers, progress):
        say(f"scoring the Transformer, {training}")
        add_networks(bench, training, vectors, ridges, config.model)
    return bench


@dataclass(frozen=True)
class Ridges:
    """Linear weights that the homes' data before the validation span gives, and corrections of their quantiles.

    Attributes:
        common: of all homes, by federation.
        own: of each home alone, by id.
        base: the common ones moved towards the home's own, by id: what the hybrid starts from.
        common_spread, base_spread: of the quantiles of ``common`` and ``base``, by federation.
        own_spread: of those of ``own``, each of one home alone, by id.
    """

    common: RidgeWeights
    own: Mapping[str, RidgeWeights]
    base: Mapping[str, RidgeWeights]
    common_spread: Weights
    own_spread: Mapping[str, Weights]
    base_spread: Weights


def fit_ridges(homes: Sequence[Home], split: Split) -> Ridges:
    """Fit the linear weights, and what corrects their quantiles, on what all trainings learn from."""
    sums = {home.home_id: statistics(home.features, split.validation) for home in homes}
    common = solve(add(sums[home.home_id] for home in homes))
    own = {home_id: solve(one) for home_id, one in sums.items()}
    base = {home_id: personal(common, one) for home_id, one in sums.items()}
    fit = partial(spread.fit_ridge_spread, before_slot=split.validation)
    return Ridges(
        common,
        own,
        base,
        common_spread=fit(homes, dict.fromkeys(sums, common)),
        own_spread={home.home_id: fit([home], own) for home in homes},
        base_spread=fit(homes, base),
    )


def add_baselines(bench: Benchmark, ridges: Ridges) -> None:
    """What people would use instead: naive forecasts, the profile, the ridge of one home and of all."""
    for name in ("persistence", "daily_naive", "weekly_naive", "ewma_profile"):
        bench.add(name.replace("_", "-"), "none", getattr(baselines, name))

    def alone(home: Home, rows: Index) -> Forecast:
        return spread.ridge(home, rows, ridges.own[home.home_id], ridges.own_spread[home.home_id])

    bench.add("ridge", "local", alone)
    bench.add("ridge", "federated", partial(spread.ridge, weights=ridges.common, spread=ridges.common_spread))


def _add_trees(bench: Benchmark, weights: RidgeWeights) -> None:
    """LightGBM by itself (from the profile), and on what the federated ridge leaves."""
    split = bench.split
    learn: dict[str, Index] = {}
    decide: dict[str, Index] = {}
    for home in bench.homes:
        rows = np.arange(TRAILING, split.validation - home.features.first_slot - DAY + 1, _TREE_STEP)
        rows += (home.features.first_slot + rows) % home.history.resolution_slots
        learn[home.home_id] = rows[home.features.alive(rows)]
        decide[home.home_id] = _validation_rows(home, split)
    for name, below in (
        ("lightgbm", baselines.ewma_profile),
        ("lightgbm-on-ridge", partial(baselines.ridge, weights=weights)),
    ):
        said = {
            home.home_id: below(home, np.concatenate([learn[home.home_id], decide[home.home_id]])).load_wh[:, :DAY]
            for home in bench.homes
        }
        fitted = trees.fit_trees(bench.homes, learn, decide, said)
        bench.add(name, "centralised", partial(_with_trees, below=below, fitted=fitted))


def _with_trees(home: Home, rows: Index, below: Forecaster, fitted: trees.Trees) -> Forecast:
    return trees.forecast_trees(home, rows, below(home, rows), fitted)


def add_networks(
    bench: Benchmark, training: str, vectors: Mapping[str, networks.Vector], ridges: Ridges, model: str
) -> None:
    """The Transformer by itself, and with the homes' own ridge in shares that the validation span supports."""
    said = {home.home_id: _both(bench, home, vectors[home.home_id], ridges, model) for home in bench.homes}
    bench.add("transformer", training, lambda home, rows: said[home.home_id][1])
    share = shares([_validated(home, bench.split, bench.origins(home), *said[home.home_id]) for home in bench.homes])
    bench.shares[training] = share
    bench.add("hybrid", training, lambda home, rows: blended(*said[home.home_id], share))


def _both(
    bench: Benchmark, home: Home, vector: networks.Vector, ridges: Ridges, model: str
) -> tuple[Forecast, Forecast]:
    """Ridge and Transformer at all origins."""
    rows = bench.origins(home)
    linear = spread.ridge(home, rows, ridges.base[home.home_id], ridges.base_spread)
    return linear, networks.forecast(home, rows, vector, model)


def _validation_rows(home: Home, split: Split) -> Index:
    """Origins whose coming day lies in the validation span."""
    origins = split.origins()
    return home.rows(origins[(origins >= split.validation) & (origins + DAY <= split.test)])


def _validated(home: Home, split: Split, rows: Index, linear: Forecast, network: Forecast) -> Validated:
    inside = np.isin(rows, _validation_rows(home, split))
    chosen, features = rows[inside], home.features
    ahead = chosen[:, None] + np.arange(MONTH)
    end = split.test - features.first_slot
    known = ahead < end
    ahead = np.minimum(ahead, end - 1)
    return Validated(
        ridge=_at(linear, inside), transformer=_at(network, inside), load_wh=features.load[ahead],
        pv_wh=features.pv[ahead], known=known, scale_wh=features.scale_wh(chosen),
        pv_scale_wh=features.pv_scale_wh(chosen),
    )  # fmt: skip


def _at(said: Forecast, inside: NDArray[np.bool_]) -> Forecast:
    assert said.load_quantiles_wh is not None
    return Forecast(said.load_wh[inside], said.pv_wh[inside], said.load_quantiles_wh[inside])


def best(rows: Sequence[SkillRow]) -> Iterator[SkillRow]:
    """Of each target and horizon the row with the least RMSE."""
    for key in dict.fromkeys((row.target, row.horizon) for row in rows):
        yield min((row for row in rows if (row.target, row.horizon) == key), key=lambda row: row.rmse)
