from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from market_cases import NOON, PRICE_UUSD, RULES, books_of_orders, meter, meters_of_homes, order, seeds, tariff_uusd

from common import checks
from common.clock import day_slots
from common.tariff import load_tariff
from market.audit import verify
from market.ledger import AlreadyBookedError, Ledger
from market.mechanisms import MECHANISMS
from market.order import RefusalReason
from market.service import MarketService

HOMES = {f"home-{n}": 20_000 for n in range(100)} | {"b": 20_000, "s": 20_000}


def service_of(ledger, settlement="firm", seed=0, mechanism="sdr"):
    service = MarketService(RULES, load_tariff("pge-tou-c"), ledger, seed, settlement, MECHANISMS[mechanism])
    service.register(HOMES)
    return service


def trade_slot(service, slot, injected_wh=4_000):
    """One slot in which s offers ``injected_wh`` and b takes all of it; what s sold and what was refused, Wh."""
    orders = [order("b", "buy", 20_000, slot=slot), order("s", "sell", injected_wh, slot=slot)]
    clearing = service.clear(slot, PRICE_UUSD, orders)
    settlement = service.settle(slot, {"b": meter(20_000, 0, slot), "s": meter(0, injected_wh, slot)})
    sold_wh = sum(trade.injected_wh for trade in settlement.trades)
    return sold_wh, sum(refusal.refused_wh for refusal in clearing.refusals)


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("settlement", ["firm", "metered"])
@given(data=st.data(), seed=seeds)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_random_slots_leave_books_in_order(settlement, mechanism, data, seed):
    with Ledger("sqlite://") as ledger:
        service = service_of(ledger, settlement, seed, mechanism)
        midnight = day_slots(date(2024, 1, 10)).stop
        for slot in range(midnight - 4, midnight + 3):
            orders = data.draw(books_of_orders(max_homes=6, slot=slot))
            if checks.MECHANISMS[mechanism] > 1:  # ladders, of the homes that have a second order
                more = [o for o in data.draw(books_of_orders(max_homes=6, slot=slot)) if o.energy_wh % 2]
                orders = [*orders, *more]
            homes = [f"home-{n}" for n in range(3)] + [o.home_id for o in orders]
            service.clear(slot, PRICE_UUSD, orders)
            service.settle(slot, data.draw(meters_of_homes(homes, slot)))
        assert verify(ledger.books(), RULES, mechanism) == []


@pytest.mark.parametrize("settlement", ["firm", "metered"])
@pytest.mark.parametrize("day", [date(2024, 1, 10), date(2024, 3, 10), date(2024, 11, 3)])
def test_the_daily_limit_holds_until_local_midnight(settlement, day):
    slots = day_slots(day)
    with Ledger("sqlite://") as ledger:
        service = service_of(ledger, settlement)
        assert trade_slot(service, slots.start) == (4_000, 0)
        assert trade_slot(service, slots.start + 1) == (4_000, 0)
        assert trade_slot(service, slots.start + 2) == (2_000, 2_000)
        assert trade_slot(service, slots.stop - 1) == (0, 4_000)
        assert trade_slot(service, slots.stop) == (4_000, 0)
        assert verify(ledger.books(), RULES) == []


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("settlement", ["firm", "metered"])
def test_orders_beyond_the_tariff_trade_within_it_or_not_at_all(settlement, mechanism):
    """August of a tariff that pays up to $1.19 for exports, with homes that buy at any price and sell for nothing."""
    with Ledger("sqlite://") as ledger:
        service = MarketService(RULES, load_tariff("pge-e-elec"), ledger, 0, settlement, MECHANISMS[mechanism])
        service.register(HOMES)
        for slot in day_slots(date(2025, 8, 13)):
            orders = [order("b", "buy", 200, 2_000_000, slot), order("s", "sell", 200, 0, slot)]
            service.clear(slot, PRICE_UUSD, orders)
            service.settle(slot, {"b": meter(200, 0, slot), "s": meter(0, 200, slot)})
        assert verify(ledger.books(), RULES, mechanism) == []
        assert 30 <= ledger.books().trades["slot"].nunique() <= 36


def test_a_service_that_starts_again_remembers_what_was_sold(tmp_path):
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert trade_slot(service_of(ledger), NOON, 8_000) == (8_000, 0)
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert trade_slot(service_of(ledger), NOON + 1, 8_000) == (2_000, 6_000)
        with pytest.raises(AlreadyBookedError):
            trade_slot(service_of(ledger), NOON)


