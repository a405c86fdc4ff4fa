"""``python -m datagen``: make homes, bring your own, look at them, and see whether made ones pass for real."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from common.config import RunConfig
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

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_show_locals=False)
_console = Console()
_errors = Console(stderr=True)

Seed = Annotated[int, typer.Option(min=0, help="of everything random")]
app.command()(validate)


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
    solar_share: Annotated[float, typer.Option(max=1, help="negative for the scenario's own")] = -1.0,
) -> None:
    """Generate homes with a year of history before the run."""
    climate = str(Path(climate).resolve()) if Path(climate).is_file() else climate
    config = RunConfig(
        homes=homes, scenario=scenario, climate=climate, stock=stock, date=date, days=days, seed=seed,
        solar_share=solar_share,
    )  # fmt: skip
    config.check()
    with _shown("Generating homes") as progress:
        manifest = prepare_homes(config, out, progress)
    _tell(manifest, out)


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
    seed: Seed = 0,
) -> None:
    """Bring your own homes: read them, check them, and write one folder each."""
    options = ImportOptions(weather=weather, query=query, name=name, pv_kw=pv_kw)
    with _shown("Importing homes") as progress:
        manifest = import_homes(source, options, out, seed, progress)
    _tell(manifest, out)
    print_homes(str(out), _console)


@app.command()
def export(
    source: Annotated[str, typer.Argument(help="homes in any format, such as a folder of 'import' or 'generate'")],
    out: Annotated[Path, typer.Option(help="new file or folder")],
    format_: Annotated[str, typer.Option("--format", help=f"one of: {', '.join(WRITABLE)}")],
) -> None:
    """Write homes in another format."""
    with _errors.status("Writing homes"):
        count = export_homes(source, format_, out)
    _console.print(f"{count} home{'s' if count > 1 else ''} as {format_} in {out}", highlight=False, markup=False)


@app.command()
def describe(source: Annotated[str, typer.Argument(help="homes in any format")]) -> None:
    """Show homes: energy a year, highest load, solar, what is missing, and the course of a day."""
    print_homes(source, _console)


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
    """Run a command; a user's mistake ends in one line and code 2."""
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
