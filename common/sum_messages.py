"""The wire of secure sums (:mod:`common.secure_sum`); models as in :mod:`common.messages`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from common.messages import HomeId, Slot, Wire
from common.secure_sum import NEIGHBOURS

EvenSlot = Annotated[int, Field(ge=0, le=10_000_000, multiple_of=2)]
PublicKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


MOST_SLOTS = 10 * 366 * 48
"""Slots that a home is asked for at once, at most: ten years."""


class HomeKey(Wire):
    """A home's part in sums: its public key of this run (X25519, hex).

    Attributes:
        from_slot: first slot that it has something to add for.
        exchange: number of the last sum that it answered; 0 for none.
    """

    home_id: HomeId
    key: PublicKey
    from_slot: Slot
    exchange: Annotated[int, Field(ge=0, le=2**53)]


class KeyReply(Wire):
    """Answer of a node to ``query.key``, which asks with a :class:`Fit`: the keys of its households."""

    homes: Annotated[tuple[HomeKey, ...], Field(min_length=1)]


class NeighbourKey(Wire):
    """Public key (hex) of a home that shares a mask with another."""

    home_id: HomeId
    key: PublicKey


class SumPart(Wire):
    """A household that is to take part in a sum, and the keys of its neighbours in it, its own included."""

    home_id: HomeId
    keys: Annotated[tuple[NeighbourKey, ...], Field(max_length=NEIGHBOURS + 1)]


class SumRequest(Wire):
    """Central -> home (``query.sum``): send the surprise of ``first_slot .. before_slot - 1`` behind masks.

    Attributes:
        exchange: grows from sum to sum; it names the masks, so that none is used twice.
        before_slot: nothing of this slot or later may be told; even, because an hourly home knows whole hours.
        homes: households of the node that take part.
    """

    exchange: Annotated[int, Field(ge=1, le=2**60)]
    first_slot: Slot
    before_slot: EvenSlot
    homes: tuple[SumPart, ...]
