"""``python -m datagen``: make homes, and look at them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from common.config import RunConfig
from common.errors import UserError
from common.readings import CHANNELS, home_folders, read_facts, read_readings
from common.units import SLOT_HOURS, WH_PER_KWH
from datagen.community import prepare_homes
from datagen.manifest import read_manifest

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)


@app.command()
def generate(
    out: Annotated[Path, typer.Option(help="folder of the homes' folders; new, or made from the same options")],
    homes: Annotated[int, typer.Option(min=1, help="number of homes")] = 10,
    scenario: Annotated[str, typer.Option(help="see the documentation of datagen/scenario.py")] = "default",
    date: Annotated[str, typer.Option(help="first day of the run, YYYY-MM-DD; the scenario's own by default")] = "",
    days: Annotated[int, typer.Option(min=1, help="days of the run, after a year of history")] = 1,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    solar_share: Annotated[float, typer.Option(max=1, help="negative for the scenario's own")] = -1.0,
) -> None:
    """Generate homes with a year of history before the run."""
    config = RunConfig(homes=homes, scenario=scenario, date=date, days=days, seed=seed, solar_share=solar_share)
    manifest = prepare_homes(config, out)
    typer.echo(f"{len(manifest.homes)} homes, {manifest.first_day} to {manifest.last_day}, in {out}")


@app.command()
def describe(folder: Annotated[Path, typer.Argument(help="folder of the homes' folders")]) -> None:
    """Show the homes of a folder: energy a year, highest load, solar."""
    folders = home_folders(folder)
    if not folders:
        raise UserError(f"{folder}: no homes here (no */home.json)")
    manifest = read_manifest(folder)
    title = f"{folder}" if manifest is None else f"{manifest.source}: {manifest.first_day} to {manifest.last_day}"
    table = Table(title=title)
    for heading in ("home", "kind"):
        table.add_column(heading, no_wrap=True)
    for heading in ("load kWh/year", "peak kW", "EV kWh/year", "solar kW", "solar kWh/year"):
        table.add_column(heading, justify="right")
    for home in folders:
        facts, readings = read_facts(home), read_readings(home)
        per_year = 365 * 24 / (len(readings) * SLOT_HOURS) / WH_PER_KWH
        ev_wh = 0 if readings.channels is None else int(readings.channels[CHANNELS.index("ev_wh")].sum())
        table.add_row(
            facts.home_id,
            facts.archetype,
            f"{readings.load_wh.sum() * per_year:,.0f}",
            f"{readings.load_wh.max() / SLOT_HOURS / WH_PER_KWH:.1f}",
            f"{ev_wh * per_year:,.0f}" if ev_wh else "",
            f"{facts.pv_kw:.2f}" if facts.pv_kw else "",
            f"{readings.pv_wh.sum() * per_year:,.0f}" if facts.pv_kw else "",
        )
    console = Console()
    console.print(table)
    for warning in [] if manifest is None else manifest.warnings:
        console.print(f"note: {warning}", highlight=False, markup=False)


if __name__ == "__main__":
    try:
        app()
    except UserError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
