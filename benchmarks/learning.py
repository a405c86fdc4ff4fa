"""How fast the forecaster learns and forecasts; one thread, as each household's process has, or the GPU.

    python -m benchmarks.learning

prints, for each size of the Transformer and some batches, the time of a training step and its parts, forecast origins
trained a second, and the step's floating-point operations a second as a share of this device's own rate of matrix
products in the same precision, measured in the same run; then the latency of a forecast per home for 1 to 1,000 homes.
Operations are counted by torch while a step runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from client.batches import Batch
from client.device import compute_device, fast_bfloat16
from client.features import DAY, HELD_OUT, HomeFeatures
from client.forecaster import HomeForecaster
from client.history import History
from client.ridge import statistics
from client.store import open_home
from client.training import Source, TrainTask, correct, descend, draw, make_optimiser, one_thread, training_loss
from common.config import MODELS, RunConfig
from common.model import Transformer, initial_vector, load_model
from common.readings import home_folders
from common.ridge import GATED_HEADS, RidgeWeights, add, solve
from common.tariff import load_tariff
from datagen.community import prepare_homes

RUNS, STEPS, BATCHES = 3, 4, (4, 16)
HOMES, DISTINCT = (1, 10, 100, 1_000), 10


def best_s(act: Callable[[], object], runs: int = RUNS) -> float:
    """Least wall seconds of a few runs; a GPU's work counts."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        act()
        if compute_device().type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return min(times)


def matmul_rate() -> float:
    """Floating-point operations a second of a product of two square matrices, in the precision of training."""
    device, size = compute_device(), 1024 if compute_device().type == "cpu" else 8192
    bfloat = device.type == "cuda" or fast_bfloat16()
    matrix = torch.randn(size, size, device=device, dtype=torch.bfloat16 if bfloat else torch.float32)
    return 2 * size**3 / best_s(lambda: matrix @ matrix, 10)


def open_community(root: Path) -> list[History]:
    """Histories of generated homes, to their end."""
    prepare_homes(RunConfig(homes=DISTINCT), root)
    histories = []
    for folder in home_folders(root):
        facts, readings, forecast = open_home(folder)
        tariff = load_tariff("pge-tou-c")
        histories.append(
            History(readings, readings.end_slot, tariff=tariff, forecast=forecast, timezone=facts.timezone)
        )
    return histories


def _backward(model: Transformer, batch: Batch, optimiser: torch.optim.AdamW) -> None:
    optimiser.zero_grad(set_to_none=True)
    training_loss(model, batch).backward()  # type: ignore[no-untyped-call]


def training_table(source: Source) -> Table:
    """Training steps by size and batch."""
    table = Table(title=f"Training, {compute_device().type}", title_justify="left", box=None)
    for name in ("model", "batch", "draw", "forward, backward", "whole step", "origins a second", "of matmul rate"):
        table.add_column(name, justify="right")
    for size, spec in MODELS.items():
        model = load_model(spec, initial_vector(spec, 0)).to(compute_device())
        optimiser = make_optimiser(model, 1e-4)
        for batch_size in BATCHES:
            rng, days = np.random.default_rng(0), source.days(spec.context_days)
            batch = draw([source], batch_size, days, rng).to(compute_device())

            backward = partial(_backward, model, batch, optimiser)
            with FlopCounterMode(display=False) as counted:
                backward()
            task = TrainTask(source.limit, 1, 1, STEPS, batch_size, 1e-4, seed=0, home_id="h")
            drawn = best_s(partial(draw, [source], batch_size, days, rng))
            passes, rate = best_s(backward), matmul_rate()
            whole = best_s(partial(descend, model, optimiser, [source], task, rng)) / STEPS
            table.add_row(
                size, str(batch_size), f"{drawn * 1e3:.1f} ms", f"{passes * 1e3:.1f} ms", f"{whole * 1e3:.1f} ms",
                f"{batch_size * days / whole:,.0f}", f"{counted.get_total_flops() / whole / rate:.0%}",
            )  # fmt: skip
    return table


def _quote(homes: Sequence[tuple[HomeForecaster, History]]) -> None:
    for forecaster, history in homes:
        forecaster.forecast(history, history.known_end)


def _renew(
    homes: Sequence[tuple[History, HomeFeatures]], size: str, vector: NDArray[np.float32], ridge: RidgeWeights
) -> None:
    for history, features in homes:
        correct(vector, MODELS[size], history, features, ridge, dict.fromkeys(GATED_HEADS, 0.5))


def latency_table(histories: list[History], features: list[HomeFeatures], ridge: RidgeWeights) -> Table:
    """Latency of what a slot's forecast takes, and of a renewed correction, per home."""
    table = Table(title="Forecast, per home", title_justify="left", box=None)
    for name in ("homes", "at gate closure", *(f"Transformer, {size}" for size in MODELS)):
        table.add_column(name, justify="right")
    vectors = {size: initial_vector(spec, 0) for size, spec in MODELS.items()}
    forecasters = [HomeForecaster("base", ridge) for _ in histories]
    for homes in HOMES:
        chosen = [(histories[i % DISTINCT], features[i % DISTINCT]) for i in range(homes)]
        pairs = [(forecasters[i % DISTINCT], histories[i % DISTINCT]) for i in range(homes)]
        cells = [f"{best_s(partial(_quote, pairs)) / homes * 1e3:.2f} ms"]
        for size in MODELS:
            seconds = best_s(partial(_renew, chosen, size, vectors[size], ridge), 1 if homes > 100 else RUNS)
            cells.append(f"{seconds / homes * 1e3:.1f} ms")
        table.add_row(f"{homes:,}", *cells)
    return table


def main() -> None:
    """Print the tables."""
    console = Console()
    with TemporaryDirectory() as folder, one_thread():
        histories = open_community(Path(folder) / "homes")
        features = [HomeFeatures(history) for history in histories]
        end = len(histories[0])
        console.print(training_table(Source(histories[0], features[0], end - HELD_OUT)))
        learnt = add(statistics(one, one.first_slot + end - 28 * DAY) for one in features)
        console.print(latency_table(histories, features, solve(learnt)))


if __name__ == "__main__":
    main()
