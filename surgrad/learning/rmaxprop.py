"""RMaxProp: SuperSpike's optimiser."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from surgrad.errors import ArgumentError


class RMaxProp(Optimizer):
    r"""Steps of a rate for each parameter, from a leaky maximum of its squared gradients.

    .. math:: v \leftarrow \max(\gamma v, g^2), \qquad
        w \leftarrow w - \frac{\eta}{\sqrt v + \epsilon} g

    A rare large gradient is remembered where a mean would have averaged it away, so that sparse
    gradients take steps of at most `lr`.

    Args:
        params: the parameters, as in any `torch.optim.Optimizer`.
        lr: `η`, the largest step.
        gamma: `γ`, how slowly the maximum is forgotten, in [0, 1].
        eps: `ε`.

    Example:
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> optimiser = RMaxProp([w], lr=0.1)
        >>> w.square().sum().backward()
        >>> optimiser.step()
        >>> w.data
        tensor([0.9000])

    References: Zenke & Ganguli 2018, section 4.4, without their batching over 0.5 s.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        *,
        gamma: float = 0.9,
        eps: float = 1e-12,
    ) -> None:
        if not lr > 0:
            raise ArgumentError("lr of RMaxProp", got=lr, expected="a positive number")
        if not 0 <= gamma <= 1:
            raise ArgumentError("gamma of RMaxProp", got=gamma, expected="a number in [0, 1]")
        super().__init__(params, {"lr": lr, "gamma": gamma, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._one(parameter, parameter.grad, group)
        return loss

    def _one(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        held = state.get("square", torch.zeros_like(parameter))
        state["square"] = torch.maximum(group["gamma"] * held, gradient.square())
        rate = group["lr"] / (state["square"].sqrt() + group["eps"])
        parameter.sub_(rate * gradient)
