"""What is said in a scene: lines of players, and of characters in answer or among themselves.

A call may have an id. Under the same id it is the same call: what it had said is streamed again,
and what was broken off is said anew, as long as nothing else has been said since.
"""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from feedback_store.privacy.policy import Policy
from feedback_store.privacy.redaction import redact
from feedback_store.records import Session as SessionRecord
from languages.phrases import mentioned
from npc_server.dialogue import Dialogue
from npc_server.engine.protocol import Delta
from npc_server.errors import InvalidRequestError, NotLatestTurnError, SessionBusyError
from npc_server.limits import check_count, check_id, check_short_text, check_text
from npc_server.reply_events import Finished, ReplyEvent, Started
from npc_server.replying import Call
from npc_server.scenes.performance import Emit, perform_at_once
from npc_server.scenes.scene import Member, Player, Scene
from npc_server.scenes.scene_events import Chosen, Interrupted, Rest, SceneEvent
from npc_server.scenes.scenes import MAX_TOLD_CHARACTERS, Scenes
from npc_server.scenes.speaking_order import Bid, speakers
from npc_server.scenes.transcript import Entry, Spoken
from npc_server.sessions import Exchange, Session
from npc_server.situations import NOTHING, Reported
from npc_server.turns import Model
from personas.authored_fields import MAX_STOPS

_HEARD_SHARE = 0.25  # of the context, for what a character has heard since it spoke
_SEEDS = 1 << 32
_ANSWERED = "answered"  # why a call of a player ended


@dataclass(frozen=True)
class Speech:
    """What a player says, to whom, and who hears it."""

    text: str
    player_id: str = ""  # "" = of the only player
    to: Sequence[str] = ()  # nobody = those whom it names
    audience: Sequence[str] = ()  # nobody = all who are there
    most_replies: int | None = None  # None = as many as are called upon
    world: Reported = field(default_factory=dict)  # how things stand from this line on


@dataclass(frozen=True)
class _Part:
    """A reply that is about to be made."""

    member: Member
    spoken: Spoken
    exchange: Exchange
    heard_by: tuple[str, ...]
    heard_to: int  # of the scene's entries: what the exchange begins with
    call: Call


@dataclass
class _Hearing:
    """What is heard of a reply while it is made."""

    speaker: str
    emit: Emit[SceneEvent]
    turn_id: str = ""  # "" = it has not started
    text: str = ""
    ended: bool = False

    def hear(self, event: ReplyEvent) -> None:
        """Pass an event on."""
        self.turn_id = event.turn_id if isinstance(event, Started) else self.turn_id
        self.text += event.text if isinstance(event, Delta) else ""
        self.ended = isinstance(event, Finished)
        self.emit(SceneEvent(self.speaker, event))

    async def hear_out(self, replies: AsyncGenerator[ReplyEvent]) -> None:
        """Pass all events on."""
        async with aclosing(replies) as events:
            async for event in events:
                self.hear(event)


