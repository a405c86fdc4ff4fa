"""What a declared grid comes to: communities of homes, and the runs on them, checked before the first one starts.

An option that nothing in a run looks at is not part of the run: ``proximal-mu = [0.01, 0.1]`` beside
``strategy = ["fedavg", "fedprox"]`` makes three runs, for plain FedAvg has no such pull.  For the same reason local and
centralised training, which know no strategy, are run once for all strategies beside them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from common.config import RunConfig
from common.errors import UserError
from common.tariff import load_tariff
from datagen.community import refuse_url
from experiments.compare.declared import Declared, Training, Value
from server.averaging import ADAPTIVE_RATE, MOMENTUM, PROXIMAL_MU, make_rule
from server.checkpoint import initial_model

HOMES = ("data", "homes", "neighbours", "scenario", "climate", "stock", "archetypes", "solar-share", "tariff")
"""Options that decide the homes and what they know: each combination is a community with baselines of its own."""

LEARNING = ("model", "rounds", "local-steps", "batch-size", "learning-rate", "init")
"""Options of all trainings."""

FEDERATED = (
    "strategy", "proximal-mu", "server-learning-rate", "server-momentum", "trim-share", "byzantine-homes",
    "fraction-train", "dropout", "personalisation", "finetune-steps", "keep-moments", "dp", "dp-noise", "dp-clip",
    "dp-delta",
)  # fmt: skip
"""Options of federated training alone."""

ALIKE = ("seed", "checkpoint-every", "timeout-s", "train-timeout-s", "poll-s")
"""Options that may be given in common, but do not vary."""

_REFUSED = {
    "date": "the last days always score, see score-days",
    "short-history-share": "it shortens what federated homes learn from, but not what the baselines do",
    "short-history-days": "it shortens what federated homes learn from, but not what the baselines do",
    "homes-per-node": "one home a node here; the results do not depend on it",
    "homes-dir": "the homes are made in the output folder", "out": "use --out", "mode": "these are training runs",
}  # fmt: skip

_FOR = {
    "proximal-mu": ("fedprox",), "server-learning-rate": ("fedadam", "fedyogi", "fedavgm"),
    "server-momentum": ("fedavgm",), "trim-share": ("fedtrimmedavg",), "byzantine-homes": ("krum",),
}  # fmt: skip
"""Strategies that look at an option."""

_UNDER: dict[str, tuple[str, Callable[[Mapping[str, Value]], bool]]] = {
    "finetune-steps": ("personalisation = finetune", lambda flat: flat["personalisation"] == "finetune"),
    **dict.fromkeys(("dp-noise", "dp-clip", "dp-delta"), ("dp = fixed or adaptive", lambda flat: flat["dp"] != "none")),
}
"""Options that count under another one only."""

_KNOWN = (*HOMES, *LEARNING, *FEDERATED)
_PLACE = re.compile(r"\{([a-z-]+)\}")
_WORD = re.compile(r"[^A-Za-z0-9.=_-]+")


@dataclass(frozen=True)
class Community:
    """Homes that runs share.

    Attributes:
        name: what distinguishes it from the others; empty if it is the only one.
        config: options that made it, and defaults.
    """

    name: str
    config: RunConfig


@dataclass(frozen=True)
class Run:
    """A run of the table: one way to learn with one set of options, once for each seed.

    Attributes:
        name: unique. training: ``federated``, ``local`` or ``centralised``.
        settings: options that vary in the grid, as far as this run looks at them, without the strategy.
        config: options; those that the run does not look at have their defaults.
    """

    name: str
    training: Training
    community: Community
    settings: Mapping[str, Value]
    config: RunConfig

    @property
    def strategy(self) -> str:
        """Rule of the average; empty where nothing is averaged."""
        return self.config.strategy if self.training == "federated" else ""


@dataclass(frozen=True)
class _Cell:
    """A point of the grid: the table that it is of, its options, and the template of its name."""

    where: str
    config: RunConfig
    name: str


def runs_of(declared: Declared, file: Path) -> list[Run]:
    """All runs of a declaration.

    Args:
        declared: the declaration. file: where it was read, for complaints.

    Raises:
        UserError: an option that is unknown, of another type, out of range or not for here, one that no run looks at,
            or runs that come twice; with the table that it is in.
    """
    cells = list(_cells(declared, file))
    _require_use(declared, cells, file)
    varied = [key for key in _KNOWN if len({cell.config.flat()[key] for cell in cells}) > 1]
    runs: list[Run] = []
    first: dict[tuple[str, RunConfig], str] = {}
    for training in declared.trainings:
        for cell in cells:
            run = _run(training, cell, varied)
            known = first.setdefault((training, run.config), cell.where)
            if (training, run.config) not in [(other.training, other.config) for other in runs]:
                runs.append(run)
            elif training == "federated" and known != cell.where:
                raise UserError(f"{cell.where}: '{run.name}' is the same run as one of {known}; leave one of them")
    names = [folder_of(run) for run in runs]
    for run, name in zip(runs, names, strict=True):
        if names.count(name) > 1:
            raise UserError(f"{file}: several runs are called '{run.name}': put what varies into 'name', or leave it")
    return runs


def folder_of(run: Run) -> str:
    """Name of the folder of a run's results."""
    return "--".join(_WORD.sub("-", part) for part in (run.community.name, run.name) if part).lower()


