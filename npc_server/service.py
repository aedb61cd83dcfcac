"""The gRPC handlers: convert, call one domain function, convert back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc.aio

from feedback_store import audit
from feedback_store.audit import Action
from feedback_store.records import Reach, Receipt
from npc.v1 import (
    adapters_pb2,
    adapters_pb2_grpc,
    dialogue_pb2,
    dialogue_pb2_grpc,
    feedback_pb2,
    feedback_pb2_grpc,
    memory_pb2,
    memory_pb2_grpc,
)
from npc_server.action_reports import ActionReports
from npc_server.adapters import Adapters
from npc_server.allowances import Allowances
from npc_server.convert.adapters import character_adapters, stats_response
from npc_server.convert.dialogue import (
    context_update,
    happening_of,
    memory_span,
    restore_response,
    sampling_changes,
    start_session_response,
    update_context_response,
    world_report,
)
from npc_server.convert.feedback import (
    parse_batch,
    parse_reaction,
    submit_batch_response,
    submit_response,
)
from npc_server.convert.memory import list_memory_response
from npc_server.convert.replies import reply_event
from npc_server.dialogue import Dialogue
from npc_server.engine.protocol import Engine
from npc_server.keys.callers import caller, visible_to
from npc_server.limits import check_events, check_id
from npc_server.memory.memory import Memory
from npc_server.ownership import Ownership
from npc_server.reactions import ParsedEvent, Reactions
from npc_server.replying import Call
from npc_server.save_games import SaveGames

if TYPE_CHECKING:  # generic in the stubs only
    Context = grpc.aio.ServicerContext[Any, Any]


class DialogueService(dialogue_pb2_grpc.DialogueServicer):
    """npc.v1.Dialogue."""

    def __init__(
        self,
        dialogue: Dialogue,
        save_games: SaveGames,
        reports: ActionReports,
        allowances: Allowances,
    ) -> None:
        self._dialogue = dialogue
        self._allowances = allowances
        self._reports = reports
        self._save_games = save_games

    async def StartSession(  # noqa: N802 - the contract's name
        self, request: dialogue_pb2.StartSessionRequest, context: Context
    ) -> dialogue_pb2.StartSessionResponse:
        who = caller.get()
        self._allowances.require_session(who, request)
        session = await self._dialogue.start_session(
            request.character,
            request.player_id or who.player_id,
            request.training_consent,
            memory_span(request.memory),
            request.present,
            request.seed if request.HasField("seed") else None,
            world_report(request.world),
            game=who.game,
        )
        return start_session_response(session, self._dialogue.live_version(session))

    async def Say(  # noqa: N802
        self, request: dialogue_pb2.SayRequest, context: Context
    ) -> AsyncIterator[dialogue_pb2.ReplyEvent]:
        seed = request.seed if request.HasField("seed") else None
        changes = sampling_changes(request.sampling)
        line_id = request.line_id if request.HasField("line_id") else None
        world = world_report(request.world)
        replies = self._dialogue.say(
            request.session_id, request.text, seed, changes, line_id, request.audience, world
        )
        async with aclosing(replies) as events:
            async for event in events:
                yield reply_event(event)

    async def Regenerate(  # noqa: N802
        self, request: dialogue_pb2.RegenerateRequest, context: Context
    ) -> AsyncIterator[dialogue_pb2.ReplyEvent]:
        seed = request.seed if request.HasField("seed") else None
        changes = sampling_changes(request.sampling)
        take_id = request.take_id if request.HasField("take_id") else None
        takes = self._dialogue.regenerate(
            request.session_id, request.turn_id, seed, changes, take_id
        )
        async with aclosing(takes) as events:
            async for event in events:
                yield reply_event(event)

    async def Trigger(  # noqa: N802
        self, request: dialogue_pb2.TriggerRequest, context: Context
    ) -> AsyncIterator[dialogue_pb2.ReplyEvent]:
        seed = request.seed if request.HasField("seed") else None
        call = Call("", seed, sampling_changes(request.sampling))
        trigger_id = request.trigger_id if request.HasField("trigger_id") else None
        happening = happening_of(request)
        world = world_report(request.world)
        replies = self._dialogue.trigger(request.session_id, happening, call, trigger_id, world)
        async with aclosing(replies) as events:
            async for event in events:
                yield reply_event(event)

    async def UpdateContext(  # noqa: N802
        self, request: dialogue_pb2.UpdateContextRequest, context: Context
    ) -> dialogue_pb2.UpdateContextResponse:
        update = context_update(request)
        told = await self._dialogue.update_context(request.session_id, update)
        return update_context_response(told)

    async def ReportAction(  # noqa: N802
        self, request: dialogue_pb2.ReportActionRequest, context: Context
    ) -> dialogue_pb2.ReportActionResponse:
        turn_id, name = check_id("turn_id", request.turn_id), check_id("name", request.name)
        await self._reports.report(turn_id, name, request.text, ok=request.ok)
        return dialogue_pb2.ReportActionResponse()

    async def Checkpoint(  # noqa: N802
        self, request: dialogue_pb2.CheckpointRequest, context: Context
    ) -> dialogue_pb2.CheckpointResponse:
        checkpoint = await self._save_games.checkpoint(request.session_id)
        return dialogue_pb2.CheckpointResponse(
            token=checkpoint.token, exchanges=len(checkpoint.exchanges)
        )

    async def Restore(  # noqa: N802
        self, request: dialogue_pb2.RestoreRequest, context: Context
    ) -> dialogue_pb2.RestoreResponse:
        session = await self._save_games.restore(check_id("token", request.token))
        self._dialogue.read_restored(session)
        return restore_response(session, self._dialogue.live_version(session))

    async def EndSession(  # noqa: N802
        self, request: dialogue_pb2.EndSessionRequest, context: Context
    ) -> dialogue_pb2.EndSessionResponse:
        session = self._dialogue.end_session(request.session_id)
        return dialogue_pb2.EndSessionResponse(turns=session.turns)


class MemoryService(memory_pb2_grpc.MemoryServicer):
    """npc.v1.Memory."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def List(  # noqa: N802
        self, request: memory_pb2.ListMemoryRequest, context: Context
    ) -> memory_pb2.ListMemoryResponse:
        memories = await self._memory.memories_of(request.session_id)
        return list_memory_response(memories)

    async def Forget(  # noqa: N802
        self, request: memory_pb2.ForgetMemoryRequest, context: Context
    ) -> memory_pb2.ForgetMemoryResponse:
        forgotten = await self._memory.forget(request.session_id, request.ids)
        return memory_pb2.ForgetMemoryResponse(forgotten=forgotten)


