"""slax: all layers inside one scan."""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import slax

from benchmarks.contenders.base import UnsupportedError
from benchmarks.contenders.in_jax import JaxContender
from benchmarks.workloads import BETA, Array, Model

UNROLL = 4


class Integrator(nn.Module):
    """A leaky read-out, which slax leaves to its users."""

    @nn.compact
    def __call__(self, current: jax.Array) -> jax.Array:
        """One step."""
        u = self.variable("carry", "u", jnp.zeros, current.shape)
        u.value = BETA * u.value + current
        return u.value


class Slax(JaxContender):
    """`LIF` between `flax` layers, with `connect` and `RNN`."""

    model: Model = "LIF"

    def build(self, weights: list[Array]) -> Any:
        """See `JaxContender`."""
        work = self.work
        if work.kind != "layers" or work.recurrent:
            raise UnsupportedError("written for fully connected feed-forward layers")
        neurons = slax.LIF(init_tau=math.log(BETA / (1 - BETA)))
        self.parts: list[Any] = []
        for weight in weights:
            self.parts += [nn.Dense(len(weight), use_bias=False), neurons]
        self.parts[-1] = Integrator()
        found = _net(self.parts).init(jax.random.key(0), self.input[:1])
        leaves = [jnp.asarray(weight.T) for weight in weights]
        return jax.tree.unflatten(jax.tree.structure(found["params"]), leaves)

    def output(self, weights: Any, values: jax.Array) -> jax.Array:
        """See `JaxContender`."""
        return self._run(self.parts, weights, values)

    def spikes(self, weights: Any, values: jax.Array) -> list[jax.Array]:
        """See `JaxContender`."""
        ends = range(2, len(self.parts), 2)
        return [self._run(self.parts[:end], weights, values) for end in ends]

    def _run(self, parts: list[Any], weights: Any, values: jax.Array) -> jax.Array:
        """From rest: the carry that `init` makes has seen a step already."""
        net = _net(parts)
        shapes = jax.eval_shape(net.init, jax.random.key(0), values[:1])["carry"]
        rest = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        return net.apply({"params": weights, "carry": rest}, values, mutable=["carry"])[0]


def _net(parts: list[Any]) -> Any:
    return slax.RNN(slax.connect(parts), unroll=UNROLL)
