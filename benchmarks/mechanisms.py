"""The same days under each market mechanism: welfare, fairness, and what a home gains that does not tell the truth.

    python -m benchmarks.mechanisms [--data PATH] [--homes N] [--days N]

Forecasts (linear base, walk-forward) do not depend on trade, so they are made once; then the days are traded under each
mechanism, once honestly and once for each home and each lie. Only what a home reports is false: it runs its battery as
before. Prints the tables of ``docs/market.md``.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
from flwr.app import Context, Message
from rich.console import Console
from rich.progress import track
from rich.table import Table

from client.app import app
from client.fleet import HORIZON, Fleet
from client.forecaster import Forecast
from client.household import Household
from client.node import open_fleet
from client.store import HomeStore
from common import checks
from common.books import Books
from common.clock import day_slots
from common.config import BatterySpec, MarketRules, RunConfig
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
from report.accounts import Accounts, accounts, by_span
from report.evaluation import spread_days
from report.evaluator import Homes, optimum_nusd
from server.app import run_community
from server.local_grid import LocalGrid, new_run_id
from server.quoting import Quoter

Forecasts = dict[tuple[str, int], Forecast]
RULES, SEED, MONTH_DAYS = MarketRules(), 0, 28


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
            for home in open_fleet(context).homes if quote else ():
                forecasts[home.home_id, quote.slot] = home.forecast(quote.slot, HORIZON)
        return reply

    events = EventLog(out / "events.jsonl")
    run_community(LocalGrid(recording, 1, config.flat(), run_id=new_run_id()), config, out, events)
    events.close()
    return forecasts


# -- lies -----------------------------------------------------------------------------------------------------------

Lie = Callable[[HomeReply], HomeReply]


def plans_times(factor: float) -> Lie:
    """A plan of so much more need, charging and surplus."""

    def lie(reply: HomeReply) -> HomeReply:
        if reply.plan is None:
            return reply
        told = {
            name: tuple(round(wh * factor) for wh in getattr(reply.plan, name))
            for name in ("need_wh", "charge_wh", "surplus_wh")
        }
        return reply.model_copy(update={"plan": reply.plan.model_copy(update=told)})

    return lie


def shaded(share: float) -> Lie:
    """Bids so much lower and offers so much higher than what the energy is worth."""

    def lie(reply: HomeReply) -> HomeReply:
        orders = tuple(
            o.model_copy(update={"limit_uusd": round(o.limit_uusd * (1 - share if o.side == "buy" else 1 + share))})
            for o in reply.orders
        )
        return reply.model_copy(update={"orders": orders})

    return lie


def withheld(share: float) -> Lie:
    """So much less offered for sale than there is."""

    def lie(reply: HomeReply) -> HomeReply:
        orders = tuple(
            o if o.side == "buy" else o.model_copy(update={"energy_wh": max(1, round(o.energy_wh * (1 - share)))})
            for o in reply.orders
        )
        return reply.model_copy(update={"orders": orders})

    return lie


LIES: dict[str, Lie] = {
    "plans doubled": plans_times(2.0),
    "plans halved": plans_times(0.5),
    "limits shaded by 10 %": shaded(0.1),
    "20 % of offers withheld": withheld(0.2),
}


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
                    market.settle(settle.slot, {reply.home_id: reply.meters[0] for reply in replies})
                if quote is not None:
                    plans = {reply.home_id: reply.plan for reply in replies if reply.plan}
                    orders = [order for reply in replies for order in reply.orders]
                    settle = Settle(slot=quote.slot, fills=market.clear(quote.slot, quote.price_uusd, orders).fills)
            market.book_totals(slots.start, fleet.totals())
        books = ledger.books()
    assert verify(books, RULES, mechanism.name) == []
    return books


def costs_usd(books: Books, community: Community) -> Mapping[str, float]:
    """What each home paid over all days, stored energy valued."""
    paid = accounts(books, community.tariff, BatterySpec())
    return dict(zip(paid.home_ids, (paid.p2p_nusd / NUSD_PER_USD).tolist(), strict=True))


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


def welfare_row(name: str, books: Books, paid: Accounts, optimum_usd: float) -> tuple[str, ...]:
    """Figures of the honest days."""
    sums = paid.community
    saved = sums.b1_nusd - sums.p2p_nusd
    delivered = books.trades["delivered_wh"]
    price = (delivered * books.trades["price_uusd"]).sum() / delivered.sum() / UUSD_PER_USD
    share = buyers_share(books)
    days = books.totals["day_slot"].nunique()
    return (
        name,
        f"{100 * saved / sums.b1_nusd:.1f} %",
        f"{100 * saved / NUSD_PER_USD / (sums.b1_nusd / NUSD_PER_USD - optimum_usd):.1f} %",
        f"{(sums.battery_only_nusd - sums.p2p_nusd) / NUSD_PER_USD * MONTH_DAYS / days:.2f}",
        str(int(paid.worse_off.sum())),
        f"{delivered.sum() / WH_PER_KWH / days:.1f}",
        f"{len(books.trades) / days:.0f}",
        f"{price:.3f}",
        f"{jain((paid.b1_nusd - paid.p2p_nusd) / NUSD_PER_USD):.2f}",
        f"{100 * share:.0f} / {100 - 100 * share:.0f}",
    )


def lie_rows(name: str, honest: Mapping[str, float], community: Community, console: Console) -> list[tuple[str, ...]]:
    """One row a lie: own gain and the others' loss, mean over the homes that may lie, and that of the keenest liar."""
    month = MONTH_DAYS / len(community.days)
    rows = []
    for title, lie in LIES.items():
        gains, losses = [], []
        for liar in track(sorted(honest), f"{name}: {title}", console=console, transient=True):
            paid = costs_usd(traded(community, MECHANISMS[name], liar, lie), community)
            gains.append((honest[liar] - paid[liar]) * month)
            losses.append(sum(paid[home] - honest[home] for home in honest if home != liar) * month)
        best = int(np.argmax(gains))
        mean_gain, mean_loss = np.mean(gains), np.mean(losses)
        figures = (mean_gain, mean_loss, gains[best], losses[best])
        rows.append((name, title, *(f"{usd:+.2f}" for usd in figures), f"{sum(g > 0 for g in gains)} of {len(gains)}"))
    return rows


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
    return Community(homes, [date.fromisoformat(day) for day in days], tariff), Homes.open(folder / "homes")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="", help="real homes; generated ones without it")
    parser.add_argument("--homes", type=int, default=0, help="households")
    parser.add_argument("--days", type=int, default=4, help="test days, spread evenly")
    parser.add_argument("--honest", action="store_true", help="no lies: the first table alone")
    arguments = parser.parse_args()
    logging.getLogger("flwr").setLevel(logging.ERROR)
    one_thread()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        community, homes = community_of(arguments, Path(folder), console)
        welfare = Table(title=f"{len(community.homes)} homes, {arguments.days} days, all of them honest")
        for column in ("mechanism", "saved", "of the optimum", "of it trade, $ in 28 days", "worse off", "kWh a day",
                       "trades a day", "mean price, $", "Jain", "buyers / sellers, %"):  # fmt: skip
            welfare.add_column(column, justify="left" if column == "mechanism" else "right")
        lies = Table(title="One home lies, $ in 28 days: what it gains, what all others together lose")
        for column in ("mechanism", "lie", "gains", "others lose", "at best gains", "others then lose", "gain by it"):
            lies.add_column(column, justify="left" if column in ("mechanism", "lie") else "right")
        optimum_usd = 0.0
        for name, mechanism in MECHANISMS.items():
            books = traded(community, mechanism)
            if not optimum_usd:  # of the same homes and days under any mechanism
                by_day = [optimum_nusd(homes, part, community.tariff, RULES) or {} for part in by_span(books)]
                optimum_usd = sum(sum(day.values()) for day in by_day) / NUSD_PER_USD
            welfare.add_row(*welfare_row(name, books, accounts(books, community.tariff, BatterySpec()), optimum_usd))
            if not arguments.honest:
                for row in lie_rows(name, costs_usd(books, community), community, console):
                    lies.add_row(*row)
        console.print(welfare, *([] if arguments.honest else [lies]))


if __name__ == "__main__":
    main()
