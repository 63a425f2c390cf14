"""The definition: all causal sets at once, by running sums, and the first that holds."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from surgrad.kernels.first_spike.dynamics import Dynamics


class Lambert(torch.autograd.Function):
    """The branch W₀ of the Lambert function on [-1/e, 0)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        p = (2 * (1 + torch.e * x)).clamp(min=0).sqrt()
        w = -1 + p - p.square() / 3
        for _ in range(20):
            e = w.exp()
            f = w * e - x
            slope = (e * (w + 1)).clamp(min=1e-12)
            w = (w - f / (slope - f * (w + 2) / (2 * w + 2).clamp(min=1e-12))).clamp(-1, 0)
        ctx.save_for_backward(w)
        return w

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (w,) = ctx.saved_tensors
        return grads[0] * (-w).exp() / (1 + w).clamp(min=1e-12)


def first_spike(times: Tensor, weight: Tensor, dynamics: Dynamics) -> Tensor:
    """As the operation of that name; memory grows as batch × inputs × neurons.

    It differentiates the closed forms themselves, with no floor under V̇.
    """
    tau, theta = dynamics.tau, dynamics.threshold
    order = times.detach().argsort(dim=1, stable=True)
    s = (times / tau).gather(1, order)
    fires = torch.isfinite(s)
    # the sums are taken from the first input of a sample on, so that their exponentials are tame
    start = s[:, :1].detach().where(fires[:, :1], 0.0)
    s = (s - start).where(fires, 0.0)
    # of each causal set (batch, inputs, neurons): its last input, and the input after it
    w = weight.t()[order] * fires[:, :, None]
    end = torch.nn.functional.pad(s[:, 1:].where(fires[:, 1:], torch.inf), (0, 1), value=torch.inf)
    found, valid = _FORMS[dynamics.model](s[:, :, None], w, theta)
    inside = valid & (found >= s[:, :, None]) & (found < end[:, :, None]) & fires[:, :, None]
    chosen = inside.byte().argmax(1, keepdim=True)
    out = found.gather(1, chosen).squeeze(1)
    out = (out + start) * tau
    return out.where(inside.any(1), torch.inf)


def _non_leaky(s: Tensor, w: Tensor, theta: float) -> tuple[Tensor, Tensor]:
    """From z = Σ w z_j / (Σ w − ϑ), with z = e^s (Mostafa 2017, eq. 9)."""
    total, moment = w.cumsum(1) - theta, (w * s.exp()).cumsum(1)
    valid = (total > 0) & (moment > 0)
    z = moment.where(valid, 1.0) / total.where(valid, 1.0)
    return z.log(), valid


def _double(s: Tensor, w: Tensor, theta: float) -> tuple[Tensor, Tensor]:
    """A quadratic in e^−s/2 (Göltz et al. 2021, eq. 3)."""
    a1, a2 = (w * s.exp()).cumsum(1), (w * (s / 2).exp()).cumsum(1)
    inside = a2.square() - 4 * a1 * theta
    valid = (a1 > 0) & (a2 > 0) & (inside >= 0)
    root = inside.where(valid, 1.0).clamp(min=1e-300).sqrt()
    x = (a2.where(valid, 1.0) + root) / (2 * a1.where(valid, 1.0))
    return -2 * x.log(), valid


def _equal(s: Tensor, w: Tensor, theta: float) -> tuple[Tensor, Tensor]:
    """The Lambert function of the two sums (Göltz et al. 2021, eq. 2)."""
    a, b = (w * s.exp()).cumsum(1), (w * s * s.exp()).cumsum(1)
    ratio = b / a.where(a > 0, 1.0)
    argument = -theta / a.where(a > 0, 1.0) * ratio.exp()
    valid = (a > 0) & (argument >= -1 / torch.e)
    return ratio - Lambert.apply(argument.where(valid, -0.1)), valid


_FORMS = {"nonleaky": _non_leaky, "lif_double": _double, "lif_equal": _equal}
