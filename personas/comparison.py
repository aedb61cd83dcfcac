"""What two characters, or two versions of one, say differently. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

from personas.persona import Persona
from personas.prompt_cost import cost_by_part
from personas.render import Tokenizer, system_text


@dataclass(frozen=True)
class Change:
    """One value that differs; None = not there."""

    key: str  # such as `voice.style` or `lore.facts[forge].fact`
    before: object
    after: object


def changes(before: Persona, after: Persona) -> list[Change]:
    """Every value that differs, by key, in the order of the files; entries go by their ids."""
    old, new = dict(_values("", _plain(before))), dict(_values("", _plain(after)))
    keys = [*old, *(key for key in new if key not in old)]
    return [Change(key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)]


def prompt_difference(before: Persona, after: Persona) -> list[str]:
    """The system texts by sentences, as a unified diff without a head; empty = they are equal."""
    old, new = (_sentences(system_text(persona)) for persona in (before, after))
    return list(unified_diff(old, new, lineterm="", n=1))[2:]


def cost_difference(
    before: Persona, after: Persona, tokenizer: Tokenizer
) -> dict[str, tuple[int, int]]:
    """Tokens of each part of the prompt, before and after."""
    old, new = cost_by_part(before, tokenizer), cost_by_part(after, tokenizer)
    names = [*new, *(name for name in old if name not in new)]
    return {name: (old.get(name, 0), new.get(name, 0)) for name in names}


def _plain(persona: Persona) -> dict[str, Any]:
    return persona.model_dump(mode="json")


def _values(place: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _values(f"{place}.{key}" if place else str(key), inner)
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for index, inner in enumerate(value):
            name = inner.get("id", index) if isinstance(inner, Mapping) else index
            yield from _values(f"{place}[{name}]", inner)
    elif isinstance(value, list):
        yield from ((f"{place}[{index}]", inner) for index, inner in enumerate(value))
    else:
        yield place, value


def _sentences(text: str) -> list[str]:
    """Sentence by sentence, as a paragraph of many would differ as a whole."""
    return [part for line in text.splitlines() for part in line.replace(". ", ".\n").splitlines()]
