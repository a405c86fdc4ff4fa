"""Who is at home and awake: archetypes of households and their days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datagen.span import Span

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Archetype:
    """A kind of household; hours are local, means over days.

    Attributes:
        name: as in the home's facts.
        weight: relative frequency in a community.
        people: fewest and most persons.
        away_workday, away_weekend: chance that the home is empty during the away hours.
        leave, back: start and end of the away hours on a workday.
        wake, sleep: start and end of the active hours.
    """

    name: str
    weight: float
    people: tuple[int, int]
    away_workday: float
    away_weekend: float
    leave: float
    back: float
    wake: float
    sleep: float


ARCHETYPES = (
    Archetype("workers", 0.28, (2, 2), 0.85, 0.45, 8.2, 17.8, 6.6, 22.6),
    Archetype("family", 0.34, (3, 5), 0.80, 0.40, 8.0, 15.8, 6.4, 22.3),
    Archetype("home-office", 0.16, (2, 4), 0.20, 0.40, 10.5, 13.5, 7.2, 23.0),
    Archetype("retired", 0.14, (1, 2), 0.35, 0.30, 10.0, 13.0, 7.4, 22.0),
    Archetype("single", 0.08, (1, 1), 0.85, 0.55, 8.6, 18.8, 7.0, 23.4),
)
"""Rough shares of Californian single-family households; activity times as in the American Time Use Survey."""


@dataclass(frozen=True)
class Occupancy:
    """Presence of a household.

    Attributes:
        people: persons who live there.
        home: whether anyone is in; shape ``(n,)``.
        active: share of the household that is in and awake, 0..1; shape ``(n,)``.
        travelling: whether the household is on a trip; shape ``(d,)``.
        leave, back: local hours of the away time, shape ``(d,)``; only where ``away``.
        away: whether the household leaves that day; shape ``(d,)``.
    """

    people: int
    home: NDArray[np.bool_]
    active: Floats
    travelling: NDArray[np.bool_]
    away: NDArray[np.bool_]
    leave: Floats
    back: Floats


def draw_archetype(rng: np.random.Generator) -> Archetype:
    """Archetype by weight."""
    weights = np.array([archetype.weight for archetype in ARCHETYPES])
    return ARCHETYPES[int(rng.choice(len(ARCHETYPES), p=weights / weights.sum()))]


def draw_occupancy(rng: np.random.Generator, archetype: Archetype, span: Span) -> Occupancy:
    """Days of a household: habits of its own, jitter from day to day, and one to three trips a year."""
    people = int(rng.integers(archetype.people[0], archetype.people[1] + 1))
    habit = rng.normal(0.0, (0.5, 0.7, 0.6, 0.6))  # this household's wake, leave, back and sleep against the archetype
    jitter = rng.standard_normal((4, span.days)) * np.array([0.35, 0.4, 0.7, 0.5])[:, None]
    weekend_h = np.where(span.workday, 0.0, 1.0)
    wake = archetype.wake + habit[0] + jitter[0] + 1.1 * weekend_h
    leave = archetype.leave + habit[1] + jitter[1] + 2.5 * weekend_h
    back = np.maximum(archetype.back + habit[2] + jitter[2] - 0.5 * weekend_h, leave + 1.0)
    sleep = np.minimum(archetype.sleep + habit[3] + jitter[3] + 0.4 * weekend_h, 24.0)
    away = rng.random(span.days) < np.where(span.workday, archetype.away_workday, archetype.away_weekend)
    travelling = _trips(rng, span.days)

    day, hour = span.day, span.hour
    out = (away[day] & (hour >= leave[day]) & (hour < back[day])) | travelling[day]
    awake = (hour >= wake[day]) & (hour < sleep[day])
    share = 0.55 + 0.45 * rng.random(span.days)  # not everyone is in all the time
    evening = np.where(hour >= 17.0, 1.0, 0.75)
    active = np.where(awake & ~out, share[day] * evening, 0.0)
    return Occupancy(people, ~out, active, travelling, away, leave, back)


def _trips(rng: np.random.Generator, days: int) -> NDArray[np.bool_]:
    travelling = np.zeros(days, np.bool_)
    for _ in range(max(1, round(int(rng.integers(1, 4)) * days / 365))):
        first = int(rng.integers(0, days))
        travelling[first : first + int(rng.integers(2, 10))] = True
    return travelling
