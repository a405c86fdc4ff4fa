"""A community of real homes: which of them, on which days, and which keep their solar."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from common.clock import day_slots, local_of
from common.config import RunConfig
from common.errors import UserError
from common.readings import Readings
from datagen.importers import importer_for
from datagen.source import Community, Home, asked_days, plus_days
from datagen.streams import Purpose, community_stream
from datagen.weather_forecast import issue_forecasts

LEAST_HISTORY_DAYS = 56
DEFAULT_SOLAR_SHARE = 0.5
FAULTY_SHARE = 0.10
"""A home with more than this share of hours under 1 Wh has a dead meter."""


def imported_community(config: RunConfig) -> Community:
    """Community of the real homes at the path ``config.data``.

    Homes whose meter is dead for much of the time come last, so they are taken only when so many are asked for; 0
    homes means all others.  Without a date the run is the last one that the data holds.

    Raises:
        UserError: an unknown format, bad data, more homes than there are, or a date outside of the data.
    """
    imported = importer_for(config.data).load(config.data)
    homes, warnings = _choose_homes(config, imported.homes, config.data)
    warnings = [*imported.warnings, *warnings]
    if config.scenario != "default":
        warnings.append(f"scenario '{config.scenario}' concerns generated homes only; the real ones are as measured")
    first_day, last_day = _whole_days([readings for _, readings in homes])
    start = _start_date(config, first_day, last_day, config.data)
    homes = _keep_solar(config, homes, warnings)
    return Community(
        source=config.data,
        scenario="",
        count=len(homes),
        homes=iter(homes),
        forecast=None if imported.weather is None else issue_forecasts(imported.weather, config.seed),
        first_day=first_day,
        last_day=last_day,
        start_date=start,
        warnings=warnings,
    )


def dead_share(readings: Readings) -> float:
    """Share of hours with a load under 1 Wh."""
    whole = len(readings) // 2 * 2
    return float((readings.load_wh[:whole].reshape(-1, 2).sum(axis=1) < 1).mean()) if whole else 1.0


def _choose_homes(config: RunConfig, homes: list[Home], where: str) -> tuple[list[Home], list[str]]:
    faulty = {facts.home_id: dead_share(readings) for facts, readings in homes}
    faulty = {home_id: share for home_id, share in faulty.items() if share > FAULTY_SHARE}
    ranked = sorted(homes, key=lambda home: home[0].home_id in faulty)  # stable: else as in the file
    if config.homes > len(homes):
        raise UserError(
            f"asked for {config.homes} homes, {where} has {len(homes)}; leave --homes out to take all that are sound"
        )
    taken = ranked[: config.homes or len(homes) - len(faulty)]
    if not taken:
        raise UserError(f"{where}: no home has a working meter; ask for a number of homes to take them all the same")
    warnings = []
    ids = {facts.home_id for facts, _ in taken}
    for home_id, share in faulty.items():
        verdict = "taken, since so many homes were asked for" if home_id in ids else "left out"
        warnings.append(f"{home_id}: {share:.0%} of its hours read zero, a dead meter; {verdict}")
    return sorted(taken, key=lambda home: home[0].home_id), warnings


def _whole_days(readings: list[Readings]) -> tuple[date, date]:
    """First and last local day that all homes cover whole."""
    first_slot, end_slot = max(r.first_slot for r in readings), min(r.end_slot for r in readings)
    first, last = local_of(first_slot).date(), local_of(end_slot).date() - timedelta(days=1)
    if day_slots(first).start < first_slot:
        first += timedelta(days=1)
    return first, last


def _start_date(config: RunConfig, first_day: date, last_day: date, where: str) -> date:
    """First day of the run, with enough history before it and all of its days inside the data."""
    earliest = first_day + timedelta(days=LEAST_HISTORY_DAYS)
    first, last = asked_days(config) or (plus_days(last_day, 1 - config.days), last_day)
    if first < earliest or last > last_day:
        raise UserError(
            f"{where} holds {first_day} to {last_day}; a run of {first} to {last} does not fit: "
            f"it must lie between {earliest} ({LEAST_HISTORY_DAYS} days of history) and {last_day}"
        )
    return first


def _keep_solar(config: RunConfig, homes: list[Home], warnings: list[str]) -> list[Home]:
    """Homes of which a seeded choice keeps its solar: a share of all homes, as far as there are any with solar."""
    share = DEFAULT_SOLAR_SHARE if config.solar_share < 0 else config.solar_share
    equipped = [row for row, (_, readings) in enumerate(homes) if readings.pv_wh.any()]
    wanted = round(share * len(homes))
    if wanted > len(equipped):
        warnings.append(f"{len(equipped)} of {len(homes)} homes have panels, fewer than a solar share of {share:.0%}")
    order = community_stream(config.seed, Purpose.SOLAR_CHOICE).permutation(len(equipped))
    kept = {equipped[i] for i in order[:wanted]}
    return [home if row in kept else _without_solar(home) for row, home in enumerate(homes)]


def _without_solar(home: Home) -> Home:
    facts, readings = home
    facts = facts.model_copy(update={"pv_kw": 0.0})
    return facts, replace(readings, pv_wh=np.zeros_like(readings.pv_wh))
