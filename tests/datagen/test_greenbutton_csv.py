"""PG&E's CSV: layouts, daylight saving, sources, bad files, privacy, and back again."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.clock import day_slots, local_of
from common.errors import UserError
from common.readings import HomeFacts, Readings, validate_readings
from datagen.gaps import gaps_of
from datagen.importers import IMPORTERS, importer_for
from datagen.importers.greenbutton_csv import detect, load
from datagen.importers.greenbutton_csv_export import save, text_of
from datagen.importers.net_meter import register_of

SECRETS = ("JANEDOE", "1600 AMPHITHEATRE", "BERKELEYX", "5551234567", "ServiceXyz", "94709")
PREAMBLE = (
    '\ufeffName,JANEDOE JOS\u00c9\nAddress,"1600 AMPHITHEATRE, BERKELEYX CA 94709"\nAccount Number,5551234567\n'
    "Service,ServiceXyz 1\n\n"
)
NET = "TYPE,DATE,START TIME,END TIME,IMPORT (kWh),EXPORT (kWh),COST,NOTES\n"
PLAIN = "TYPE,DATE,START TIME,END TIME,USAGE (kWh),COST,NOTES\n"
OLD = "TYPE,DATE,START TIME,END TIME,USAGE,UNITS,COST,NOTES\n"


def _write(path: Path, text: str, encoding: str = "utf-8") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding=encoding, newline="")
    return str(path)


def _one(path) -> tuple[HomeFacts, Readings, list[str]]:
    imported = load(str(path))
    ((facts, readings),) = imported.homes
    validate_readings(readings, "loaded")
    return facts, readings, imported.warnings


def test_a_net_metered_home(tmp_path):
    rows = (
        "Electric usage,2025-06-01,00:00,00:59,1.50,0.00,$0.45\n"
        "Electric usage,2025-06-01,01:00,01:59,0.30,0.11,$0.09\n"
        "Electric usage,2025-06-01,02:00,02:59,0.00,2.39,-$1.18\n"
    )
    facts, readings, warnings = _one(_write(tmp_path / "a.csv", PREAMBLE + NET + rows))
    assert (facts.home_id, facts.source, facts.resolution_slots) == ("house-1", "greenbutton-csv", 2)
    assert facts.pv_kw == 2.4  # the highest export, rounded up
    assert local_of(readings.first_slot).isoformat() == "2025-06-01T00:00:00-07:00"
    assert readings.load_wh.tolist() == [750, 750, 150, 150, 0, 0]
    assert readings.pv_wh.tolist() == [0, 0, 55, 55, 1195, 1195]
    assert any(warning.startswith("house-1: the meter shows") and "'grid only' (b0)" in warning for warning in warnings)
    assert any("house-1: panels of 2.4 kW assumed, the most that the readings show" in warning for warning in warnings)


def test_older_layouts_dates_line_ends_and_gas(tmp_path):
    rows = (
        "Electric usage,1/31/2024,0:00,0:14,0.12,kWh,$0.05,\r\n"
        "\r\n"
        'Electric usage,1/31/2024,0:15,0:29,-0.20,kWh,"$1,000.05",Estimated\r\n'
        "Natural gas usage,1/31/2024,3.13,therms,$4.09,\r\n"
        "Electric usage,01/31/2024,0:30,0:44,0.05,kWh,,\r\n"
        "Electric usage,01/31/2024,0:45,0:59,,kWh,,\r\n"
    )
    facts, readings, warnings = _one(_write(tmp_path / "a.csv", (PREAMBLE + OLD).replace("\n", "\r\n") + rows))
    assert readings.load_wh.tolist() == [120, 0] and readings.pv_wh.tolist() == [200, 0]
    assert readings.metered.tolist() == [True, False] and facts.pv_kw == 0.4
    assert "1 rows of natural gas passed over" in warnings
    assert "1 readings are the utility's estimates" in warnings


def test_a_home_without_export_has_no_solar(tmp_path):
    facts, readings, warnings = _one(
        _write(tmp_path / "a.csv", PREAMBLE + PLAIN + "Electric usage,2024-01-31,00:00,00:29,0.12,$0.05,\n")
    )
    assert facts.pv_kw == 0 and not readings.pv_wh.any() and readings.metered is None and not warnings


def test_latin_1_preamble_and_rows_without_notes(tmp_path):
    path = _write(tmp_path / "a.csv", PREAMBLE[1:] + PLAIN + "Electric usage,2024-01-31,00:00,00:29,0.12\n", "latin-1")
    assert _one(path)[1].load_wh.tolist() == [120]


def test_daylight_saving_as_pge_writes_it(tmp_path):
    spring = [f"Electric usage,2026-03-08,{h:02}:00,{h:02}:59,0.{h + 1},,\n" for h in (0, 1, 2, 4)]
    _, readings, warnings = _one(_write(tmp_path / "spring.csv", PLAIN + "".join(spring)))
    assert readings.metered is None and readings.load_wh.tolist() == [50, 50, 100, 100, 150, 150, 250, 250]
    assert any("1 rows carry the hour that the clocks skip" in warning for warning in warnings)
    autumn = [f"Electric usage,2025-11-02,{h:02}:00,{h:02}:59,0.{h + 1},,\n" for h in (0, 1, 2)]
    _, readings, _ = _one(_write(tmp_path / "autumn.csv", PLAIN + "".join(autumn)))
    assert readings.metered.tolist() == [True] * 4 + [False] * 2 + [True] * 2
    _, readings, _ = _one(_write(tmp_path / "both.csv", PLAIN + "".join(autumn[:2] + autumn[1:])))
    assert readings.metered is None and len(readings) == 8


@st.composite
def homes(draw, hourly: bool | None = None) -> tuple[HomeFacts, Readings]:
    """A home over one of the changes of clock or at a random time, with random gaps, metered at both ends."""
    slots = 2 if (draw(st.booleans()) if hourly is None else hourly) else 1
    centre = draw(st.sampled_from([1_710_064_800, 1_730_624_400]) | st.integers(1_500_000_000, 1_800_000_000)) // 1800
    before, after = draw(st.integers(2, 60)), draw(st.integers(2, 60))
    first, end = (centre - before) // slots * slots, -(-(centre + after) // slots) * slots
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = (end - first) // slots
    wh = rng.integers(0, 50_000 * slots + 1, (2, n)) * (rng.random((2, n)) < draw(st.sampled_from([0.0, 0.5, 1.0])))
    if draw(st.booleans()):
        wh[1] = 0
    known = rng.random(n) < draw(st.sampled_from([0.3, 0.9, 1.0]))
    known[[0, -1]] = True
    # An hour that the clocks repeat is one of two only beside the other.
    known[np.abs((first - 1_730_624_400 // 1800) // slots + np.arange(n) + 0.5) <= 2 // slots] = True
    wh[:, ~known] = 0
    load_wh, pv_wh = (np.stack([v - v // 2, v // 2], axis=1).ravel() if slots == 2 else v for v in wh)
    known = np.repeat(known, slots)
    facts = HomeFacts(home_id="house-1", resolution_slots=slots, source="greenbutton-csv")
    return facts, Readings(first, load_wh, pv_wh, metered=None if known.all() else known)


def _same(found: Readings, wanted: Readings) -> None:
    validate_readings(found, "found")
    assert found.first_slot == wanted.first_slot
    assert found.load_wh.tolist() == wanted.load_wh.tolist()
    assert found.pv_wh.tolist() == wanted.pv_wh.tolist()
    assert gaps_of(found) == gaps_of(wanted)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("csv")


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(home=homes(), parts=st.sampled_from([1, 2]), data=st.data())
def test_round_trip(folder, home, parts, data):
    facts, readings = home
    parts = 1 if facts.resolution_slots == 2 else parts
    text = text_of(register_of(home), parts)
    head, rows = text.split("NOTES\n")
    lines = rows.splitlines(keepends=True)
    order = data.draw(st.sampled_from(["kept", "newest first", "days shuffled"]))
    if order == "newest first" and len(lines) > 3:
        lines = lines[::-1]
    elif order == "days shuffled":
        days = sorted({line.split(",")[1] for line in lines})
        data.draw(st.randoms(use_true_random=False)).shuffle(days)
        lines = [line for day in days for line in lines if line.split(",")[1] == day]
    path = _write(folder / "a.csv", head + "NOTES\n" + "".join(lines))
    found_facts, found, _ = _one(path)
    assert found_facts.resolution_slots == facts.resolution_slots
    assert (found_facts.pv_kw > 0) == bool(readings.pv_wh.any())
    _same(found, readings)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(home=homes(), data=st.data())
def test_rows_of_an_ordinary_day_may_stand_in_any_order(folder, home, data):
    lines = text_of(register_of(home)).split("NOTES\n")[1].splitlines(keepends=True)
    lines = [line for line in lines if line.split(",")[1][5:8] != "11-"]
    if not lines:
        return
    shuffled = data.draw(st.permutations(lines[:40])) + lines[40:]
    heading = NET if lines[0].count(",") == NET.count(",") else PLAIN
    found = [_one(_write(folder / f"{k}.csv", heading + "".join(rows)))[1] for k, rows in enumerate((lines, shuffled))]
    _same(found[1], found[0])


def test_exported_homes_keep_their_net_load_and_their_order(tmp_path):
    first = day_slots(local_of(1_000_000).date()).start
    gross = Readings(first, np.array([500, 300, 0, 40]), np.array([200, 450, 70, 40]))
    loads = {f"house-{k}": np.full(4, k) for k in range(1, 13)}
    many = [(HomeFacts(home_id=k, source="x"), Readings(first, v, np.zeros(4, np.int64))) for k, v in loads.items()]
    many[0] = (HomeFacts(home_id="house-1", pv_kw=3, source="citylearn:x"), gross)
    save(many, tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*.csv"))) == 12
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "out" / "house-1.csv").stat().st_mode & 0o777 == 0o600
    back = {facts.home_id: readings for facts, readings in load(str(tmp_path / "out")).homes}
    net = back["house-1"].load_wh - back["house-1"].pv_wh
    assert net.tolist() == (gross.load_wh - gross.pv_wh).tolist()
    assert all(back[f"house-{k}"].load_wh.tolist() == [k] * 4 for k in range(2, 13))  # house-10 after house-2
    with pytest.raises(UserError, match="exists and is not empty; name a new folder"):
        save(many, tmp_path / "out")


DAY = "".join(f"Electric usage,2024-01-31,{h:02}:00,{h:02}:59,0.10,,\n" for h in range(24))
NEXT = DAY.replace("01-31", "02-01")


def test_folders_sub_folders_and_archives(tmp_path):
    _write(tmp_path / "flat" / "pge_5551234567_b2.csv", PLAIN + DAY)
    _write(tmp_path / "flat" / "pge_5551234567_b10.csv", PLAIN + NEXT)
    _write(tmp_path / "flat" / ".hidden.csv", "x")
    _write(tmp_path / "flat" / "readme.txt", "x")
    imported = load(str(tmp_path / "flat"))
    assert [facts.home_id for facts, _ in imported.homes] == ["house-1", "house-2"]
    assert local_of(imported.homes[0][1].first_slot).day == 31
    _write(tmp_path / "deep" / "ours" / "2024-01.csv", PLAIN + DAY)
    _write(tmp_path / "deep" / "ours" / "2024-02.csv", PLAIN + DAY[: len(DAY) // 2] + NEXT)
    _write(tmp_path / "deep" / "theirs" / "a.csv", PLAIN + DAY)
    imported = load(str(tmp_path / "deep"))
    assert [len(readings) for _, readings in imported.homes] == [96, 48]
    assert any("house-1: 12 rows stand twice" in warning for warning in imported.warnings)
    for wrapper in ("", "download/"):
        archive = tmp_path / f"a{len(wrapper)}.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
            for path in sorted((tmp_path / "deep").rglob("*.csv")):
                target.write(path, wrapper + path.relative_to(tmp_path / "deep").as_posix())
            target.writestr(wrapper + "usage.xlsx", "not for us")
        assert detect(str(archive)) and importer_for(str(archive)) is IMPORTERS["greenbutton-csv"]
        zipped = load(str(archive))
        for (_, a), (_, b) in zip(zipped.homes, imported.homes, strict=True):
            _same(a, b)
    _write(tmp_path / "deep" / "ours" / "wrong.csv", PLAIN + DAY.replace("0.10", "0.20"))
    with pytest.raises(UserError, match=r"wrong\.csv, line 2: overlaps the interval of .*2024-01\.csv, line 2 with"):
        load(str(tmp_path / "deep"))


def test_damaged_and_hostile_archives(tmp_path, monkeypatch):
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(UserError, match=r"a\.zip: not a whole zip archive \(download it again\)"):
        load(str(path))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("../../a.csv", "x")
    with pytest.raises(UserError, match=r"a\.zip: holds no \.csv file"):
        load(str(path))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("bomb.csv", bytes(range(256)) * 100 + b"0" * 5_000_000)
    monkeypatch.setattr("datagen.importers.files.MAX_FILE_BYTES", 1_048_576)
    with pytest.raises(UserError, match=r"a\.zip/bomb\.csv: larger than 1 MB; expected a few years of one home"):
        load(str(path))
    monkeypatch.setattr("datagen.importers.files.MAX_ARCHIVE_BYTES", 1_048_576)
    with pytest.raises(UserError, match=r"a\.zip: unpacks to 0 GB; expected at most 0 GB"):
        load(str(path))
    data = bytearray(path.read_bytes())
    data[60:80] = bytes(range(20))
    (tmp_path / "b.zip").write_bytes(bytes(data))
    monkeypatch.undo()
    with pytest.raises(UserError, match=r"b\.zip/bomb\.csv: damaged \(download the archive again\)"):
        load(str(tmp_path / "b.zip"))


def test_nothing_to_load(tmp_path):
    with pytest.raises(UserError, match="no such file or folder"):
        load(str(tmp_path / "missing"))
    with pytest.raises(UserError, match=r"holds no \.csv file"):
        load(str(tmp_path))
    assert not detect(str(tmp_path)) and not detect("postgresql://x/y") and not detect("a\0b")


R = "Electric usage,2024-01-31,"
BAD = {
    "empty": ("", ": empty; expected PG&E's interval CSV with a heading TYPE,DATE"),
    "web page": ("<!DOCTYPE html>\n<html><body>Log in</body></html>", ": a web page, not a CSV file; log in and downl"),
    "no heading": (PREAMBLE + R + "00:00,00:59,1\n", ": no heading found; expected PG&E's interval CSV"),
    "bills": (
        "TYPE,START DATE,END DATE,USAGE (kWh),COST\n",
        ", line 1: a summary of bills; expected intervals (on pge",
    ),
    "no rows": (PREAMBLE + PLAIN, ": no rows below the heading; choose a longer range of days"),
    "no date": (PLAIN.replace("DATE,", "") + R, ", line 1: column DATE is missing (found: TYPE, START TIME, END"),
    "no end": (
        PREAMBLE + PLAIN.replace("END TIME,", "") + R,
        ", line 6: column END TIME is missing (found: TYPE, DATE, S",
    ),
    "no usage": (
        PLAIN.replace("USAGE (kWh)", "POWER") + R,
        ", line 1: column USAGE (kWh) is missing (found: TYPE, DAT",
    ),
    "no export": (NET.replace("EXPORT (kWh)", "X") + R, ", line 1: column EXPORT (kWh) is missing (found: TYPE, DAT"),
    "no units": (OLD.replace("UNITS", "X") + R, ", line 1: column UNITS is missing (found: TYPE, DATE, STAR"),
    "text": (PLAIN + R + "00:00,00:59,n/a,,\n", ", line 2, column USAGE (kWh): 'n/a' is not a number; expected kWh"),
    "nan": (PLAIN + R + "00:00,00:59,nan,,\n", ", line 2, column USAGE (kWh): 'nan' is not a number; expected kWh"),
    "inf": (NET + R + "00:00,00:59,1,-inf,,\n", ", line 2, column EXPORT (kWh): '-inf' is not a number; expected kWh"),
    "negative": (NET + R + "00:00,00:59,-0.5,0,\n", ", line 2, column IMPORT (kWh): '-0.5' is negative; expected 0 or"),
    "huge": (PLAIN + R + "00:00,00:59,900,\n", ", line 2: load_wh of 900000 Wh in 60 minutes; expected 0 to 100000"),
    "twice": (
        PLAIN + R + "00:00,00:59,1,\n" + R + "00:00,00:59,2,\n",
        ", line 3: overlaps the interval of line 2 with another reading; expected each time once (delete one of the tw",
    ),
    "grid": (
        PLAIN + R + "00:15,00:44,1,\n",
        ", line 2: an interval of 30 minutes that begins 15 minutes late; expecte",
    ),
    "length": (PLAIN + R + "00:00,00:15,1,\n", ", line 2: an interval of 16 minutes; expected 60, 30, 15 or another"),
    "date": (
        PLAIN + "Electric usage,2024-02-30,00:00,00:59,1,\n",
        ", line 2, column DATE: '2024-02-30' is not a date;",
    ),
    "year": (
        PLAIN + "Electric usage,0024-02-20,00:00,00:59,1,\n",
        ", line 2, column DATE: '0024-02-20' is not a date;",
    ),
    "time": (
        PLAIN + R + "24:00,24:59,1,\n",
        ", line 2, column START TIME: '24:00' is not a time; expected one like 00",
    ),
    "units": (OLD + R + "00:00,00:59,1,therms,,\n", ", line 2, column UNITS: 'therms'; expected kWh"),
    "gas": (
        OLD + "Natural gas usage,2024-01-31,1.0,therms,,\n",
        ": gas usage only; expected electric usage in kWh (on",
    ),
    "type": (PLAIN + "Water,2024-01-31,00:00,00:59,1,\n", ", line 2, column TYPE: neither 'Electric usage' nor 'Natu"),
    "truncated": (
        PLAIN + R + "00:00,00:59,1,,\n" + R + "01:00,01:5",
        ", line 3: breaks off; download the file again, or",
    ),
    "cut time": (PLAIN + R + "00:00,00:59,1,,\n" + R + "01:\n", ", line 3, column START TIME: '01:' is not a time;"),
    "quote": (
        PLAIN + R + '00:00,00:59,1,"$1,\n' + R + "01:00,01:59,1,,\n",
        ", line 2: cannot be split into cells; exp",
    ),
    "wide": (PLAIN + R + "00:00,00:59,1" + "," * 99 + "\n", ", line 2: 104 cells; expected 7, as in the heading"),
    "surplus": (PLAIN + R + "00:00,00:59,1,,,2\n", ", line 2: 8 cells; expected 7, as in the heading"),
    "fused": (
        PLAIN + R + "00:00,00:59,1,,\x9dElectric usage\n" + R + "01:00,01:59,1,,\n",
        ", line 2: damaged, not all of it is text; download the file again",
    ),
    "skipped": (
        PLAIN + "".join(f"Electric usage,2024-03-10,0{h}:00,0{h}:59,1,,\n" for h in range(5)),
        ", line 4, column START TIME: 2024-03-10 02:00 does not exist in America/Los_Angeles (clocks go forward); exp",
    ),
    "two files in one": (PLAIN + DAY + PREAMBLE[1:], ", line 26, column TYPE: neither 'Electric usage' nor 'Natural"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(tmp_path, name):
    text, message = BAD[name]
    path = _write(tmp_path / "a.csv", text)
    with pytest.raises(UserError) as caught:
        load(path)
    assert str(caught.value).startswith(path + message) and "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused_with_their_line(tmp_path):
    path = tmp_path / "a.csv"
    rows = [f"{R}0{k}:00,0{k}:59,1,," for k in range(4)]
    for junk in (b"\xff", b"\x1b", b"\xc2\x85", b"\xe9"):
        path.write_bytes(PLAIN.encode() + "\n".join(rows[:2]).encode() + junk + "\n".join(["", *rows[2:], ""]).encode())
        with pytest.raises(UserError, match=r"a\.csv, line 3: damaged, not all of it is text; download the file again"):
            load(str(path))


def test_empty_cells_beyond_the_heading_do_no_harm(tmp_path):
    assert _one(_write(tmp_path / "a.csv", PLAIN + R + "00:00,00:29,1,,,,,\n"))[1].load_wh.tolist() == [1000]


def test_bills_and_rows_without_a_heading_are_recognised_and_refused(tmp_path):
    for text, says in (
        (BAD["bills"][0], "a summary of bills; .* 'Export usage for a range of days'"),
        (DAY, "no heading"),
    ):
        path = _write(tmp_path / "a.csv", text)
        assert importer_for(path) is IMPORTERS["greenbutton-csv"]
        with pytest.raises(UserError, match=says):
            load(path)


def test_a_missing_column_lists_those_found_and_the_way_out(tmp_path):
    path = _write(tmp_path / "a.csv", PLAIN.replace("USAGE (kWh)", "POWER") + R)
    with pytest.raises(
        UserError, match=r"found: TYPE, .*, POWER, COST, NOTES\); .*; of another layout write a mapping"
    ):
        load(path)


def test_the_files_of_houses_are_known_but_in_no_warning(tmp_path):
    for name in ("b", "a"):
        _write(tmp_path / "homes" / f"5551234567-{name}.csv", PLAIN + DAY)
    imported = load(str(tmp_path / "homes"))
    assert [Path(imported.files[facts.home_id][0]).stem[-1] for facts, _ in imported.homes] == ["a", "b"]
    assert not any("5551234567" in text for text in [*imported.warnings, *(f.source for f, _ in imported.homes)])


def test_utf_16(tmp_path):
    path = _write(tmp_path / "a.csv", PREAMBLE + PLAIN + DAY, "utf-16")
    assert detect(path)
    with pytest.raises(UserError, match=r"a\.csv: UTF-16 or binary, not plain text; save it as 'CSV UTF-8'"):
        load(path)


def _mutations() -> st.SearchStrategy[bytes]:
    valid = (PREAMBLE + NET + "".join(f"{R}{h:02}:00,{h:02}:59,0.{h},0.1,$1,\n" for h in range(24))).encode()
    piece = st.sampled_from(
        [
            b"",
            b"-",
            b"nan",
            b"inf",
            b'"',
            b"\n",
            b",",
            b"\0",
            b"\r",
            b"9" * 30,
            b"2024-03-10",
            b"02:00",
            b"\xff",
            b"1e9",
        ]
    )

    @st.composite
    def mutated(draw) -> bytes:
        data = valid
        for _ in range(draw(st.integers(1, 4))):
            a = draw(st.integers(0, len(data)))
            data = data[:a] + draw(piece | st.binary(max_size=4)) + data[a + draw(st.integers(0, 12)) :]
        return data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data

    return mutated()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=_mutations() | st.binary(max_size=300))
def test_any_bytes_give_a_user_error_or_sound_homes(folder, data):
    path = folder / "fuzz.csv"
    path.write_bytes(data)
    detect(str(path))
    try:
        imported = load(str(path))
    except UserError as error:
        texts = [str(error)]
        assert "\n" not in texts[0]
    else:
        for _, readings in imported.homes:
            validate_readings(readings, "fuzz")
        texts = [*imported.warnings, *(facts.model_dump_json() for facts, _ in imported.homes)]
    assert not [secret for secret in SECRETS for text in texts if secret in text]


@pytest.mark.parametrize("name", BAD)
def test_the_preamble_is_never_shown(tmp_path, name):
    text = BAD[name][0]
    broken = PREAMBLE.replace("\n", "", 1).replace('"', "") + text
    for content in (PREAMBLE + text, broken, text + PREAMBLE, PREAMBLE.replace("\n\n", "") + text):
        try:
            imported = load(_write(tmp_path / "a.csv", content))
        except UserError as error:
            texts = [str(error)]
        else:
            texts = [*imported.warnings, *(facts.model_dump_json() for facts, _ in imported.homes)]
        words = [*SECRETS, *(word for word in PREAMBLE.replace(",", " ").split() if len(word) > 7)]
        assert not [word for word in words for text in texts if word in text]


def test_a_year_of_quarter_hours_is_read_by_pandas_alone(tmp_path):
    slots = np.arange(day_slots(local_of(946_000).date()).start, 964_000)
    home = (HomeFacts(home_id="a", source="greenbutton-x"), Readings(int(slots[0]), slots % 997, slots % 89))
    path = _write(tmp_path / "a.csv", text_of(register_of(home), 2))
    assert len(list(csv.reader(io.StringIO(Path(path).read_text())))) > 35_000
    _same(_one(path)[1], home[1])


@pytest.mark.parametrize(
    "heading",
    [
        "TYPE,DATE,USAGE,UNITS,COST,NOTES",
        "TYPE,DATE,USAGE (therms),COST,NOTES",
        "TYPE,DATE,START TIME,END TIME,USAGE (therms),COST,NOTES",
    ],
)
def test_a_file_of_gas_beside_the_electric_one_is_passed_over(tmp_path, heading):
    days = [f"2024-05-{day:02d}" for day in (1, 2)]
    rows = [f"Electric usage,{day},{h:02d}:00,{h:02d}:59,0.5,$0.1," for day in days for h in range(24)]
    (tmp_path / "electric.csv").write_text(
        "\n".join(["TYPE,DATE,START TIME,END TIME,USAGE (kWh),COST,NOTES", *rows]) + "\n"
    )
    gas = ["Natural gas usage,2024-05-01,0.7", "Natural gas usage,2024-05-02,0.9"]
    (tmp_path / "gas.csv").write_text("\n".join(["Name,JANE DOE", "", heading, *gas]) + "\n")
    imported = load(str(tmp_path))
    assert len(imported.homes) == 1 and imported.homes[0][1].load_wh.sum() == 24_000
    assert any("2 rows of natural gas" in warning for warning in imported.warnings)
