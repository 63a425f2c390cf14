from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from surgrad.data.base import Info, Target
from surgrad.errors import FormatError
from surgrad.events import SpikeTrain
from surgrad.network import Record, Sequential
from surgrad.neurons import LI, CuBaLIF
from surgrad.objectives import losses
from surgrad.report import Evidence, collect, evidence, write_report
from surgrad.spikes import Surrogate
from surgrad.surrogates import SurrogateDerivative, boxcar, fast_sigmoid

TIME, BATCH, UNITS, CLASSES = 40, 37, 12, 3
LABELS = torch.arange(BATCH) % CLASSES


def network(
    row: SurrogateDerivative = fast_sigmoid, scale: float = 10, *, spiking_output: bool = False
) -> Sequential:
    torch.manual_seed(4)
    return Sequential(
        nn.Linear(UNITS, 20),
        CuBaLIF(20, tau_mem=torch.linspace(10e-3, 30e-3, 20), learn=("threshold",)),
        nn.Dropout(0.5),
        nn.Linear(20, CLASSES),
        CuBaLIF(CLASSES) if spiking_output else LI(CLASSES, learn=("tau_mem",)),
        dt=1e-3,
        spike=Surrogate(row(scale)),
        input_rate=60.0,
    )


def about(target: Target = "class") -> Info:
    labels = ("a", "b", "c") if "class" in target else ()
    classes = CLASSES if labels else None
    return Info("made up", (UNITS,), TIME, 1e-3, classes, labels, target, "", "", CLASSES)


def spikes(lengths: Tensor | None = None) -> SpikeTrain:
    generator = torch.Generator().manual_seed(1)
    dense = (torch.rand(TIME, BATCH, UNITS, generator=generator) < 0.06).float()
    if lengths is not None:
        dense *= torch.arange(TIME)[:, None, None] < lengths[:, None]
    return SpikeTrain.from_dense(dense, lengths)


def look(net: Sequential, inputs: SpikeTrain) -> Evidence:
    return collect(net, (inputs, LABELS), losses.max_over_time, about())


def truth(net: Sequential, inputs: SpikeTrain | Tensor) -> tuple[Tensor, Record]:
    """All of the batch at once."""
    record = Record("s", "v")
    with torch.no_grad():
        output, _ = net.eval()(inputs, record=record)
    return output, record


@pytest.mark.parametrize("ragged", [False, True])
def test_rates_and_distances_are_those_of_the_valid_steps(ragged: bool) -> None:
    lengths = torch.arange(BATCH) % 30 + 8 if ragged else None
    net, inputs = network(), spikes(lengths)
    layer = look(net, inputs).layers[0]
    _, record = truth(net, inputs)
    valid = torch.arange(TIME)[:, None] < inputs.valid
    s, v = (record[0][key][valid].double().numpy() for key in ("s", "v"))
    np.testing.assert_allclose(layer.rates, s.sum(0) / (int(inputs.valid.sum()) * 1e-3))
    assert layer.silent == pytest.approx((s.sum(0) == 0).mean())
    assert layer.saturated == pytest.approx((s.mean(0) >= 0.9).mean())
    distance = np.clip((v - 1.0).astype(np.float32), layer.edges[0], layer.edges[-1])
    assert np.abs(layer.counts - np.histogram(distance, layer.edges)[0]).max() <= 2
    assert layer.counts.sum() == s.size
    # above a tenth of its peak: (1 + 10 |v|)^-2 > 0.1
    near = (np.abs(v - 1) < (np.sqrt(10) - 1) / 10).mean()
    assert 0 < layer.inside == pytest.approx(near, abs=2 / s.size)


def test_a_surrogate_of_finite_support_is_measured_by_it() -> None:
    net, inputs = network(boxcar, 2.0), spikes()
    layer = look(net, inputs).layers[0]
    v = truth(net, inputs)[1][0]["v"] - 1
    assert layer.level == 0.0
    assert 0 < layer.inside == pytest.approx(float((v.abs() < 0.25).float().mean()), abs=1e-4)


