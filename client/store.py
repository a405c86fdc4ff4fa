"""A household's own disk: what must survive from message to message, also when they reach different processes.

Everything lies under ``<home>/state/<run>/`` and is written to a temporary file that then takes the name of the old
one: a reader sees the state before or after, never half of it.  A car's diary is added to; only its whole lines count.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from common.errors import UserError
from common.messages import COMMUNITY
from common.readings import (
    HomeFacts,
    Readings,
    WeatherForecast,
    check_facts,
    home_folders,
    read_facts,
    read_forecast,
    read_readings,
)

Arrays = dict[str, NDArray[Any]]


BASE, SUMS, CORRECTION, OWN = "base", "sums", "correction", "own"
"""Names of the arrays that a home keeps: weights of its linear base, the sums that make them its own, what the
Transformer adds to it, and a copy of the model that the home trained for itself alone; beside them the community's mean
(``common.messages.COMMUNITY``)."""

CHARGING = "charging.txt"
_NOTE = re.compile(r"(\d+),(\d+);")
_SECRET = "secret.json"


class HomeState(BaseModel):
    """What a household remembers between messages, beside its arrays.

    Attributes:
        history_from: first slot that the home has readings of; 0 for all that its folder holds.
        first_slot, end_slot: the day (or days) that runs.
        next_slot: first slot that has not happened yet.
        stored_kwh: stored energy of the battery; alone_kwh: of the same battery had it never traded.
        start_kwh, alone_start_kwh: the same two at ``first_slot``.
        battery_c: temperature of the battery.
        mode: limits of the battery in ``mode_slot``, the slot that was quoted last (see :class:`client.battery.Mode`);
            alone_mode: the same for the battery that never trades.
        car_wh: energy that the car has taken in the stay of the slot before ``next_slot``;
            car_alone_wh: the same had the home never traded.
        car_mode, car_alone_mode: least and most of the car's charging in ``mode_slot``.
        car_owed_wh: what the car would have drawn without control less what it took;
            car_alone_owed_wh: the same had the home never traded.
        last_import_wh, last_export_wh: what the meter said of the slot before ``next_slot``.
        sold_wh: injected for sale in the local day ``sold_on`` (ordinal).
        b0_nusd, b1_nusd, alone_nusd: tariff on gross load, on net load, and with the battery but without trade.
        charged_wh, discharged_wh: AC energy into and out of the battery.
        unserved_wh, unserved_alone_wh, unserved_b1_wh: load that outages left unserved: with the battery, with the one
            that never trades, and had the home none.
        own_past: one row a past slot: state of charge, AC power in kW, temperature, price in $/kWh.
    """

    model_config = ConfigDict(extra="forbid")

    history_from: int = 0
    first_slot: int = 0
    end_slot: int = 0
    next_slot: int = 0
    stored_kwh: float = 0.0
    alone_kwh: float = 0.0
    start_kwh: float = 0.0
    alone_start_kwh: float = 0.0
    battery_c: float = 20.0
    mode_slot: int = 0
    mode: list[float] = []
    alone_mode: list[float] = []
    car_wh: int = 0
    car_alone_wh: int = 0
    car_mode: tuple[int, int] = (0, 0)
    car_alone_mode: tuple[int, int] = (0, 0)
    car_owed_wh: int = 0
    car_alone_owed_wh: int = 0
    last_import_wh: int = 0
    last_export_wh: int = 0
    sold_wh: int = 0
    sold_on: int = 0
    b0_nusd: int = 0
    b1_nusd: int = 0
    alone_nusd: int = 0
    charged_wh: int = 0
    discharged_wh: int = 0
    unserved_wh: int = 0
    unserved_alone_wh: int = 0
    unserved_b1_wh: int = 0
    price_uusd: int = 0
    own_past: list[tuple[float, float, float, float]] = []


ACCOUNTS = (
    "b0_nusd", "b1_nusd", "alone_nusd", "charged_wh", "discharged_wh", "unserved_wh", "unserved_alone_wh",
    "unserved_b1_wh", "car_owed_wh", "car_alone_owed_wh",
)  # fmt: skip
"""Fields of the state that a day begins at 0."""


class HomeStore:
    """Files of one household in one run."""

    def __init__(self, folder: Path, run: str) -> None:
        self.folder = folder
        self._state = folder / "state" / run

    def facts(self) -> HomeFacts:
        """Facts of the home."""
        return open_home(self.folder)[0]

    def load_state(self) -> HomeState:
        """The state as last saved; a fresh one where there is none."""
        path = self._state / "state.json"
        return HomeState.model_validate_json(path.read_bytes()) if path.is_file() else HomeState()

    def save_state(self, state: HomeState) -> None:
        """Save the state."""
        self._replace("state.json", state.model_dump_json().encode())

    def load_arrays(self, name: str) -> Arrays | None:
        """Arrays saved under a name, or None."""
        path = self._state / f"{name}.npz"
        if not path.is_file():
            return None
        with np.load(path) as stored:
            return dict(stored)

    def save_arrays(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Save arrays under a name."""
        temporary = self._temporary(f"{name}.npz")
        with temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **dict(arrays))
        temporary.replace(self._state / f"{name}.npz")

    def delete_arrays(self, name: str) -> None:
        """Forget arrays saved under a name."""
        (self._state / f"{name}.npz").unlink(missing_ok=True)

    def note_charging(self, slot: int, energy_wh: int) -> None:
        """Add what the car took in a slot to the home's own diary, which outlasts the days."""
        self._state.mkdir(parents=True, exist_ok=True)
        with (self._state / CHARGING).open("a", encoding="ascii") as file:
            file.write(f"\n{slot},{energy_wh};")

    def charging_wh(self) -> dict[int, int]:
        """The diary: energy by slot, as it was noted last."""
        path = self._state / CHARGING
        lines = path.read_text("ascii").split() if path.is_file() else []
        # A line that a cut left unfinished was noted again after it: only whole ones count.
        notes = [note for line in lines if (note := _NOTE.fullmatch(line))]
        return {int(note[1]): int(note[2]) for note in notes}

    def load_secret(self) -> bytes | None:
        """What :meth:`save_secret` saved, or None."""
        path = self._state / _SECRET
        return path.read_bytes() if path.is_file() else None

    def save_secret(self, content: bytes) -> None:
        """Save what nobody but the home's user may read."""
        temporary = self._temporary(_SECRET)
        temporary.unlink(missing_ok=True)
        temporary.touch(mode=0o600)
        temporary.write_bytes(content)
        temporary.replace(self._state / _SECRET)

    def delete(self) -> None:
        """Forget all of the run."""
        shutil.rmtree(self._state, ignore_errors=True)

    def turns(self, name: str) -> list[int]:
        """Numbers of the arrays saved as ``<name>-<number>``, in ascending order."""
        return sorted(int(path.stem.removeprefix(f"{name}-")) for path in self._state.glob(f"{name}-[0-9]*.npz"))

    def stamp(self) -> tuple[int, ...]:
        """Differs whenever any of the home's files was written anew: each write is a new file under the old name."""
        names = ("state.json", *(f"{name}.npz" for name in (BASE, CORRECTION, COMMUNITY)))
        files = [self._state / name for name in names]
        found = [path.stat() if path.is_file() else None for path in files]
        return tuple(number for stat in found for number in ((stat.st_ino, stat.st_mtime_ns) if stat else (0, 0)))

    def _replace(self, name: str, content: bytes) -> None:
        temporary = self._temporary(name)
        temporary.write_bytes(content)
        temporary.replace(self._state / name)

    def _temporary(self, name: str) -> Path:
        self._state.mkdir(parents=True, exist_ok=True)
        return self._state / f".{name}.{os.getpid()}"