class Talking:
    """Makes what is said in scenes."""

    def __init__(
        self, scenes: Scenes, dialogue: Dialogue, model: Model, redaction: Callable[[], Policy]
    ) -> None:
        self._scenes = scenes
        self._dialogue = dialogue
        self._model = model
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
        player = scene.player(self._scenes.pseudonym_of(speech.player_id))
        text = redact(check_text("text", speech.text), self._redaction())
        heard_by = scene.hearers(speech.to, speech.audience)
        most = scene.limits.characters if speech.most_replies is None else speech.most_replies
        check_count("max_replies", most, scene.limits.characters)
        own = _under_id(call, "line", line_id)
        await scene.settle_call(own.call_id)
        if not scene.entries_of(own.call_id):
            scene.report(speech.world)
            await self._scenes.interrupt(scene)
        said = scene.entries_of(own.call_id)
        if own.call_id in scene.calls:
            _require_same(said[0], text)
            replies = _stream_again(scene, said, own.call_id)
        else:
            self._scenes.update_cast(scene)
            if said:
                _require_same(said[0], text)
                _require_open(scene, said)
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
        own = _under_id(call, "talk", continue_id)
        await scene.settle_call(own.call_id)
        if own.call_id not in scene.calls:
            await scene.settle()
            self._scenes.require_open(scene)
        said = scene.entries_of(own.call_id)
        if own.call_id in scene.calls:
            replies = _stream_again(scene, said, own.call_id)
        else:
            _require_open(scene, said)
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
        again = [self._part_again(scene, entry, call) for entry in answers]
        parts = [*again, *await self._parts(scene, bids, line.hearers, call)]
        try:
            await perform_at_once([self._speak(scene, part, emit) for part in parts])
        except Exception:
            if not any(part.exchange.takes for part in parts):
                scene.unsay(line)  # its client is told to say it again
            raise
        if any(part.exchange.kept.unread for part in parts):
            scene.hush(line)  # the guard keeps it from every model
        scene.note_end(call.call_id, _ANSWERED)

    async def _talk(self, scene: Scene, lines: int, call: Call, emit: Emit[SceneEvent]) -> None:
        """Say lines up to so many, those that were said before the call came again among them."""
        rest = Rest.INTERRUPTED
        try:
            before = _lines_in(scene.entries_of(call.call_id))
            for entry in before:
                await self._speak(scene, self._part_again(scene, entry, call), emit)
            for number in range(len(before), lines):
                if number and _speaks_to_a_player(scene):
                    break
                bid = _next_speaker(scene)
                (part,) = await self._parts(scene, [bid], tuple(scene.members), call, number)
                await self._speak(scene, part, emit)
            rest = Rest.PLAYER_NAMED if _speaks_to_a_player(scene) else Rest.LINES
            scene.note_end(call.call_id, rest.value)
        finally:
            emit(SceneEvent("", rest))

    async def _parts(
        self,
        scene: Scene,
        bids: Sequence[Bid],
        heard_by: tuple[str, ...],
        call: Call,
        number: int = 0,  # of the first among the lines of the call
    ) -> list[_Part]:
        """What those who speak next read and answer, none of them the others."""
        player = scene.credited_player
        members = [scene.members[bid.character] for bid in bids]
        sessions = await asyncio.gather(*(self._session(scene, one, player) for one in members))
        room = int(self._model.reply_context * _HEARD_SHARE)
        parts = []
        for at, (bid, member, session) in enumerate(zip(bids, members, sessions, strict=True)):
            exchange = scene.begin(member, player, heard_by, bid, room, self._size)
            own, end = _call_of(scene, member, call, number + at), len(scene.entries)
            parts.append(_Part(member, Spoken(session, bid), exchange, heard_by, end, own))
        return parts

    def _part_again(self, scene: Scene, entry: Entry, call: Call) -> _Part:
        """What a character answers once more, or is only streamed again."""
        assert entry.spoken is not None
        assert entry.exchange is not None
        member = scene.members[entry.speaker]
        own = _call_of(scene, member, call, 0)
        return _Part(member, entry.spoken, entry.exchange, entry.hearers, member.heard_to, own)

    async def _speak(self, scene: Scene, part: _Part, emit: Emit[SceneEvent]) -> None:
        """Make a reply; what was heard of it is in the scene, whatever ends it."""
        member, who = part.member, part.member.character
        spoken, begun = part.spoken, bool(part.exchange.takes)
        emit(SceneEvent(who, Chosen(spoken.session.session_id, spoken.bid)))
        scene.speaking.add(who)
        hearing = _Hearing(who, emit)
        try:
            replies = self._dialogue.answer(spoken.session, part.exchange, part.call)
            await _let_end(
                hearing.hear_out(replies), lambda: _words_are_said(part.exchange, hearing)
            )
        finally:
            if not hearing.ended:
                emit(SceneEvent(who, Interrupted(hearing.turn_id, hearing.text)))
            scene.speaking.discard(who)
            if part.exchange.takes and not begun:
                member.heard_to = part.heard_to
                scene.add_line(member, part.exchange, part.heard_by, spoken, part.call.call_id)

    async def _session(self, scene: Scene, member: Member, player: Player) -> Session:
        if session := member.sessions.get(player.pseudonym):
            return session
        record = SessionRecord(
            session_id=uuid.uuid4().hex,
            player_id=player.pseudonym,
            character=member.character,
            persona_version=member.persona.version,
            consent=scene.consent,
            started_at=datetime.now(UTC),
            scene_id=scene.scene_id,
        )
        session = Session(record, member.persona, member.story)
        member.sessions[player.pseudonym] = session
        return await self._dialogue.open(session)

    def _size(self, text: str) -> int:
        return len(self._model.tokenizer.encode(text))


