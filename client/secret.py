"""A home's part of a secure sum (:mod:`common.secure_sum`): its key of a run, and its numbers behind masks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from common.messages import WireError
from common.secure_sum import LEAST_HOMES, Masked, encode

_NONCE = bytes(16)
"""Each key is used for one stream only, so its nonce may be the same."""


@dataclass(frozen=True)
class Secret:
    """What a home keeps of its sums in a run, for its own eyes.

    Attributes:
        private: its key, 32 bytes.
        exchange: number of the last sum that it answered; 0 for none.
        digest: of what it was asked and of its numbers then.
    """

    private: bytes
    exchange: int = 0
    digest: str = ""

    @staticmethod
    def new() -> Secret:
        """A new key, from the operating system's randomness."""
        return Secret(X25519PrivateKey.generate().private_bytes_raw())

    def to_bytes(self) -> bytes:
        """JSON, to store."""
        stored = {"private": self.private.hex(), "exchange": self.exchange, "digest": self.digest}
        return json.dumps(stored).encode()

    @staticmethod
    def from_bytes(stored: bytes) -> Secret:
        """Inverse of :meth:`to_bytes`."""
        fields = json.loads(stored)
        return Secret(bytes.fromhex(fields["private"]), int(fields["exchange"]), str(fields["digest"]))


def public_key(private: bytes) -> bytes:
    """The public half, 32 bytes."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def masked(
    values: NDArray[np.floating], private: bytes, home_id: str, public_keys: Mapping[str, bytes], exchange: str
) -> Masked:
    """The home's numbers behind the masks that it shares with its neighbours.

    Args:
        values: any shape.
        private: the home's key. home_id: the home.
        public_keys: of the neighbours (:func:`common.secure_sum.neighbourhoods`), and the home's own.
        exchange: name of the exchange, never used twice with other values: equal masks would show differences.

    Raises:
        WireError: too few homes, a key of another home in this one's place, or one that makes no secret.
    """
    if len(public_keys) < LEAST_HOMES:
        raise WireError(f"a secure sum over {len(public_keys)} homes tells too much; at least {LEAST_HOMES} take part")
    if public_keys.get(home_id) != public_key(private):
        raise WireError("the list of keys has another one for this home than its own")
    own = X25519PrivateKey.from_private_bytes(private)
    total = encode(values)
    for other in sorted(public_keys.keys() - {home_id}):
        try:
            secret = own.exchange(X25519PublicKey.from_public_bytes(public_keys[other]))
        except ValueError:  # a point of low order: everybody would know the mask
            raise WireError(f"the key of {other} makes no secret") from None
        mask = _stream(secret, exchange, total.size).reshape(total.shape)
        total = total + mask if home_id < other else total - mask
    return total


def _stream(secret: bytes, exchange: str, count: int) -> Masked:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"commonwatt secure sum|{exchange}".encode()).derive(
        secret
    )
    encryptor = Cipher(algorithms.ChaCha20(key, _NONCE), mode=None).encryptor()
    return np.frombuffer(encryptor.update(bytes(4 * count)), dtype="<u4")
