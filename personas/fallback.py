"""What a character says where a reply is withheld: its own lines, or some for anybody. Pure."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from importlib import resources

import yaml

from languages.tags import primary
from personas.own_language import UNDECLARED
from personas.persona import Persona


def fallback_line(persona: Persona, seed: int, said: Collection[str] = ()) -> str:
    """One of the character's lines, chosen by seed: one that was not `said`, if there is one."""
    lines = persona.fallback_lines or default_lines(persona.language)
    fresh = [line for line in lines if line not in said] or list(lines)
    return fresh[seed % len(fresh)]


def default_lines(language: str) -> Sequence[str]:
    """Lines of a language in nobody's voice; English ones, where nobody has written any."""
    lines = _lines()
    return lines.get(primary(language) or UNDECLARED, lines[UNDECLARED])


@cache
def _lines() -> Mapping[str, Sequence[str]]:
    text = (resources.files("personas") / "default_lines.yaml").read_text("utf-8")
    lines: Mapping[str, Sequence[str]] = yaml.safe_load(text)
    return lines
