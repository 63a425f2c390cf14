"""The cochlea: where tones are heard, when, and how loud."""

from __future__ import annotations

import math
from importlib import import_module

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy import signal as dsp

from surgrad.data.encoders import Ear, cochlea
from surgrad.data.encoders.filterbank import band_passes, bandwidths, centre_frequencies
from surgrad.data.encoders.hair import integrate_and_fire, onsets
from surgrad.errors import ArgumentError, ShapeError

FS = 8000


def tone(frequency: float, seconds: float = 0.3, fs: int = FS) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(round(seconds * fs)) / fs)


@pytest.mark.parametrize("scale", ["erb", "mel"])
def test_centres_are_evenly_spaced_on_the_scale(scale):
    centres = centre_frequencies(20, 100.0, 3000.0, scale)
    pitch = (
        21.4 * np.log10(1 + 0.00437 * centres)
        if scale == "erb"
        else 2595 * np.log10(1 + centres / 700)
    )
    assert centres[[0, -1]] == pytest.approx([100, 3000])
    assert np.ptp(np.diff(pitch)) < 1e-9


def test_filters_pass_their_band_and_nothing_else():
    centres = centre_frequencies(12, 150.0, 3000.0)
    for centre, width, sections in zip(
        centres, bandwidths(centres), band_passes(centres, FS), strict=True
    ):
        frequencies, response = dsp.sosfreqz(sections, worN=2**14, fs=FS)
        gain = np.abs(response)
        assert gain[np.abs(frequencies - centre).argmin()] == pytest.approx(1, abs=0.01)
        passed = frequencies[gain >= math.sqrt(0.5)]
        assert np.ptp(passed) == pytest.approx(width, abs=2)
        assert gain[np.abs(frequencies - centre) > 4 * width].max() < 0.04


@pytest.mark.parametrize("frequency", [200.0, 500.0, 1000.0, 2500.0])
@pytest.mark.parametrize("cells", ["lif", "onset"])
def test_a_tone_is_heard_at_its_place(frequency, cells):
    ear = Ear(cells=cells)
    counts = cochlea([tone(frequency)], fs=FS, dt=1e-3, ear=ear).counts()[0]
    loudest = counts[:, -1] if cells == "onset" else counts.sum(1)
    heard = centre_frequencies(64, 100.0, 0.425 * FS)[loudest.nonzero()[:, 0]]
    weights = loudest[loudest > 0].numpy()
    mean = float((heard * weights).sum() / weights.sum())
    assert abs(mean - frequency) < bandwidths(np.array([frequency]))[0]


def test_louder_sounds_reach_more_thresholds():
    ear = Ear(normalise=False)
    quiet, loud = (
        cochlea([a * tone(800.0)], fs=FS, dt=1e-3, ear=ear).counts()[0].max(0).values
        for a in (0.2, 3.0)
    )
    assert (quiet > 0).tolist() == [True, False, False]
    assert (loud > 0).tolist() == [True, True, True]
    assert loud[0] > quiet[0]


def test_normalising_takes_out_the_level():
    one, other = (cochlea([a * tone(800.0)], fs=FS, dt=1e-3) for a in (1.0, 0.01))
    assert one.equal(other)


