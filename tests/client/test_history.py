import numpy as np
import pytest
from home_cases import FIRST_SLOT, TARIFF, make_forecast, make_readings, see

from client.history import History, OwnPast


def test_nothing_after_the_gate_is_visible():
    readings = make_readings()
    gate = FIRST_SLOT + 1000
    own = OwnPast(gate - 10, np.arange(80, dtype=np.float32).reshape(4, 20))
    history = History(readings, gate, tariff=TARIFF, forecast=make_forecast(readings), own=own)
    assert history.known_end == gate
    assert len(history.load_wh) == len(history.pv_wh) == history.channels.shape[1] == history.weather.shape[1] == 1000
    assert history.forecast.issue_slot.max() <= gate
    assert len(history.forecast.values) == len(history.forecast.issue_slot)
    assert history.own.values.shape == (4, 10)


@pytest.mark.parametrize(("offset", "known"), [(1000, 1000), (1001, 1000), (1002, 1002)])
def test_an_hourly_home_knows_whole_hours_only(offset, known):
    history = see(make_readings(), FIRST_SLOT + offset, resolution_slots=2)
    assert history.known_end == FIRST_SLOT + known
    assert history.known_end % 2 == 0


def test_the_view_is_read_only_and_shares_memory():
    readings = make_readings()
    history = see(readings, FIRST_SLOT + 100)
    with pytest.raises(ValueError, match="read-only"):
        history.load_wh[0] = 1
    assert np.shares_memory(history.load_wh, readings.load_wh)


def test_a_gate_before_or_after_the_readings():
    readings = make_readings()
    assert len(see(readings, FIRST_SLOT - 5)) == 0
    assert see(readings, readings.end_slot + 5).known_end == readings.end_slot


def test_no_forecast_issued_yet_is_none():
    readings = make_readings()
    history = see(readings, FIRST_SLOT - 5, make_forecast(readings))
    assert history.forecast is None
