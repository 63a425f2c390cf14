"""One contender of `benchmarks.first_spikes`, under its own interpreter; needs NumPy alone."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Step = Callable[[], dict[str, Any]]


def surgrad_closed(data: dict[str, Any], mode: str) -> Step:
    """The closed form of the first spike."""
    from surgrad.timing import LIFDouble

    layers = [LIFDouble(*data[name].shape, tau=float(data["tau"])) for name in ("first", "second")]
    return _torch(data, layers, lambda layer, times: layer(times))


def surgrad_events(data: dict[str, Any], mode: str) -> Step:
    """EventProp from event to event, every spike."""
    from surgrad.timing.eventprop import EventLIF

    tau, end = float(data["tau"]), float(data["end"])
    constants = {"tau_mem": 2 * tau, "tau_syn": tau, "until": end}
    layers = [EventLIF(*data[name].shape, **constants) for name in ("first", "second")]
    return _torch(data, layers, lambda layer, times: layer(times))


def exact_snn(data: dict[str, Any], mode: str, module: str = "exact_snn.event") -> Step:
    """exact-snn-nn, whose layers take neurons first, and a bias that is not used here."""
    import importlib

    import torch

    found = importlib.import_module(module)
    make = getattr(found, "ExactEventLinear" if module.endswith("event") else "ExactTTFSLinear")
    # milliseconds, as its defaults are; its kernel has a peak of one
    tau, layers = 1e3 * float(data["tau"]), []
    for name in ("first", "second"):
        layer = make(*data[name].shape, tm=2 * tau, ts=tau, t_max=1e3 * float(data["end"]))
        bias = torch.zeros(len(layer.weight), 1)
        weight = torch.from_numpy(data[name]).float().t() * tau * layer.k_peak
        layer.weight.data = torch.cat([weight, bias], 1)
        layers.append(layer)
    factor = [tau * layer.k_peak for layer in layers]
    return _torch(data, layers, lambda layer, times: layer(times), 1e3, factor, first=False)


def exact_snn_grid(data: dict[str, Any], mode: str) -> Step:
    """The same library's layers that look for crossings on a grid, as its quick start does."""
    return exact_snn(data, mode, "exact_snn")


def exact_event_adjoint(data: dict[str, Any], mode: str) -> Step:
    """exact-event-adjoint."""
    import torch
    from exact_event_adjoint import ExactAdjointLinear
    from exact_event_adjoint.kernels import lif_kernel_torch

    tau = 1e3 * float(data["tau"])
    zero = torch.zeros(1, dtype=torch.float64)
    peak = float(lif_kernel_torch(2 * tau * np.log(2) + zero, zero, 2 * tau, tau))
    options = {"tau_m": 2 * tau, "tau_s": tau, "t_max": 1e3 * float(data["end"])}
    layers = [ExactAdjointLinear(*data[name].shape, **options) for name in ("first", "second")]
    factor = [0.25 / peak] * 2
    for layer, name, scale in zip(layers, ("first", "second"), factor, strict=True):
        layer.weight.data = torch.from_numpy(data[name]).float().t().contiguous() * scale
    return _torch(data, layers, lambda layer, times: layer(times), 1e3, factor)


def _torch(
    data: dict[str, Any],
    layers: list[Any],
    apply: Callable[[Any, Any], Any],
    unit: float = 1.0,
    factor: list[float] | None = None,
    *,
    first: bool = True,
) -> Step:
    """A step of two modules in a unit of time, with weights `factor` times ours."""
    import torch

    if factor is None:
        factor = [1.0, 1.0]
        for layer, name in zip(layers, ("first", "second"), strict=True):
            layer.weight.data = torch.from_numpy(data[name]).float().t().contiguous()
    inputs = torch.from_numpy(data["times"]).float() * unit
    price = torch.from_numpy(data["price"]).float() / len(inputs)
    inputs = inputs if first else inputs.t().contiguous()

    def step() -> dict[str, Any]:
        for layer in layers:
            layer.weight.grad = None
        found = apply(layers[1], apply(layers[0], inputs))
        found = found if first else found.t()
        found = (found[..., 0] if found.dim() == 3 else found) / unit
        # some say "at the end" where others say "never"
        spiked = found < float(data["end"]) * 0.999
        (price * torch.where(spiked, found, 0.0)).sum().backward()
        times = torch.where(spiked, found, torch.inf).detach().numpy()
        sizes = [data[name].shape[0] for name in ("first", "second")]
        grads = [layer.weight.grad[:, :size].t().numpy() * scale
                 for layer, size, scale in zip(layers, sizes, factor, strict=True)]  # fmt: skip
        return {"times": times, "first": grads[0], "second": grads[1]}

    return step


