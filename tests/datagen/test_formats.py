"""Every format that can be written: it comes back, is recognised as itself alone, and damage never crashes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.clock import day_slots, slot_of, utc_of
from common.errors import UserError
from common.readings import HomeFacts, Readings, validate_readings
from datagen.importers import IMPORTERS, importer_for
from datagen.importers.base import Home

SAVED = sorted(name for name, importer in IMPORTERS.items() if importer.save is not None)
NET_ONLY = ("greenbutton-csv", "greenbutton-xml")
"""Formats of a meter that knows the grid only."""
HOURLY = ("citylearn",)
"""Formats of whole days of hours, without gaps."""
FILES = {"csv": "homes.toml", "sql": "homes.db"}
"""Names of what is written where it is no folder."""
KINDS = [(False, False, False), (False, True, True), (False, True, False), (True, False, False), (True, True, False)]
"""Of homes: whether hourly, with gaps, with appliance channels."""
CHANGES = (date(2024, 3, 10), date(2024, 11, 3))
quick = settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def home(home_id: str, first: int, hours: int, seed: int, hourly: bool, gaps: bool, channels: bool) -> Home:
    """A home of ``hours`` from the slot ``first`` on, with random energies, solar by day."""
    rng = np.random.default_rng(seed)
    count = hours if hourly else 2 * hours
    parts = rng.integers(0, 400, (6, count))
    daylight = (np.arange(count) // (1 if hourly else 2)) % 24 < 12
    pv_wh = rng.integers(0, 900, count) * daylight * (seed % 3 > 0)
    metered = rng.random(count) > 0.2 if gaps else np.ones(count, np.bool_)
    metered[rng.integers(count)] = True
    columns = np.concatenate([parts, parts.sum(axis=0)[None], pv_wh[None]]) * metered
    if hourly:
        columns = np.stack([columns - columns // 2, columns // 2], axis=2).reshape(8, -1)
        metered = np.repeat(metered, 2)
    readings = Readings(
        first_slot=first,
        load_wh=columns[:6].sum(axis=0) if channels else columns[6],
        pv_wh=columns[7],
        channels=columns[:6] if channels else None,
        metered=None if metered.all() else metered,
    )
    return HomeFacts(home_id=home_id, resolution_slots=1 + hourly, pv_kw=3.0 if pv_wh.any() else 0.0), readings


@st.composite
def communities(draw: st.DrawFn) -> list[Home]:
    """One or two homes around a change of the clocks or anywhere, of 30 or 60 minutes, with and without gaps."""
    near = draw(st.sampled_from(CHANGES))
    anywhere = st.integers(slot_of(utc_of(0).replace(year=2001)), slot_of(utc_of(0).replace(year=2030)))
    first = draw(st.one_of(anywhere, st.integers(-80, 80).map(lambda k: day_slots(near).start + k))) // 2 * 2
    homes = []
    for name in draw(st.sampled_from([("oak",), ("elm", "oak-2")])):
        hourly, gaps, channels = draw(st.sampled_from(KINDS))
        begin, hours = first + 2 * draw(st.integers(0, 3)), draw(st.integers(2, 80))
        homes.append(home(name, begin, hours, draw(st.integers(0, 2**20)), hourly, gaps, channels))
    return homes


@contextmanager
def saved(name: str, homes: list[Home]) -> Iterator[Path]:
    """What a format wrote."""
    folder = Path(tempfile.mkdtemp())
    try:
        save = IMPORTERS[name].save
        assert save is not None
        path = folder / FILES.get(name, "homes")
        save(homes, path)
        yield path
    finally:
        shutil.rmtree(folder)


def assert_exact(found: Home, wanted: Home) -> None:
    assert found[0].resolution_slots == wanted[0].resolution_slots
    assert found[1].first_slot == wanted[1].first_slot
    for name in ("load_wh", "pv_wh", "channels", "metered"):
        np.testing.assert_array_equal(getattr(found[1], name), getattr(wanted[1], name), name)


def assert_net(found: Home, wanted: Home) -> None:
    """The net load of each interval; gaps at the ends may be left out."""
    slots = wanted[0].resolution_slots
    rows = slice(found[1].first_slot - wanted[1].first_slot, found[1].end_slot - wanted[1].first_slot)
    whole = np.ones(len(wanted[1]), np.bool_) if wanted[1].metered is None else wanted[1].metered
    got = np.ones(len(found[1]), np.bool_) if found[1].metered is None else found[1].metered
    assert rows.start >= 0 and rows.stop <= len(whole)
    assert whole.sum() == whole[rows].sum() and found[0].resolution_slots == slots
    np.testing.assert_array_equal(got, whole[rows])
    net, wanted_net = (r.load_wh - r.pv_wh for r in (found[1], wanted[1]))
    np.testing.assert_array_equal(net.reshape(-1, slots).sum(axis=1), wanted_net[rows].reshape(-1, slots).sum(axis=1))


def assert_hours(found: Home, wanted: Home) -> None:
    """The energy of each hour of the whole days."""
    rows = slice(found[1].first_slot - wanted[1].first_slot, found[1].end_slot - wanted[1].first_slot)
    assert rows.start >= 0 and rows.stop <= len(wanted[1]) and len(found[1]) % 48 == 0 and found[1].metered is None
    for name in ("load_wh", "pv_wh"):
        got, want = getattr(found[1], name), getattr(wanted[1], name)[rows]
        np.testing.assert_array_equal(got.reshape(-1, 2).sum(axis=1), want.reshape(-1, 2).sum(axis=1), name)


@pytest.mark.parametrize("name", SAVED)
@given(homes=communities())
@settings(quick, max_examples=15)
def test_what_is_written_comes_back(name, homes):
    same = assert_net if name in NET_ONLY else assert_hours if name in HOURLY else assert_exact
    try:
        with saved(name, homes) as path:
            found = IMPORTERS[name].load(str(path)).homes
    except UserError as error:
        assert name in HOURLY, error
        assert any(reason in str(error) for reason in ("no whole day in common", "no reading for", "W per kW")), error
        return
    wanted = sorted(homes, key=lambda home: home[0].home_id)
    if name not in NET_ONLY:  # these give ids of their own, in the order of the files
        found = sorted(found, key=lambda home: home[0].home_id)
        assert [facts.home_id for facts, _ in found] == [facts.home_id for facts, _ in wanted]
    for one, other in zip(found, wanted, strict=True):
        same(one, other)


@pytest.mark.parametrize("name", sorted(set(SAVED) - set(NET_ONLY) - set(HOURLY)))
def test_each_channel_of_an_hourly_home_keeps_its_hours(name):
    wanted = home("oak", day_slots(CHANGES[0]).start, 48, 1, True, False, True)
    with saved(name, [wanted]) as path:
        ((facts, readings),) = IMPORTERS[name].load(str(path)).homes
    assert facts.resolution_slots == 2
    for column in ("load_wh", "pv_wh", "channels"):
        got, want = (getattr(r, column).reshape(-1, 48, 2).sum(axis=2) for r in (readings, wanted[1]))
        np.testing.assert_array_equal(got, want, column)


@pytest.mark.parametrize("name", HOURLY)
@pytest.mark.parametrize("change", CHANGES, ids=str)
@pytest.mark.parametrize("hourly", [True, False])
@pytest.mark.parametrize("weather", [True, False])
def test_whole_days_of_hours_come_back(name, change, hourly, weather):
    homes = [
        home(i, day_slots(change).start - 42 + k, 24 * 5, k + 1, hourly, False, False) for k, i in ((0, "a"), (4, "b"))
    ]
    if weather:
        days = np.arange(2 * 24 * 5) / 48
        rows = np.stack([20 + days, 40 + days, np.maximum(0, np.sin(2 * np.pi * days)) * 700, 0 * days])
        rows = np.repeat(rows[:, ::2], 2, axis=1).astype(np.float32)
        homes = [(facts, replace(readings, weather=rows)) for facts, readings in homes]
    with saved(name, homes) as path:
        imported = IMPORTERS[name].load(str(path))
    for found, wanted in zip(imported.homes, homes, strict=True):
        assert_hours(found, wanted)
        assert len(found[1]) == 4 * 48
        if weather:
            rows = slice(found[1].first_slot - wanted[1].first_slot, found[1].end_slot - wanted[1].first_slot)
            got, want = (w.reshape(4, -1, 2).mean(axis=2) for w in (found[1].weather, wanted[1].weather[:, rows]))
            np.testing.assert_allclose(got, want, atol=0.05)
        else:
            assert found[1].weather is None and imported.weather is None


def test_what_the_hours_cannot_hold_is_refused(tmp_path):
    first = day_slots(date(2024, 6, 1)).start
    facts, readings = home("oak", first, 72, 1, False, False, False)
    metered = np.ones(144, np.bool_)
    metered[70:72] = False
    save = IMPORTERS["citylearn"].save
    for given_facts, given_readings, says in (
        (facts, replace(readings, metered=metered), r"home oak: no reading for 1 h from 2024-06-02 11:00; CityLearn"),
        (facts, home("oak", first, 24, 1, False, False, False)[1], "no whole day in common"),
        (facts.model_copy(update={"pv_kw": 0.5}), readings, r"home oak: its best hour of sun gives .* W per kW"),
        (facts.model_copy(update={"pv_kw": 0.0}), readings, r"home oak: it makes solar power, but pv_kw is 0"),
    ):
        with pytest.raises(UserError, match=says):
            save([(given_facts, given_readings)], tmp_path / "new")
        assert not (tmp_path / "new").exists()
    with pytest.raises(UserError, match="no homes to write"):
        save([], tmp_path / "new")


def usual() -> list[Home]:
    """Two homes of some whole days from a change of the clocks on."""
    first = day_slots(CHANGES[0]).start
    return [home(name, first, 24 * 4, seed, False, False, False) for name, seed in (("elm", 1), ("oak", 2))]


@pytest.mark.parametrize("name", SAVED)
def test_each_format_is_recognised_as_itself_alone(name):
    with saved(name, usual()) as path:
        assert importer_for(str(path)) is IMPORTERS[name]
        assert [other for other, importer in IMPORTERS.items() if importer.detect(str(path))] == [name]


@pytest.mark.parametrize("name", SAVED)
def test_what_is_written_is_its_owners_alone(name):
    with saved(name, usual()) as path:
        files = [file for file in path.parent.rglob("*") if file.is_file()]
        assert files and all(file.stat().st_mode & 0o077 == 0 for file in files)


@pytest.mark.parametrize("name", SAVED)
def test_nothing_is_overwritten(name):
    with saved(name, usual()) as path:
        before = {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()}
        with pytest.raises(UserError):
            IMPORTERS[name].save(usual(), path)
        assert {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("source", ["/no/such", "a\0b", "x" * 5000, "/dev/null", "\ud800", "no.csv", "no.txt"])
def test_any_name_is_looked_at_without_a_crash(source):
    with pytest.raises(UserError):
        importer_for(source)


@pytest.mark.parametrize("name", sorted(IMPORTERS))
def test_nothing_there_is_said(name):
    with pytest.raises(UserError):
        IMPORTERS[name].load("/no/such")


def loads_or_says_why(name: str, path: Path) -> None:
    """Load what may be damaged: checked readings, or one line that says what is wrong."""
    IMPORTERS[name].detect(str(path))
    try:
        imported = IMPORTERS[name].load(str(path))
    except UserError as error:
        assert str(error).strip()
        return
    for facts, readings in imported.homes:
        validate_readings(readings, facts.home_id)
        assert len(readings) and HomeFacts.model_validate(facts.model_dump()) == facts


edits = st.one_of(
    st.tuples(st.just("flip"), st.floats(0, 1), st.integers(1, 255)),
    st.tuples(st.just("cut"), st.floats(0, 1), st.integers(1, 200)),
    st.tuples(st.just("put"), st.floats(0, 1), st.binary(max_size=40)),
    st.tuples(
        st.just("put"), st.floats(0, 1), st.text(" ,;.:-/\n\"'=[]{}0123456789eTZnaWh+", max_size=12).map(str.encode)
    ),
    st.tuples(st.just("end"), st.floats(0, 1), st.just(0)),
)


def edited(data: bytes, kind: str, where: float, what: int | bytes) -> bytes:
    """Bytes with a damage at a place, 0..1."""
    at = min(int(where * len(data)), max(len(data) - 1, 0))
    if kind == "end" or not data:
        return data[:at]
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ what]) + data[at + 1 :]
    return data[:at] + data[at + what :] if kind == "cut" else data[:at] + what + data[at:]


@pytest.mark.parametrize("name", SAVED)
def test_damaged_files_load_or_say_why(name):
    with saved(name, usual()) as path:
        whole = {file: file.read_bytes() for file in sorted(path.parent.rglob("*")) if file.is_file()}

        @given(file=st.sampled_from(sorted(whole)), damage=st.lists(edits, min_size=1, max_size=3))
        @settings(quick, max_examples=25)
        def damaged(file, damage):
            data = whole[file]
            for edit in damage:
                data = edited(data, *edit)
            file.write_bytes(data)
            loads_or_says_why(name, path)
            file.write_bytes(whole[file])

        damaged()


@pytest.mark.parametrize("name", SAVED)
def test_arbitrary_bytes_load_or_say_why(name):
    with saved(name, usual()) as path:
        whole = {file: file.read_bytes() for file in sorted(path.parent.rglob("*")) if file.is_file()}

        @given(file=st.sampled_from(sorted(whole)), data=st.binary(max_size=300), kept=st.integers(0, 100))
        @settings(quick, max_examples=12)
        def replaced(file, data, kept):
            file.write_bytes(whole[file][:kept] + data)
            loads_or_says_why(name, path)
            file.write_bytes(whole[file])

        replaced()
