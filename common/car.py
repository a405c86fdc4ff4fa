"""An electric car at home: when it is plugged in, when it must be ready, and how much energy it needs."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from common.errors import UserError
from common.units import SLOT_HOURS, WH_PER_KWH


class Session(NamedTuple):
    """A stay of the car at its charger.

    Attributes:
        arrival_slot: slot in which it is plugged in; the home knows of the stay from the next slot's gate closure on.
        departure_slot: first slot in which it is gone: the deadline.
        energy_wh: AC energy that it needs until then, which its driver or the car tells the charger on arrival.
    """

    arrival_slot: int
    departure_slot: int
    energy_wh: int


class Car(BaseModel):
    """A home's car, in ``home.json``.

    Attributes:
        charger_kw: AC power of the charger.
        sessions: stays at the charger, ascending. What the car drew in them without control is channel ``ev_wh`` of the
            home's readings.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    charger_kw: float = Field(gt=0, le=100)
    sessions: tuple[Session, ...]

    @property
    def max_slot_wh(self) -> int:
        """Most energy that the charger gives in a slot, whole Wh."""
        return round(self.charger_kw * SLOT_HOURS * WH_PER_KWH)

    @field_validator("sessions")
    @classmethod
    def _in_order(cls, sessions: tuple[Session, ...]) -> tuple[Session, ...]:
        for stay in sessions:
            if stay.departure_slot <= stay.arrival_slot or stay.energy_wh <= 0:
                raise ValueError(f"session {list(stay)}: expected [arrival slot, later departure slot, Wh above 0]")
        for before, after in pairwise(sessions):
            if after.arrival_slot < before.departure_slot:
                raise ValueError(f"session {list(after)} begins before session {list(before)} ends")
        return sessions

    def session_at(self, slot: int) -> Session | None:
        """The stay in which the car is plugged in during a slot."""
        last = bisect_right(self.sessions, slot, key=lambda stay: stay.arrival_slot) - 1
        return self.sessions[last] if last >= 0 and slot < self.sessions[last].departure_slot else None


def check_car(car: Car, ev_wh: NDArray[np.int64] | None, first_slot: int, where: str) -> None:
    """Check a car's sessions against what it drew without control.

    Args:
        car: of the home.
        ev_wh: the home's channel of that name from ``first_slot`` on, shape ``(n,)``; None without sub-metering.

    Raises:
        UserError: no such channel; energy outside of a session, above the charger's power, or another sum than a
            session needs.
    """
    if ev_wh is None:
        raise UserError(f"{where}: the home has a car but its readings lack the appliance channels (ev_wh)")
    outside = np.ones(len(ev_wh), np.bool_)
    for stay in car.sessions:
        rows = slice(max(stay.arrival_slot - first_slot, 0), max(stay.departure_slot - first_slot, 0))
        outside[rows] = False
        whole = stay.arrival_slot >= first_slot and stay.departure_slot <= first_slot + len(ev_wh)
        drawn = int(ev_wh[rows].sum())
        if drawn != stay.energy_wh and whole:
            raise UserError(
                f"{where}: session {list(stay)} needs {stay.energy_wh} Wh but ev_wh has {drawn} Wh between its slots"
            )
    wrong = np.flatnonzero((outside & (ev_wh > 0)) | (ev_wh > car.max_slot_wh))
    if len(wrong):
        slot = first_slot + int(wrong[0])
        raise UserError(
            f"{where}: ev_wh is {int(ev_wh[wrong[0]])} Wh in slot {slot}, "
            f"which is outside of the car's sessions or above its charger's {car.max_slot_wh} Wh a slot"
        )
