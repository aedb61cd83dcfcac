"""A server for the tests of the face."""

from collections.abc import Iterator

import pytest

from tests.support import fake_server


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over a scripted engine, in a process of its own."""
    with fake_server.child(tmp_path_factory.mktemp("server")) as (_, found):
        yield found
