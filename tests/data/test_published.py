"""The published data sets from small files in their official formats."""

from __future__ import annotations

import gzip
import struct
import wave
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import torch
from pydantic import ValidationError

from surgrad.data.base import Samples
from surgrad.data.encoders.cochlea import Ear, cochlea
from surgrad.data.published.dvs_gesture import DVSGesture
from surgrad.data.published.fsdd import FSDD
from surgrad.data.published.heidelberg import SHD, SSC
from surgrad.data.published.images import MNIST, FashionMNIST
from surgrad.data.published.nmnist import NMNIST
from surgrad.data.published.qtdb import QTDB
from surgrad.data.spec import DataSpec
from surgrad.errors import ArgumentError, FormatError
from surgrad.events import SpikeTrain


def spikes(samples: Samples) -> SpikeTrain:
    assert isinstance(samples.inputs, SpikeTrain)
    return samples.inputs


def labels(samples: Samples) -> torch.Tensor:
    assert isinstance(samples.targets, torch.Tensor)
    return samples.targets


def marks(samples: Samples) -> list[int]:
    """The samples by the unit of their first spike, which the files below make their number."""
    train = spikes(samples)
    return train.indices[train.indptr[:: train.time][: train.batch]].tolist()


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (MNIST, "mnist/train-images-idx3-ubyte.gz"),
        (FashionMNIST, "fashion_mnist/train-images-idx3-ubyte.gz"),
        (FSDD, "fsdd/fsdd.npz"),
        (QTDB, "qtdb_ecg/QTDB_train.mat"),
        (NMNIST, "nmnist/Train"),
        (DVSGesture, "dvs_gesture/trials_to_train.txt"),
        (SHD, "shd/shd_train.h5"),
        (SSC, "ssc/ssc_train.h5"),
    ],
)
def test_says_which_file_is_missing_and_how_to_get_it(
    tmp_path: Path, spec: type[DataSpec], name: str, refuses
) -> None:
    kind = spec.model_fields["kind"].default
    with refuses(FormatError, tmp_path / name, f"surgrad data get {kind}", "SURGRAD_DATA"):
        spec.model_validate({"root": tmp_path}).load()


def images(root: Path, kind: str = "mnist", *, packed: bool = True) -> None:
    """Two classes; image `i` has one pixel, number `i`, of value 255 - i."""
    folder = root / kind
    folder.mkdir()
    for part, first, count in (("train", 0, 40), ("t10k", 100, 10)):
        pixels = np.zeros((count, 28 * 28), np.uint8)
        number = np.arange(first, first + count)
        pixels[np.arange(count), number] = 255 - number
        for what, array in (
            ("images-idx3", pixels.reshape(count, 28, 28)),
            ("labels-idx1", (number % 2).astype(np.uint8)),
        ):
            head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            contents = head + array.tobytes()
            name = f"{part}-{what}-ubyte" + (".gz" if packed else "")
            (folder / name).write_bytes(gzip.compress(contents) if packed else contents)


@pytest.mark.parametrize(("spec", "packed"), [(MNIST, True), (FashionMNIST, False)])
def test_images(tmp_path: Path, spec: type[MNIST] | type[FashionMNIST], packed: bool) -> None:
    images(tmp_path, spec.model_fields["kind"].default, packed=packed)
    options = {"root": tmp_path, "time": 11, "t_max": 10e-3, "validation_fraction": 0.25}
    splits = spec.model_validate(options).load()
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (30, 10, 10)
    known = marks(splits.train) + marks(splits.validation)
    assert sorted(known) == list(range(40))
    assert marks(splits.test) == list(range(100, 110))
    for part in splits[:3]:
        number = torch.tensor(marks(part))
        assert torch.equal(labels(part), number % 2)
        x = (255 - number).double() / 255
        assert torch.equal(spikes(part).events()[0], (10 * (1 - x) + 1e-6).floor().long())
    assert torch.bincount(labels(splits.validation)).tolist() == [5, 5]
    info = splits.info
    assert info.features == (28, 28) and info.classes == info.outputs == 10 == len(info.labels)


