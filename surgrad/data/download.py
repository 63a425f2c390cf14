"""Fetching the published files: resumed where a transfer was cut, checked before they count."""

from __future__ import annotations

import os
import re
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TypeAlias

from surgrad.data.checksums import BLOCK, check, digest_of
from surgrad.data.sources import SOURCES, Archive, Item
from surgrad.errors import ArgumentError, FormatError, SurgradError

Progress: TypeAlias = Callable[[str, int, "int | None"], None]
"""Called with a file's name, the bytes that are there and the bytes in all, if that is known."""

TIMEOUT = 30.0
TRIES = 4
PAUSE = 1.0


class DownloadError(SurgradError, OSError):
    """A file could not be fetched."""


def download(
    kind: str, root: Path, *, form: str | None = None, progress: Progress | None = None
) -> list[Path]:
    """Fetch what is missing or damaged of a data set.

    Args:
        kind: the data set.
        root: the data root; made if it is not there.
        form: which form of the data; the first if left out.
        progress: told how far each file is.

    Returns:
        The files and folders that were fetched; those that were there and whole are left alone.

    Raises:
        ArgumentError: if the data set or form is not known or needs no files.
        DownloadError: if there is no network, no server has the file, or the disk is full.
        FormatError: if what was fetched is not what its checksum says.
    """
    known = SOURCES.get(kind)
    if not known:
        raise ArgumentError(
            "data set", got=kind, expected=f"one with files to fetch: {', '.join(SOURCES)}"
        )
    form = form or next(iter(known))
    if form not in known:
        raise ArgumentError(f"form of {kind}", got=form, expected=" or ".join(known))
    fetched = []
    for item in known[form]:
        if check(item, root) in ("whole", "present"):
            continue
        if not item.urls:
            raise ArgumentError(
                f"{kind} in the form {form}",
                got="no address that a program can fetch it from",
                fix=f"get it at {item.page} and put it under {root / item.path}"
                if item.page
                else f"copy {item.path} to {root}, or get the form {next(iter(known))}",
            )
        fetched.append(_get(item, root, progress or (lambda *_: None)))
    return fetched


def fetch(
    url: str, target: Path, *, digest: str | None = None, progress: Progress | None = None
) -> None:
    """Fetch one file into `target`, which appears when it is whole.

    The bytes go to `target` with `.part` appended; what is there of it is not fetched again if
    the server can resume (HTTP Range).

    Args:
        url: http or https.
        target: the file; its folder exists.
        digest: `algorithm:hex` of the uncompressed contents if the name ends in `.gz`, else of
            the file; None if unknown.
        progress: told how far it is.

    Raises:
        DownloadError: if the server cannot be reached or refuses, or keeps hanging up.
        FormatError: if the checksum is wrong; the `.part` file is then removed.
    """
    part = target.with_name(target.name + ".part")
    resumed = part.exists()
    _transfer(url, part, progress or (lambda *_: None))
    if resumed and not _fits(part, target.name, digest):
        # what was there may have been the beginning of something else
        part.unlink()
        _transfer(url, part, progress or (lambda *_: None))
    if not _fits(part, target.name, digest):
        part.unlink()
        raise FormatError(
            f"file from {url}",
            got="another checksum",
            expected=digest,
            fix="the server has another file there now; look for it at the data set's own page",
        )
    os.replace(part, target)


def unpack(archive: Path, item: Item, members: str, root: Path) -> None:
    """Unpack the members that the pattern names; each appears when it is whole.

    Raises:
        FormatError: if the archive is damaged, or has not as many of them as it should.
    """
    base = root / item.path
    try:
        with zipfile.ZipFile(archive) as file:
            names = {info: re.fullmatch(members, info.filename) for info in file.infolist()}
            found = [(info, match[1]) for info, match in names.items() if match]
            if len(found) != item.count:
                raise FormatError(
                    f"archive {archive}", got=f"{len(found)} files", expected=item.count
                )
            for info, name in found:
                target = base / name if item.files else base
                target.parent.mkdir(parents=True, exist_ok=True)
                part = target.with_name(target.name + ".part")
                with file.open(info) as source, part.open("wb") as sink:
                    while block := source.read(BLOCK):
                        sink.write(block)
                os.replace(part, target)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise FormatError(f"archive {archive}", got=str(error), fix="fetch it again") from error


