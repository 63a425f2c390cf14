"""A connection that errors pass by another way than spikes."""

from __future__ import annotations

from torch import Tensor, nn
from torch.func import functional_call


class OtherWayBack(nn.Module):
    r"""A linear map forwards, and backwards that of other weights.

    .. math:: i = W s + b, \qquad \frac{\partial L}{\partial s} := B^\top
        \frac{\partial L}{\partial i}, \qquad
        \frac{\partial L}{\partial W} = \frac{\partial L}{\partial i}\, s^\top

    Args:
        module: a module with weights, which it shares with whoever else has it.
        matrix: `B`, of their shape.

    Example:
        >>> import torch
        >>> way = OtherWayBack(nn.Linear(3, 2), torch.ones(2, 3))
        >>> s = torch.zeros(1, 3, requires_grad=True)
        >>> way(s).sum().backward()
        >>> s.grad
        tensor([[2., 2., 2.]])
    """

    def __init__(self, module: nn.Module, matrix: Tensor) -> None:
        super().__init__()
        self.module, self.matrix = module, matrix.detach()

    def forward(self, values: Tensor) -> Tensor:
        """The module's output."""
        if not values.requires_grad:
            return self.module(values)
        nothing = {name: p.new_zeros(()).expand_as(p) for name, p in self.module.named_parameters()}
        back = functional_call(self.module, {**nothing, "weight": self.matrix}, values)
        return self.module(values.detach()) + (back - back.detach())


def way_back(connection: nn.Sequential) -> Tensor:
    """What takes errors back through a connection that is a single matrix."""
    module = next(module for module in connection if type(module) is not nn.Flatten)
    return module.matrix if isinstance(module, OtherWayBack) else module.get_parameter("weight")
