"""Characters in their worlds: each gets the one it names, which its conditions are held to.

Worlds are read after the characters, once each, so whatever in a character's files depends on a
world is remembered with its place until then.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from personas.conditions import faults, parse
from personas.errors import Problem
from personas.persona import Card, Lore, Persona
from personas.variables import Variables
from personas.world import World
from personas.world_files import Worlds
from personas.yaml_file import Document, Loc


@dataclass(frozen=True)
class Tie:
    """A condition of a character's file, or the name of its world."""

    place: Problem  # as it is told, but for what is wrong
    condition: str = ""  # "" = the place names the world

    def problem(self, what: str) -> Problem:
        """What is wrong with it."""
        return replace(self.place, what=what)


def ties_of(card: Card, lore: Lore, card_file: Document, lore_file: Document) -> tuple[Tie, ...]:
    """All that depends on the character's world."""
    named = (Tie(card_file.problem(("world",), "")),) if card.world else ()
    conditions = (Tie(lore_file.problem(loc, ""), text) for loc, text in _conditions(lore) if text)
    return (*named, *conditions)


def _conditions(lore: Lore) -> Iterator[tuple[Loc, str]]:
    yield from ((("secrets", i, "when"), one.when) for i, one in enumerate(lore.secrets))
    yield from ((("entries", i, "when"), one.when) for i, one in enumerate(lore.entries))


def settle(
    persona: Persona, ties: Iterable[Tie], worlds: Worlds
) -> tuple[Persona, tuple[Problem, ...]]:
    """The character in its world, and what of its files the world rules out."""
    try:
        world, problems = worlds.find(persona.world) if persona.world else (None, ())
    except LookupError as error:
        return persona, tuple(tie.problem(error.args[0]) for tie in ties if not tie.condition)
    if problems:
        return persona, problems
    return persona.model_copy(update={"setting": world}), tuple(_problems(ties, world))


def _problems(ties: Iterable[Tie], world: World | None) -> Iterator[Problem]:
    declared: Variables = world.variables if world else {}
    advice = "" if world else ", as the persona names no world"
    for tie in ties:
        for what in faults(parse(tie.condition), declared) if tie.condition else ():
            yield tie.problem(what + advice)
