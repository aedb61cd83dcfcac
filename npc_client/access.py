"""How a client gets in: over TLS or not, with a key or without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

#: A key or token, or what returns the one to send with the next call, as tokens run out.
Key = str | Callable[[], str]


@dataclass(frozen=True)
class Access:
    """What a client shows, and whom it trusts."""

    key: Key = ""  # "" = none is sent
    tls: bool = False
    ca: Path | None = None  # PEM file of the authorities to trust; None = those of gRPC
    certificate: Path | None = None  # PEM file of the client's own; None = it shows none
    certificate_key: Path | None = None


OPEN = Access()


def open_channel(address: str, access: Access) -> grpc.aio.Channel:
    """A channel to a server. Raises OSError for a file that cannot be read."""
    if not access.tls:
        return grpc.aio.insecure_channel(address)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=_read(access.ca),
        private_key=_read(access.certificate_key),
        certificate_chain=_read(access.certificate),
    )
    return grpc.aio.secure_channel(address, credentials)


def with_key(channel: grpc.aio.Channel, key: Key) -> Any:
    """The channel as stubs take it, every call on which brings the key."""
    return _KeyedChannel(channel, key) if key else channel


class _KeyedChannel:
    """Makes calls of a channel that bring a key, in the four ways that there are."""

    def __init__(self, channel: Any, key: Key) -> None:
        self._channel = channel
        self._key = key

    def unary_unary(self, *how: Any, **options: Any) -> Callable[..., Any]:
        return self._bring_key(self._channel.unary_unary(*how, **options))

    def unary_stream(self, *how: Any, **options: Any) -> Callable[..., Any]:
        return self._bring_key(self._channel.unary_stream(*how, **options))

    def stream_unary(self, *how: Any, **options: Any) -> Callable[..., Any]:
        return self._bring_key(self._channel.stream_unary(*how, **options))

    def stream_stream(self, *how: Any, **options: Any) -> Callable[..., Any]:
        return self._bring_key(self._channel.stream_stream(*how, **options))

    def _bring_key(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def call_with_key(*arguments: Any, **options: Any) -> Any:
            shown = self._key if isinstance(self._key, str) else self._key()
            return call(*arguments, metadata=(("authorization", f"Bearer {shown}"),), **options)

        return call_with_key


def _read(file: Path | None) -> bytes | None:
    return file.read_bytes() if file else None
