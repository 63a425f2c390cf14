"""Fetching from a server of our own: whole, cut, without resuming, with other contents."""

from __future__ import annotations

import gzip
import hashlib
import io
import socket
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from surgrad.data import download as module
from surgrad.data.checksums import check, forms
from surgrad.data.download import DownloadError, download, fetch
from surgrad.data.sources import SOURCES, Archive, Item
from surgrad.errors import ArgumentError, FormatError

CONTENTS = bytes(range(256)) * 9000


@dataclass
class Server:
    """What is served, what goes wrong, and what was asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    cut: int | None = None
    """Hang up after so many bytes of an answer."""
    cuts: int = 0
    """So many times."""
    pretend: bool = False
    """Answer a range with the whole file, as if it were what was asked for."""
    errors: list[int] = field(default_factory=list)
    """Statuses to give first."""
    asked: list[str | None] = field(default_factory=list)
    sent: int = 0
    address: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.asked.append(wanted)
        contents = self.files.get(request.path)
        status = self.errors.pop(0) if self.errors else 200 if contents is not None else 404
        if status != 200 or contents is None:
            return request.send_error(status)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        partial = bool(start)
        start = 0 if self.pretend else start
        if start >= len(contents):
            return request.send_error(416)
        request.send_response(206 if partial else 200)
        body = contents[start:]
        request.send_header("Content-Length", str(len(body)))
        if partial:
            end = f"{len(contents) - 1}/{len(contents)}"
            request.send_header("Content-Range", f"bytes {start}-{end}")
        request.end_headers()
        if self.cut is not None and self.cuts:
            self.cuts -= 1
            body = body[: self.cut]
        self.sent += len(body)
        request.wfile.write(body)
        return None


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    monkeypatch.setattr(module, "PAUSE", 0.0)
    with ThreadingHTTPServer(("localhost", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        state.address = f"http://localhost:{http.server_port}"
        yield state
        http.shutdown()
        thread.join()


def sha256(contents: bytes) -> str:
    return f"sha256:{hashlib.sha256(contents).hexdigest()}"


def test_fetches_and_tells_how_far_it_is(server: Server, tmp_path: Path) -> None:
    server.files["/a.bin"] = CONTENTS
    told: list[tuple[str, int, int | None]] = []
    fetch(
        f"{server.address}/a.bin",
        tmp_path / "a.bin",
        digest=sha256(CONTENTS),
        progress=lambda *now: told.append(now),
    )
    assert (tmp_path / "a.bin").read_bytes() == CONTENTS
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    assert told[-1] == ("a.bin", len(CONTENTS), len(CONTENTS))
    assert [at for _, at, _ in told] == sorted(at for _, at, _ in told) and len(told) > 1


def test_resumes_after_a_cut_without_fetching_twice(server: Server, tmp_path: Path) -> None:
    server.files["/a.bin"] = CONTENTS
    server.cut, server.cuts = 1_000_000, 2
    fetch(f"{server.address}/a.bin", tmp_path / "a.bin", digest=sha256(CONTENTS))
    assert (tmp_path / "a.bin").read_bytes() == CONTENTS
    assert server.asked == [None, "bytes=1000000-", "bytes=2000000-"]
    assert server.sent == len(CONTENTS)


def test_resumes_what_an_earlier_command_left(server: Server, tmp_path: Path) -> None:
    server.files["/a.bin"] = CONTENTS
    (tmp_path / "a.bin.part").write_bytes(CONTENTS[:777])
    fetch(f"{server.address}/a.bin", tmp_path / "a.bin", digest=sha256(CONTENTS))
    assert (tmp_path / "a.bin").read_bytes() == CONTENTS
    assert server.asked == ["bytes=777-"]


def test_a_part_that_is_already_whole_needs_no_byte(server: Server, tmp_path: Path) -> None:
    server.files["/a.bin"] = CONTENTS
    (tmp_path / "a.bin.part").write_bytes(CONTENTS)
    fetch(f"{server.address}/a.bin", tmp_path / "a.bin", digest=sha256(CONTENTS))
    assert (tmp_path / "a.bin").read_bytes() == CONTENTS
    assert server.sent == 0


@pytest.mark.parametrize("left", [b"something else", b"x" * (len(CONTENTS) + 5)])
def test_starts_anew_where_the_part_was_of_another_file(
    server: Server, tmp_path: Path, left: bytes
) -> None:
    server.files["/a.bin"] = CONTENTS
    (tmp_path / "a.bin.part").write_bytes(left)
    fetch(f"{server.address}/a.bin", tmp_path / "a.bin", digest=sha256(CONTENTS))
    assert (tmp_path / "a.bin").read_bytes() == CONTENTS
    assert server.asked[-1] is None


def test_a_server_that_cannot_resume_sends_it_all(server: Server, tmp_path: Path) -> None:
    server.files["/a.bin"] = CONTENTS
    server.ranges = False
    server.cut, server.cuts = 1_000_000, 1
    fetch(f"{server.address}/a.bin", tmp_path / "a.bin", digest=sha256(CONTENTS))
    assert (tmp_path / "a.bin").read_bytes() == CONTENTS
    assert server.asked == [None, "bytes=1000000-"]
    assert server.sent == 1_000_000 + len(CONTENTS)


def test_what_the_server_says_of_the_range_holds(server: Server, tmp_path: Path) -> None:
    server.files["/a.bin"] = CONTENTS
    server.pretend = True
    (tmp_path / "a.bin.part").write_bytes(CONTENTS[:777])
    fetch(f"{server.address}/a.bin", tmp_path / "a.bin", digest=sha256(CONTENTS))
    assert (tmp_path / "a.bin").read_bytes() == CONTENTS
    assert server.asked == ["bytes=777-"]


def test_refuses_a_wrong_checksum_and_keeps_nothing(server: Server, tmp_path: Path) -> None:
    server.files["/a.bin"] = CONTENTS
    with pytest.raises(FormatError) as caught:
        fetch(f"{server.address}/a.bin", tmp_path / "a.bin", digest=sha256(b"other"))
    assert f"{server.address}/a.bin" in str(caught.value) and sha256(b"other") in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_gives_up_where_the_server_keeps_hanging_up(server: Server, tmp_path: Path) -> None:
    server.files["/a.bin"] = CONTENTS
    server.cut, server.cuts = 10, 99
    with pytest.raises(DownloadError, match=r"after 40 bytes.*goes on where it was"):
        fetch(f"{server.address}/a.bin", tmp_path / "a.bin", digest=sha256(CONTENTS))
    assert (tmp_path / "a.bin.part").read_bytes() == CONTENTS[:40]
    assert not (tmp_path / "a.bin").exists()


def test_a_busy_server_is_asked_again_a_missing_page_is_not(server: Server, tmp_path: Path) -> None:
    server.files["/a.bin"] = CONTENTS
    server.errors = [503, 500]
    fetch(f"{server.address}/a.bin", tmp_path / "a.bin", digest=sha256(CONTENTS))
    assert len(server.asked) == 3
    with pytest.raises(DownloadError, match="404"):
        fetch(f"{server.address}/none", tmp_path / "none")
    assert len(server.asked) == 4


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("host", ["localhost:{}", "no-such-host.invalid"])
def test_says_that_there_is_no_network(tmp_path: Path, host: str) -> None:
    address = f"http://{host.format(unused_port())}/a.bin"
    with pytest.raises(DownloadError, match="no connection") as caught:
        fetch(address, tmp_path / "a.bin")
    assert address in str(caught.value) and "connect to a network" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def zipped(files: dict[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, contents in files.items():
            archive.writestr(name, contents)
    return whole.getvalue()


WAVS = {"0_a_2.wav": b"one", "0_a_10.wav": b"two"}
LIST = "".join(f"{hashlib.sha256(c).hexdigest()}  {name}\n" for name, c in WAVS.items())
ZIP = zipped({f"top/recordings/{name}": c for name, c in WAVS.items()} | {"top/README.md": b"-"})


@pytest.fixture
def toys(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Data sets as the real ones are, on our server."""
    server.files = {"/x.gz": gzip.compress(b"contents"), "/y": b"plain", "/z.zip": ZIP}

    def at(name: str) -> tuple[str, ...]:
        return (f"{server.address}/mirror/{name}", f"{server.address}/{name}")

    wavs = Archive(sha256(ZIP), r"[^/]+/recordings/(\d_[a-z]+_\d+\.wav)")
    toys = {
        "files": {
            "official": (
                Item("files/x.gz", sha256(b"contents"), at("x.gz")),
                Item("files/y", sha256(b"plain"), at("y")),
            ),
            "packed": (Item("files/all.npz", sha256(b"")),),
        },
        "folder": {
            "official": (Item("folder/wav", sha256(LIST.encode()), at("z.zip"), wavs, "*.wav", 2),)
        },
        "member": {
            "official": (
                Item("member/one.md", None, at("z.zip"), Archive(None, r"top/(README\.md)")),
            )
        },
        "hand": {"official": (Item("hand", files="*.a", page="https://by.hand"),)},
    }
    monkeypatch.setattr(module, "SOURCES", toys)
    monkeypatch.setattr("surgrad.data.checksums.SOURCES", toys)
    return server


