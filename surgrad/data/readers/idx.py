"""The idx format of MNIST and its successors: a big-endian array with a header of its shape."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np

from surgrad.data.readers.files import AGAIN, check_range, read_bytes
from surgrad.errors import FormatError

DTYPES = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}


def read_idx(path: Path) -> np.ndarray:
    """An array in the idx format, plain or gzip.

    Four bytes of magic (0, 0, code of the dtype, rank), one big-endian uint32 an axis, the entries.

    Args:
        path: the file.

    Returns:
        The array, in the machine's byte order.

    Raises:
        FormatError: if the magic, the code or the size is not what the format says.

    Example:
        >>> path = getfixture("tmp_path") / "labels"
        >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
        >>> read_idx(path)
        array([7, 2, 1], dtype=uint8)

    References:
        Y. LeCun, C. Cortes, C. Burges, The MNIST database, "file formats".
    """
    raw = read_bytes(path)
    dtype, rank = _magic(path, raw)
    start = 4 + 4 * rank
    if len(raw) < start:
        raise FormatError(
            f"file {path}",
            got=f"{len(raw)} bytes (truncated)",
            expected=f"a header of {start}",
            fix=AGAIN,
        )
    shape = tuple(int(size) for size in np.frombuffer(raw[4:start], ">u4"))
    expected = start + prod(shape) * dtype.itemsize
    if len(raw) != expected:
        kind = "truncated" if len(raw) < expected else "trailing bytes"
        raise FormatError(
            f"file {path}",
            got=f"{len(raw)} bytes ({kind})",
            expected=f"{expected} for shape {shape}",
            fix=AGAIN,
        )
    return np.frombuffer(raw, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def read_labelled_images(images: Path, labels: Path, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """The images of one idx file with the labels of another.

    Args:
        images: uint8 of rank 3, `(samples, height, width)`.
        labels: uint8 of rank 1, below `classes`.
        classes: the number of classes.

    Returns:
        The images, uint8, and the labels, int64.

    Raises:
        FormatError: if a file is malformed, there is no image, or the two do not match.
    """
    pixels, marks = read_idx(images), read_idx(labels)
    for path, array, rank in ((images, pixels, 3), (labels, marks, 1)):
        if array.dtype != np.uint8 or array.ndim != rank or not array.size:
            raise FormatError(
                f"file {path}",
                got=f"{array.dtype} of shape {array.shape}",
                expected=f"uint8 of rank {rank}, not empty",
                fix="check that images and labels are not swapped",
            )
    if len(pixels) != len(marks):
        raise FormatError(
            f"files {images} and {labels}",
            got=f"{len(pixels)} images and {len(marks)} labels",
            expected="one label an image",
            fix="take both from the same part, training or test",
        )
    return pixels, check_range(labels, "labels", marks, 0, classes)


def _magic(path: Path, raw: bytes) -> tuple[np.dtype, int]:
    """The dtype and the rank."""
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[3] == 0:
        raise FormatError(
            f"file {path}",
            got=f"magic {raw[:4].hex(' ')}",
            expected="00 00, a dtype code and a rank of 1 or more",
            fix="this is no idx file: check the name, or fetch it again",
        )
    code = raw[2]
    if code not in DTYPES:
        known = ", ".join(f"{one:02x}" for one in DTYPES)
        raise FormatError(f"file {path}", got=f"dtype code {code:02x}", expected=f"one of {known}")
    return DTYPES[code], raw[3]