def test_fills_name_the_homes_that_trade():
    with Ledger("sqlite://") as ledger:
        orders = [order("b", "buy", 3_000), order("s", "sell", 4_000), order("home-1", "buy", 9, PRICE_UUSD - 1)]
        clearing = service_of(ledger).clear(NOON, PRICE_UUSD, [*orders, order("stranger", "buy", 5)])
    injected_wh = RULES.injected_wh(3_000)
    fills = [(fill.home_id, fill.bought_wh, fill.sold_wh, fill.price_uusd) for fill in clearing.fills]
    assert fills == [("b", 3_000, 0, PRICE_UUSD), ("s", 0, injected_wh, PRICE_UUSD)]
    assert [refusal.reason for refusal in clearing.refusals] == [RefusalReason.UNKNOWN_HOME]


def test_prices_are_the_tariffs_of_the_slot():
    with Ledger("sqlite://") as ledger:
        service = service_of(ledger)
        for slot in (NOON, NOON + 10):  # off-peak, and 17:00
            prices = service.clear(slot, PRICE_UUSD, []).prices
            service.settle(slot, {})
            assert (prices.import_uusd, prices.export_uusd) == tariff_uusd(slot)


def test_the_wrong_meter_counts_as_missing():
    with Ledger("sqlite://") as ledger:
        service = service_of(ledger)
        service.clear(NOON, PRICE_UUSD, [order("b", "buy", 950), order("s", "sell", 1_000)])
        meters = {"b": meter(950, 0), "s": meter(0, 1_000, NOON - 1), "stranger": meter(5, 0)}
        settlement = service.settle(NOON, meters)
    assert settlement.estimated == {"s"}
    assert [row.home_id for row in settlement.meters] == ["b", "s"]


def test_metered_fills_are_indicative():
    with Ledger("sqlite://") as ledger:
        service = service_of(ledger, "metered")
        clearing = service.clear(NOON, PRICE_UUSD, [order("b", "buy", 950), order("s", "sell", 1_000)])
        settlement = service.settle(NOON, {"b": meter(500, 0), "s": meter(0, 700)})
    assert sum(trade.delivered_wh for trade in clearing.trades) == 950
    assert sum(trade.delivered_wh for trade in settlement.trades) == 500


def test_the_same_seed_gives_the_same_books():
    def books(seed):
        with Ledger("sqlite://") as ledger:
            service = service_of(ledger, seed=seed)
            orders = [order(f"home-{n}", "buy", 7) for n in range(30)] + [order("s", "sell", 16)]
            service.clear(NOON, PRICE_UUSD, orders)
            service.settle(NOON, {})
            return ledger.books().postings

    assert books(1).equals(books(1))
    assert not books(1).equals(books(2))


def test_an_auction_books_the_price_it_found_and_fills_carry_it():
    with Ledger("sqlite://") as ledger:
        service = service_of(ledger, mechanism="uniform")
        orders = [order("b", "buy", 190, 270_000), order("s", "sell", 100, 150_000), order("s", "sell", 100, 250_000)]
        clearing = service.clear(NOON, PRICE_UUSD, orders)
        settlement = service.settle(NOON, {})
        assert clearing.posted_uusd == PRICE_UUSD
        assert {fill.price_uusd for fill in clearing.fills} == {260_000} == {settlement.prices.price_uusd}
        assert verify(ledger.books(), RULES, "uniform") == []


def test_a_home_that_trades_at_several_prices_is_told_their_mean():
    with Ledger("sqlite://") as ledger:
        service = service_of(ledger, mechanism="pay-as-bid")
        orders = [order("b", "buy", 190, 270_000), order("s", "sell", 100, 150_000), order("s", "sell", 100, 250_000)]
        clearing = service.clear(NOON, PRICE_UUSD, orders)
        service.settle(NOON, {})
        assert {fill.price_uusd for fill in clearing.fills} == {235_000}
        assert ledger.books().trades["price_uusd"].tolist() == [210_000, 260_000]
        assert verify(ledger.books(), RULES, "pay-as-bid") == []
        assert {found.rule for found in verify(ledger.books(), RULES, "uniform")} == {"trade-price"}
