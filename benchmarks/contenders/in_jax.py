"""What the contenders in JAX share: a loss of weights and input, compiled with its gradient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.workloads import RATE, Array, Data, Model, Workload


class JaxContender(ABC):
    """A subclass says what the weights and the output are.

    Attributes:
        model: its neurons.
    """

    model: ClassVar[Model] = "CuBa"

    def __init__(self, work: Workload, data: Data) -> None:
        self.work = work
        self.labels = jnp.asarray(data.labels)
        loud = work.kind == "neurons"
        values = data.current(self.model) if loud else data.dense()
        if work.kind == "convolution":
            values = np.moveaxis(values, 2, -1)
        self.input = jnp.asarray(values)
        self.weights = self.build(work.weights(self.model))
        gradient = jax.grad(self.loss, argnums=1 if loud else 0)
        self._gradient = jax.jit(gradient)
        self.found: Any = None

    @abstractmethod
    def build(self, weights: list[Array]) -> Any:
        """Make the network; returns what is differentiated."""

    @abstractmethod
    def output(self, weights: Any, values: jax.Array) -> jax.Array:
        """What the last layer puts out over time."""

    @abstractmethod
    def spikes(self, weights: Any, values: jax.Array) -> list[jax.Array]:
        """The spikes of each layer that spikes, over time."""

    def loss(self, weights: Any, values: jax.Array, labels: jax.Array) -> jax.Array:
        """The cross-entropy of the maximum over time; without weights, the mean of all spikes."""
        found = self.output(weights, values)
        if self.work.kind == "neurons":
            return found.mean()
        scores = jax.nn.log_softmax(found.max(0))
        return -jnp.take_along_axis(scores, labels[:, None], 1).mean()

    def step(self) -> None:
        """See `Contender`."""
        self.found = jax.block_until_ready(self._gradient(self.weights, self.input, self.labels))

    def trainer(self, data: Data) -> Callable[[Array], float]:
        """Steps of Adam on chosen samples, which lie in memory as bytes; each returns its loss."""
        import optax

        adam, spikes = optax.adam(RATE), data.dense(np.uint8)

        @jax.jit
        def update(weights: Any, state: Any, values: jax.Array, labels: jax.Array) -> tuple:
            values = values.astype(jnp.float32)
            loss, change = jax.value_and_grad(self.loss)(weights, values, labels)
            change, state = adam.update(change, state, weights)
            return optax.apply_updates(weights, change), state, loss

        held = [self.weights, adam.init(self.weights)]

        def step(index: Array) -> float:
            *held[:], loss = update(*held, spikes[:, index], data.labels[index])
            return float(loss)

        return step

    def gradients(self) -> dict[str, Array]:
        """See `Contender`."""
        leaves = jax.tree_util.tree_leaves_with_path(self.found)
        return {jax.tree_util.keystr(path) or "current": np.asarray(g) for path, g in leaves}

    def rates(self) -> list[float]:
        """See `Contender`."""
        means = jax.jit(lambda w, x: [s.mean() for s in self.spikes(w, x)])
        return [float(rate) for rate in means(self.weights, self.input)]
