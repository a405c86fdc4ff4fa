import pytest

from common.config import BatterySpec, MarketRules, RunConfig
from common.errors import UserError


def test_flat_and_back() -> None:
    config = RunConfig(homes=3, solar_share=0.25, tariff="pge-e-tou-c")
    assert RunConfig.parse(config.flat()) == config


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"hoems": 3}, "unknown key 'hoems'"),
        ({"homes": "3"}, "must be of type int"),
        ({"homes": True}, "must be of type int"),
        ({"model": "huge"}, "choose one of: full, small, tiny"),
        ({"settlement": "later"}, "choose one of: firm, metered"),
        ({"solar-share": 1.5}, "between 0 and 1"),
        ({"days": 0}, "at least 1"),
        ({"timeout-s": 0.0}, "must be positive"),
    ],
)
def test_bad_options_say_what_and_how(values: dict[str, object], says: str) -> None:
    with pytest.raises(UserError, match=says):
        RunConfig.parse(values)


def test_whole_numbers_do_for_decimal_options() -> None:
    assert RunConfig.parse({"timeout-s": 30}).timeout_s == 30.0


def test_battery_limits_of_the_design() -> None:
    battery = BatterySpec()
    assert (battery.reserve_kwh, battery.ceiling_kwh) == pytest.approx((1.35, 10.8))
    assert battery.max_slot_kwh == 2.5
    assert battery.one_way_efficiency**2 == pytest.approx(0.9)


def test_nobody_gets_energy_from_the_loss() -> None:
    rules = MarketRules()
    for delivered in range(1, 3000):
        injected = rules.injected_wh(delivered)
        assert injected * 19 >= delivered * 20
        assert rules.deliverable_wh(injected) >= delivered
        assert rules.deliverable_wh(injected - 1) < delivered
