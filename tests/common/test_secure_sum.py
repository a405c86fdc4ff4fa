"""The sum of numbers that nobody shows: exact over all homes, noise over any fewer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.secret import Secret, masked, public_key
from common.messages import WireError
from common.secure_sum import LEAST_HOMES, NEIGHBOURS, SCALE, decode_sum, neighbourhoods

SLOTS = 600


def answers(values: np.ndarray, exchange: str = "1") -> dict[str, np.ndarray]:
    """What each home sends, by id; ``values`` has the shape ``(homes, ...)``."""
    homes = [f"home-{i:02d}" for i in range(len(values))]
    secrets = {home: Secret.new().private for home in homes}
    public = {home: public_key(secret) for home, secret in secrets.items()}
    return {
        home: masked(own, secrets[home], home, {other: public[other] for other in (home, *others)}, exchange)
        for (home, others), own in zip(sorted(neighbourhoods(homes, exchange).items()), values, strict=True)
    }


def surprises(homes: int, seed: int) -> np.ndarray:
    return np.clip(np.random.default_rng(seed).normal(0, 2, (homes, 2, SLOTS)), -5, 5).astype(np.float32)


@settings(max_examples=15, deadline=None)
@given(homes=st.integers(LEAST_HOMES, 80), seed=st.integers(0, 2**32 - 1), data=st.data())
def test_the_sum_is_exact_in_any_order_and_noise_without_a_home(homes: int, seed: int, data: st.DataObject) -> None:
    values = surprises(homes, seed)
    sent = list(answers(values).values())
    total = decode_sum(sent)
    assert np.abs(total - values.sum(axis=0, dtype=np.float64)).max() <= homes / SCALE / 2
    np.testing.assert_array_equal(decode_sum(data.draw(st.permutations(sent))), total)
    without = decode_sum(sent[1:])
    assert np.abs(without).mean() > 2**31 / SCALE / 4, "uniform over all numbers, whose mean size is half the largest"
    assert abs(np.corrcoef(without.ravel(), total.ravel())[0, 1]) < 0.2


@pytest.mark.parametrize("homes", [LEAST_HOMES, NEIGHBOURS + 2, 80])
def test_what_a_home_sends_tells_nothing_of_its_numbers(homes: int) -> None:
    values = surprises(homes, seed=homes)
    for own, sent in zip(values, answers(values).values(), strict=True):
        noise = sent.astype(np.int32).ravel().astype(np.float64)
        assert abs(np.corrcoef(own.ravel(), noise)[0, 1]) < 0.2
        assert np.unpackbits(sent.view(np.uint8)).mean() == pytest.approx(0.5, abs=0.02)
        assert len(np.unique(sent)) > SLOTS


def test_equal_numbers_look_different_under_another_name() -> None:
    values = surprises(4, seed=1)
    once, twice = answers(values, "1"), answers(values, "2")
    assert all((once[home] != twice[home]).mean() > 0.99 for home in once)


@given(homes=st.integers(LEAST_HOMES, 80), exchange=st.integers(1, 10**6))
def test_neighbours_are_neighbours_of_each_other(homes: int, exchange: int) -> None:
    found = neighbourhoods([str(home) for home in range(homes)], str(exchange))
    for home, others in found.items():
        assert len(set(others)) == len(others) == min(homes - 1, NEIGHBOURS)
        assert home not in others
        assert all(home in found[other] for other in others)


def test_a_home_refuses_keys_that_protect_nothing() -> None:
    values, secret = np.zeros((2, 4), np.float32), Secret.new().private
    keys = {home: public_key(Secret.new().private) for home in "bcd"} | {"a": public_key(secret)}
    masked(values, secret, "a", keys, "1")
    with pytest.raises(WireError, match="over 2 homes"):
        masked(values, secret, "a", {home: keys[home] for home in "ab"}, "1")
    for others in (keys | {"a": keys["b"]}, {home: keys[home] for home in "bcd"}):
        with pytest.raises(WireError, match="another one for this home"):
            masked(values, secret, "a", others, "1")
    with pytest.raises(WireError, match="key of c makes no secret"):
        masked(values, secret, "a", keys | {"c": bytes(32)}, "1")


def test_a_secret_is_kept_as_it_is() -> None:
    secret = Secret(Secret.new().private, 7, "ab")
    assert Secret.from_bytes(secret.to_bytes()) == secret
