"""A community of real homes: which of them, on which days, which keep their solar, and who lives beside them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from common.blocks import days_of, parse_blocks
from common.clock import day_slots, local_of
from common.config import RunConfig
from common.errors import UserError
from common.readings import Readings
from datagen.cars import filled
from datagen.events import events_of, known_events
from datagen.gaps import Gap, gap_days, gaps_of
from datagen.importers import Importer, citylearn, importer_for
from datagen.neighbours import neighbours_of
from datagen.plausible import (
    LEAST_HISTORY_DAYS,
    assumed_batteries,
    count_days,
    unlikely_years,
    whole_days,
)
from datagen.source import Community, Home, asked_days, plus_days
from datagen.streams import Purpose, community_stream
from datagen.weather_forecast import issue_forecasts

DEFAULT_SOLAR_SHARES = {citylearn.IMPORTER.name: 0.5}
"""Share of homes that keep their solar unless it is asked for, by format; others keep what they have. In CityLearn's
neighbourhoods all homes have it."""
FAULTY_SHARE = 0.10
"""A home that reads under 1 Wh in more than this share of its hours without solar has a dead meter."""


def imported_community(config: RunConfig) -> Community:
    """Community of the real homes at the path ``config.data``.

    Homes whose meter is dead for much of the time come last, so they are taken only when so many are asked for; 0
    homes means all others.  Homes may cover different slots: the days are those that all of them cover.  Gaps are
    filled with what was metered a week before, and stay marked.  Without a date the run is the last one that the data
    holds on which every home is metered throughout.

    ``config.neighbours`` generated homes live beside them (:mod:`datagen.neighbours`).  The solar share is then of the
    neighbours: the real homes keep the panels that they have without that option.

    Raises:
        UserError: an unknown format, bad data, more homes than there are, or a date outside of the data.
    """
    importer = importer_for(config.data)
    imported = importer.load(config.data)
    homes, warnings = _choose_homes(config, imported.homes, config.data)
    known = [*imported.warnings, *warnings, *unlikely_years(homes), *assumed_batteries(homes)]
    warnings = list(dict.fromkeys(known))  # the import said some of them already
    if config.scenario != "default":
        warnings.append(f"scenario '{config.scenario}' is for generated data alone; real days are as they were")
    first_day, last_day = _whole_days(homes, config.days, config.data)
    start = _start_date(config, homes, (first_day, last_day), warnings)
    covered = range(day_slots(first_day).start, day_slots(last_day).stop)
    broadcasts = known_events(events_of(config.events, covered), covered)
    homes = [filled((facts.model_copy(update={"events": broadcasts}), readings)) for facts, readings in homes]
    unasked = config.solar_share < 0 or config.neighbours > 0
    share = DEFAULT_SOLAR_SHARES.get(importer.name) if unasked else config.solar_share
    if share is not None:
        homes = _keep_solar(config.seed, share, homes, warnings)
    forecast = imported.forecast
    if forecast is None and imported.weather is not None:
        forecast = issue_forecasts(imported.weather, config.seed)
    everyone: Iterator[Home] = iter(homes)
    if config.neighbours:
        neighbours = neighbours_of(config, homes, (first_day, last_day))
        everyone = heapq.merge(homes, neighbours.homes, key=lambda home: home[0].home_id)
        forecast = neighbours.forecast if forecast is None else forecast
        warnings += neighbours.warnings
    elif len(homes) == 1:
        warnings.append("one home alone has nobody to trade with; --neighbours 9 puts generated homes beside it")
    return Community(
        source=public_source(importer, homes),
        scenario="",
        count=len(homes) + config.neighbours,
        homes=everyone,
        forecast=forecast,
        first_day=first_day,
        last_day=last_day,
        start_date=start,
        warnings=warnings,
    )


def public_source(importer: Importer, homes: list[Home]) -> str:
    """Where homes are from, for results that are handed on: the format, and of CityLearn the name of the data set.

    A path is its user's, and a utility names files by account.
    """
    return homes[0][0].source if importer is citylearn.IMPORTER else importer.name


def dead_share(readings: Readings) -> float:
    """Share of hours with a load under 1 Wh, of those that were metered; 1 where none was.

    By day the meter of a house with panels may show export alone, so hours with solar count only where all have it.
    """
    whole = len(readings) // 2 * 2
    known = np.ones(len(readings), np.bool_) if readings.metered is None else readings.metered
    counted = known[:whole].reshape(-1, 2).all(axis=1)
    dark = counted & (readings.pv_wh[:whole].reshape(-1, 2) == 0).all(axis=1)
    counted = dark if dark.any() else counted
    dead = readings.load_wh[:whole].reshape(-1, 2).sum(axis=1)[counted] < 1
    return float(dead.mean()) if len(dead) else 1.0


def _choose_homes(config: RunConfig, homes: list[Home], where: str) -> tuple[list[Home], list[str]]:
    faulty = {facts.home_id: dead_share(readings) for facts, readings in homes}
    faulty = {home_id: share for home_id, share in faulty.items() if share > FAULTY_SHARE}
    ranked = sorted(homes, key=lambda home: home[0].home_id in faulty)  # stable: else as in the file
    if config.homes > len(homes):
        raise UserError(
            f"asked for {config.homes} homes, {where} has {len(homes)}; leave --homes out to take all that are sound, "
            "and let --neighbours add generated ones"
        )
    taken = ranked[: config.homes or len(homes) - len(faulty)]
    if not taken:
        shares = ", ".join(f"{name} reads under 1 Wh in {share:.0%} of its hours" for name, share in faulty.items())
        them = "it" if len(homes) == 1 else "them"
        raise UserError(
            f"{where}: no working meter ({shares}); is the unit right? --homes {len(homes)} takes {them} all the same"
        )
    warnings = []
    ids = {facts.home_id for facts, _ in taken}
    for home_id, share in faulty.items():
        verdict = "taken, since so many homes were asked for" if home_id in ids else "left out"
        warnings.append(f"{home_id}: {share:.0%} of its hours read under 1 Wh, a dead meter; {verdict}")
    return sorted(taken, key=lambda home: home[0].home_id), warnings


def _whole_days(homes: list[Home], asked: int, where: str) -> tuple[date, date]:
    """First and last local day that all homes cover whole.

    Raises:
        UserError: fewer than a run of ``asked`` days needs, naming the homes whose readings begin last and end first.
    """
    first, last = whole_days(homes)
    days = count_days((first, last))
    if days < LEAST_HISTORY_DAYS + asked:
        latest, earliest = max(homes, key=lambda h: h[1].first_slot), min(homes, key=lambda h: h[1].end_slot)
        begin, end = (f"{local_of(slot):%Y-%m-%d %H:%M}" for slot in (latest[1].first_slot, earliest[1].end_slot))
        what = (
            f"{latest[0].home_id} has {days} whole days ({begin} to {end})"
            if len(homes) == 1
            else f"the homes have {days} whole days in common ({latest[0].home_id} begins {begin}, "
            f"{earliest[0].home_id} ends {end})"
        )
        fewer = f"use --days {days - LEAST_HISTORY_DAYS}, or " if days > LEAST_HISTORY_DAYS else ""
        raise UserError(
            f"{where}: {what}; a run needs {LEAST_HISTORY_DAYS + asked}, of which {LEAST_HISTORY_DAYS} are history: "
            f"{fewer}bring a longer range"
        )
    return first, last


def _start_date(config: RunConfig, homes: list[Home], span: tuple[date, date], warnings: list[str]) -> date:
    """First day of the run, with enough history before it and all of its days inside the data."""
    first_day, last_day = span
    earliest = first_day + timedelta(days=LEAST_HISTORY_DAYS)
    asked = asked_days(config)
    if asked is None:
        return _last_metered(homes, earliest, last_day, config, warnings)
    first, last = asked
    if first < earliest or last > last_day:
        raise UserError(
            f"{config.data} holds {first_day} to {last_day}; a run of {first} to {last} does not fit: "
            f"it must lie between {earliest} ({LEAST_HISTORY_DAYS} days of history) and {last_day}"
        )
    if config.test_days:
        days = {day for block in parse_blocks(config.test_days) for day in days_of(block)}
    else:
        days = {first + timedelta(days=k) for k in range(config.days)}
    warnings.extend(_gap_warnings(homes, days))
    return first


def _last_metered(homes: list[Home], earliest: date, last_day: date, config: RunConfig, warnings: list[str]) -> date:
    """First of the last days in a row, as many as the run has, on which every home is metered throughout."""
    gaps = {day for _, readings in homes for day in gap_days(readings)}
    latest = plus_days(last_day, 1 - config.days)
    start = latest
    while start >= earliest:
        taken = [day for day in (start + timedelta(days=k) for k in range(config.days)) if day in gaps]
        if not taken:
            if start < latest:
                warnings.append(f"the run begins on {start}: after that some home has no reading for a part of the day")
            return start
        start = taken[0] - timedelta(days=config.days)
    raise UserError(
        f"{config.data}: no {config.days} days in a row from {earliest} to {last_day} on which every home is metered "
        "throughout; give a date, and what is missing is estimated"
    )


def _gap_warnings(homes: list[Home], days: set[date]) -> list[str]:
    """What is missing of each home on the days of a run."""
    warnings = []
    for facts, readings in homes:
        missing = [_within(gap, day) for day in sorted(days & set(gap_days(readings))) for gap in gaps_of(readings)]
        parts = [str(gap) for gap in missing if gap.slots > 0]
        if parts:
            rest = f", and {len(parts) - 3} more" if len(parts) > 3 else ""
            what = ", ".join(parts[:3]) + rest
            warnings.append(f"{facts.home_id}: no reading for {what}, in the run; estimated from a week before")
    return warnings


def _within(gap: Gap, day: date) -> Gap:
    """The part of a gap that lies on a local day; no slots if none does."""
    slots = day_slots(day)
    first, end = max(gap.first_slot, slots.start), min(gap.first_slot + gap.slots, slots.stop)
    return Gap(first, max(end - first, 0))


def _keep_solar(seed: int, share: float, homes: list[Home], warnings: list[str]) -> list[Home]:
    """Homes of which a seeded choice keeps its solar: a share of all homes, as far as there are any with solar."""
    equipped = [row for row, (_, readings) in enumerate(homes) if readings.pv_wh.any()]
    wanted = round(share * len(homes))
    if wanted > len(equipped):
        warnings.append(f"{len(equipped)} of {len(homes)} homes have panels, fewer than a solar share of {share:.0%}")
    order = community_stream(seed, Purpose.SOLAR_CHOICE).permutation(len(equipped))
    kept = {equipped[i] for i in order[:wanted]}
    return [home if row in kept else _without_solar(home) for row, home in enumerate(homes)]


def _without_solar(home: Home) -> Home:
    facts, readings = home
    facts = facts.model_copy(update={"pv_kw": 0.0})
    return facts, replace(readings, pv_wh=np.zeros_like(readings.pv_wh))
