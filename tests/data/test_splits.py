"""Splits: disjoint, complete, fixed by their seed, with classes in proportion."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from surgrad.data.splits import hold_out, random_split, stratified_split
from surgrad.errors import ArgumentError


@settings(max_examples=50, deadline=None)
@given(counts=st.lists(st.integers(5, 40), min_size=1, max_size=5), seed=st.integers(0, 2**31))
def test_stratified(counts, seed):
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    fractions = (0.6, 0.2, 0.2)
    parts = stratified_split(labels, fractions, seed)
    assert torch.cat(parts).sort().values.tolist() == list(range(len(labels)))
    for part, fraction in zip(parts, fractions, strict=True):
        for label, count in enumerate(counts):
            assert abs(int((labels[part] == label).sum()) - fraction * count) <= 1


def test_the_seed_decides():
    labels = torch.arange(100) % 3
    same = [stratified_split(labels, (0.5, 0.5), 4)[0].tolist() for _ in range(2)]
    assert same[0] == same[1]
    assert stratified_split(labels, (0.5, 0.5), 5)[0].tolist() != same[0]


def test_a_random_split_mixes():
    first, _ = random_split(1000, (0.5, 0.5), seed=0)
    # 250 expected of the first half, standard deviation 8
    assert 210 < int((first < 500).sum()) < 290


@pytest.mark.parametrize("fractions", [(0.5, 0.4), (1.5, -0.5), (), (1.0, 0.0), (float("nan"), 1)])
def test_fractions_that_are_none(fractions):
    with pytest.raises(ArgumentError, match="fractions"):
        random_split(10, fractions, seed=0)


def test_an_empty_part_is_refused():
    with pytest.raises(ArgumentError, match="split"):
        random_split(2, (0.6, 0.2, 0.2), seed=0)
    with pytest.raises(ArgumentError, match="split"):
        random_split(0, (0.5, 0.5), seed=0)


def test_hold_out_whole_groups():
    speakers = torch.tensor([3, 1, 2, 1, 3, 0])
    rest, held = hold_out(speakers, [1, 0])
    assert (rest.tolist(), held.tolist()) == ([0, 2, 4], [1, 3, 5])
    with pytest.raises(ArgumentError, match=r"\[7\]"):
        hold_out(speakers, [7])
    with pytest.raises(ArgumentError, match="all groups"):
        hold_out(speakers, [0, 1, 2, 3])
