from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from surgrad.data.readers import read_packed_clips, read_wavs
from surgrad.errors import FormatError


def wav(
    audio: np.ndarray, rate: int = 8000, channels: int = 1, bits: int = 16, code: int = 1
) -> bytes:
    """A RIFF file, written out by hand."""
    data = audio.tobytes()
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", code, channels, rate, rate * block, block, bits)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


SOUNDS = {
    "1_theo_3": [5, -7, 32767],
    "1_theo_10": [-32768],
    "0_theo_0": [1, 2],
    "1_george_0": [0, 0, 9, 9],
}
ORDER = ["0_theo_0", "1_george_0", "1_theo_3", "1_theo_10"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, sound in SOUNDS.items():
        (tmp_path / f"{name}.wav").write_bytes(wav(np.array(sound, "<i2")))
    (tmp_path / "README.md").write_text("not a sound")
    return tmp_path


def test_reads_wavs_in_order_of_digit_speaker_and_take(folder: Path) -> None:
    clips = read_wavs(folder)
    assert len(clips) == 4 and clips.rate == 8000
    assert [clips.clip(i).tolist() for i in range(4)] == [SOUNDS[name] for name in ORDER]
    assert clips.labels.tolist() == [0, 1, 1, 1]
    assert clips.speakers.tolist() == ["theo", "george", "theo", "theo"]
    assert clips.takes.tolist() == [0, 0, 3, 10]
    assert clips.audio.dtype == np.int16


GOOD = wav(np.arange(50, dtype="<i2"))


@pytest.mark.parametrize(
    ("name", "contents", "word"),
    [
        ("2_theo_0", b"", "fetch it again"),
        ("2_theo_0", b"RIFF", "fetch it again"),
        ("2_theo_0", b"<html>" * 20, "RIFF"),
        ("2_theo_0", GOOD[:-31], "truncated"),
        ("2_theo_0", wav(np.zeros(0, "<i2")), "truncated"),
        ("2_theo_0", wav(np.zeros(4, "<i2"), rate=16000), "16000 Hz"),
        ("2_theo_0", wav(np.zeros(4, "<i2"), channels=2), "2 channels"),
        ("2_theo_0", wav(np.zeros(4, "u1"), bits=8), "8 bit"),
        ("2_theo_0", wav(np.zeros(4, "<f4"), bits=32, code=3), "format"),
        ("theo_2_0", GOOD, "{digit}_{speaker}_{take}.wav"),
        ("2_theo", GOOD, "{digit}_{speaker}_{take}.wav"),
        ("12_theo_0", GOOD, "{digit}_{speaker}_{take}.wav"),
    ],
)
def test_refuses_a_malformed_wav(
    folder: Path, name: str, contents: bytes, word: str, refuses
) -> None:
    path = folder / f"{name}.wav"
    path.write_bytes(contents)
    with refuses(FormatError, path, word):
        read_wavs(folder)


def test_refuses_a_folder_without_sound(tmp_path: Path, refuses) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with refuses(FormatError, folder, "no .wav file"):
            read_wavs(folder)


PACKED = {
    "audio": np.array([1, -2, 3, 4], np.int16),
    "offsets": np.array([0, 1, 4]),
    "label": np.array([9, 0], np.uint8),
    "speaker": np.array(["theo", "george"]),
    "take": np.array([4, 5], np.uint8),
    "sample_rate": np.array(8000),
}


def test_reads_the_packed_form(tmp_path: Path) -> None:
    np.savez(tmp_path / "fsdd.npz", **PACKED)
    clips = read_packed_clips(tmp_path / "fsdd.npz")
    assert [clips.clip(i).tolist() for i in range(2)] == [[1], [-2, 3, 4]]
    assert clips.labels.tolist() == [9, 0] and clips.takes.tolist() == [4, 5]
    assert clips.speakers.tolist() == ["theo", "george"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"audio": np.array([1.0, np.nan, 0, 0])}, "'audio'"),
        ({"audio": np.array([1, 2, 3, 4])}, "int64"),
        ({"offsets": np.array([0, 1, 5])}, "offsets"),
        ({"offsets": np.array([0, 0, 4])}, "without sound"),
        ({"label": np.array([10, 0], np.uint8)}, "labels"),
        ({"label": np.array([-1, 0], np.int8)}, "got -1"),
        ({"take": np.array([4], np.uint8)}, "1 takes"),
        ({"sample_rate": np.array(16000)}, "sample_rate"),
        ({"speaker": np.array([1, 2])}, "'speaker'"),
    ],
)
def test_refuses_a_malformed_packed_form(tmp_path: Path, change, word: str, refuses) -> None:
    path = tmp_path / "fsdd.npz"
    np.savez(path, **(PACKED | change))
    with refuses(FormatError, path, word):
        read_packed_clips(path)
