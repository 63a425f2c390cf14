"""What all neurons share: parameters in SI units, a tableau, and the scan over time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal, TypedDict

from torch import Tensor, nn

from surgrad.errors import ArgumentError, ShapeError
from surgrad.kernels import engine
from surgrad.kernels.scan import Dynamics, NeuronState, Scan
from surgrad.neurons.parameters import Bounded, Value
from surgrad.spikes import SpikeFunction, Surrogate
from surgrad.tableau import Entry, Tableau, steps_of

Reset = Literal["subtract", "zero", "none"]
Size = int | tuple[int, ...] | None

# seconds; wide enough for adaptation, narrow enough that a value in milliseconds is refused
TIME_BOUNDS = (1e-4, 10.0)
THRESHOLD_BOUNDS = (1e-3, 1e3)
DEFAULT = Surrogate()


class NeuronOptions(TypedDict, total=False):
    """The keyword arguments that all neurons take.

    Attributes:
        learn: the names of the parameters that are trained, e.g. `("tau_mem",)`.
        per_neuron: the names of those with one value for each neuron, though given as one number.
        bounds: other bounds than the default for a parameter, `{"tau_mem": (5e-3, 50e-3)}`.
        delay: the steps after which an input acts: 1 as in the paper, or 0.
        dt: the width of a time step in seconds; `Sequential` gives its own to all its neurons.
    """

    learn: tuple[str, ...]
    per_neuron: tuple[str, ...]
    bounds: Mapping[str, tuple[float, float]]
    delay: int
    dt: float | None


class SpikingOptions(NeuronOptions, total=False):
    """The further keyword arguments of neurons that spike.

    Attributes:
        threshold: ϑ, at which the neuron spikes.
        reset: what a spike does to the membrane potential: `"subtract"` the threshold, set it to
            `"zero"` (and drop what arrives in that step), or `"none"`.
        detach_reset: whether the reset is left out of the gradient.
        recurrent: whether the layer has weights onto itself; needs a size.
        refractory: seconds after a spike in which the neuron cannot spike again.
        spike: the spike function; `Sequential` gives its own to all its neurons.
    """

    threshold: Value
    reset: Reset
    detach_reset: bool
    recurrent: bool
    refractory: float
    spike: SpikeFunction | None


class Population(nn.Module, ABC):
    """A layer of neurons as every network shows it, whatever computes its spikes.

    Attributes:
        spiking: whether they spike; a read-out does not.
    """

    spiking: ClassVar[bool] = False

    @property
    def constants(self) -> dict[str, Bounded]:
        """The parameters by name; call one for its value in SI units."""
        return {name: child for name, child in self.named_children() if isinstance(child, Bounded)}


class Neuron(Population):
    """A layer of neurons: parameters in SI units and the map from them to a tableau.

    A subclass names its parameters in the constructor and writes `tableau`;
    `surgrad.testing.check_neuron` checks what it promises.

    Args:
        size: the number of neurons or their shape; None where nothing is per neuron.
        constants: the time constants by name, in seconds.
        options: see `NeuronOptions`.

    Raises:
        ArgumentError: if the delay is neither 0 nor 1, or a constant lies outside its bounds.

    Example:
        >>> import torch
        >>> from surgrad.tableau import decay
        >>> class Slow(Neuron):
        ...     def __init__(self, **options):
        ...         super().__init__(None, {"tau": 2.0}, options)
        ...     def tableau(self):
        ...         return self._linear(((decay(self.step, self.tau()),),), (1.0,))
        >>> Slow(dt=1e-3)(torch.ones(3, 1, 1))[0].flatten()
        tensor([0.0000, 1.0000, 1.9995])
    """

    def __init__(self, size: Size, constants: Mapping[str, Value], options: NeuronOptions) -> None:
        super().__init__()
        self.size = (size,) if isinstance(size, int) else size
        self.delay = options.get("delay", 1)
        self.dt = options.get("dt")
        if self.delay not in (0, 1):
            raise ArgumentError("delay", got=self.delay, expected="0 or 1 steps")
        self._add(constants, TIME_BOUNDS, options)

    def _add(
        self, values: Mapping[str, Value], bounds: tuple[float, float], options: NeuronOptions
    ) -> None:
        for name, value in values.items():
            lower, upper = options.get("bounds", {}).get(name, bounds)
            shared = isinstance(value, (float, int)) and name not in options.get("per_neuron", ())
            parameter = Bounded(
                name,
                value,
                lower,
                upper,
                learn=name in options.get("learn", ()),
                size=None if shared else self.size,
            )
            self.add_module(name, parameter)

    def _check_names(self, options: NeuronOptions) -> None:
        known = self.constants
        for option in ("learn", "per_neuron", "bounds"):
            for name in options.get(option, ()):
                if name not in known:
                    raise ArgumentError(
                        f"{option} of {type(self).__name__}",
                        got=repr(name),
                        expected="one of " + ", ".join(known),
                    )

    @property
    def step(self) -> float:
        """The time step in seconds.

        Raises:
            ArgumentError: if none was given.
        """
        if self.dt is None:
            raise ArgumentError(
                f"dt of {type(self).__name__}",
                got="none",
                expected="the width of a time step in seconds",
                fix="give it to the neuron (dt=1e-3) or to the Sequential around it",
            )
        return self.dt

    @abstractmethod
    def tableau(self) -> Tableau:
        """The neuron as a linear system and a threshold, differentiable in its parameters."""

    def dynamics(self) -> Dynamics:
        """How its state goes on from step to step: the tableau, where there is one."""
        return self.tableau()

    def linearised(self) -> Tableau:
        """The neuron at rest as a linear system, from which its weights are initialised."""
        return self.tableau()

    def _linear(self, A: tuple[tuple[Entry, ...], ...], b: tuple[Entry, ...]) -> Tableau:
        """A tableau whose membrane potential is the last component, without spikes."""
        still = (False,) * len(b)
        c = (0.0,) * (len(b) - 1) + (1.0,)
        return Tableau(A, b, (0.0,) * len(b), c, 0.0, self.delay, still, still)

    def forward(
        self,
        current: Tensor,
        state: NeuronState | None = None,
        *,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, NeuronState]:
        """Run the layer over a current.

        Args:
            current: `(time, batch, *features)`, in units of the threshold per step.
            state: where to begin; None for rest.
            lengths: the valid steps of each sample, `(batch,)`.

        Returns:
            spikes (or the membrane potential, for a read-out), of the shape of `current`, and the
            state after the last valid step.
        """
        result = self.run(current, state, lengths=lengths)
        return result.output, result.state

    def run(
        self, current: Tensor, state: NeuronState | None = None, *, lengths: Tensor | None = None
    ) -> Scan:
        """As `forward`, with the membrane potential."""
        return self.driven(current, state, lengths, engine.Shown()).scan

    def driven(
        self,
        current: Tensor,
        state: NeuronState | None,
        lengths: Tensor | None,
        shown: engine.Shown,
    ) -> engine.Outcome:
        """As `run`, with the spike counts and what else is to be shown of the layer."""
        self._check(current, lengths)
        return engine.driven(self.layer(), current, state, lengths, shown)

    def layer(self) -> engine.Layer:
        """The neurons as the engine takes them."""
        return engine.Layer(self.tableau(), None)

    def _check(self, current: Tensor, lengths: Tensor | None) -> None:
        features = self.size or ("*features",)
        if current.dim() < 3 or (self.size and current.shape[2:] != self.size):
            raise ShapeError(
                f"current into {type(self).__name__}",
                got=f"shape {tuple(current.shape)}",
                expected=f"(time, batch, {', '.join(map(str, features))})",
                fix="put time first and batch second, and match the layer's size",
            )
        if lengths is not None and lengths.shape != current.shape[1:2]:
            raise ShapeError(
                "lengths", got=f"shape {tuple(lengths.shape)}", expected=f"({current.shape[1]},)"
            )


class SpikingNeuron(Neuron):
    """A layer of neurons that spike, reset, and may be connected to themselves.

    Args:
        size: as in `Neuron`.
        constants: as in `Neuron`.
        options: see `SpikingOptions`.

    Attributes:
        resets: those that it can have, the default first.
    """

    spiking = True
    resets: ClassVar[tuple[Reset, ...]] = ("subtract", "zero", "none")
    threshold: Bounded

    def __init__(self, size: Size, constants: Mapping[str, Value], options: SpikingOptions) -> None:
        super().__init__(size, constants, options)
        self._add({"threshold": options.get("threshold", 1.0)}, THRESHOLD_BOUNDS, options)
        self.reset: Reset = options.get("reset", self.resets[0])
        self.detach_reset = options.get("detach_reset", True)
        self.refractory = options.get("refractory", 0.0)
        self.spike: SpikeFunction | None = options.get("spike")
        self.recurrent: nn.Linear | None = None
        self._check_names(options)
        if self.reset not in self.resets:
            raise ArgumentError(
                f"reset of {type(self).__name__}",
                got=repr(self.reset),
                expected="one of " + ", ".join(self.resets),
            )
        if self.refractory < 0:
            raise ArgumentError("refractory", got=self.refractory, expected="seconds, 0 or more")
        if options.get("recurrent", False):
            if self.size is None or len(self.size) != 1:
                raise ArgumentError(
                    f"size of a recurrent {type(self).__name__}",
                    got=size,
                    expected="the number of neurons",
                )
            self.recurrent = nn.Linear(self.size[0], self.size[0], bias=False)

    def _spiking(self, A: tuple[tuple[Entry, ...], ...], b: tuple[Entry, ...]) -> Tableau:
        """A tableau whose last component is the membrane potential, with its reset."""
        rest_of = len(b) - 1
        threshold = self.threshold()
        return self._linear(A, b)._replace(
            r=(0.0,) * rest_of + (-threshold if self.reset == "subtract" else 0.0,),
            theta=threshold,
            zeroed=(False,) * rest_of + (self.reset == "zero",),
            detached=(False,) * rest_of + (self.detach_reset,),
        )

    def layer(self) -> engine.Layer:
        """The neurons as the engine takes them."""
        return engine.Layer(
            self.tableau(),
            self.spike or DEFAULT,
            None if self.recurrent is None else self.recurrent.weight,
            steps_of(self.refractory, self.step) if self.refractory else 0,
        )
