"""The order of the batches, and that it is nobody else's business."""

from __future__ import annotations

import pytest
import torch

from surgrad.data.base import Samples
from surgrad.data.loader import loader
from surgrad.errors import ArgumentError


def samples(count: int = 10) -> Samples:
    return Samples(torch.zeros(count, 2, 1), torch.arange(count))


def order(batches) -> list[int]:
    return [label for _, labels in batches for label in labels.tolist()]


def test_in_order_with_the_smaller_last_batch():
    assert [len(labels) for _, labels in loader(samples(), 4)] == [4, 4, 2]
    assert order(loader(samples(), 4)) == list(range(10))


def test_a_generator_fixes_the_order_of_every_pass():
    first = loader(samples(), 3, shuffle=True, generator=torch.Generator().manual_seed(1))
    second = loader(samples(), 3, shuffle=True, generator=torch.Generator().manual_seed(1))
    passes = [order(first), order(first)]
    assert passes == [order(second), order(second)]
    assert passes[0] != passes[1]
    assert sorted(passes[1]) == list(range(10))
    other = loader(samples(), 3, shuffle=True, generator=torch.Generator().manual_seed(2))
    assert order(other) != passes[0]


def test_a_saved_generator_state_goes_on_where_it_was():
    generator = torch.Generator().manual_seed(1)
    batches = loader(samples(), 3, shuffle=True, generator=generator)
    order(batches)
    state = generator.get_state()
    second = order(batches)
    generator.set_state(state)
    assert order(batches) == second


def test_the_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    order(loader(samples(), 3, shuffle=True))
    order(loader(samples(), 3))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("size", [0, -1, 2.0, True])
def test_batch_sizes_that_are_none(size):
    with pytest.raises(ArgumentError, match="batch_size"):
        loader(samples(), size)


def test_nothing_to_load():
    with pytest.raises(ArgumentError, match="samples"):
        loader(samples(0), 4)