def check_homes(run: Run, homes: int, file: Path) -> None:
    """Whether a run can be with so many homes.

    Raises:
        UserError: too few for its strategy.
    """
    if run.training == "federated":
        try:
            make_rule(run.config, homes)
        except UserError as error:
            raise UserError(f"{file}, run '{run.name}': {error}") from None


# -- cells ------------------------------------------------------------------------------------------------------------


def _cells(declared: Declared, file: Path) -> Iterator[_Cell]:
    common = f"{file}, [common]"
    base: dict[str, Value] = RunConfig(mode="train", checkpoint_every=1).flat()
    if "solar-share" not in declared.common and declared.common.get("data", "generated") != "generated":
        base["solar-share"] = 1.0  # real homes keep their panels
    for key in declared.common:
        _require_known(key, common, (*_KNOWN, *ALIKE))
    base = _parsed(base | declared.common, common).flat()
    if not declared.grid:
        yield _Cell(common, _parsed(base, common), "")
    for number, table in enumerate(declared.grid, start=1):
        where = f"{file}, [[grid]] table {number}"
        name = table.get("name", "")
        if not isinstance(name, str):
            raise UserError(f"{where}: 'name' must be a text such as \"{{strategy}} mu={{proximal-mu}}\"")
        keys = [key for key in table if key != "name"]
        for key in keys:
            if key == "seed":
                raise UserError(f"{where}: 'seed' does not belong here; 'seeds' at the top has those of the trainings")
            _require_known(key, where, _KNOWN)
        lists = [value if isinstance(value := table[key], list) else [value] for key in keys]
        for values in product(*lists):
            yield _Cell(where, _parsed(base | dict(zip(keys, values, strict=True)), where), name)


def _require_known(key: str, where: str, known: Sequence[str]) -> None:
    if key in known:
        return
    if key in _REFUSED:
        raise UserError(f"{where}: '{key}' cannot be given: {_REFUSED[key]}")
    if key in ALIKE:
        raise UserError(f"{where}: '{key}' does not vary; give it under [common]")
    if key in RunConfig().flat():
        raise UserError(f"{where}: '{key}' cannot be given: an option of a trading day, which is not run here")
    raise UserError(f"{where}: unknown key '{key}'; known keys: {', '.join(sorted(known))}")


def _parsed(flat: Mapping[str, Value], where: str) -> RunConfig:
    try:
        config = RunConfig.parse(flat)
        load_tariff(config.tariff)
        refuse_url(config.data)
        if config.data == "household":
            raise UserError("data 'household': the homes of a deployment are not here; name a folder")
        if config.init:
            initial_model(config)
    except UserError as error:
        raise UserError(f"{where}: {str(error).removeprefix('run config: ')}") from None
    return config