def test_the_seed_of_the_split_moves_validation_and_nothing_else(tmp_path: Path) -> None:
    images(tmp_path)
    first, again, other = (MNIST(root=tmp_path, split_seed=seed).load() for seed in (0, 0, 1))
    assert marks(first.validation) == marks(again.validation) != marks(other.validation)
    assert spikes(first.test).equal(spikes(other.test))


def test_a_limit_takes_the_first_training_samples(tmp_path: Path) -> None:
    images(tmp_path)
    whole, few = (MNIST(root=tmp_path, limit=limit).load() for limit in (None, 7))
    assert marks(few.train) == marks(whole.train)[:7]
    assert marks(few.validation) == marks(whole.validation)
    assert len(few.test) == 10


def test_pixels_as_a_constant_current(tmp_path: Path) -> None:
    images(tmp_path)
    splits = MNIST(root=tmp_path, encoding="constant", time=3).load()
    assert splits.info.features == (28, 28) and splits.info.time == 3
    latency = spikes(MNIST(root=tmp_path).load().test)
    dense, _ = splits.test.__getitems__(list(range(10)))
    assert dense.shape == (3, 10, 28, 28) and torch.equal(dense[0], dense[2])
    # whatever is not black fires in the other code
    assert torch.equal(dense[0] > 0, latency.counts() > 0)


def test_other_codes_of_images(tmp_path: Path) -> None:
    images(tmp_path)
    log = MNIST(root=tmp_path, encoding="log_latency").load().test
    x = (255 - torch.tensor(marks(log))) / 255
    assert torch.equal(spikes(log).events()[0], (20 * torch.log(x / (x - 0.2))).floor().long())
    rate = {"root": tmp_path, "encoding": "poisson", "max_rate": 1000.0, "time": 2000, "dt": 1e-3}
    test = MNIST.model_validate(rate).load().test
    counts = spikes(test).counts().flatten(1)[range(10), range(100, 110)]
    # at most one spike a step: 1 - exp(-r dt) of 2000 steps
    expected = 2000 * (1 - torch.exp(-x))
    assert ((counts - expected).abs() < 5 * expected.sqrt()).all()
    assert spikes(test).equal(spikes(MNIST.model_validate(rate).load().test))


@pytest.mark.parametrize(
    ("spec", "options"),
    [
        (MNIST, {"t_max": 0.1}),
        (MNIST, {"encoding": "morse"}),
        (MNIST, {"dt": -1e-3}),
        (MNIST, {"dt": float("nan")}),
        (MNIST, {"steps": 3}),
        (NMNIST, {"source": "0to7", "dt": 0.5e-3}),
        (NMNIST, {"downsample": 0}),
        (SHD, {"pool": 3}),
        (SHD, {"validation_speakers": 0}),
        (FSDD, {"held_out_speaker": "alice"}),
        (FSDD, {"validation_speaker": "theo"}),
        (FSDD, {"validation_speaker": "theo", "held_out_speaker": "theo"}),
        (FSDD, {"ear": {"channels": 0}}),
        (QTDB, {"units": 5}),
    ],
)
def test_refuses_options_before_it_reads(spec: type[DataSpec], options: dict) -> None:
    with pytest.raises((ValidationError, ArgumentError)):
        spec.model_validate(options)


@pytest.mark.parametrize("fraction", [1.0, 1.5, 1e-4])
def test_refuses_a_validation_part_that_is_none(tmp_path: Path, fraction: float) -> None:
    images(tmp_path)
    with pytest.raises(ArgumentError):
        MNIST(root=tmp_path, validation_fraction=fraction).load()


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


