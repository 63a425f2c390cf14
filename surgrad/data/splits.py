"""Train, validation and test: index sets that a seed fixes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from surgrad.errors import ArgumentError


def random_split(count: int, fractions: Sequence[float], seed: int) -> list[Tensor]:
    """Cut `count` samples at random into parts of the given fractions.

    Args:
        count: the number of samples.
        fractions: positive, with sum 1.
        seed: of a generator of its own.

    Returns:
        Disjoint, ascending indices, int64, which together are all samples.

    Raises:
        ArgumentError: if the fractions do not sum to 1 or a part would be empty.

    Example:
        >>> [len(part) for part in random_split(10, (0.6, 0.2, 0.2), seed=0)]
        [6, 2, 2]
    """
    return stratified_split(torch.zeros(count, dtype=torch.long), fractions, seed)


def stratified_split(labels: Tensor, fractions: Sequence[float], seed: int) -> list[Tensor]:
    """Cut samples at random so that every part has the classes in the same proportions.

    Args:
        labels: the class of each sample, `(samples,)`.
        fractions: positive, with sum 1.
        seed: of a generator of its own.

    Returns:
        Disjoint, ascending indices, int64, which together are all samples.

    Raises:
        ArgumentError: if the fractions do not sum to 1 or a part would be empty.

    Example:
        >>> parts = stratified_split(torch.tensor([0, 0, 1, 1]), (0.5, 0.5), seed=1)
        >>> [sorted((part >= 2).tolist()) for part in parts]
        [[False, True], [False, True]]
    """
    if not (all(part > 0 for part in fractions) and abs(sum(fractions) - 1) <= 1e-9):
        raise ArgumentError("fractions", got=tuple(fractions), expected="positive, with sum 1")
    generator = torch.Generator().manual_seed(seed)
    parts: list[list[Tensor]] = [[] for _ in fractions]
    for label in labels.unique():
        members = (labels == label).nonzero()[:, 0]
        members = members[torch.randperm(len(members), generator=generator)]
        for part, piece in zip(parts, _cut(members, fractions), strict=True):
            part.append(piece)
    indices = [torch.cat(part).sort().values if part else labels[:0].long() for part in parts]
    for index, fraction in zip(indices, fractions, strict=True):
        if not len(index):
            raise ArgumentError(
                "split",
                got=f"no sample for the part of {fraction:g} of {len(labels)}",
                expected="at least one sample in every part",
            )
    return indices


def hold_out(groups: Tensor, held: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Set whole groups aside, for instance speakers.

    Args:
        groups: the group of each sample, `(samples,)`.
        held: the groups to set aside.

    Returns:
        The indices of the rest and of the held-out samples.

    Raises:
        ArgumentError: if a group does not occur or nothing is left.

    Example:
        >>> hold_out(torch.tensor([0, 1, 2, 1]), [1])
        (tensor([0, 2]), tensor([1, 3]))
    """
    missing = [group for group in held if not (groups == group).any()]
    if missing:
        raise ArgumentError(
            "held-out groups", got=missing, expected=f"some of {groups.unique().tolist()}"
        )
    out = torch.isin(groups, torch.as_tensor(list(held), dtype=groups.dtype))
    if bool(out.all()):
        raise ArgumentError("held-out groups", got="all groups", expected="one left to train on")
    return (~out).nonzero()[:, 0], out.nonzero()[:, 0]


def _cut(members: Tensor, fractions: Sequence[float]) -> list[Tensor]:
    bounds = torch.tensor(fractions, dtype=torch.float64).cumsum(0)
    ends = [round(float(bound) * len(members)) for bound in bounds[:-1]] + [len(members)]
    starts = [0, *ends[:-1]]
    return [members[start:end] for start, end in zip(starts, ends, strict=True)]
