import pytest
from flwr.app import ConfigRecord, RecordDict
from pydantic import ValidationError

from common.messages import CURVE_SLOTS, Fit, Meter, Order, Plan, Refusal, SlotRequest, WireError, pack, unpack

DAY = (0,) * CURVE_SLOTS


def test_round_trip() -> None:
    plan = Plan(slot=7, need_wh=DAY, charge_wh=DAY, surplus_wh=DAY, stored_wh=DAY, spare_wh=DAY)
    assert unpack(Plan, pack(plan)) == plan
    assert unpack(SlotRequest, pack(SlotRequest(settle=None, quote=None))) == SlotRequest(settle=None, quote=None)


@pytest.mark.parametrize(
    "values",
    [
        {"home_id": "../etc", "slot": 1, "side": "buy", "energy_wh": 5, "limit_uusd": 1},
        {"home_id": "h", "slot": 1, "side": "steal", "energy_wh": 5, "limit_uusd": 1},
        {"home_id": "h", "slot": 1, "side": "buy", "energy_wh": 0, "limit_uusd": 1},
        {"home_id": "h", "slot": 1, "side": "buy", "energy_wh": 5.5, "limit_uusd": 1},
        {"home_id": "h", "slot": 1, "side": "buy", "energy_wh": 5, "limit_uusd": -1},
        {"home_id": "h", "slot": 1, "side": "buy", "energy_wh": 5, "limit_uusd": 1, "tip": 1},
    ],
)
def test_an_order_of_another_shape_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Order.model_validate(values)


@pytest.mark.parametrize("gate", [float("nan"), float("inf"), 1.5, -0.1])
def test_no_infinity_travels(gate: float) -> None:
    with pytest.raises(ValidationError):
        Fit(before_slot=1, gates=(gate,))


def test_an_error_text_carries_no_reading() -> None:
    secret = "987654321"
    records = RecordDict(
        {"message": ConfigRecord({"type": "Meter", "json": f'{{"slot":1,"import_wh":{secret},"export_wh":0}}'})}
    )
    with pytest.raises(WireError) as caught:
        unpack(Meter, records)
    assert secret not in str(caught.value)
    assert "Meter.import_wh" in str(caught.value)


def test_a_refusal_speaks_for_itself() -> None:
    with pytest.raises(WireError, match=r"no-data.*no reading for slot 7"):
        unpack(Meter, pack(Refusal(code="no-data", reason="no reading for slot 7")))


def test_another_kind_and_nothing_at_all() -> None:
    with pytest.raises(WireError, match="expected Meter, got Fit"):
        unpack(Meter, pack(Fit(before_slot=1)))
    with pytest.raises(WireError, match="without content"):
        unpack(Meter, RecordDict())
