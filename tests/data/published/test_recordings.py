"""Recordings that become spikes here: spoken digits and electrocardiograms."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch

from surgrad.data.base import Samples
from surgrad.data.encoders.cochlea import Ear, cochlea
from surgrad.data.published.fsdd import FSDD
from surgrad.data.published.qtdb import QTDB
from surgrad.errors import ArgumentError
from tests.data.published.samples import labels, spikes

SPEAKERS = ("george", "jackson", "theo")


def sound(digit: int, speaker: int, take: int) -> np.ndarray:
    t = np.arange(1200 + 40 * take) / 8000
    return (8000 * np.sin(2 * np.pi * (300 + 200 * digit + 70 * speaker) * t)).astype("<i2")


@pytest.fixture
def fsdd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two digits by three speakers, nine takes each, and a home without a cache."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = tmp_path / "fsdd" / "recordings"
    folder.mkdir(parents=True)
    for digit in (0, 1):
        for speaker, name in enumerate(SPEAKERS):
            for take in range(9):
                with wave.open(str(folder / f"{digit}_{name}_{take}.wav"), "wb") as file:
                    file.setparams((1, 2, 8000, 0, "NONE", ""))
                    file.writeframes(sound(digit, speaker, take).tobytes())
    return tmp_path


EAR = Ear(channels=16)


def clips_of(samples: Samples) -> set[tuple[int, ...]]:
    """What tells a clip apart: its spikes."""
    train = spikes(samples)
    chosen = (train.select([index]) for index in range(train.batch))
    return {(*one.indptr.tolist(), *one.indices.tolist()) for one in chosen}


def of(keep) -> set[tuple[int, ...]]:
    """The clips that should be in a part, encoded here."""
    wanted = [
        sound(digit, speaker, take)
        for digit in (0, 1)
        for speaker, name in enumerate(SPEAKERS)
        for take in range(9)
        if keep(name, take)
    ]
    return clips_of(
        Samples(
            cochlea(wanted, fs=8000, dt=5e-3, ear=EAR, time=40),
            torch.zeros(len(wanted), dtype=torch.long),
        )
    )


def spec(root: Path, **options) -> FSDD:
    few = {"time": 40, "validation_fraction": 0.25, "ear": EAR.model_dump()}
    return FSDD.model_validate({"root": root, **few, **options})


def test_fsdd_official_split(fsdd: Path) -> None:
    splits = spec(fsdd).load()
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (18, 6, 30)
    assert clips_of(splits.test) == of(lambda _, take: take < 5)
    train, check = clips_of(splits.train), clips_of(splits.validation)
    assert train | check == of(lambda _, take: take >= 5) and not train & check
    for name in SPEAKERS:
        assert len(check & of(lambda who, _, name=name: who == name)) == 2
    assert torch.bincount(labels(splits.validation)).tolist() == [3, 3]
    assert spikes(splits.test).features == (16, 3)
    # lengths: whole steps of 5 ms that a clip of 150 ms and 5 ms a take needs
    assert sorted(set(spikes(splits.test).valid.tolist())) == [30, 31, 32, 33, 34]


def test_fsdd_leaves_one_speaker_out(fsdd: Path) -> None:
    for seed in range(4):
        splits = spec(fsdd, held_out_speaker="jackson", split_seed=seed).load()
        assert clips_of(splits.test) == of(lambda who, _: who == "jackson")
        held = "theo" if "validation speaker theo" in splits.info.note else "george"
        assert clips_of(splits.validation) == of(lambda who, _, held=held: who == held)
        assert clips_of(splits.train) == of(lambda who, _, held=held: who not in ("jackson", held))
    given = spec(fsdd, held_out_speaker="jackson", validation_speaker="theo").load()
    assert clips_of(given.validation) == of(lambda who, _: who == "theo")


def test_fsdd_refuses_a_speaker_who_is_not_there(fsdd: Path) -> None:
    with pytest.raises(ArgumentError, match="george, jackson, theo"):
        spec(fsdd, held_out_speaker="lucas").load()


def test_the_packed_form_is_the_same_data_set(fsdd: Path) -> None:
    from_wavs = spec(fsdd).load()
    rows = [(d, s, t) for d in (0, 1) for s in range(3) for t in range(9)]
    sounds = [sound(*row) for row in rows]
    np.savez(
        fsdd / "fsdd" / "fsdd.npz",
        audio=np.concatenate(sounds),
        offsets=np.cumsum([0, *map(len, sounds)]),
        label=np.array([d for d, *_ in rows]),
        speaker=np.array([SPEAKERS[s] for _, s, _ in rows]),
        take=np.array([t for *_, t in rows]),
        sample_rate=8000,
    )
    packed = spec(fsdd).load()
    for ours, theirs in zip(packed[:3], from_wavs[:3], strict=True):
        assert spikes(ours).equal(spikes(theirs))
        assert torch.equal(labels(ours), labels(theirs))


def test_fsdd_is_encoded_once(fsdd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = spec(fsdd).load()
    folder = fsdd / "home" / ".cache" / "surgrad" / "encoded"
    (kept,) = folder.iterdir()

    def refuse(*_, **__):
        raise RuntimeError("encoded again")

    monkeypatch.setattr(FSDD, "_encode", refuse)
    again = spec(fsdd, held_out_speaker="theo").load()
    assert spikes(again.test).valid.sum() > 0
    assert spikes(spec(fsdd).load().test).equal(spikes(first.test))
    for change in ({"ear": {"channels": 17}}, {"dt": 4e-3}, {"time": 41}):
        with pytest.raises(RuntimeError, match="again"):
            spec(fsdd, **change).load()
    (fsdd / "fsdd/recordings/0_theo_0.wav").write_bytes(
        (fsdd / "fsdd/recordings/0_theo_1.wav").read_bytes()
    )
    with pytest.raises(RuntimeError, match="again"):
        spec(fsdd).load()
    assert [path.name for path in folder.iterdir()] == [kept.name]


def test_fsdd_is_encoded_anew_by_other_code(fsdd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec(fsdd).load()
    monkeypatch.setattr("surgrad.data.published.fsdd.code_of", lambda *_: "another version")
    spec(fsdd).load()
    assert len(list((fsdd / "home" / ".cache" / "surgrad" / "encoded").iterdir())) == 2


def test_a_damaged_cache_is_made_anew(fsdd: Path) -> None:
    first = spec(fsdd).load()
    (kept,) = (fsdd / "home" / ".cache" / "surgrad" / "encoded").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2])
    assert spikes(spec(fsdd).load().test).equal(spikes(first.test))
    assert len(kept.read_bytes()) == len(whole)


def test_a_cache_that_cannot_be_written_is_said_and_done_without(fsdd: Path) -> None:
    (fsdd / "home").write_text("a file where the home should be")
    with pytest.warns(UserWarning, match="could not be kept"):
        splits = spec(fsdd).load()
    assert len(splits.test) == 30


def test_qtdb(tmp_path: Path) -> None:
    (tmp_path / "qtdb_ecg").mkdir()
    for part, count in (("train", 10), ("test", 3)):
        x, y = np.zeros((count, 20, 4), np.int16), np.zeros((count, 20, 6), np.uint8)
        x[np.arange(count), np.arange(count), 2] = 1
        x[:, 19, 0] = -1
        y[np.arange(count), np.arange(count), np.arange(count) % 6] = 1
        scipy.io.savemat(tmp_path / "qtdb_ecg" / f"QTDB_{part}.mat", {"x": x, "y": y})
    splits = QTDB(root=tmp_path, validation_fraction=0.2).load()
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (8, 2, 3)
    numbers = [spikes(part).events()[0] for part in splits[:3]]
    assert sorted(torch.cat(numbers[:2]).tolist()) == list(range(10))
    assert numbers[2].tolist() == [0, 1, 2]
    for part, number in zip(splits[:3], numbers, strict=True):
        expected = torch.full((len(part), 20), -1)
        expected[range(len(part)), number] = number % 6
        assert torch.equal(labels(part), expected)
    assert splits.info.target == "step_class" and splits.info.labels[0] == "P"
    signed = QTDB(root=tmp_path, units=8).load().test
    assert spikes(signed).features == (8,)
    assert spikes(signed).counts().sum(0).tolist() == [0, 0, 3, 0, 3, 0, 0, 0]
