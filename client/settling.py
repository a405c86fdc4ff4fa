"""After gate closure: a slot happens, cars and batteries follow what comes, and the home keeps its accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from client.accounts import Happened, Way, book
from client.battery import BatteryBank, Ints, Mode
from client.cars import Stays, charge
from client.household import Household
from client.island import follow_or_island
from client.rules import rule_mode
from common.messages import Fill, Meter, Settle
from common.tariff import Tariff
from common.units import SLOTS_PER_DAY


class Settler:
    """Lets slots happen for the households of a node."""

    def __init__(self, homes: Sequence[Household], bank: BatteryBank, tariff: Tariff) -> None:
        self._homes, self._bank, self._tariff = homes, bank, tariff

    def settle(self, settle: Settle) -> dict[str, list[Meter]]:
        """The slot happens, and before it those whose message did not come; one that happened already is told again."""
        meters = self._catch_up(settle.slot, settle)
        for home in self._homes:
            if not meters[home.home_id] and home.state.next_slot == settle.slot + 1:
                last = Meter(slot=settle.slot, import_wh=home.state.last_import_wh, export_wh=home.state.last_export_wh)
                meters[home.home_id].append(last)
        return meters

    def end_days_before(self, slot: int) -> None:
        """Let the slots before ``slot`` happen whose message did not come: they are of the accounts that end there."""
        self._catch_up(slot - 1)

    def _catch_up(self, last: int, settle: Settle | None = None) -> dict[str, list[Meter]]:
        """The slots that have not happened yet happen, up to ``last``; what the meters say of them."""
        meters: dict[str, list[Meter]] = {home.home_id: [] for home in self._homes}
        for slot in range(min(home.state.next_slot for home in self._homes), last + 1):
            due = [i for i, home in enumerate(self._homes) if home.state.next_slot == slot]
            fills = {fill.home_id: fill for fill in settle.fills} if settle is not None and slot == settle.slot else {}
            for home_id, meter in self._happen(slot, due, fills).items():
                meters[home_id].append(meter)
        return meters

    def _happen(self, slot: int, due: list[int], fills: Mapping[str, Fill]) -> dict[str, Meter]:
        """Cars and batteries of the homes ``due`` follow the load that comes, with the fills as duties."""
        homes = self._homes
        fill = [fills.get(home.home_id, Fill(home_id=home.home_id)) for home in homes]
        readings = [home.meter_wh(slot) for home in homes]
        load, pv = (np.array(column, np.int64) for column in zip(*readings, strict=True))
        net, traded = load - pv, np.array([f.bought_wh - f.sold_wh for f in fill], np.int64)
        for home in homes:
            _arrive(home, slot)
        mode, alone_mode = self._modes(slot)
        stored, alone_stored = np.array([(home.state.stored_kwh, home.state.alone_kwh) for home in homes], np.float64).T
        mode = replace(mode, import_ceiling_wh=mode.import_ceiling_wh - traded)  # of the meter, whoever sells
        way = self._way(slot, net - traded, stored, mode, alone=False)
        alone = self._way(slot, net, alone_stored, alone_mode, alone=True)
        slots = np.array([slot])
        buy, sell = int(self._tariff.import_uusd(slots)[0]), int(self._tariff.export_uusd(slots)[0])
        meters = {}
        for i in due:
            home = homes[i]
            home.state.sold_wh += fill[i].sold_wh
            dark = home.is_dark(slot)
            happened = Happened(int(load[i]), int(pv[i]), way[i], alone[i])
            # Nobody is billed for what does not flow.
            drawn_wh = 0 if dark else happened.net_wh + happened.way.added_wh
            book(home, slot, (0, 0) if dark else (buy, sell), happened)
            home.state.last_import_wh, home.state.last_export_wh = max(drawn_wh, 0), max(-drawn_wh, 0)
            meters[home.home_id] = Meter(slot=slot, import_wh=max(drawn_wh, 0), export_wh=max(-drawn_wh, 0))
        return meters

    def _way(self, slot: int, net_wh: Ints, stored_kwh: np.ndarray, mode: Mode, *, alone: bool) -> list[Way]:
        """Cars take what they may, then batteries follow; no car charges while its home's grid is away."""
        dark = np.array([home.is_dark(slot) for home in self._homes])
        limits = [_car_limits(home, slot, alone=alone) for home in self._homes]
        least, most = np.array(limits, np.int64).T
        car_wh = np.where(dark, 0, charge(net_wh, least, most))
        flow = follow_or_island(self._bank, stored_kwh, net_wh + car_wh, mode, dark)
        columns = (car_wh, flow.charge_wh, flow.discharge_wh, flow.stored_kwh)
        return [Way(*home) for home in zip(*(column.tolist() for column in columns), strict=True)]

    def _modes(self, slot: int) -> tuple[Mode, Mode]:
        """Modes of the slot, with and without trade; a home that missed its quote goes on by the time-of-use rule."""
        modes = [home.state.mode for home in self._homes]
        alone = [home.state.alone_mode for home in self._homes]
        deaf = [i for i, home in enumerate(self._homes) if home.state.mode_slot != slot]
        if deaf:
            peak = self._tariff.peak_window(np.arange(slot, slot + SLOTS_PER_DAY))
            sunny = np.array([home.had_sun(slot) for home in self._homes])
            rule = rule_mode(self._bank, peak, sunny).rows()
            for i in deaf:
                modes[i] = alone[i] = rule[i]
        return Mode.of_rows(modes), Mode.of_rows(alone)


def _arrive(home: Household, slot: int) -> None:
    stay = home.stay_at(slot)
    if stay is not None and stay.arrival_slot == slot == home.state.next_slot:
        home.state.car_wh = home.state.car_alone_wh = 0


def _car_limits(home: Household, slot: int, *, alone: bool) -> tuple[int, int]:
    """Least and most of the car's charging in a slot.

    A car that has just arrived waits for its home to plan, unless it would not be ready then; one whose home missed the
    quote charges at once.
    """
    stay = home.stay_at(slot)
    if stay is None or home.car is None:
        return 0, 0
    need = stay.energy_wh - (home.state.car_alone_wh if alone else home.state.car_wh)
    here = Stays(*(np.array([n]) for n in (need, stay.departure_slot - slot, home.car.max_slot_wh)))
    if stay.arrival_slot == slot:
        must = int(here.must_wh[0])
        return must, must
    if home.state.mode_slot == slot:
        return home.state.car_alone_mode if alone else home.state.car_mode
    at_once = min(need, home.car.max_slot_wh)
    return at_once, at_once
