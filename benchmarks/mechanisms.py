"""The same days under each market mechanism: welfare, fairness, and what a home gains that does not tell the truth.

    python -m benchmarks.mechanisms [--data PATH] [--homes N] [--days N] [--mechanism NAME] [--liars N | --honest]

Forecasts (linear base, walk-forward) do not depend on trade, so they are made once; then the days are traded under each
mechanism, once honestly and once for each home and each lie. Only what a home reports is false: it runs its battery as
before. In brackets: 95 % intervals over days, by bootstrap. Prints the tables of ``docs/market.md``.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import cast

import numpy as np
from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.lies import LIES, Lie
from client.app import app
from client.deciding import HORIZON
from client.fleet import Fleet
from client.forecaster import Forecast
from client.household import Household
from client.node import open_fleet
from client.store import HomeStore
from common import checks
from common.books import Books
from common.clock import day_slots
from common.config import MarketRules, RunConfig
from common.events import EventLog
from common.messages import Begin, HomeReply, Plan, Settle, SlotRequest, unpack
from common.readings import home_folders
from common.tariff import Tariff, load_tariff
from common.threads import one_thread
from common.units import NUSD_PER_USD, SLOT_HOURS, UUSD_PER_USD, WH_PER_KWH
from datagen.community import prepare_homes
from market.audit import verify
from market.ledger import Ledger
from market.mechanism import Mechanism
from market.mechanisms import MECHANISMS
from market.service import MarketService
from report.accounts import WORSE_OFF_NUSD, Accounts, accounts, by_span
from report.chosen_days import spread_days
from report.evaluator import Homes, optimum_nusd
from report.periods import ratio
from server.app import run_community
from server.local_grid import LocalGrid, new_run_id
from server.quoting import Quoter

Floats = NDArray[np.float64]
Forecasts = dict[tuple[str, int], Forecast]
RULES, SEED, MONTH_DAYS = MarketRules(), 0, 28
COSTS = ("b1_nusd", "p2p_nusd", "battery_only_nusd")


class Remembered(Household):
    """A household whose forecasts were made before, and whose state stays in memory."""

    forecasts: Forecasts

    def forecast(self, slot: int, horizon: int) -> Forecast:
        return self.forecasts[self.home_id, slot]

    def save(self) -> None:
        pass


@dataclass(frozen=True)
class Community:
    """Homes and days to trade."""

    homes: Sequence[Remembered]
    days: Sequence[date]
    tariff: Tariff


def with_forecasts(config: RunConfig, out: Path) -> Forecasts:
    """Forecasts of every home and slot of the test days, from a run of the app itself."""
    forecasts: Forecasts = {}

    def recording(message: Message, context: Context) -> Message:
        reply = app(message, context)
        if message.metadata.message_type == "query.slot":
            quote = unpack(SlotRequest, message.content).quote
            for home in open_fleet(context).homes if quote is not None else ():
                assert quote is not None
                forecasts[home.home_id, quote.slot] = home.forecast(quote.slot, HORIZON)
        return reply

    events = EventLog(out / "events.jsonl")
    run_community(LocalGrid(cast(ClientApp, recording), 1, config.flat(), run_id=new_run_id()), config, out, events)
    events.close()
    return forecasts


# -- trading --------------------------------------------------------------------------------------------------------


def traded(community: Community, mechanism: Mechanism, liar: str = "", lie: Lie | None = None) -> Books:
    """Books of the days under a mechanism; what ``liar`` says goes through ``lie`` first."""
    tariff = community.tariff
    fleet = Fleet(community.homes, tariff, RULES, checks.MECHANISMS[mechanism.name])

    def told(replies: Sequence[HomeReply]) -> list[HomeReply]:
        return [lie(reply) if lie and reply.home_id == liar else reply for reply in replies]

    with Ledger("sqlite://") as ledger:
        market = MarketService(RULES, tariff, ledger, SEED, "firm", mechanism)
        market.register({c.home_id: round(c.connection_kw * SLOT_HOURS * WH_PER_KWH) for c in fleet.cards()})
        quoter = Quoter(tariff, RULES, mechanism)
        for day in community.days:
            slots = day_slots(day)
            first = fleet.begin(Begin(slot=slots.start, end_slot=slots.stop))
            begun = told([HomeReply(home_id=p.home_id, meters=(), plan=p.plan) for p in first])
            plans: dict[str, Plan] = {reply.home_id: reply.plan for reply in begun if reply.plan}
            settle: Settle | None = None
            for slot in [*slots, None]:
                quote = None if slot is None else quoter.quote(slot, plans)
                replies = told(fleet.slot(SlotRequest(settle=settle, quote=quote)))
                if settle is not None:
                    settlement = market.settle(settle.slot, {reply.home_id: reply.meters[0] for reply in replies})
                    quoter.saw(settle.slot, settlement.net_import_wh)
                if quote is not None:
                    plans = {reply.home_id: reply.plan for reply in replies if reply.plan}
                    orders = [order for reply in replies for order in reply.orders]
                    settle = Settle(slot=quote.slot, fills=market.clear(quote.slot, quote.price_uusd, orders).fills)
            market.book_totals(slots.start, fleet.totals())
        books = ledger.books()
    assert verify(books, RULES, mechanism.name) == []
    return books


def by_day(books: Books, community: Community) -> list[Accounts]:
    """Accounts of each day, of the homes of ``community`` in its order."""
    days = [accounts(day) for day in by_span(books)]
    assert all(paid.home_ids == tuple(home.home_id for home in community.homes) for paid in days)
    return days


def costs_usd(days: Sequence[Accounts]) -> Floats:
    """What each home paid on each day, stored energy valued, $, shape ``(homes, days)``."""
    return np.stack([paid.p2p_nusd for paid in days], axis=1) / NUSD_PER_USD


# -- figures --------------------------------------------------------------------------------------------------------


def buyers_share(books: Books) -> float:
    """Buyers' part of what trades save both sides against the tariff, 0..1."""
    trades = books.trades.merge(books.slots, on="slot", suffixes=("", "_slot"))
    buyers = (trades["delivered_wh"] * (trades["import_uusd"] - trades["price_uusd"])).sum()
    sellers = (trades["delivered_wh"] * trades["price_uusd"] - trades["injected_wh"] * trades["export_uusd"]).sum()
    return float(buyers / (buyers + sellers))


