"""Commonwatt's composition root and command line.

``python simulation.py day`` runs a trading day through ``flwr run`` in simulation mode, ``deploy`` the same app over
separate processes, ``evaluate`` many days over the in-process grid, and ``train`` federated rounds without a market.
``app`` is the ServerApp of them all, and of a plain ``flwr run .``: it prepares the homes where it may, runs the
community, and reports.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from click.core import ParameterSource
from flwr.app import Context
from flwr.serverapp import Grid, ServerApp
from rich.console import Console
from rich.progress import Progress as RichProgress

from common.blocks import write_blocks
from common.checks import STRATEGIES
from common.config import RunConfig, commonwatt_home
from common.errors import UserError
from common.events import EventLog
from datagen.community import prepare_homes, refuse_url
from datagen.manifest import CommunityManifest
from datagen.writing import Progress as Told
from experiments.compare.command import compare as run_comparison
from experiments.evaluating import EVALUATION, EVALUATION_CHART, evaluate_days
from experiments.options import (
    USUAL_WORKERS,
    Batteries,
    Climate,
    Data,
    Day,
    Days,
    Events,
    HomeCount,
    Init,
    MechanismName,
    Model,
    NeighbourCount,
    Out,
    Scenario,
    Seed,
    Settings,
    SettlementName,
    SolarShare,
    TariffName,
    Workers,
    run_config,
    whole_path,
)
from experiments.scenarios import SCENARIO_TABLE, run_scenarios
from experiments.settings import with_settings
from experiments.skill.command import benchmark
from experiments.through_flower import cause, through_flower, watched
from experiments.trading import CHART, RESULT, run_trading
from experiments.training import TRAINING, resume, run_experiment, watch_rounds
from experiments.training import train as train_in_process
from report.chosen_days import spread_blocks, year_blocks
from report.events import follow
from report.schema import Result
from report.summary import print_evaluation, print_result
from report.terminal import mistakes, output_folder
from report.training import TrainingResult, print_training
from server.app import EVENTS, LEDGER
from server.averaging import check_learning
from server.checkpoint import MODEL
from server.launch import LaunchError, run_to_end
from server.loopback import deployment
from server.training_run import ROUNDS

PROJECT = Path(__file__).resolve().parent
app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the community that the run config describes, and report."""
    config = RunConfig.parse(context.run_config)
    out = _fresh_output(config, context.run_id)
    training = config.mode == "train"
    events = EventLog(out / EVENTS, watch_rounds(out) if training else None)
    try:
        root, data_hash = None, ""
        if config.data != "household":
            root = config.homes_root()
            manifest = _community(config, root)
            config, data_hash = _resolved(config, manifest), manifest.data_hash
        if training:
            seconds = run_experiment(grid, config, out, events, context.run_id, data_hash).seconds
        else:
            seconds = run_trading(grid, config, root, out, events, data_hash)
        events.write("run-ended", ok=True, seconds={name: round(value, 2) for name, value in seconds.items()})
    except UserError as error:
        events.write("error", message=str(error), mendable=True)
        raise
    except Exception as error:
        events.write("error", message=f"{type(error).__name__}: {error}", mendable=False)
        raise
    finally:
        events.close()
    print(f"Commonwatt wrote {out / (TRAINING if training else RESULT)}", flush=True)


def _fresh_output(config: RunConfig, run_id: int) -> Path:
    """Folder of a run's results, which no other run has used.

    Raises:
        UserError: it holds a run already, a path is relative, or an option is not for a run of its own.
    """
    refuse_url(config.data)
    for name in ("out", "data", "homes_dir", "init", "events"):
        path = getattr(config, name)
        if path and path not in ("generated", "household") and not Path(path).is_absolute():
            raise UserError(f"{name.replace('_', '-')} '{path}': the path must be absolute")
    made = config.data == "generated" or config.neighbours
    if made and not config.climate.isdecimal() and not Path(config.climate).is_absolute():
        raise UserError(f"climate '{config.climate}': a zone from 1 to 16, or an absolute path")
    if config.test_days:
        raise UserError("test-days: use 'python simulation.py evaluate', which reports day by day")
    out = Path(config.out) if config.out else commonwatt_home() / "outputs" / str(run_id)
    if (out / LEDGER).exists() or (out / EVENTS).exists():
        raise UserError(f"out '{out}' holds another run: name another folder, so that nothing is overwritten")
    return out


