"""The client without await: each method of the client, and what threads and Ctrl-C do to it."""

import inspect
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import assert_type

import grpc
import pytest

from tests.support.paths import ROOT
from troupe import Access, Client, Conversation, Reply, RpcError, SyncClient

pytestmark = pytest.mark.service


def public(kind: type) -> dict[str, object]:
    """Methods that a user may call."""
    return {name: value for name, value in inspect.getmembers(kind) if not name.startswith("_")}


@pytest.fixture
def client(address: str) -> Iterator[SyncClient]:
    """A client of that server."""
    with SyncClient(address) as made:
        yield made


def test_every_method_of_the_client_exists_without_await() -> None:
    assert public(SyncClient).keys() == public(Client).keys()
    for name, method in public(SyncClient).items():
        assert callable(method)
        assert not inspect.iscoroutinefunction(method)
        ours, theirs = inspect.signature(method), inspect.signature(getattr(Client, name))
        assert ours.parameters == theirs.parameters


def test_a_conversation_goes_through_without_await(client: SyncClient) -> None:
    client.wait_until_serving(10)
    session = assert_type(client.start_session("mira", player_id="p1"), Conversation)
    reply = assert_type(client.say(session.session_id, "Hello", seed=7), Reply)
    assert (session.character_name, reply.text) == ("Mira Holt", "reply 7")
    event_id = client.thumb(reply.turn_id, up=True)
    assert client.undo(event_id) == reply.turn_id


def test_a_stream_is_iterated_over_and_then_has_its_reply(client: SyncClient) -> None:
    session_id = client.start_session("mira", "p1").session_id
    stream = client.stream_reply(session_id, "Hello", seed=7)
    with pytest.raises(RuntimeError, match="not finished"):
        _ = stream.reply
    assert "".join(stream) == stream.reply.text == "reply 7"
    assert list(client.stream_take(session_id, stream.reply.turn_id, seed=8)) == ["reply", " 8"]


def test_a_refusal_says_status_and_reason(client: SyncClient) -> None:
    with pytest.raises(RpcError, match="gandalf") as refused:
        client.start_session("gandalf", "p1")
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


def test_threads_share_a_client(client: SyncClient) -> None:
    def talk(player: int) -> str:
        session = client.start_session("mira", f"player-{player}")
        return client.say(session.session_id, "Hello", seed=player).text

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(talk, range(40))) == [f"reply {player}" for player in range(40)]


@pytest.mark.usefixtures("ctrl_c_is_heard")
def test_ctrl_c_ends_a_call_that_waits() -> None:
    with SyncClient("127.0.0.1:1") as client:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            client.wait_until_serving(600)


def test_closing_ends_the_calls_of_other_threads() -> None:
    client = SyncClient("127.0.0.1:1")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.wait_until_serving, 60)
        threading.Event().wait(0.2)
        client.close()
        assert isinstance(waiting.exception(10), CancelledError)


def test_a_closed_client_says_so() -> None:
    client = SyncClient("127.0.0.1:1")
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.stats()


def test_the_client_is_not_called_from_its_own_callback(client: SyncClient) -> None:
    session_id = client.start_session("mira", "p1").session_id
    with pytest.raises(RuntimeError, match="on_text"):
        client.say(session_id, "Hello", on_text=lambda _: print(client.stats()))


def test_a_wrong_address_fails_at_once() -> None:
    with pytest.raises((TypeError, AttributeError)):
        SyncClient(7749)  # type: ignore[arg-type]


def test_a_process_that_closes_nothing_ends(address: str) -> None:
    code = (
        "import sys; from troupe import SyncClient; client = SyncClient(sys.argv[1]);"
        "stream = client.stream_reply(client.start_session('mira', 'p1').session_id, 'Hello');"
        "print(next(stream))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, address], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "reply\n", "")


def test_a_file_of_its_access_that_cannot_be_read_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        SyncClient("127.0.0.1:1", Access(tls=True, ca=tmp_path / "none.pem"))
