"""A trained `torch.nn` network as a list of layers: traced, cleaned, batch norm folded in."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor, fx, nn
from torch.fx.proxy import TraceError
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from surgrad.conversion.qcfs import QCFS
from surgrad.errors import ArgumentError

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
ACTIVATIONS = (nn.ReLU, QCFS)
MEANS = (nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)
MAXIMA = (nn.MaxPool1d, nn.MaxPool2d)
GONE = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Identity)
SUPPORTED = (*WEIGHTED, *NORMS, *ACTIVATIONS, *MEANS, *MAXIMA, nn.Flatten, *GONE)


@dataclass
class Leaf:
    """A layer and what the network calls it."""

    name: str
    module: nn.Module

    def __call__(self, x: Tensor, seen: Seen) -> Tensor:
        """Its output; activations are shown to `seen`."""
        y = self.module(x)
        if isinstance(self.module, ACTIVATIONS):
            seen(self.name, y)
        return y


@dataclass
class Residual:
    """Two ways from the same values to a sum; only the first has activations."""

    name: str
    main: list[Leaf]
    skip: list[Leaf]

    def __call__(self, x: Tensor, seen: Seen) -> Tensor:
        """The sum."""
        return run(self.main, x, seen) + run(self.skip, x, seen)


Layer: TypeAlias = "Leaf | Residual"
Seen: TypeAlias = Callable[[str, Tensor], None]


def run(layers: Sequence[Layer], x: Tensor, seen: Seen) -> Tensor:
    """The network on `(batch, *features)`; `seen` is given each activation by name."""
    for layer in layers:
        x = layer(x, seen)
    return x


def layers_of(net: nn.Module) -> list[Layer]:
    """The layers of a network in order, as copies in evaluation mode.

    Batch norm is folded into the weights before it, dropout is gone, and an activation behind a
    maximum comes before it, which is the same as both are monotonous.

    Args:
        net: made of the modules in `SUPPORTED`, their functional forms, and sums of two ways.

    Raises:
        ArgumentError: naming the first layer that cannot be converted.
    """
    frozen = copy.deepcopy(net).eval()
    try:
        graph = _Tracer().trace(frozen)
    except (TraceError, TypeError) as error:
        raise ArgumentError(
            type(net).__name__,
            got=f"a forward pass that cannot be traced: {error}",
            expected="layers in a fixed order, without branches that depend on values",
        ) from error
    modules = dict(frozen.named_modules())
    last = next(node for node in graph.nodes if node.op == "output").args[0]
    if not isinstance(last, fx.Node):
        raise ArgumentError(type(net).__name__, got="several outputs", expected="one tensor")
    return _cleaned(_walk(last, None, modules))


class _Tracer(fx.Tracer):
    """Looks into containers and users' modules, not into activations of this package."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, QCFS) or super().is_leaf_module(m, module_qualified_name)


def _walk(node: fx.Node, stop: fx.Node | None, modules: dict[str, nn.Module]) -> list[Layer]:
    """The layers between `stop`, or the network's input, and the value of a node."""
    found: list[Layer] = []
    while node is not stop and node.op != "placeholder":
        if _is_sum(node):
            fork, main, skip = _fork(node, modules)
            if stop is not None:
                raise _unsupported(node, "a residual connection within another")
            found.append(Residual(node.name, main, skip))
            node = fork
        else:
            found.append(Leaf(_name(node), _module(node, modules)))
            node = _parent(node)
    return found[::-1]


def _is_sum(node: fx.Node) -> bool:
    sums = (operator.add, operator.iadd, torch.add)
    return (node.op == "call_function" and node.target in sums) or (
        node.op == "call_method" and node.target in ("add", "add_")
    )


def _fork(node: fx.Node, modules: dict[str, nn.Module]) -> tuple[fx.Node, list[Leaf], list[Leaf]]:
    """Where the two ways to a sum part, and the layers of each."""
    ends = [value for value in node.args if isinstance(value, fx.Node)]
    if len(ends) != 2 or len(node.args) != 2 or node.kwargs:
        raise _unsupported(node, "a sum of something else than two layers")
    first = [*_ancestors(ends[0])]
    fork = next((other for other in _ancestors(ends[1]) if other in first), None)
    if fork is None:
        raise _unsupported(node, "two ways that do not begin at the same layer")
    ways = [cast(list[Leaf], _walk(end, fork, modules)) for end in ends]
    ways.sort(key=lambda way: any(isinstance(leaf.module, ACTIVATIONS) for leaf in way))
    skip, main = ways
    if any(isinstance(leaf.module, (*ACTIVATIONS, *MAXIMA)) for leaf in skip):
        raise _unsupported(node, "two ways with activations")
    return fork, main, skip


