"""Codes of change: a spike on the on or the off channel where a signal has moved."""

from __future__ import annotations

import torch
from torch import Tensor

from surgrad.data.encoders import checks
from surgrad.errors import ArgumentError, ShapeError
from surgrad.events import SpikeTrain

_AXES = "(time, batch, *features)"


def on_off(signed: Tensor, lengths: Tensor | None = None) -> SpikeTrain:
    """Signed events as spikes on two channels, on (0) and off (1).

    Args:
        signed: whole numbers, `(time, batch, *features)`; 2 is two on spikes, -1 an off spike.
        lengths: the valid steps of each sample.

    Returns:
        Spikes of shape `(time, batch, 2, *features)`.

    Raises:
        ShapeError: if an axis is missing.
        EventError: if an entry is not a whole number.

    Example:
        >>> on_off(torch.tensor([1.0, 0.0, -1.0]).view(3, 1, 1)).to_dense().view(3, 2)
        tensor([[1., 0.],
                [0., 0.],
                [0., 1.]])
    """
    if signed.dim() < 3:
        raise ShapeError("signed events", got=f"shape {tuple(signed.shape)}", expected=_AXES)
    return SpikeTrain.from_dense(
        torch.stack([signed.clamp(min=0), (-signed).clamp(min=0)], dim=2), lengths
    )


def delta(signal: Tensor, *, threshold: float, lengths: Tensor | None = None) -> SpikeTrain:
    r"""A spike where the signal changes by a threshold or more within one step.

    .. math:: s^{\text{on}}[n] = [x[n] - x[n-1] \ge \theta], \quad
        s^{\text{off}}[n] = [x[n-1] - x[n] \ge \theta]

    Args:
        signal: `(time, batch, *features)`; nothing fires in the first step.
        threshold: in the units of the signal.
        lengths: the valid steps of each sample; nothing fires after them.

    Returns:
        Spikes of shape `(time, batch, 2, *features)`, on (0) and off (1).

    Raises:
        ShapeError: if an axis is missing.
        ArgumentError: if the signal is not finite or the threshold not positive.

    Example:
        >>> signal = torch.tensor([0.0, 1.0, 1.5, 0.0]).view(4, 1, 1)
        >>> delta(signal, threshold=1.0).events()[:2]
        (tensor([1, 3]), tensor([0, 1]))
    """
    signal = checks.values(signal, "signal", axes=_AXES, rank=3)
    checks.positive(threshold=threshold)
    change = torch.diff(signal, dim=0, prepend=signal[:1])
    signed = change.sign() * (change.abs() >= threshold)
    return on_off(_silence_padding(signed, lengths), lengths)


def level_crossing(
    signal: Tensor, *, threshold: float, lengths: Tensor | None = None, clip: bool = False
) -> SpikeTrain:
    r"""A spike for every threshold that the signal has moved from where it last fired.

    The reference :math:`r` begins at the signal's first value and follows it in whole thresholds:

    .. math:: k[n] = \operatorname{trunc}\frac{x[n] - r[n-1]}{\theta}, \qquad
        r[n] = r[n-1] + \theta k[n]

    with :math:`k > 0` on spikes or :math:`-k > 0` off spikes, so that the signal stays within one
    threshold of what the spikes add up to.

    Args:
        signal: `(time, batch, *features)`.
        threshold: in the units of the signal.
        lengths: the valid steps of each sample; nothing fires after them.
        clip: at most one spike a step; the reference then lags behind a fast signal.

    Returns:
        Spikes of shape `(time, batch, 2, *features)`, on (0) and off (1).

    Raises:
        ShapeError: if an axis is missing.
        ArgumentError: if the signal is not finite or the threshold not positive.

    Example:
        >>> signal = torch.tensor([0.0, 0.6, 1.1, 3.2, 3.1]).view(5, 1, 1)
        >>> level_crossing(signal, threshold=1.0).events()[0]
        tensor([2, 3, 3])
    """
    signal = checks.values(signal, "signal", axes=_AXES, rank=3)
    checks.positive(threshold=threshold)
    level = signal / threshold
    reference = level[:1].squeeze(0).clone()
    signed = torch.zeros_like(level)
    for step in range(1, len(level)):
        moved = level[step] - reference
        # a signal that moves by exactly one threshold has crossed it, whatever the rounding
        signed[step] = torch.trunc(moved + 1e-9 * moved.sign())
        if clip:
            signed[step].clamp_(-1, 1)
        reference += signed[step]
    return on_off(_silence_padding(signed, lengths), lengths)


def _silence_padding(signed: Tensor, lengths: Tensor | None) -> Tensor:
    if lengths is None:
        return signed
    if lengths.shape != signed.shape[1:2]:
        raise ArgumentError(
            "lengths", got=f"shape {tuple(lengths.shape)}", expected=f"({signed.shape[1]},)"
        )
    steps = torch.arange(len(signed)).view(-1, 1, *[1] * (signed.dim() - 2))
    return signed * (steps < lengths.view(1, -1, *[1] * (signed.dim() - 2)))
