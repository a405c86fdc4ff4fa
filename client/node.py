"""The node's households in this process: opened from disk, kept while they are the newest.

In a ray simulation a node's messages reach any worker process, and a reply may be lost after its state was saved.  The
disk is the truth; what a process keeps is a cache, valid while the files are those that it last saw.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from flwr.app import Context

from client.fleet import Fleet
from client.household import Household
from client.store import HomeStore, own_folders
from common.checks import MECHANISMS
from common.config import MarketRules, RunConfig
from common.errors import UserError
from common.tariff import load_tariff

_Key = tuple[int, tuple[Path, ...]]
_Stamp = tuple[tuple[int, ...], ...]
_MOST_KEPT = 256
_fleets: dict[_Key, tuple[_Stamp, Fleet]] = {}


def open_fleet(context: Context) -> Fleet:
    """Households of the node that ``context`` belongs to, as their last message left them."""
    config = RunConfig.parse(context.run_config)
    folders = tuple(own_folders(context.node_config, config.homes_root(), config.homes_per_node))
    stores = [HomeStore(folder, str(context.run_id)) for folder in folders]
    key, stamp = (context.run_id, folders), _stamp(stores)
    if key in _fleets and _fleets[key][0] == stamp:
        return _fleets[key][1]
    tariff = load_tariff(config.tariff)
    if len({store.facts().home_id for store in stores}) < len(stores):
        raise UserError("two homes of this node have the same home_id in their home.json")
    homes = sorted((Household(store, config, tariff) for store in stores), key=lambda home: home.home_id)
    fleet = Fleet(homes, tariff, MarketRules(), MECHANISMS[config.mechanism])
    _fleets[key] = (stamp, fleet)
    while len(_fleets) > _MOST_KEPT:
        del _fleets[next(iter(_fleets))]
    return fleet


def keep_fleet(fleet: Fleet) -> None:
    """Remember that ``fleet`` is what its files now say, after a message that went through."""
    for key, (_, kept) in _fleets.items():
        if kept is fleet:
            _fleets[key] = (_stamp([home.store for home in fleet.homes]), fleet)


def drop_fleet(fleet: Fleet) -> None:
    """Forget a fleet after a message that failed half-way."""
    for key in [key for key, (_, kept) in _fleets.items() if kept is fleet]:
        del _fleets[key]


def forget_run(run_id: int, folders: Iterable[Path]) -> None:
    """Drop what homes keep of a run that is over and will not be gone on with: in this process, and on their disks."""
    for key in [key for key in _fleets if key[0] == run_id]:
        del _fleets[key]
    for folder in folders:
        HomeStore(folder, str(run_id)).delete()


def _stamp(stores: list[HomeStore]) -> _Stamp:
    return tuple(sorted(store.stamp() for store in stores))
