import json
from datetime import date

import numpy as np
import pytest

from common.clock import day_slots, local_calendar
from common.errors import UserError
from common.tariff import load_tariff, tariff_names


def prices(name: str, day: date) -> list[int]:
    return load_tariff(name).import_uusd(np.array(day_slots(day))).tolist()


def test_the_briefs_tariff() -> None:
    tariff = load_tariff("pge-tou-c")
    slots = np.array(day_slots(date(2025, 1, 15)))
    peak = tariff.peak_window(slots)
    hours = local_calendar(slots).half_hour // 2
    assert ((hours >= 16) & (hours < 20) == peak).all()
    assert set(tariff.import_uusd(slots)[peak]) == {510_000}
    assert set(tariff.import_uusd(slots)[~peak]) == {280_000}
    assert set(tariff.export_uusd(slots)) == {60_000}
    assert tariff.off_peak_uusd(slots[33:35]) == 280_000  # even where only peak slots are asked for


def test_published_seasons() -> None:
    assert set(prices("pge-e-tou-c", date(2025, 7, 1))) == {504_000, 607_000}
    assert set(prices("pge-e-tou-c", date(2025, 12, 1))) == {463_000, 493_000}


@pytest.mark.parametrize(("day", "slots"), [(date(2025, 3, 9), 46), (date(2025, 11, 2), 50), (date(2025, 6, 1), 48)])
def test_peak_has_eight_slots_also_when_the_clocks_change(day: date, slots: int) -> None:
    series = prices("pge-tou-c", day)
    assert len(series) == slots
    assert series.count(510_000) == 8


def test_every_tariff_names_its_source() -> None:
    for name in tariff_names():
        tariff = load_tariff(name)
        assert tariff.source
        assert tariff.effective_date
        assert tariff.label == name


def test_bad_files_say_what_and_where(tmp_path: pytest.TempPathFactory) -> None:
    path = tmp_path / "mine.json"  # type: ignore[operator]
    with pytest.raises(UserError, match="known names: pge-e-tou-c"):
        load_tariff("no-such-tariff")
    path.write_text("{")
    with pytest.raises(UserError, match=r"not JSON .*; expected a tariff in the shape of .* as .*pge-tou-c\.json"):
        load_tariff(str(path))
    path.write_bytes(b"\x89PNG\r\n\xff")
    with pytest.raises(UserError, match=r"not JSON .*; expected a tariff"):
        load_tariff(str(path))
    good = load_tariff("pge-tou-c").model_dump()
    path.write_text(json.dumps(good | {"energyratestructure": [[{"rate": 0.3}]]}))
    with pytest.raises(UserError, match="names period 1"):
        load_tariff(str(path))
    path.write_text(json.dumps(good | {"energyweekdayschedule": [[0] * 24] * 11}))
    with pytest.raises(UserError, match="energyweekdayschedule"):
        load_tariff(str(path))
    path.write_text(json.dumps(good | {"energyratestructure": [[{"rate": -0.1}], [{"rate": 0.5}]]}))
    with pytest.raises(UserError, match="rate"):
        load_tariff(str(path))
