"""From layers and the values of their spikes to a spiking network."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from surgrad.conversion.graph import ACTIVATIONS, MAXIMA, MEANS, Layer, Leaf, Residual, run
from surgrad.conversion.modules import Gain, MaxGate, Parallel
from surgrad.conversion.scaling import absorb, amplify
from surgrad.errors import ArgumentError
from surgrad.neurons import IF, Integrator

# a spike must lift a relay above its threshold, and not only to it
RELAY = 1.0 + 1e-5


@dataclass
class Assembly:
    """A spiking network that is being put together.

    Attributes:
        ceilings: λ of each activation by name.
        start: where membranes begin.
        x: an input, `(1, *features)`, as it looks at the present place.
        modules: what is done.
        chain: what lies behind the last neurons.
        spike: the value of one spike of the last neurons; None at the analogue input.
        names: of the activation that each layer of neurons stands for.
    """

    ceilings: Mapping[str, float]
    start: float
    x: Tensor
    modules: list[nn.Module] = field(default_factory=list)
    chain: list[nn.Module] = field(default_factory=list)
    spike: float | None = None
    names: list[str] = field(default_factory=list)

    def add(self, layer: Layer) -> None:
        """Append a layer."""
        before, self.x = self.x, run([layer], self.x, _unseen)
        if isinstance(layer, Residual):
            self._residual(layer, before)
        elif isinstance(layer.module, ACTIVATIONS):
            self._scale(self.chain, layer.name)
            self._fire(layer.name)
        elif isinstance(layer.module, MAXIMA) and self.spike is not None:
            self._gate(layer)
        else:
            self.chain.append(_plain(layer, before, self.x))

    def finish(self) -> list[nn.Module]:
        """The modules, with a read-out where the network does not end in an activation."""
        if self.chain:
            absorb(self.chain, self.spike or 1.0)
            self.modules += [*self.chain, Integrator(delay=0)]
        return self.modules

    def _scale(self, chain: list[nn.Module], name: str) -> None:
        """From the value of a spike before a chain of linear modules to that behind it."""
        absorb(chain, self.spike or 1.0)
        amplify(chain, 1.0 / self.ceilings[name])

    def _fire(self, name: str) -> None:
        self.modules += [*self.chain, IF(start=self.start, delay=0)]
        self.names.append(name)
        self.chain, self.spike = [], self.ceilings[name]

    def _gate(self, layer: Leaf) -> None:
        if self.chain:
            raise ArgumentError(
                f"layer {layer.name}",
                got="max pooling of values that are no spikes",
                expected="max pooling behind an activation",
                fix="move the activation before it, or use average pooling",
            )
        self.modules.append(MaxGate(layer.module))

    def _residual(self, layer: Residual, x: Tensor) -> None:
        """Spikes on the way without neurons wait in relays, one for each layer on the other."""
        if self.spike is None or not all(isinstance(m, (*MEANS, nn.Flatten)) for m in self.chain):
            raise ArgumentError(
                f"residual connection {layer.name}",
                got="one that begins at the input, or before an activation",
                expected="one that begins behind an activation or pooling",
            )
        spike, skip, sizes, main, relayed = self.spike, [*layer.skip], None, x, x
        *hidden, (last, _) = _segments(layer)
        for segment, name in hidden:
            way, main = self._way(segment, main)
            self._scale(way, name)
            relay = _relay(layer, skip, relayed, main)
            self.chain.append(Parallel([nn.Sequential(*way), relay], sizes=sizes))
            self._fire(name)
            relayed = relay(relayed)
            sizes = (main.shape[1], relayed.shape[1])
        ways = [self._way(last, main)[0], self._way(skip, relayed)[0]]
        absorb(ways[0], self.spike)
        absorb(ways[1], spike)
        self.chain.append(Parallel([nn.Sequential(*way) for way in ways], sizes=sizes, add=True))
        # the sum is in the units of the analogue network
        self.spike = 1.0

    def _way(self, leaves: list[Leaf], x: Tensor) -> tuple[list[nn.Module], Tensor]:
        """Copies of linear layers, and what they make of x."""
        modules = []
        for leaf in leaves:
            y = leaf.module(x)
            modules.append(_plain(leaf, x, y))
            x = y
        return modules, x


def _unseen(name: str, a: Tensor) -> None:
    """Nobody looks at activations here."""


def _segments(layer: Residual) -> list[tuple[list[Leaf], str]]:
    """Linear layers and the activation behind them; the last have none."""
    parts: list[tuple[list[Leaf], str]] = []
    pending: list[Leaf] = []
    for leaf in layer.main:
        if isinstance(leaf.module, MAXIMA):
            raise ArgumentError(
                f"layer {leaf.name}",
                got="max pooling within a residual connection",
                expected="average pooling",
            )
        if isinstance(leaf.module, ACTIVATIONS):
            parts.append((pending, leaf.name))
            pending = []
        else:
            pending.append(leaf)
    return [*parts, (pending, "")]


def _relay(layer: Residual, skip: list[Leaf], x: Tensor, main: Tensor) -> nn.Module:
    """What spikes pass to a relay, and to the grid that the other way has come to.

    Where that way has strides, the first layer of `skip` must have them too, and gives them up.
    """
    if x.shape[2:] == main.shape[2:]:
        return Gain(RELAY)
    first = copy.deepcopy(skip[0].module) if skip else None
    if isinstance(first, nn.AvgPool2d) and first(x).shape[2:] == main.shape[2:]:
        skip.pop(0)
        return nn.Sequential(first, Gain(RELAY))
    if isinstance(first, nn.Conv2d) and first.kernel_size == (1, 1):
        thin = nn.AvgPool2d(1, stride=first.stride)  # type: ignore[arg-type]
        if first.padding == (0, 0) and thin(x).shape[2:] == main.shape[2:]:
            first.stride = (1, 1)
            skip[0] = Leaf(skip[0].name, first)
            return nn.Sequential(thin, Gain(RELAY))
    raise ArgumentError(
        f"residual connection {layer.name}",
        got=f"ways with the shapes {tuple(x.shape[1:])} and {tuple(main.shape[1:])}",
        expected="the strides of one in a 1 × 1 convolution or average pooling of the other",
    )


def _plain(leaf: Leaf, before: Tensor, after: Tensor) -> nn.Module:
    """A copy of a linear layer; an average over a part of the plane that is known by now."""
    if not isinstance(leaf.module, nn.AdaptiveAvgPool2d):
        return copy.deepcopy(leaf.module)
    sides, target = before.shape[2:], after.shape[2:]
    if any(side % size for side, size in zip(sides, target, strict=True)):
        raise ArgumentError(
            f"layer {leaf.name}",
            got=f"{tuple(sides)} pixels for {tuple(target)}",
            expected="sides that divide those of the input",
        )
    kernel = (sides[0] // target[0], sides[1] // target[1])
    return nn.AvgPool2d(kernel)
