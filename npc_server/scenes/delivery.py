"""How a character's line in a scene is made: what it answers, and the words as they are heard.

Whatever ends a reply, what was heard of it is in the scene. One of which only emotion and action
are still to come is not broken off.
"""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from feedback_store.records import Session as SessionRecord
from npc_server.dialogue import Dialogue
from npc_server.engine.protocol import Delta
from npc_server.reply_events import Finished, ReplyEvent, Started
from npc_server.replying import Call
from npc_server.scenes.performance import Emit
from npc_server.scenes.scene import Member, Player, Scene
from npc_server.scenes.scene_events import Chosen, Interrupted, SceneEvent
from npc_server.scenes.speaking_order import Bid
from npc_server.scenes.transcript import Entry, Spoken
from npc_server.sessions import Exchange, Session
from npc_server.turns import Model
from personas.authored_fields import MAX_STOPS

_HEARD_SHARE = 0.25  # of the context, for what a character has heard since it spoke
_SEEDS = 1 << 32


@dataclass(frozen=True)
class Part:
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


class Delivery:
    """Makes the lines of characters."""

    def __init__(self, dialogue: Dialogue, model: Model) -> None:
        self._dialogue = dialogue
        self._model = model

    async def parts(
        self,
        scene: Scene,
        bids: Sequence[Bid],
        heard_by: tuple[str, ...],
        call: Call,
        number: int = 0,  # of the first among the lines of the call
        cued: Exchange | None = None,  # what they speak of; None = what they have heard
    ) -> list[Part]:
        """What those who speak next read and answer, none of them the others."""
        player = scene.credited_player
        members = [scene.members[bid.character] for bid in bids]
        sessions = await asyncio.gather(*(self._session(scene, one, player) for one in members))
        room = int(self._model.reply_context * _HEARD_SHARE)
        parts = []
        for at, (bid, member, session) in enumerate(zip(bids, members, sessions, strict=True)):
            exchange = scene.begin(member, player, heard_by, bid, room, self._size, cued)
            own, end = _call_of(scene, member, call, number + at), len(scene.entries)
            parts.append(Part(member, Spoken(session, bid), exchange, heard_by, end, own))
        return parts

    def part_again(self, scene: Scene, entry: Entry, call: Call) -> Part:
        """What a character answers once more, or is only streamed again."""
        assert entry.spoken is not None
        assert entry.exchange is not None
        member = scene.members[entry.speaker]
        own = _call_of(scene, member, call, 0)
        return Part(member, entry.spoken, entry.exchange, entry.hearers, member.heard_to, own)

    async def speak(self, scene: Scene, part: Part, emit: Emit[SceneEvent]) -> None:
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
            game=scene.game,
        )
        session = Session(record, member.persona, member.story)
        member.sessions[player.pseudonym] = session
        return await self._dialogue.open(session)

    def _size(self, text: str) -> int:
        return len(self._model.tokenizer.encode(text))


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
