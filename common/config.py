"""Configuration: the rules of section "Rules" of the docs with their defaults, and the flat run config of Flower.

``RunConfig`` is the one list of run options: the keys under ``[tool.flwr.app.config]`` are its fields with ``-`` for
``_`` (a test holds this), and ``--run-config`` overrides them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from common.checks import check_run
from common.errors import UserError
from common.units import SLOT_HOURS, price_uusd

Energy = TypeVar("Energy", int, NDArray[np.int64])

MOST_BATTERY_KWH, MOST_BATTERY_KW = 1000.0, 1000.0
"""Beyond any home's battery: given in Wh or W, perhaps."""


class BatterySpec(BaseModel):
    """A home battery. Energies are stored kWh; powers are at the AC terminals.

    The round-trip efficiency is split evenly: charging 1 AC kWh stores ``one_way_efficiency`` kWh, discharging 1
    stored kWh gives ``one_way_efficiency`` AC kWh.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    capacity_kwh: float = Field(default=13.5, ge=0, le=MOST_BATTERY_KWH)
    min_soc: float = Field(default=0.10, ge=0, le=1)
    max_soc: float = Field(default=0.80, ge=0, le=1)
    max_power_kw: float = Field(default=5.0, ge=0, le=MOST_BATTERY_KW)
    round_trip_efficiency: float = Field(default=0.90, gt=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> BatterySpec:
        if self.min_soc > self.max_soc:
            raise ValueError("min_soc is above max_soc")
        return self

    @property
    def reserve_kwh(self) -> float:
        """Stored energy at the reserve (10 %): 1.35 kWh."""
        return self.capacity_kwh * self.min_soc

    @property
    def ceiling_kwh(self) -> float:
        """Stored energy at the ceiling (80 %): 10.8 kWh."""
        return self.capacity_kwh * self.max_soc

    @property
    def one_way_efficiency(self) -> float:
        """Efficiency of charging, and of discharging: sqrt(0.9)."""
        return float(self.round_trip_efficiency**0.5)

    @property
    def max_slot_kwh(self) -> float:
        """AC energy that a slot can move either way: 2.5 kWh."""
        return self.max_power_kw * SLOT_HOURS


@dataclass(frozen=True)
class MarketRules:
    """What the market enforces.

    Attributes:
        floor_uusd, ceiling_uusd: price bounds, u$/kWh.
        lot_wh: most energy of one transaction, delivered Wh.
        daily_sell_limit_wh: most energy that a home may inject for sale in a local day, Wh.
        loss_num, loss_den: transmission loss as a fraction, 1/20 = 5 %.
    """

    floor_uusd: int = price_uusd(0.10)
    ceiling_uusd: int = price_uusd(1.00)
    lot_wh: int = 2_000
    daily_sell_limit_wh: int = 10_000
    loss_num: int = 1
    loss_den: int = 20

    def injected_wh(self, delivered_wh: Energy) -> Energy:
        """Energy that the seller injects so that ``delivered_wh`` arrives: rounded up, so no energy is free."""
        return -(-delivered_wh * self.loss_den // (self.loss_den - self.loss_num))

    def deliverable_wh(self, injected_wh: Energy) -> Energy:
        """Most energy that arrives when at most ``injected_wh`` is injected."""
        return injected_wh * (self.loss_den - self.loss_num) // self.loss_den

    def least_price_uusd(self, export_uusd: Energy) -> Energy:
        """Lowest price of a delivered kWh that pays its seller what exporting would, u$/kWh; rounded up.

        Args:
            export_uusd: what the grid pays for an injected kWh.
        """
        return -(-export_uusd * self.loss_den // (self.loss_den - self.loss_num))

    @property
    def delivered_share(self) -> float:
        """Delivered over injected energy: 0.95."""
        return 1 - self.loss_num / self.loss_den


@dataclass(frozen=True)
class ModelSpec:
    """Size of the Transformer. ``month_rank`` is the rank of the month head; ``context_days`` tokens a sequence."""

    layers: int
    heads: int
    width: int
    feed_forward: int
    month_rank: int
    context_days: int = 28


MODELS: dict[str, ModelSpec] = {
    "full": ModelSpec(layers=6, heads=8, width=512, feed_forward=704, month_rank=64),
    "small": ModelSpec(layers=3, heads=4, width=128, feed_forward=256, month_rank=32),
    "tiny": ModelSpec(layers=1, heads=2, width=32, feed_forward=64, month_rank=8, context_days=14),
}

Settlement = Literal["firm", "metered"]
Forecaster = Literal["hybrid", "base", "profile", "perfect"]
"""hybrid: ridge base + Transformer; base: ridge; profile: seasonal profile; perfect: foresight, a bound only."""


Planner = Literal["optimal", "3h", "rule"]
"""How homes decide. optimal: the planner; 3h: the same with three hours of look-ahead and no value of what is stored
then; rule: fill before the peak, follow the load in it (docs/results.md). The last two are there for comparison."""


def forecaster_kind(config: RunConfig) -> Forecaster:
    """The run's forecaster, as a checked literal."""
    return cast(Forecaster, config.forecaster)


