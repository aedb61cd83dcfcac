"""What is allowed in a character's files and yet hardly meant, each thing told at its place.

None of it keeps a character from being served: a relationship to somebody who is not written yet, a
line that says the contrary of a fact, a fact whose loss nobody would notice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from languages.recognition import hollow_words
from languages.tags import primary
from personas import yaml_file
from personas.checks import contradicts
from personas.errors import Problem
from personas.known_names import nearest
from personas.lore.entries import Entry
from personas.own_language import UNDECLARED
from personas.persona import PLAYER, Fact, Persona, ProbeKind
from personas.persona_checks import spoken_texts
from personas.persona_files import FILES
from personas.words import words
from personas.world import World
from personas.world_files import MAX_LORE_BYTES
from personas.yaml_file import Document, Loc


def advice_on(persona: Persona, folder: Path, cast: Collection[str]) -> list[Problem]:
    """What to look at in the files of a character that is in order; `cast` are all ids."""
    documents = {name: yaml_file.read(folder / name, folder.parent) for name in FILES}
    card, lore = documents["persona.yaml"], documents["lore.yaml"]
    return [
        *_at_places(card, _strangers(persona, cast)),
        *_at_places(card, _contradictions(persona)),
        *_at_places(lore, _unheard(persona.lore.entries, cast)),
        *_at_places(lore, _kept_from_itself(persona)),
        *_at_places(lore, _without_probe(persona)),
    ]


def advice_on_world(world: World, folder: Path, cast: Collection[str]) -> list[Problem]:
    """What to look at in the lore of a world that is in order; `cast` are all ids."""
    found = _unheard(world.entries, cast)
    if not found:
        return []
    return _at_places(yaml_file.read(folder / "lore.yaml", folder.parent, MAX_LORE_BYTES), found)


def _at_places(document: Document, found: Mapping[Loc, str]) -> list[Problem]:
    return [document.problem(loc, what) for loc, what in found.items()]


def _strangers(persona: Persona, cast: Collection[str]) -> dict[Loc, str]:
    """Relationships to nobody."""
    known = {*cast, PLAYER}
    return {
        ("relationships", index, "to"): _nobody(one.to, known)
        for index, one in enumerate(persona.relationships)
        if one.to not in known
    }


def _unheard(entries: Iterable[Entry], cast: Collection[str]) -> dict[Loc, str]:
    """Ids in the audience of lore that nobody has."""
    return {
        ("entries", index, "audience", at): _nobody(one, cast)
        for index, entry in enumerate(entries)
        for at, one in enumerate(entry.audience)
        if one not in cast
    }


def _kept_from_itself(persona: Persona) -> dict[Loc, str]:
    """Lore of the character's own that its audience keeps from it, and so from everybody."""
    return {
        ("entries", index, "audience"): f"leaves out {persona.id!r}, so nobody is told it: lore"
        " for several characters belongs to their world"
        for index, entry in enumerate(persona.lore.entries)
        if entry.audience and persona.id not in entry.audience
    }


def _nobody(name: str, known: Collection[str]) -> str:
    meant = nearest(name, known)
    hint = f"; did you mean {meant!r}?" if meant else ""
    return f"nobody of the cast is called {name!r}{hint}"


def _contradictions(persona: Persona) -> dict[Loc, str]:
    """What the character says, or is told, against its own facts."""
    return {
        loc: f"says what fact {fact.id!r} rules out; keep one of them"
        for loc, text in _stated_texts(persona)
        for fact in persona.lore.facts
        if _is_about(text, fact, persona.language) and contradicts(text, fact, persona.language)
    }


def _is_about(text: str, fact: Fact, language: str) -> bool:
    """Whether a text shares a word with a fact that is neither empty nor the answer itself.

    Contradictions are wrong answers to a question about the fact; elsewhere they are mere words.
    """
    answer = {word for keyword in fact.keywords for word in words(keyword)}
    hollow = hollow_words(primary(language) or UNDECLARED)
    return not (set(words(fact.fact)) - answer - hollow).isdisjoint(words(text))


def _stated_texts(persona: Persona) -> Iterator[tuple[Loc, str]]:
    yield ("summary",), persona.summary
    yield from ((("goals", i), goal) for i, goal in enumerate(persona.goals))
    yield from spoken_texts(persona)


def _without_probe(persona: Persona) -> dict[Loc, str]:
    """Facts and secrets that no probe asks about."""
    ids = {
        (ProbeKind.FACT, "facts"): [fact.id for fact in persona.lore.facts],
        (ProbeKind.SECRET, "secrets"): [secret.id for secret in persona.lore.secrets],
    }
    asked = {(probe.kind, probe.about) for probe in persona.probes}
    return {
        (section, index, "id"): "no probe asks about it, so the gate would not notice its loss"
        for (kind, section), names in ids.items()
        for index, name in enumerate(names)
        if (kind, name) not in asked
    }