def _get(item: Item, root: Path, progress: Progress) -> Path:
    """One item, from the first of its addresses that has it."""
    target = root / item.path
    packed = item.archive
    into = target if packed is None else target.with_name(f"{target.name}.zip")
    digest = item.digest if packed is None else packed.digest
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
        _first(item.urls, into, digest, progress)
        if packed is not None:
            _open(into, item, packed, root)
    except SurgradError:
        raise
    except OSError as error:
        raise DownloadError(
            f"file {into}",
            got=error.strerror or str(error),
            fix="free some space, or set SURGRAD_DATA to a folder that can be written",
        ) from error
    return target


def _open(archive: Path, item: Item, packed: Archive, root: Path) -> None:
    unpack(archive, item, packed.members, root)
    archive.unlink()
    if check(item, root) == "damaged":
        raise FormatError(
            f"{root / item.path}", got="another checksum", expected=item.digest, fix="get it again"
        )


def _first(urls: tuple[str, ...], into: Path, digest: str | None, progress: Progress) -> None:
    for url in urls:
        try:
            return fetch(url, into, digest=digest, progress=progress)
        except (DownloadError, FormatError) as error:
            if url == urls[-1]:
                raise error
    return None


def _fits(part: Path, name: str, digest: str | None) -> bool:
    if digest is None:
        return True
    try:
        return digest_of(part, digest.partition(":")[0], contents=name.endswith(".gz")) == digest
    except (OSError, EOFError, zlib.error):
        return False


def _transfer(url: str, part: Path, progress: Progress) -> None:
    """Bring `part` to its full length, with pauses where the connection breaks."""
    problem = ""
    for attempt in range(TRIES):
        time.sleep(PAUSE * (2**attempt - 1))
        before = part.stat().st_size if part.exists() else 0
        try:
            if _attempt(url, part, before, progress):
                return
            problem = f"a connection that ended after {part.stat().st_size} bytes"
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise DownloadError(
                    f"address {url}", got=f"{error.code} {error.reason}", fix="get it by hand"
                ) from error
            problem = f"{error.code} {error.reason}"
        except urllib.error.URLError as error:
            raise DownloadError(
                f"address {url}",
                got=f"no connection ({getattr(error.reason, 'strerror', None) or error.reason})",
                fix="connect to a network and run the command again; what is there is kept. Or "
                "copy the files from a machine that has them",
            ) from error
        except (HTTPException, ConnectionError, TimeoutError) as error:
            problem = str(error) or type(error).__name__
    raise DownloadError(
        f"address {url}", got=problem, fix="run the command again; it goes on where it was"
    )


def _attempt(url: str, part: Path, before: int, progress: Progress) -> bool:
    """One request; whether the file is now of its full length."""
    headers = {"User-Agent": "surgrad", "Accept-Encoding": "identity"}
    if before:
        headers["Range"] = f"bytes={before}-"
    try:
        response = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=TIMEOUT
        )
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        # nothing after what is there: it is whole, or longer than the file, which the end tells
        error.close()
        return True
    with response:
        at, total = _place(response, before)
        with part.open("r+b" if at else "wb") as sink:
            sink.seek(at)
            while block := response.read(BLOCK):
                sink.write(block)
                at += len(block)
                progress(part.name.removesuffix(".part"), at, total)
            sink.flush()
            os.fsync(sink.fileno())
    return total is None or at >= total


def _place(response: HTTPResponse, before: int) -> tuple[int, int | None]:
    """Where the answer begins in the file, and the file's length."""
    length = response.headers.get("Content-Length")
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if response.status == 206 and match and int(match[1]) == before:
        return before, int(match[2]) if match[2] != "*" else None
    return 0, int(length) if length and length.isdigit() else None
