"""Which connections are a convolution that events can drive, behind a pooling if there is one."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

from torch import Tensor, nn

from surgrad.kernels.conv.geometry import MAXIMUM, MEAN, Geometry


class Convolution(NamedTuple):
    """A convolution that events can drive.

    Attributes:
        weight: `(filters, channels, rows, columns)`.
        bias: `(filters,)`.
        geometry: its sizes.
        features: of its output.
    """

    weight: Tensor
    bias: Tensor | None
    geometry: Geometry
    features: tuple[int, ...]


def convolution(
    connection: nn.Sequential, features: tuple[int, ...], own: bool
) -> Convolution | None:
    """A connection as a convolution by events; None where only its own call will do.

    An `nn.Conv2d` in one group, or an `nn.Linear` behind an `nn.Flatten`, whose kernel covers the
    image; in front of it may stand a pooling over windows that do not overlap, where the spikes are
    `own`. Other modules, computed weights (`torch.nn.utils.parametrize`) and hooks need the
    connection's own call.

    Args:
        connection: the modules in front of some neurons.
        features: `(channels, height, width)` of what spikes.
        own: whether these are spikes of neurons, one at most in a step, and not of a data set.

    Example:
        >>> found = convolution(nn.Sequential(nn.Conv2d(2, 8, 3)), (2, 10, 10), own=False)
        >>> found.features if found else None
        (8, 8, 8)
    """
    modules = list(connection)
    if len(features) != 3 or not modules or not all(map(_plain, modules)):
        return None
    pooling, window = 0, 1
    if own and type(modules[0]) in (nn.MaxPool2d, nn.AvgPool2d):
        pooling, window = _pooling(modules.pop(0))
    if window == 0:
        return None
    before = (features[0], *features[1:], int(own), pooling, window)
    match modules:
        case [nn.Conv2d() as module]:
            return _convolution(module, before)
        case [nn.Flatten() as flatten, nn.Linear() as module] if pooling:
            return _covering(flatten, module, before)
    return None


def _plain(module: nn.Module) -> bool:
    kinds = (nn.Conv2d, nn.Linear, nn.Flatten, nn.MaxPool2d, nn.AvgPool2d)
    hooks = module._forward_hooks or module._forward_pre_hooks or module._backward_hooks
    return type(module) in kinds and not hooks


def _pooling(module: nn.Module) -> tuple[int, int]:
    """The kind of a pooling and its window, 0 where it is of another form."""
    size, stride = _pair(getattr(module, "kernel_size", 0)), _pair(getattr(module, "stride", 0))
    square = size == stride and size[0] == size[1] and not getattr(module, "ceil_mode", False)
    if not square or _pair(getattr(module, "padding", 0)) != (0, 0):
        return 0, 0
    if isinstance(module, nn.MaxPool2d):
        plain = _pair(module.dilation) == (1, 1) and not module.return_indices
        return MAXIMUM, size[0] if plain else 0
    return MEAN, 0 if getattr(module, "divisor_override", None) else size[0]


def _pair(value: Any) -> tuple[Any, Any]:
    return value if isinstance(value, tuple) else (value, value)


def _convolution(module: nn.Conv2d, before: tuple[int, ...]) -> Convolution | None:
    padding = module.padding if isinstance(module.padding, tuple) else None
    if module.groups != 1 or module.padding_mode != "zeros" or padding is None:
        return None
    sizes = (module.out_channels, *module.kernel_size, *module.stride, *padding, *module.dilation)
    geometry = Geometry._make((*before, *sizes))
    fits = geometry.channels == module.in_channels and min(geometry.out) > 0
    return Convolution(module.weight, module.bias, geometry, geometry.features) if fits else None


def _covering(
    flatten: nn.Flatten, module: nn.Linear, before: tuple[int, ...]
) -> Convolution | None:
    """A linear map of whole images."""
    height, width = (side // before[5] for side in before[1:3])
    sizes = (module.out_features, max(height, 1), max(width, 1), 1, 1, 0, 0, 1, 1)
    geometry = Geometry._make((*before, *sizes))
    shape = (before[0], height, width)
    fits = module.in_features == prod(shape) > 0
    if not (fits and (flatten.start_dim, flatten.end_dim) == (1, -1)):
        return None
    weight, features = module.weight.unflatten(1, shape), (module.out_features,)
    return Convolution(weight, module.bias, geometry, features)
