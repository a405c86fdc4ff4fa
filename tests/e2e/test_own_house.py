"""From a utility's file to a result: import, look, and trade with generated neighbours; nothing of the person stays."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from common.clock import day_slots
from common.readings import read_facts, read_readings
from common.tariff import load_tariff
from market.ledger import read_books

pytestmark = pytest.mark.xdist_group("e2e")
ROOT = Path(__file__).resolve().parents[2]
FIRST, DAYS = date(2025, 4, 1), 70
PREAMBLE = (
    "Name,JOSEPHINE QUIMBLETON\n"
    'Address,"4711 SNAPDRAGON TERRACE WALLABY CREEK CA 95999"\n'
    "Account Number,8675309421\nService,Elec-Zebrawood 7\n\n"
)
FILE_NAME = "pge_electric_5550001234_Yellowhammer.csv"
PRIVATE = ("QUIMBLETON", "SNAPDRAGON", "WALLABY", "8675309421", "ZEBRAWOOD", "5550001234", "YELLOWHAMMER")


@dataclass(frozen=True)
class Download:
    """A utility's file, and the net load of each of its quarter-hours: import - export, Wh, shape ``(n,)``."""

    path: Path
    net_wh: NDArray[np.int64]


@pytest.fixture(scope="module")
def download(tmp_path_factory: pytest.TempPathFactory) -> Download:
    """Seventy days of a house with panels, by quarter-hours in PG&E's layout."""
    rng = np.random.default_rng(5)
    quarter = np.arange(DAYS * 96)
    hour = quarter % 96 / 4
    load = 90 + 260 * np.exp(-(((hour - 19) / 2.2) ** 2)) + 40 * rng.random(len(quarter))
    height = np.sin(np.pi * np.clip((hour - 6) / 14, 0, 1))
    sun = 900 * height**1.3 * rng.uniform(0.4, 1, len(quarter))
    net_wh = np.rint((load - sun) / 10).astype(np.int64) * 10
    begin = datetime(FIRST.year, FIRST.month, FIRST.day)
    rows = ["TYPE,DATE,START TIME,END TIME,IMPORT (kWh),EXPORT (kWh),COST,NOTES"]
    for k, wh in enumerate(net_wh.tolist()):
        start = begin + timedelta(minutes=15 * k)
        clock = f"{start:%Y-%m-%d},{start:%H:%M},{start + timedelta(minutes=14):%H:%M}"
        rows.append(f"Electric usage,{clock},{max(wh, 0) / 1000:.2f},{max(-wh, 0) / 1000:.2f},$0.10,")
    path = tmp_path_factory.mktemp("downloads") / FILE_NAME
    path.write_text(PREAMBLE + "\n".join(rows) + "\n", encoding="utf-8")
    return Download(path, net_wh)


def run(*arguments: object) -> str:
    """Run a command of the project, which must succeed; returns what it printed, in one line."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return " ".join((done.stdout + done.stderr).split())


def nothing_private(root: Path) -> None:
    """No file under ``root``, nor any name of one, holds a word of the preamble or of the file's name."""
    files = [path for path in root.rglob("*") if path.is_file()]
    assert files
    for path in files:
        text = path.read_bytes().upper() + str(path.relative_to(root)).upper().encode()
        for word in PRIVATE:
            assert word.encode() not in text, f"{word} in {path}"


def test_from_the_file_to_a_result(download: Download, tmp_path: Path) -> None:
    house, out = tmp_path / "my-house", tmp_path / "out"
    shown = [
        run("-m", "datagen", "import", download.path, "--out", house, "--name", "mine"),
        run("-m", "datagen", "describe", house),
        run(
            "simulation.py", "evaluate", "--data", house, "--neighbours", 3, "--days", 1, "--model", "tiny",
            "--forecaster", "base", "--out", out,
        ),
    ]  # fmt: skip
    for text in shown:
        assert (
            "mine: the meter shows import and export only" in text
            and "'grid only' (b0) and solar figures are of what crossed the meter" in text
        )
        assert "house-1" not in text and not any(word in text.upper() for word in PRIVATE)
    nothing_private(house)
    nothing_private(out)

    measured = json.loads((out / "evaluate.json").read_text())
    assert (measured["homes"], measured["config"]["neighbours"], measured["config"]["data"]) == (4, 3, "commonwatt")
    assert (measured["money_residual_nusd"], measured["energy_residual_wh"]) == (0, 0)
    (day,) = [date.fromisoformat(entry["day"]) for entry in measured["by_day"]]

    slots = np.asarray(day_slots(day))
    at = (day - FIRST).days * 96
    quarters_wh = download.net_wh[at : at + 96].reshape(48, 2)
    net_wh = quarters_wh.sum(axis=1)
    home = read_readings(out / "homes" / "mine")
    rows = slots - home.first_slot
    np.testing.assert_array_equal(home.load_wh[rows], np.maximum(quarters_wh, 0).sum(axis=1))
    np.testing.assert_array_equal(home.load_wh[rows] - home.pv_wh[rows], net_wh)
    assert read_facts(out / "homes" / "mine").source == "greenbutton-csv"

    books, tariff = read_books(out / "ledger.sqlite"), load_tariff("pge-tou-c")
    paid_nusd = np.maximum(net_wh, 0) @ tariff.import_uusd(slots)  # Wh x u$/kWh
    earned_nusd = np.maximum(-net_wh, 0) @ tariff.export_uusd(slots)
    totals = books.totals.set_index("home_id")
    assert sorted(totals.index) == ["mine", *(f"neighbour-0000{k}" for k in range(3))]
    assert int(totals.loc["mine", "b1_nusd"]) == int(paid_nusd - earned_nusd)


def test_a_file_is_data_as_it_is(download: Download, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shown = run(
        "simulation.py", "evaluate", "--data", download.path, "--neighbours", 1, "--days", 1, "--model", "tiny",
        "--forecaster", "profile", "--out", out,
    )  # fmt: skip
    assert "house-1: the meter shows" in shown and "neighbour-00000 is generated" in shown
    nothing_private(out)
    assert json.loads((out / "evaluate.json").read_text())["config"]["data"] == "greenbutton-csv"