def _community(config: RunConfig, root: Path, progress: Told | None = None) -> CommunityManifest:
    """Make or import the homes of a run under ``root``.

    Raises:
        UserError: as :func:`datagen.community.prepare_homes`; or the run could not begin to learn, which is said before
            homes are made wherever their number is known.
    """
    if config.homes:
        check_learning(config, config.homes + config.neighbours)
    manifest = prepare_homes(config, root, progress)
    check_learning(config, len(manifest.homes))
    return manifest


def _resolved(config: RunConfig, manifest: CommunityManifest) -> RunConfig:
    """The run's options with what the data decided: homes, first day, and the data's name, for its path is private.

    A training run has no first day: without a date it learns from all but the last weeks.
    """
    first = config.date if config.mode == "train" else manifest.start_date.isoformat()
    return replace(config, homes=len(manifest.homes), date=first, data=manifest.source)


# -- command line ---------------------------------------------------------------------------------------------------

cli = typer.Typer(
    name="commonwatt", no_args_is_help=True, add_completion=False, rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    help="Homes with batteries trade energy with each other; each is a Flower client.",
)  # fmt: skip
_console = Console(soft_wrap=False)


@cli.command()
def day(
    scenario: Scenario = "default",
    homes: HomeCount = None,
    days: Days = 1,
    seed: Seed = 0,
    date_: Day = "",
    data: Data = "",
    neighbours: NeighbourCount = 0,
    out: Out = None,
    tariff: TariffName = "pge-tou-c",
    solar_share: SolarShare = None,
    settlement: SettlementName = "firm",
    mechanism: MechanismName = "sdr",
    model: Model = "full",
    climate: Climate = "12",
    slots: Annotated[int, typer.Option(min=0, help="Stop after so many half-hours; 0 for whole days.")] = 0,
    events: Events = "",
    batteries: Batteries = "",
    init: Init = "",
    workers: Workers = USUAL_WORKERS,
    settings: Settings = None,
) -> None:
    """Run a trading day through [bold]flwr run[/bold] in simulation mode: each household its own Flower client."""
    with mistakes(LaunchError):
        began = time.monotonic()
        config = run_config(
            data=data, homes=homes, neighbours=neighbours, scenario=scenario, days=days, date=date_, seed=seed,
            tariff=tariff, solar_share=solar_share, settlement=settlement, mechanism=mechanism, model=model,
            climate=climate, events=events, batteries=batteries, settings=settings,
        )  # fmt: skip
        with output_folder(out) as folder:
            config = replace(
                config, slots=slots, homes_dir=str(folder / "homes"), out=str(folder), init=whole_path(init)
            )
            nodes = len(_prepare(config).homes)
            _console.print(f"{nodes} homes are ready; starting Flower")
            through_flower(PROJECT, config, folder, nodes, workers, _console)
            _show_result(folder, began)