def _ancestors(node: fx.Node) -> Iterator[fx.Node]:
    """A node and what it comes from, up to a sum or the input."""
    while True:
        yield node
        if node.op == "placeholder" or _is_sum(node):
            return
        node = _parent(node)


def _parent(node: fx.Node) -> fx.Node:
    parents = node.all_input_nodes
    if len(parents) != 1:
        raise _unsupported(node, f"{len(parents)} inputs")
    return parents[0]


_FUNCTIONS: dict[Any, type[nn.Module]] = {
    torch.relu: nn.ReLU,
    F.relu: nn.ReLU,
    torch.flatten: nn.Flatten,
    F.max_pool2d: nn.MaxPool2d,
    F.avg_pool2d: nn.AvgPool2d,
    F.adaptive_avg_pool2d: nn.AdaptiveAvgPool2d,
    F.dropout: nn.Dropout,
    "relu": nn.ReLU,
    "relu_": nn.ReLU,
    "flatten": nn.Flatten,
}


def _module(node: fx.Node, modules: dict[str, nn.Module]) -> nn.Module:
    """The module that a node calls or stands for."""
    if node.op == "call_module":
        module = modules[str(node.target)]
        # a subclass may do something else
        if type(module) not in SUPPORTED:
            raise _unsupported(node, type(module).__name__)
        return copy.deepcopy(module)
    kind = _FUNCTIONS.get(node.target)
    if kind is None:
        raise _unsupported(node, f"the operation {node.target}")
    if kind in (nn.ReLU, nn.Dropout):
        return kind()
    options = {key: value for key, value in node.kwargs.items() if key != "inplace"}
    options.pop("input", None)
    return kind(*node.args[1:], **options)


def _name(node: fx.Node) -> str:
    return str(node.target) if node.op == "call_module" else node.name


def _unsupported(node: fx.Node, got: str) -> ArgumentError:
    return ArgumentError(
        f"layer {_name(node)}",
        got=got,
        expected="one of " + ", ".join(kind.__name__ for kind in SUPPORTED) + ", or a residual sum",
        fix="replace it and train again, e.g. by nn.ReLU, nn.Flatten or nn.AvgPool2d",
    )


def _cleaned(layers: Sequence[Layer]) -> list[Layer]:
    """Without dropout and batch norm, activations before maxima."""
    found: list[Layer] = []
    for layer in layers:
        if isinstance(layer, Residual):
            main, skip = _cleaned(layer.main), _cleaned(layer.skip)
            found.append(Residual(layer.name, cast(Any, main), cast(Any, skip)))
            continue
        before = found[-1] if found and isinstance(found[-1], Leaf) else None
        if isinstance(layer.module, GONE):
            continue
        if isinstance(layer.module, NORMS):
            _fold(layer, before, found)
        elif isinstance(layer.module, ACTIVATIONS) and before and type(before.module) in MAXIMA:
            found.insert(-1, layer)
        else:
            found.append(layer)
    return found


def _fold(norm: Leaf, before: Leaf | None, found: list[Layer]) -> None:
    """Put batch norm into the weights before it, or make a diagonal layer of it."""
    module: Any = norm.module
    if module.running_mean is None:
        raise ArgumentError(
            f"layer {norm.name}", got="batch norm without running statistics", expected="with them"
        )
    if before and isinstance(before.module, nn.Linear):
        before.module = fuse_linear_bn_eval(before.module, module)
    elif before and isinstance(before.module, nn.Conv1d | nn.Conv2d):
        before.module = fuse_conv_bn_eval(before.module, module)
    else:
        size = module.num_features
        if isinstance(module, nn.BatchNorm2d):
            diagonal: nn.Module = nn.Conv2d(size, size, 1, groups=size, bias=False)
            nn.init.ones_(diagonal.get_parameter("weight"))
            folded: nn.Module = fuse_conv_bn_eval(cast(nn.Conv2d, diagonal.eval()), module)
        else:
            diagonal = nn.Linear(size, size, bias=False)
            nn.init.eye_(diagonal.get_parameter("weight"))
            folded = fuse_linear_bn_eval(cast(nn.Linear, diagonal.eval()), module)
        found.append(Leaf(norm.name, folded))
