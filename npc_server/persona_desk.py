"""What designers' tools ask of a running server: who is served, and what is wrong with files."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from npc_server.errors import InvalidRequestError, UnknownCharacterError
from npc_server.limits import check_id
from npc_server.live_cast import Cast, CastFolder, Standing
from npc_server.turns import Model
from personas import yaml_file
from personas.errors import Problem
from personas.known_names import no_such
from personas.persona import Persona
from personas.persona_files import FILES, Reading, in_its_world, read_texts
from personas.prompt_cost import cost_by_part
from personas.sizes import Size, size_of


@dataclass(frozen=True)
class Cost:
    """Tokens of a character's prompts."""

    parts: Mapping[str, int]
    size: Size


@dataclass(frozen=True)
class Sheet:
    """A character as it is served, with its files as they are on disk."""

    persona: Persona
    cost: Cost
    files: Mapping[str, str]


@dataclass(frozen=True)
class Opinion:
    """What is wrong with some files; nothing, where there is a version."""

    problems: tuple[Problem, ...]
    version: str = ""
    cost: Cost | None = None


class PersonaDesk:
    """Answers about the cast."""

    def __init__(self, cast: Cast, folder: CastFolder | None, model: Model) -> None:
        self._cast = cast
        self.folder = folder
        self._model = model

    @property
    def folder_problem(self) -> str:
        """Why the cast's folder cannot be read; "" = it can."""
        return self._cast.folder_problem

    def personas(self) -> list[Persona]:
        """Who is served, by id."""
        return sorted(self._cast.values(), key=lambda persona: persona.id)

    async def sheet(self, character: str) -> Sheet:
        """One character. Raises UnknownCharacterError."""
        persona = self._cast.get(check_id("character", character))
        if persona is None:
            raise UnknownCharacterError(no_such("character", character, self._cast))
        root = self.folder.root if self.folder else None
        files = await asyncio.to_thread(_texts, root / character) if root else {}
        return Sheet(persona, self._cost(persona), files)

    def _read(self, folder: Path, files: Mapping[str, str]) -> Reading:
        reading = read_texts(folder, files)
        return in_its_world(reading, self.folder.worlds) if self.folder else reading

    async def opinion(self, character: str, files: Mapping[str, str]) -> Opinion:
        """What would be wrong with these texts as a character's files.

        Raises InvalidRequestError.
        """
        for name in files.keys() - set(FILES):
            raise InvalidRequestError(f"files holds {name!r}; it takes {', '.join(FILES)}")
        if any(len(text.encode()) > yaml_file.MAX_BYTES for text in files.values()):
            raise InvalidRequestError(f"a file has more than {yaml_file.MAX_BYTES // 1024} KiB")
        folder = Path(check_id("character", character))
        reading = await asyncio.to_thread(self._read, folder, files)
        if reading.persona is None:
            return Opinion(reading.problems)
        cost = self._cost(reading.persona)
        if fault := cost.size.fault:
            return Opinion((Problem(folder / FILES[0], 0, "", fault),))
        return Opinion((), reading.persona.version, cost)

    def standings(self, character: str) -> list[Standing]:
        """How one character's files stand, or everybody's. Raises UnknownCharacterError."""
        everybody = self._cast.standings()
        found = [one for one in everybody if character in ("", one.character)]
        if not found and character:
            known = [one.character for one in everybody]
            raise UnknownCharacterError(no_such("character", character, known))
        return found

    def _cost(self, persona: Persona) -> Cost:
        tokenizer, context = self._model.tokenizer, self._model.reply_context
        return Cost(cost_by_part(persona, tokenizer), size_of(persona, tokenizer, context))


def _texts(folder: Path) -> dict[str, str]:
    """The texts of a character's files; what cannot be read is left out."""
    read = {name: yaml_file.text_in(folder / name, folder.parent) for name in FILES}
    return {name: text for name, text in read.items() if text is not None}
