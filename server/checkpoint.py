"""The global model at rest, and checkpoints of a training run: a folder each, there complete or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from common.community import CommunityMean
from common.config import MODELS, RunConfig
from common.errors import UserError
from common.messages import WireError
from server.rule_state import RuleState

MODEL, CHECKPOINTS = "model.safetensors", "checkpoints"
"""Names in a run's output: the global model, and the folder of its checkpoints."""

KEPT = 2
"""Checkpoints that are kept; the homes keep what the older one needs (:mod:`client.private`)."""

_WANTED = f"expected a {MODEL}, or the folder of a run or checkpoint that wrote one"
_STATE, _RULE, _COMMUNITY = "state.json", "rule.npz", "community.npz"
_Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Start:
    """What a run starts from.

    Attributes:
        shared: the parameters that travel: all, or under personalisation ``head`` the trunk's.
        heads: where they don't travel and a model was given to start from: its heads, which the homes' begin from.
    """

    shared: ArrayRecord
    heads: ArrayRecord | None = None


def initial_model(config: RunConfig) -> Start:
    """The model that a run starts from: a new one by the seed, or the one that ``init`` names.

    Raises:
        UserError: no such file, another format, or a model of another size.
    """
    from common.model import head_start, initial_vector

    spec = MODELS[config.model]
    new = initial_vector(spec, config.seed)
    shared = head_start(spec) if config.personalisation == "head" else new.size
    if not config.init:
        return Start(as_record(new[:shared]))
    path = _model_file(Path(config.init))
    stored = read_vector(path)
    if stored.size not in (new.size, shared):
        raise UserError(f"init {path}: {_misfit(stored.size, new.size, config)}")
    heads = as_record(stored[shared:]) if stored.size > shared else None
    return Start(as_record(stored[:shared]), heads)


def _misfit(stored: int, whole: int, config: RunConfig) -> str:
    """Why a model of ``stored`` parameters does not do for the run, and what would."""
    from common.model import head_start, initial_vector

    needs = f"{whole:,} parameters are expected (model '{config.model}'), it has {stored:,}"
    for name, spec in MODELS.items():
        if stored == head_start(spec):
            return f"{needs}, the trunk of model '{name}': give model '{name}' and personalisation 'head'"
        if stored == initial_vector(spec, 0).size:
            return f"{needs}, those of model '{name}': give model '{name}', or a file of a '{config.model}' model"
    return f"{needs}, which no model of this version has: give a model that this version wrote"


def as_record(vector: _Vector) -> ArrayRecord:
    """Parameters as Flower carries them."""
    from common.model import state_to_arrays

    return ArrayRecord({name: Array(values) for name, values in state_to_arrays(vector).items()})


def parameter_count(arrays: ArrayRecord) -> int:
    """Number of parameters."""
    return sum(array.numpy().size for array in arrays.values())


def save_model(path: Path, arrays: ArrayRecord, model: str) -> None:
    """Write the model; ``model`` is the name of its size, kept in the file's metadata."""
    save_file({name: array.numpy() for name, array in arrays.items()}, path, metadata={"model": model})


def _model_file(path: Path) -> Path:
    """A model's file; of a checkpoint's or a run's folder the one in it."""
    if not path.is_dir():
        return path
    within = [path / MODEL, *sorted(path.glob(f"{CHECKPOINTS}/round-*/{MODEL}"), reverse=True)]
    found = [file for file in within if file.is_file()]
    if not found:
        raise UserError(f"init {path}: the folder holds no {MODEL}; {_WANTED}")
    return found[0]


def read_vector(path: Path) -> _Vector:
    """Parameters in a model's file.

    Raises:
        UserError: no such file, or another format.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            vector = np.asarray(file.get_tensor("parameters"), np.float32)
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        raise UserError(f"init {path}: not a model of Commonwatt ({error}); {_WANTED}") from None
    if vector.ndim != 1 or not np.isfinite(vector).all():
        raise UserError(f"init {path}: not a model of Commonwatt (no list of finite numbers); {_WANTED}")
    return vector


# -- checkpoints ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Checkpoint:
    """A training run after a round.

    No random state is kept: every stream begins anew from (seed, round, home), so the next round draws what it would
    have drawn.

    Attributes:
        round: rounds that are done; 0 once the base is fitted.
        run_id: under which the homes keep what is theirs.
        config: options of the run, flat as Flower takes them.
        homes: ids of the homes.
        before_slot, end_slot: the homes learn before the one, and are tested from it to the other.
        gates: share of the Transformer's residual per head.
        model: the global parameters.
        rule: what the averaging remembers.
        community: the community's mean as far as it was summed, or None: homes tell a slot only once.
    """

    round: int
    run_id: int
    config: Mapping[str, str | int | float | bool]
    homes: tuple[str, ...]
    before_slot: int
    end_slot: int
    gates: tuple[float, ...]
    model: ArrayRecord
    rule: RuleState
    community: CommunityMean | None = None


def save_checkpoint(out: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint into the output folder ``out``, and drop all but the last two."""
    root = out / CHECKPOINTS
    folder, draft = root / f"round-{checkpoint.round:06d}", root / f".draft.{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    save_model(draft / MODEL, checkpoint.model, str(checkpoint.config["model"]))
    _write(draft / _RULE, checkpoint.rule.arrays)
    if checkpoint.community is not None:
        _write(draft / _COMMUNITY, checkpoint.community.to_arrays())
    facts = {k: v for k, v in vars(checkpoint).items() if k not in ("model", "rule", "community")}
    text = json.dumps(facts | {"rule": dict(checkpoint.rule.facts)}, indent=1)
    (draft / _STATE).write_text(text + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was cut off between a round and its files
    draft.rename(folder)
    for old in sorted(root.glob("round-*"))[:-KEPT]:
        shutil.rmtree(old)


def _write(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **dict(arrays))


def load_checkpoint(out: Path) -> Checkpoint:
    """The last checkpoint of the run in the output folder ``out``.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    folders = sorted((out / CHECKPOINTS).glob("round-*"))
    if not folders:
        raise UserError(f"--resume {out}: no checkpoint in it; name the folder that a run of 'train' wrote")
    folder = folders[-1]
    try:
        facts = json.loads((folder / _STATE).read_text(encoding="utf-8"))
        with np.load(folder / _RULE) as stored:
            rule = RuleState(dict(stored), facts.pop("rule"))
        mean = None
        if (folder / _COMMUNITY).is_file():
            with np.load(folder / _COMMUNITY) as stored:
                mean = CommunityMean.from_arrays(dict(stored))
        parts = {"model": as_record(read_vector(folder / MODEL)), "rule": rule, "community": mean}
        return Checkpoint(**facts | {"homes": tuple(facts["homes"]), "gates": tuple(facts["gates"])} | parts)
    except (OSError, ValueError, KeyError, TypeError, WireError) as error:
        raise UserError(
            f"--resume {out}: {folder.name} cannot be read ({type(error).__name__}); delete that folder to go on from "
            "the one before"
        ) from None
