"""The body of ``simulation.py compare``: check, prepare, run what is not done yet, write the table."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from common.clock import day_slots, local_of
from common.config import RunConfig
from common.errors import UserError
from datagen.manifest import CommunityManifest
from experiments.compare.declared import Declared, differences, published, read_declared
from experiments.compare.grid import Community, Run, check_homes, folder_of, runs_of
from experiments.compare.pages import markdown, show
from experiments.compare.plot import compare_png
from experiments.compare.progress import Board
from experiments.compare.table import Line, baseline_lines, csv_text, run_lines
from experiments.compare.unit import BASELINES, Finished, Place, Unit, do, read_finished
from experiments.side_by_side import side_by_side
from experiments.skill.networks import learning
from experiments.skill.split import split_of
from report.results import versions
from report.rows import iso_utc
from report.terminal import output_folder

GRID, CSV, PAGE, PICTURE, PROVENANCE = "grid.json", "compare.csv", "compare.md", "compare.png", "compare.json"
Prepare = Callable[[RunConfig], CommunityManifest]


def compare(file: Path | None, out: Path | None, workers: int, prepare: Prepare, console: Console) -> list[Line]:
    """Run a comparison, or what is left of it, and write its table.

    Args:
        file: the declaration; None to take that of the comparison in ``out``.
        out: folder of the results; one that holds this comparison is gone on with.
        workers: runs at once.
        prepare: makes or imports the homes under ``homes_dir``.
        console: to show it.

    Raises:
        UserError: what the user has to mend; another comparison lies in ``out``.
    """
    began = time.monotonic()
    logging.getLogger("flwr").setLevel(logging.ERROR)
    if out is not None and (out / GRID).is_file():
        folder = out.resolve()
        declared = _same(folder / GRID, file)
        runs, places = _prepared(declared, file or folder / GRID, folder, prepare)
    elif file is None:
        raise UserError(f"--resume {out}: no comparison in it; name the folder that a run of 'compare' wrote")
    else:
        declared = read_declared(file)
        runs_of(declared, file)  # before a folder is made
        with output_folder(out) as folder:
            draft = folder / f".{GRID}"
            draft.write_text(declared.model_dump_json(by_alias=True, indent=1) + "\n", encoding="utf-8")
            draft.replace(folder / GRID)  # from here on the same command goes on
            runs, places = _prepared(declared, file, folder, prepare)
    units = _units(runs, places, declared.seeds, folder)
    _do_all(units, workers, console)
    return _write(declared, runs, units, places, folder, time.monotonic() - began, console)


def _same(stored: Path, file: Path | None) -> Declared:
    """The declaration of a comparison that was begun, if the file still says the same.

    Raises:
        UserError: it says something else.
    """
    try:
        was = Declared.model_validate_json(stored.read_bytes())
    except (OSError, ValidationError):
        raise UserError(f"{stored}: cannot be read; use another --out") from None
    if file is not None:
        changed = differences(was, read_declared(file))
        if changed:
            raise UserError(
                f"{file}: {stored.parent} holds a comparison with another grid ({'; '.join(changed)}): put the file "
                "back as it was, or name another --out"
            )
    return was


def _prepared(
    declared: Declared, file: Path, folder: Path, prepare: Prepare
) -> tuple[list[Run], dict[Community, Place]]:
    """The runs, and the homes of each community; homes that are there already are taken as they are.

    Raises:
        UserError: anything that would stop a run.
    """
    runs = runs_of(declared, file)
    for run in runs:
        if run.config.data == "generated":
            check_homes(run, run.config.homes, file)
    places: dict[Community, Place] = {}
    for community in dict.fromkeys(run.community for run in runs):
        root = folder / "homes" / community.name.replace("/", "-") if community.name else folder / "homes"
        manifest = prepare(replace(community.config, homes_dir=str(root), out=str(folder)))
        ends = day_slots(manifest.first_day).start, day_slots(manifest.last_day + timedelta(days=1)).start
        try:
            split = split_of(*ends, declared.score_days, declared.horizons)
        except UserError as error:
            raise UserError(f"{file}, 'score-days' = {declared.score_days}: {error}") from None
        places[community] = Place(root, tuple(manifest.homes), split, manifest.data_hash)
    for run in runs:
        check_homes(run, len(places[run.community].home_ids), file)
    return runs, places


def _units(runs: Sequence[Run], places: dict[Community, Place], seeds: Sequence[int], folder: Path) -> list[Unit]:
    """Baselines of each community, then all runs, seed by seed, so that a table of few seeds is there early."""
    units = []
    for community, place in places.items():
        name = f"{BASELINES} {community.name}".strip()
        config = replace(community.config, homes_dir=str(place.root))
        units.append(Unit(name, BASELINES, config, place, folder / "runs" / name.replace(" ", "--").replace("/", "-")))
    for seed in seeds:
        for run in runs:
            place = places[run.community]
            config = learning(
                replace(run.config, homes_dir=str(place.root), seed=seed), place.split, len(place.home_ids)
            )
            if config.data != "generated":
                config = replace(config, data=Path(config.data).name)  # the path is private
            name = f"{run.name} ({run.community.name})" if run.community.name else run.name
            units.append(Unit(name, run.training, config, place, folder / "runs" / folder_of(run) / f"seed-{seed}"))
    return units


def _do_all(units: Sequence[Unit], workers: int, console: Console) -> None:
    waiting = [unit for unit in units if not unit.is_done]
    for unit in units:
        if unit.is_done:
            read_finished(unit)  # what cannot be used is said now, not after hours
    done = len(units) - len(waiting)
    if done:
        console.print(f"{done} of {len(units)} runs were done before", highlight=False)
    with Board(waiting, done, workers, console) as board:
        for unit, finished in side_by_side(do, waiting, workers, board.hear):
            board.finished(unit, finished)


def _write(
    declared: Declared,
    runs: Sequence[Run],
    units: Sequence[Unit],
    places: dict[Community, Place],
    folder: Path,
    seconds: float,
    console: Console,
) -> list[Line]:
    """Gather all rows; write table, page, picture and provenance; print the table."""
    found = {unit.folder: read_finished(unit) for unit in units}
    lines: list[Line] = []
    for community, unit in zip(places, units, strict=False):
        lines += baseline_lines(community.name, found[unit.folder])
        for run in runs:
            if run.community == community:
                seeds = {seed: found[folder / "runs" / folder_of(run) / f"seed-{seed}"] for seed in declared.seeds}
                lines += run_lines(run, seeds)
    facts = _facts(declared, places, found, seconds)
    page = markdown(lines, declared.horizons, facts, len(declared.seeds))
    provenance = {
        **facts,
        "grid": published(declared),
        "runs": {
            path.relative_to(folder).as_posix(): one.model_dump(include={"seed", "steps", "train_seconds",
                                                                         "score_seconds", "shares", "ended_utc"})
            for path, one in found.items()
        },
    }  # fmt: skip
    for name, text in ((CSV, csv_text(lines)), (PAGE, page), (PROVENANCE, json.dumps(provenance, indent=1) + "\n")):
        draft = folder / f".{name}"
        draft.write_text(text, encoding="utf-8")
        draft.replace(folder / name)
    compare_png(lines, declared.horizons, len(declared.seeds), folder / PICTURE)
    show(lines, declared.horizons, len(declared.seeds), console)
    for name in (CSV, PAGE, PICTURE, PROVENANCE):
        console.print(f"[bold]Wrote[/] {folder / name}", highlight=False, soft_wrap=True)
    return lines


def _facts(
    declared: Declared, places: dict[Community, Place], found: dict[Path, Finished], seconds: float
) -> dict[str, str]:
    """Where a comparison comes from, in words."""
    facts = {}
    for community, place in places.items():
        split, name = place.split, f" ({community.name})" if community.name else ""
        facts[f"homes{name}"] = f"{len(place.home_ids)}, data {place.data_hash[:16]}"
        facts[f"days{name}"] = (
            f"learned before {local_of(split.validation):%Y-%m-%d}, decided before {local_of(split.test):%Y-%m-%d}, "
            f"scored until {local_of(split.end):%Y-%m-%d}"
        )
    made_by = sorted({json.dumps(one.versions, sort_keys=True) for one in found.values()})
    facts["versions"] = "; ".join(", ".join(f"{k} {v}" for k, v in json.loads(one).items()) for one in made_by)
    if len(made_by) > 1:
        facts["warning"] = "the runs were made by different versions"
    facts["seeds"] = ", ".join(map(str, declared.seeds))
    worked = sum(one.train_seconds + one.score_seconds for one in found.values())
    facts["seconds"] = f"{worked:.0f} of all runs; {seconds:.0f} of the last command"
    facts["written"] = f"{iso_utc(datetime.now(UTC))}, Commonwatt {versions()['commonwatt']}"
    return facts
