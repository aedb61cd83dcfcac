"""The gRPC handlers: convert, call one domain function, convert back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import grpc.aio

from feedback_store.errors import UnknownTurnError
from feedback_store.records import Choice, Edit, Event, Turn
from feedback_store.store import Store
from npc.v1 import (
    adapters_pb2,
    adapters_pb2_grpc,
    dialogue_pb2,
    dialogue_pb2_grpc,
    feedback_pb2,
    feedback_pb2_grpc,
)
from npc_server import convert
from npc_server.adapters import Adapters
from npc_server.dialogue import Dialogue, check_id
from npc_server.engine.protocol import Engine
from npc_server.sessions import Session, Sessions

if TYPE_CHECKING:  # generic in the stubs only
    Context = grpc.aio.ServicerContext[Any, Any]


class DialogueService(dialogue_pb2_grpc.DialogueServicer):
    """npc.v1.Dialogue."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue

    async def StartSession(  # noqa: N802 - the contract's name
        self, request: dialogue_pb2.StartSessionRequest, context: Context
    ) -> dialogue_pb2.StartSessionResponse:
        session = await self._dialogue.start_session(request.character, request.player_id)
        return convert.session_started(session, self._dialogue.live_version(session))

    async def Say(  # noqa: N802
        self, request: dialogue_pb2.SayRequest, context: Context
    ) -> AsyncIterator[dialogue_pb2.ReplyEvent]:
        seed = request.seed if request.HasField("seed") else None
        changes = convert.changes(request)
        replies = self._dialogue.say(request.session_id, request.text, seed, changes)
        async with aclosing(replies) as events:
            async for event in events:
                yield convert.reply_event(event)

    async def Regenerate(  # noqa: N802
        self, request: dialogue_pb2.RegenerateRequest, context: Context
    ) -> AsyncIterator[dialogue_pb2.ReplyEvent]:
        seed = request.seed if request.HasField("seed") else None
        changes = convert.changes(request)
        takes = self._dialogue.regenerate(request.session_id, request.turn_id, seed, changes)
        async with aclosing(takes) as events:
            async for event in events:
                yield convert.reply_event(event)

    async def EndSession(  # noqa: N802
        self, request: dialogue_pb2.EndSessionRequest, context: Context
    ) -> dialogue_pb2.EndSessionResponse:
        session = self._dialogue.end_session(request.session_id)
        return dialogue_pb2.EndSessionResponse(turns=session.turns)


class FeedbackService(feedback_pb2_grpc.FeedbackServicer):
    """npc.v1.Feedback."""

    def __init__(self, store: Store, sessions: Sessions) -> None:
        self._store = store
        self._sessions = sessions

    async def Submit(  # noqa: N802
        self, request: feedback_pb2.SubmitRequest, context: Context
    ) -> feedback_pb2.SubmitResponse:
        turn = await asyncio.to_thread(self._turn, check_id("turn_id", request.turn_id))
        event = convert.feedback_event(request, turn.player_id)
        receipt = await asyncio.wrap_future(self._store.submit(event))
        session = self._sessions.find(turn.session_id)
        if session is not None and not receipt.duplicate:
            _continue_from(session, event)
        return convert.submitted(receipt)

    def _turn(self, turn_id: str) -> Turn:
        turn = self._store.turn(turn_id)
        if turn is None:
            raise UnknownTurnError(f"turn {turn_id!r} is not recorded; check the id in Started")
        return turn


def _continue_from(session: Session, event: Event) -> None:
    """What the player kept or rewrote is what the conversation goes on from."""
    if isinstance(event.payload, Choice):
        session.keep(event.turn_id)
    elif isinstance(event.payload, Edit):
        session.correct(event.turn_id, event.payload.text)


class AdaptersService(adapters_pb2_grpc.AdaptersServicer):
    """npc.v1.Adapters."""

    def __init__(self, adapters: Adapters, characters: Sequence[str], engine: Engine) -> None:
        self._adapters = adapters
        self._characters = tuple(sorted(characters))
        self._engine = engine

    async def List(  # noqa: N802
        self, request: adapters_pb2.ListAdaptersRequest, context: Context
    ) -> adapters_pb2.ListAdaptersResponse:
        asked = [request.character] if request.character else self._characters
        listings = [await asyncio.to_thread(self._adapters.listing, name) for name in asked]
        return adapters_pb2.ListAdaptersResponse(
            characters=[convert.character_adapters(listing) for listing in listings]
        )

    async def Promote(  # noqa: N802
        self, request: adapters_pb2.PromoteRequest, context: Context
    ) -> adapters_pb2.PromoteResponse:
        old, new = await self._adapters.promote(
            request.character, check_id("version", request.version)
        )
        return adapters_pb2.PromoteResponse(live_version=new.version, previous_version=old.version)

    async def Rollback(  # noqa: N802
        self, request: adapters_pb2.RollbackRequest, context: Context
    ) -> adapters_pb2.RollbackResponse:
        old, new = await self._adapters.rollback(request.character)
        return adapters_pb2.RollbackResponse(live_version=new.version, previous_version=old.version)

    async def Stats(  # noqa: N802
        self, request: adapters_pb2.StatsRequest, context: Context
    ) -> adapters_pb2.StatsResponse:
        return convert.stats_answer(await self._engine.stats())
