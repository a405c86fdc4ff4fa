"""A sum of the homes' numbers that shows nobody the numbers: what both ends must agree on.

Each pair of neighbours shares a secret (X25519) that it stretches into a stream of masks (ChaCha20); one of the two
adds the mask to its numbers, the other takes it away.  What a home sends looks random; over all homes the masks cancel.
Numbers are fixed-point modulo 2**32.

A home's neighbours are those beside it on a ring that the exchange's name shuffles, so that the work of a home does
not grow with the community; central tells each home its neighbours' keys.  Central learns sums only, as long as it
tells the truth about the keys and not all neighbours of a home give it their masks; a home refuses to be summed with
fewer than :data:`LEAST_HOMES` - 1 others.

Source: Bonawitz et al., https://doi.org/10.1145/3133956.3133982 (without its recovery: a home that drops out has the
sum asked for again without it); the sparse graph is that of Bell et al., https://doi.org/10.1145/3372297.3417885.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

Masked = NDArray[np.uint32]

LEAST_HOMES = 3
NEIGHBOURS = 32
"""Homes that share a mask with a home: all others in communities up to this size."""

SCALE = 4096
"""Fixed-point units of 1."""

LARGEST = 2**31 // SCALE
"""Bound of the absolute value of the sum."""

MASKED = "masked"
"""Name of the array that a home sends."""


def neighbourhoods(home_ids: Iterable[str], exchange: str) -> dict[str, list[str]]:
    """Homes that each home shares masks with in an exchange; each is a neighbour of its neighbours."""
    ring = sorted(home_ids, key=lambda home: sha256(f"{exchange}|{home}".encode()).digest())
    if len(ring) <= NEIGHBOURS + 1:
        return {home: [other for other in ring if other != home] for home in ring}
    half = NEIGHBOURS // 2
    steps = (*range(-half, 0), *range(1, half + 1))
    return {home: [ring[(at + step) % len(ring)] for step in steps] for at, home in enumerate(ring)}


def encode(values: NDArray[np.floating]) -> Masked:
    """Fixed-point numbers modulo 2**32."""
    return np.rint(values.astype(np.float64) * SCALE).astype(np.int64).astype(np.uint32)


def decode_sum(masked: Sequence[Masked]) -> NDArray[np.float64]:
    """Sum of the homes' numbers from what all of them sent; noise if one of them is missing."""
    total = np.zeros_like(masked[0])
    for part in masked:
        total = total + part  # modulo 2**32, so in any order
    return total.astype(np.int32).astype(np.float64) / SCALE
