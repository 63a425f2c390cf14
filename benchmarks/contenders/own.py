"""surgrad: with its kernels, and on the plain-torch reference that defines them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar

import torch
from torch import Tensor

from benchmarks.contenders.in_torch import connected, mean
from benchmarks.verify import errors
from benchmarks.workloads import DT, RATE, TAU_MEM, TAU_SYN, TRIANGLE, Array, Data, Model, Workload
from surgrad.data.base import Samples
from surgrad.events import SpikeTrain
from surgrad.kernels import reference
from surgrad.learning import BPTT
from surgrad.liveness import diagnose
from surgrad.network import Sequential
from surgrad.neurons import LI, CuBaLIF
from surgrad.objectives import losses
from surgrad.spikes import Surrogate
from surgrad.surrogates import fast_sigmoid, triangle


class Engine:
    """A network of surgrad, as a user writes it, on a `SpikeTrain`."""

    model: ClassVar[Model] = "CuBa"
    surrogate: ClassVar[Surrogate] = Surrogate(fast_sigmoid(25))

    def __init__(self, work: Workload, data: Data) -> None:
        self.work, self.data = work, data
        self.net = network(work, self.surrogate)
        self.labels = torch.from_numpy(data.labels)
        self.inputs: SpikeTrain | Tensor
        if work.kind == "neurons":
            self.inputs = torch.from_numpy(data.current(self.model)).requires_grad_()
        else:
            self.inputs = train_of(data)

    def context(self) -> AbstractContextManager[None]:
        """What a step runs in."""
        return nullcontext()

    def step(self) -> None:
        """See `Contender`."""
        with self.context():
            self.net.zero_grad()
            if isinstance(self.inputs, Tensor):
                self.inputs.grad = None
                mean(self.net(self.inputs)[0]).backward()
            else:
                BPTT().gradients(self.net, (self.inputs, self.labels), losses.max_over_time)

    def gradients(self) -> dict[str, Array]:
        """See `Contender`."""
        found = {n: p.grad for n, p in self.net.named_parameters()}
        if isinstance(self.inputs, Tensor):
            found = {"current": self.inputs.grad}
        return {n: g.numpy() for n, g in found.items() if g is not None}

    def rates(self) -> list[float]:
        """See `Contender`."""
        return [layer.rate * DT for layer in diagnose(self.net, self.inputs)]

    def trainer(self, data: Data) -> Callable[[Array], float]:
        """Steps of Adam on chosen samples; each returns its loss."""
        optimiser = torch.optim.Adam(self.net.parameters(), RATE)
        samples = Samples(train_of(data), torch.from_numpy(data.labels))

        def step(index: Array) -> float:
            with self.context():
                optimiser.zero_grad()
                batch = samples.__getitems__(index.tolist())
                result = BPTT().gradients(self.net, batch, losses.max_over_time)
                optimiser.step()
            return float(result.loss)

        return step

    def agreement(self) -> tuple[dict[str, float], dict[str, float]]:
        """See `against_the_definition`."""
        return against_the_definition(self.gradients(), self.surrogate, self.work, self.data)


class Triangle(Engine):
    """With a surrogate derivative that is zero away from the threshold."""

    surrogate = Surrogate(triangle(TRIANGLE))


class Plain(Engine):
    """On the reference: a time loop in plain torch."""

    def context(self) -> AbstractContextManager[None]:
        """See `Engine`."""
        return reference()


def against_the_definition(
    found: dict[str, Array],
    surrogate: Surrogate,
    work: Workload,
    data: Data,
    make: Callable[[Workload, Data], Engine] = Engine,
) -> tuple[dict[str, float], dict[str, float]]:
    """How far gradients are from those of the reference in float64, and how far rounding goes.

    Args:
        found: gradients, in the order of the layers.
        surrogate: the derivative that they were computed with.
        work: the network.
        data: its input.
        make: what computes them, on the reference too.

    Returns:
        the distances of the gradients, relative to their norms, and those of the reference itself
        in float32.
    """
    definitions = []
    for dtype in (torch.float64, torch.float32):
        contender = make(work, data)
        contender.net = network(work, surrogate).to(dtype)
        if isinstance(contender.inputs, Tensor):
            contender.inputs = contender.inputs.detach().to(dtype).requires_grad_()
        with reference():
            contender.step()
        definitions.append(contender.gradients())
    exact, rounded = definitions
    named = dict(zip(exact, found.values(), strict=True))
    return errors(named, exact), errors(rounded, exact)


def train_of(data: Data) -> SpikeTrain:
    """The events as surgrad takes them."""
    indptr, units = torch.from_numpy(data.indptr), torch.from_numpy(data.units)
    work = data.work
    return SpikeTrain(indptr, units, time=work.time, batch=work.batch, features=work.shape)


def network(work: Workload, surrogate: Surrogate) -> Sequential:
    """The network of a workload, with its weights."""
    if work.kind == "neurons":
        neurons = CuBaLIF(work.shape, tau_mem=TAU_MEM, tau_syn=TAU_SYN)
        return Sequential(neurons, dt=DT, spike=surrogate)
    weights = [torch.from_numpy(w) for w in work.weights("CuBa")]
    recurrent = weights.pop() if work.recurrent else None
    modules = []
    for place, weight in enumerate(weights):
        connection = connected(work, place, weight)
        modules += list(connection) if isinstance(connection, torch.nn.Sequential) else [connection]
        if place < len(weights) - 1:
            options = {"tau_mem": TAU_MEM, "tau_syn": TAU_SYN, "recurrent": work.recurrent}
            modules.append(CuBaLIF(work.hidden[place], **options))
    modules.append(LI(work.sizes[-1], tau_mem=TAU_MEM))
    net = Sequential(*modules, dt=DT, spike=surrogate, input_rate=None)
    if recurrent is not None:
        with torch.no_grad():
            net.neurons[0].get_parameter("recurrent.weight").copy_(recurrent)
    return net