@cli.command()
def deploy(
    homes: Annotated[
        int | None, typer.Option(min=1, help="Households, a process each. \\[default: 3, or as many as --data holds]")
    ] = None,
    start_slot: Annotated[int, typer.Option(min=0, max=45, help="Begin so many half-hours after midnight.")] = 16,
    slots: Annotated[int, typer.Option(min=0, help="Half-hours to trade; 0 for the rest of the day.")] = 12,
    scenario: Scenario = "default",
    seed: Seed = 0,
    date_: Day = "",
    data: Data = "",
    neighbours: NeighbourCount = 0,
    out: Out = None,
    tariff: TariffName = "pge-tou-c",
    solar_share: SolarShare = None,
    settlement: SettlementName = "firm",
    mechanism: MechanismName = "sdr",
    model: Model = "small",
    climate: Climate = "12",
    settings: Settings = None,
) -> None:
    """Run the same app over separate processes on this machine: SuperLink and SuperNodes, with TLS and known keys."""
    with mistakes(LaunchError):
        began = time.monotonic()
        config = run_config(
            data=data, homes=homes, neighbours=neighbours, scenario=scenario, date=date_, seed=seed, tariff=tariff,
            solar_share=solar_share, settlement=settlement, mechanism=mechanism, model=model, climate=climate,
            usual_homes=3, settings=settings,
        )  # fmt: skip
        with output_folder(out) as folder:
            config = replace(config, homes_dir=str(folder / "homes"), start_slot=start_slot, slots=slots)
            manifest = _prepare(config)
            # From here on only each household's own process knows its folder.
            config = replace(
                _resolved(config, manifest),
                data="household",
                neighbours=0,
                homes_dir="",
                out=str(folder),
                poll_s=0.2,
                timeout_s=180.0,
            )
            with (
                cause(folder),
                deployment(folder / "flower", [folder / "homes" / home for home in manifest.homes]) as link,
            ):
                run_to_end(link, PROJECT, config.flat(), {}, watched(folder, _console))
            _show_result(folder, began)


def _prepare(config: RunConfig) -> CommunityManifest:
    """Make or import the homes under ``config.homes_dir``, and say what a user should know of them."""
    with RichProgress(console=_console, transient=True) as shown:
        task = shown.add_task("Preparing the homes", total=None)
        manifest = _community(
            config, Path(config.homes_dir), lambda done, total: shown.update(task, completed=done, total=total)
        )
    for warning in manifest.warnings:
        _console.print(f"[yellow]warning:[/] {warning}", highlight=False)
    return manifest


def _show_result(folder: Path, began: float) -> None:
    """Print the result; what the run's phases leave of the wall time was spent on starting and ending processes."""
    result = Result.model_validate_json((folder / RESULT).read_bytes())
    seconds = next(event["seconds"] for event in follow(folder / EVENTS) if event["event"] == "run-ended")
    seconds = {"start-up": time.monotonic() - began - sum(seconds.values()), **seconds}
    files = [folder / name for name in (RESULT, CHART, LEDGER, EVENTS, MODEL) if (folder / name).exists()]
    print_result(result, _console, seconds, files)


