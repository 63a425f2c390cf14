"""A neuron that is examined, what drives it, and what it gives back."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from surgrad.kernels.scan import NeuronState, Scan, rest
from surgrad.neurons import Neuron, SpikingNeuron
from surgrad.neurons.parameters import Bounded
from surgrad.spikes import Soft, SpikeFunction, Surrogate
from surgrad.surrogates import fast_sigmoid, sigmoid
from surgrad.testing.claims import hold

STEPS, BATCH, FEATURES = 9, 5, (3,)
SPIKE, SOFT = Surrogate(fast_sigmoid(3)), Soft(sigmoid(3))


class Subject:
    """The neuron that is examined, as copies, and what drives it."""

    def __init__(self, neuron: Neuron | Callable[[], Neuron], drive: float | None) -> None:
        if not isinstance(neuron, Neuron):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                neuron = neuron()
            neuron.dt = 1e-3 if neuron.dt is None else neuron.dt
        self.name = f"neuron {type(neuron).__name__}"
        self.original, self.given = neuron, copy.deepcopy(neuron)
        self.given.dt = 1e-3 if neuron.dt is None else neuron.dt
        self.features = neuron.size or FEATURES
        theta = self.given.linearised().theta
        self.onset = abs(float(torch.as_tensor(theta).detach().mean())) or 1.0
        self.drive = 0.6 * self.onset if drive is None else drive

    def hold(self, holds: object, claim: str) -> None:
        hold(self.name, holds, claim)

    def neuron(self, spike: SpikeFunction = SPIKE) -> Neuron:
        """A copy in float64 with this spike function, all constants learned."""
        neuron = copy.deepcopy(self.given)
        if isinstance(neuron, SpikingNeuron):
            neuron.spike = spike
        for name, one in neuron.constants.items():
            if not one.learn:
                learned = Bounded(one.name, one(), one.lower, one.upper, learn=True)
                setattr(neuron, name, learned)
        return neuron.double()

    def current(self, seed: int = 0) -> Tensor:
        """Noise with a mean, `(time, batch, *features)`, of numbers that float32 can hold."""
        shape = (STEPS, BATCH, *self.features)
        return (self.drive * (noise(shape, seed) + 0.3)).float().double()

    def begun(self, seed: int, soft: bool) -> NeuronState:
        """Neurons that are not at rest."""
        state = rest(self.given.dynamics(), self.current()[0])
        x, s, i = (noise(part.shape, seed + n) for n, part in enumerate(state[:3]))
        if not self.given.spiking:
            s = torch.zeros_like(s)
        s = 0.3 * torch.sigmoid(s) if soft and self.given.spiking else (s > 0.8).double()
        x, s, i = (part.float().double() for part in (0.3 * self.onset * x, s, self.drive * i))
        return NeuronState(x, s, i, state.hold)


def noise(shape: Iterable[int], seed: int) -> Tensor:
    """Normal numbers in float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(tuple(shape), generator=generator, dtype=torch.float64)


def parts(scan: Scan) -> Iterator[Tensor]:
    """Output, membrane potential, and the four parts of the state."""
    yield from (scan.output, scan.v, *scan.state)


def same(one: Iterable[Tensor], other: Iterable[Tensor]) -> bool:
    """Whether both are the same numbers but for rounding."""
    return all(
        a.shape == b.shape and a.dtype == b.dtype and torch.allclose(a, b, rtol=1e-10, atol=1e-12)
        for a, b in zip(one, other, strict=True)
    )
