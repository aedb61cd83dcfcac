"""Whether a port is free, found out before a model is loaded.

gRPC by itself lets several servers share a port, and binds what it can of a name with several
addresses: either way a second server would start, and get some of the first one's calls.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from npc_server.errors import ConfigError

#: gRPC listens on every address of both families for either of these.
_WILDCARDS = ("0.0.0.0", "::")


def require_free(host: str, port: int) -> None:
    """Raises ConfigError if a program listens on the port at one of the host's addresses.

    Port 0, which takes a free one, is free.
    """
    if port == 0:
        return
    bare = host.strip("[]")
    for name in _WILDCARDS if bare in _WILDCARDS else (bare,):
        for family, address in _addresses(name, port):
            _require_bindable(family, address, f"{host}:{port}")


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error}; correct [server] host"
        ) from error
    return [(family, address) for family, _, _, _, address in found]


def _require_bindable(family: socket.AddressFamily, address: tuple[Any, ...], shown: str) -> None:
    try:
        _bind_briefly(family, address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"cannot listen on {shown}: is another server running?") from error
        if error.errno == errno.EACCES:
            raise ConfigError(
                f"cannot listen on {shown}: {error.strerror}; choose another port"
            ) from error
        # Such as a family that this machine does not have: the server finds out.


def _bind_briefly(family: socket.AddressFamily, address: tuple[Any, ...]) -> None:
    _bind(family, address).close()


def bind_sockets(host: str, port: int) -> list[socket.socket]:
    """Sockets on all addresses of a host, on a port that is not 0. Raises ConfigError."""
    found = _addresses(host.strip("[]"), port)
    sockets: list[socket.socket] = []
    try:
        for family, address in found:
            sockets.append(_bind(family, address))
    except OSError as error:
        for one in sockets:
            one.close()
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return sockets


def _bind(family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gRPC will
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made
