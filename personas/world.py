"""What a world is: the state that a game reports, and the lore that its characters share.

    worlds/saltmere/world.yaml   variables, each with a kind, a default, and how it is told
    worlds/saltmere/lore.yaml    entries that every character of the world may be told

A persona names its world. `world_files` reads one; `Situation` is how things stand in one
conversation.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

from pydantic import Field

from personas.authored_fields import Closed, Id, LanguageTag, Name
from personas.lore.entries import MAX_ENTRIES, Entry
from personas.variables import Values, Variable, default_values

MAX_VARIABLES = 1000


class WorldCard(Closed):
    """world.yaml."""

    id: Id = Field(description="The folder's name.")
    name: Name = Field(description="What the world is called.")
    language: LanguageTag = Field(
        default="",
        description="BCP 47 tag of the lore's keys; left out, words match as they are listed.",
    )
    variables: Annotated[tuple[Variable, ...], Field(max_length=MAX_VARIABLES)] = Field(
        default=(), description="What the game reports of it, and conditions ask about."
    )


class WorldLore(Closed):
    """lore.yaml of a world."""

    entries: Annotated[tuple[Entry, ...], Field(max_length=MAX_ENTRIES)] = Field(
        default=(), description="What its characters are told when a line touches it."
    )


@dataclass(frozen=True, eq=False)
class World:
    """A whole world: the two files of its folder."""

    card: WorldCard
    entries: tuple[Entry, ...] = ()

    @property
    def id(self) -> str:
        """The name of its folder."""
        return self.card.id

    @cached_property
    def variables(self) -> dict[str, Variable]:
        """By name."""
        return {variable.name: variable for variable in self.card.variables}

    @cached_property
    def defaults(self) -> Values:
        """How things stand before anything has happened."""
        return default_values(self.variables)

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that change whenever either file says something else."""
        digest = hashlib.sha256(self.card.model_dump_json().encode())
        for entry in self.entries:
            digest.update(entry.model_dump_json().encode())
        return digest.hexdigest()[:12]