def test_nmnist_official_folders(tmp_path: Path) -> None:
    """Sample `i` has one event in pixel (i % 34, i // 34), so the marks number it."""
    for part, first, count in (("Train", 0, 4), ("Test", 100, 1)):
        for digit in range(10):
            folder = tmp_path / "nmnist" / part / str(digit)
            folder.mkdir(parents=True)
            for number in range(first + count * digit, first + count * (digit + 1)):
                row = bytes([number % 34, number // 34, 0x00, 0x0F, 0xA0])
                (folder / f"{number:05}.bin").write_bytes(row)
    splits = NMNIST(root=tmp_path, time=5, validation_fraction=0.25).load()
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (30, 10, 10)
    known = marks(splits.train) + marks(splits.validation)
    assert sorted(known) == list(range(40)) and marks(splits.test) == list(range(100, 110))
    assert labels(splits.train).tolist() == [number // 4 for number in marks(splits.train)]
    assert labels(splits.validation).tolist() == list(range(10))
    assert labels(splits.test).tolist() == list(range(10))
    # 4000 µs
    assert set(spikes(splits.train).events()[0].tolist()) == {4}
    few = NMNIST(root=tmp_path, time=5, limit=9, validation_fraction=0.25).load().train
    # in the order of the files, nine samples would be of three digits
    assert len(set(labels(few).tolist())) > 4
    with pytest.raises(FormatError, match="no file"):
        NMNIST(root=tmp_path, source="small").load()


def h5(path: Path, numbers: range, classes: int, speakers: bool) -> None:
    """Sample `i` has one spike in unit `i`, is of class `i % classes` and by speaker `i % 5`."""
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, kind in (("times", "f2"), ("units", "u2")):
            rows = file.create_dataset(
                f"spikes/{name}", (len(numbers),), dtype=h5py.vlen_dtype(np.dtype(kind))
            )
            for row, number in enumerate(numbers):
                rows[row] = np.array([0.5 if name == "times" else number], kind)
        file["labels"] = np.array([number % classes for number in numbers])
        if speakers:
            file["extra/speaker"] = np.array([number % 5 for number in numbers])
            file["extra/keys"] = [f"word {k}".encode() for k in range(classes)]


def test_shd_holds_out_speakers_for_validation(tmp_path: Path) -> None:
    h5(tmp_path / "shd/shd_train.h5", range(40), 20, speakers=True)
    h5(tmp_path / "shd/shd_test.h5", range(100, 110), 20, speakers=True)
    drawn = set()
    for splits in [SHD(root=tmp_path, split_seed=seed).load() for seed in range(5)]:
        train, check = marks(splits.train), marks(splits.validation)
        assert sorted(train + check) == list(range(40)) and marks(splits.test) == [*range(100, 110)]
        held = {number % 5 for number in check}
        assert len(held) == 2 and not held & {number % 5 for number in train}
        assert f"{min(held)}, {max(held)}" in splits.info.note
        drawn.add(frozenset(held))
    assert len(drawn) > 1
    splits = SHD(root=tmp_path).load()
    assert splits.info.labels[3] == "word 3"
    assert labels(splits.test).tolist() == [number % 20 for number in range(100, 110)]
    assert set(spikes(splits.test).events()[0].tolist()) == {125}


def test_shd_can_be_cut_without_regard_to_speakers(tmp_path: Path) -> None:
    h5(tmp_path / "shd/shd_train.h5", range(400), 20, speakers=False)
    h5(tmp_path / "shd/shd_test.h5", range(400, 410), 20, speakers=False)
    splits = SHD(root=tmp_path, validation="stratified").load()
    assert torch.bincount(labels(splits.validation)).tolist() == [2] * 20
    assert sorted(marks(splits.train) + marks(splits.validation)) == list(range(400))


def test_shd_needs_the_speakers_to_hold_some_out(tmp_path: Path, refuses) -> None:
    h5(tmp_path / "shd/shd_train.h5", range(40), 20, speakers=False)
    h5(tmp_path / "shd/shd_test.h5", range(100, 110), 20, speakers=False)
    with refuses(FormatError, Path("shd/shd_train.h5"), "stratified"):
        SHD(root=tmp_path).load()


def test_ssc_has_three_files(tmp_path: Path) -> None:
    for part, numbers in (("train", range(70)), ("valid", range(80, 90)), ("test", range(90, 95))):
        h5(tmp_path / f"ssc/ssc_{part}.h5", numbers, 35, speakers=False)
    splits = SSC(root=tmp_path, pool=10, limit=50).load()
    assert [len(part) for part in splits[:3]] == [50, 10, 5]
    assert marks(splits.test) == [9] * 5
    assert splits.info.classes == 35 and splits.info.features == (70,)


def gestures(folder: Path, names: list[str]) -> None:
    """Each recording has two gestures of one event; the pixel's column is the person."""
    folder.mkdir(exist_ok=True)
    for name in names:
        person = int(name[4:6])
        rows = [(1000 * k, 1 | 4 * k << 2 | person << 17) for k in (1, 2)]
        body = b"".join(struct.pack("<II", word, t) for t, word in rows)
        packet = struct.pack("<hhiiiiii", 1, 1, 8, 4, 0, 2, 2, 2) + body
        (folder / name).write_bytes(b"#!AER-DAT3.1\r\n#!END-HEADER\r\n" + packet)
        table = "class,startTime_usec,endTime_usec\n3,500,1500\n11,1900,2500\n"
        (folder / name.replace(".aedat", "_labels.csv")).write_text(table)


def test_dvs_gesture_holds_out_people(tmp_path: Path) -> None:
    folder = tmp_path / "dvs_gesture"
    train = [f"user{person:02}_{light}.aedat" for person in range(1, 8) for light in ("led", "lab")]
    test = ["user24_led.aedat", "user25_led.aedat"]
    gestures(folder, train + test)
    (folder / "trials_to_train.txt").write_text("\n".join(train) + "\n")
    (folder / "trials_to_test.txt").write_text("\r\n".join(test))
    spec = {"root": tmp_path, "downsample": 1, "time": 3, "dt": 0.2e-3, "validation_people": 2}
    splits = DVSGesture.model_validate(spec).load()
    assert [len(part) for part in splits[:3]] == [20, 8, 4]
    people = [{mark % 128 for mark in marks(part)} for part in splits[:3]]
    assert people[0] | people[1] == set(range(1, 8)) and not people[0] & people[1]
    assert people[2] == {24, 25}
    assert labels(splits.test).tolist() == [2, 10, 2, 10]
    # 500 µs and 100 µs after the beginning of the gesture
    assert spikes(splits.test).events()[0].tolist() == [2, 0, 2, 0]
    assert spikes(splits.test).events()[1].tolist() == [
        *(4 * 128 + 24, 8 * 128 + 24, 4 * 128 + 25, 8 * 128 + 25)
    ]
    assert ", ".join(map(str, sorted(people[1]))) in splits.info.note


@pytest.mark.parametrize("text", ["", "someone.aedat", "user01_led.aedat extra"])
def test_dvs_gesture_refuses_a_malformed_list(tmp_path: Path, text: str, refuses) -> None:
    folder = tmp_path / "dvs_gesture"
    gestures(folder, ["user01_led.aedat"])
    (folder / "trials_to_train.txt").write_text(text)
    with refuses(FormatError, folder / "trials_to_train.txt"):
        DVSGesture(root=tmp_path).load()


def test_dvs_gesture_needs_someone_to_train_on(tmp_path: Path) -> None:
    folder = tmp_path / "dvs_gesture"
    gestures(folder, ["user01_led.aedat", "user02_led.aedat"])
    (folder / "trials_to_train.txt").write_text("user01_led.aedat user02_led.aedat")
    (folder / "trials_to_test.txt").write_text("user01_led.aedat")
    with pytest.raises(ArgumentError, match="below 2"):
        DVSGesture(root=tmp_path, validation_people=2).load()