def commonwatt_home() -> Path:
    """Folder for what a plain ``flwr run`` makes: ``$COMMONWATT_HOME``, or ``~/.commonwatt``."""
    return Path(os.environ.get("COMMONWATT_HOME") or Path.home() / ".commonwatt")


@dataclass(frozen=True)
class RunConfig:
    """Options of a run; defaults are the default day.

    Attributes:
        mode: ``trade``: a market, with rounds on the way; ``train``: ``rounds`` federated rounds and no market.
        data: ``generated`` (homes are made), ``household`` (each node brings its own folder by node config
            ``household-dir``), or the path of real data.
        homes: households in the run; 0 means as many as the data holds. Of real data: real ones; the config in a
            result counts the neighbours, too.
        neighbours: generated homes beside real ones.
        homes_per_node: households that one Flower client holds (a gateway holds more than one).
        scenario: name of a scenario of the generator.
        climate: of generated homes and neighbours: a building climate zone of California, 1 to 16, or the path of a
            weather file.
        stock: housing stock of generated homes and neighbours, see :mod:`datagen.stock`.
        archetypes: shares of generated homes by kind of household, as ``couple=0.5,retired=0.5``; empty for the
            usual mix (:mod:`datagen.occupancy`).
        events: path of a calendar of events that many watch, CSV or iCalendar, beside the generator's own
            (:mod:`datagen.events`); homes know it beforehand.
        short_history_share: chance of a home to have only ``short_history_days`` days of readings before it first
            learns, drawn from the seed and its id: a community in which some have just moved in.
        date: first local day, YYYY-MM-DD; empty for the scenario's own. With mode ``train``: the day before which
            the homes learn; empty for all but the last eight weeks of data.
        days: days in a row.
        start_slot: begin so many half-hours after midnight of the first day.
        slots: stop after so many slots; 0 for whole days.
        seed: of everything random.
        solar_share: share of homes with solar, 0..1; negative for the scenario's own. With neighbours it is of them:
            the real homes keep their panels.
        batteries: capacities in kWh (0 for none) and the share of homes with each, as ``13.5=0.5,5=0.25,0=0.25``
            (:mod:`datagen.batteries`); empty for the homes' own, of which the usual one is 13.5 kWh.
        tariff: name or path.
        settlement: ``firm`` or ``metered``.
        mechanism: of the market, by name: :mod:`market.mechanisms`.
        model: preset of :data:`MODELS`.
        forecaster: see :data:`Forecaster`.
        planner: see :data:`Planner`.
        smart_charging: cars whose stays are known are charged by plan (mode ``trade``); else as they were.
        scenarios: net-load scenarios that the planner averages over.
        warmup_rounds: FedAvg rounds on the history before the first slot.
        round_every_slots: slots between FedAvg rounds; 0 for none.
        local_steps, batch_size, learning_rate: of a client's training in a round.
        rounds: federated rounds of mode ``train``.
        strategy: rule of the average by name (:mod:`server.averaging`), and of it, 0 for the rule's own default:
            ``proximal_mu`` (fedprox) the pull towards the global model, ``server_learning_rate`` (fedadam, fedyogi,
            fedavgm), ``server_momentum`` (fedavgm), ``trim_share`` (fedtrimmedavg) cut at either end,
            ``byzantine_homes`` (krum) how many homes may be hostile.
        fraction_train: share of the homes that is drawn for a round, 0..1; dropout: chance that a drawn home does not
            take part. Both are drawn from the seed and the round.
        personalisation: ``none``; ``head``: the heads stay on each home's own disk and only the trunk is shared;
            ``finetune``: after the last round each home trains its own copy for ``finetune_steps`` steps.
        keep_moments: homes keep the moments of their optimiser from round to round, on their own disk.
        dp: differential privacy of the homes towards who sees the models: ``none``, ``fixed`` or ``adaptive``
            clipping, with ``dp_noise`` (noise over clipping norm), ``dp_clip`` (norm of an update at most; where
            adaptive clipping starts) and ``dp_delta``, at which epsilon is stated.
        checkpoint_every: rounds of mode ``train`` from one checkpoint to the next.
        init: path of a ``model.safetensors``, or of a checkpoint's folder, to start from; empty for a new model.
        test_days: dates separated by commas, each run as a day of its own in place of ``date`` and ``days``; as
            ``FIRST..LAST`` days in a row, through which batteries keep their energy and the model stays frozen.
        refit_days: with ``test_days``, fit again on what lies before when so many days went by.
        homes_dir: folder of the homes' folders in a simulation; empty for one that is derived from the options.
        out: folder of the results; empty for one that is derived.
        timeout_s: how long the server waits for replies to a market message, s.
        train_timeout_s: the same for training, s.
        poll_s: pause between looks for replies, s.
    """

    mode: str = "trade"
    data: str = "generated"
    homes: int = 10
    neighbours: int = 0
    homes_per_node: int = 1
    scenario: str = "default"
    climate: str = "12"
    stock: str = "california"
    archetypes: str = ""
    events: str = ""
    short_history_share: float = 0.0
    short_history_days: int = 90
    date: str = ""
    days: int = 1
    start_slot: int = 0
    slots: int = 0
    seed: int = 0
    solar_share: float = -1.0
    batteries: str = ""
    tariff: str = "pge-tou-c"
    settlement: str = "firm"
    mechanism: str = "sdr"
    model: str = "full"
    forecaster: str = "hybrid"
    planner: str = "optimal"
    smart_charging: bool = True
    scenarios: int = 20
    warmup_rounds: int = 4
    round_every_slots: int = 6
    local_steps: int = 16
    batch_size: int = 2
    learning_rate: float = 3e-4
    rounds: int = 20
    strategy: str = "fedavg"
    proximal_mu: float = 0.0
    server_learning_rate: float = 0.0
    server_momentum: float = 0.0
    trim_share: float = 0.2
    byzantine_homes: int = 1
    fraction_train: float = 1.0
    dropout: float = 0.0
    personalisation: str = "none"
    finetune_steps: int = 50
    keep_moments: bool = False
    dp: str = "none"
    dp_noise: float = 1.0
    dp_clip: float = 1.0
    dp_delta: float = 1e-5
    checkpoint_every: int = 1
    init: str = ""
    test_days: str = ""
    refit_days: int = 28
    homes_dir: str = ""
    out: str = ""
    timeout_s: float = 60.0
    train_timeout_s: float = 900.0
    poll_s: float = 0.02

    @staticmethod
    def parse(values: Mapping[str, object]) -> RunConfig:
        """Run config from Flower's flat mapping (keys with ``-``), checked.

        Raises:
            UserError: an unknown key, a value of another type, or one out of range.
        """
        known = {field.name.replace("_", "-"): field for field in fields(RunConfig)}
        arguments: dict[str, object] = {}
        for key, given in values.items():
            if key not in known:
                raise UserError(f"run config: unknown key '{key}'; known keys: {', '.join(sorted(known))}")
            field = known[key]
            wanted = type(field.default)
            value = float(given) if wanted is float and type(given) is int else given
            if type(value) is not wanted:
                raise UserError(f"run config: '{key}' must be of type {wanted.__name__}, got {value!r}")
            arguments[field.name] = value
        config = RunConfig(**arguments)  # type: ignore[arg-type]
        config.check()
        return config

    def flat(self) -> dict[str, str | int | float | bool]:
        """The run config as Flower takes it."""
        return {field.name.replace("_", "-"): getattr(self, field.name) for field in fields(self)}

    def published(self) -> dict[str, str | int | float | bool]:
        """The run config for results that are handed on: without folders, and of files their names alone."""
        shown = self.flat()
        for key in ("data", "climate", "tariff", "init", "events"):
            shown[key] = Path(str(shown[key])).name if Path(str(shown[key])).is_absolute() else shown[key]
        return shown | {"homes-dir": "", "out": ""}

    def homes_root(self) -> Path:
        """Folder of the homes' folders in a simulation: as given, or one that the options of the data decide."""
        if self.homes_dir:
            return Path(self.homes_dir)
        made_of: tuple[object, ...] = (
            self.data,
            self.homes,
            self.neighbours,
            self.scenario,
            self.climate,
            self.stock,
            self.date,
            self.days,
            self.seed,
            self.solar_share,
            self.test_days,
            *((self.archetypes,) if self.archetypes else ()),
            *((self.batteries,) if self.batteries else ()),
            *((self.events,) if self.events else ()),
        )
        return commonwatt_home() / "homes" / hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]

    def check(self) -> None:
        """Raise UserError where a value is out of range."""
        check_run(self, tuple(MODELS))
