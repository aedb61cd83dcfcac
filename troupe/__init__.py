"""Troupe for Python: a client that awaits, and one that does not.

    from troupe import SyncClient

    with SyncClient("127.0.0.1:7749") as client:
        session = client.start_session("mira", player_id="player-17")
        for text in client.stream_reply(session.session_id, "Good morning!"):
            print(text, end="", flush=True)

A line whose answer was lost on the way is sent again by itself, and counts once. To talk over the
character, `cancel` the stream and say the next line.

With `Client` the same reads `async with`, `await` and `async for`. A refused call raises
`RpcError`: its `code()` is one of the contract's statuses, its `details()` say why.
"""

from grpc.aio import AioRpcError as RpcError

from npc_client.client import (
    Access,
    Action,
    Bark,
    Client,
    Conversation,
    Emotion,
    EventStatus,
    LivedExchange,
    LivedLine,
    Notes,
    PlayerToken,
    Remembered,
    RememberedFact,
    RememberedTalk,
    Reply,
    ReplyStream,
    Restored,
    RestoredScene,
    SamplingOverrides,
    Scene,
    SceneLine,
    SceneMember,
    SceneTalk,
    ServerNotReadyError,
    Silence,
    SubmitRequest,
    ToldNote,
    Written,
    new_event,
    new_event_id,
    new_line_id,
)
from troupe.sync_client import SyncClient, SyncReplyStream
from troupe.version import __version__

__all__ = [
    "Access",
    "Action",
    "Bark",
    "Client",
    "Conversation",
    "Emotion",
    "EventStatus",
    "LivedExchange",
    "LivedLine",
    "Notes",
    "PlayerToken",
    "Remembered",
    "RememberedFact",
    "RememberedTalk",
    "Reply",
    "ReplyStream",
    "Restored",
    "RestoredScene",
    "RpcError",
    "SamplingOverrides",
    "Scene",
    "SceneLine",
    "SceneMember",
    "SceneTalk",
    "ServerNotReadyError",
    "Silence",
    "SubmitRequest",
    "SyncClient",
    "SyncReplyStream",
    "ToldNote",
    "Written",
    "__version__",
    "new_event",
    "new_event_id",
    "new_line_id",
]
