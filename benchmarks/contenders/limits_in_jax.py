"""The dense products of a training step, by XLA."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from benchmarks.contenders.base import Limit, UnsupportedError
from benchmarks.workloads import Data, Workload


class Dense(Limit):
    """As `limits.Dense`, for fully connected layers."""

    def __init__(self, work: Workload, data: Data) -> None:
        if work.kind != "layers" or work.recurrent:
            raise UnsupportedError("written for fully connected feed-forward layers")
        rows = work.time * work.batch
        self.weights = [jnp.asarray(w) for w in work.weights("CuBa")]
        self.inputs = [jnp.asarray(data.dense().reshape(rows, -1))]
        self.inputs += [jnp.ones((rows, len(w))) for w in self.weights[:-1]]
        self.errors = [jnp.ones((rows, len(w))) for w in self.weights]
        self._products = jax.jit(_products)

    def step(self) -> None:
        """See `Contender`."""
        jax.block_until_ready(self._products(self.weights, self.inputs, self.errors))


def _products(weights: list, inputs: list, errors: list) -> list:
    forward = [x @ w.T for x, w in zip(inputs, weights, strict=True)]
    changes = [e.T @ x for e, x in zip(errors, inputs, strict=True)]
    return [*forward, *changes, *(e @ w for e, w in zip(errors[1:], weights[1:], strict=True))]
