import pytest
from hypothesis import given
from hypothesis import strategies as st
from market_cases import NOON, PRICE_UUSD, RULES, books_of_orders, match, meter, meters_of_homes, order, seeds

from market.book import HomeTable, OrderBook
from market.mechanisms import MECHANISMS
from market.settlement import SlotPrices, settle
from market.settlement import metered_trades as trades_of_meters
from market.trades import traded_by_home

PRICES = SlotPrices(NOON, PRICE_UUSD, import_uusd=280_000, export_uusd=60_000)


def metered_trades(prices, meters, orders, sold_today_wh, rules, seed, mechanism="sdr"):
    homes = HomeTable.of([*meters, *(o.home_id for o in orders)])
    book = OrderBook.of(orders, prices.slot, homes)
    return trades_of_meters(prices, meters, book, sold_today_wh, rules, seed, MECHANISMS[mechanism])


def balance_nusd(settlement, account):
    return sum(p.amount_nusd for p in settlement.postings if p.account == account)


@st.composite
def settled_slots(draw):
    orders, seed = draw(books_of_orders()), draw(seeds)
    homes = [o.home_id for o in orders] + ["holds"]
    return orders, draw(meters_of_homes(homes)), seed


def assert_accounts(settlement, meters):
    """The promises of section "Money and energy": zero sum, and each home's identity to the Wh."""
    assert sum(p.amount_nusd for p in settlement.postings) == 0
    bought_wh, sold_wh = traded_by_home(settlement.trades)
    assert sorted(row.home_id for row in settlement.meters) == sorted(meters.keys() | bought_wh.keys() | sold_wh.keys())
    for row in settlement.meters:
        traded_wh = row.bought_wh - row.sold_wh
        assert row.import_wh - row.export_wh == traded_wh + row.grid_import_wh - row.grid_export_wh
        assert min(row.grid_import_wh, row.grid_export_wh) == 0 <= max(row.grid_import_wh, row.grid_export_wh)
        assert (row.bought_wh, row.sold_wh) == (bought_wh[row.home_id], sold_wh[row.home_id])
        if row.home_id in settlement.estimated:
            assert (row.grid_import_wh, row.grid_export_wh) == (row.sold_wh, 0)
        else:
            assert (row.import_wh, row.export_wh) == (meters[row.home_id].import_wh, meters[row.home_id].export_wh)


@given(settled_slots())
def test_firm_settlement_accounts_for_everything(case):
    orders, meters, seed = case
    trades = match(NOON, PRICE_UUSD, orders, RULES, seed)
    settlement = settle(PRICES, trades, meters)
    assert_accounts(settlement, meters)
    traders = {t.buyer for t in trades} | {t.seller for t in trades}
    assert settlement.estimated == traders - meters.keys()


@given(settled_slots(), st.dictionaries(st.sampled_from([f"home-{n}" for n in range(100)]), st.integers(0, 10_000)))
def test_metered_settlement_trades_what_was_metered(case, sold_today_wh):
    orders, meters, seed = case
    trades = metered_trades(PRICES, meters, orders, sold_today_wh, RULES, seed)
    settlement = settle(PRICES, trades, meters)
    assert_accounts(settlement, meters)
    assert settlement.estimated == frozenset()
    limit_of = {(o.home_id, o.side): o.limit_uusd for o in orders}
    for row in settlement.meters:
        net_wh = row.import_wh - row.export_wh
        # Trading replaces energy with the grid, and never adds to it.
        assert row.bought_wh + row.grid_import_wh == max(net_wh, 0)
        assert row.sold_wh + row.grid_export_wh == max(-net_wh, 0)
        assert sold_today_wh.get(row.home_id, 0) + row.sold_wh <= RULES.daily_sell_limit_wh
        assert row.bought_wh == 0 or limit_of.get((row.home_id, "buy"), PRICE_UUSD) >= PRICE_UUSD
        assert row.sold_wh == 0 or limit_of.get((row.home_id, "sell"), PRICE_UUSD) <= PRICE_UUSD


@given(settled_slots())
def test_no_home_is_worse_off_than_with_the_grid_alone_under_metered_settlement(case):
    orders, meters, seed = case
    traded = settle(PRICES, metered_trades(PRICES, meters, orders, {}, RULES, seed), meters)
    alone = settle(PRICES, (), meters)
    for home in meters:
        sold_wh = next(row.sold_wh for row in traded.meters if row.home_id == home)
        # Rounding the loss up costs a seller less than 1 Wh at the market's price.
        slack_nusd = PRICE_UUSD if sold_wh else 0
        assert balance_nusd(traded, f"home:{home}") >= balance_nusd(alone, f"home:{home}") - slack_nusd


