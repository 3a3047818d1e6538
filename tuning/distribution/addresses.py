"""HOST:PORT: read, looked up, and tried before a server is asked for it."""

from __future__ import annotations

import socket

from zoo.errors import UsageError


def split(address: str) -> tuple[str, int]:
    """Host and port of "HOST:PORT" or "[IPv6]:PORT".

    Raises:
        UsageError: It is neither.
    """
    host, _, port = address.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"{address!r} is no address; expected HOST:PORT, such as 192.168.1.5:8765 or localhost:8765")
    return host, int(port)


def join(host: str, port: int) -> str:
    """The inverse of `split`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_known(address: str) -> None:
    """Looks the host up.

    Raises:
        UsageError: It has no address.
    """
    host, port = split(address)
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{host!r} has no address ({reason}); give the chief's name or number as HOST:PORT") from error


def check_free(address: str) -> None:
    """Binds the address for a moment.

    Raises:
        UsageError: It is occupied, not this machine's, or not allowed.
    """
    check_known(address)
    host, port = split(address)
    family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(place)
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(
                f"the chief cannot listen on {address}: {reason}; choose a free port and an address of this machine"
            ) from error


def local(address: str) -> str:
    """The address at which a server that listens on `address` is met from the same machine."""
    host, port = split(address)
    return join({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port)
