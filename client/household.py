"""One household: its facts, its readings, what it remembers, and what it may know at gate closure."""

from __future__ import annotations

from zlib import crc32

import numpy as np

from client.forecaster import Correction, Forecast, HomeForecaster, perfect_forecast
from client.history import History, OwnPast
from client.store import ACCOUNTS, BASE, CORRECTION, HomeState, HomeStore, open_home
from common.car import Session
from common.community import CommunityMean
from common.config import RunConfig, forecaster_kind
from common.errors import UserError
from common.messages import COMMUNITY, HomeCard
from common.ridge import RidgeWeights
from common.tariff import Tariff
from common.units import SLOTS_PER_DAY, UUSD_PER_USD

_PAST_SLOTS = 28 * 48
"""Slots of the home's own battery and price past that it keeps: the context of the Transformer."""

_MOVED_IN = 1
"""Random stream that says which homes have a short history."""

_COOLING_SHARE, _HEATING_C_PER_KW = 0.15, 0.06
"""Battery temperature, lumped: each slot it moves 15 % of the way to the ambient and warms 0.06 C per kW of power."""


class Household:
    """A household of a node.

    Attributes:
        state: what it remembers; saved by :meth:`save`.
        car: its car, if it is charged by plan; its readings are those of the rest of the home then.
        community: the community's mean surprise as far as it came, or None.
    """

    def __init__(self, store: HomeStore, config: RunConfig, tariff: Tariff) -> None:
        self.store, self.config, self.tariff = store, config, tariff
        self.facts, self._readings, self._weather_forecast = open_home(store.folder)
        self.car = self.facts.car if config.smart_charging and config.mode == "trade" else None
        self._ev_from, self._ev_wh = self._readings.first_slot, self._readings.ev_wh
        if self.car is not None:  # what a car draws that is charged by plan is not a habit of the home
            self._readings = self._readings.without_car()
        self.state = store.load_state()
        self._readings = self._readings.since(self.state.history_from)
        self._kind = forecaster_kind(config)
        base, correction, mean = (store.load_arrays(name) for name in (BASE, CORRECTION, COMMUNITY))
        self.community = None if mean is None else CommunityMean.from_arrays(mean)
        self.forecaster = HomeForecaster(
            "base" if self._kind == "perfect" else self._kind,
            None if base is None else RidgeWeights.from_arrays(base),
            None if correction is None else Correction.from_arrays(correction),
        )

    @property
    def home_id(self) -> str:
        """Name of the home."""
        return self.facts.home_id

    @property
    def first_slot(self) -> int:
        """Slot of its first reading."""
        return self._readings.first_slot

    def card(self) -> HomeCard:
        """What the home says of itself."""
        return HomeCard(
            home_id=self.home_id,
            connection_kw=self.facts.connection_kw,
            first_slot=self._readings.first_slot,
            end_slot=self._readings.end_slot,
        )

    def history(self, gate_slot: int) -> History:
        """What the home may know before ``gate_slot``."""
        readings, mean = self._readings, self.community
        own = None
        if self.state.own_past:
            first = self.state.next_slot - len(self.state.own_past)
            own = OwnPast(first, np.array(self.state.own_past, np.float32).T)
        return History(
            readings,
            gate_slot,
            tariff=self.tariff,
            resolution_slots=self.facts.resolution_slots,
            forecast=self._weather_forecast,
            own=own,
            community=None if mean is None else mean.over(readings.first_slot, len(readings)),
            timezone=self.facts.timezone,
            events=self.facts.events,
        )

    def learns_before(self, slot: int) -> None:
        """Of a home that has just moved in: drop the readings of long before it first learns, for the whole run.

        Whether it has is drawn from the seed and its id, with ``short_history_share`` as its chance.
        """
        config, state = self.config, self.state
        draw = np.random.default_rng([config.seed, crc32(self.home_id.encode()), _MOVED_IN]).random()
        if state.history_from or draw >= config.short_history_share:
            return
        state.history_from = max(slot - config.short_history_days * SLOTS_PER_DAY, self._readings.first_slot)
        self._readings = self._readings.since(state.history_from)
        self.save()

    def forecast(self, slot: int, horizon: int) -> Forecast:
        """Forecast of load and solar from ``slot`` on."""
        if self._kind == "perfect":
            return perfect_forecast(self._readings, slot, horizon, 1)
        return self.forecaster.forecast(self.history(slot), slot, horizon, self.config.scenarios)

    def set_base(self, weights: RidgeWeights) -> None:
        """Take the weights of the linear base."""
        self.store.save_arrays(BASE, weights.to_arrays())
        self.forecaster.ridge = weights

    def set_correction(self, correction: Correction | None) -> None:
        """Take what the Transformer adds to the base from now on; None for nothing."""
        if correction is None:
            self.store.delete_arrays(CORRECTION)
        else:
            self.store.save_arrays(CORRECTION, correction.to_arrays())
        self.forecaster.correction = correction

    def take_community(self, mean: CommunityMean) -> None:
        """Take a part of the community's mean, beside what is known of it."""
        self.community = mean if self.community is None else self.community.joined(mean)
        self.store.save_arrays(COMMUNITY, self.community.to_arrays())
        self.forecaster.forget_since(mean.first_slot)

    def meter_wh(self, slot: int) -> tuple[int, int]:
        """Load and solar energy of a slot, read as it happens.

        Raises:
            UserError: the slot lies outside of the readings.
        """
        row = slot - self._readings.first_slot
        if not 0 <= row < len(self._readings):
            raise UserError(f"home {self.home_id} has no reading for slot {slot}")
        return int(self._readings.load_wh[row]), int(self._readings.pv_wh[row])

    def had_sun(self, slot: int) -> bool:
        """Whether the panels gave more than the home used in some half-hour of the day before ``slot``, as metered."""
        row = slot - slot % self.facts.resolution_slots - self._readings.first_slot
        day = slice(max(row - SLOTS_PER_DAY, 0), max(row, 0))
        return bool((self._readings.pv_wh[day] > self._readings.load_wh[day]).any())

    def stay_at(self, slot: int) -> Session | None:
        """The stay of the car that is charged by plan in a slot, or None."""
        return None if self.car is None else self.car.session_at(slot)

    def uncontrolled_wh(self, slots: range) -> int:
        """What the car draws in ``slots`` as far as the readings go, were its charging not planned; 0 without one."""
        if self.car is None or self._ev_wh is None:
            return 0
        rows = (min(max(slot - self._ev_from, 0), len(self._ev_wh)) for slot in (slots.start, slots.stop))
        return int(self._ev_wh[slice(*rows)].sum())

    def remember(self, slot: int, soc: float, battery_kw: float, price_uusd: int) -> None:
        """Add a slot that happened to the home's own past."""
        state, weather = self.state, self._readings.weather
        ambient_c = 20.0 if weather is None else float(weather[0, slot - self._readings.first_slot])
        state.battery_c += _COOLING_SHARE * (ambient_c - state.battery_c) + _HEATING_C_PER_KW * abs(battery_kw)
        if slot != state.next_slot:  # a slot was missed: the past must stay without gaps
            state.own_past.clear()
        state.own_past.append((soc, battery_kw, state.battery_c, price_uusd / UUSD_PER_USD))
        del state.own_past[:-_PAST_SLOTS]
        state.next_slot = slot + 1

    def is_dark(self, slot: int) -> bool:
        """Whether the grid is away in a slot, which the home finds out when it happens."""
        return any(first <= slot < end for first, end in self.facts.outages)

    def begin(self, slot: int, end_slot: int, goes_on: bool = False) -> None:
        """Begin a day with the battery at its reserve and nothing remembered of an earlier one.

        A day that goes on after the one before keeps all but the accounts; one that was begun already stays as it is.
        """
        state = self.state
        if goes_on and slot in (state.first_slot, state.end_slot):
            if slot == state.end_slot:
                self.state = state.model_copy(update=dict(
                    first_slot=slot, end_slot=end_slot, start_kwh=state.stored_kwh, alone_start_kwh=state.alone_kwh,
                    **dict.fromkeys(ACCOUNTS, 0),
                ))  # fmt: skip
            return
        reserve = self.facts.battery.reserve_kwh
        self.state = HomeState(
            history_from=self.state.history_from, first_slot=slot, end_slot=end_slot, next_slot=slot,
            stored_kwh=reserve, alone_kwh=reserve, start_kwh=reserve, alone_start_kwh=reserve,
        )  # fmt: skip
        stay = self.stay_at(slot)
        if stay is not None:
            self.state.car_wh = self.state.car_alone_wh = self.uncontrolled_wh(range(stay.arrival_slot, slot))
        self.learns_before(slot)

    def save(self) -> None:
        """Put the state on the home's own disk."""
        self.store.save_state(self.state)
