"""The package's neurons by what they are given by."""

from __future__ import annotations

from surgrad.neurons import NEURONS, NonlinearNeuron, SpikingNeuron

SPIKING = {name: kind for name, kind in NEURONS.items() if issubclass(kind, SpikingNeuron)}
READ_OUTS = [name for name in NEURONS if name not in SPIKING]
# given by a linear system and a threshold, or by a step
BY_TABLEAU = [name for name, kind in SPIKING.items() if not issubclass(kind, NonlinearNeuron)]
BY_STEP = [name for name, kind in SPIKING.items() if issubclass(kind, NonlinearNeuron)]