@cli.command()
def evaluate(
    data: Data = "",
    neighbours: NeighbourCount = 0,
    days: Annotated[
        int, typer.Option(min=1, help="Test days, spread evenly; each is later than all training data.")
    ] = 28,
    homes: HomeCount = None,
    scenario: Scenario = "default",
    seed: Seed = 0,
    out: Out = None,
    tariff: TariffName = "pge-tou-c",
    solar_share: SolarShare = None,
    settlement: SettlementName = "firm",
    mechanism: MechanismName = "sdr",
    model: Model = "small",
    climate: Climate = "12",
    forecaster: Annotated[
        str, typer.Option(help="hybrid, base (no Transformer), profile, or perfect (a bound).")
    ] = "hybrid",
    init: Init = "",
    span: Annotated[int, typer.Option(min=1, help="Test days in blocks of so many days in a row.")] = 1,
    year: Annotated[
        bool, typer.Option("--year", help="All days that the data has, a block for each month, in place of --days.")
    ] = False,
    bounds: Annotated[
        bool, typer.Option(help="Run the days again with foresight, with 3 hours of look-ahead, and by a plain rule.")
    ] = True,
    events: Events = "",
    batteries: Batteries = "",
    settings: Settings = None,
) -> None:
    """Measure savings over many test days, with the same app on the in-process grid and a model frozen on each day."""
    with mistakes(LaunchError):
        began = time.monotonic()
        config = run_config(
            data=data, homes=homes, neighbours=neighbours, scenario=scenario, seed=seed, tariff=tariff,
            solar_share=solar_share, settlement=settlement, mechanism=mechanism, model=model, climate=climate,
            events=events, batteries=batteries, settings=settings,
        )  # fmt: skip
        config = replace(config, forecaster=forecaster, init=whole_path(init))
        config.check()
        with output_folder(out) as folder:
            config = replace(config, homes_dir=str(folder / "homes"), out=str(folder))
            manifest = _prepare(config)
            first, last, gaps = manifest.first_day, manifest.last_day, manifest.gap_days
            blocks = year_blocks(first, last, gaps) if year else spread_blocks(first, last, days, span, gaps)
            config = replace(_resolved(config, manifest), test_days=write_blocks(blocks))
            # Of a year each month is learned for by itself.
            config = replace(config, homes_per_node=config.homes, refit_days=1 if year else config.refit_days)
            measured = evaluate_days(config, folder, manifest.data_hash, began, _console, bounds=bounds)
            print_evaluation(measured, _console)
            _say_written(folder, EVALUATION, EVALUATION_CHART, LEDGER, EVENTS, MODEL)


@cli.command()
def scenarios(
    homes: HomeCount = None,
    days: Days = 1,
    seed: Seed = 0,
    out: Out = None,
    tariff: TariffName = "pge-tou-c",
    settlement: SettlementName = "firm",
    model: Model = "small",
    climate: Climate = "12",
    forecaster: Annotated[str, typer.Option(help="base (no Transformer), hybrid, profile, or perfect.")] = "base",
    events: Events = "",
    batteries: Batteries = "",
    settings: Settings = None,
) -> None:
    """Run the day of every scenario, in-process, and show them in one table."""
    with mistakes(LaunchError):
        config = run_config(
            data="", homes=homes, scenario="default", days=days, seed=seed, tariff=tariff, solar_share=None,
            settlement=settlement, model=model, climate=climate, events=events,
            batteries=batteries, settings=settings,
        )  # fmt: skip
        config = replace(config, forecaster=forecaster)
        config.check()
        with output_folder(out) as folder:
            run_scenarios(config, folder, _prepare, _resolved, _console)
            _say_written(folder, SCENARIO_TABLE)


