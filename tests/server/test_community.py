"""The community's mean surprise over the in-process grid: exact, causal, and robust against homes that fail."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

import client.app
from client import node
from client.community import contribute, home_key
from client.household import Household
from client.store import Arrays
from common.books import Books
from common.community import CommunityMean
from common.messages import Fit, WireError
from common.secure_sum import MASKED, SCALE
from common.sum_messages import NeighbourKey, SumPart, SumRequest
from tests.client.home_cases import FIRST_SLOT
from tests.server.community_cases import BEFORE, HOMES, Central, central, plain_mean, write_homes

FROM = FIRST_SLOT + 28 * 48
Contribute = Callable[[Household, SumRequest, SumPart], Arrays]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_homes(tmp_path_factory.mktemp("community"))


@pytest.fixture
def one(root: Path, tmp_path: Path) -> Central:
    return central(root, tmp_path)


def mean_of(one: Central) -> CommunityMean:
    assert one.community.mean is not None
    return one.community.mean


def failing(monkeypatch: pytest.MonkeyPatch, fails: Callable[[Household, SumRequest], bool]) -> None:
    """Homes that fail to answer where ``fails`` says so."""
    original = client.app.contribute

    def act(home: Household, request: SumRequest, part: SumPart) -> Arrays:
        if fails(home, request):
            raise RuntimeError("no network")
        return original(home, request, part)

    monkeypatch.setattr(client.app, "contribute", act)


# -- what is summed ---------------------------------------------------------------------------------------------------


def test_the_mean_is_that_of_the_homes_and_reaches_each(one: Central) -> None:
    one.community.sum_up(BEFORE)
    mean = mean_of(one)
    assert (mean.first_slot, mean.end_slot) == (FROM, BEFORE), "from where three homes have a scale"
    expected = plain_mean(one, range(HOMES), FROM, BEFORE)
    np.testing.assert_allclose(mean.values, expected, atol=1 / SCALE)
    assert expected.std() > 0.1
    one.send_something()
    for number in range(HOMES):
        home = one.household(number)
        history = home.history(BEFORE)
        assert history.community is not None
        known = mean.since(home.first_slot).values[:-8]
        np.testing.assert_array_equal(history.community[-len(known) :], known)
        assert not history.community[: -len(known)].any()
    (event,) = one.said("community")
    assert (event["slot"], event["homes"], event["slots"]) == (BEFORE, HOMES, BEFORE - FROM)
    assert not one.said("warning")


def test_later_only_what_is_new_is_summed_in_whole_hours(one: Central) -> None:
    for before in (BEFORE, BEFORE, BEFORE + 1, BEFORE + 7, BEFORE + 12):
        one.community.sum_up(before)
    assert [event["slots"] for event in one.said("community")] == [BEFORE - FROM, 6, 6]
    expected = plain_mean(one, range(HOMES), FROM, BEFORE + 12)
    np.testing.assert_allclose(mean_of(one).values, expected, atol=1 / SCALE)
    one.send_something()
    stored = one.household(0).community
    assert stored is not None
    np.testing.assert_array_equal(stored.values, mean_of(one).values, "parts join on the home's disk")


def with_another_life_from(root: Path, slot: int, **facts: Any) -> Path:
    """Homes whose readings of ``slot`` and later are others."""
    write_homes(root, **facts)
    for path in root.glob("*/readings.parquet"):
        table = pd.read_parquet(path)
        table.loc[table["slot"] >= slot, "load_wh"] = 3333
        table.to_parquet(path, index=False)
    return root


@pytest.mark.parametrize("resolution_slots", [1, 2])
def test_nothing_at_or_after_the_gate_is_told(tmp_path: Path, resolution_slots: int) -> None:
    def summed(cut: int) -> np.ndarray:
        root = with_another_life_from(tmp_path / str(cut), cut, resolution_slots=resolution_slots)
        case = central(root, tmp_path / f"out-{cut}")
        case.community.sum_up(BEFORE + 1)  # within an hour
        assert mean_of(case).end_slot == BEFORE
        return mean_of(case).values

    never = summed(BEFORE + 10**6)
    for cut in (BEFORE + 1, BEFORE):
        np.testing.assert_array_equal(summed(cut), never)
    changed = np.flatnonzero(summed(BEFORE - 1) != never)
    np.testing.assert_array_equal(changed, [len(never) - 1], "the test must see a change before the gate")


def test_a_gateway_and_its_homes_alone_have_the_same_mean(root: Path, one: Central, tmp_path: Path) -> None:
    gateway = central(root, tmp_path / "gateway", homes_per_node=3)
    for case in (one, gateway):
        case.community.sum_up(BEFORE)
    np.testing.assert_array_equal(mean_of(one).values, mean_of(gateway).values)


def test_two_homes_are_too_few_and_that_is_said_once(tmp_path: Path) -> None:
    two = central(write_homes(tmp_path / "homes", homes=2), tmp_path)
    for before in (BEFORE, BEFORE + 6):
        two.community.sum_up(before)
    assert [(event["homes"], event["slots"]) for event in two.said("community")] == [(2, 0)]
    assert two.community.mean is None


# -- homes that fail --------------------------------------------------------------------------------------------------


def test_without_a_home_that_fails_the_sum_is_asked_for_again(one: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        failing(patch, lambda home, _: home.home_id == "home-00001")
        one.community.sum_up(BEFORE)
        expected = plain_mean(one, [0, 2, 3, 4], FROM, BEFORE)
        mean = mean_of(one)
        np.testing.assert_allclose(mean.values, expected[mean.first_slot - FROM :], atol=1 / SCALE)
        assert mean.first_slot == FROM + 48, "from where three of the others have a scale"
    assert one.said("community")[0]["homes"] == HOMES - 1
    one.community.sum_up(BEFORE + 6)
    assert one.said("community")[1]["homes"] == HOMES, "it is back"
    one.send_something()
    stored = one.household(1).community
    assert stored is not None
    np.testing.assert_array_equal(stored.values, mean_of(one).values, "and was told what it missed")


def test_after_two_repeats_there_is_no_new_mean(one: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        failing(patch, lambda home, request: int(home.home_id[-1]) < request.exchange)
        one.community.sum_up(BEFORE)
    assert one.community.mean is None
    assert "2 homes answered at last" in one.said("warning")[-1]["message"]
    assert not one.said("community")
    one.community.sum_up(BEFORE + 6)
    assert (mean_of(one).first_slot, mean_of(one).end_slot) == (FROM, BEFORE + 6)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda sent: sent[:, :-1],
        lambda sent: sent.astype(np.int64),
        lambda sent: sent.astype(np.float32),
        lambda sent: sent.ravel(),
    ],
)
def test_arrays_of_another_kind_are_left_out(
    one: Central, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Any], Any]
) -> None:
    def act(home: Household, request: SumRequest, part: SumPart) -> Arrays:
        sent = contribute(home, request, part)
        return {MASKED: spoil(sent[MASKED])} if home.home_id == "home-00003" else sent

    monkeypatch.setattr(client.app, "contribute", act)
    one.community.sum_up(BEFORE)
    assert one.said("community")[0]["homes"] == HOMES - 1
    assert any("masked numbers of home-00003 ignored" in event["message"] for event in one.said("warning"))


def test_a_sum_out_of_proportion_is_discarded_and_not_asked_for_again(
    one: Central, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(home: Household, request: SumRequest, part: SumPart) -> Arrays:
        sent = contribute(home, request, part)
        sent[MASKED][0, -1] += 40 * SCALE  # behind the masks nobody sees it
        return sent

    with monkeypatch.context() as patch:
        patch.setattr(client.app, "contribute", act)
        one.community.sum_up(BEFORE)
    assert one.community.mean is None
    assert "discarded" in one.said("warning")[-1]["message"]
    one.community.sum_up(BEFORE + 6)
    assert (mean_of(one).first_slot, mean_of(one).end_slot) == (BEFORE, BEFORE + 6)


def test_a_home_that_lost_its_disk_gives_another_key(root: Path, one: Central) -> None:
    one.community.sum_up(BEFORE)
    (root / "home-00002" / "state" / str(one.run_id) / "secret.json").unlink()
    for before in (BEFORE + 6, BEFORE + 12):
        one.community.sum_up(before)
    assert [event["homes"] for event in one.said("community")] == [HOMES, HOMES - 1, HOMES]


def test_a_resumed_run_goes_on_with_the_mean_of_its_checkpoint(root: Path, one: Central, tmp_path: Path) -> None:
    one.community.sum_up(BEFORE)
    resumed = central(root, tmp_path / "resumed", run_id=one.run_id)
    resumed.community.restore(one.community.mean)
    resumed.community.sum_up(BEFORE)
    assert not resumed.said("community")
    resumed.community.sum_up(BEFORE + 6)
    assert [event["slots"] for event in resumed.said("community")] == [6]
    assert not resumed.said("warning"), "the homes answer numbers that go on"
    resumed.send_something()
    stored = resumed.household(4).community
    assert stored is not None
    assert (stored.first_slot, stored.end_slot) == (FROM, BEFORE + 6)


# -- what a home refuses ----------------------------------------------------------------------------------------------


def request_for(one: Central, homes: int = 3, exchange: int = 1, first: int = FROM, before: int = BEFORE) -> SumRequest:
    cards = [home_key(one.household(number), Fit(before_slot=BEFORE)) for number in range(homes)]
    keys = tuple(NeighbourKey(home_id=card.home_id, key=card.key) for card in cards)
    part = SumPart(home_id="home-00000", keys=keys)
    return SumRequest(exchange=exchange, first_slot=first, before_slot=before, homes=(part,))


def answer(one: Central, request: SumRequest) -> Arrays:
    return contribute(one.household(0), request, request.homes[0])


def test_a_number_is_answered_once_unless_it_is_the_same_question(one: Central) -> None:
    sent = answer(one, request_for(one, exchange=2))
    np.testing.assert_array_equal(answer(one, request_for(one, exchange=2))[MASKED], sent[MASKED])
    others = [
        request_for(one, exchange=2, first=FROM + 2),
        request_for(one, exchange=2, before=BEFORE + 2),
        request_for(one, exchange=2, homes=4),
        request_for(one, exchange=1),
    ]
    for other in others:
        with pytest.raises(WireError, match="was answered before"):
            answer(one, other)
    answer(one, request_for(one, exchange=3))


def test_what_protects_nobody_is_refused(one: Central) -> None:
    with pytest.raises(WireError, match="over 2 homes"):
        answer(one, request_for(one, homes=2))
    request = request_for(one, homes=4)
    others = SumPart(home_id="home-00000", keys=request.homes[0].keys[1:])
    with pytest.raises(WireError, match="another one for this home"):
        contribute(one.household(0), request, others)
    one.household(0).take_community(CommunityMean(FROM, np.zeros(10, np.float32)))
    with pytest.raises(WireError, match="was summed before"):
        answer(one, request_for(one, first=FROM + 9))
    answer(one, request_for(one, first=FROM + 10))


def test_ranges_that_make_no_sense_are_refused(one: Central) -> None:
    for first, before in ((BEFORE, BEFORE), (0, BEFORE)):
        with pytest.raises(WireError, match="a sum is over"):
            answer(one, request_for(one, first=first, before=before))
    with pytest.raises(ValidationError, match="multiple of 2"):
        request_for(one, before=BEFORE + 1)


def test_a_node_answers_for_its_own_homes_only(one: Central) -> None:
    request = request_for(one)
    (foreign,) = one.strategy.configure_sum(one.strategy.nodes[1], request)
    replies = one.exchange.ask([foreign])
    assert one.strategy.aggregate_sum(replies.answered, ["home-00000", "home-00001"]) == {}
    assert "households of this node" in one.said("warning")[-1]["message"]


def test_the_key_outlives_a_restart_and_nobody_else_may_read_it(root: Path, one: Central) -> None:
    first = home_key(one.household(0), Fit(before_slot=BEFORE))
    node._fleets.clear()
    assert home_key(one.household(0), Fit(before_slot=BEFORE)) == first
    path = root / "home-00000" / "state" / str(one.run_id) / "secret.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    answer(one, request_for(one))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert home_key(one.household(1), Fit(before_slot=BEFORE)).key != first.key


# -- a run ------------------------------------------------------------------------------------------------------------


def test_a_round_costs_one_exchange_more(
    run_local: Callable[..., Books], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds: list[str] = []
    push = client.app.app.__class__.__call__

    def count(self, message, context):
        kinds.append(message.metadata.message_type)
        return push(self, message, context)

    monkeypatch.setattr(client.app.app.__class__, "__call__", count)
    books = run_local(forecaster="base", warmup_rounds=0, slots=13)
    first = int(books.slots["slot"].min())
    lines = (tmp_path / "run-1" / "events.jsonl").read_text().splitlines()
    events = [event for event in map(json.loads, lines) if event["event"] == "community"]
    assert [(event["slot"], event["slots"]) for event in events[1:]] == [(first + 6, 6), (first + 12, 6)]
    assert events[0]["slot"] == first
    assert kinds.count("query.key") == 3
    assert kinds.count("query.sum") == 9
