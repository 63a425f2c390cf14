"""Connections and neurons in sequence; state is a value that goes in and comes out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import cast

import torch
from torch import Tensor, nn

from surgrad.connections import each_step, mean_square_trace, way_back
from surgrad.errors import ArgumentError, ShapeError
from surgrad.events import SpikeTrain
from surgrad.kernels import engine
from surgrad.kernels.scan import NeuronState
from surgrad.network.base import Network, Record, Stage, State
from surgrad.network.drive import Values, by_events, spread
from surgrad.network.weights import set_weights
from surgrad.neurons import Neuron, SpikingNeuron
from surgrad.spikes import SpikeFunction


class Sequential(Network):
    r"""A network: ordinary `torch.nn` modules and neurons, one after the other.

    Modules between neurons act on each time step alike; neurons carry the time. The weights begin
    fluctuation-driven for an expected input rate, so that every layer is alive; `initialise`
    repeats this with the rates that real input has.

    Args:
        modules: `nn.Linear`, `nn.Conv2d`, `nn.Dropout`, …, and neurons.
        dt: the width of a time step in seconds, for all neurons that have none of their own.
        spike: the spike function for all neurons that have none of their own.
        input_rate: the expected rate of an input unit and of a neuron, in hertz; None leaves
            all weights as they are.
        batch_first: whether dense inputs and outputs are `(batch, time, *features)`.

    Raises:
        ArgumentError: if there are no modules, or two neurons disagree about `dt`.

    Example:
        >>> from surgrad.neurons import CuBaLIF, LI
        >>> net = Sequential(nn.Linear(3, 8), CuBaLIF(8), nn.Linear(8, 2), LI(2), dt=1e-3)
        >>> out, state = net(torch.ones(10, 4, 3))
        >>> more, state = net(torch.ones(5, 4, 3), state)
        >>> out.shape, more.shape
        (torch.Size([10, 4, 2]), torch.Size([5, 4, 2]))
    """

    def __init__(
        self,
        *modules: nn.Module,
        dt: float | None = None,
        spike: SpikeFunction | None = None,
        input_rate: float | None = 20.0,
        batch_first: bool = False,
    ) -> None:
        super().__init__()
        if not modules:
            raise ArgumentError("Sequential", got="no modules", expected="at least one")
        for index, module in enumerate(modules):
            self.add_module(str(index), module)
        self.batch_first = batch_first
        self._bind(dt, spike)
        if input_rate is not None:
            self._wake(input_rate)

    def _bind(self, dt: float | None, spike: SpikeFunction | None) -> None:
        for neuron in self.neurons:
            neuron.dt = dt if neuron.dt is None else neuron.dt
            if isinstance(neuron, SpikingNeuron) and neuron.spike is None:
                neuron.spike = spike
        steps = {neuron.step for neuron in self.neurons}
        if len(steps) > 1:
            raise ArgumentError("dt of the neurons", got=sorted(steps), expected="the same for all")

    def _wake(self, rate: float) -> None:
        for stage in self.stages:
            probability = min(rate * stage.neuron.step, 1.0)
            set_weights(stage, mean_square_trace(stage.neuron.linearised(), probability))

    def __getitem__(self, index: int) -> nn.Module:
        return list(self.children())[index]

    def __len__(self) -> int:
        return len(list(self.children()))

    def __iter__(self) -> Iterator[nn.Module]:
        return self.children()

    @property
    def neurons(self) -> list[Neuron]:
        """The layers of neurons, in order."""
        return [module for module in self.children() if isinstance(module, Neuron)]

    @property
    def names(self) -> list[str]:
        """See `Network.names`; the last neurons are a read-out if they do not spike."""
        neurons = self.neurons
        readout = len(neurons) - 1 if neurons and not neurons[-1].spiking else None
        return [
            "read-out" if index == readout else f"hidden {index + 1}"
            for index in range(len(neurons))
        ]

    @property
    def dt(self) -> float:
        """The width of a time step in seconds."""
        return self.neurons[0].step

    @property
    def stages(self) -> list[Stage]:
        """Each layer of neurons with the connection in front of it."""
        found: list[Stage] = []
        modules: list[nn.Module] = []
        names = iter(self.names)
        for module in self.children():
            if isinstance(module, Neuron):
                found.append(Stage(next(names), nn.Sequential(*modules), module))
                modules = []
            else:
                modules.append(module)
        return found

    @property
    def tail(self) -> nn.Sequential:
        """The modules behind the last neurons."""
        behind: list[nn.Module] = []
        for module in self.children():
            behind = [] if isinstance(module, Neuron) else [*behind, module]
        return nn.Sequential(*behind)

    @property
    def parts(self) -> dict[str, list[nn.Module]]:
        """See `Network.parts`; "tail" is what lies behind the last neurons."""
        found: dict[str, list[nn.Module]] = {
            name: [connection, neuron] for name, connection, neuron in self.stages
        }
        if len(self.tail):
            found["tail"] = [self.tail]
        return found

    def forward(
        self,
        inputs: SpikeTrain | Tensor,
        state: State | None = None,
        *,
        lengths: Tensor | None = None,
        record: Record | None = None,
    ) -> tuple[Tensor, State]:
        """Run the network over a sequence, or over the next piece of one.

        Args:
            inputs: spikes or currents, `(time, batch, *features)`.
            state: where to begin, as returned by an earlier call; None for rest.
            lengths: the valid steps of each sample, `(batch,)`; those of a `SpikeTrain` by default.
            record: what to keep of each layer.

        Returns:
            the output of the last module, `(time, batch, *features)`, and the state after the
            last valid step.

        Raises:
            ShapeError: if an axis is missing or of the wrong size.
        """
        if not self.batch_first or isinstance(inputs, SpikeTrain):
            return self.run(inputs, state, lengths=lengths, record=record)
        self._check(inputs, None)
        output, after = self.run(inputs.transpose(0, 1), state, lengths=lengths, record=record)
        return output.transpose(0, 1), after

    def run(
        self,
        inputs: SpikeTrain | Tensor,
        state: State | None = None,
        *,
        lengths: Tensor | None = None,
        record: Record | None = None,
    ) -> tuple[Tensor, State]:
        """See `Network.run`; as `forward` otherwise."""
        if isinstance(inputs, SpikeTrain):
            lengths = inputs.lengths if lengths is None else lengths
        self._check(inputs, state)
        fields = () if record is None else record.fields
        values, states = inputs, []
        for result in self._results(inputs, state, lengths, fields):
            values = result.scan.output
            states.append(result.scan.state)
            if record is not None:
                record.add(result)
        if isinstance(values, SpikeTrain):
            values = values.to_dense(self._dtype)
        return each_step(self.tail, values), tuple(states)

    def _results(
        self,
        values: Values,
        state: State | None,
        lengths: Tensor | None,
        fields: Sequence[str],
    ) -> Iterator[engine.Outcome]:
        """Run one stage after the other; of each, `fields` are to be shown."""
        stages = self.stages
        for index, (stage, following) in enumerate(zip_longest(stages, stages[1:])):
            before = None if state is None else state[index]
            shown = self._onward(stage, following, values) if following else engine.Shown()
            shown = shown._replace(dense=shown.dense or "s" in fields, potentials="v" in fields)
            result = self._stage(stage, values, before, lengths, shown)
            values = result.scan.output if result.events is None else result.events
            yield result

    def _onward(self, stage: Stage, following: Stage, values: Values) -> engine.Shown:
        """What the next connection takes from a stage: events, if these will drive it."""
        linear, images = by_events(stage, values.shape[2:]), spread(stage, values)
        units = stage.neuron.size if linear is None else (linear.out_features,)
        units = units if images is None else images.features
        if units is not None and by_events(following, units) is not None:
            return engine.Shown(dense=False, following=way_back(following.connection))
        own = units is not None and spread(following, units) is not None
        return engine.Shown(dense=not own, spread=own)

    def _stage(
        self,
        stage: Stage,
        values: Values,
        state: NeuronState | None,
        lengths: Tensor | None,
        shown: engine.Shown,
    ) -> engine.Outcome:
        """Run one stage, on events where they come in."""
        neuron, linear = stage.neuron, by_events(stage, values.shape[2:])
        images = spread(stage, values)
        if isinstance(values, SpikeTrain):
            if images is not None or (linear is not None and engine.sparse(values)):
                values = engine.Events.of(values)
            else:
                values = values.to_dense(self._dtype)
        if images is not None:
            current = engine.convolved(cast(engine.Events, values), *images)
        elif isinstance(values, engine.Events):
            # they come only where `by_events` has found these weights
            linear = cast(nn.Linear, linear)
            weights = linear.weight, linear.bias
            return engine.connected(neuron.layer(), values, *weights, state, lengths, shown)
        else:
            current = each_step(stage.connection, values)
        if type(neuron).run is not Neuron.run:
            return engine.Outcome(neuron.run(current, state, lengths=lengths), None, None)
        return neuron.driven(current, state, lengths, shown)

    def step(self, frame: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """One time step, for streams: `frame` and the output are `(batch, *features)`.

        The numbers are those of a call with the whole sequence.
        """
        output, after = self.run(frame.unsqueeze(0), state)
        return output.squeeze(0), after

    @property
    def _dtype(self) -> torch.dtype:
        # not that of any parameter: time constants are kept in float64
        weights = (p.dtype for n, p in self.named_parameters() if not n.endswith("raw"))
        return next(weights, torch.get_default_dtype())

    def _check(self, values: SpikeTrain | Tensor, state: State | None) -> None:
        first = next(iter(self.children()))
        axes = {nn.Conv2d: 3, nn.Conv1d: 2, nn.Linear: 1}.get(type(first))
        lead = "(batch, time" if self.batch_first else "(time, batch"
        if len(values.shape) < 3 or (axes is not None and len(values.shape) != axes + 2):
            raise ShapeError(
                "input of the network",
                got=f"{len(values.shape)} axes, shape {tuple(values.shape)}",
                expected=f"{lead}, *features) with {axes or 'one or more'} feature axes",
                fix="add the missing axis with unsqueeze, or check batch_first",
            )
        want = {nn.Linear: "in_features", nn.Conv1d: "in_channels", nn.Conv2d: "in_channels"}
        size = getattr(first, want[type(first)]) if axes is not None else None
        have = values.shape[-1] if isinstance(first, nn.Linear) else values.shape[2]
        if size is not None and have != size:
            raise ShapeError(
                "feature axis of the network's input",
                got=f"{have} (shape {tuple(values.shape)})",
                expected=f"{size}, the {want[type(first)]} of {first}",
                fix=f"the axes are {lead}, *features)",
            )
        if state is not None and state[0].s.shape[0] != values.shape[1]:
            raise ShapeError(
                "batch axis of the network's input",
                got=f"{values.shape[1]} samples",
                expected=f"{state[0].s.shape[0]}, those of the state",
                fix="pass state=None to begin new sequences",
            )
