"""spyx: all layers inside one `jax.lax.scan`."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from spyx import axn
from spyx import nn as spyx

from benchmarks.contenders.in_jax import JaxContender
from benchmarks.workloads import ALPHA, BETA, KERNEL, POOL, TRIANGLE, Array


class Spyx(JaxContender):
    """`CuBaLIF`, `RCuBaLIF` and `LI`; behind convolutions `LIF`, for `CuBaLIF` takes one axis.

    Attributes:
        activation: the surrogate derivative, spyx's own by default.
    """

    activation: axn.Activation | None = None

    def build(self, weights: list[Array]) -> nnx.State:
        """See `JaxContender`."""
        work, rngs = self.work, nnx.Rngs(0)
        if work.kind == "convolution":
            self.model = "LIF"
            weights = work.weights("LIF")
        recurrent = weights.pop() if work.recurrent else None
        self.layers = [] if weights else [self._neurons(work.shape, rngs)]
        for place, weight in enumerate(weights):
            self.layers += self._connection(place, weight, rngs)
            if place == len(weights) - 1:
                self.layers.append(spyx.LI((len(weight),), BETA, rngs=rngs))
            elif recurrent is not None:
                neurons = spyx.RCuBaLIF((len(weight),), ALPHA, BETA, **self._options(rngs))
                neurons.recurrent_w[...] = jnp.asarray(recurrent.T)
                self.layers.append(neurons)
            else:
                self.layers.append(self._neurons(_channels_last(work.hidden[place]), rngs))
        parts = nnx.split(spyx.Sequential(*self.layers), _is_weight, ...)
        self.graph, found, self.constants = parts
        return found

    def output(self, weights: nnx.State, values: jax.Array) -> jax.Array:
        """See `JaxContender`."""
        return spyx.run(nnx.merge(self.graph, weights, self.constants), values)[0]

    def spikes(self, weights: nnx.State, values: jax.Array) -> list[jax.Array]:
        """See `JaxContender`."""
        kinds = (spyx.CuBaLIF, spyx.RCuBaLIF, spyx.LIF)
        ends = [place for place, layer in enumerate(self.layers) if isinstance(layer, kinds)]
        return [spyx.run(spyx.Sequential(*self.layers[: end + 1]), values)[0] for end in ends]

    def _neurons(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> nnx.Module:
        if len(shape) > 1:
            return spyx.LIF(shape, BETA, **self._options(rngs))
        return spyx.CuBaLIF(shape, ALPHA, BETA, **self._options(rngs))

    def _options(self, rngs: nnx.Rngs) -> dict:
        return {"activation": self.activation, "rngs": rngs}

    def _connection(self, place: int, weight: Array, rngs: nnx.Rngs) -> list:
        pool = partial(nnx.max_pool, window_shape=(POOL, POOL), strides=(POOL, POOL))
        before = [pool] if place and self.work.kind == "convolution" else []
        if weight.ndim == 2:
            before += [spyx.Flatten()] if before else []
            layer = nnx.Linear(*weight.T.shape, use_bias=False, rngs=rngs)
            layer.kernel[...] = jnp.asarray(weight.T)
            return [*before, layer]
        channels = weight.shape[1::-1]
        options = {"padding": "VALID", "use_bias": False, "rngs": rngs}
        layer = nnx.Conv(*channels, (KERNEL, KERNEL), **options)
        layer.kernel[...] = jnp.asarray(weight.transpose(2, 3, 1, 0))
        return [*before, layer]


class Triangle(Spyx):
    """With a surrogate derivative that is zero away from the threshold."""

    activation = staticmethod(axn.triangular(TRIANGLE))


def _channels_last(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[1:], shape[0])


def _is_weight(path: tuple, value: object) -> bool:
    return path[-1] in ("kernel", "recurrent_w")
