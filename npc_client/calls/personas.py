"""Calls of `npc.v1.Personas`: who is served, and how their files stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc.aio

from npc.v1 import personas_pb2, personas_pb2_grpc

PersonaStatus = personas_pb2.PersonaStatusResponse  # whether what was saved last is served


class PersonaCalls:
    """Asks about characters as designers do."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._personas: Any = personas_pb2_grpc.PersonasStub(channel)

    async def personas(self) -> list[personas_pb2.PersonaSummary]:
        """Who is served now, by id."""
        answer = await self._personas.List(personas_pb2.ListPersonasRequest())
        return list(answer.personas)

    async def persona(self, character: str) -> personas_pb2.GetPersonaResponse:
        """One character: what it is told, what that costs, and its files."""
        request = personas_pb2.GetPersonaRequest(character=character)
        answer: personas_pb2.GetPersonaResponse = await self._personas.Get(request)
        return answer

    async def validate_persona(
        self, character: str, files: Mapping[str, str]
    ) -> personas_pb2.ValidatePersonaResponse:
        """What would be wrong with these texts, by file name, if they were saved."""
        request = personas_pb2.ValidatePersonaRequest(character=character, files=files)
        answer: personas_pb2.ValidatePersonaResponse = await self._personas.Validate(request)
        return answer

    async def persona_status(self, character: str = "") -> personas_pb2.PersonaStatusResponse:
        """Whether what was saved last is served, of one character or of all."""
        request = personas_pb2.PersonaStatusRequest(character=character)
        answer: personas_pb2.PersonaStatusResponse = await self._personas.Status(request)
        return answer