@cli.command()
def train(
    context: typer.Context,
    rounds: Annotated[int, typer.Option(min=1, help="Federated rounds.")] = 20,
    strategy: Annotated[str, typer.Option(help=f"Rule of the average: {', '.join(STRATEGIES)}.")] = "fedavg",
    data: Data = "",
    homes: HomeCount = None,
    scenario: Scenario = "default",
    seed: Seed = 0,
    date_: Annotated[
        str, typer.Option("--date", help="Learn before this day, YYYY-MM-DD. \\[default: all but the last 8 weeks]")
    ] = "",
    out: Out = None,
    solar_share: SolarShare = None,
    model: Model = "small",
    climate: Climate = "12",
    neighbours: NeighbourCount = 0,
    personalisation: Annotated[str, typer.Option(help="none, head (own heads) or finetune (own copy).")] = "none",
    dp: Annotated[str, typer.Option(help="Differential privacy: none, fixed or adaptive clipping.")] = "none",
    settings: Settings = None,
    init: Init = "",
    resumed: Annotated[
        Path | None, typer.Option("--resume", help="Go on with the run in this folder; takes no other option.")
    ] = None,
    grid: Annotated[str, typer.Option(help="in-process, or ray: through flwr run in simulation mode.")] = "in-process",
    workers: Workers = USUAL_WORKERS,
) -> None:
    """Train the forecasters by federation, without a market; measure them on days that nobody learned from."""
    with mistakes(LaunchError):
        if resumed is not None:
            others = [
                p
                for p in context.params
                if p != "resumed" and context.get_parameter_source(p) is ParameterSource.COMMANDLINE
            ]
            if others:
                raise UserError(f"--resume takes all options from the run; leave out: {', '.join(sorted(others))}")
            _show_training(resume(resumed.resolve(), _console), resumed.resolve())
            return
        if grid not in ("in-process", "ray"):
            raise UserError(f"--grid {grid}: choose one of: in-process, ray")
        config = run_config(
            data=data, homes=homes, neighbours=neighbours, scenario=scenario, date=date_, seed=seed,
            solar_share=solar_share, model=model, climate=climate,
        )  # fmt: skip
        config = replace(
            config, mode="train", rounds=rounds, strategy=strategy, personalisation=personalisation, dp=dp,
            init=whole_path(init),
        )  # fmt: skip
        config = with_settings(config, settings or [])
        with output_folder(out) as folder:
            config = replace(config, homes_dir=str(folder / "homes"), out=str(folder))
            manifest = _prepare(config)
            if grid == "ray":
                through_flower(
                    PROJECT, config, folder, -(-len(manifest.homes) // config.homes_per_node), workers, _console
                )
                result = TrainingResult.model_validate_json((folder / TRAINING).read_bytes())
            else:
                result = train_in_process(_resolved(config, manifest), folder, manifest.data_hash, _console)
            _show_training(result, folder)


@cli.command("forecast-benchmark")
def forecast_benchmark(
    data: Data = "",
    homes: HomeCount = None,
    scenario: Scenario = "default",
    seed: Seed = 0,
    out: Out = None,
    solar_share: SolarShare = None,
    model: Model = "full",
    climate: Climate = "12",
    rounds: Annotated[int, typer.Option(min=1, help="Federated rounds; the other trainings get as many steps.")] = 24,
    settings: Settings = None,
    init: Init = "",
    workers: Workers = USUAL_WORKERS,
) -> None:
    """Train and score every forecaster on the same homes: naive, ridge, LightGBM, Transformer, hybrid."""
    with mistakes(LaunchError):
        share = 1.0 if solar_share is None and data else solar_share  # real homes keep their panels
        config = run_config(
            data=data, homes=homes, scenario=scenario, seed=seed, solar_share=share, model=model, climate=climate
        )
        config = replace(config, rounds=rounds, init=whole_path(init))
        config = with_settings(config, settings or [])
        with output_folder(out) as folder:
            config = replace(config, homes_dir=str(folder / "homes"), out=str(folder))
            manifest = _prepare(config)
            benchmark(_resolved(config, manifest), manifest, folder, workers, _console)


@cli.command()
def compare(
    file: Annotated[
        Path | None, typer.Argument(help="TOML file that declares the runs (docs/experiments.md).", show_default=False)
    ] = None,
    out: Out = None,
    resumed: Annotated[
        Path | None, typer.Option("--resume", help="Go on with the comparison in this folder, whose grid it keeps.")
    ] = None,
    workers: Workers = USUAL_WORKERS,
) -> None:
    """Train and score a grid of strategies, settings and seeds: one table with confidence intervals, and a picture."""
    with mistakes(LaunchError):
        if (file is None and resumed is None) or (out is not None and resumed is not None):
            raise UserError("name a TOML file that declares the runs, or --resume DIR; and one of --out and --resume")
        if resumed is not None and not resumed.is_dir():
            raise UserError(f"--resume {resumed}: no such folder")
        run_comparison(file, resumed or out, workers, _prepare, _console)


def _show_training(result: TrainingResult, folder: Path) -> None:
    print_training(result, _console)
    _say_written(folder, TRAINING, ROUNDS, MODEL)


def _say_written(folder: Path, *names: str) -> None:
    for path in (folder / name for name in names if (folder / name).exists()):
        _console.print(f"[bold]Wrote[/] {path}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    cli()
