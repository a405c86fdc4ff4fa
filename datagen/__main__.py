"""``python -m datagen``: make homes, bring your own, look at them, and see whether made ones pass for real."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from common.config import MOST_BATTERY_KW, MOST_BATTERY_KWH, RunConfig
from common.errors import UserError
from datagen.community import import_homes, prepare_homes
from datagen.exporting import WRITABLE, export_homes
from datagen.importers import IMPORTERS
from datagen.importing import ImportOptions
from datagen.inventory import print_homes
from datagen.manifest import CommunityManifest
from datagen.scenario import SCENARIOS
from datagen.stock import STOCKS
from datagen.validation.command import validate

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_show_locals=False,
    help="Make homes, bring your own, look at them, and see whether made ones pass for real.",
)  # fmt: skip
_console = Console()
_errors = Console(stderr=True)

Seed = Annotated[int, typer.Option(min=0, help="of everything random")]


@app.command(name="import")
def import_(
    source: Annotated[str, typer.Argument(help="file, folder, .zip or database URL; see 'formats'")],
    out: Annotated[Path, typer.Option(help="folder of the homes' folders; new or empty")],
    weather: Annotated[
        str, typer.Option(help="weather of those dates: EPW, NSRDB CSV, Open-Meteo JSON, or open-meteo:LAT,LON")
    ] = "",
    query: Annotated[str, typer.Option(help="SELECT that gives the readings, where the source is a database")] = "",
    name: Annotated[str, typer.Option(help="home id, or what ids begin with; the source's own by default")] = "",
    pv_kw: Annotated[float | None, typer.Option(min=0.1, max=1000, help="rated power of the panels, kW")] = None,
    battery_kwh: Annotated[
        float | None,
        typer.Option(min=0, max=MOST_BATTERY_KWH, help="capacity of each home's battery, kWh; the usual is 13.5"),
    ] = None,
    battery_kw: Annotated[
        float | None, typer.Option(min=0.1, max=MOST_BATTERY_KW, help="its power either way, kW; the usual is 5")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Bring your own homes: read them, check them, and write one folder each.

    SOURCE is a file, a folder, a .zip or a database URL in any format of 'formats'.
    """

    def tell(line: str) -> None:
        _console.print(line, highlight=False, markup=False, soft_wrap=True)

    options = ImportOptions(weather, query, name, pv_kw, battery_kwh, battery_kw, tell)
    with _shown("Importing homes") as progress:
        manifest = import_homes(source, options, out, seed, progress)
    _tell(manifest, out)
    print_homes(str(out), _console)


@app.command()
def generate(
    out: Annotated[Path, typer.Option(help="folder of the homes' folders; new, or made from the same options")],
    homes: Annotated[int, typer.Option(min=1, help="number of homes")] = 10,
    scenario: Annotated[str, typer.Option(help=f"situation: {', '.join(SCENARIOS)}")] = "default",
    climate: Annotated[str, typer.Option(help="climate zone of California, 1 to 16, or a weather file")] = "12",
    stock: Annotated[str, typer.Option(help=f"housing stock: {', '.join(STOCKS)}")] = "california",
    date: Annotated[str, typer.Option(help="first day of the run, YYYY-MM-DD; the scenario's own by default")] = "",
    days: Annotated[int, typer.Option(min=1, help="days of the run, after a year of history")] = 1,
    seed: Seed = 0,
    solar_share: Annotated[
        float | None, typer.Option(min=0, max=1, help="share of homes with solar; the scenario's own by default")
    ] = None,
) -> None:
    """Generate homes with a year of history before the run."""
    climate = str(Path(climate).resolve()) if Path(climate).is_file() else climate
    config = RunConfig(
        homes=homes, scenario=scenario, climate=climate, stock=stock, date=date, days=days, seed=seed,
        solar_share=-1.0 if solar_share is None else solar_share,
    )  # fmt: skip
    config.check()
    with _shown("Generating homes") as progress:
        manifest = prepare_homes(config, out, progress)
    _tell(manifest, out)


@app.command()
def describe(source: Annotated[str, typer.Argument(help="homes in any format")]) -> None:
    """Show homes: energy a year, highest load, solar, what is missing, and the course of a day.

    SOURCE is homes in any format, such as a folder of 'import' or 'generate'.
    """
    print_homes(source, _console)


@app.command()
def export(
    source: Annotated[str, typer.Argument(help="homes in any format, such as a folder of 'import' or 'generate'")],
    out: Annotated[
        Path,
        typer.Option(help="new: csv writes OUT.csv and OUT.toml, sql the SQLite file OUT, all others a folder OUT"),
    ],
    format_: Annotated[str, typer.Option("--format", help=f"one of: {', '.join(WRITABLE)}")],
) -> None:
    """Write homes in another format.

    SOURCE is homes in any format, such as a folder of 'import' or 'generate'.
    """
    with _errors.status("Writing homes"):
        count, written, notes = export_homes(source, format_, out)
    where = ", ".join(f"{path}{os.sep if path.is_dir() else ''}" for path in written)
    homes = f"{count} home{'s' if count > 1 else ''}"
    _console.print(f"{homes} as {format_} in {where}", highlight=False, markup=False, soft_wrap=True)
    for note in notes:
        _console.print(f"note: {note}", highlight=False, markup=False, soft_wrap=True)


app.command()(validate)


@app.command()
def formats() -> None:
    """List the formats that can be read and written."""
    for importer in IMPORTERS.values():
        written = "read and written" if importer.save is not None else "read"
        _console.print(f"[bold]{importer.name}[/] ({written}): {escape(importer.summary)}", highlight=False)


@contextmanager
def _shown(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar that shows how many homes are done."""
    with Progress(console=_errors, transient=True) as shown:
        task = shown.add_task(what, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def _tell(manifest: CommunityManifest, out: Path) -> None:
    count = len(manifest.homes)
    _console.print(
        f"{count} home{'s' if count > 1 else ''}, {manifest.first_day} to {manifest.last_day}, in {out}",
        highlight=False, markup=False,
    )  # fmt: skip


def main() -> None:
    """Run a command; a user's mistake ends in a message and code 2."""
    try:
        app()
    except UserError as error:
        _errors.print(f"[red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise SystemExit(2) from None
    except OSError as error:  # a full disk, a folder that may not be written
        place = error.filename or "no file named"
        _errors.print(f"[red]error:[/] {escape(str(error.strerror or error))}: {place}", highlight=False)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