def test_the_curve_is_the_surrogate_derivative() -> None:
    layer = look(network(), spikes()).layers[0]
    at, h = layer.curve
    np.testing.assert_allclose(h, (1 + 10 * np.abs(at)) ** -2.0, rtol=1e-5)
    assert h.max() == 1.0
    assert (np.diff(at) >= 0).all()
    assert layer.surrogate == "fast_sigmoid 10"


def test_the_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for chunk in (5, 1000):
        monkeypatch.setattr(evidence, "CHUNK", chunk)
        found.append(look(network(), spikes()))
    few, all_at_once = (one.layers[0] for one in found)
    np.testing.assert_array_equal(few.rates, all_at_once.rates)
    assert few.inside == pytest.approx(all_at_once.inside, abs=1e-4)
    assert few.counts.sum() == all_at_once.counts.sum()
    assert [e.index for e in found[0].examples] == [e.index for e in found[1].examples]


def test_the_first_right_and_the_first_wrong_samples_are_kept() -> None:
    net, inputs = network(), spikes()
    output, record = truth(net, inputs)
    answer = output.amax(0).argmax(-1)
    right = (answer == LABELS).nonzero().flatten()[:2].tolist()
    wrong = (answer != LABELS).nonzero().flatten()[:2].tolist()
    found = look(net, inputs).examples
    assert [e.index for e in found] == right + wrong
    assert [e.group for e in found] == ["right"] * 2 + ["wrong"] * 2
    for one in found:
        assert (one.target, one.prediction) == (LABELS[one.index], answer[one.index])
        np.testing.assert_allclose(one.output, output[:, one.index], rtol=1e-4, atol=1e-5)
        dense = np.zeros((TIME, UNITS))
        np.add.at(dense, tuple(one.input.T), 1)
        np.testing.assert_array_equal(dense, inputs.to_dense()[:, one.index])
        (trace,) = one.hidden
        s, v = (record[0][key][:, one.index] for key in ("s", "v"))
        np.testing.assert_array_equal(trace.events, s.nonzero())
        np.testing.assert_allclose(trace.potentials, v[:, trace.neurons], rtol=1e-4, atol=1e-5)
        counts = s.sum(0)[trace.neurons].tolist()
        assert counts[0] == s.sum(0).max()
        assert counts == sorted(counts, reverse=True)


def test_the_network_is_as_it_was() -> None:
    net = network().train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    random = torch.get_rng_state()
    look(net, spikes())
    assert net.training
    assert torch.equal(random, torch.get_rng_state())
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())


def test_learnt_and_heterogeneous_constants_are_kept_with_their_beginning() -> None:
    net = network()
    hidden, readout = (neuron.constants for neuron in net.neurons)
    with torch.no_grad():
        for parameter in (hidden["threshold"].raw, readout["tau_mem"].raw):
            parameter += 0.3
    found = look(net, spikes()).constants
    assert [(one.layer, one.name, one.learnt) for one in found] == [
        ("hidden 1", "tau_mem", False),
        ("hidden 1", "threshold", True),
        ("read-out", "tau_mem", True),
    ]
    np.testing.assert_allclose(found[0].initial, np.linspace(10e-3, 30e-3, 20), rtol=1e-6)
    np.testing.assert_array_equal(found[0].final, found[0].initial)
    assert found[1].initial == pytest.approx([1.0])
    assert found[1].final == pytest.approx([hidden["threshold"]().item()])
    assert found[2].final > found[2].initial == pytest.approx([20e-3])


