"""What is no known format: the cause and the remedy are named; a CSV alone gets a mapping that fits it."""

from __future__ import annotations

import sqlite3
import zipfile
from pathlib import Path

import pytest

from common.errors import UserError
from datagen.importers import importer_for
from datagen.importers.mapped import load
from datagen.importers.suggestion import layout_of

CONTENTS = {
    "empty.csv": (b"", "the file is empty; download or save it again"),
    "blank.csv": (b" \n\n", "the file is empty"),
    "picture.csv": (b"\x89PNG\r\n\x1a\n\0\0\0", "not text, whatever its name says"),
    "utf16.csv": ("a,b".encode("utf-16"), "text in UTF-16; save it as 'CSV UTF-8'"),
    "book.xlsx": (b"PK\x03\x04", "a workbook; save its sheet as 'CSV UTF-8'"),
    "old.csv": (b"\xd0\xcf\x11\xe0\xa1\xb1", "a workbook"),
    "broken.zip": (b"PK\x03\x04", r"not a whole zip archive \(download it again\)"),
    "page.csv": (b"<!DOCTYPE html><html>", "a web page; log in, and download the file again"),
    "broken.xml": (b"<?xml version='1.0'?>\n<feed>\n<entry>", r"line 3, column 8: not whole XML; download"),
    "other.xml": (b"<other/>", "XML of another kind; expected a Green Button"),
    "feed.xml": (b"<feed><entry><UsagePoint/></entry></feed>", "XML without Green Button's namespace"),
    "data.json": (b"{}", "JSON; expected a CSV or XML file"),
    "data.parquet": (b"PAR1\0", "Parquet without ResStock's columns"),
    "bare.csv": (b"2024-01-01 00:00,1.2\n2024-01-01 00:30,1.3\n", "its first line holds data; expected a heading"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_the_cause_is_named(tmp_path, name):
    data, says = CONTENTS[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=says) as caught:
        importer_for(str(tmp_path / name))
    assert str(caught.value).startswith(str(tmp_path / name)) and "\n" not in str(caught.value)


def test_a_folder_is_told_by_what_it_holds(tmp_path):
    with pytest.raises(UserError, match="an empty folder"):
        importer_for(str(tmp_path))
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match=r"not a known format \(it holds notes\.txt; 'python -m datagen formats'"):
        importer_for(str(tmp_path))
    (tmp_path / "home.csv").write_text("time,kwh\n2024-01-01 00:00,1\n")
    with pytest.raises(UserError, match=r"home\.csv: a CSV needs a mapping"):
        importer_for(str(tmp_path))
    for name, what in (("z.toml", "mapping"), ("usage.zip", "archive")):
        (tmp_path / name).touch()
        with pytest.raises(UserError, match=rf"give the {what} in it: .*{name}"):
            importer_for(str(tmp_path))
    sqlite3.connect(tmp_path / "a.db").execute("CREATE TABLE x (y)").connection.close()
    with pytest.raises(UserError, match=r"give the database in it: .*a\.db"):
        importer_for(str(tmp_path))


def test_an_archive_is_told_by_what_it_holds(tmp_path):
    path = tmp_path / "a.zip"
    for name, text, says in (
        ("book.xlsx", "x", r"a\.zip: the archive holds no \.csv and no \.xml file; unpack it"),
        ("x.csv", "time,kwh\n2024-01-01 00:00,1\n", r"a\.zip/x\.csv: not PG&E's CSV; unpack the archive, and give"),
        ("x.csv", "", r"a\.zip/x\.csv: the file is empty"),
        ("x.xml", "<feed>", r"a\.zip/x\.xml, line 1, .*not whole XML"),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, text)
        with pytest.raises(UserError, match=says):
            importer_for(str(path))


def suggested(path: Path, text: str) -> str:
    """The mapping that is proposed for a CSV; it is left beside it."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"a CSV needs a mapping") as caught:
        importer_for(str(path))
    mapping = str(caught.value).split("\n", 1)[1]
    path.with_suffix(".toml").write_text(mapping, encoding="utf-8")
    return mapping


def test_the_proposed_mapping_reads_american_times(tmp_path):
    rows = [f"10/{day:02d}/2024 {k // 4:02d}:{k % 4 * 15:02d},0.25,66,1" for day in (1, 13) for k in range(96)]
    mapping = suggested(tmp_path / "a.csv", "\n".join(["Timestamp,Use (kWh),Temp,Cost", *rows, ""]))
    assert 'format = "%m/%d/%Y %H:%M"' in mapping and "minutes = 15" in mapping
    assert '# other columns of numbers: "Temp", "Cost"' in mapping
    ((_, readings),) = load(str(tmp_path / "a.toml")).homes
    assert readings.load_wh[:48].tolist() == [500] * 48


def test_the_proposed_mapping_reads_semicolons_below_a_preamble(tmp_path):
    rows = [f"{d:02d}.01.2024;{h:02d}:00;{h:02d}:59;0,{h:02d}" for d in (3, 14) for h in range(24)]
    heading = "Account;Somebody\nName;Else\n\nDate;Start Time;End Time;Reading"
    mapping = suggested(tmp_path / "a.csv", "\n".join([heading, *rows, ""]))
    for line in (
        'delimiter = ";"',
        'decimal = ","',
        "skip_lines = 3",
        'column = ["Date", "Start Time"]',
        "minutes = 60",
    ):
        assert line in mapping.splitlines()
    assert "Somebody" not in mapping
    ((facts, readings),) = load(str(tmp_path / "a.toml")).homes
    assert facts.resolution_slots == 2 and readings.load_wh[:4].tolist() == [0, 0, 5, 5]


def test_the_proposed_mapping_takes_offsets(tmp_path):
    rows = [f"2024-06-01T{h:02d}:00:00-07:00,100,3" for h in range(24)]
    assert 'timezone = "offset"' in suggested(tmp_path / "a.csv", "\n".join(["ts,import (Wh),export (Wh)", *rows, ""]))
    ((_, readings),) = load(str(tmp_path / "a.toml")).homes
    assert readings.load_wh.sum() == 2400 and readings.pv_wh.sum() == 72


@pytest.mark.parametrize("lines", [[], ["", ""], ["hello"], ["1,2", "3,4"], ['"a', 'b"'], ["a\0b,c"]])
def test_no_layout_is_made_up(lines):
    assert (layout_of(lines) is None) == (lines != ["a\0b,c"])
