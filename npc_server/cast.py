"""A character of the cast, by the id that a call gives."""

from __future__ import annotations

from collections.abc import Mapping

from npc_server.errors import UnknownCharacterError
from npc_server.limits import check_id
from personas.known_names import no_such
from personas.persona import Persona


def cast_member(characters: Mapping[str, Persona], field: str, character: str) -> Persona:
    """The character that a call names in `field`.

    Raises InvalidRequestError and UnknownCharacterError.
    """
    persona = characters.get(check_id(field, character))
    if persona is None:
        raise UnknownCharacterError(no_such("character", character, characters))
    return persona
