"""The gRPC handlers of npc.v1.Personas: convert, ask the desk, convert back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc.aio

from npc.v1 import personas_pb2, personas_pb2_grpc
from npc_server.config import Watch
from npc_server.keys.callers import caller, visible_to
from npc_server.live_cast import Standing
from npc_server.persona_desk import Cost, PersonaDesk
from personas.errors import Problem
from personas.persona import Persona
from personas.render import system_text

if TYPE_CHECKING:  # generic in the stubs only
    Context = grpc.aio.ServicerContext[Any, Any]


class PersonasService(personas_pb2_grpc.PersonasServicer):
    """npc.v1.Personas."""

    def __init__(self, desk: PersonaDesk, watch: Watch) -> None:
        self._desk = desk
        self._watch = watch

    async def List(  # noqa: N802 - the contract's name
        self, request: personas_pb2.ListPersonasRequest, context: Context
    ) -> personas_pb2.ListPersonasResponse:
        cast = {persona.id: persona for persona in self._desk.personas()}
        return personas_pb2.ListPersonasResponse(
            personas=[_summary(cast[name]) for name in visible_to(caller.get(), cast)]
        )

    async def Get(  # noqa: N802
        self, request: personas_pb2.GetPersonaRequest, context: Context
    ) -> personas_pb2.GetPersonaResponse:
        sheet = await self._desk.sheet(request.character)
        return personas_pb2.GetPersonaResponse(
            summary=_summary(sheet.persona),
            system_text=system_text(sheet.persona),
            cost=_cost(sheet.cost),
            files=sheet.files,
        )

    async def Validate(  # noqa: N802
        self, request: personas_pb2.ValidatePersonaRequest, context: Context
    ) -> personas_pb2.ValidatePersonaResponse:
        opinion = await self._desk.opinion(request.character, request.files)
        return personas_pb2.ValidatePersonaResponse(
            problems=[_problem(problem) for problem in opinion.problems],
            version=opinion.version,
            cost=_cost(opinion.cost) if opinion.cost else None,
        )

    async def Status(  # noqa: N802
        self, request: personas_pb2.PersonaStatusRequest, context: Context
    ) -> personas_pb2.PersonaStatusResponse:
        folder = self._desk.folder
        found = {one.character: one for one in self._desk.standings(request.character)}
        return personas_pb2.PersonaStatusResponse(
            personas=[_standing(found[name]) for name in visible_to(caller.get(), found)],
            folder_problem=self._desk.folder_problem,
            folder=str(folder.root) if folder else "",
            watch=self._watch if folder else Watch.OFF,
        )


def _summary(persona: Persona) -> personas_pb2.PersonaSummary:
    return personas_pb2.PersonaSummary(
        character=persona.id,
        name=persona.name,
        role=persona.role,
        language=persona.language,
        version=persona.version,
    )


def _cost(cost: Cost) -> personas_pb2.PromptCost:
    parts = [personas_pb2.PromptPart(name=n, tokens=max(0, t)) for n, t in cost.parts.items()]
    return personas_pb2.PromptCost(
        parts=parts,
        opening_tokens=cost.size.opening,
        reply_tokens=cost.size.reply,
        context_tokens=cost.size.context,
        history_tokens=cost.size.history,
    )


def _problem(problem: Problem) -> personas_pb2.PersonaProblem:
    return personas_pb2.PersonaProblem(
        file=problem.file.name,
        line=problem.line,
        column=problem.column,
        field=problem.field,
        what=problem.what,
    )


def _standing(standing: Standing) -> personas_pb2.PersonaStanding:
    made = personas_pb2.PersonaStanding(
        character=standing.character, version=standing.version, problems=standing.problems
    )
    made.since.FromDatetime(standing.since)
    return made
