"""What is said in a scene: lines of players, and of characters in answer or among themselves.

A call may have an id. Under the same id it is the same call: what it had said is streamed again,
and what was broken off is said anew, as long as nothing else has been said since.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

from feedback_store.privacy.policy import Policy
from feedback_store.privacy.redaction import redact
from languages.phrases import mentioned
from npc_server.errors import InvalidRequestError
from npc_server.limits import check_count, check_short_text, check_text
from npc_server.replying import Call
from npc_server.scenes.delivery import Delivery
from npc_server.scenes.performance import Emit, perform_at_once
from npc_server.scenes.repeated_calls import (
    ANSWERED,
    lines_in,
    require_open,
    stream_again,
    under_id,
)
from npc_server.scenes.scene import Scene
from npc_server.scenes.scene_events import Rest, SceneEvent
from npc_server.scenes.scenes import MAX_TOLD_CHARACTERS, Scenes
from npc_server.scenes.speaking_order import Bid, speakers
from npc_server.scenes.transcript import Entry
from npc_server.situations import NOTHING, Reported


@dataclass(frozen=True)
class Speech:
    """What a player says, to whom, and who hears it."""

    text: str
    player_id: str = ""  # "" = of the only player
    to: Sequence[str] = ()  # nobody = those whom it names
    audience: Sequence[str] = ()  # nobody = all who are there
    most_replies: int | None = None  # None = as many as are called upon
    world: Reported = field(default_factory=dict)  # how things stand from this line on


class Talking:
    """Makes what is said in scenes."""

    def __init__(self, scenes: Scenes, delivery: Delivery, redaction: Callable[[], Policy]) -> None:
        self._scenes = scenes
        self._delivery = delivery
        self._redaction = redaction

    async def say(
        self, scene_id: str, speech: Speech, call: Call, line_id: str | None = None
    ) -> AsyncGenerator[SceneEvent]:
        """Have characters answer a player, who interrupts whatever is being said.

        The same `line_id` is the same line. Raises UnknownSceneError, UnknownMemberError,
        InvalidRequestError, PromptTooLongError, NotLatestTurnError for a line that was interrupted
        before later ones, SessionBusyError while such a line is being said, and the engine's
        errors. A line to which nobody could say a word counts as not said.
        """
        scene = await self._scenes.get_clean(scene_id)
        player = scene.player(self._scenes.pseudonym_of(scene, speech.player_id))
        text = redact(check_text("text", speech.text), self._redaction())
        heard_by = scene.hearers(speech.to, speech.audience)
        most = scene.limits.characters if speech.most_replies is None else speech.most_replies
        check_count("max_replies", most, scene.limits.characters)
        own = under_id(call, "line", line_id)
        await scene.settle_call(own.call_id)
        if not scene.entries_of(own.call_id):
            scene.report(speech.world)
            await self._scenes.interrupt(scene)
        said = scene.entries_of(own.call_id)
        if own.call_id in scene.calls:
            _require_same(said[0], text)
            replies = stream_again(scene, said, own.call_id)
        else:
            self._scenes.update_cast(scene)
            if said:
                _require_same(said[0], text)
                require_open(scene, said)
            else:
                said = [scene.say(player, text, heard_by, own.call_id)]
            bids = _bids(scene, said, speech.to, most)
            replies = scene.perform(partial(self._answer, scene, said, bids, own), own.call_id)
        async with aclosing(replies) as events:
            async for event in events:
                yield event

    async def go_on(
        self,
        scene_id: str,
        lines: int,
        happened: str,
        call: Call,
        world: Reported = NOTHING,
        continue_id: str | None = None,
    ) -> AsyncGenerator[SceneEvent]:
        """Have characters talk among themselves; `happened` is what they see before, "" = nothing.

        The same `continue_id` is the same call. Raises UnknownSceneError, SessionBusyError while
        something is being said, InvalidRequestError, PromptTooLongError, NotLatestTurnError as
        `say`, and the engine's errors.
        """
        scene = await self._scenes.get_clean(scene_id)
        check_count("lines", lines, scene.limits.lines)
        own = under_id(call, "continue", continue_id)
        await scene.settle_call(own.call_id)
        if own.call_id not in scene.calls:
            await scene.settle()
            self._scenes.require_open(scene)
        said = scene.entries_of(own.call_id)
        if own.call_id in scene.calls:
            replies = stream_again(scene, said, own.call_id)
        else:
            require_open(scene, said)
            if not said:
                self._begin_talk(scene, happened, own, world)
            replies = scene.perform(partial(self._talk, scene, lines, own), own.call_id)
        async with aclosing(replies) as events:
            async for event in events:
                yield event

    def _begin_talk(self, scene: Scene, happened: str, call: Call, world: Reported) -> None:
        text = check_short_text("event", happened, MAX_TOLD_CHARACTERS) if happened else ""
        scene.report(world)
        self._scenes.update_cast(scene)
        if text:
            scene.happen(redact(text, self._redaction()), scene.members, call.call_id)

    async def _answer(
        self,
        scene: Scene,
        said: Sequence[Entry],
        bids: Sequence[Bid],
        call: Call,
        emit: Emit[SceneEvent],
    ) -> None:
        """Answer a line; `said` holds it, and what it was answered before the call came again."""
        line, *answers = said
        again = [self._delivery.part_again(scene, entry, call) for entry in answers]
        parts = [*again, *await self._delivery.parts(scene, bids, line.hearers, call)]
        try:
            await perform_at_once([self._delivery.speak(scene, part, emit) for part in parts])
        except Exception:
            if not any(part.exchange.takes for part in parts):
                scene.unsay(line)  # its client is told to say it again
            raise
        if any(part.exchange.kept.unread for part in parts):
            scene.hush(line)  # the guard keeps it from every model
        scene.note_end(call.call_id, ANSWERED)

    async def _talk(self, scene: Scene, lines: int, call: Call, emit: Emit[SceneEvent]) -> None:
        """Say lines up to so many, those that were said before the call came again among them."""
        rest = Rest.INTERRUPTED
        try:
            before = lines_in(scene.entries_of(call.call_id))
            for entry in before:
                await self._delivery.speak(
                    scene, self._delivery.part_again(scene, entry, call), emit
                )
            for number in range(len(before), lines):
                if number and _speaks_to_a_player(scene):
                    break
                bid = _next_speaker(scene)
                (part,) = await self._delivery.parts(
                    scene, [bid], tuple(scene.members), call, number
                )
                await self._delivery.speak(scene, part, emit)
            rest = Rest.PLAYER_NAMED if _speaks_to_a_player(scene) else Rest.LINES
            scene.note_end(call.call_id, rest.value)
        finally:
            emit(SceneEvent("", rest))


def _bids(scene: Scene, said: Sequence[Entry], to: Sequence[str], most: int) -> list[Bid]:
    """Who is still to answer a line, of which `said` holds the answers behind it."""
    line, *answers = said
    listeners = scene.listeners(line.hearers)
    bids = speakers(listeners, line.text, to, most, scene.limits.patience)
    answered = {entry.speaker for entry in answers}
    left = [bid for bid in bids if bid.character not in answered]
    return left if not answered else [bid for bid in left if bid.called]


def _require_same(line: Entry, text: str) -> None:
    if line.text != text:
        raise InvalidRequestError(
            "line_id was sent with another text before; a new line needs a new id"
        )


def _next_speaker(scene: Scene) -> Bid:
    """Who speaks next among themselves: not the one that has just spoken, if there is another."""
    last = scene.entries[-1]
    others = [who for who in scene.members if who != last.speaker]
    listeners = scene.listeners(others or list(scene.members))
    (bid,) = speakers(listeners, last.text, (), 1, scene.limits.patience)
    return bid


def _speaks_to_a_player(scene: Scene) -> bool:
    return bool(mentioned(scene.entries[-1].text, scene.player_names))