def _require_use(declared: Declared, cells: Sequence[_Cell], file: Path) -> None:
    """Refuse an option that changes none of the runs that it is for."""
    tables = {f"{file}, [common]": list(declared.common)}
    tables |= {f"{file}, [[grid]] table {n}": list(table) for n, table in enumerate(declared.grid, start=1)}
    for where, keys in tables.items():
        mine = [cell for cell in cells if cell.where == where] or cells
        used = {key for cell in mine for training in declared.trainings for key in _looked_at(training, cell.config)}
        for key in keys:
            if key not in (*used, *ALIKE, "name"):
                wanted = f"strategy {' or '.join(_FOR[key])}" if key in _FOR else "federated training"
                wanted = f"'{_UNDER[key][0]}'" if key in _UNDER else wanted
                raise UserError(f"{where}: '{key}' changes none of these runs (it is for {wanted}); leave it")


# -- runs -------------------------------------------------------------------------------------------------------------


def _looked_at(training: str, config: RunConfig) -> list[str]:
    """Options that a run looks at, in the order of the lists above."""
    if training != "federated":
        return [*HOMES, *LEARNING]
    flat = config.flat()
    return [*HOMES, *LEARNING] + [
        key
        for key in FEDERATED
        if config.strategy in _FOR.get(key, (config.strategy,)) and (key not in _UNDER or _UNDER[key][1](flat))
    ]


def _in_effect(training: str, config: RunConfig) -> RunConfig:
    """The options with defaults where the run does not look, and where 0 stands for the strategy's own default."""
    flat, default = config.flat(), RunConfig().flat()
    keep = {"mode", *ALIKE, *_looked_at(training, config)}
    chosen = {key: value if key in keep else default[key] for key, value in flat.items()}
    if training == "federated":
        chosen |= {key: value for key, value in _own_defaults(config).items() if not flat[key]}
    return RunConfig.parse(chosen)


def _own_defaults(config: RunConfig) -> dict[str, Value]:
    match config.strategy:
        case "fedprox":
            return {"proximal-mu": PROXIMAL_MU}
        case "fedadam" | "fedyogi":
            return {"server-learning-rate": ADAPTIVE_RATE}
        case "fedavgm":
            return {"server-learning-rate": 1.0, "server-momentum": MOMENTUM}
    return {}


def _run(training: Training, cell: _Cell, varied: Sequence[str]) -> Run:
    config = _in_effect(training, cell.config)
    flat = config.flat()
    settings = {
        key: flat[key]
        for key in _looked_at(training, cell.config)
        if key in varied and key not in HOMES and key != "strategy"
    }
    name = config.strategy if training == "federated" else training
    off = {key: RunConfig().flat()[key] for key in FEDERATED}
    name = " ".join([name, *(f"{key}={shown(value)}" for key, value in settings.items() if off.get(key) != value)])
    if cell.name and training == "federated":
        name = _PLACE.sub(lambda found: _filled(found[1], flat, cell.where), cell.name)
    homes = " ".join(f"{key}={shown(flat[key])}" for key in HOMES if key in varied)
    default = RunConfig().flat()
    kept = {key: value if key in (*HOMES, "mode", "seed") else default[key] for key, value in flat.items()}
    return Run(name, training, Community(homes, RunConfig.parse(kept)), settings, config)


def _filled(key: str, flat: Mapping[str, Value], where: str) -> str:
    if key not in _KNOWN:
        raise UserError(f"{where}: 'name' has {{{key}}}, which is no option; such as {{strategy}} or {{rounds}}")
    return shown(flat[key])


def shown(value: Value) -> str:
    """A value as it is written in a name: of a path the last part."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return Path(value).name if Path(value).is_absolute() else value or "-"
    return f"{value:g}"
