import hashlib
import http.server
import threading
import time

import pytest

from zoo.builders.outside import RECORD, as_archive, fetch, own, verify
from zoo.data.known.downloads import OfflineError
from zoo.errors import DataError, UsageError

CONTENT = bytes(range(256)) * 800
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """/module answers with a redirect, as tfhub.dev does; /stored with the file; /cut with half of it, once."""

    def do_GET(self):
        self.server.seen.append(self.path)
        path, _, query = self.path.partition("?")
        if path == "/module" and query == "tf-hub-format=compressed":
            self.send_response(302)
            self.send_header("Location", "/stored")
            self.end_headers()
            return
        if path not in ("/stored", "/cut"):
            self.send_error(404)
            return
        asked = self.headers.get("Range")
        start = int(asked[6:-1]) if asked else 0
        body = self.server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if path == "/cut" and not start else body)

    def log_message(self, format, *args):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "a home"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.seen, running.content = [], CONTENT
        running.handle_error = lambda *_connection: None
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def get(server, path="/module", pinned="", told=None):
    handle = f"http://127.0.0.1:{server.server_address[1]}{path}"
    tell = (told if told is not None else []).append
    return fetch(handle, "module.tar.gz", pinned, shelf="hub", tell=tell, put="put it as", url=as_archive(handle))


def test_a_handle_is_asked_for_as_the_library_of_tf_hub_asks():
    asked = as_archive("https://tfhub.dev/google/imagenet/mobilenet_v2_035_96/feature_vector/5")
    assert asked == "https://tfhub.dev/google/imagenet/mobilenet_v2_035_96/feature_vector/5?tf-hub-format=compressed"


@pytest.mark.parametrize("pinned", ["", SHA256, SHA256.upper()])
def test_a_redirected_handle_arrives_and_comes_from_the_cache_afterwards(server, pinned):
    path = get(server, pinned=pinned)
    assert path.read_bytes() == CONTENT
    asked = len(server.seen)
    assert get(server, pinned=pinned) == path
    assert len(server.seen) == asked


def test_a_download_that_is_cut_is_continued_where_it_is_pinned(server):
    told = []
    assert get(server, "/cut", SHA256, told).read_bytes() == CONTENT
    assert any("continuing" in line for line in told)


def test_a_download_that_is_cut_is_nothing_where_nobody_could_tell(server):
    with pytest.raises(DataError, match="stopped after"):
        get(server, "/cut")


def test_another_checksum_is_refused_and_nothing_kept(server, tmp_path):
    with pytest.raises(DataError, match=f"sent sha256 {SHA256}, expected {'0' * 64}"):
        get(server, pinned="0" * 64)
    assert not list(tmp_path.rglob("module.tar.gz*"))


def test_a_damaged_or_swapped_cache_is_fetched_again(server):
    path = get(server)
    for pinned in ("", SHA256):
        path.write_bytes(b"swapped")
        told = []
        assert get(server, pinned=pinned, told=told).read_bytes() == CONTENT
        assert "damaged or swapped" in told[0]


def test_a_swapped_cache_with_its_record_is_not_what_is_pinned(server):
    path = get(server)
    path.write_bytes(b"swapped")
    (path.parent / RECORD).unlink()
    assert get(server, pinned=SHA256).read_bytes() == CONTENT


def test_without_a_network_a_file_put_by_hand_serves(server):
    handle = "http://127.0.0.1:1/module"
    began = time.monotonic()
    with pytest.raises(OfflineError, match=r"there is no network .* put it as .*module\.tar\.gz") as raised:
        fetch(handle, "module.tar.gz", "", shelf="hub", tell=print, put="put it as")
    assert time.monotonic() - began < 5
    place = own(str(raised.value).rpartition("put it as ")[2].rpartition("/")[0], "cache") / "module.tar.gz"
    place.write_bytes(CONTENT)
    assert fetch(handle, "module.tar.gz", SHA256, shelf="hub", tell=print, put="put it as") == place


def test_what_is_not_pinned_is_told_with_the_value_to_pin(tmp_path):
    told = []
    assert verify(SHA256, "", "module", "sha256", told.append) == SHA256
    assert told == [
        f"WARNING: module is not pinned, whatever lies there is used; to pin it: --set sha256={SHA256}",
    ]
    with pytest.raises(DataError, match="not what is pinned"):
        verify(SHA256, "0" * 64, "module", "sha256", told.append)


def test_a_path_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(UsageError, match="does not exist; expected a path, or an address"):
        own(str(tmp_path / "nothing"), "module")
