"""From intervals to half-hours, local times to UTC, and what stands in gaps: against slow oracles."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.clock import TIMEZONE, local_of
from common.errors import UserError
from common.readings import CHANNELS, MAX_SLOT_WH, Readings, validate_readings
from common.units import SLOT_SECONDS, SLOTS_PER_DAY
from datagen.gaps import WEEK_SLOTS, Gap, fill_gaps, gaps_of
from datagen.importers.intervals import Intervals, merge, to_readings
from datagen.importers.walltime import utc_seconds, without_skipped

MARCH, NOVEMBER = 1_710_064_800, 1_730_624_400  # 02:00 PST on 2024-03-10, 02:00 PDT on 2024-11-03
MINUTES = (5, 10, 15, 30, 60)


def _intervals(start_s, minutes, load_wh, pv_wh=None, line=None, **more):
    start = np.asarray(start_s, np.int64)
    energy = {"load_wh": np.asarray(load_wh, np.float64)}
    if pv_wh is not None:
        energy["pv_wh"] = np.asarray(pv_wh, np.float64)
    return Intervals(
        start,
        np.broadcast_to(np.asarray(minutes, np.int64) * 60, start.shape),
        {name: np.broadcast_to(values, start.shape) for name, values in energy.items()},
        np.arange(len(start)) + 2 if line is None else np.asarray(line, np.int64),
        **more,
    )


@st.composite
def metered(draw) -> Intervals:
    """Intervals of up to three days in order, of lengths that change from hour to hour, with holes and repetitions."""
    lengths = draw(st.lists(st.sampled_from(MINUTES), min_size=1, max_size=72))
    if draw(st.booleans()):
        lengths = [lengths[0]] * len(lengths)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    start = [MARCH + 3600 * hour + 60 * at for hour, length in enumerate(lengths) for at in range(0, 60, length)]
    minutes = np.array([length for length in lengths for _ in range(0, 60, length)])
    row = np.sort(rng.integers(0, len(start), rng.integers(1, 2 * len(start) + 1)))
    most = MAX_SLOT_WH * minutes * 60 / SLOT_SECONDS
    load, pv = (np.round(rng.uniform(0, scale * most), int(rng.integers(0, 4))) for scale in (1, 0.1))
    load[rng.random(len(load)) < 0.1] = np.nan
    if not np.isfinite(load[row]).any():
        load[row] = 1.0
    pv[np.isnan(load)] = np.nan
    return _intervals(np.array(start)[row], minutes[row], load[row], pv[row])


def _slow(intervals: Intervals) -> tuple[dict[int, float], dict[int, float], int]:
    """Energy of each whole slot (or hour) by number, load and solar, and how many slots it has."""
    size = 3600 if (intervals.length_s == 3600).any() else 1800
    seen: dict[tuple[int, int], tuple[float, float]] = {}
    for k in range(len(intervals)):
        load = float(intervals.energy_wh["load_wh"][k])
        if not np.isnan(load):
            seen[int(intervals.start_s[k]), int(intervals.length_s[k])] = load, float(intervals.energy_wh["pv_wh"][k])
    cover: dict[int, int] = {}
    energies: tuple[dict[int, float], dict[int, float]] = ({}, {})
    for (start, length), values in seen.items():
        cover[start // size] = cover.get(start // size, 0) + length
        for energy, value in zip(energies, values, strict=True):
            energy[start // size] = energy.get(start // size, 0.0) + value
    whole = [number for number in sorted(cover) if cover[number] == size]
    return {n: energies[0][n] for n in whole}, {n: energies[1][n] for n in whole}, size // 1800


@settings(max_examples=150, deadline=None)
@given(metered())
def test_half_hours_against_an_oracle(intervals):
    load, pv, resolution = _slow(intervals)
    found = to_readings(intervals, "file")
    readings = found.readings
    validate_readings(readings, "found")
    assert found.resolution_slots == resolution
    known = np.ones(len(readings), bool) if readings.metered is None else readings.metered
    numbers = (readings.first_slot + np.arange(len(readings))) // resolution
    assert set(numbers[known].tolist()) == set(load)
    for values, exact in ((readings.load_wh, load), (readings.pv_wh, pv)):
        assert not values[~known].any()
        total = values.reshape(-1, resolution).sum(axis=1)
        assert int(total.sum()) == round(sum(exact[n] for n in sorted(exact)))  # kept to the Wh
        for number, wh in zip(numbers[::resolution], total, strict=True):
            assert abs(wh - exact.get(int(number), 0.0)) <= 1
        if resolution == 2:
            halves = values.reshape(-1, 2)
            assert (np.abs(halves[:, 0] - halves[:, 1]) <= 1).all()


@settings(max_examples=60, deadline=None)
@given(metered(), st.randoms(use_true_random=False))
def test_arrival_order_never_matters(intervals, random):
    order = list(range(len(intervals)))
    random.shuffle(order)
    shuffled = Intervals(
        intervals.start_s[order],
        intervals.length_s[order],
        {name: values[order] for name, values in intervals.energy_wh.items()},
        intervals.line[order],
    )
    _same(to_readings(intervals, "f"), to_readings(shuffled, "f"))


@settings(max_examples=60, deadline=None)
@given(metered(), st.integers(1, 3))
def test_files_of_a_home_may_overlap(intervals, parts):
    cuts = np.linspace(0, len(intervals), parts + 1).astype(int)
    pieces = [
        Intervals(
            intervals.start_s[max(0, a - 3) : b],
            intervals.length_s[max(0, a - 3) : b],
            {name: values[max(0, a - 3) : b] for name, values in intervals.energy_wh.items()},
            intervals.line[max(0, a - 3) : b],
        )
        for a, b in pairwise(cuts.tolist())
    ]
    merged = merge([(f"file {k}", piece) for k, piece in enumerate(pieces)])
    _same(to_readings(intervals, "f"), to_readings(merged, "f"), warnings=False)


def _same(a, b, warnings=True):
    assert a.readings.first_slot == b.readings.first_slot and a.resolution_slots == b.resolution_slots
    assert np.array_equal(a.readings.load_wh, b.readings.load_wh)
    assert np.array_equal(a.readings.pv_wh, b.readings.pv_wh)
    assert gaps_of(a.readings) == gaps_of(b.readings)
    assert not warnings or a.warnings == b.warnings


@settings(max_examples=60, deadline=None)
@given(metered(), st.data())
def test_every_contradiction_names_its_line(intervals, data):
    known = np.flatnonzero(np.isfinite(intervals.energy_wh["load_wh"]))
    row = int(data.draw(st.sampled_from(known.tolist())))
    extra = {name: np.append(values, values[row]) for name, values in intervals.energy_wh.items()}
    extra["load_wh"][-1] = extra["load_wh"][row] / 2 + 0.25
    if extra["load_wh"][-1] == extra["load_wh"][row]:
        return
    contradiction = Intervals(
        np.append(intervals.start_s, intervals.start_s[row]),
        np.append(intervals.length_s, intervals.length_s[row]),
        extra,
        np.append(intervals.line, 9999),
    )
    with pytest.raises(UserError, match=r"^f, line 9999: overlaps the interval of line \d+ with another reading"):
        to_readings(contradiction, "f")


def test_a_contradiction_between_files_names_both():
    a, b = _intervals([MARCH], 30, [10.0], line=[7]), _intervals([MARCH], 30, [11.0], line=[9])
    with pytest.raises(UserError, match=r"^b\.csv, line 9: overlaps the interval of a\.csv, line 7 with another"):
        to_readings(merge([("a.csv", a), ("b.csv", b)]), "house-1")


def test_no_reading_contradicts_nothing():
    readings = to_readings(_intervals([MARCH, MARCH, MARCH + 1800], 30, [np.nan, 10.0, np.nan]), "f").readings
    assert readings.load_wh.tolist() == [10, 0]
    assert readings.metered.tolist() == [True, False]


BAD = [
    (_intervals([], 30, []), "f: no readings"),
    (_intervals([MARCH], 30, [np.nan]), "f: no readings"),
    (_intervals([MARCH], 7, [1]), "f, line 2: an interval of 7 minutes; expected 60, 30, 15 or another part of half"),
    (_intervals([MARCH], 1440, [1]), "f, line 2: an interval of 1440 minutes; expected 60, 30, 15"),
    (_intervals([MARCH], 0, [1]), "f, line 2: an interval of 0 minutes; expected"),
    (_intervals([MARCH + 900], 30, [1]), "f, line 2: an interval of 30 minutes that begins 15 minutes late; expected"),
    (_intervals([MARCH + 1800], 60, [1]), "f, line 2: an interval of 60 minutes that begins 30 minutes late; expected"),
    (_intervals([10**17], 30, [1]), "f, line 2: begins 100000000000000000 seconds after 1970; expected a time from"),
    (_intervals([-1800], 30, [1]), "f, line 2: begins -1800 seconds after 1970; expected a time from 1990 to 2099"),
    (_intervals([MARCH], 30, [-1]), "f, line 2: load_wh of -1 Wh in 30 minutes; expected 0 to 50000"),
    (_intervals([MARCH], 15, [25_001]), "f, line 2: load_wh of 25001 Wh in 15 minutes; expected 0 to 25000"),
    (_intervals([MARCH], 30, [1], pv_wh=[np.inf]), "f, line 2: pv_wh of inf Wh in 30 minutes; expected 0 to 50000"),
    (_intervals([MARCH, MARCH], [60, 15], [1, 1]), "f, line 3: overlaps the interval of line 2 with another reading"),
]


@pytest.mark.parametrize(("intervals", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_intervals(intervals, message):
    with pytest.raises(UserError) as caught:
        to_readings(intervals, "f")
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_appliances_add_up_to_the_load():
    row = _intervals([MARCH, MARCH + 1800], 30, [100.0, 50.0])
    parts = replace(row, energy_wh={**row.energy_wh, "fridge_wh": np.array([30.0, 55.0])})
    readings = to_readings(parts, "f").readings
    assert readings.channels[CHANNELS.index("fridge_wh")].tolist() == [30, 50]  # within the tolerance of rounding
    assert readings.channels[CHANNELS.index("other_wh")].tolist() == [70, 0]
    assert readings.load_wh.tolist() == [100, 50]
    parts.energy_wh["fridge_wh"][1] = 61.0
    with pytest.raises(UserError, match="appliances add up to 11 Wh more than the load"):
        to_readings(parts, "f")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1800, 3600]), st.integers(1, 6))
def test_parts_add_up_and_the_load_is_kept(seed, length, parts):
    rng = np.random.default_rng(seed)
    n = 30
    known = rng.uniform(0, 40, (parts, n)) * (rng.random((parts, n)) < 0.7)
    load = known.sum(axis=0) + rng.choice([0.0, 0.0, 300.4], n)
    row = _intervals(MARCH + length * np.arange(n), length // 60, load)
    energy = {**row.energy_wh, **dict(zip(CHANNELS, known, strict=False))}
    readings = to_readings(replace(row, energy_wh=energy), "f").readings
    plain = to_readings(row, "f").readings
    assert np.array_equal(readings.load_wh, plain.load_wh)
    assert np.array_equal(readings.channels.sum(axis=0), readings.load_wh)
    assert (readings.channels >= 0).all()
    if length == 3600:
        halves = np.vstack([readings.channels, readings.load_wh[None]]).reshape(len(CHANNELS) + 1, n, 2)
        assert (np.abs(halves[..., 0] - halves[..., 1]) <= 1).all()


def _local(utc_s) -> pd.DatetimeIndex:
    return (
        pd.DatetimeIndex(pd.to_datetime(np.asarray(utc_s), unit="s", utc=True)).tz_convert(TIMEZONE).tz_localize(None)
    )


def _refuse(row, text):
    return UserError(f"row {row}: {text}")


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from((MARCH, NOVEMBER, 1_700_000_000 // 3600 * 3600)),
    st.integers(-60, 10),
    st.integers(1, 200),
    st.sampled_from((900, 1800, 3600)),
    st.booleans(),
)
def test_local_time_gives_back_utc(around, hours, rows, step, descending):
    utc = around + 3600 * hours + step * np.arange(rows)
    if NOVEMBER - 3600 < utc[0] < NOVEMBER + 3600 or (rows < 3 and descending):
        return  # such a file cannot tell which of the two hours it begins in, or in which direction it runs
    utc = utc[::-1] if descending else utc
    wall = _local(utc)
    assert without_skipped(wall, TIMEZONE)[1] == 0
    assert utc_seconds(wall, TIMEZONE, _refuse).tolist() == utc.tolist()


@pytest.mark.parametrize("step", [900, 1800, 3600])
def test_a_skipped_hour(step):
    before, after = np.arange(MARCH - 7200, MARCH, step), np.arange(MARCH, MARCH + 7200, step)
    wall = _local(np.concatenate([before, after]))
    wrong = wall.where(wall != pd.Timestamp("2024-03-10 03:00"), pd.Timestamp("2024-03-10 02:00"))  # as PG&E writes it
    with pytest.raises(UserError, match=rf"row {len(before)}: 2024-03-10 02:00 does not exist in America/Los_Angeles"):
        utc_seconds(wrong, TIMEZONE, _refuse)
    mended, moved = without_skipped(wrong, TIMEZONE)
    assert moved == 1 and mended.equals(wall)
    both = wall.append(pd.DatetimeIndex(["2024-03-10 02:00"]))
    mended, moved = without_skipped(both, TIMEZONE)
    assert moved == 0
    with pytest.raises(UserError, match=f"row {len(wall)}: 2024-03-10 02:00 does not exist"):
        utc_seconds(mended, TIMEZONE, _refuse)


@st.composite
def with_gaps(draw) -> Readings:
    days = draw(st.integers(1, 24))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = days * SLOTS_PER_DAY
    known = np.ones(n, bool)
    for _ in range(int(rng.integers(0, 6))):
        at = int(rng.integers(0, n))
        known[at : at + int(rng.integers(1, n // 2 + 2))] = False
    load, pv = (np.where(known, rng.integers(1, 5000, n), 0) for _ in range(2))
    channels = np.zeros((len(CHANNELS), n), np.int64)
    channels[0] = load
    return Readings(0, load, pv, channels if rng.random() < 0.5 else None, metered=known)


@settings(max_examples=100, deadline=None)
@given(with_gaps())
def test_gaps_are_filled_as_by_the_slow_rule(readings):
    load, pv = readings.load_wh.tolist(), readings.pv_wh.tolist()
    known = readings.metered.tolist()
    for row in range(len(load)):
        if not known[row]:
            for back in (WEEK_SLOTS, SLOTS_PER_DAY):
                if row >= back and known[row - back]:
                    load[row], pv[row], known[row] = load[row - back], pv[row - back], True
                    break
    filled = fill_gaps(readings)
    assert filled.load_wh.tolist() == load and filled.pv_wh.tolist() == pv
    assert np.array_equal(filled.metered, readings.metered)
    if filled.channels is not None:
        assert np.array_equal(filled.channels.sum(axis=0), filled.load_wh)


@settings(max_examples=60, deadline=None)
@given(with_gaps(), st.data())
def test_filling_knows_nothing_of_later(readings, data):
    cut = data.draw(st.integers(0, len(readings) - 1))
    later = np.arange(len(readings)) >= cut
    other = replace(
        readings,
        load_wh=np.where(later, 7777, readings.load_wh),
        pv_wh=np.where(later, 0, readings.pv_wh),
        channels=None,
        metered=readings.metered ^ (later & (np.arange(len(readings)) % 3 == 0)),
    )
    assert np.array_equal(fill_gaps(readings).load_wh[:cut], fill_gaps(other).load_wh[:cut])
    assert np.array_equal(fill_gaps(readings).pv_wh[:cut], fill_gaps(other).pv_wh[:cut])


@settings(max_examples=60, deadline=None)
@given(with_gaps())
def test_gaps_are_the_slots_without_a_reading(readings):
    gaps = gaps_of(readings)
    missing = {slot for gap in gaps for slot in range(gap.first_slot, gap.first_slot + gap.slots)}
    assert missing == set(np.flatnonzero(~readings.metered).tolist())
    assert all(a.first_slot + a.slots < b.first_slot for a, b in pairwise(gaps))


def test_a_gap_in_words():
    slot = MARCH // SLOT_SECONDS
    assert str(Gap(slot, 3)) == f"1.5 h from {local_of(slot):%Y-%m-%d %H:%M}"
    assert gaps_of(Readings(0, np.ones(3, np.int64), np.ones(3, np.int64))) == []
