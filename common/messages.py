"""The wire: what central and homes say to each other, in pydantic models that refuse anything unexpected.

Strict, frozen, no extra fields, no NaN or infinity; the inputs are hidden in errors, because an error's text travels
to the server and must not carry a reading.  Each message is one JSON text in a ``ConfigRecord`` (:func:`pack`), and
model parameters travel beside it as an ``ArrayRecord``.  A node answers for each household that it holds.
See ``docs/protocol.md``.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeVar

from flwr.app import ConfigRecord, RecordDict
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

HomeId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
MOST_WH = 1_000_000
"""Most energy that a message may speak of."""

EnergyWh = Annotated[int, Field(ge=0, le=MOST_WH)]
PriceUusd = Annotated[int, Field(ge=0, le=100_000_000)]
Slot = Annotated[int, Field(ge=0, le=10_000_000)]

CURVE_SLOTS = 48
"""Slots of the broadcast price curve and of the homes' indicative plans: the coming day."""

DayWh = Annotated[tuple[EnergyWh, ...], Field(min_length=CURVE_SLOTS, max_length=CURVE_SLOTS)]

RECORD, KEY = "message", "json"
"""Record of a message, and the key in it that holds the JSON."""

COMMUNITY = "community"
"""Record that may lie beside any message to a home: the part of the community's mean that it lacks."""


class Wire(BaseModel):
    """Base of all wire messages."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


class Empty(Wire):
    """A message without content: ``query.hello`` to a node, and acknowledgements."""


class HomeCard(Wire):
    """What a home says of itself: its id, what its connection carries, and the slots that it has readings for."""

    home_id: HomeId
    connection_kw: Annotated[float, Field(gt=0, le=1000)]
    first_slot: Slot
    end_slot: Slot


class HelloReply(Wire):
    """Answer of a node to ``query.hello``: one card for each of its households."""

    homes: Annotated[tuple[HomeCard, ...], Field(min_length=1)]


class Fit(Wire):
    """Central -> home: learn from what was metered before ``before_slot``.

    With ``query.fit`` a home answers with the sums of its ridge base; with ``train`` it trains the Transformer, and
    with ``query.refresh`` it only renews its forecast from the model that came.

    Attributes:
        round: number of the round, from 1; ``rounds``: how many the learning-rate schedule spans.
        turn: number of the round in the run: it never starts again, as ``round`` does with each fit of an evaluation.
        homes: households of the node that train; the others only renew their forecast. None: all train.
        gates: share of the Transformer's residual that is added to the base, per head in the model's order.
    """

    before_slot: Slot
    round: Annotated[int, Field(ge=0)] = 0
    rounds: Annotated[int, Field(ge=0)] = 0
    turn: Annotated[int, Field(ge=0)] = 0
    homes: tuple[HomeId, ...] | None = None
    gates: tuple[Annotated[float, Field(ge=0, le=1)], ...] = ()


class Measure(Wire):
    """Central -> home (``evaluate``): measure the model that came on the days from ``before_slot`` to ``end_slot``.

    Attributes:
        before_slot: nothing of this slot or later was learnt.
        turn, gates: as in :class:`Fit`.
    """

    before_slot: Slot
    end_slot: Slot
    turn: Annotated[int, Field(ge=0)] = 0
    gates: tuple[Annotated[float, Field(ge=0, le=1)], ...] = ()


class Begin(Wire):
    """Central -> home (``query.begin``): a day, or several in a row, begins: slots ``slot .. end_slot - 1``.

    Attributes:
        goes_on: the day follows on the one before: batteries stand as they do, only the accounts begin anew.
    """

    slot: Slot
    end_slot: Slot
    goes_on: bool = False


class Plan(Wire):
    """A home's indicative plan at the tariff alone, without trade, for the coming day; Wh a slot.

    Attributes:
        slot: first slot of the plan.
        need_wh: planned import, of which ``charge_wh`` goes into the battery from the grid.
        surplus_wh: planned export, as far as the day's sell limit lets the home sell it.
        stored_wh: in slots dearer than the cheapest, stored energy that is left at the end of those hours and that the
            home could sell besides; 0 in the cheapest.  What several slots name is one and the same energy.
        spare_wh: what of it the sun would fill again.
    """

    slot: Slot
    need_wh: DayWh
    charge_wh: DayWh
    surplus_wh: DayWh
    stored_wh: DayWh
    spare_wh: DayWh


class HomePlan(Wire):
    """The plan of one home."""

    home_id: HomeId
    plan: Plan


class BeginReply(Wire):
    """Answer of a node to ``query.begin``: the first indicative plans."""

    plans: tuple[HomePlan, ...]


class Fill(Wire):
    """What the market gave a home in a slot: bought (delivered) or sold (injected) energy, at one price."""

    home_id: HomeId
    bought_wh: EnergyWh = 0
    sold_wh: EnergyWh = 0
    price_uusd: PriceUusd = 0


class RefusedOrder(Wire):
    """An order, or ``refused_wh`` of it, that the market did not take, and why."""

    home_id: HomeId
    reason: Annotated[str, Field(max_length=40)]
    refused_wh: EnergyWh


class Settle(Wire):
    """The part of a slot message that says: this slot happens now, with these fills (and refused orders)."""

    slot: Slot
    fills: tuple[Fill, ...]
    refused: tuple[RefusedOrder, ...] = ()


class Quote(Wire):
    """The part of a slot message that asks for orders.

    Attributes:
        slot: the slot that the orders are for.
        price_uusd: its price, and ``curve_uusd`` the indicative curve for ``slot .. slot + 47`` (the first entry is
            the price itself).
        charge_share: for each slot of the curve, the share of a home's own planned grid charging (Wh, until the next
            dear hours) that it may do in that slot: central's guard against a rebound peak. Above 1: no limit.
        wanted_wh: for each slot of the curve, what neighbours want beyond what is offered: injected Wh for each home
            that plans to sell within the day.
        offered_wh: for each slot of the curve, what neighbours offer beyond what is wanted: delivered Wh, as much as
            there is for each home that plans no surplus in the slot.
    """

    slot: Slot
    price_uusd: PriceUusd
    curve_uusd: Annotated[tuple[PriceUusd, ...], Field(min_length=1, max_length=CURVE_SLOTS)]
    charge_share: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1, max_length=CURVE_SLOTS)]
    wanted_wh: Annotated[tuple[EnergyWh, ...], Field(min_length=1, max_length=CURVE_SLOTS)]
    offered_wh: Annotated[tuple[EnergyWh, ...], Field(min_length=1, max_length=CURVE_SLOTS)]

    @model_validator(mode="after")
    def _of_one_length(self) -> Self:
        lengths = {len(part) for part in (self.curve_uusd, self.charge_share, self.wanted_wh, self.offered_wh)}
        if len(lengths) > 1:
            raise ValueError("curve_uusd, charge_share, wanted_wh and offered_wh must be of one length")
        return self


class SlotRequest(Wire):
    """Central -> home (``query.slot``): settle one slot and quote the next, in one round trip."""

    settle: Settle | None
    quote: Quote | None


class Order(Wire):
    """A promise to buy or to sell in a slot.

    Attributes:
        energy_wh: buy: delivered energy; sell: injected energy.
        limit_uusd: highest price to pay, or lowest to accept, per delivered kWh.
    """

    home_id: HomeId
    slot: Slot
    side: Literal["buy", "sell"]
    energy_wh: Annotated[int, Field(ge=1, le=1_000_000)]
    limit_uusd: PriceUusd


class Meter(Wire):
    """What the home's meter says of a settled slot: energy that flowed in from and out to the network."""

    slot: Slot
    import_wh: EnergyWh
    export_wh: EnergyWh


