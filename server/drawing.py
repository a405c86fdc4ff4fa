"""Which homes a round is for: drawn from the seed, so that a run can be repeated, whatever the grid and its nodes.

Flower's own sampling draws nodes from the process's global random numbers; ours draws households, by id.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from common.config import RunConfig

_DRAW, _DROP = 1, 2
"""Random streams beside each other."""


@dataclass(frozen=True)
class Drawn:
    """Homes of a round, by id in ascending order.

    Attributes:
        chosen: drawn for the round.
        present: of them, those that take part; the others drop out.
    """

    chosen: tuple[str, ...]
    present: tuple[str, ...]


def homes_a_round(config: RunConfig, homes: int) -> int:
    """How many of ``homes`` a round is drawn from: rounded down, as in Flower."""
    return int(config.fraction_train * homes + 1e-9)


def draw(config: RunConfig, homes: Collection[str], turn: int) -> Drawn:
    """Draw the homes of a round from the seed and ``turn``, its number in the run."""
    ids, count = sorted(homes), homes_a_round(config, len(homes))
    order = np.random.default_rng([config.seed, turn, _DRAW]).permutation(len(ids))
    chosen = tuple(ids[i] for i in sorted(order[:count].tolist()))
    return Drawn(chosen, tuple(home for home in chosen if not _drops_out(config, home, turn)))


def _drops_out(config: RunConfig, home: str, turn: int) -> bool:
    stream = np.random.default_rng([config.seed, turn, _DROP, crc32(home.encode())])
    return bool(stream.random() < config.dropout)