def jain(values: np.ndarray) -> float:
    """Jain's index of fairness: 1 where all have the same, 1/n where one has all."""
    return float(values.sum() ** 2 / (len(values) * (values**2).sum()))


def in_28_days(usd_by_day: Floats) -> str:
    """Dollars in 28 days, and the interval of a bootstrap over the days, shape ``(days,)``, none of which follow."""
    e = ratio(MONTH_DAYS * usd_by_day, np.ones(len(usd_by_day)), follow=False)
    return f"{e.value:.2f}" + (f" [{e.low:.2f},{e.high:.2f}]" if e.low is not None else "")


def trade_usd(days: Sequence[Accounts]) -> Floats:
    """What all homes pay less than with their batteries alone, $, shape ``(days,)``."""
    sums = [paid.community for paid in days]
    return np.array([s.battery_only_nusd - s.p2p_nusd for s in sums]) / NUSD_PER_USD


def welfare_row(
    name: str, books: Books, days: Sequence[Accounts], optimum_usd: float, first_usd: Floats
) -> tuple[str, ...]:
    """Figures of the honest days; ``first_usd`` is what trade is worth by day under the first mechanism."""
    b1, p2p, alone = (np.sum([getattr(paid, k) for paid in days], axis=0) / NUSD_PER_USD for k in COSTS)
    delivered = books.trades["delivered_wh"]
    price = (delivered * books.trades["price_uusd"]).sum() / delivered.sum() / UUSD_PER_USD
    trade = trade_usd(days)
    return (
        name,
        f"{100 * (b1 - p2p).sum() / b1.sum():.1f}",
        f"{100 * (b1 - p2p).sum() / (b1.sum() - optimum_usd):.1f}",
        f"{MONTH_DAYS * trade.mean():.2f}",
        in_28_days(trade - first_usd) if (trade != first_usd).any() else "",
        str(int((p2p - alone >= WORSE_OFF_NUSD / NUSD_PER_USD).sum())),
        f"{delivered.sum() / WH_PER_KWH / len(days):.1f}",
        f"{len(books.trades) / len(days):.0f}",
        f"{price:.3f}",
        f"{jain(b1 - p2p):.2f}",
        f"{100 * buyers_share(books):.0f}",
    )


