"""A whole evening in which the grid pays more for exports than it charges for imports."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from common.books import Books
from common.config import MarketRules
from common.tariff import load_tariff
from datagen.community import prepare_homes
from market.audit import verify
from report.accounts import accounts
from report.evaluator import Homes, optimum_nusd
from tests.conftest import SMALL

AUGUST: dict[str, object] = {"date": "2025-08-13", "tariff": "pge-e-elec", "start_slot": 0, "slots": 48}


@pytest.fixture(params=["firm", "metered"])
def august(run_local: Callable[..., Books], tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Books, Path]:
    """Books of a Wednesday, forecast from habit, and the homes' folders."""
    root = tmp_path / "homes"
    prepare_homes(replace(SMALL, **AUGUST), root)  # type: ignore[arg-type]
    return run_local(root=root, forecaster="profile", homes_per_node=3, settlement=request.param, **AUGUST), root


def test_homes_export_and_do_not_trade_and_the_optimum_stays_a_bound(august: tuple[Books, Path]) -> None:
    books, root = august
    tariff, rules = load_tariff("pge-e-elec"), MarketRules()
    assert verify(books, rules) == []
    slots = books.slots["slot"].to_numpy(np.int64)
    pays = slots[tariff.export_uusd(slots) > tariff.import_uusd(slots)]
    assert len(pays) == 12
    assert len(books.trades) > 0
    assert not books.trades["slot"].isin(pays).any()
    evening = books.meters[books.meters["slot"].isin(pays)]
    assert evening["grid_export_wh"].sum() > 3 * 6_000, "three batteries that were filled before it"
    best = optimum_nusd(Homes.open(root), books, tariff, rules)
    paid = accounts(books).community
    assert best is not None
    assert sum(best.values()) <= paid.p2p_nusd
    assert paid.b1_nusd - paid.p2p_nusd > 0.8 * (paid.b1_nusd - sum(best.values()))
