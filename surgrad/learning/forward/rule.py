"""Rules that keep eligibility traces and turn them into gradients as errors come in."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor

from surgrad.errors import RuleError
from surgrad.learning.base import Batch, Result, Rule, evaluate, stepped
from surgrad.learning.forward.cells import Cell, Fire, cells_of
from surgrad.learning.forward.chunks import Chunks, ChunkSignal, hindrance
from surgrad.learning.forward.errors import Errors, ErrorSource, OnlineErrors, errors_of
from surgrad.learning.forward.filters import Filtered, backwards
from surgrad.learning.forward.setting import Here, Moment, Setting, Signal
from surgrad.learning.forward.steps import inside, moments, noise, repeat
from surgrad.learning.forward.traces import Traces, add_gradient
from surgrad.network import Network, Sequential, Stage
from surgrad.neurons.nonlinear import Steps
from surgrad.objectives import Loss, Objective, as_objective
from surgrad.tableau import Tableau


@dataclass(frozen=True)
class ForwardRule(Rule):
    """A rule that keeps eligibility traces and turns them into gradients as errors come in.

    A subclass says what the learning signal is. Where the loss is additive and there are no
    penalties one pass will do; else a first pass computes the output and the spike counts, hence
    the errors, and a second one repeats it with them. Neither stores anything over time but the
    network's output and its errors.
    """

    through_spikes: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """For errors."""
        return type(self).__name__

    @abstractmethod
    def signal(self, on: Setting) -> Signal:
        """The learning signal for a batch."""

    def chunk_signal(self, on: Setting) -> ChunkSignal | None:
        """The same for whole chunks of time; None where the rule has to go step by step."""
        return None

    def path(self, net: Network, batch: tuple, loss: Loss | Objective) -> str:
        """How a batch is run and why, in a sentence; the gradients are the same either way."""
        net = stepped(net, self)
        objective, full = as_objective(loss, net.dt), Batch.of(batch, net)
        with torch.no_grad():
            cells = cells_of(net, self.name, lambda stage: self.fire(stage, net, full))
            why = self._hindrance(Setting(net, cells, full, objective))
        if why is None:
            return f"{self.name} runs in chunks of time."
        return f"{self.name} runs step by step: {why}."

    def check(self, on: Setting) -> None:
        """Raise a `RuleError` where the rule's mathematics does not hold."""

    def memory(self, cell: Cell) -> Tableau | Steps:
        """The dynamics of a layer's traces."""
        return cell.dynamics

    def observe(self, on: Setting, moment: Moment) -> Tensor | None:
        """A number for each sample and step that the rule learns from."""
        return None

    def value(
        self, on: Setting, output: Tensor, counts: list[Tensor], seen: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The loss and the penalty to report."""
        return evaluate(on.net, on.batch, on.objective, output, counts)

    def fire(self, stage: Stage, net: Sequential, batch: Batch) -> Fire | None:
        """How neurons fire, where not by their own spike function."""
        return None

    def filter_of(self, on: Setting) -> Tableau | None:
        """The filter between eligibility and error, if there is one."""
        return None

    def filters(self, cells: list[Cell], index: int) -> bool:
        """Whether the filter applies to a layer."""
        return cells[index].spiking and index < len(cells) - 1

    def lags(self, cells: list[Cell]) -> list[int]:
        """The steps from a layer's spikes to the error that is about them."""
        return [0] * len(cells)

    def two_passes(self, objective: Objective) -> bool:
        """Whether the errors are needed before the traces run."""
        return not objective.loss.additive or bool(objective.penalties)

    def online_errors(self, on: Setting) -> ErrorSource:
        """The errors in one pass."""
        return OnlineErrors(on.objective, on.batch)

    def known_errors(
        self, on: Setting, output: Tensor, counts: list[Tensor], seen: Tensor | None
    ) -> Errors:
        """The errors in two passes."""
        errors, taken = (
            errors_of(on.objective, on.batch, on.net, output, counts),
            self.filter_of(on),
        )
        if taken is None:
            return errors
        return errors._replace(filtered=backwards(taken.to(output), errors.output))

    def gradients(self, net: Network, batch: tuple, loss: Loss | Objective) -> Result:
        """See `Rule.gradients`."""
        net = stepped(net, self)
        objective, full = as_objective(loss, net.dt), Batch.of(batch, net)
        with torch.no_grad():
            cells = cells_of(net, self.name, lambda stage: self.fire(stage, net, full))
            on = Setting(net, cells, full, objective)
            _check_tail(self, on)
            self.check(on)
            return self._run(on) if self._hindrance(on) else self._run_chunks(on)

    def _hindrance(self, on: Setting) -> str | None:
        if self.chunk_signal(on) is None:
            return "its signal needs the steps one by one"
        return hindrance(on.net, on.cells)

    def _run_chunks(self, on: Setting) -> Result:
        memories = [cast(Tableau, self.memory(cell)) for cell in on.cells]
        own = all(memory is cell.tableau for memory, cell in zip(memories, on.cells, strict=True))
        chunks = Chunks(
            on.net, on.cells, on.batch, through=self.through_spikes,
            memories=None if own else memories,
        )  # fmt: skip
        output, counts = chunks.forward()
        errors = self.known_errors(on, output, counts, None)
        signal = self.chunk_signal(on)
        if signal is not None:
            chunks.learn(signal, errors, max(self.lags(on.cells)))
        value, penalty = self.value(on, output, counts, None)
        return Result.of(value, output, counts, penalty)

    def _run(self, on: Setting) -> Result:
        taken, errors = None, None
        if self.two_passes(on.objective):
            start, log = noise(on.net), _Log(self, on)
            for moment in moments(on):
                log.add(moment)
            errors = self.known_errors(on, *log.read())
            repeat(on.net, start)
        else:
            taken, errors = self.filter_of(on), self.online_errors(on)
        learner, log = _Learner(self, on, taken), _Log(self, on)
        for moment in moments(on):
            learner.learn(moment, *errors.at(moment.n, moment.output), errors.counts)
            log.add(moment)
        learner.write()
        output, counts, seen = log.read()
        value, penalty = self.value(on, output, counts, seen)
        return Result.of(value, output, counts, penalty)


class _Log:
    """What is kept of a pass."""

    def __init__(self, rule: ForwardRule, on: Setting) -> None:
        self.rule, self.on = rule, on
        self.outputs: list[Tensor] = []
        self.seen: list[Tensor] = []
        self.counts: list[Tensor] = []

    def add(self, moment: Moment) -> None:
        self.outputs.append(moment.output.detach())
        seen = self.rule.observe(self.on, moment)
        self.seen += [] if seen is None else [seen]
        pairs = zip(self.on.cells, moment.after, strict=True)
        spikes = [
            after.s * inside(moment.n, self.on.batch.valid, after.s)
            for cell, after in pairs
            if cell.spiking
        ]
        pairs = zip(self.counts, spikes, strict=True)
        self.counts = [a + b for a, b in pairs] if moment.n else spikes

    def read(self) -> tuple[Tensor, list[Tensor], Tensor | None]:
        """The output, the counts of the spiking layers, and what the rule observed."""
        return torch.stack(self.outputs), self.counts, torch.stack(self.seen) if self.seen else None


class _Learner:
    """The traces of all layers during one batch."""

    def __init__(self, rule: ForwardRule, on: Setting, taken: Tableau | None) -> None:
        cells = on.cells
        self.cells, self.valid, self.tail = cells, on.batch.valid, on.net.tail
        self.traces = [
            Traces(cell, rule.memory(cell), rule.name, through_spikes=rule.through_spikes)
            for cell in cells
        ]
        self.lags = rule.lags(cells)
        self.past = deque[list[Here]](maxlen=max(self.lags) + 1)
        self.filtered = [
            Filtered(taken, rule.name, cell) if taken and rule.filters(cells, i) else None
            for i, cell in enumerate(cells)
        ]
        self.signal = rule.signal(on)
        self.behind = [p for p in self.tail.parameters() if p.requires_grad]
        self.gradients = [torch.zeros_like(p) for p in self.behind]

    def learn(
        self, moment: Moment, raw: Tensor, filtered: Tensor | None, counts: list[Tensor]
    ) -> None:
        """Advance the traces by a step and use the errors of that step."""
        error = self._behind(moment, raw)
        now = [
            traces.update(before, after)
            for traces, before, after in zip(self.traces, moment.before, moment.after, strict=True)
        ]
        behind = [*moment.after[1:], None]
        self.past.append([Here(*pair) for pair in zip(now, behind, strict=True)])
        at = [self._lagged(i, lag) for i, lag in enumerate(self.lags)]
        deltas = self.signal(moment.n, error, error if filtered is None else filtered, at)
        for traces, delta, here in zip(self.traces, deltas, at, strict=True):
            if delta is not None and here is not None:
                traces.add(delta, here.traces)
        spiking = [i for i, cell in enumerate(self.cells) if cell.spiking]
        for i, price in zip(spiking, counts, strict=False):
            here = price * inside(moment.n, self.valid, price)
            self.traces[i].add(here * now[i].slope, now[i])

    def _lagged(self, i: int, lag: int) -> Here | None:
        if len(self.past) <= lag:
            return None
        here, through = self.past[-1 - lag][i], self.filtered[i]
        return here if through is None else here._replace(traces=through.update(here.traces))

    def write(self) -> None:
        """Add all gradients to `p.grad`."""
        for traces in self.traces:
            traces.write()
        for parameter, gradient in zip(self.behind, self.gradients, strict=True):
            add_gradient(parameter, gradient)

    def _behind(self, moment: Moment, raw: Tensor) -> Tensor:
        """The error at the output of the last neurons."""
        if not len(self.tail):
            return raw
        found = torch.autograd.grad(moment.output, [moment.end, *self.behind], raw)
        for kept, gradient in zip(self.gradients, found[1:], strict=True):
            kept += gradient
        return found[0]


def _check_tail(rule: ForwardRule, on: Setting) -> None:
    if len(on.net.tail) and not on.cells[-1].spiking and rule.filter_of(on) is not None:
        raise RuleError(
            f"modules behind the read-out under {rule.name}",
            got=" → ".join(type(module).__name__ for module in on.net.tail),
            expected="none: its filter is that of the read-out, whose output the loss sees",
            fix="put them before the read-out",
        )
