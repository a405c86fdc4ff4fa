import dataclasses

import numpy as np
import pytest
import torch

from common.config import MODELS, ModelSpec
from common.model import (
    FUTURE_WIDTH,
    MONTH_STEPS,
    PAST_WIDTH,
    STEPS,
    WEEK_STEPS,
    Transformer,
    arrays_to_state,
    count_parameters,
    initial_vector,
    load_model,
    state_to_arrays,
    to_vector,
)

TINY = ModelSpec(layers=2, heads=2, width=16, feed_forward=32, month_rank=4, context_days=7)


def _tokens(days, seed=0):
    generator = torch.Generator().manual_seed(seed)
    past = torch.randn(2, days, PAST_WIDTH, generator=generator)
    return past, torch.randn(2, days, FUTURE_WIDTH, generator=generator)


def _random_model():
    rng = np.random.default_rng(0)
    vector = initial_vector(TINY, 0)
    return load_model(TINY, (vector + rng.normal(0, 0.05, vector.shape)).astype(np.float32)).eval()


def test_the_full_model_has_about_12_million_parameters():
    with torch.device("meta"):
        assert 12e6 <= count_parameters(Transformer(MODELS["full"])) <= 13e6


def test_an_untrained_model_says_zero():
    heads = load_model(TINY, initial_vector(TINY, 0))(*_tokens(7))
    assert [tuple(head.shape) for head in heads] == [
        (2, 7, STEPS, 4),
        (2, 7, STEPS),
        (2, 7, WEEK_STEPS, 2),
        (2, 7, MONTH_STEPS),
    ]
    assert not any(head.any() for head in heads)


def test_attention_is_causal():
    model = _random_model()
    past, future = _tokens(7)
    before = model(past, future)
    past[:, 4:] += 1
    future[:, 4:] -= 1
    after = model(past, future)
    for first, second in zip(before, after, strict=True):
        torch.testing.assert_close(first[:, :4], second[:, :4])
        assert not torch.allclose(first[:, 4:], second[:, 4:])


def test_positions_count_back_from_the_last_token():
    model = _random_model()
    past, future = _tokens(3)
    short = model(past, future).day
    cut = dataclasses.replace(TINY, context_days=3)
    same = load_model(cut, to_vector(model)[_without_first_positions(model, 4)]).eval()
    torch.testing.assert_close(same(past, future).day, short)


def _without_first_positions(model, dropped):
    """Which entries of the flat vector remain when the first positions go."""
    keep = []
    for name, parameter in model.named_parameters():
        mask = np.ones(tuple(parameter.shape), bool)
        if name == "position":
            mask[:dropped] = False
        keep.append(mask.ravel())
    return np.concatenate(keep)


def test_the_flat_vector_makes_a_round_trip():
    vector = np.random.default_rng(0).normal(size=initial_vector(TINY, 0).shape).astype(np.float32)
    np.testing.assert_array_equal(to_vector(load_model(TINY, vector)), vector)
    np.testing.assert_array_equal(arrays_to_state(state_to_arrays(vector)), vector)
    with pytest.raises(ValueError, match="parameters"):
        load_model(TINY, vector[:-1])
    with pytest.raises(ValueError, match="expected one array"):
        arrays_to_state({"other": vector})


def test_the_vector_given_is_not_changed_by_training_the_model():
    vector = initial_vector(TINY, 0)
    copy = vector.copy()
    model = load_model(TINY, vector)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    np.testing.assert_array_equal(vector, copy)


def test_the_same_seed_makes_the_same_model():
    np.testing.assert_array_equal(initial_vector(TINY, 1), initial_vector(TINY, 1))
    assert (initial_vector(TINY, 1) != initial_vector(TINY, 2)).any()
