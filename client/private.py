"""What a home keeps to itself from round to round: the moments of its optimiser, and its own heads.

Each turn's arrays are a file of their own.  A run that is cut off goes on from central's last checkpoint, which may be
some turns before the home's last: the home then takes what it had at that turn, and earlier files are kept as long as a
checkpoint may need them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from client.store import HomeStore

_NAME, _HEADS = "private", "heads"
_Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Private:
    """A home's own part.

    Attributes:
        heads: the last parameters of the model, flat, where the home does not share them; else None.
        moments: of the optimiser (:mod:`client.moments`); empty where they are not kept.
    """

    heads: _Floats | None = None
    moments: Mapping[str, _Floats] = field(default_factory=dict)


def load_private(store: HomeStore, before_turn: int) -> Private:
    """What the home kept of its last turn before ``before_turn``."""
    turns = [turn for turn in store.turns(_NAME) if turn < before_turn]
    stored = (store.load_arrays(_file(turns[-1])) if turns else None) or {}
    return Private(stored.pop(_HEADS, None), stored)


def save_private(store: HomeStore, turn: int, private: Private, checkpoint_every: int) -> None:
    """Keep the home's own part of a turn, and drop what no checkpoint can ask for any more.

    Central keeps its last two checkpoints, the older of which is at most two intervals old.
    """
    if private.heads is None and not private.moments:
        return
    own = {} if private.heads is None else {_HEADS: private.heads}
    store.save_arrays(_file(turn), own | dict(private.moments))
    oldest = ((turn - 1) // checkpoint_every - 1) * checkpoint_every
    for old in [kept for kept in store.turns(_NAME) if kept <= oldest][:-1]:
        store.delete_arrays(_file(old))


def _file(turn: int) -> str:
    return f"{_NAME}-{turn:06d}"
