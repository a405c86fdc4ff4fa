"""Options that the commands share, and the run config that they make."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from common.checks import MECHANISMS
from common.config import MODELS, RunConfig
from common.errors import UserError
from common.tariff import load_tariff, tariff_names
from datagen.batteries import battery_mix
from datagen.community import refuse_url
from datagen.events import read_events
from datagen.scenario import SCENARIOS
from experiments.settings import with_settings

USUAL_WORKERS = min(os.cpu_count() or 1, 8)

Scenario = Annotated[str, typer.Option(help=f"Situation of the generated homes: {', '.join(SCENARIOS)}.")]
HomeCount = Annotated[int | None, typer.Option(min=1, help="Households. \\[default: 10, or as many as --data holds]")]
NeighbourCount = Annotated[int, typer.Option(min=0, help="Generated homes beside those of --data.")]
Days = Annotated[int, typer.Option(min=1, help="Days in a row.")]
Climate = Annotated[
    str, typer.Option(help="Climate of the generated homes: zone 1 to 16 of California, or a weather file.")
]
Seed = Annotated[int, typer.Option(min=0, help="Of everything random; the same seed gives the same trades.")]
Day = Annotated[
    str, typer.Option("--date", help="First day, YYYY-MM-DD. \\[default: the scenario's, or the last possible]")
]
Data = Annotated[
    str,
    typer.Option(
        help="Real homes: a folder or file of a known format, such as one of 'python -m datagen import', or a SQLite "
        "database. \\[default: generated homes]"
    ),
]
Out = Annotated[Path | None, typer.Option(help="Folder for the results. \\[default: outputs/<date-time>]")]
TariffName = Annotated[str, typer.Option(help=f"Tariff: {', '.join(tariff_names())}, or a JSON file (OpenEI URDB).")]
SolarShare = Annotated[
    float | None, typer.Option(min=0, max=1, help="Share of homes with solar. \\[default: the scenario's; 0.5]")
]
SettlementName = Annotated[
    str, typer.Option("--settlement", help="firm: fills are duties; metered: trade what was metered.")
]
MechanismName = Annotated[str, typer.Option("--mechanism", help=f"Of the market: {', '.join(MECHANISMS)}.")]
Batteries = Annotated[
    str,
    typer.Option(
        help="Capacities in kWh and shares of the homes, as 13.5=0.5,5=0.25,0=0.25. \\[default: the homes' own, 13.5]"
    ),
]
Events = Annotated[
    str,
    typer.Option(help="Calendar of events that many watch, CSV (start, end) or iCalendar; homes know it beforehand."),
]
Init = Annotated[
    str, typer.Option(help="Start from this model.safetensors, or that of a run's or checkpoint's folder.")
]
Workers = Annotated[int, typer.Option(min=1, help="Worker processes of the simulation.")]
Model = Annotated[str, typer.Option(help=f"Size of the Transformer: {', '.join(MODELS)}.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other key of the run config.")
]


def run_config(
    *,
    data: str,
    homes: int | None,
    scenario: str,
    seed: int,
    solar_share: float | None,
    model: str,
    climate: str,
    neighbours: int = 0,
    days: int = 1,
    date: str = "",
    tariff: str = "pge-tou-c",
    settlement: str = "firm",
    mechanism: str = "sdr",
    events: str = "",
    batteries: str = "",
    settings: Sequence[str] | None = None,
    usual_homes: int = 10,
) -> RunConfig:
    """Run config of the command line's options, checked before anything is written.

    Args:
        homes: None for all that ``data`` holds, or ``usual_homes`` generated ones.
        solar_share: None for the scenario's own.
        settings: any other keys, as ``KEY=VALUE``.
    """
    refuse_url(data)
    if batteries:
        battery_mix(batteries)
    if events:
        read_events(Path(events))  # before anything is made
    config = RunConfig(
        data=str(Path(data).resolve()) if data else "generated",
        homes=homes if homes is not None else 0 if data else usual_homes,
        neighbours=neighbours,
        scenario=scenario,
        days=days,
        seed=seed,
        date=date,
        settlement=settlement,
        mechanism=mechanism,
        model=model,
        solar_share=-1.0 if solar_share is None else solar_share,
        tariff=str(Path(tariff).resolve()) if Path(tariff).is_file() else tariff,
        climate=str(Path(climate).resolve()) if Path(climate).is_file() else climate,
        batteries=batteries,
        events=str(Path(events).resolve()) if events else "",
    )
    config.check()
    config = with_settings(config, settings or [])
    load_tariff(config.tariff)
    if data and not Path(data).exists():
        raise UserError(f"--data {data}: no such folder or file")
    return config


def whole_path(init: str) -> str:
    """The path of ``--init`` for processes that work elsewhere; empty for none.

    Raises:
        UserError: nothing is there.
    """
    if init and not Path(init).exists():
        raise UserError(
            f"--init {init}: no such file or folder; expected a model.safetensors, or the folder of a run or checkpoint"
        )
    return str(Path(init).resolve()) if init else ""
