from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from surgrad.data.readers import read_idx, read_labelled_images
from surgrad.errors import FormatError

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx(array: np.ndarray) -> bytes:
    """The bytes that the format asks for, written out by hand."""
    code = CODES[array.dtype.str[1:]]
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("packed", [False, True])
def test_reads_back_every_dtype_and_rank(tmp_path: Path, dtype: str, packed: bool) -> None:
    for rank in (1, 2, 3):
        shape = (2, 3, 5)[:rank]
        array = (np.arange(np.prod(shape)) - (3 if dtype[0] != "u" else 0)).reshape(shape)
        array = array.astype(dtype) + (np.dtype(dtype).type(0.5) if dtype[0] == "f" else 0)
        array = array.astype(dtype)
        path = tmp_path / "array"
        path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
        found = read_idx(path)
        assert found.dtype == array.dtype and found.dtype.isnative
        np.testing.assert_array_equal(found, array)


def test_known_bytes(tmp_path: Path) -> None:
    path = tmp_path / "array"
    path.write_bytes(bytes.fromhex("00000b02 00000002 00000001 0102 ffff"))
    np.testing.assert_array_equal(read_idx(path), np.array([[258], [-1]], np.int16))


GOOD = idx(np.arange(12, dtype=np.uint8).reshape(3, 2, 2))
BAD = {
    "empty": (b"", "empty"),
    "truncated": (GOOD[:-1], "truncated"),
    "truncated header": (GOOD[:9], "truncated"),
    "three bytes": (GOOD[:3], "magic"),
    "trailing": (GOOD + b"\0", "trailing"),
    "magic": (b"\1" + GOOD[1:], "magic 01 00 08 03"),
    "rank 0": (b"\0\0\x08\0", "magic"),
    "dtype code": (GOOD[:2] + b"\x0a" + GOOD[3:], "dtype code 0a"),
    "huge shape": (b"\0\0\x08\2" + b"\xff" * 8, "truncated"),
    "truncated gzip": (gzip.compress(GOOD)[:-9], "damaged gzip"),
    "damaged gzip": (b"\x1f\x8b" + bytes(40), "damaged gzip"),
    "text": (b"<html>not found</html>", "magic"),
}


@pytest.mark.parametrize("name", BAD)
def test_refuses(tmp_path: Path, name: str, refuses) -> None:
    contents, word = BAD[name]
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(contents)
    with refuses(FormatError, path, word):
        read_idx(path)


def test_refuses_what_is_no_file(tmp_path: Path, refuses) -> None:
    with refuses(FormatError, tmp_path / "none", "no such file"):
        read_idx(tmp_path / "none")
    with refuses(FormatError, tmp_path, "a folder"):
        read_idx(tmp_path)


def pair(tmp_path: Path, images: np.ndarray, labels: np.ndarray) -> tuple[Path, Path]:
    paths = tmp_path / "images", tmp_path / "labels"
    for path, array in zip(paths, (images, labels), strict=True):
        path.write_bytes(idx(array))
    return paths


def test_reads_images_with_labels(tmp_path: Path) -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    images, labels = read_labelled_images(
        *pair(tmp_path, pixels, np.array([2, 0, 1], np.uint8)), classes=3
    )
    np.testing.assert_array_equal(images, pixels)
    assert labels.tolist() == [2, 0, 1] and labels.dtype == np.int64


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (np.zeros((3, 2, 2), "u1"), np.zeros(2, "u1"), ("3 images and 2 labels",)),
        (np.zeros((3, 2, 2), "u1"), np.array([0, 1, 10], "u1"), ("10", "[0, 10)")),
        (np.zeros((3, 2, 2), "i4"), np.zeros(3, "u1"), ("int32", "swapped")),
        (np.zeros((3, 4), "u1"), np.zeros(3, "u1"), ("rank 3", "swapped")),
        (np.zeros((0, 2, 2), "u1"), np.zeros(0, "u1"), ("not empty",)),
    ],
    ids=["counts", "class", "dtype", "rank", "no image"],
)
def test_refuses_images_and_labels_that_do_not_match(
    tmp_path: Path, images: np.ndarray, labels: np.ndarray, words: tuple[str, ...], refuses
) -> None:
    paths = pair(tmp_path, images, labels)
    with refuses(FormatError, tmp_path, *words):
        read_labelled_images(*paths, classes=10)
    if words[0] == "3 images and 2 labels":
        with refuses(FormatError, paths[1], "swapped"):
            read_labelled_images(paths[1], paths[0], classes=10)