class FeedbackService(feedback_pb2_grpc.FeedbackServicer):
    """npc.v1.Feedback."""

    def __init__(self, reactions: Reactions, ownership: Ownership, allowances: Allowances) -> None:
        self._reactions = reactions
        self._allowances = allowances
        self._ownership = ownership

    async def Submit(  # noqa: N802
        self, request: feedback_pb2.SubmitRequest, context: Context
    ) -> feedback_pb2.SubmitResponse:
        self._allowances.take_events(caller.get(), 1)
        event = parse_reaction(request, datetime.now(UTC), self._reach())
        result = await self._reactions.submit(event)
        if not isinstance(result, Receipt):
            raise result
        return submit_response(result)

    async def SubmitBatch(  # noqa: N802
        self, requests: AsyncIterator[feedback_pb2.SubmitBatchRequest], context: Context
    ) -> feedback_pb2.SubmitBatchResponse:
        ids: list[str] = []
        portions = _portions(requests, ids, self._reach(), self._take_events)
        results = await self._reactions.submit_all(portions)
        return submit_batch_response(ids, results)

    async def Undo(  # noqa: N802
        self, request: feedback_pb2.UndoRequest, context: Context
    ) -> feedback_pb2.UndoResponse:
        event = await self._reactions.undo(check_id("event_id", request.event_id), self._reach())
        return feedback_pb2.UndoResponse(event_id=event.event_id, turn_id=event.turn_id)

    def _take_events(self, count: int) -> None:
        self._allowances.take_events(caller.get(), count)

    def _reach(self) -> Reach | None:
        return self._ownership.reach_of(caller.get())


async def _portions(
    requests: AsyncIterator[feedback_pb2.SubmitBatchRequest],
    ids: list[str],
    reach: Reach | None,
    take: Callable[[int], None],
) -> AsyncIterator[list[ParsedEvent]]:
    """Parse the messages one by one; appends the events' ids, as sent, to `ids`."""
    async for message in requests:
        ids.extend(event.event_id for event in message.events)
        check_events(len(message.events), len(ids))
        take(len(message.events))
        yield parse_batch(message, datetime.now(UTC), reach)


class AdaptersService(adapters_pb2_grpc.AdaptersServicer):
    """npc.v1.Adapters."""

    def __init__(
        self, adapters: Adapters, characters: Collection[str], engine: Engine, audit_file: Path
    ) -> None:
        self._adapters = adapters
        self._audit_file = audit_file
        self._characters = characters
        self._engine = engine

    async def List(  # noqa: N802
        self, request: adapters_pb2.ListAdaptersRequest, context: Context
    ) -> adapters_pb2.ListAdaptersResponse:
        known = visible_to(caller.get(), sorted(self._characters))
        asked = [request.character] if request.character else known
        listings = [await asyncio.to_thread(self._adapters.listing, name) for name in asked]
        return adapters_pb2.ListAdaptersResponse(
            characters=[character_adapters(listing) for listing in listings]
        )

    async def Promote(  # noqa: N802
        self, request: adapters_pb2.PromoteRequest, context: Context
    ) -> adapters_pb2.PromoteResponse:
        old, new = await self._adapters.promote(
            request.character, check_id("version", request.version)
        )
        await self._write_down(Action.PROMOTED, request.character, new.version)
        return adapters_pb2.PromoteResponse(live_version=new.version, previous_version=old.version)

    async def Rollback(  # noqa: N802
        self, request: adapters_pb2.RollbackRequest, context: Context
    ) -> adapters_pb2.RollbackResponse:
        old, new = await self._adapters.rollback(request.character)
        await self._write_down(Action.ROLLED_BACK, request.character, new.version)
        return adapters_pb2.RollbackResponse(live_version=new.version, previous_version=old.version)

    async def _write_down(self, action: Action, character: str, version: str) -> None:
        who = caller.get()
        about = {"game": who.game, "character": character, "version": version or "base"}
        await asyncio.to_thread(
            audit.record, self._audit_file, f"key {who.key_id}", action, **about
        )

    async def Stats(  # noqa: N802
        self, request: adapters_pb2.StatsRequest, context: Context
    ) -> adapters_pb2.StatsResponse:
        return stats_response(await self._engine.stats())
