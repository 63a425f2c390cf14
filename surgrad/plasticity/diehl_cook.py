"""Unsupervised learning by STDP, competition and homeostasis: the network of Diehl & Cook."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from surgrad.errors import ShapeError
from surgrad.events import SpikeTrain
from surgrad.objectives.checks import one_of, positive
from surgrad.plasticity.taps import Taps
from surgrad.plasticity.winners import winners
from surgrad.tableau import steps_of


@dataclass(frozen=True)
class Competition:
    """The constants of a `DiehlCook` network.

    Args:
        dt: the width of a step in seconds.
        tau_mem: membrane time constant in seconds.
        threshold: of a neuron that has never fired.
        raised: by how much a spike raises the threshold of its neuron.
        tau_raised: in which time that is forgotten, in seconds.
        inhibition: by how much a spike lowers the potential of all other neurons.
        lowest: below which nothing falls.
        refractory: seconds after a spike.
        tau_pre: of the presynaptic traces in seconds.
        pairing: whether a trace remembers "all" spikes or the "nearest".
        offset: the trace below which a weight falls when its neuron fires.
        bounds: "hard" cuts weights at 0 and `w_max`; "soft" makes steps proportional to the
            distance from them as well.
        w_max: the largest weight.
        norm: the sum of a neuron's weights after each sample; None leaves it free.

    Raises:
        ArgumentError: if a time constant, the threshold, `w_max` or the norm is not positive, or
            a choice is none of those above.
    """

    dt: float = 1e-3
    tau_mem: float = 100e-3
    threshold: float = 10.0
    raised: float = 0.05
    tau_raised: float = 1e4
    inhibition: float = 1e3
    lowest: float = 0.0
    refractory: float = 5e-3
    tau_pre: float = 20e-3
    pairing: Literal["all", "nearest"] = "nearest"
    offset: float = 0.0
    bounds: Literal["hard", "soft"] = "hard"
    w_max: float = 1.0
    norm: float | None = 78.4

    def __post_init__(self) -> None:
        positive(self, "dt", "tau_mem", "threshold", "tau_raised", "tau_pre", "w_max", "norm")
        one_of(self, "pairing", "all", "nearest")
        one_of(self, "bounds", "hard", "soft")


class DiehlCook(nn.Module):
    r"""Neurons that compete for inputs and learn what they win, without labels.

    Each input spike adds its weight to all membranes, which leak; the neuron furthest above its
    threshold fires and inhibits all others at once, so that one neuron fires in a step. It then
    moves its weights towards what has just been active,

    .. math:: w_{ij} \leftarrow w_{ij} + \eta\, (r_j - r_0),

    with the presynaptic trace `r`, its threshold rises for a long time, and after the sample its
    weights are brought back to their sum. Samples come one after the other, each from rest.

    With `taps` there are as many neurons at each place of a convolution, which compete with those
    of the same place and share weights and thresholds with those of the others.

    Args:
        inputs: input units, or channels.
        size: neurons, or maps.
        generator: draws the first weights, uniform and then normalised.
        constants: everything else.
        taps: of a convolution; None joins each input with each neuron.

    Attributes:
        weight: `(inputs, size)`, or `(inputs * kernel, size)`.
        raised: what has been added to the threshold of each neuron or map, `(size,)`.

    Example:
        >>> draw = torch.Generator().manual_seed(0)
        >>> net = DiehlCook(4, 2, draw, Competition(norm=4.0, threshold=1.0))
        >>> spikes = SpikeTrain.from_dense(torch.ones(10, 3, 4))
        >>> counts = net.learn(spikes, rate=0.1)
        >>> counts.shape, net.weight.sum(0)
        (torch.Size([3, 2]), tensor([4., 4.]))
        >>> from surgrad.plasticity.taps import Taps
        >>> taps = Taps.of(nn.Conv2d(1, 8, 5), (1, 28, 28))
        >>> maps = DiehlCook(1, 8, draw, Competition(norm=5.0), taps)
        >>> maps(SpikeTrain.from_dense(torch.ones(10, 3, 1, 28, 28))).shape
        torch.Size([3, 8, 24, 24])

    References: Diehl & Cook 2015. Theirs has conductances, excitatory and inhibitory neurons one
    to one, and shows weak inputs again; here membranes are current-based and inhibition is
    direct and at once, as in later work (e.g. Querlioz et al. 2013). The post-synaptically
    triggered rule is one of those that they compare, with μ = 0 (`bounds="hard"`) or, near it,
    μ = 1 ("soft").
    """

    def __init__(
        self,
        inputs: int,
        size: int,
        generator: torch.Generator,
        constants: Competition | None = None,
        taps: Taps | None = None,
    ) -> None:
        super().__init__()
        self.constants = constants or Competition()
        self.taps = taps or Taps.dense()
        weight = 0.3 * torch.rand(inputs * len(self.taps.before), size, generator=generator)
        if self.constants.norm is not None:
            weight *= self.constants.norm / weight.sum(0)
        self.register_buffer("weight", weight)
        self.register_buffer("raised", torch.zeros(size))
        self.weight: Tensor
        self.raised: Tensor

    def learn(self, spikes: SpikeTrain, *, rate: float) -> Tensor:
        """Show samples one after the other, and learn from each spike.

        Args:
            spikes: `(time, samples, *features)`.
            rate: η, by how much a weight moves.

        Returns:
            the spikes of each neuron, `(samples, size, *places)`.
        """
        return self._run(spikes, rate, True)

    def forward(self, spikes: SpikeTrain) -> Tensor:
        """The spikes of each neuron, `(samples, size, *places)`, without learning."""
        return self._run(spikes, 0.0, False)

    def _run(self, spikes: SpikeTrain, rate: float, learning: bool) -> Tensor:
        kernel, inside, places = self.taps.sizes
        inputs, size = len(self.weight) // kernel, self.weight.shape[1]
        if spikes.units != inputs * inside:
            raise ShapeError("spikes", got=f"{spikes.units} units", expected=f"{inputs * inside}")
        own, single = self.constants, np.float32
        counts = torch.zeros(spikes.batch, size, *self.taps.shape)
        refractory = steps_of(own.refractory, own.dt)
        every, soft = int(own.pairing == "all"), int(own.bounds == "soft")
        recovery = math.exp(-spikes.time * own.dt / own.tau_raised)
        neuron = (math.exp(-own.dt / own.tau_mem), own.threshold, own.inhibition, own.lowest)
        winners(
            (),
            (inputs, size, kernel, inside, places),
            (spikes.time, spikes.batch, refractory, int(learning), every, soft),
            (spikes.indptr.numpy(), spikes.indices.numpy()),
            self.taps.tables,
            tuple(map(single, (*neuron, recovery, own.raised))),
            tuple(map(single, (rate, own.offset, own.w_max, own.norm or 0.0))),
            np.exp(-np.arange(spikes.time + 1) * own.dt / own.tau_pre).astype(single),
            self.weight.view(-1).numpy(),
            self.raised.numpy(),
            np.zeros(places * size + spikes.units, single),
            np.zeros((places + 1) * size + spikes.units, np.int64),
            counts.view(-1).numpy(),
        )
        return counts


@dataclass(frozen=True)
class Votes:
    """What neurons that learned without labels stand for, from a look at some labels.

    Attributes:
        responses: the mean count of each neuron for each class, `(classes, size)`.
    """

    responses: Tensor

    @classmethod
    def of(cls, counts: Tensor, labels: Tensor, classes: int) -> Votes:
        """From spikes `(samples, size)` and labels `(samples,)`.

        Example:
            >>> votes = Votes.of(torch.tensor([[3.0, 0], [0, 2]]), torch.tensor([1, 0]), 2)
            >>> votes.predict(torch.tensor([[1.0, 5]]))
            tensor([0])
        """
        member = nn.functional.one_hot(labels, classes).to(counts)
        return cls(member.T @ counts / member.sum(0).clamp(min=1)[:, None])

    def predict(self, counts: Tensor, *, weighted: bool = False) -> Tensor:
        """A class for each sample.

        Args:
            counts: spikes, `(samples, size)`.
            weighted: whether each spike counts for all classes, by the share of the neuron's
                spikes that each had; else for that of its strongest response, and classes are
                compared by the mean over their neurons, as Diehl & Cook do.
        """
        if weighted:
            share = self.responses / self.responses.sum(0).clamp(min=1e-9)
        else:
            member = nn.functional.one_hot(self.responses.argmax(0), len(self.responses))
            share = member.T.to(counts) / member.sum(0).clamp(min=1)[:, None]
        return (counts @ share.T).argmax(1)
