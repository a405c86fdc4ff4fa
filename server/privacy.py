"""Differential privacy of the homes towards whoever sees the models: clipping, noise, and what they add up to.

Flower's wrappers clip each home's update and noise the average on the server.  The account is for the models alone:
the sums of base and gates and the metrics are sent without noise, and nothing is hidden from central.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Message, MetricRecord
from flwr.serverapp.strategy import (
    DifferentialPrivacyServerSideAdaptiveClipping,
    DifferentialPrivacyServerSideFixedClipping,
    Strategy,
)
from flwr.supercore.privacy_accounting import (
    GaussianPrivacyEvent,
    NeighboringRelation,
    PrivacyConfig,
    SamplingMethod,
)
from flwr.supercore.privacy_accounting.rdp_accountant import RdpAccountant

from common.config import RunConfig
from common.errors import UserError

NOT_COVERED = ("sums of the ridge base", "the community's mean", "sums of the gates", "metrics", "central itself")
"""What the account does not speak of."""

_NOISE = 3
"""Random stream of the noise."""


@dataclass(frozen=True)
class Spent:
    """Privacy that the released models cost.

    Attributes:
        epsilon, delta: of the (epsilon, delta) guarantee, for adding or removing one home, without amplification.
        rounds: models released so far: the horizon of ``epsilon``, which grows with each round.
        clip: norm at which updates are clipped now.
    """

    epsilon: float
    delta: float
    rounds: int
    clip: float


class AccountedAdaptiveClipping(DifferentialPrivacyServerSideAdaptiveClipping):
    """Flower's adaptive clipping, with an account that it does not keep itself.

    A round releases two Gaussians: the average, with the wrapper's effective noise, and the noised count of clipped
    updates, of which one home changes 1. Both are composed, which is an upper bound of what Andrew et al. 2021
    (https://arxiv.org/abs/1905.03871) find with centred bits.
    """

    def __init__(self, rule: Strategy, config: RunConfig, homes: int, accountant: RdpAccountant) -> None:
        super().__init__(
            rule,
            config.dp_noise,
            homes,
            initial_clipping_norm=config.dp_clip,
            # Flower's usual homes / 20 leaves no noise multiplier at all for a few homes.
            clipped_count_stddev=max(homes / 20, config.dp_noise),
        )
        self.accountant = accountant

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Average if every drawn home is there, since the noise is for that many; else release nothing."""
        updates = list(replies)
        if len(updates) != self.num_sampled_clients:
            return None, None
        arrays, metrics = super().aggregate_train(server_round, updates)
        if arrays is not None:
            for noise in (self.noise_multiplier, self.clipped_count_stddev):
                self.accountant.compose(_event(noise, self.accountant))
        return arrays, metrics


def private(rule: Strategy, config: RunConfig, homes: int) -> Strategy:
    """The rule with clipping, noise and an account.

    Args:
        rule: a plain average (``common.checks.ACCOUNTED``).
        config: ``dp`` and its options.
        homes: that take part in every round.

    Raises:
        UserError: the accountant is not installed.
    """
    account = accountant(config, homes)
    if config.dp == "adaptive":
        return AccountedAdaptiveClipping(rule, config, homes, account)
    return DifferentialPrivacyServerSideFixedClipping(rule, config.dp_noise, config.dp_clip, homes, accountant=account)


def accountant(config: RunConfig, homes: int) -> RdpAccountant:
    """Flower's account of what rounds of ``homes`` homes cost.

    Raises:
        UserError: it is not installed.
    """
    terms = PrivacyConfig(
        config.dp_delta, homes, NeighboringRelation.ADD_OR_REMOVE_ONE, SamplingMethod.NO_AMPLIFICATION
    )
    try:
        return RdpAccountant(terms)
    except ImportError:
        raise UserError("dp needs the accountant of Flower: pip install 'commonwatt[dp]' (or 'flwr[dp]')") from None


def spent(rule: Strategy) -> Spent | None:
    """What the rule's releases cost so far; None without privacy."""
    if not isinstance(rule, DifferentialPrivacyServerSideFixedClipping | AccountedAdaptiveClipping):
        return None
    accountant = rule.accountant
    assert isinstance(accountant, RdpAccountant)
    total = accountant.get_privacy_spent()
    a_round = 2 if isinstance(rule, AccountedAdaptiveClipping) else 1
    epsilon = total.epsilon if total.num_releases else 0.0
    return Spent(epsilon, total.delta, total.num_releases // a_round, rule.clipping_norm)


def noise_known(config: RunConfig) -> bool:
    """Whether the run's published seed gives its noise away."""
    return config.data != "household"


def told(spent: Spent, config: RunConfig) -> dict[str, Any]:
    """What a run tells of the privacy that it cost: the figures, and how far they go."""
    return asdict(spent) | {"noise_known": noise_known(config), "not_covered": list(NOT_COVERED)}


def _event(noise: float, accountant: RdpAccountant) -> GaussianPrivacyEvent:
    size = accountant.config.population_size
    return GaussianPrivacyEvent(noise_multiplier=noise, sample_size=size, population_size=size)


@contextmanager
def repeatable_noise(config: RunConfig, turn: int) -> Iterator[None]:
    """Flower draws its noise from numpy's global stream: begin it from (seed, turn), and put it back afterwards.

    An experiment can be repeated so.  Who knows the seed can take the noise off again, so a deployment's stream, with
    which real homes are to be protected, is left as the operating system began it.
    """
    if config.dp == "none" or not noise_known(config):
        yield
        return
    before = np.random.get_state()  # noqa: NPY002 - the stream that Flower draws from
    np.random.seed(np.random.SeedSequence([config.seed, turn, _NOISE]).generate_state(8))  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002


def away_from(model: ArrayRecord, update: Message) -> Message:
    """The update, moved by the least float where it is the model itself: Flower's clipping divides by its norm.

    A home whose history is too short to train sends back what came.
    """
    for name, record in update.content.array_records.items():
        if all(np.array_equal(array.numpy(), model[key].numpy()) for key, array in record.items()):
            key, values = next((key, array.numpy().copy()) for key, array in record.items())
            values.flat[0] = np.nextafter(values.flat[0], np.float32(np.inf))
            update.content[name] = ArrayRecord({**dict(record), key: Array(values)})
    return update
