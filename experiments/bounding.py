"""The same days again, decided in other ways: what a forecast, a look-ahead and a plan are worth.

Each comparison is a run of the same app over the same homes, in-process and on one node, whose books are thrown away
when they have been read.  None trains a Transformer: foresight needs no model, the look-ahead of three hours forecasts
with the linear base, and the rule sizes its orders on the homes' seasonal profile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from client.node import forget_run
from common.books import Books
from common.config import RunConfig
from common.events import EventLog
from common.readings import home_folders
from market.ledger import read_books
from server.app import EVENTS, LEDGER, run_community
from server.local_grid import LocalGrid, new_run_id

Told = Callable[[dict[str, object]], None]
"""Told each event of a run."""


@dataclass(frozen=True)
class Comparison:
    """A way to decide.

    Attributes:
        name: as in ``report.observed.Bounds``, less ``_nusd``.
        title: for people.
        planner: of the homes.
        forecaster: of the homes, where the run that is compared has a Transformer or none of its own.
    """

    name: str
    title: str
    planner: str
    forecaster: str


COMPARISONS = (
    Comparison("perfect_forecast", "with a perfect forecast", "optimal", "perfect"),
    Comparison("near", "with a look-ahead of three hours", "3h", "base"),
    Comparison("rule", "with a plain time-of-use rule", "rule", "profile"),
)


def compared_config(config: RunConfig, comparison: Comparison, root: Path) -> RunConfig:
    """Options of the run ``config``, over the homes' folders under ``root``, with another way to decide."""
    forecaster = comparison.forecaster
    if config.forecaster in ("profile", "perfect") and forecaster == "base":
        forecaster = config.forecaster  # no better informed than the run that it is compared with
    return replace(
        config,
        planner=comparison.planner,
        forecaster=forecaster,
        warmup_rounds=0,
        # The community's sums renew the base's forecasts as often as in the run itself.
        round_every_slots=config.round_every_slots if forecaster == "base" else 0,
        personalisation="none",
        dp="none",
        init="",
        homes_per_node=config.homes,
        homes_dir=str(root),
    )


def compared_books(config: RunConfig, comparison: Comparison, root: Path, told: Told | None = None) -> Books:
    """Books of the same days, decided in another way."""
    from client.app import app as client_app

    other, run_id = compared_config(config, comparison, root), new_run_id()
    with TemporaryDirectory() as folder:
        out = Path(folder)
        events = EventLog(out / EVENTS, told)
        try:
            run_community(LocalGrid(client_app, 1, other.flat(), run_id=run_id), other, out, events)
        finally:
            events.close()
            forget_run(run_id, home_folders(root))
        return read_books(out / LEDGER)