class HomeReply(Wire):
    """A home's answer to a slot message; no orders means hold.

    Attributes:
        meters: of the settled slot, and before it of slots whose message did not reach the home.
    """

    home_id: HomeId
    meters: Annotated[tuple[Meter, ...], Field(max_length=CURVE_SLOTS)]
    orders: Annotated[tuple[Order, ...], Field(max_length=8)] = ()
    plan: Plan | None = None


class SlotReply(Wire):
    """Answer of a node: one entry for each of its households."""

    homes: tuple[HomeReply, ...]


class Totals(Wire):
    """What a home chooses to report of a finished span, computed at home; amounts in n$.

    Attributes:
        b0_nusd: tariff on gross load. b1_nusd: tariff on the net load, no battery, no trade.
        battery_only_nusd: the same home with its battery (and car) planned at the tariff alone, no trade, what it
            ended with valued in the same way.
        stored_start_wh, stored_end_wh: stored energy of the battery.
        charged_wh, discharged_wh: AC energy into and out of the battery.
        stored_value_nusd: what it costs at the off-peak price to refill the battery to ``stored_start_wh``, and to
            charge the car with what it would have drawn by then without control; negative where they ended fuller.
        unserved_wh: load that a grid outage left unserved; unserved_alone_wh: the same with the battery that never
            trades; unserved_b1_wh: the same without a battery.
    """

    home_id: HomeId
    b0_nusd: int
    b1_nusd: int
    battery_only_nusd: int
    stored_start_wh: int
    stored_end_wh: int
    charged_wh: int
    discharged_wh: int
    stored_value_nusd: int
    unserved_wh: EnergyWh = 0
    unserved_alone_wh: EnergyWh = 0
    unserved_b1_wh: EnergyWh = 0


class TotalsReply(Wire):
    """Answer of a node to ``query.totals``."""

    homes: tuple[Totals, ...]


class Refusal(Wire):
    """A node could not do what it was asked; ``reason`` is for people and carries no reading."""

    code: Literal["bad-request", "no-data", "internal"]
    reason: Annotated[str, Field(max_length=500)]


Message_ = TypeVar("Message_", bound=Wire)


class WireError(Exception):
    """A message of another shape than agreed."""


def pack(message: Wire) -> RecordDict:
    """Record dict that carries ``message`` as JSON."""
    return RecordDict({RECORD: ConfigRecord({KEY: message.model_dump_json(), "type": type(message).__name__})})


def refused(records: RecordDict) -> bool:
    """Whether a reply says that the node did not do what it was asked."""
    record = records.config_records.get(RECORD)
    return record is not None and record.get("type") == Refusal.__name__


def unpack(kind: type[Message_], records: RecordDict) -> Message_:
    """The message of type ``kind`` in ``records``.

    Raises:
        WireError: another type (for a Refusal: with its reason), not JSON, or a field out of bounds.
    """
    record = records.config_records.get(RECORD)
    if record is None or KEY not in record or "type" not in record:
        raise WireError(f"expected {kind.__name__}, got a message without content")
    if refused(records) and kind is not Refusal:
        refusal = unpack(Refusal, records)
        raise WireError(f"refused ({refusal.code}): {refusal.reason}")
    if record["type"] != kind.__name__:
        raise WireError(f"expected {kind.__name__}, got {str(record['type'])[:40]}")
    try:
        return kind.model_validate_json(str(record[KEY]))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise WireError(f"{kind.__name__}.{where}: {first['msg']}") from None
