"""What a home keeps of its bills: without battery, and with its battery alone; and what it reports of a day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from client.household import Household
from client.island import count_unserved
from common.messages import Totals, WireError
from common.tariff import Tariff
from common.units import SLOT_HOURS, WH_PER_KWH, amount_nusd


@dataclass(frozen=True)
class Way:
    """How a slot went for a home's car and battery, with trade or without it; AC Wh, and what is stored after it."""

    car_wh: int
    charge_wh: int
    discharge_wh: int
    stored_kwh: float

    @property
    def added_wh(self) -> int:
        """What car and battery add to the load; negative when the battery gives more."""
        return self.car_wh + self.charge_wh - self.discharge_wh


@dataclass(frozen=True)
class Happened:
    """What happened to a home in a slot.

    Attributes:
        load_wh, pv_wh: as metered, without the car.
        way: how it went; alone: how it would have gone had the home never traded.
    """

    load_wh: int
    pv_wh: int
    way: Way
    alone: Way

    @property
    def net_wh(self) -> int:
        """Load less solar."""
        return self.load_wh - self.pv_wh


def book(home: Household, slot: int, tariff_uusd: tuple[int, int], happened: Happened) -> None:
    """Add a slot to what the home remembers: its bills without trade, its battery, its car.

    Without control the car draws what it did in the readings; what it was given less by the end of the day is owed.

    Args:
        home: whose state is written.
        slot: the slot.
        tariff_uusd: import and export price, u$/kWh; zero while its grid is away.
        happened: what its meters, car and battery did in the slot.
    """
    state, way, alone = home.state, happened.way, happened.alone
    uncontrolled_wh = home.uncontrolled_wh(range(slot, slot + 1))

    def bill_nusd(net_wh: int) -> int:
        return amount_nusd(net_wh, tariff_uusd[0] if net_wh > 0 else tariff_uusd[1])

    state.b0_nusd += bill_nusd(happened.load_wh + uncontrolled_wh)
    state.b1_nusd += bill_nusd(happened.net_wh + uncontrolled_wh)
    state.alone_nusd += bill_nusd(happened.net_wh + alone.added_wh)
    state.charged_wh += way.charge_wh
    state.discharged_wh += way.discharge_wh
    if home.is_dark(slot):
        count_unserved(state, happened.load_wh, happened.pv_wh, way.charge_wh - way.discharge_wh, alone.added_wh)
        state.unserved_b1_wh += uncontrolled_wh
    if home.car is not None:
        _book_car(home, slot, uncontrolled_wh, way.car_wh, alone.car_wh)
    state.stored_kwh, state.alone_kwh = way.stored_kwh, alone.stored_kwh
    capacity = home.facts.battery.capacity_kwh
    soc = state.stored_kwh / capacity if capacity else 0.0
    home.remember(slot, soc, (way.charge_wh - way.discharge_wh) / WH_PER_KWH / SLOT_HOURS, state.price_uusd)


def _book_car(home: Household, slot: int, uncontrolled_wh: int, car_wh: int, alone_wh: int) -> None:
    """Add a slot to the car's accounts; energy that it leaves without is unserved, and owed no longer."""
    state, stay = home.state, home.stay_at(slot)
    state.car_owed_wh += uncontrolled_wh - car_wh
    state.car_alone_owed_wh += uncontrolled_wh - alone_wh
    if stay is None:
        return
    state.car_wh += car_wh
    state.car_alone_wh += alone_wh
    if car_wh:
        home.store.note_charging(slot, car_wh)
    if slot + 1 == stay.departure_slot:
        missing, missing_alone = stay.energy_wh - state.car_wh, stay.energy_wh - state.car_alone_wh
        state.unserved_wh += missing
        state.unserved_alone_wh += missing_alone
        state.car_owed_wh -= missing
        state.car_alone_owed_wh -= missing_alone


def _refill_nusd(home: Household, tariff: Tariff) -> tuple[int, int]:
    """What it costs to bring battery and car back to where the accounts began: with trade, and had it never traded.

    Refilled at the off-peak price, and charged with what the car would have drawn by then without control; negative
    where they ended fuller.
    """
    state, efficiency = home.state, home.facts.battery.one_way_efficiency
    off_peak_uusd = tariff.off_peak_uusd(np.arange(state.first_slot, state.end_slot))

    def value_nusd(start_kwh: float, end_kwh: float, owed_wh: int) -> int:
        refill_wh = (start_kwh - end_kwh) * WH_PER_KWH / efficiency
        return round((refill_wh + owed_wh) * off_peak_uusd)

    return (
        value_nusd(state.start_kwh, state.stored_kwh, state.car_owed_wh),
        value_nusd(state.alone_start_kwh, state.alone_kwh, state.car_alone_owed_wh),
    )


def totals(home: Household, tariff: Tariff) -> Totals:
    """What a home reports of its day.

    Raises:
        WireError: no day was begun.
    """
    state = home.state
    if state.end_slot == state.first_slot:
        raise WireError(f"no day was begun for {home.home_id}")
    stored_value_nusd, alone_value_nusd = _refill_nusd(home, tariff)
    return Totals(
        home_id=home.home_id,
        b0_nusd=state.b0_nusd,
        b1_nusd=state.b1_nusd,
        battery_only_nusd=state.alone_nusd + alone_value_nusd,
        stored_start_wh=round(state.start_kwh * WH_PER_KWH),
        stored_end_wh=round(state.stored_kwh * WH_PER_KWH),
        charged_wh=state.charged_wh,
        discharged_wh=state.discharged_wh,
        stored_value_nusd=stored_value_nusd,
        unserved_wh=state.unserved_wh,
        unserved_alone_wh=state.unserved_alone_wh,
        unserved_b1_wh=state.unserved_b1_wh,
    )
