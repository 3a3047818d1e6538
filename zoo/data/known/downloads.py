"""Pinned downloads: resumable, verified before they get their name, and quick to notice that there is no network."""

from __future__ import annotations

import http.client
import os
import queue
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO

from zoo.cards import RemoteFile
from zoo.errors import DataError, ResourceError
from zoo.runs import sha256

CONNECT_SECONDS = 4.0
"""For the first answer of any source of a file, name resolution included: a missing network is noticed within this."""
STALL_SECONDS = 20.0
"""How long a running download may send nothing."""
TRIES = 3
_CHUNK = 1 << 18
_EVENT_SECONDS = 2.0


class OfflineError(DataError):
    """No server of a file answered: there is no network, or it leads nowhere."""


class SourceError(DataError):
    """One source failed although its server answered."""


def download(file: RemoteFile, folder: Path, on_event: Callable[[str], None] | None = None) -> Path:
    """Downloads a file unless it is there, trying its sources in order.

    What arrived before a cut stays in `<name>.part` and is continued, in this call and in the next.

    Args:
        file: What to get, with its size and checksum as far as they are known; without a checksum it is fetched anew,
            whole, whatever is there.
        folder: An existing folder, held by the caller.
        on_event: Told, in one line each, of the start, of progress and of sources that failed.

    Returns:
        The file; its size and checksum are right, where they are known.

    Raises:
        OfflineError: No server answered within `CONNECT_SECONDS`.
        DataError: Servers answered, but the file could not be had; the message says why for each.
        ResourceError: The disk is full or the folder cannot be written.
    """
    target, part = folder / file.name, folder / f"{file.name}.part"
    tell = on_event or _ignore
    if file.sha256 and _size(target) and file.bytes in (0, _size(target)) and sha256(target) == file.sha256:
        return target
    try:
        _try_sources(file, part, tell)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(target)
    except OSError as error:
        reason = error.strerror or error
        raise ResourceError(f"{part} cannot be written: {reason}; free the disk or set ZOO_HOME elsewhere") from error
    return target


def _try_sources(file: RemoteFile, part: Path, tell: Callable[[str], None]) -> None:
    """Leaves a verified part file, or raises."""
    deadline = time.monotonic() + CONNECT_SECONDS
    reasons: list[str] = []
    answered = False
    for place, url in enumerate(file.urls):
        for _ in range(TRIES):
            before = _size(part)
            share = (deadline - time.monotonic()) / (len(file.urls) - place)
            try:
                _transfer(url, part, file, CONNECT_SECONDS if answered else max(share, 0.5), tell)
                return
            except OfflineError as error:
                reasons.append(str(error))
                break
            except SourceError as error:
                answered = True
                reasons.append(str(error))
                tell(f"{file.name}: {error}")
                if _size(part) == before:  # the same again would end the same
                    break
    if not answered:
        raise OfflineError("; ".join(reasons))
    whole = f" of {file.bytes:,}" if file.bytes else ""
    kept = f"; {_size(part):,}{whole} bytes are kept, run it again to go on" if file.sha256 and _size(part) else ""
    raise DataError(f"{file.name} could not be downloaded: {'; '.join(dict.fromkeys(reasons))}{kept}")


def _transfer(url: str, part: Path, file: RemoteFile, seconds: float, tell: Callable[[str], None]) -> None:
    """Continues or starts the part file from one source and verifies it whole."""
    if not file.sha256 or (file.bytes and _size(part) > file.bytes):
        part.unlink(missing_ok=True)  # of what has no checksum nobody could tell that two parts belong together
    if _size(part) < file.bytes or not (file.bytes or (_size(part) and sha256(part) == file.sha256)):
        _receive(url, part, file, seconds, tell)
    found = sha256(part)
    if file.sha256 and found != file.sha256:
        part.unlink()
        raise SourceError(f"{url} sent sha256 {found}, expected {file.sha256}; nothing of it was kept")


