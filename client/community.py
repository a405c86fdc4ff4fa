"""A home's side of the community's mean surprise: its key, its numbers behind masks, the mean that comes back."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from client.features import TRAILING
from client.household import Household
from client.secret import Secret, masked, public_key
from client.store import Arrays, HomeStore
from common.community import CommunityMean
from common.messages import Fit, WireError
from common.secure_sum import MASKED, encode
from common.sum_messages import MOST_SLOTS, HomeKey, SumPart, SumRequest


def home_key(home: Household, fit: Fit) -> HomeKey:
    """Public key of the home, made and kept on its disk when it is first asked for."""
    home.learns_before(fit.before_slot)
    first = home.first_slot + TRAILING
    if home.community is not None:
        first = max(first, home.community.end_slot)
    secret = _open_secret(home.store)
    key = public_key(secret.private).hex()
    return HomeKey(home_id=home.home_id, key=key, from_slot=first, exchange=secret.exchange)


def contribute(home: Household, request: SumRequest, part: SumPart) -> Arrays:
    """Surprise and a count of 1 for each slot that has one, behind masks: shape ``(2, slots)`` uint32.

    A slot is told once: when its mean is known, the difference of two sums over other homes would show a home's number.

    Raises:
        WireError: a slot whose mean is known, too many slots, an exchange that is over or was answered with other
            numbers, or keys that protect nothing (:func:`client.secret.masked`).
    """
    first, before = request.first_slot, request.before_slot
    if not 0 < before - first <= MOST_SLOTS:
        raise WireError(f"a sum is over 1 to {MOST_SLOTS} slots, not {before - first}")
    if home.community is not None and first < home.community.end_slot:
        raise WireError(f"slot {first} was summed before; its mean is known")
    values, secret = _surprise(home, first, before), _open_secret(home.store)
    keys = {other.home_id: bytes.fromhex(other.key) for other in part.keys}
    sent = masked(values, secret.private, home.home_id, keys, str(request.exchange))
    digest = _digest(request, part, encode(values))
    if request.exchange < secret.exchange or (request.exchange == secret.exchange and digest != secret.digest):
        raise WireError(f"exchange {request.exchange} was answered before, with other numbers or homes")
    home.store.save_secret(Secret(secret.private, request.exchange, digest).to_bytes())
    return {MASKED: sent}


def take_mean(home: Household, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Keep a part of the community's mean that came."""
    home.take_community(CommunityMean.from_arrays(arrays))


def _surprise(home: Household, first_slot: int, before_slot: int) -> NDArray[np.float32]:
    history = home.history(before_slot)  # the gate: nothing of ``before_slot`` or later
    features = home.forecaster.features(history)
    rows = np.arange(first_slot, before_slot) - history.first_slot
    known = (rows >= TRAILING) & (rows < len(history))
    values = np.zeros((2, len(rows)), np.float32)
    values[0, known], values[1, known] = features.surprise(rows[known]), 1
    return values


def _open_secret(store: HomeStore) -> Secret:
    stored = store.load_secret()
    if stored is not None:
        return Secret.from_bytes(stored)
    secret = Secret.new()
    store.save_secret(secret.to_bytes())
    return secret


def _digest(request: SumRequest, part: SumPart, values: NDArray[np.uint32]) -> str:
    said = f"{request.first_slot}|{request.before_slot}|{part.model_dump_json()}|"
    return sha256(said.encode() + values.tobytes()).hexdigest()
