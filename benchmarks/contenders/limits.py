"""What a dense implementation cannot avoid, and what the memory allows."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d

from benchmarks.contenders.base import Limit, UnsupportedError
from benchmarks.workloads import POOL, Data, Workload

convolution_backward = torch.ops.aten.convolution_backward


class Dense(Limit):
    """The products of a training step, forward and for the gradients, into memory that is there.

    Weights and input gradients of every layer, but no gradient of the network's input.
    """

    def __init__(self, work: Workload, data: Data) -> None:
        if work.kind == "neurons":
            raise UnsupportedError("no weights, no products")
        self.work = work
        weights = [torch.from_numpy(w) for w in work.weights("CuBa")]
        self.recurrent = weights.pop() if work.recurrent else None
        self.weights = weights
        values = torch.from_numpy(data.dense())
        self.inputs = [values if work.kind == "convolution" else values.flatten(0, 1)]
        if work.kind == "convolution":
            self.inputs[0] = values.flatten(0, 1)
            return
        rows = work.time * work.batch
        self.currents = [torch.ones(rows, len(w)) for w in weights]
        self.inputs += [torch.ones(rows, len(w)) for w in weights[:-1]]
        self.changes = [torch.empty_like(w) for w in weights]
        # apart from what is read, whose values must stay those of spikes
        self.passed = [torch.empty_like(values) for values in self.currents]
        self.returned = [torch.empty_like(values) for values in self.inputs]

    def step(self) -> None:
        """See `Contender`."""
        if self.work.kind == "convolution":
            return self._convolutions()
        for place, weight in enumerate(self.weights):
            self.forward(place, weight)
        if self.recurrent is not None:
            self._recurrent(self.recurrent)
        for place, weight in enumerate(self.weights):
            self.change(place)
            if place:
                torch.mm(self.currents[place], weight, out=self.returned[place])
        return None

    def forward(self, place: int, weight: Tensor) -> None:
        """The current of a layer."""
        torch.mm(self.inputs[place], weight.T, out=self.passed[place])

    def change(self, place: int) -> None:
        """The gradient of a layer's weights."""
        torch.mm(self.currents[place].T, self.inputs[place], out=self.changes[place])

    def _recurrent(self, weight: Tensor) -> None:
        """Both ways one step after the other, and the weights' gradient at once."""
        steps = self.inputs[1].view(self.work.time, self.work.batch, -1)
        through = torch.empty_like(steps[0])
        for way in (weight.T, weight):
            for step in steps.unbind(0):
                torch.mm(step, way, out=through)
        torch.mm(self.currents[0].T, self.inputs[1], out=torch.empty_like(weight))

    def _convolutions(self) -> None:
        values, kernels = self.inputs[0], self.weights[:-1]
        seen = []
        for place, kernel in enumerate(kernels):
            values = max_pool2d(values, POOL) if place else values
            seen.append(values)
            values = conv2d(values, kernel)
        after = values
        for place in reversed(range(len(kernels))):
            grad = torch.ones_like(after if place == len(kernels) - 1 else self._before(seen[0]))
            convolution_backward(
                grad, seen[place], kernels[place], None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1,
                [place > 0, True, False],
            )  # fmt: skip

    def _before(self, values: Tensor) -> Tensor:
        side = values.shape[-1] - self.weights[0].shape[-1] + 1
        return values.new_empty(len(values), len(self.weights[0]), side, side)


class Sparse(Dense):
    """The same with the input, and only that, as a `torch.sparse` matrix made beforehand."""

    def __init__(self, work: Workload, data: Data) -> None:
        if work.kind == "convolution":
            raise UnsupportedError("torch has no sparse convolution")
        super().__init__(work, data)
        self.sparse = self.inputs[0].to_sparse_csr()
        self.turned = self.inputs[0].T.to_sparse_csr()

    def forward(self, place: int, weight: Tensor) -> None:
        """See `Dense`."""
        if place:
            return super().forward(place, weight)
        self.passed[0] = self.sparse @ weight.T
        return None

    def change(self, place: int) -> None:
        """See `Dense`."""
        if place:
            return super().change(place)
        self.changes[0] = (self.turned @ self.currents[0]).T
        return None


class Copy(Limit):
    """Five passes over the input: one copy, one scaled sum of two; a step needs six."""

    def __init__(self, work: Workload, data: Data) -> None:
        if work.kind != "neurons":
            raise UnsupportedError("timed for neurons without weights")
        self.values = torch.from_numpy(data.current("CuBa"))
        self.first, self.second = torch.empty_like(self.values), torch.empty_like(self.values)

    def step(self) -> None:
        """See `Contender`."""
        self.first.copy_(self.values)
        torch.add(self.values, self.first, alpha=0.5, out=self.second)
