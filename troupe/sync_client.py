"""The client for code that does not await.

`SyncClient` runs a `Client` on an event loop in a thread of its own and waits for its results. Each
method is made from the client's, so both have the same parameters, types and documentation.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from npc_client.access import OPEN, Access
from npc_client.client import Action, Client, Emotion, Reply, ReplyStream

P = ParamSpec("P")
ResultT = TypeVar("ResultT")


def blocking(
    method: Callable[Concatenate[Client, P], Coroutine[Any, Any, ResultT]],
) -> Callable[Concatenate[SyncClient, P], ResultT]:
    """The method that waits for the result of `method`."""

    @functools.wraps(method)
    def call(self: SyncClient, /, *args: P.args, **kwargs: P.kwargs) -> ResultT:
        return self._run(lambda client: method(client, *args, **kwargs))

    return call


def streaming(
    method: Callable[Concatenate[Client, P], ReplyStream],
) -> Callable[Concatenate[SyncClient, P], SyncReplyStream]:
    """The method whose stream is iterated over without awaiting."""

    @functools.wraps(method)
    def call(self: SyncClient, /, *args: P.args, **kwargs: P.kwargs) -> SyncReplyStream:
        async def start(client: Client) -> ReplyStream:
            return method(client, *args, **kwargs)

        return SyncReplyStream(self, self._run(start))

    return call


class SyncClient:
    """Talks to one server; any number of threads may share it.

    Use it as a context manager, or call `close`. Ctrl-C during a call cancels it on the
    server. A call cut off by another thread's `close` raises `concurrent.futures.CancelledError`.
    """

    def __init__(self, address: str, access: Access = OPEN) -> None:
        """Raises OSError for a file of `access` that cannot be read."""
        self.address = address
        self._lock = threading.Lock()  # nothing is handed to a loop that is about to end
        self._connection = _connect(address, access)
        self._end = weakref.finalize(self, self._connection.end)

    def __enter__(self) -> SyncClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the channel; calls that are running are cancelled."""
        with self._lock:
            self._end()

    def _run(self, start: Callable[[Client], Coroutine[Any, Any, ResultT]]) -> ResultT:
        if threading.current_thread() is self._connection.thread:
            raise RuntimeError("`on_text` cannot call the client: it runs in the client's thread")
        with self._lock:
            if not self._end.alive:
                raise RuntimeError("this client is closed")
            coroutine = start(self._connection.client)
            future = asyncio.run_coroutine_threadsafe(coroutine, self._connection.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C; of no effect on a call that failed
            raise

    wait_until_serving = blocking(Client.wait_until_serving)
    has_characters = blocking(Client.has_characters)
    start_session = blocking(Client.start_session)
    update_context = blocking(Client.update_context)
    checkpoint = blocking(Client.checkpoint)
    restore = blocking(Client.restore)
    memory = blocking(Client.memory)
    forget = blocking(Client.forget)
    end_session = blocking(Client.end_session)
    say = blocking(Client.say)
    regenerate = blocking(Client.regenerate)
    stream_reply = streaming(Client.stream_reply)
    stream_take = streaming(Client.stream_take)
    trigger = blocking(Client.trigger)
    start_scene = blocking(Client.start_scene)
    say_in_scene = blocking(Client.say_in_scene)
    continue_scene = blocking(Client.continue_scene)
    trigger_in_scene = blocking(Client.trigger_in_scene)
    join_scene = blocking(Client.join_scene)
    join_scene_as_player = blocking(Client.join_scene_as_player)
    leave_scene = blocking(Client.leave_scene)
    checkpoint_scene = blocking(Client.checkpoint_scene)
    restore_scene = blocking(Client.restore_scene)
    end_scene = blocking(Client.end_scene)
    barks = blocking(Client.barks)
    report_action = blocking(Client.report_action)
    thumb = blocking(Client.thumb)
    choose = blocking(Client.choose)
    edit = blocking(Client.edit)
    rate = blocking(Client.rate)
    outcome = blocking(Client.outcome)
    signal = blocking(Client.signal)
    submit = blocking(Client.submit)
    submit_batch = blocking(Client.submit_batch)
    undo = blocking(Client.undo)
    personas = blocking(Client.personas)
    persona = blocking(Client.persona)
    validate_persona = blocking(Client.validate_persona)
    persona_status = blocking(Client.persona_status)
    adapters = blocking(Client.adapters)
    promote = blocking(Client.promote)
    rollback = blocking(Client.rollback)
    stats = blocking(Client.stats)
    mint_token = blocking(Client.mint_token)


class SyncReplyStream:
    """A reply while it is generated: iterate over its text, then read `reply`.

    Dropping the stream before its end, or `cancel`, interrupts the reply on the server. A link that
    breaks before the first text came is tried again; one that breaks later raises: the line may be
    sent again under `call_id`.
    """

    def __init__(self, client: SyncClient, stream: ReplyStream) -> None:
        self._client = client
        self._stream = stream
        self.call_id = stream.call_id  # the line's or take's id

    @property
    def reply(self) -> Reply:
        """The whole reply. Raises RuntimeError until the iteration has ended."""
        return self._stream.reply

    @property
    def emotion(self) -> Emotion | None:
        """What the character feels; None until it is told, and where it shows nothing."""
        return self._stream.emotion

    @property
    def action(self) -> Action | None:
        """What the character does; None until it is told, and where it does nothing."""
        return self._stream.action

    def cancel(self) -> None:
        """Interrupt the reply on the server, if it is still running."""
        self._client._connection.call_soon(self._stream.cancel)

    def __iter__(self) -> SyncReplyStream:
        return self

    def __next__(self) -> str:
        try:
            return self._client._run(lambda _: self._stream.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def __del__(self) -> None:
        self.cancel()


@dataclass(frozen=True)
class _Connection:
    """A client on an event loop that runs in a thread until `stop` is set."""

    client: Client
    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event
    thread: threading.Thread

    def call_soon(self, function: Callable[[], object]) -> None:
        """Let the loop call `function`, unless the loop has ended."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(function)

    def end(self) -> None:
        """Close the client and wait for its thread."""
        self.call_soon(self.stop.set)
        if threading.current_thread() is not self.thread:  # where the garbage collector may run
            self.thread.join()


async def _hold(address: str, access: Access, connected: Future[_Connection]) -> None:
    stop = asyncio.Event()
    try:
        client = Client(address, access)
    except Exception as error:  # such as an address that is no text
        connected.set_exception(error)
        return
    async with client:
        loop, thread = asyncio.get_running_loop(), threading.current_thread()
        connected.set_result(_Connection(client, loop, stop, thread))
        await stop.wait()


def _connect(address: str, access: Access) -> _Connection:
    connected: Future[_Connection] = Future()
    coroutine = _hold(address, access, connected)
    threading.Thread(target=asyncio.run, args=[coroutine], name="troupe", daemon=True).start()
    return connected.result()
