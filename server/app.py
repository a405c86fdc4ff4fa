"""A run of the community on any grid: put central's parts together, run them, leave the records.

The ServerApp itself is in ``simulation.py``, the composition root, because in a simulation it also prepares the homes
and evaluates the day; this module needs neither.
"""

from __future__ import annotations

from pathlib import Path

from flwr.serverapp import Grid

from common.config import MarketRules, RunConfig
from common.events import EventLog
from common.tariff import load_tariff
from common.threads import one_thread
from market.ledger import Ledger
from market.mechanisms import MECHANISMS
from market.service import MarketService
from server.checkpoint import MODEL, save_model
from server.exchange import Exchange
from server.learning import Learning
from server.privacy import told
from server.quoting import Quoter
from server.runner import Runner
from server.strategy import MarketFedAvg

EVENTS, LEDGER = "events.jsonl", "ledger.sqlite"
"""Files that a run leaves in its output folder."""


def run_community(grid: Grid, config: RunConfig, out: Path, events: EventLog) -> dict[str, float]:
    """Run the community of ``config`` on ``grid``; leave events, ledger and model in ``out``.

    Returns:
        Wall seconds by phase.

    Raises:
        UserError: what the user has to mend.
    """
    one_thread()
    rules, tariff, mechanism = MarketRules(), load_tariff(config.tariff), MECHANISMS[config.mechanism]

    def warn(text: str) -> None:
        events.write("warning", message=text)

    exchange = Exchange(grid, timeout_s=config.timeout_s, train_timeout_s=config.train_timeout_s, poll_s=config.poll_s)
    strategy = MarketFedAvg(warn, config)
    learning = Learning(config, exchange, strategy, events)
    with Ledger(out / LEDGER) as ledger:
        market = MarketService(
            rules, tariff, ledger, config.seed, "metered" if config.settlement == "metered" else "firm", mechanism
        )
        runner = Runner(config, exchange, strategy, market, learning, Quoter(tariff, rules, mechanism), events)
        runner.run()
    spent = strategy.privacy()
    if spent is not None:
        events.write("privacy", **told(spent, config))
    if learning.parameters:
        save_model(out / MODEL, learning.arrays, config.model)
    return dict(runner.seconds)