def test_gets_a_data_set_from_the_first_server_that_has_it(toys: Server, tmp_path: Path) -> None:
    root = tmp_path / "new" / "root"
    assert download("files", root) == [root / "files/x.gz", root / "files/y"]
    assert gzip.decompress((root / "files/x.gz").read_bytes()) == b"contents"
    assert (root / "files/y").read_bytes() == b"plain"
    assert len(toys.asked) == 4
    assert forms("files", root, closely=True) == {"official": "whole", "packed": "missing"}


def test_leaves_alone_what_is_whole_and_replaces_what_is_damaged(
    toys: Server, tmp_path: Path
) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files/x").write_bytes(b"contents")
    (tmp_path / "files/y").write_bytes(b"damaged")
    assert forms("files", tmp_path, closely=False)["official"] == "present"
    assert forms("files", tmp_path, closely=True)["official"] == "damaged"
    assert download("files", tmp_path) == [tmp_path / "files/y"]
    assert (tmp_path / "files/y").read_bytes() == b"plain"
    assert download("files", tmp_path) == []


def test_unpacks_an_archive_and_checks_what_was_in_it(toys: Server, tmp_path: Path) -> None:
    assert download("folder", tmp_path) == [tmp_path / "folder/wav"]
    found = {path.name: path.read_bytes() for path in (tmp_path / "folder/wav").iterdir()}
    assert found == WAVS
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["wav"]
    (tmp_path / "folder/wav/.DS_Store").write_bytes(b"")
    assert forms("folder", tmp_path, closely=True) == {"official": "whole"}
    (tmp_path / "folder/wav/0_a_2.wav").write_bytes(b"won")
    assert forms("folder", tmp_path, closely=True) == {"official": "damaged"}
    (tmp_path / "folder/wav/0_a_2.wav").unlink()
    assert forms("folder", tmp_path, closely=False) == {"official": "damaged"}