def test_the_sound_is_heard_when_it_sounds():
    clip = np.concatenate([np.zeros(FS // 2), tone(800.0, 0.2), np.zeros(FS // 2)])
    step, _, _ = cochlea([clip], fs=FS, dt=1e-3).events()
    assert int(step.min()) >= 500
    assert int(step.max()) < 800


def test_silence_stays_silent():
    train = cochlea([np.zeros(4000, dtype=np.int16)], fs=FS, dt=1e-3)
    assert (len(train.indices), train.time) == (0, 500)


def test_clips_of_any_lengths_are_heard_as_if_alone():
    generator = np.random.default_rng(0)
    clips = [generator.standard_normal(n) for n in (1003, 4000, 17, 2500, 1)]
    together = cochlea(clips, fs=FS, dt=2e-3)
    assert together.lengths.tolist() == [63, 250, 2, 157, 1]
    alone = [cochlea([clip], fs=FS, dt=2e-3) for clip in clips]
    for index, train in enumerate(alone):
        assert together.select([index])[: train.time].to_dense().equal(train.to_dense())


def test_many_chunks_equal_one(monkeypatch):
    clips = [tone(300.0 + 50 * k, 0.05 + 0.01 * k) for k in range(7)]
    whole = cochlea(clips, fs=FS, dt=1e-3)
    monkeypatch.setattr(import_module("surgrad.data.encoders.cochlea"), "CHUNK", 1000)
    assert cochlea(clips, fs=FS, dt=1e-3).equal(whole)


def test_the_step_only_bins_the_spikes():
    fine, coarse = (cochlea([tone(500.0)], fs=FS, dt=dt) for dt in (1e-3, 5e-3))
    assert fine.counts().equal(coarse.counts())
    binned = fine.to_dense().view(60, 5, 1, 64, 3).sum(1)
    assert binned.equal(coarse.to_dense())


def test_long_clips_are_cut():
    whole, cut = (cochlea([tone(500.0)], fs=FS, dt=1e-3, time=time) for time in (None, 100))
    assert (cut.time, cut.valid.tolist()) == (100, [100])
    assert cut.to_dense().equal(whole.to_dense()[:100])


def test_integers_tensors_and_other_rates():
    clip = (3000 * tone(1000.0, fs=44_100)).astype(np.int16)
    one = cochlea([clip], fs=44_100, dt=1e-3)
    other = cochlea(torch.from_numpy(clip.astype(np.float32)).unsqueeze(0), fs=44_100, dt=1e-3)
    assert one.equal(other)
    place = int(one.counts()[0].sum(1).argmax())
    heard = centre_frequencies(64, 100.0, 0.425 * 44_100)[place]
    assert abs(heard - 1000) < bandwidths(np.array([1000.0]))[0]


def test_cells_fire_at_the_rate_of_a_leaky_integrator():
    # tau ln(l / (l - theta)) from reset to threshold, and the rest between
    level, theta, tau, rest = 0.9, 0.6, 10.0, 5
    frames, _, _ = integrate_and_fire(
        np.full((1, 1, 3000), level),
        np.array([theta], np.float32),
        keep=math.exp(-1 / tau),
        rest=rest,
    )
    period = math.ceil(tau * math.log(level / (level - theta))) + rest
    assert set(np.diff(frames)) == {period}
    silent, _, _ = integrate_and_fire(
        np.full((1, 1, 3000), 0.59), np.array([theta], np.float32), keep=math.exp(-1 / tau), rest=0
    )
    assert not len(silent)


def test_onsets_fire_once_a_rise():
    level = np.array([[[0.1, 0.5, 0.9, 0.9, 0.2, 0.5]]])
    frames, clips, units = onsets(level, np.array([0.1, 0.4, 0.8]))
    found = sorted(zip(frames.tolist(), units.tolist(), strict=True))
    assert found == [(0, 0), (1, 1), (2, 2), (5, 1)]
    assert set(clips) == {0}


@pytest.mark.parametrize(
    ("clip", "error"),
    [
        (np.zeros((2, 100)), ShapeError),
        (np.zeros(0), ShapeError),
        (np.array([0.0, np.nan]), ArgumentError),
        (np.array([0.0, np.inf]), ArgumentError),
        (np.array(["a"]), ArgumentError),
        (np.zeros(4, dtype=complex), ArgumentError),
    ],
)
def test_clips_that_are_no_sound(clip, error):
    with pytest.raises(error, match="clip 1"):
        cochlea([np.ones(100), clip], fs=FS, dt=1e-3)


def test_no_clips_and_wrong_rates():
    with pytest.raises(ShapeError, match="clips"):
        cochlea([], fs=FS, dt=1e-3)
    for wrong in ({"fs": 0}, {"dt": -1e-3}, {"time": 0}):
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            cochlea([tone(100.0)], **{"fs": FS, "dt": 1e-3, **wrong})
    with pytest.raises(ArgumentError, match="below 4000 Hz"):
        cochlea([tone(100.0)], fs=FS, dt=1e-3, ear=Ear(high=4000.0))
    with pytest.raises(ArgumentError, match="low < high"):
        cochlea([tone(100.0)], fs=FS, dt=1e-3, ear=Ear(low=500.0, high=400.0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": 0},
        {"thresholds": ()},
        {"thresholds": (0.5, 0.2)},
        {"thresholds": (0.5, 0.5)},
        {"thresholds": (-0.5,)},
        {"pre_emphasis": 1.0},
        {"tau": 0.0},
        {"floor": math.nan},
        {"cells": "none"},
        {"colour": "red"},
    ],
)
def test_ears_that_are_none(wrong):
    with pytest.raises(ValidationError):
        Ear(**wrong)
