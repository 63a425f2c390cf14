"""Data sets that come as events: N-MNIST, the Heidelberg data sets, DVS128 Gesture."""

from __future__ import annotations

import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from surgrad.data.published.dvs_gesture import DVSGesture
from surgrad.data.published.heidelberg import SHD, SSC
from surgrad.data.published.nmnist import NMNIST
from surgrad.errors import ArgumentError, FormatError
from tests.data.published.samples import labels, marks, spikes


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
