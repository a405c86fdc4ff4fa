"""A comparison for people: ``compare.md``, and its first table in the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from experiments.compare.table import Estimate, Line, paired

_OTHERS = {"mae": "MAE, kW", "rmse": "RMSE, kW", "nrmse": "RMSE / mean", "pinball": "pinball, kW",
           "coverage80": "80 % interval holds"}  # fmt: skip
_TARGETS = {"load": "load", "pv": "solar power (homes that have it)", "net": "net load (load - solar)"}


def cell(found: Estimate, digits: int = 3) -> str:
    """``0.876 ± 0.012``; without an interval the mean alone."""
    if math.isnan(found.mean):
        return "-"
    width = "" if found.half_width is None else f" ± {found.half_width:.{digits}f}"
    return f"{found.mean:.{digits}f}{width}"


def label(line: Line) -> str:
    """A line's name: baselines by model, runs with the model, for each run has two."""
    return line.run if not line.seeds else f"{line.run}: {line.model}"


def order(lines: Sequence[Line]) -> list[str]:
    """Labels in the order of the table."""
    return list(dict.fromkeys(label(line) for line in lines))


def markdown(lines: Sequence[Line], horizons: Sequence[str], facts: Mapping[str, str], seeds: int) -> str:
    """The page.

    Args:
        lines: of all communities. horizons: that were scored.
        facts: where it comes from, by name. seeds: how many.
    """
    parts = ["# Comparison", _note(seeds)]
    for community in dict.fromkeys(line.community for line in lines):
        mine = [line for line in lines if line.community == community]
        parts += [f"## Homes: {community}"] if community else []
        for target in dict.fromkeys(line.target for line in mine):
            of_target = [line for line in mine if line.target == target]
            parts += [f"### RMSE of {_TARGETS[target]}, kW", _by_horizon(of_target, horizons)]
        day = "day" if "day" in horizons else horizons[0]
        ahead = [line for line in mine if line.target == "load" and line.horizon == day]
        parts += [f"### Load, {day} ahead", _all_figures(ahead), *_differences(ahead, day)]
    parts += ["## Where it comes from", _grid(["", ""], [[name, text] for name, text in facts.items()], texts=2)]
    return "\n\n".join(parts) + "\n"


def _note(seeds: int) -> str:
    spread = (
        f"mean ± half of the 95 % confidence interval (Student) over {seeds} seeds of the training"
        if seeds > 1
        else "one seed, so there is no interval, and differences may be luck"
    )
    return (
        f"Errors are means over homes. Of trained models: {spread}. The homes and days are the same for all; baselines "
        "draw nothing and have no interval. *transformer*: the network alone; *hybrid*: with the homes' ridge, in "
        "shares that the days before the test support (± 0 where no seed's network earned a share: the ridge alone)."
    )


def _by_horizon(lines: Sequence[Line], horizons: Sequence[str]) -> str:
    found = {(label(line), line.horizon): line.figures["rmse"] for line in lines}
    least = {h: min(found[name, h].mean for name in order(lines)) for h in horizons}
    rows = []
    for name in order(lines):
        cells = [(cell(found[name, h]), found[name, h].mean == least[h]) for h in horizons]
        rows.append([name, *(f"**{text}**" if best else text for text, best in cells)])
    return _grid(["", *horizons], rows)


def _all_figures(lines: Sequence[Line]) -> str:
    rows = []
    for line in lines:
        steps = f"{line.steps:g}" if line.seeds else ""
        rows.append([label(line), line.training, steps, *(cell(line.figures[name]) for name in _OTHERS)])
    return _grid(["", "training", "steps", *_OTHERS.values()], rows, texts=2)


def _differences(lines: Sequence[Line], horizon: str) -> list[str]:
    """Federated against the other ways to learn with the same settings, seed by seed."""
    others = [line for line in lines if line.training in ("local", "centralised") and line.seeds]
    rows = []
    for line in lines:
        if line.training == "federated" and line.seeds:
            alike = [o for o in others if o.model == line.model and o.settings.items() <= line.settings.items()]
            against = [(other, paired(line, other)) for other in alike]
            rows += [[label(line), other.run, _verdict(found), cell(found, 4)] for other, found in against]
    if not rows:
        return []
    title = f"### Federated less the others, RMSE of the load {horizon} ahead, kW, seed by seed"
    note = "Each line is judged by itself, at 95 %: of twenty lines without a difference one shows one."
    return [title, note, _grid(["", "less", "better", "difference"], rows, texts=3)]


def _verdict(found: Estimate) -> str:
    if found.half_width is None:
        return "one seed: not known"
    if found.mean == found.half_width == 0:
        return "the same"
    if abs(found.mean) <= found.half_width:
        return "not distinguishable"
    return "federated" if found.mean < 0 else "the other"


def _grid(heading: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> str:
    """A table whose first columns are ``texts``, and the others figures."""
    rule = "|" + "|".join("---" if i < texts else "---:" for i in range(len(heading))) + "|"
    return "\n".join(["| " + " | ".join(heading) + " |", rule, *("| " + " | ".join(row) + " |" for row in rows)])


def show(lines: Sequence[Line], horizons: Sequence[str], seeds: int, console: Console) -> None:
    """Print RMSE of the load by horizon; the least in bold."""
    for community in dict.fromkeys(line.community for line in lines):
        mine = [line for line in lines if line.community == community and line.target == "load"]
        over = f"mean ± 95 % interval over {seeds} seeds" if seeds > 1 else "one seed: no interval"
        title = f"RMSE of the load, kW; {over}" + (f"; homes: {community}" if community else "")
        table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("")
        for horizon in horizons:
            table.add_column(horizon, justify="right", no_wrap=True)
        found = {(label(line), line.horizon): line.figures["rmse"] for line in mine}
        least = {h: min(found[name, h].mean for name in order(mine)) for h in horizons}
        for name in order(mine):
            cells = [found[name, h] for h in horizons]
            texts = [
                f"[bold]{cell(c)}[/]" if c.mean == least[h] else cell(c) for c, h in zip(cells, horizons, strict=True)
            ]
            table.add_row(name, *texts)
        console.print(table)
