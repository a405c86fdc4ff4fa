"""Who is at home and awake: archetypes of households, made of persons with habits, and their days.

A person has a wake-up time, a bed time and, on some days, hours away, each with a habit of its own and a scatter from
day to day: the approach of Richardson et al. 2008 (doi:10.1016/j.enbuild.2008.02.006), with schedules in place of their
Markov chain, since a schedule keeps a person's habits over the year.  Hours are local and about those of the American
Time Use Survey (https://www.bls.gov/tus/); frequencies of the archetypes are rough shares of single-family households.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import UserError
from datagen.span import Span

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Person:
    """A kind of person; hours are local, means over days.

    Attributes:
        away_workday, away_weekend: chance of a day with hours away from home.
        leave, back: those hours on a workday.
        wake, sleep: hours awake; ``sleep`` may lie beyond midnight.
    """

    away_workday: float
    away_weekend: float
    leave: float
    back: float
    wake: float
    sleep: float


WORKER = Person(0.75, 0.50, 8.2, 17.0, 6.9, 22.5)
PUPIL = Person(0.80, 0.40, 7.9, 15.4, 6.9, 22.0)
HOME_WORKER = Person(0.30, 0.45, 10.5, 14.0, 7.0, 22.8)
RETIRED = Person(0.45, 0.40, 10.3, 13.0, 7.2, 22.3)
AT_HOME = Person(0.40, 0.45, 10.6, 13.0, 7.5, 22.6)
LATE_WORKER = Person(0.80, 0.60, 13.8, 22.6, 9.5, 25.5)


@dataclass(frozen=True)
class Archetype:
    """A kind of household.

    Attributes:
        name: as in the home's facts.
        weight: relative frequency in a community.
        members: possible households, equally likely.
    """

    name: str
    weight: float
    members: tuple[tuple[Person, ...], ...]


ARCHETYPES = (
    Archetype("couple", 0.20, ((WORKER, WORKER), (WORKER, AT_HOME), (WORKER, LATE_WORKER))),
    Archetype(
        "family",
        0.34,
        (
            (WORKER, WORKER, PUPIL),
            (WORKER, AT_HOME, PUPIL, PUPIL),
            (WORKER, HOME_WORKER, PUPIL, PUPIL),
            (WORKER, WORKER, RETIRED, PUPIL, PUPIL),
            (WORKER, LATE_WORKER, PUPIL),
        ),
    ),
    Archetype("home-office", 0.16, ((HOME_WORKER,), (HOME_WORKER, WORKER), (HOME_WORKER, HOME_WORKER, PUPIL))),
    Archetype("retired", 0.18, ((RETIRED,), (RETIRED, RETIRED), (RETIRED, RETIRED, WORKER))),
    Archetype("single", 0.06, ((WORKER,), (LATE_WORKER,))),
    Archetype("sharers", 0.06, ((WORKER, WORKER, LATE_WORKER), (WORKER, WORKER, HOME_WORKER, LATE_WORKER))),
)


@dataclass(frozen=True)
class Occupancy:
    """Presence of a household.

    Attributes:
        people: persons who live there.
        present: persons (with guests) who are in; shape ``(n,)``.
        awake: persons who are in and awake; shape ``(n,)``.
        travelling: whether the household is on a trip; shape ``(d,)``.
        away: whether the household's driver leaves that day; shape ``(d,)``.
        leave, back: local hours of the driver's time away; shape ``(d,)``, only where ``away``.
        wake, sleep: local hours of each person's day; shape ``(people, d)``.
        event: whether a broadcast event is watched; shape ``(n,)``.
    """

    people: int
    present: Floats
    awake: Floats
    travelling: Flags
    away: Flags
    leave: Floats
    back: Floats
    wake: Floats
    sleep: Floats
    event: Flags


def archetype_mix(text: str) -> tuple[float, ...]:
    """Relative frequency of each of :data:`ARCHETYPES`, from ``couple=0.5,retired=0.5``; the usual ones if empty.

    Raises:
        UserError: an unknown name, a weight that is no number, or none above zero.
    """
    if not text.strip():
        return tuple(archetype.weight for archetype in ARCHETYPES)
    weights = {archetype.name: 0.0 for archetype in ARCHETYPES}
    for part in text.split(","):
        name, _, value = (word.strip() for word in part.partition("="))
        if name not in weights:
            raise UserError(f"archetypes '{part.strip()}': choose from {', '.join(weights)}, as couple=0.5,retired=0.5")
        try:
            weights[name] = float(value)
        except ValueError:
            raise UserError(f"archetypes '{part.strip()}': expected a number, as couple=0.5,retired=0.5") from None
    if not all(0 <= weight < math.inf for weight in weights.values()) or not any(weights.values()):
        raise UserError(f"archetypes '{text}': the shares must not be negative, and one must be positive")
    return tuple(weights.values())


def draw_archetype(rng: np.random.Generator, mix: tuple[float, ...] = ()) -> Archetype:
    """Archetype by weight: ``mix`` as :func:`archetype_mix` gives it, or the usual one if empty."""
    weights = np.array(mix or archetype_mix(""))
    return ARCHETYPES[int(rng.choice(len(ARCHETYPES), p=weights / weights.sum()))]


def draw_occupancy(rng: np.random.Generator, archetype: Archetype, span: Span) -> Occupancy:
    """Days of a household.

    Args:
        rng: the household's.
        archetype: kind of household.
        span: calendar; its ``event`` says when something is on that many watch.
    """
    members = archetype.members[int(rng.integers(len(archetype.members)))]
    travelling = _trips(rng, span.days)
    guests = np.zeros(span.days) if rng.random() < 0.4 else _guests(rng, span.days)
    watching = (rng.random(span.days) < rng.uniform(0.1, 0.7))[span.day] & span.event
    present, awake = np.zeros(len(span)), np.zeros(len(span))
    days = [_Days.draw(rng, person, span) for person in members]
    for own in days:
        own_in, own_awake = own.at_home(span, watching)
        present += own_in
        awake += own_awake
    visitors = guests[span.day] * (present > 0)
    there = ~travelling[span.day]
    return Occupancy(
        people=len(members),
        present=(present + visitors) * there,
        awake=(awake * (1 + visitors / len(members))) * there,
        travelling=travelling,
        away=days[0].away,
        leave=days[0].leave,
        back=days[0].back,
        wake=np.stack([own.wake for own in days]),
        sleep=np.stack([own.sleep for own in days]),
        event=watching & (awake > 0) & there,
    )


@dataclass(frozen=True)
class _Days:
    """A person's days; hours of shape ``(d,)``."""

    wake: Floats
    sleep: Floats
    away: Flags
    leave: Floats
    back: Floats
    evening: Flags
    evening_from: Floats
    evening_to: Floats

    @staticmethod
    def draw(rng: np.random.Generator, person: Person, span: Span) -> _Days:
        days = span.days
        habit = rng.normal(0.0, (1.0, 1.2, 1.0, 1.2))  # of wake, sleep, leave, back against the kind
        scatter = np.array([0.45, 0.6, 0.5, 0.9])[:, None] * rng.uniform(0.4, 1.6)
        jitter = rng.standard_normal((4, days)) * scatter
        weekend = np.where(span.workday, 0.0, 1.0)
        wake = np.clip(person.wake + habit[0] + jitter[0] + rng.uniform(0.1, 1.4) * weekend, 4.0, 13.0)
        sleep = np.clip(person.sleep + habit[1] + jitter[1] + rng.uniform(0.0, 1.2) * weekend, wake + 10.0, 27.0)
        late = rng.uniform(0.5, 4.0) * weekend
        leave = np.maximum(person.leave + habit[2] + jitter[2] + late, wake + 0.4)
        back = np.maximum(person.back + habit[3] + jitter[3] - rng.uniform(0.0, 2.0) * weekend, leave + 0.7)
        regular = np.where(span.workday, person.away_workday, person.away_weekend)
        away = rng.random(days) < np.clip(regular + rng.normal(-0.08, 0.12), 0.03, 0.98)
        evening_from = rng.normal(18.7, 0.8, days)
        return _Days(
            wake=wake,
            sleep=sleep,
            away=away,
            leave=leave,
            back=back,
            evening=rng.random(days) < rng.uniform(0.03, 0.3),
            evening_from=evening_from,
            evening_to=evening_from + rng.uniform(1.0, 3.5, days),
        )

    def at_home(self, span: Span, watching: Flags) -> tuple[Floats, Floats]:
        """Whether the person is in, and in and awake, in each slot."""
        day, hour = span.day, span.hour
        out = self.away[day] & (hour >= self.leave[day]) & (hour < self.back[day])
        out |= self.evening[day] & (hour >= self.evening_from[day]) & (hour < self.evening_to[day])
        out &= ~watching
        yesterday = np.maximum(day - 1, 0)
        awake = ((hour >= self.wake[day]) & (hour < self.sleep[day])) | (hour + 24 < self.sleep[yesterday])
        return (~out).astype(np.float64), (~out & awake).astype(np.float64)


def _trips(rng: np.random.Generator, days: int) -> Flags:
    """Days on which nobody is at home: up to five trips a year, most of a few days."""
    travelling = np.zeros(days, np.bool_)
    for _ in range(rng.poisson(rng.gamma(2.0, 1.2) * days / 365)):
        first = int(rng.integers(0, days))
        travelling[first : first + 1 + int(rng.gamma(1.5, 3.0))] = True
    return travelling


def _guests(rng: np.random.Generator, days: int) -> Floats:
    """Guests who stay, by day: a few times a year one to three persons for some days."""
    guests = np.zeros(days)
    for _ in range(rng.poisson(4.0 * days / 365)):
        first = int(rng.integers(0, days))
        guests[first : first + 1 + int(rng.gamma(1.5, 2.5))] = int(rng.integers(1, 4))
    return guests
