"""What a forecast benchmark leaves: rows as JSON, the run behind them, and tables in the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from common.clock import local_of
from common.config import RunConfig
from experiments.skill.benchmark import Benchmark
from experiments.skill.scoring import SkillRow
from report.results import versions
from report.rows import iso_utc

ROWS, RUN = "forecast_benchmark.json", "forecast_benchmark_run.json"


def write(bench: Benchmark, config: RunConfig, data_hash: str, seconds: float, out: Path) -> list[Path]:
    """Write the rows, a list, and beside them what they come from; the paths."""
    rows = [row.model_dump() for row in bench.rows]
    split = bench.split
    run = {
        "homes": [home.home_id for home in bench.homes],
        "learned_before": f"{local_of(split.validation):%Y-%m-%d}",
        "decided_before": f"{local_of(split.test):%Y-%m-%d}",
        "scored_until": f"{local_of(split.end):%Y-%m-%d}",
        "shares_of_the_transformer": {
            training: {"load": dict(share.load), "pv": share.pv, "quantiles": share.quantiles}
            for training, share in bench.shares.items()
        },
        "seconds": round(seconds, 1),
        "config": config.published(),
        "data_hash": data_hash,
        "versions": versions(),
        "ended_utc": iso_utc(datetime.now(UTC)),
    }
    for name, content in ((ROWS, rows), (RUN, run)):
        draft = out / f".{name}"
        draft.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        draft.replace(out / name)
    return [out / ROWS, out / RUN]


_SHORT = {"none": "", "local": "local", "federated": "fed.", "centralised": "central"}


def show(rows: Sequence[SkillRow], console: Console) -> None:
    """Print a table for each target: RMSE and pinball loss by horizon, the least in bold, and the day's coverage."""
    horizons = list(dict.fromkeys(row.horizon for row in rows))
    figures = [(figure, horizon) for figure in ("rmse", "pinball") for horizon in horizons]
    for target in dict.fromkeys(row.target for row in rows):
        mine = [row for row in rows if row.target == target]
        table = Table(
            title=f"{target}: RMSE and pinball loss in kW, coverage of the day's 80 % interval", title_justify="left",
            box=None, padding=(0, 1, 0, 0), header_style="dim",
        )  # fmt: skip
        table.add_column("model", no_wrap=True)
        table.add_column("training", no_wrap=True)
        for figure, horizon in figures:
            table.add_column(f"{figure if horizon == horizons[0] else ''}\n{horizon}", justify="right", no_wrap=True)
        table.add_column("day\n80%", justify="right")
        found = {(r.model, r.training, r.horizon): r for r in mine}
        least = {(f, h): min(getattr(r, f) for r in mine if r.horizon == h) for f, h in figures}
        for model, training in dict.fromkeys((row.model, row.training) for row in mine):
            cells = [model, _SHORT[training]]
            for figure, horizon in figures:
                value = getattr(found[model, training, horizon], figure)
                text = f"{value:.3f}".removeprefix("0")
                cells.append(f"[bold]{text}[/]" if value == least[figure, horizon] else text)
            cells.append(f"{found[model, training, 'day'].coverage80:.2f}".removeprefix("0"))
            table.add_row(*cells)
        console.print(table)
