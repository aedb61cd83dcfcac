"""Something happens in a scene, and a character speaks of it without a player's line.

Who does, and to what, is decided by `cues`. What the game tells stands in the transcript for all
who notice it, what a trigger tells for its character alone, which its author wrote it for; the line
is heard by all of them. If it never began, nothing has happened. A trigger rests in the scene as it
does in a talk of two, each character's own.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial

from feedback_store.privacy.policy import Policy
from npc_server.errors import InvalidRequestError
from npc_server.replying import Call
from npc_server.scenes.cues import Cued, Witness, speaker_of
from npc_server.scenes.delivery import Delivery
from npc_server.scenes.performance import Emit
from npc_server.scenes.repeated_calls import (
    ANSWERED,
    lines_in,
    require_open,
    stream_again,
    under_id,
)
from npc_server.scenes.scene import Scene
from npc_server.scenes.scene_events import SceneEvent
from npc_server.scenes.scenes import Scenes
from npc_server.scenes.speaking_order import Listener
from npc_server.scenes.transcript import Entry
from npc_server.situations import Reported
from npc_server.triggering import Happening, admissible
from personas.triggers import Quiet


@dataclass(frozen=True)
class Occurrence:
    """What happens in a scene, who is to speak of it, and who notices."""

    happening: Happening
    character: str = ""  # "" = whoever has most reason to
    audience: Sequence[str] = ()  # nobody = all who are there
    world: Reported = field(default_factory=dict)  # how things stand from now on


class SceneTriggers:
    """Has characters speak of what happens."""

    def __init__(self, scenes: Scenes, delivery: Delivery, redaction: Callable[[], Policy]) -> None:
        self._scenes = scenes
        self._delivery = delivery
        self._redaction = redaction

    async def trigger(
        self, scene_id: str, occurrence: Occurrence, call: Call, trigger_id: str | None = None
    ) -> AsyncGenerator[SceneEvent]:
        """Have a character speak of what happens, or tell why nobody does.

        The same `trigger_id` is the same call. Raises UnknownSceneError, UnknownMemberError,
        SessionBusyError while something is being said, InvalidRequestError, also for an event that
        nobody waits for and that nothing is told of, PromptTooLongError, NotLatestTurnError for a
        line that was interrupted before others, and the engine's errors.
        """
        scene = await self._scenes.get_clean(scene_id)
        happening = admissible(occurrence.happening, self._redaction())
        told = replace(occurrence, happening=happening)
        seed = secrets.randbits(32) if call.seed is None else call.seed
        own = replace(under_id(call, "trigger", trigger_id), seed=seed)
        await scene.settle_call(own.call_id)
        if own.call_id not in scene.calls:
            await scene.settle()
            self._scenes.require_open(scene)
        _require_same(scene.entries_of(own.call_id), told)
        async with aclosing(self._replies(scene, told, own)) as events:
            async for event in events:
                yield event

    def _replies(self, scene: Scene, told: Occurrence, call: Call) -> AsyncGenerator[SceneEvent]:
        said = scene.entries_of(call.call_id)
        if call.call_id in scene.calls:
            return stream_again(scene, said, call.call_id)
        require_open(scene, said)
        if said:
            return scene.perform(partial(self._speak_again, scene, said, call), call.call_id)
        notice = scene.hearers([told.character] if told.character else (), told.audience)
        scene.report(told.world)
        self._scenes.update_cast(scene)
        outcome = _outcome(scene, told, notice, call.seed or 0)
        return scene.perform(partial(self._speak_of, scene, outcome, notice, call), call.call_id)

    async def _speak_of(
        self,
        scene: Scene,
        outcome: Cued | Quiet,
        notice: tuple[str, ...],
        call: Call,
        emit: Emit[SceneEvent],
    ) -> None:
        if isinstance(outcome, Quiet):
            emit(SceneEvent("", outcome))
            scene.note_end(call.call_id, outcome.value)
            return
        begun_s, fired = time.monotonic(), outcome.fired
        (part,) = await self._delivery.parts(
            scene, [outcome.bid], notice, call, cued=fired.exchange
        )
        seen_by = notice if outcome.shared else (outcome.bid.character,)
        happened = scene.happen(fired.told, seen_by, call.call_id) if fired.told else None
        try:
            await self._delivery.speak(scene, replace(part, heard_to=len(scene.entries)), emit)
        finally:
            if happened and not part.exchange.takes:
                scene.unsay(happened)
            if fired.trigger and part.exchange.takes:
                part.member.story.fired_at_s[fired.trigger] = begun_s
        scene.note_end(call.call_id, ANSWERED)

    async def _speak_again(
        self, scene: Scene, said: Sequence[Entry], call: Call, emit: Emit[SceneEvent]
    ) -> None:
        """Say once more what was broken off."""
        (line,) = lines_in(said)
        await self._delivery.speak(scene, self._delivery.part_again(scene, line, call), emit)
        scene.note_end(call.call_id, ANSWERED)


def _outcome(scene: Scene, told: Occurrence, notice: Sequence[str], seed: int) -> Cued | Quiet:
    witnesses = [_witness(scene, listener) for listener in scene.listeners(notice)]
    patience = scene.limits.patience
    return speaker_of(witnesses, told.character, told.happening, time.monotonic(), seed, patience)


def _witness(scene: Scene, listener: Listener) -> Witness:
    member = scene.members[listener.persona.id]
    return Witness(listener, scene.standing_for(member), member.story.fired_at_s)


def _require_same(said: Sequence[Entry], told: Occurrence) -> None:
    for line in lines_in(said):
        cue, asked = line.exchange.cue if line.exchange else None, told.happening
        same = cue and (cue.event, asked.verbatim or cue.verbatim) == (asked.event, cue.verbatim)
        if not same or line.speaker != (told.character or line.speaker):
            raise InvalidRequestError(
                "trigger_id was sent with another event, words or character before;"
                " a new one needs a new id"
            )
