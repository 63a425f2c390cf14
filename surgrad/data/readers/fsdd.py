"""The Free Spoken Digit Dataset: recordings of digits, as .wav files or packed into one file."""

from __future__ import annotations

import re
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surgrad.data.readers.files import AGAIN, check_offsets, check_range, load_arrays
from surgrad.errors import FormatError

RATE = 8000
NAME = re.compile(r"(\d)_([A-Za-z]+)_(\d+)\.wav")


@dataclass(frozen=True)
class Clips:
    """Sounds of unequal length, one after another.

    Attributes:
        audio: int16, all samples of all clips.
        offsets: int64 `(clips + 1,)`; clip `i` is `audio[offsets[i] : offsets[i + 1]]`.
        labels: the digit, int64.
        speakers: the name of who speaks.
        takes: the number of the recording of this digit by this speaker, int64.
        rate: the sampling rate in Hz.
    """

    audio: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    speakers: np.ndarray
    takes: np.ndarray
    rate: int = RATE

    def __len__(self) -> int:
        return len(self.labels)

    def clip(self, index: int) -> np.ndarray:
        """The sound of one clip, int16."""
        return self.audio[self.offsets[index] : self.offsets[index + 1]]


def read_wavs(folder: Path) -> Clips:
    """The official files `{digit}_{speaker}_{take}.wav`, 8 kHz, 16 bit, mono.

    Args:
        folder: the `recordings` folder.

    Returns:
        The clips in order of digit, speaker and take.

    Raises:
        FormatError: if there is no such file, or one is damaged, empty or of another form.
    """
    found = []
    for path in folder.glob("*.wav"):
        match = NAME.fullmatch(path.name)
        if match is None:
            raise FormatError(
                f"file {path}", got="this name", expected="{digit}_{speaker}_{take}.wav"
            )
        found.append((int(match[1]), match[2], int(match[3]), path))
    if not found:
        raise FormatError(f"folder {folder}", got="no .wav file", expected="recordings of FSDD")
    found.sort()
    sounds = [_sound(path) for *_, path in found]
    labels, speakers, takes, _ = zip(*found, strict=True)
    return Clips(
        np.concatenate(sounds),
        np.cumsum([0, *map(len, sounds)]),
        np.array(labels),
        np.array(speakers),
        np.array(takes),
    )


def read_packed_clips(path: Path) -> Clips:
    """All clips from one `.npz`: arrays `audio, offsets, label, speaker, take, sample_rate`.

    Raises:
        FormatError: if an array is missing, of another kind or size, or out of range.
    """
    kinds = {
        "audio": "i",
        "offsets": "iu",
        "label": "iu",
        "speaker": "U",
        "take": "iu",
        "sample_rate": "iu",
    }
    arrays = load_arrays(path, kinds)
    labels = check_range(path, "labels", arrays["label"], 0, 10)
    takes = check_range(path, "takes", arrays["take"], 0, 10_000)
    speakers, audio = arrays["speaker"], arrays["audio"]
    if not labels.shape == takes.shape == speakers.shape or audio.dtype != np.int16:
        raise FormatError(
            f"file {path}",
            got=f"{len(labels)} labels, {len(takes)} takes, {len(speakers)} speakers, "
            f"audio of {audio.dtype}",
            expected="one of each a clip, and int16",
            fix=AGAIN,
        )
    if arrays["sample_rate"] != RATE:
        raise FormatError(f"sample_rate of {path}", got=arrays["sample_rate"], expected=RATE)
    offsets = check_offsets(path, arrays["offsets"], len(audio), len(labels))
    if (np.diff(offsets) == 0).any():
        raise FormatError(f"file {path}", got="a clip without sound", fix=AGAIN)
    return Clips(audio, offsets, labels, speakers, takes)


def _sound(path: Path) -> np.ndarray:
    try:
        with wave.open(str(path), "rb") as file:
            form = (file.getnchannels(), 8 * file.getsampwidth(), file.getframerate())
            frames = file.getnframes()
            raw = file.readframes(frames)
    except (wave.Error, EOFError, OSError) as error:
        raise FormatError(
            f"file {path}", got=str(error) or "truncated", expected="a PCM .wav file", fix=AGAIN
        ) from error
    if form != (1, 16, RATE):
        raise FormatError(
            f"file {path}",
            got="{} channels, {} bit, {} Hz".format(*form),
            expected=f"1 channel, 16 bit, {RATE} Hz",
            fix="convert it, or fetch the official file",
        )
    if not frames or len(raw) != 2 * frames:
        raise FormatError(
            f"file {path}", got=f"{len(raw) // 2} of {frames} samples (truncated)", fix=AGAIN
        )
    return np.frombuffer(raw, "<i2").astype(np.int16)
