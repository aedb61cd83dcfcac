"""What is said in a scene: lines of players, and of characters in answer or among themselves."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from feedback_store.privacy.policy import Policy
from feedback_store.privacy.redaction import redact
from languages.phrases import mentioned
from npc_server.dialogue import Dialogue
from npc_server.engine.protocol import Delta
from npc_server.errors import SessionBusyError
from npc_server.limits import check_count, check_short_text, check_text
from npc_server.reply_events import Started
from npc_server.replying import Call
from npc_server.scenes.performance import Emit, perform_at_once
from npc_server.scenes.scene import MAX_CHARACTERS, Member, Player, Scene
from npc_server.scenes.scene_events import Chosen, Interrupted, Rest, SceneEvent
from npc_server.scenes.scenes import MAX_TOLD_CHARACTERS, Scenes
from npc_server.scenes.speaking_order import Bid, speakers
from npc_server.scenes.transcript import Entry
from npc_server.sessions import Exchange, Session
from npc_server.situations import NOTHING, Reported
from npc_server.turns import Model
from personas.authored_fields import MAX_STOPS

MAX_LINES = 16  # of one Continue
_HEARD_SHARE = 0.25  # of the context, for what a character has heard since it spoke
_SEEDS = 1 << 32


@dataclass(frozen=True)
class Speech:
    """What a player says, to whom, and who hears it."""

    text: str
    player_id: str = ""  # "" = of the only player
    to: Sequence[str] = ()  # nobody = those whom it names
    audience: Sequence[str] = ()  # nobody = all who are there
    most_replies: int = MAX_CHARACTERS
    world: Reported = field(default_factory=dict)  # how things stand from this line on


@dataclass(frozen=True)
class _Part:
    """A reply that is about to be made."""

    member: Member
    player: Player  # whose turn it is
    bid: Bid
    exchange: Exchange
    heard_by: tuple[str, ...]
    heard_to: int  # of the scene's entries: what the exchange begins with
    call: Call


class Talking:
    """Makes what is said in scenes."""

    def __init__(
        self, scenes: Scenes, dialogue: Dialogue, model: Model, redaction: Callable[[], Policy]
    ) -> None:
        self._scenes = scenes
        self._dialogue = dialogue
        self._model = model
        self._redaction = redaction

    async def say(self, scene_id: str, speech: Speech, call: Call) -> AsyncGenerator[SceneEvent]:
        """Have characters answer a player, who interrupts whatever is being said.

        Raises UnknownSceneError, UnknownMemberError, InvalidRequestError, PromptTooLongError, and
        the engine's errors. A line to which nobody could say a word counts as not said.
        """
        scene = self._scenes.get(scene_id)
        player = scene.player(speech.player_id)
        text = redact(check_text("text", speech.text), self._redaction())
        heard_by = scene.hearers(speech.to, speech.audience)
        check_count("max_replies", speech.most_replies, MAX_CHARACTERS)
        scene.report(speech.world)
        await scene.interrupt()
        self._scenes.update_cast(scene)
        entry = scene.say(player, text, heard_by)
        bids = speakers(scene.listeners(heard_by), text, speech.to, speech.most_replies)
        parts = [self._part(scene, bid, heard_by, call, number) for number, bid in enumerate(bids)]

        async def answer(emit: Emit[SceneEvent]) -> None:
            await self._answer(scene, entry, parts, emit)

        async with aclosing(scene.perform(answer)) as events:
            async for event in events:
                yield event

    async def go_on(
        self, scene_id: str, lines: int, happened: str, call: Call, world: Reported = NOTHING
    ) -> AsyncGenerator[SceneEvent]:
        """Have characters talk among themselves; `happened` is what they see before, "" = nothing.

        Raises UnknownSceneError, SessionBusyError while something is being said,
        InvalidRequestError, PromptTooLongError, and the engine's errors.
        """
        scene = self._scenes.get(scene_id)
        check_count("lines", lines, MAX_LINES)
        if scene.busy:
            raise SessionBusyError("something is being said in the scene; wait for it or cancel it")
        self._scenes.update_cast(scene)
        scene.report(world)
        if happened:
            text = check_short_text("event", happened, MAX_TOLD_CHARACTERS)
            scene.happen(redact(text, self._redaction()), scene.members)

        async def talk(emit: Emit[SceneEvent]) -> None:
            await self._talk(scene, lines, call, emit)

        async with aclosing(scene.perform(talk)) as events:
            async for event in events:
                yield event

    async def _answer(
        self, scene: Scene, entry: Entry, parts: Sequence[_Part], emit: Emit[SceneEvent]
    ) -> None:
        try:
            await perform_at_once([self._speak(scene, part, emit) for part in parts])
        except Exception:
            if not any(part.exchange.takes for part in parts):
                scene.entries.remove(entry)  # its client is told to say it again
            raise
        if any(part.exchange.kept.unread for part in parts):
            scene.hush(entry)  # the guard keeps it from every model

    async def _talk(self, scene: Scene, lines: int, call: Call, emit: Emit[SceneEvent]) -> None:
        rest = Rest.INTERRUPTED
        try:
            for number in range(lines):
                heard_by = tuple(scene.members)
                bid = _next_speaker(scene)
                await self._speak(scene, self._part(scene, bid, heard_by, call, number), emit)
                if _speaks_to_a_player(scene):
                    rest = Rest.PLAYER_NAMED
                    return
            rest = Rest.LINES
        finally:
            emit(SceneEvent("", rest))

    def _part(
        self, scene: Scene, bid: Bid, heard_by: tuple[str, ...], call: Call, number: int
    ) -> _Part:
        member = scene.members[bid.character]
        room = int(self._model.reply_context * _HEARD_SHARE)
        exchange = scene.begin(member, heard_by, bid, room, self._size)
        stop = (*call.changes.get("stop", member.persona.sampling.stop), *scene.stops)[:MAX_STOPS]
        first = secrets.randbits(32) if call.seed is None else call.seed
        own = replace(
            call,
            seed=(first + number) % _SEEDS,
            changes={**call.changes, "stop": stop},
            world=scene.state_for(member),
        )
        player, end = scene.credited_player, len(scene.entries)
        return _Part(member, player, bid, exchange, heard_by, end, own)

    async def _speak(self, scene: Scene, part: _Part, emit: Emit[SceneEvent]) -> None:
        """Make a reply; what was heard of it is in the scene, whatever ends it."""
        member, who = part.member, part.member.character
        session = await self._session(scene, part)
        emit(SceneEvent(who, Chosen(session.session_id, part.bid)))
        turn_id, heard = "", ""
        scene.speaking.add(who)
        try:
            replies = self._dialogue.answer(session, part.exchange, part.call)
            async with aclosing(replies) as events:
                async for event in events:
                    turn_id = event.turn_id if isinstance(event, Started) else turn_id
                    heard += event.text if isinstance(event, Delta) else ""
                    emit(SceneEvent(who, event))
        except BaseException:
            emit(SceneEvent(who, Interrupted(turn_id, heard)))
            raise
        finally:
            scene.speaking.discard(who)
            if part.exchange.takes:
                member.heard_to = part.heard_to
                scene.turns += 1
                name = member.persona.name
                scene.entries.append(Entry(who, name, part.exchange, part.heard_by))

    async def _session(self, scene: Scene, part: _Part) -> Session:
        member, player = part.member, part.player
        session = member.sessions.get(player.player_id)
        if session is None:
            session = await self._dialogue.start_session(
                member.character, player.player_id, scene.consent, greets=False
            )
            session.scene_id = scene.scene_id
            session.exchanges = member.exchanges
            member.sessions[player.player_id] = session
        return session

    def _size(self, text: str) -> int:
        return len(self._model.tokenizer.encode(text))


def _next_speaker(scene: Scene) -> Bid:
    """Who speaks next among themselves: not the one that has just spoken, if there is another."""
    last = scene.entries[-1]
    others = [who for who in scene.members if who != last.speaker]
    (bid,) = speakers(scene.listeners(others or list(scene.members)), last.text, (), 1)
    return bid


def _speaks_to_a_player(scene: Scene) -> bool:
    return bool(mentioned(scene.entries[-1].text, scene.player_names))