def test_unpacks_one_member_whose_checksum_is_unknown(toys: Server, tmp_path: Path) -> None:
    download("member", tmp_path)
    assert (tmp_path / "member/one.md").read_bytes() == b"-"
    assert forms("member", tmp_path, closely=True) == {"official": "present"}


@pytest.mark.parametrize(
    ("contents", "word"),
    [(zipped({"top/recordings/0_a_2.wav": b"one"}), "1 files"), (b"no zip", "zip")],
)
def test_refuses_an_archive_that_lacks_files(
    toys: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contents: bytes, word: str
) -> None:
    item = module.SOURCES["folder"]["official"][0]
    unknown = Item(item.path, item.digest, item.urls, Archive(None, r".*/(.*\.wav)"), "*.wav", 2)
    monkeypatch.setitem(module.SOURCES, "folder", {"official": (unknown,)})
    toys.files["/z.zip"] = contents
    with pytest.raises(FormatError, match=word) as caught:
        download("folder", tmp_path)
    assert str(tmp_path / "folder/wav.zip") in str(caught.value)
    assert check(unknown, tmp_path) == "missing"


def test_refuses_what_cannot_be_fetched(toys: Server, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="files, folder, member, hand"):
        download("digits", tmp_path)
    with pytest.raises(ArgumentError, match="official or packed"):
        download("files", tmp_path, form="tar")
    with pytest.raises(ArgumentError, match=r"no address.*all\.npz"):
        download("files", tmp_path, form="packed")
    with pytest.raises(ArgumentError, match=r"at https://by\.hand and put it under .*/hand"):
        download("hand", tmp_path)


def test_says_that_the_folder_cannot_be_written(toys: Server, tmp_path: Path) -> None:
    (tmp_path / "root").write_text("a file where the root should be")
    with pytest.raises(DownloadError, match="SURGRAD_DATA"):
        download("files", tmp_path / "root")
    assert (tmp_path / "root").read_text().startswith("a file")


def test_every_source_is_complete() -> None:
    for kind, by_form in SOURCES.items():
        for form, items in by_form.items():
            for item in items:
                digests = [item.digest, item.archive and item.archive.digest]
                lengths = {"sha256": 64, "md5": 32}
                known = [digest.split(":") for digest in digests if digest]
                if item.page:
                    assert not item.urls and item.page.startswith("https")
                    continue
                assert known, f"{kind}/{form}/{item.path} has no checksum at all"
                assert all(len(value) == lengths[name] for name, value in known)
                assert all(url.startswith("http") for url in item.urls)
                assert item.urls or form in ("packed", "small", "0to7")
