"""Homes in a database: SQLite always, PostgreSQL where a server is installed."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from common.clock import slot_of
from common.config import BatterySpec
from common.errors import UserError
from common.readings import CHANNELS, HomeFacts, Readings
from datagen.importers import IMPORTERS, importer_for
from datagen.importers.sql import load, load_query, save, save_url
from datagen.importers.sql_access import database_url, refuse_all_but_select, shown, writing

FIRST = slot_of(datetime(2024, 6, 1, tzinfo=UTC))
TABLES = """
CREATE TABLE homes (home_id TEXT PRIMARY KEY, pv_kw REAL, battery_capacity_kwh REAL, timezone TEXT);
CREATE TABLE readings (home_id TEXT, start_utc, minutes, load_wh, pv_wh, ev_wh);
INSERT INTO homes VALUES ('oak', 4.5, 10, NULL);
"""


def database(folder: Path, *rows: tuple[object, ...], tables: str = TABLES) -> str:
    """A small SQLite file; returns its URL. A plain start is the number of a half-hour."""
    path = folder / "homes.db"
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as connection:
        connection.executescript(tables)
        for row in rows:
            connection.execute("INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?)", row)
    connection.close()
    return f"sqlite:///{path}"


def half_hours(count: int = 4, home: str = "oak") -> list[tuple[object, ...]]:
    return [(home, f"2024-06-01 0{k // 2}:{k % 2 * 30:02d}", 30, 100 + k, k, 10 * k) for k in range(count)]


def test_a_small_database(tmp_path):
    url = database(tmp_path, *half_hours())
    assert importer_for(url) is importer_for(str(tmp_path / "homes.db")) is IMPORTERS["sql"]
    for source in (url, str(tmp_path / "homes.db")):
        ((facts, readings),) = load(source).homes
        assert facts.home_id == "oak" and facts.pv_kw == 4.5 and facts.source == "sql:homes.db"
        assert facts.battery == BatterySpec(capacity_kwh=10)
        assert readings.first_slot == FIRST and readings.load_wh.tolist() == [100, 101, 102, 103]
        assert readings.pv_wh.tolist() == [0, 1, 2, 3]
        assert readings.channels[CHANNELS.index("ev_wh")].tolist() == [0, 10, 20, 30]


@pytest.mark.parametrize(
    "times",
    [
        ("2024-06-01T00:00:00Z", "2024-06-01T00:30:00Z"),
        ("2024-06-01 00:00:00.000000", "2024-06-01 00:30:00"),
        ("2024-05-31T17:00:00-07:00", "2024-05-31T17:30:00-07:00"),
        (1717200000, 1717201800),
        (1717200000.0, 1717201800),
    ],
)
def test_times_as_text_with_and_without_offset_or_seconds(tmp_path, times):
    url = database(tmp_path, *[("oak", time, 30, 5, None, None) for time in times])
    ((_, readings),) = load(url).homes
    assert (readings.first_slot, len(readings)) == (FIRST, 2) and readings.channels is None


def test_gaps_hours_and_homes_without_facts(tmp_path):
    rows = [row for k, row in enumerate(half_hours(6)) if k != 2]
    rows[3] = (*rows[3][:3], None, None, None)
    rows += [("elm 1", f"2024-06-01 0{k}:00", 60, 11, None, None) for k in range(2)]
    imported = load(database(tmp_path, *rows))
    (elm_facts, elm), (_, oak) = imported.homes
    assert elm_facts.home_id == "elm-1" and elm_facts.resolution_slots == 2 and elm.load_wh.tolist() == [6, 5, 6, 5]
    assert np.flatnonzero(~oak.metered).tolist() == [2, 4]
    assert any("elm 1 is not in the table 'homes'" in warning for warning in imported.warnings)


def test_a_query_stands_in_for_the_readings(tmp_path):
    url = database(tmp_path, *half_hours(), *half_hours(home="elm"))
    query = """SELECT home_id, start_utc, minutes, load_wh * 2 AS load_wh -- a comment; with ' in it
               FROM readings WHERE home_id <> ':elm' AND home_id LIKE '%oak';"""
    ((facts, readings),) = load_query(url, query).homes
    assert facts.pv_kw == 4.5 and readings.load_wh.tolist() == [200, 202, 204, 206] and readings.channels is None
    with pytest.raises(UserError, match=r"query: columns minutes, load_wh are missing \(found: .*\); .* AS load_wh"):
        load_query(url, "SELECT home_id, start_utc FROM readings")
    with pytest.raises(UserError, match=r"query: column load_wh occurs twice"):
        load_query(url, "SELECT *, load_wh FROM readings")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", "begins with 'nothing'"),
        ("DELETE FROM readings", "begins with 'DELETE'"),
        ("PRAGMA writable_schema = 1", "begins with 'PRAGMA'"),
        ("SELECT 1; DROP TABLE homes", "several statements"),
        ("/* SELECT */ DROP TABLE homes", "begins with"),
        ("WITH x AS (DELETE FROM homes RETURNING *) SELECT * FROM x", "the word 'DELETE'"),
        ("SELECT * INTO copy FROM readings", "the word 'INTO'"),
    ],
)
def test_only_a_single_select_is_run(tmp_path, query, says):
    url = database(tmp_path, *half_hours())
    before = (tmp_path / "homes.db").read_bytes()
    with pytest.raises(UserError, match=says):
        load_query(url, query)
    assert (tmp_path / "homes.db").read_bytes() == before


def test_words_in_texts_names_and_comments_do_no_harm():
    query = """SELECT 'drop; it''s' AS a, "update", `delete` FROM t -- insert;\n WHERE x = /* ; alter */ 1 ;"""
    assert refuse_all_but_select(query) == query.rstrip(" ;")


BAD_ROWS = {
    "no load": (("oak", 1717200000, 30, "much", 0, 0), r"home_id oak, start_utc 1717200000, column load_wh: 'much'"),
    "infinite": (("oak", 1717200000, 30, float("inf"), 0, 0), r"home_id oak, .*, column load_wh: 'inf' is not a"),
    "negative": (("oak", 1717200000, 30, -5, 0, 0), r"home oak, start_utc 2024-06-01 00:00:00: load_wh of -5 Wh"),
    "minutes": (("oak", 1717200000, 0, 5, 0, 0), r"home_id oak, .*, column minutes: 0; expected 60, 30, 15"),
    "no minutes": (("oak", 1717200000, None, 5, 0, 0), r"home_id oak, .*, column minutes: nan; expected 60, 30, 15"),
    "odd minutes": (("oak", 1717200000, 25, 5, 0, 0), r"start_utc 2024-06-01 00:00:00: an interval of 25 minutes"),
    "no time": (("oak", None, 30, 5, 0, 0), r"start_utc None, column start_utc: empty; expected a time"),
    "bad time": (("oak", "noon", 30, 5, 0, 0), r"home_id oak, .*, column start_utc: 'noon' is not a time; expected"),
    "milliseconds": (("oak", 1717200000000, 30, 5, 0, 0), r"column start_utc: 1\.7172e\+12; expected seconds since"),
    "no home": ((None, 1717200000, 30, 5, 0, 0), r"start_utc 1717200000, column home_id: empty; expected the home's"),
    "appliances": (("oak", 1717200000, 30, 5, 0, 500), r"home oak: .* appliances add up to 495 Wh more"),
    "a blob": (("oak", b"\x00\x01", 30, 5, 0, 0), r"column start_utc: values of type bytes; expected times"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(BAD_ROWS))
def test_bad_rows_are_named(tmp_path, case):
    row, message = BAD_ROWS[case]
    with pytest.raises(UserError, match=message) as caught:
        load(database(tmp_path, row))
    assert "\n" not in str(caught.value)


BAD_TABLES = {
    "no readings": ("CREATE TABLE meter (x)", r"no table 'readings' \(found: meter\); make one, or give a --query"),
    "no column": ("CREATE TABLE readings (home_id, start_utc, load_wh)", r"readings: column minutes is missing"),
    "no rows": (TABLES, "no readings"),
    "no id": ("CREATE TABLE homes (x); CREATE TABLE readings (home_id)", r"homes: column home_id is missing"),
    "bad fact": (TABLES.replace("4.5", "-4.5"), r"homes, home oak, column pv_kw: Input should be greater than"),
    "bad battery": (TABLES.replace("10, NULL", "-1, NULL"), r"home oak, column battery_capacity_kwh: Input should be"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(BAD_TABLES))
def test_bad_tables_are_named(tmp_path, case):
    tables, message = BAD_TABLES[case]
    with pytest.raises(UserError, match=message):
        load(database(tmp_path, tables=tables))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:///no/such.db", "no such database file"),
        ("sqlite://", "names no file"),
        ("oracle9://scott:tiger@host/x", "SQLAlchemy knows no database 'oracle9'"),
        ("://", "not a database URL; expected sqlite:///homes.db"),
        ("postgresql://u:tiger@h:port/x", "not a database URL"),
        ("postgresql+psycopg://u:tiger@127.0.0.1:1/x?password=tiger", "pip install|the database says"),
        ("mysql+pymysql://u:tiger@127.0.0.1:1/x", r"its driver pymysql is not installed; pip install pymysql"),
    ],
)
def test_what_cannot_be_reached_is_said_without_the_password(url, says):
    with pytest.raises(UserError, match=says) as caught:
        load(url)
    assert "tiger" not in str(caught.value) and "\n" not in str(caught.value)


def test_passwords_are_never_shown():
    assert shown(database_url("postgres://u:tiger@h/x?sslpassword=tiger")) == "postgresql+psycopg://u:***@h/x"


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "homes.db").write_bytes(b"SQLite format 3\x00" + b"\x07" * 500)
    with pytest.raises(UserError, match="the database says: "):
        load(str(tmp_path / "homes.db"))


def homes() -> list[tuple[HomeFacts, Readings]]:
    """A half-hourly home with channels and a gap, and an hourly one."""
    rng = np.random.default_rng(1)
    metered = np.ones(96, np.bool_)
    metered[[0, 7, 8]] = False
    channels = rng.integers(0, 300, (6, 96)) * metered
    oak = Readings(FIRST, channels.sum(axis=0), rng.integers(0, 900, 96) * metered, channels, None, metered)
    hours = rng.integers(0, 900, 48)
    elm = Readings(FIRST + 2, np.stack([hours - hours // 2, hours // 2], axis=1).ravel(), np.zeros(96, np.int64))
    battery = BatterySpec(capacity_kwh=9.9, max_power_kw=3.3)
    return [
        (HomeFacts(home_id="oak", pv_kw=4.5, battery=battery, connection_kw=60, archetype="x"), oak),
        (HomeFacts(home_id="elm", resolution_slots=2), elm),
    ]


def assert_same(found: list[tuple[HomeFacts, Readings]]) -> None:
    by_id = {facts.home_id: (facts, readings) for facts, readings in found}
    for facts, readings in homes():
        got_facts, got = by_id[facts.home_id]
        assert got_facts.model_copy(update={"source": ""}) == facts
        assert got.first_slot == readings.first_slot
        for name in ("load_wh", "pv_wh", "channels", "metered"):
            np.testing.assert_array_equal(getattr(got, name), getattr(readings, name), name)


def test_homes_are_written_and_come_back(tmp_path):
    save(homes(), tmp_path / "new.db")
    assert_same(load(str(tmp_path / "new.db")).homes)
    with pytest.raises(UserError, match="exists already"):
        save(homes(), tmp_path / "new.db")
    with pytest.raises(UserError, match="table 'homes' is not empty; name another database"):
        save_url(homes(), f"sqlite:///{tmp_path / 'new.db'}")
    other = database(tmp_path, tables="CREATE TABLE homes (home_id); CREATE TABLE readings (home_id)")
    with pytest.raises(UserError, match=r"the database says: .*no such column: homes.pv_kw"):
        save_url(homes(), other)


def _server_binary(name: str) -> str | None:
    found = shutil.which(name) or next(iter(sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)
    return None if found is None else str(found)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a PostgreSQL server of the test's own."""
    pytest.importorskip("psycopg", reason="the driver of PostgreSQL is not installed (pip install 'psycopg[binary]')")
    initdb, postgres = _server_binary("initdb"), _server_binary("postgres")
    if initdb is None or postgres is None:
        pytest.skip("no PostgreSQL server is installed")
    root = Path("/tmp") / f"pg-{os.getpid()}"
    user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
    root.mkdir(mode=0o700)
    if user:
        shutil.chown(root, user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", "user": user}
    subprocess.run([initdb, "-D", f"{root}/data", "-A", "trust", "-U", "owner"], check=True, **quiet)
    server = subprocess.Popen(
        [postgres, "-D", f"{root}/data", "-p", str(port), "-k", str(root), "-c", "listen_addresses=127.0.0.1"], **quiet
    )
    try:
        url = f"postgresql://owner:tiger@127.0.0.1:{port}/postgres"
        _wait_for(url)
        yield url
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(root, ignore_errors=True)


def _wait_for(url: str) -> None:
    for _ in range(100):
        try:
            load_query(url, "SELECT 1 AS home_id")
        except UserError as error:
            if "columns start_utc, minutes" in str(error):
                return
        time.sleep(0.1)
    raise AssertionError("PostgreSQL did not start")


def test_postgresql(postgres):
    save_url(homes(), postgres)
    with writing(database_url(postgres)) as connection:
        connection.exec_driver_sql("CREATE SEQUENCE counter")
    assert_same(load(postgres).homes)
    since = "'2024-06-01 01:00+00'::timestamptz"
    query = f"SELECT home_id, start_utc, minutes, load_wh::numeric FROM readings WHERE start_utc >= {since}"
    assert {facts.home_id for facts, _ in load_query(postgres, query).homes} == {"oak", "elm"}
    with pytest.raises(UserError, match="read-only transaction"):
        load_query(postgres, "SELECT nextval('counter')")
    with pytest.raises(UserError, match="is not empty") as caught:
        save_url(homes(), postgres)
    assert "tiger" not in str(caught.value)
