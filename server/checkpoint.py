"""The global model at rest: a ``model.safetensors`` that says which size it is of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from common.config import MODELS, RunConfig
from common.errors import UserError


def initial_arrays(config: RunConfig) -> ArrayRecord:
    """The model that a run starts from: a new one by the seed, or the file that ``init`` names.

    Raises:
        UserError: no such file, another format, or a model of another size.
    """
    from common.model import initial_vector, state_to_arrays

    vector = initial_vector(MODELS[config.model], config.seed)
    if config.init:
        stored = _read(Path(config.init))
        if stored.shape != vector.shape:
            raise UserError(
                f"init {config.init}: the model has {stored.size} parameters, model '{config.model}' has {vector.size}"
            )
        vector = stored
    return ArrayRecord({name: Array(values) for name, values in state_to_arrays(vector).items()})


def parameter_count(arrays: ArrayRecord) -> int:
    """Number of parameters."""
    return sum(array.numpy().size for array in arrays.values())


def save_model(path: Path, arrays: ArrayRecord, model: str) -> None:
    """Write the model; ``model`` is the name of its size, kept in the file's metadata."""
    save_file({name: array.numpy() for name, array in arrays.items()}, path, metadata={"model": model})


def _read(path: Path) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    try:
        with safe_open(path, framework="numpy") as file:
            return np.asarray(file.get_tensor("parameters"), np.float32)
    except (OSError, SafetensorError) as error:
        raise UserError(f"init {path}: not a model of Commonwatt ({error})") from None
