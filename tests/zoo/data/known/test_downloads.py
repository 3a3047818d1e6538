import hashlib
import http.server
import re
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from zoo.cards import RemoteFile
from zoo.data.known import downloads
from zoo.data.known.downloads import OfflineError, download
from zoo.errors import DataError, ResourceError

CONTENT = bytes(range(256)) * 4000


class Handler(http.server.BaseHTTPRequestHandler):
    """What the path says: /file, /cut (half of it, once), /ignores-range, /short, /long, /other, anything else 404."""

    def do_GET(self):
        self.server.seen.append((self.path, self.headers.get("Range")))
        bodies = {"/file": CONTENT, "/cut": CONTENT, "/ignores-range": CONTENT, "/other": CONTENT[::-1]}
        bodies |= {"/short": CONTENT[:-5], "/long": CONTENT + b"more"}
        body = bodies.get(self.path)
        if body is None:
            self.send_error(404)
            return
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        start = int(asked[1]) if asked and self.path != "/ignores-range" else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if self.path not in ("/short", "/long"):  # these do not say how much they send
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        first = self.path == "/cut" and [path for path, _ in self.server.seen].count("/cut") <= self.server.cuts
        self.wfile.write(body[start : start + (len(body) - start) // 2] if first else body[start:])

    def log_message(self, format, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.seen, running.cuts = [], 1
        running.handle_error = lambda *_connection: None  # a client that hangs up early is what some tests are about
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def remote(server, *paths):
    port = server.server_address[1]
    return RemoteFile(
        name="file.bin",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        bytes=len(CONTENT),
        urls=tuple(f"http://127.0.0.1:{port}{path}" for path in paths),
    )


@contextmanager
def silent_port():
    """Accepts connections and never says a word: what a network that swallows packets looks like."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listening:
        yield listening.getsockname()[1]


def test_a_file_arrives_whole_and_only_once(server, tmp_path):
    events = []
    path = download(remote(server, "/file"), tmp_path, events.append)
    assert path.read_bytes() == CONTENT
    assert "downloading file.bin (1.0 MB)" in events[0]
    download(remote(server, "/file"), tmp_path)
    assert len(server.seen) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.bin"]


def test_a_cut_download_goes_on_where_it_stopped(server, tmp_path):
    assert download(remote(server, "/cut"), tmp_path).read_bytes() == CONTENT
    assert server.seen == [("/cut", None), ("/cut", f"bytes={len(CONTENT) // 2}-")]


def test_what_arrived_is_kept_for_the_next_call(server, tmp_path):
    server.cuts = downloads.TRIES
    with pytest.raises(DataError, match=r"stopped after .* are kept, run it again to go on"):
        download(remote(server, "/cut"), tmp_path)
    kept = (tmp_path / "file.bin.part").stat().st_size
    assert len(CONTENT) // 2 < kept < len(CONTENT)
    assert download(remote(server, "/cut"), tmp_path).read_bytes() == CONTENT
    assert server.seen[-1] == ("/cut", f"bytes={kept}-")


def test_a_server_that_ignores_the_range_starts_anew(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(b"wrong" * 100)
    assert download(remote(server, "/ignores-range"), tmp_path).read_bytes() == CONTENT


def test_a_damaged_part_is_dropped_and_fetched_again(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(b"wrong" * 100)
    assert download(remote(server, "/file"), tmp_path).read_bytes() == CONTENT
    assert [asked for _, asked in server.seen] == ["bytes=500-", None]


def test_a_damaged_file_in_place_is_replaced(server, tmp_path):
    (tmp_path / "file.bin").write_bytes(CONTENT[::-1])
    assert download(remote(server, "/file"), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("first", ["/missing", "/other", "/short", "/long"])
def test_the_next_source_is_tried(server, tmp_path, first):
    assert download(remote(server, first, "/file"), tmp_path).read_bytes() == CONTENT
    assert [path for path, _ in server.seen][-1] == "/file"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/missing", "answers 404"),
        ("/other", f"expected {hashlib.sha256(CONTENT).hexdigest()}"),
        ("/short", f"stopped after {len(CONTENT) - 5:,} of {len(CONTENT):,} bytes"),
        ("/long", "sends more than the expected"),
    ],
)
def test_what_is_wrong_is_said_and_never_gets_the_name(server, tmp_path, path, said):
    with pytest.raises(DataError, match=re.escape(said)) as caught:
        download(remote(server, path), tmp_path)
    assert not isinstance(caught.value, OfflineError)
    assert not (tmp_path / "file.bin").exists()


def test_a_wrong_size_is_noticed_before_anything_is_fetched(server, tmp_path):
    file = RemoteFile(name="file.bin", sha256="0", bytes=7, urls=remote(server, "/file").urls)
    with pytest.raises(DataError, match=r"offers 1,024,000 bytes, expected 7"):
        download(file, tmp_path)
    assert not list(tmp_path.iterdir())


def test_nobody_listening_is_offline(tmp_path):
    with silent_port() as port:
        pass  # the port is free again, and refuses
    with pytest.raises(OfflineError, match="refused"):
        download(RemoteFile(name="f", sha256="0", bytes=1, urls=(f"http://127.0.0.1:{port}/f",)), tmp_path)


def test_a_network_that_swallows_packets_is_noticed_within_five_seconds(tmp_path):
    with silent_port() as port:
        urls = tuple(f"http://127.0.0.1:{port}/{name}" for name in "abc")
        start = time.monotonic()
        with pytest.raises(OfflineError, match="did not answer within"):
            download(RemoteFile(name="f", sha256="0", bytes=1, urls=urls), tmp_path)
        assert time.monotonic() - start < 5


def test_a_name_server_that_never_answers_is_noticed_too(tmp_path, monkeypatch):
    released = threading.Event()

    def hang(*args, **kwargs):
        released.wait(30)
        raise OSError("too late")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    monkeypatch.setattr(downloads, "CONNECT_SECONDS", 0.6)
    start = time.monotonic()
    with pytest.raises(OfflineError):
        download(RemoteFile(name="f", sha256="0", bytes=1, urls=("http://host.invalid/f",)), tmp_path)
    assert time.monotonic() - start < 2
    released.set()


def test_a_folder_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "file.bin.part").mkdir()
    with pytest.raises(ResourceError, match=r"file\.bin\.part cannot be written"):
        download(remote(server, "/file"), tmp_path)
