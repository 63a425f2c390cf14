"""Which units the weights of a connection join: one table for dense layers and convolutions."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from surgrad.errors import RuleError


class Taps(NamedTuple):
    """The places that the taps of a kernel join; units are channels at places.

    A dense connection has one tap, and one place on either side.

    Attributes:
        before: the presynaptic place of each tap and postsynaptic place, -1 in the padding.
        after: the postsynaptic place of each tap and presynaptic place, -1 for none.
        shape: of the postsynaptic places.
    """

    before: Tensor
    after: Tensor
    shape: tuple[int, ...] = ()

    @classmethod
    def dense(cls) -> Taps:
        """Those of a single matrix."""
        return cls(torch.zeros(1, 1, dtype=torch.int32), torch.zeros(1, 1, dtype=torch.int32))

    @classmethod
    def of(cls, module: nn.Module, features: tuple[int, ...]) -> Taps:
        """Those of a connection.

        Args:
            module: `nn.Linear`, or `nn.Conv1d` or `nn.Conv2d` with all its options but groups and
                padding that is not zero.
            features: of the spikes that come in, `(channels, *places)`.

        Raises:
            RuleError: if the convolution is none of these, or the features do not fit it.

        Example:
            >>> Taps.of(nn.Conv1d(1, 8, 2, padding=1), (1, 3)).before
            tensor([[-1,  0,  1,  2],
                    [ 0,  1,  2, -1]], dtype=torch.int32)
        """
        if isinstance(module, nn.Linear):
            return cls.dense()
        if not isinstance(module, nn.Conv1d | nn.Conv2d):
            raise RuleError("taps", got=type(module).__name__, expected="a convolution or Linear")
        if module.groups != 1 or module.padding_mode != "zeros":
            raise RuleError(
                f"{module} under STDP",
                got="groups, or padding that is not zero",
                expected="one group, and zeros around",
            )
        axes = len(module.kernel_size)
        if len(features) != axes + 1 or features[0] != module.in_channels:
            raise RuleError(
                f"spikes into {module}", got=f"shape {features}", expected="(channels, *places)"
            )
        taps, places = prod(module.kernel_size), prod(features[1:])
        # places are numbered from one, so that the zeros of the padding can be told from them
        numbered = torch.arange(1.0, places + 1, dtype=torch.float64).view(1, 1, *features[1:])
        each = torch.eye(taps, dtype=torch.float64).view(taps, 1, *module.kernel_size)
        convolve = F.conv1d if axes == 1 else F.conv2d
        options = (module.stride, module.padding, module.dilation)
        found = convolve(numbered, each, None, *options)  # type: ignore[arg-type]
        before = (found[0].flatten(1).round() - 1).int()
        after = torch.full((taps, places), -1, dtype=torch.int32)
        tap, place = (before >= 0).nonzero(as_tuple=True)
        after[tap, before[tap, place].long()] = place.int()
        return cls(before, after, tuple(found.shape[2:]))

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Taps, presynaptic and postsynaptic places."""
        return len(self.before), self.after.shape[1], self.before.shape[1]

    @property
    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        """Both tables as the kernels take them."""
        return self.before.flatten().numpy(), self.after.flatten().numpy()
