"""The two passes of a convolution by events, one block of samples at a time; see README.md.

Arguments that all have: `first` and behind the `last` sample, the `steps` of each, `kernel` and
`tables` as in `pieces`, `events` with starts, stops and units, `stamps` with a zero for each unit
behind a pooling for the maximum, else empty.
"""

from __future__ import annotations

from surgrad.kernels.compiled import Kernel
from surgrad.kernels.conv.pieces import located, touch
from surgrad.kernels.conv.tables import NOWHERE
from surgrad.kernels.lanes import WIDTH, load, store, stream
from surgrad.kernels.layer.rows import clear, copy


@Kernel
def spread(order, first, last, steps, kernel, tables, events, stamps, weights, bias, work, current):
    """The currents, a row for each sample and step.

    `weights` are as in `pieces`, `bias` is a row without spikes, `work` a row and `WIDTH` more.
    """
    starts, stops, units = events
    size = work.size - WIDTH
    for row in range(first * steps, last * steps):
        copy(work, 0, bias, 0, size)
        for e in range(starts[row], stops[row]):
            if located(units[e], tables[0], stamps, row + 1) != NOWHERE:
                touch(units[e], kernel, tables, weights, work, False)
        for n in range(0, size, WIDTH):
            stream(current, row * size + n, load(work, n))


@Kernel
def collect(order, first, last, steps, kernel, tables, events, stamps, errors, work, weights, bias,
            filters, neurons):  # fmt: skip
    """Add to the gradients of weights and bias, each empty if not wanted.

    `errors` is the gradient of the current, whose rows hold `neurons` numbers, `filters` for each
    position; `bias` is one row of lanes.
    """
    starts, stops, units = events
    lanes, size = kernel[2], work.size - WIDTH
    clear(work, size, WIDTH)
    for row in range(first * steps, last * steps):
        # read in order, and with space for rows of weights that reach beyond the last position
        copy(work, 0, errors, row * size, size)
        if bias.size:
            for at in range(0, neurons, filters):
                for n in range(0, lanes, WIDTH):
                    store(bias, n, load(bias, n) + load(work, at + n))
        if weights.size:
            for e in range(starts[row], stops[row]):
                if located(units[e], tables[0], stamps, row + 1) != NOWHERE:
                    touch(units[e], kernel, tables, weights, work, True)


@Kernel
def fill(order, first, last, steps, size, tables, events, stamps, dense):
    """Count the spikes behind the pooling; `dense` has a row of `size` for each sample and step."""
    starts, stops, units = events
    for row in range(first * steps, last * steps):
        for n in range(row * size, (row + 1) * size):
            dense[n] = 0
        for e in range(starts[row], stops[row]):
            place = located(units[e], tables[0], stamps, row + 1)
            if place != NOWHERE:
                dense[row * size + place] += 1


@Kernel
def unpool(order, first, last, steps, shape, tables, events, stamps, errors, spikes):
    """Hand the gradient behind the pooling to the spikes, as `torch.nn.MaxPool2d` does.

    Where nothing spiked in a window, the first unit of it is its maximum. A mean has no stamps, and
    all units of the window get its gradient. `shape` is channels, height and width behind the
    pooling, the window, the width in front of it, and the size of a row of `spikes`.
    """
    starts, stops, units = events
    channels, height, width, window, wide, size = shape
    reach = 1 if stamps.size else window
    for row in range(first * steps, last * steps):
        base, start = row * size, row * height * width * channels
        clear(spikes, base, size)
        for y in range(height):
            for x in range(width):
                at = start + (y * width + x) * channels
                for i in range(reach):
                    for j in range(reach):
                        to = base + ((y * window + i) * wide + x * window + j) * channels
                        if channels % WIDTH == 0:
                            copy(spikes, to, errors, at, channels)
                            continue
                        for c in range(channels):
                            spikes[to + c] = errors[at + c]
        if stamps.size == 0:
            continue
        for e in range(starts[row], stops[row]):
            unit = units[e]
            place = located(unit, tables[0], stamps, row + 1)
            if place != NOWHERE:
                c, y, x = tables[0][4 * unit + 1], tables[0][4 * unit + 2], tables[0][4 * unit + 3]
                spikes[base + (y * wide + x) * window * channels + c] = 0
                spikes[base + unit] = errors[start + place]