def lie_rows(
    mechanism: Mechanism, honest: Floats, community: Community, liars: Sequence[int], console: Console
) -> Iterator[tuple[str, ...]]:
    """One row a lie: own gain and the others' loss, mean over the homes that may lie, and that of the keenest liar."""
    for title, lie in LIES.items():
        gains, losses = [], []
        for liar in track(
            liars, f"{mechanism.name}: {title}", console=console, transient=True, disable=not console.is_terminal
        ):
            books = traded(community, mechanism, community.homes[liar].home_id, lie)
            more = costs_usd(by_day(books, community)) - honest  # (homes, days)
            gains.append(-more[liar])
            losses.append(more.sum(axis=0) - more[liar])
        gain, loss = np.array(gains), np.array(losses)  # (liars, days)
        means = gain.mean(axis=1)
        best = int(np.argmax(means))
        yield (
            title,
            in_28_days(gain.mean(axis=0)),
            in_28_days(loss.mean(axis=0)),
            f"{MONTH_DAYS * means[best]:.2f}",
            f"{MONTH_DAYS * loss[best].mean():.2f}",
            f"{(means > 0).sum()} of {len(means)}",
        )


def community_of(arguments: argparse.Namespace, folder: Path, console: Console) -> tuple[Community, Homes]:
    """Homes, days and forecasts."""
    config = RunConfig(
        data=str(Path(arguments.data).resolve()) if arguments.data else "generated",
        homes=arguments.homes or (0 if arguments.data else 10), seed=SEED, forecaster="base", warmup_rounds=0,
        homes_dir=str(folder / "homes"), out=str(folder),
    )  # fmt: skip
    manifest = prepare_homes(config, folder / "homes", None)
    days = spread_days(manifest.first_day, manifest.last_day, arguments.days, manifest.gap_days)
    config = replace(config, homes=len(manifest.homes), homes_per_node=len(manifest.homes), test_days=",".join(days))
    tariff = load_tariff(config.tariff)
    with console.status("forecasts"):
        forecasts = with_forecasts(config, folder)
    known = replace(config, forecaster="perfect")
    homes = [Remembered(HomeStore(path, "mechanisms"), known, tariff) for path in home_folders(folder / "homes")]
    for home in homes:
        home.forecasts = forecasts
    homes.sort(key=lambda home: home.home_id)
    return Community(homes, [date.fromisoformat(day) for day in days], tariff), Homes.open(
        folder / "homes", lambda _: {}
    )


def table(title: str, *columns: str) -> Table:
    """An empty table that is read at 80 columns."""
    made = Table(title=title, title_justify="left", box=None, padding=(0, 1), collapse_padding=True, pad_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if made.columns else "left")
    return made


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="", help="real homes; generated ones without it")
    parser.add_argument("--homes", type=int, default=0, help="households")
    parser.add_argument("--days", type=int, default=4, help="test days, spread evenly")
    parser.add_argument("--mechanism", choices=MECHANISMS, action="append", help="this one alone; may be repeated")
    parser.add_argument("--liars", type=int, default=0, help="homes that lie in turn, spread evenly; 0: each")
    parser.add_argument("--honest", action="store_true", help="no lies: the first table alone")
    arguments = parser.parse_args()
    logging.getLogger("flwr").setLevel(logging.ERROR)
    one_thread()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        community, homes = community_of(arguments, Path(folder), console)
        print_tables(community, homes, arguments, console)


def print_tables(community: Community, homes: Homes, arguments: argparse.Namespace, console: Console) -> None:
    """Print the honest days under each mechanism, then the lies under each."""
    size = len(community.homes)
    names = arguments.mechanism or list(MECHANISMS)
    days = {}
    welfare = table(
        f"{size} homes, {arguments.days} days, all honest; dollars in 28 days",
        "mechanism", "saved\n%", "of\nopt.", "by\ntrade", f"against\n{names[0]}", "worse\noff", "kWh\na day",
        "trades\na day", "$ a\nkWh", "Jain", "buy-\ners %",
    )  # fmt: skip
    optimum_usd = 0.0
    for name in names:
        books = traded(community, MECHANISMS[name])
        days[name] = by_day(books, community)
        if not optimum_usd:  # of the same homes and days under any mechanism
            optima = [optimum_nusd(homes, part, community.tariff, RULES) or {} for part in by_span(books)]
            optimum_usd = sum(sum(costs.values()) for costs in optima) / NUSD_PER_USD
        welfare.add_row(*welfare_row(name, books, days[name], optimum_usd, trade_usd(days[names[0]])))
    console.print(welfare)
    count = min(arguments.liars or size, size)
    liars = [size * k // count for k in range(count)]
    for name in () if arguments.honest else names:
        lies = table(
            f"\n{name}: one home lies, dollars in 28 days, mean over {count} liars",
            "lie", "it gains", "all others lose", "best\ngains", "others\nlose", "gain",
        )  # fmt: skip
        for row in lie_rows(MECHANISMS[name], costs_usd(days[name]), community, liars, console):
            lies.add_row(*row)
        console.print(lies)


if __name__ == "__main__":
    main()