@lru_cache(maxsize=64)
def open_home(folder: Path) -> tuple[HomeFacts, Readings, WeatherForecast | None]:
    """Facts, readings and issued weather forecasts of a home's folder; read and checked once a process."""
    facts, readings = read_facts(folder), read_readings(folder)
    check_facts(facts, readings, str(folder / "home.json"))
    return facts, readings, read_forecast(folder)


def own_folders(node_config: Mapping[str, object], homes_root: Path, homes_per_node: int) -> list[Path]:
    """Folders of the households that a node holds.

    A node of a deployment names its folder in its node config (``household-dir``: a home's folder, or one with several
    homes' folders in it for a gateway); a node of a simulation owns its partition of the homes under ``homes_root``.

    Raises:
        UserError: no such folder, or no household for this partition.
    """
    named = node_config.get("household-dir")
    if named:
        folder = Path(str(named))
        folders = [folder] if (folder / "home.json").is_file() else home_folders(folder)
        if not folders:
            raise UserError("household-dir holds no home (home.json is missing)")
        return folders
    if "partition-id" not in node_config:
        raise UserError('node config: give household-dir="/path/to/the/home" (flower-supernode --node-config)')
    partition = int(str(node_config["partition-id"]))
    folders = home_folders(homes_root)[partition * homes_per_node : (partition + 1) * homes_per_node]
    if not folders:
        raise UserError(f"there is no household for partition {partition}: too many SuperNodes for the homes")
    return folders
