"""surgrad again, where other rules than BPTT give the gradients."""

from __future__ import annotations

from functools import partial

import torch

from benchmarks.contenders.own import Engine, against_the_definition
from benchmarks.workloads import Array, Data, Workload
from surgrad.learning import (
    BPTT,
    DECOLLE,
    ERBP,
    OTTT,
    DirectFeedbackAlignment,
    EProp,
    FeedbackAlignment,
    RewardModulated,
    Rule,
    SuperSpike,
    TruncatedBPTT,
)
from surgrad.objectives import losses
from surgrad.spikes import SigmoidEscape, Stochastic

# steps that a network is run for when it is made: more than any rule's chunk or window
SHORT = 210
# steps up to which the definition, which goes step by step in float64, is asked
CHECKED = 100


class Ruled(Engine):
    """The network of `Engine`, of which a rule gives the gradients, with an additive loss."""

    def __init__(self, rule: Rule, work: Workload, data: Data) -> None:
        super().__init__(work, data)
        self.rule = rule
        if isinstance(rule, RewardModulated):
            chance = Stochastic(SigmoidEscape(25.0), torch.Generator().manual_seed(0))
            for neuron in self.net.neurons[:-1]:
                setattr(neuron, "spike", chance)  # noqa: B010  (not all neurons have one)
        # the code is loaded before memory is looked at
        self._gradients(SHORT)

    def step(self) -> None:
        """See `Contender`."""
        with self.context():
            self._gradients(self.work.time)

    def _gradients(self, steps: int) -> None:
        self.net.zero_grad()
        self.rule.gradients(self.net, (self.inputs[:steps], self.labels), losses.every_step)

    def agreement(self) -> tuple[dict[str, float], dict[str, float]]:
        """See `against_the_definition`; nothing of long sequences and of spikes by chance."""
        if self.work.time > CHECKED or isinstance(self.rule, RewardModulated):
            return {}, {}
        found: dict[str, Array] = self.gradients()
        return against_the_definition(
            found, self.surrogate, self.work, self.data, partial(Ruled, self.rule)
        )


bptt = partial(Ruled, BPTT())
tbptt = partial(Ruled, TruncatedBPTT())
eprop = partial(Ruled, EProp())
ottt = partial(Ruled, OTTT())
superspike = partial(Ruled, SuperSpike())
decolle = partial(Ruled, DECOLLE())
fa = partial(Ruled, FeedbackAlignment())
dfa = partial(Ruled, DirectFeedbackAlignment())
erbp = partial(Ruled, ERBP())
reward = partial(Ruled, RewardModulated())
