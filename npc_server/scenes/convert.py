"""Conversions between the messages of scenes and our dataclasses."""

from __future__ import annotations

from collections.abc import Sequence

from npc.v1 import scenes_pb2
from npc_server.convert.dialogue import sampling_changes, world_report
from npc_server.convert.replies import reply_event
from npc_server.errors import InvalidRequestError
from npc_server.replying import Call
from npc_server.scenes.barks import Bark
from npc_server.scenes.scene import Member
from npc_server.scenes.scene_events import Chosen, Interrupted, Rest, SceneEvent
from npc_server.scenes.scenes import Newcomer
from npc_server.scenes.speaking_order import Because, Reason
from npc_server.scenes.talking import Speech
from npc_server.scenes.transcript import Entry
from npc_server.scenes.triggers import Occurrence
from npc_server.triggering import Happening
from personas.triggers import Quiet

_BECAUSE = {
    Because.ADDRESSED: scenes_pb2.CHOSEN_BECAUSE_ADDRESSED,
    Because.NAMED: scenes_pb2.CHOSEN_BECAUSE_NAMED,
    Because.RELEVANT: scenes_pb2.CHOSEN_BECAUSE_RELEVANT,
    Because.SILENT: scenes_pb2.CHOSEN_BECAUSE_SILENT,
    Because.SPOKE_LAST: scenes_pb2.CHOSEN_BECAUSE_SPOKE_LAST,
    Because.TRIGGERED: scenes_pb2.CHOSEN_BECAUSE_TRIGGERED,
}
_RESTS = {
    Rest.LINES: scenes_pb2.REST_BECAUSE_LINES,
    Rest.PLAYER_NAMED: scenes_pb2.REST_BECAUSE_PLAYER_NAMED,
    Rest.INTERRUPTED: scenes_pb2.REST_BECAUSE_INTERRUPTED,
}


def newcomer(player: scenes_pb2.ScenePlayer) -> Newcomer:
    """A player who comes into a scene."""
    return Newcomer(player.player_id, player.name, player.training_consent)


def speech(request: scenes_pb2.SayInSceneRequest) -> Speech:
    """What a player says."""
    most = request.max_replies if request.HasField("max_replies") else None
    world = world_report(request.world)
    return Speech(request.text, request.player_id, request.to, request.audience, most, world)


def occurrence(request: scenes_pb2.TriggerInSceneRequest) -> Occurrence:
    """What happens, and who notices."""
    happening = Happening(request.event, request.text, request.verbatim)
    world = world_report(request.world)
    return Occurrence(happening, request.character, request.audience, world)


def call_of(
    request: scenes_pb2.SayInSceneRequest
    | scenes_pb2.ContinueRequest
    | scenes_pb2.TriggerInSceneRequest,
) -> Call:
    """How the replies are drawn. Raises InvalidRequestError."""
    seed = request.seed if request.HasField("seed") else None
    return Call("", seed, sampling_changes(request.sampling))


def member_message(member: Member, adapter_version: str) -> scenes_pb2.SceneMember:
    """A character of a scene."""
    return scenes_pb2.SceneMember(
        character=member.character,
        character_name=member.persona.name,
        persona_version=member.persona.version,
        adapter_version=adapter_version,
    )


def scene_event(event: SceneEvent) -> scenes_pb2.SceneEvent:
    """One message of a scene's stream."""
    match event.event:
        case Chosen() as chosen:
            return scenes_pb2.SceneEvent(speaker=event.speaker, chosen=_chosen_message(chosen))
        case Interrupted(turn_id, text):
            broken = scenes_pb2.Interrupted(turn_id=turn_id, text=text)
            return scenes_pb2.SceneEvent(speaker=event.speaker, interrupted=broken)
        case Rest() as why:
            return scenes_pb2.SceneEvent(rest=scenes_pb2.Rest(because=_RESTS[why]))
        case Quiet() as why_not:
            return scenes_pb2.SceneEvent(silence=reply_event(why_not).silence)
        case reply:
            said = reply_event(reply)
            return scenes_pb2.SceneEvent(speaker=event.speaker, reply=said)


def lived_lines(entries: Sequence[Entry]) -> list[scenes_pb2.LivedLine]:
    """What was said in a scene and has happened, as its players lived through it."""
    seen = (entry for entry in entries if entry.text.strip() and not entry.to_one)
    return [
        scenes_pb2.LivedLine(
            speaker=entry.speaker if entry.spoken else "",
            name=entry.name,
            text=entry.text,
            turn_id=entry.exchange.kept.turn_id if entry.exchange else "",
            interrupted=bool(entry.exchange and entry.exchange.kept.broken_off),
            heard_by=entry.hearers,
        )
        for entry in seen
    ]


def barks_response(barks: Sequence[Bark]) -> scenes_pb2.BarksResponse:
    """The response to Barks."""
    made = (
        scenes_pb2.Bark(
            character=bark.character, text=bark.text, adapter_version=bark.adapter_version
        )
        for bark in barks
    )
    return scenes_pb2.BarksResponse(barks=made)


def who_of(request: scenes_pb2.JoinRequest | scenes_pb2.LeaveRequest) -> str:
    """The field that says who comes or goes. Raises InvalidRequestError when none is set."""
    which = request.WhichOneof("who")
    if which is None:
        raise InvalidRequestError("neither a character nor a player is set; say who")
    return str(which)


def _chosen_message(chosen: Chosen) -> scenes_pb2.Chosen:
    why = [_reason(reason) for reason in chosen.bid.reasons]
    return scenes_pb2.Chosen(session_id=chosen.session_id, score=chosen.bid.score, why=why)


def _reason(reason: Reason) -> scenes_pb2.WhyChosen:
    return scenes_pb2.WhyChosen(
        because=_BECAUSE[reason.because], points=reason.points, detail=reason.detail
    )
