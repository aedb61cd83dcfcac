"""TLS for the server: its certificate, followed on disk, and the clients' where they must show one.

A renewed certificate counts from the next connection on; streams that run go on. One that does not
fit its key, as while only one of two files is replaced, changes nothing.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc

from npc_server.errors import ConfigError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TlsFiles:
    """PEM files."""

    certificate: Path  # with those between it and its authority behind it
    key: Path
    client_ca: Path | None = None  # authorities of clients, who must be certified; None = anybody


class FollowedTls:
    """The files as they are now; may be asked from any thread."""

    def __init__(self, files: TlsFiles) -> None:
        """Raises ConfigError for files that cannot be used."""
        self._files = files
        self._stamp = _stamp(files)
        self._first = _read(files)

    def credentials(self) -> grpc.ServerCredentials:
        """For a port of gRPC, which asks again at every handshake."""
        return grpc.dynamic_ssl_server_credentials(
            self._first,
            self._newer,  # type: ignore[arg-type]  # None = as before, which the stubs miss
            require_client_authentication=bool(self._files.client_ca),
        )

    def _newer(self) -> grpc.ServerCertificateConfiguration | None:
        """What is in the files, if they have changed and can be used."""
        stamp = _stamp(self._files)
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        try:
            return _read(self._files)
        except ConfigError as error:
            logger.error("%s; connections go on under the certificate before it", error)
            return None


def _read(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
    _check(files)
    try:
        pair = (files.key.read_bytes(), files.certificate.read_bytes())
        authorities = files.client_ca.read_bytes() if files.client_ca else None
    except OSError as error:
        raise ConfigError(f"[tls] {error.filename}: {error.strerror or error}") from error
    return grpc.ssl_server_certificate_configuration([pair], authorities)


def _check(files: TlsFiles) -> None:
    """Raise ConfigError for a key that does not fit, or for what is no PEM file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        no_password = partial(_refuse_password, files.key)
        context.load_cert_chain(files.certificate, files.key, no_password)
        if files.client_ca:
            context.load_verify_locations(files.client_ca)
    except ssl.SSLError as error:
        raise ConfigError(
            f"[tls] certificate {files.certificate} and key {files.key} cannot be used:"
            f" {error.reason or error}"
        ) from error
    except OSError as error:
        raise ConfigError(f"[tls] {error.filename or files.certificate}: {error}") from error


def _refuse_password(key: Path) -> str:
    raise ConfigError(f"[tls] key {key} has a password; nobody is there to type it: remove it")


def _stamp(files: TlsFiles) -> tuple[tuple[int, int] | None, ...]:
    return tuple(_stamp_of(path) for path in (files.certificate, files.key, files.client_ca))


def _stamp_of(path: Path | None) -> tuple[int, int] | None:
    try:
        status = path.stat() if path else None
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_ino) if status else None


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine reach a server that listens there."""
    bare = host.strip("[]")
    try:
        found = {str(one[4][0]) for one in socket.getaddrinfo(bare, None)} if bare else set()
    except OSError:
        return False
    return bool(found) and all(ipaddress.ip_address(one.split("%")[0]).is_loopback for one in found)


def require_guarded(host: str, *, has_tls: bool, has_keys: bool, insecure: bool) -> None:
    """Raise ConfigError for a server that strangers reach and that has not both TLS and keys.

    With `insecure` say so in the log instead.
    """
    if is_loopback(host):
        return
    missing = [
        what
        for what, is_there in (
            ("every call goes over the network in the clear (set [tls])", has_tls),
            ("everybody may make every call (make a key: npc keys new)", has_keys),
        )
        if not is_there
    ]
    if not missing:
        return
    told = f"others than this machine reach {host}, and {', and '.join(missing)}"
    if not insecure:
        raise ConfigError(
            f"{told}. Do both, or listen on 127.0.0.1 behind a proxy that does; to serve so all"
            " the same, say npc serve --insecure"
        )
    logger.warning("serving --insecure: %s", told)
