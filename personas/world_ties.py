"""Characters in their worlds: each gets the one it names, which its conditions are held to.

Worlds are read after the characters, once each, so whatever in a character's files depends on a
world is remembered with its place until then.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from personas.conditions import faults, parse
from personas.errors import Problem
from personas.known_names import no_such
from personas.persona import Lore, Persona, ProbeKind
from personas.persona_checks import own_facts
from personas.variables import Variables
from personas.world import World
from personas.yaml_file import Document, Loc

#: Finds a world by its name, as `Worlds.find` does.
Find = Callable[[str], tuple[World | None, tuple[Problem, ...]]]


@dataclass(frozen=True)
class Tie:
    """A condition of a character's file, what a probe is about, or the name of the world."""

    place: Problem  # as it is told, but for what is wrong
    condition: str = ""  # "" = it is another tie
    fact: str = ""  # likewise

    def problem(self, what: str) -> Problem:
        """What is wrong with it."""
        return replace(self.place, what=what)


def ties_of(
    persona: Persona, card_file: Document, lore_file: Document, probes_file: Document
) -> tuple[Tie, ...]:
    """All that depends on the character's world."""
    named = [Tie(card_file.problem(("world",), ""))] if persona.world else []
    conditions = (
        Tie(lore_file.problem(loc, ""), text) for loc, text in _conditions(persona.lore) if text
    )
    asked = _asked_facts(persona) if persona.world else ()
    facts = (Tie(probes_file.problem(loc, ""), fact=fact) for loc, fact in asked)
    doable = (
        Tie(card_file.problem(("actions", i, "when"), ""), one.when)
        for i, one in enumerate(persona.actions)
        if one.when
    )
    triggers = (
        Tie(card_file.problem(("triggers", number, "when"), ""), trigger.when)
        for number, trigger in enumerate(persona.triggers)
        if trigger.when
    )
    return (*named, *conditions, *triggers, *facts, *doable)


def _conditions(lore: Lore) -> Iterator[tuple[Loc, str]]:
    yield from ((("secrets", i, "when"), one.when) for i, one in enumerate(lore.secrets))
    yield from ((("entries", i, "when"), one.when) for i, one in enumerate(lore.entries))


def _asked_facts(persona: Persona) -> Iterator[tuple[Loc, str]]:
    """What fact probes are about that is not the character's own."""
    for index, probe in enumerate(persona.probes):
        if probe.kind is ProbeKind.FACT and probe.about not in (None, *own_facts(persona.lore)):
            yield ("probes", index, "about"), str(probe.about)


def settle(
    persona: Persona, ties: Iterable[Tie], find: Find
) -> tuple[Persona, tuple[Problem, ...]]:
    """The character in its world, and what of its files the world rules out."""
    try:
        world, problems = find(persona.world) if persona.world else (None, ())
    except LookupError as error:
        named = (tie for tie in ties if not (tie.condition or tie.fact))
        return persona, tuple(tie.problem(error.args[0]) for tie in named)
    if problems:
        return persona, problems
    settled = persona.model_copy(update={"setting": world})
    return settled, tuple(_problems(ties, settled))


def _problems(ties: Iterable[Tie], persona: Persona) -> Iterator[Problem]:
    declared: Variables = persona.setting.variables if persona.setting else {}
    advice = "" if persona.setting else ", as the persona names no world"
    for tie in ties:
        for what in faults(parse(tie.condition), declared) if tie.condition else ():
            yield tie.problem(what + advice)
        if tie.fact and tie.fact not in persona.known_facts:
            known = no_such("fact, or entry with keywords,", tie.fact, persona.known_facts)
            yield tie.problem(known)
