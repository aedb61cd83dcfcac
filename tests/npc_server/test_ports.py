"""Ports that another program has are refused before a model is loaded."""

import socket
from collections.abc import Iterator

import pytest

from npc_server.errors import ConfigError
from npc_server.ports import require_free


def listening(host: str) -> socket.socket:
    """A listener on a free port of one address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):  # as gRPC does by default
        listener.setsockopt(socket.SOL_SOCKET, option, 1)
    listener.bind((host, 0))
    listener.listen()
    return listener


@pytest.fixture(params=["127.0.0.1", "::1"])
def taken(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    if request.param == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with listening(request.param) as listener:
        yield request.param, listener.getsockname()[1]


def test_a_taken_port_is_refused_under_every_name_that_reaches_it(taken: tuple[str, int]) -> None:
    own, port = taken
    for host in (own, f"[{own}]", "0.0.0.0", "[::]"):
        with pytest.raises(ConfigError, match="is another server running"):
            require_free(host, port)


def test_a_port_that_was_just_given_back_is_free() -> None:
    with listening("127.0.0.1") as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            listener.accept()[0].close()  # leaves the port waiting
    require_free("127.0.0.1", port)


def test_any_port_is_free() -> None:
    require_free("127.0.0.1", 0)


def test_a_host_that_is_none_says_so() -> None:
    with pytest.raises(ConfigError, match=r"correct \[server\] host"):
        require_free("no.such.host.invalid", 7749)