def _receive(url: str, part: Path, file: RemoteFile, seconds: float, tell: Callable[[str], None]) -> None:
    offset = _size(part)
    with _open(url, offset, seconds) as response:
        if offset and not _continues(response, offset):
            offset = 0  # the server sends the whole file whatever was asked for
        length = response.headers.get("Content-Length") or ""
        announced = offset + int(length) if length.isdigit() else 0
        if announced and file.bytes and announced != file.bytes:
            raise SourceError(f"{url} offers {announced:,} bytes, expected {file.bytes:,}")
        total = file.bytes or announced
        verb = "continuing" if offset else "downloading"
        size = f" ({total / 1024 / 1024:.1f} MB)" if total else ""
        tell(f"{verb} {file.name}{size} from {url}")
        with part.open("ab" if offset else "wb") as sink:
            _copy(response, sink, url, offset, total, lambda share: tell(f"{file.name}: {share}"))


def _copy(
    response: http.client.HTTPResponse,
    sink: IO[bytes],
    url: str,
    received: int,
    total: int,
    tell: Callable[[str], None],
) -> None:
    """Writes what arrives; `total` bytes are expected in all, 0 where nobody knows."""
    told = time.monotonic()
    of = f" of {total:,}" if total else ""
    while not total or received <= total:
        try:
            chunk = response.read(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise SourceError(f"{url} stopped after {received:,}{of} bytes ({error!r})") from error
        if not chunk:
            break
        sink.write(chunk)
        received += len(chunk)
        if time.monotonic() - told > _EVENT_SECONDS:
            told = time.monotonic()
            tell(f"{received / total:.0%}" if total else f"{received:,} bytes")
    if received < total:
        raise SourceError(f"{url} stopped after {received:,}{of} bytes")
    if total and received > total:
        sink.truncate(0)
        raise SourceError(f"{url} sends more than the expected {total:,} bytes")


def _continues(response: http.client.HTTPResponse, offset: int) -> bool:
    """Whether a partial answer starts where the part file ends."""
    return response.status == 206 and str(response.headers.get("Content-Range")).startswith(f"bytes {offset}-")


def _open(url: str, offset: int, seconds: float) -> http.client.HTTPResponse:
    """Opens a source, waiting no longer than `seconds` for its answer.

    The attempt runs in a thread of its own, because the system's name resolution knows no timeout.
    """
    headers = {"User-Agent": "keras-deploy-zoo", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    request = urllib.request.Request(url, headers=headers)
    answers: queue.SimpleQueue[http.client.HTTPResponse | Exception] = queue.SimpleQueue()
    abandoned = threading.Event()

    def connect() -> None:
        try:
            answers.put(urllib.request.urlopen(request, timeout=STALL_SECONDS))
        except (OSError, http.client.HTTPException, ValueError) as error:
            answers.put(error)
        if abandoned.is_set():
            _close_waiting(answers)

    threading.Thread(target=connect, daemon=True, name=f"connect {url}").start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty as error:
        abandoned.set()
        _close_waiting(answers)
        raise OfflineError(f"{url} did not answer within {seconds:.1f} s") from error
    if isinstance(answer, Exception):
        raise _explain(url, answer) from answer
    return answer


def _close_waiting(answers: queue.SimpleQueue[http.client.HTTPResponse | Exception]) -> None:
    """Closes an answer that came too late, whichever side finds it."""
    try:
        late = answers.get_nowait()
    except queue.Empty:
        return
    if not isinstance(late, Exception):
        late.close()


def _explain(url: str, error: Exception) -> DataError:
    if isinstance(error, urllib.error.HTTPError):
        with error:
            return SourceError(f"{url} answers {error.code} {error.reason}")
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, (ssl.SSLError, http.client.HTTPException, ValueError)):
        return SourceError(f"{url} answers, but not as expected ({reason})")
    return OfflineError(f"{url}: {reason}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _ignore(_message: str) -> None:
    """Nobody wants to be told."""
