"""The node's households in this process: opened from disk, kept while they are the newest.

In a ray simulation a node's messages reach any worker process.  The disk is the truth; what a process keeps is a cache,
valid while its version equals the counter that travels in the node's context.
"""

from __future__ import annotations

from pathlib import Path

from flwr.app import ConfigRecord, Context

from client.fleet import Fleet
from client.household import Household
from client.store import HomeStore, own_folders
from common.config import MarketRules, RunConfig
from common.tariff import load_tariff

_RECORD, _VERSION = "commonwatt", "version"
_fleets: dict[tuple[int, tuple[Path, ...]], tuple[int, Fleet]] = {}


def open_fleet(context: Context) -> Fleet:
    """Households of the node that ``context`` belongs to, as their last message left them."""
    key, version = _key(context), _version(context)
    cached = _fleets.get(key)
    if cached is not None and cached[0] == version:
        return cached[1]
    config = RunConfig.parse(context.run_config)
    tariff = load_tariff(config.tariff)
    homes = [Household(HomeStore(folder, str(context.run_id)), config, tariff) for folder in key[1]]
    fleet = Fleet(sorted(homes, key=lambda home: home.home_id), tariff, MarketRules())
    _fleets[key] = (version, fleet)
    return fleet


def keep_fleet(context: Context) -> None:
    """Count a message that went through; the households have saved what it changed."""
    key, version = _key(context), _version(context) + 1
    context.state[_RECORD] = ConfigRecord({_VERSION: version})
    if key in _fleets:
        _fleets[key] = (version, _fleets[key][1])


def drop_fleet(context: Context) -> None:
    """Forget what this process keeps of a node, after a message that failed half-way."""
    _fleets.pop(_key(context), None)


def _version(context: Context) -> int:
    record = context.state.config_records.get(_RECORD)
    return 0 if record is None else int(str(record[_VERSION]))


def _key(context: Context) -> tuple[int, tuple[Path, ...]]:
    config = RunConfig.parse(context.run_config)
    return context.run_id, tuple(own_folders(context.node_config, config.homes_root(), config.homes_per_node))