def test_a_class_in_each_step_is_ranked_by_its_share_of_right_steps() -> None:
    net, lengths = network(), torch.arange(BATCH) % 30 + 8
    inputs = spikes(lengths)
    targets = torch.randint(-1, CLASSES, (TIME, BATCH), generator=torch.Generator().manual_seed(2))
    found = collect(net, (inputs, targets), losses.every_step, about("step_class")).examples
    answer = truth(net, inputs)[0].argmax(-1)
    shares = []
    for i in range(BATCH):
        kept = (torch.arange(TIME) < lengths[i]) & (targets[:, i] >= 0)
        shares.append(float((answer[kept, i] == targets[kept, i]).double().mean()))
    ranked = sorted(shares)
    assert [one.group for one in found] == ["best", "best", "worst", "worst"]
    assert sorted(one.score for one in found[:2]) == pytest.approx(ranked[-2:])
    assert sorted(one.score for one in found[2:]) == pytest.approx(ranked[:2])
    for one in found:
        length = int(lengths[one.index])
        assert one.score == pytest.approx(shares[one.index])
        np.testing.assert_array_equal(one.target, targets[:length, one.index])
        np.testing.assert_array_equal(one.prediction, answer[:length, one.index])


def test_values_are_ranked_by_their_loss(tmp_path: Path) -> None:
    net, generator = network(), torch.Generator().manual_seed(3)
    inputs = torch.randn(TIME, BATCH, UNITS, generator=generator)
    wanted = torch.randn(TIME, BATCH, CLASSES, generator=generator)
    found = collect(net, (inputs, wanted), losses.mean_squared_error, about("values"))
    each = (truth(net, inputs)[0] - wanted).square().mean((0, 2))
    order = each.sort().indices.tolist()
    assert [one.index for one in found.examples] == order[:2] + order[-2:]
    assert [one.group for one in found.examples] == ["low loss"] * 2 + ["high loss"] * 2
    for one in found.examples:
        assert one.score == pytest.approx(float(each[one.index]), 1e-4)
        np.testing.assert_array_equal(one.input, inputs[:, one.index])
        np.testing.assert_array_equal(one.target, wanted[:, one.index])
    draws_a_page(found, tmp_path, "prediction and target")


def test_spikes_are_ranked_by_their_loss(tmp_path: Path) -> None:
    net, generator = network(spiking_output=True), torch.Generator().manual_seed(3)
    dense = (torch.rand(TIME, BATCH, CLASSES, generator=generator) < 0.1).float()
    wanted = SpikeTrain.from_dense(dense)
    found = collect(net, (spikes(), wanted), losses.van_rossum, about("spikes"))
    scores = [one.score for one in found.examples]
    assert scores == sorted(scores)
    assert scores[1] < scores[2]
    assert [layer.name for layer in found.layers] == ["hidden 1", "hidden 2"]
    for one in found.examples:
        np.testing.assert_array_equal(one.target, dense[:, one.index].nonzero())
        assert [trace.layer for trace in one.hidden] == ["hidden 1"]
    draws_a_page(found, tmp_path, "output spikes over target spikes")


def draws_a_page(found: Evidence, folder: Path, title: str) -> None:
    (folder / "config.toml").write_text('name = "collected"')
    found.save(folder / "examples.npz")
    assert write_report(folder).read_text().count(f">{title}</text>") == 4


def test_what_is_saved_is_what_is_read(tmp_path: Path) -> None:
    found = look(network(), spikes())
    found.save(tmp_path / "examples.npz")
    again = Evidence.load(tmp_path / "examples.npz")
    np.testing.assert_equal(dataclasses.asdict(again), dataclasses.asdict(found))
    with np.load(tmp_path / "examples.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["layers.0.rates"], found.layers[0].rates)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "examples.npz"
    look(network(), spikes()).save(path)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(FormatError, match=r"examples\.npz"):
        Evidence.load(path)


def test_many_spikes_are_thinned_and_stay_spread_over_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "EVENTS", 10)
    one = look(network(), spikes()).examples[0]
    assert 5 <= len(one.input) <= 10
    assert one.input[-1, 0] - one.input[0, 0] > TIME / 2
