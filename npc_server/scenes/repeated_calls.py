"""Calls of a scene that are sent again under their id: nothing is said twice.

What a call had said is streamed again once it has ended; what was broken off goes on, as long as
nothing else has been said or has happened since.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from npc_server.errors import NotLatestTurnError, SessionBusyError
from npc_server.limits import check_id
from npc_server.replying import Call
from npc_server.scenes.scene import Scene
from npc_server.scenes.scene_events import Chosen, Rest, SceneEvent
from npc_server.scenes.transcript import Entry
from personas.triggers import Quiet

ANSWERED = "answered"  # why a call ended that had no more to tell


def under_id(call: Call, kind: str, client_id: str | None) -> Call:
    """The call under its id; calls of other kinds may have the same one. InvalidRequestError."""
    if client_id is None:
        return call
    return replace(call, call_id=f"{kind} {check_id(f'{kind}_id', client_id)}")


def require_open(scene: Scene, said: Sequence[Entry]) -> None:
    """Refuse to go on where others speak, or have spoken since."""
    if scene.busy:
        raise SessionBusyError("something is being said in the scene; wait for it or cancel it")
    if said and scene.entries[-1] is not said[-1]:
        raise NotLatestTurnError(
            "what was said for this call was interrupted, and the scene has gone on since;"
            " say it again under a new id"
        )


async def stream_again(
    scene: Scene, said: Sequence[Entry], call_id: str
) -> AsyncGenerator[SceneEvent]:
    """What was said for a call that has ended."""
    for entry in lines_in(said):
        assert entry.spoken is not None
        answer = entry.exchange.answer_to(call_id) if entry.exchange else None
        if answer is not None:
            session_id = entry.spoken.session.session_id
            yield SceneEvent(entry.speaker, Chosen(session_id, entry.spoken.bid))
            for event in answer.events:
                yield SceneEvent(entry.speaker, event)
    if end := _end_of(scene.calls[call_id]):
        yield SceneEvent("", end)


def _end_of(why: str) -> Rest | Quiet | None:
    """What a call told at its end; None = nothing."""
    if why in set(Quiet):
        return Quiet(why)
    return Rest(why) if why in set(Rest) else None


def lines_in(said: Sequence[Entry]) -> list[Entry]:
    """Those that characters said."""
    return [entry for entry in said if entry.spoken is not None]
