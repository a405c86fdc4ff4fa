"""A mix of batteries: shares, sizes, the same homes else, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from common.config import RunConfig
from common.errors import UserError
from common.readings import home_folders, read_facts, read_readings
from datagen.batteries import battery_mix, battery_of
from datagen.community import prepare_homes

MIX = "13.5=0.5,5=0.25,0=0.25"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("homes", [8, 40])
def test_the_homes_have_about_the_shares_that_were_asked_for(seed, homes):
    mix = battery_mix(MIX)
    sizes = [battery_of(index, seed, mix).capacity_kwh for index in range(homes)]
    for size, share in ((13.5, 0.5), (5.0, 0.25), (0.0, 0.25)):
        assert abs(sizes.count(size) - share * homes) <= 1.5


def test_a_small_battery_gives_no_more_than_would_empty_it_in_two_hours():
    mix = battery_mix(MIX)
    assert [spec.max_power_kw for _, spec in mix] == [5.0, 2.5, 0.0]


def test_nothing_but_the_battery_changes(tmp_path):
    config = RunConfig(homes=3, date="2025-06-18")
    prepare_homes(config, tmp_path / "usual")
    prepare_homes(replace(config, batteries="0=1"), tmp_path / "none")
    for usual, none in zip(home_folders(tmp_path / "usual"), home_folders(tmp_path / "none"), strict=True):
        before, after = read_facts(usual), read_facts(none)
        assert (before.battery.capacity_kwh, after.battery.capacity_kwh) == (13.5, 0.0)
        assert before.model_copy(update={"battery": after.battery}) == after
        assert (read_readings(usual).load_wh == read_readings(none).load_wh).all()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("13.5", "expected a capacity"),
        ("big=1", "expected a capacity"),
        ("2000=1", "expected a capacity"),
        ("nan=1", "expected a capacity"),
        ("13.5=0.5,0=0.6", "add up to 1.1"),
        ("13.5=1.5,0=-0.5", "between 0 and 1"),
    ],
)
def test_a_mix_that_is_none_is_refused(text, told):
    with pytest.raises(UserError, match=told):
        battery_mix(text)