def jaxsnn(data: dict[str, Any], mode: str) -> Step:
    """EventProp of jaxsnn, compiled; who spikes once never comes back from the reset."""
    import jax
    import jax.numpy as jnp
    from jaxsnn.event.loss import first_spike
    from jaxsnn.event.modules import LIF, Linear, Source
    from jaxsnn.event.modules.lif.lif import LIFParameters
    from jaxsnn.event.topology import Topology
    from jaxsnn.event.types import Spike

    tau, end = float(data["tau"]), float(data["end"])
    (inputs, hidden), outputs = data["first"].shape, data["second"].shape[1]
    given = np.sort(data["times"], 1)
    events = int(np.isfinite(given[0]).sum())
    often = mode == "often"
    spikes = int(data["spikes"]) if often else hidden
    params = LIFParameters(v_reset=0.0 if often else -1000.0, v_th=1.0, tau_syn=tau,
                           tau_mem=2 * tau)  # fmt: skip
    builder = Topology(t_max=end, backprop_method="eventprop")
    builder.add({
        "in": Source(inputs),
        "hidden": LIF(hidden, events + spikes, params),
        "out": LIF(outputs, spikes + outputs * (4 if often else 1), params),
        "first": Linear(pre_weights=jnp.asarray(data["first"], jnp.float32)),
        "second": Linear(pre_weights=jnp.asarray(data["second"], jnp.float32)),
    })  # fmt: skip
    pairs = [("in", "first"), ("first", "hidden"), ("hidden", "second"), ("second", "out")]
    builder.connect(pairs)
    start, apply = builder.done()
    weights = start(jax.random.PRNGKey(0))
    order = np.argsort(data["times"], 1)[:, :events]
    times = jnp.asarray(given[:, :events], jnp.float32)
    source = Spike(
        time=times,
        idx=jnp.asarray(order),
        current=jnp.zeros_like(times),
        layer_idx=jnp.zeros_like(order),
        internal=jnp.ones_like(order, bool),
    )
    price = jnp.asarray(data["price"] / len(times), jnp.float32)

    def loss(weights: Any) -> tuple[Any, Any]:
        events = apply({"in": source}, weights)
        found = jax.vmap(first_spike, in_axes=(0, None))(events["out"], outputs)
        spiked = found < end * 0.999
        return (price * jnp.where(spiked, found, 0.0)).sum(), jnp.where(spiked, found, jnp.inf)

    run = jax.jit(jax.value_and_grad(loss, has_aux=True))

    def step() -> dict[str, Any]:
        (_, found), grads = jax.block_until_ready(run(weights))
        return {"times": np.asarray(found), "first": np.asarray(grads["first"]),
                "second": np.asarray(grads["second"])}  # fmt: skip

    return step


class Entry(NamedTuple):
    """A contender: what builds it, whose interpreter, and how often its neurons may spike."""

    build: Callable[[dict[str, Any], str], Step]
    family: str
    modes: tuple[str, ...]


CONTENDERS = {
    "surgrad, closed form": Entry(surgrad_closed, "own", ("once",)),
    "surgrad, EventProp": Entry(surgrad_events, "own", ("often",)),
    "exact-snn-nn, events": Entry(exact_snn, "torch", ("once",)),
    "exact-snn-nn, grid": Entry(exact_snn_grid, "torch", ("once",)),
    "exact-event-adjoint": Entry(exact_event_adjoint, "torch", ("once",)),
    "jaxsnn": Entry(jaxsnn, "jax", ("once", "often")),
}


def main() -> None:
    name, file, mode = sys.argv[1:]
    step: Step | None = None
    for line in sys.stdin:
        message = json.loads(line)
        try:
            if step is None:
                step = CONTENDERS[name].build(dict(np.load(file)), mode)
            start = time.perf_counter()
            found = step()
            answer = {"seconds": time.perf_counter() - start}
            if message["do"] == "step":
                np.savez(message["out"], **found)
                answer["out"] = message["out"]
        except ImportError as error:
            answer = {"refused": "missing", "why": str(error)}
        except Exception as error:
            answer = {"refused": "failed", "why": f"{type(error).__name__}: {error}"[:200]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