def test_a_firm_promise_that_was_not_kept_is_made_good_with_the_grid():
    trades = match(NOON, PRICE_UUSD, [order("b", "buy", 950), order("s", "sell", 1_000)], RULES, 0)
    settlement = settle(PRICES, trades, {"b": meter(import_wh=1_200), "s": meter(export_wh=400)})
    buyer, seller = settlement.meters
    assert (buyer.grid_import_wh, buyer.grid_export_wh) == (250, 0)
    assert (seller.grid_import_wh, seller.grid_export_wh) == (600, 0)
    assert balance_nusd(settlement, "home:b") == -950 * 250_000 - 250 * 280_000
    assert balance_nusd(settlement, "home:s") == 950 * 250_000 - 600 * 280_000
    assert balance_nusd(settlement, "grid") == 850 * 280_000


def test_a_silent_seller_pays_for_its_shortfall_and_is_marked():
    trades = match(NOON, PRICE_UUSD, [order("b", "buy", 950), order("s", "sell", 1_000)], RULES, 0)
    settlement = settle(PRICES, trades, {"b": meter(import_wh=950)})
    assert settlement.estimated == {"s"}
    seller = settlement.meters[1]
    assert (seller.import_wh, seller.export_wh, seller.grid_import_wh, seller.grid_export_wh) == (0, 0, 1_000, 0)


def test_a_limit_that_excludes_the_price_keeps_a_home_out_of_metered_trades():
    meters = {"b": meter(import_wh=950), "s": meter(export_wh=1_000)}
    assert metered_trades(PRICES, meters, [], {}, RULES, 0)
    assert not metered_trades(PRICES, meters, [order("b", "buy", 1, PRICE_UUSD - 1)], {}, RULES, 0)
    assert not metered_trades(PRICES, meters, [order("s", "sell", 1, PRICE_UUSD + 1)], {}, RULES, 0)
    assert metered_trades(PRICES, meters, [order("b", "sell", 1, PRICE_UUSD + 1)], {}, RULES, 0)


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize(
    ("price", "imports", "exports"),
    [
        (422_600, 483_000, 1_130_000),  # an evening in which exporting pays more than importing costs
        (100_000, 400_000, 200_000),  # a posted price at the floor, under the export credit
        (100_000, 50_000, 20_000),  # an import price under the floor
        (245_000, 280_000, 266_001),  # a neighbour who gets 95 % of it could not pay what the grid does
    ],
)
def test_metered_energy_without_orders_is_not_traded_at_a_loss(mechanism, price, imports, exports):
    prices = SlotPrices(NOON, price, imports, exports)
    meters = {"b": meter(import_wh=2_000), "s": meter(export_wh=2_000)}
    assert len(metered_trades(prices, meters, [], {}, RULES, 0, mechanism)) == 0
    beyond = [order("b", "buy", 1, 2_000_000), order("s", "sell", 1, 0)]
    trades = metered_trades(prices, meters, beyond, {}, RULES, 0, mechanism)
    for trade in trades:
        assert RULES.least_price_uusd(exports) <= trade.price_uusd <= imports


def test_the_least_price_pays_what_the_grid_does():
    for export in (0, 1, 18, 19, 20, 60_000, 1_190_000):
        least = RULES.least_price_uusd(export)
        assert (least - 1) * 95 < export * 100 <= least * 95


def test_a_metered_position_is_laid_along_its_homes_ladder():
    """The home that wants 100 Wh at 0.27 and 100 Wh more at 0.20 meters 300 Wh: 200 of them bid 0.20."""
    ladder = [order("b", "buy", 100, 270_000), order("b", "buy", 100, 200_000)]
    meters = {"b": meter(import_wh=300), "s": meter(export_wh=1_000)}
    trades = metered_trades(PRICES, meters, [*ladder, order("s", "sell", 1, 150_000)], {}, RULES, 0, "pay-as-bid")
    assert [(t.delivered_wh, t.price_uusd) for t in trades] == [(100, 210_000), (200, 175_000)]
    # Without an order on the metered side the limit is the price that was broadcast.
    trades = metered_trades(PRICES, meters, [order("b", "sell", 5, 100_000)], {}, RULES, 0, "pay-as-bid")
    assert [(t.delivered_wh, t.price_uusd) for t in trades] == [(300, PRICE_UUSD)]