def _under_id(call: Call, kind: str, client_id: str | None) -> Call:
    """The call under its id; calls of other kinds may have the same one. InvalidRequestError."""
    if client_id is None:
        return call
    return replace(call, call_id=f"{kind} {check_id(f'{kind}_id', client_id)}")


def _call_of(scene: Scene, member: Member, call: Call, number: int) -> Call:
    """The call as it is for one of its lines."""
    stop = (*call.changes.get("stop", member.persona.sampling.stop), *scene.stops)[:MAX_STOPS]
    first = secrets.randbits(32) if call.seed is None else call.seed
    return replace(
        call,
        seed=(first + number) % _SEEDS,
        changes={**call.changes, "stop": stop},
        world=scene.state_for(member),
    )


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


def _require_open(scene: Scene, said: Sequence[Entry]) -> None:
    """Refuse to go on where others speak, or have spoken since."""
    if scene.busy:
        raise SessionBusyError("something is being said in the scene; wait for it or cancel it")
    if said and scene.entries[-1] is not said[-1]:
        raise NotLatestTurnError(
            "what was said for this call was interrupted, and the scene has gone on since;"
            " say it again under a new id"
        )


async def _stream_again(
    scene: Scene, said: Sequence[Entry], call_id: str
) -> AsyncGenerator[SceneEvent]:
    """What was said for a call that has ended."""
    for entry in _lines_in(said):
        assert entry.spoken is not None
        answer = entry.exchange.answer_to(call_id) if entry.exchange else None
        if answer is not None:
            session_id = entry.spoken.session.session_id
            yield SceneEvent(entry.speaker, Chosen(session_id, entry.spoken.bid))
            for event in answer.events:
                yield SceneEvent(entry.speaker, event)
    if (why := scene.calls[call_id]) != _ANSWERED:
        yield SceneEvent("", Rest(why))


def _lines_in(said: Sequence[Entry]) -> list[Entry]:
    """Those that characters said."""
    return [entry for entry in said if entry.spoken is not None]


async def _let_end(work: Coroutine[Any, Any, None], may_end: Callable[[], bool]) -> None:
    """Run a work; when this is cancelled, cancel it unless it may come to its end."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        if not may_end():
            task.cancel()
        while not task.done():  # whoever cancels once more waits as well
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        raise


def _words_are_said(exchange: Exchange, hearing: _Hearing) -> bool:
    """Whether of a reply only emotion and action are still to come."""
    return any(take.turn_id == hearing.turn_id and not take.interrupted for take in exchange.takes)


def _next_speaker(scene: Scene) -> Bid:
    """Who speaks next among themselves: not the one that has just spoken, if there is another."""
    last = scene.entries[-1]
    others = [who for who in scene.members if who != last.speaker]
    listeners = scene.listeners(others or list(scene.members))
    (bid,) = speakers(listeners, last.text, (), 1, scene.limits.patience)
    return bid


def _speaks_to_a_player(scene: Scene) -> bool:
    return bool(mentioned(scene.entries[-1].text, scene.player_names))
