"""What the files of a character say, told as the fields of a card. Pure.

Each field has the parts of the files that it comes from. As long as those say what they said when
the card was imported, the card keeps its own words, macros and all; else the files speak. The other
way round, a field that another program changed is taken into the files again (`retaken`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from personas.cards.book_lore import BookLore
from personas.cards.draft import LORE, PERSONA, PROBES
from personas.cards.entry_ids import book_entries, entries_at, text_at
from personas.cards.example_talk import text_of

Object = dict[str, Any]
Files = Mapping[str, Object]  # the content of persona.yaml and so on, by name


@dataclass(frozen=True)
class Field:
    """A field of a card: what of the files it comes from, and how it tells that."""

    sources: Callable[[Files], Any]
    told: Callable[[Files], Any]


def changed_fields(before: Files | None, now: Files) -> dict[str, Any]:
    """What is new in the fields of a card since the files were as before; None = since ever."""
    return {
        name: field.told(now)
        for name, field in FIELDS.items()
        if before is None or _same_text(field.sources(before)) != _same_text(field.sources(now))
    }


def retaken(
    files: Files, draft: Files, fields: frozenset[str], book: BookLore
) -> dict[str, Object]:
    """The files with what a draft says in place of what came from these fields of a card.

    `book` is what the lorebook became, should it be among them.
    """
    persona, lore, probes = (dict(files[name]) for name in (PERSONA, LORE, PROBES))
    for key in (key for name in fields for key in _KEYS.get(name, ())):
        persona.pop(key, None)
        persona |= {key: draft[PERSONA][key]} if key in draft[PERSONA] else {}
    if "description" in fields:
        lore["facts"] = draft[LORE]["facts"]
        subjects = {one["id"] for part in ("facts", "secrets") for one in lore.get(part, ())}
        asked = (one for one in probes["probes"] if one.get("about") in {None, *subjects})
        probes["probes"] = list(asked) or draft[PROBES]["probes"]
    for place in sorted(fields - {"character_book"}):
        _replace(lore, entries_at(lore, place), entries_at(draft[LORE], place))
    if "character_book" in fields:
        _replace(lore, list(book_entries(lore).values()), list(book.entries))
    return {PERSONA: persona, LORE: lore, PROBES: probes}


def _replace(lore: Object, old: list[Object], new: list[Object]) -> None:
    """Put entries in place of others, into content of lore.yaml."""
    gone = {one["id"] for one in old}
    entries = [one for one in lore.pop("entries", ()) if one["id"] not in gone]
    if entries := [*entries, *new]:
        lore["entries"] = entries


#: Keys of persona.yaml that come from a field.
_KEYS = {
    "name": ("name",),
    "nickname": ("name",),
    "description": ("role", "summary"),
    "personality": ("voice",),
    "mes_example": ("examples",),
    "first_mes": ("greetings",),
    "alternate_greetings": ("greetings",),
}


def _same_text(value: Any) -> Any:
    """The value with every text in one line, as personas are read."""
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, Mapping):
        return {key: _same_text(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_same_text(one) for one in value]
    return value


def _persona(*keys: str) -> Callable[[Files], Any]:
    return lambda files: [files[PERSONA].get(key) for key in keys]


def _description_sources(files: Files) -> Any:
    facts = [fact["fact"] for fact in files[LORE]["facts"]]
    further = entries_at(files[LORE], "description")
    return [*_persona("name", "role", "summary", "goals", "relationships")(files), facts, further]


def _description(files: Files) -> str:
    persona = files[PERSONA]
    parts = (
        f"{{{{char}}}} is {persona['role']}.",
        persona["summary"],
        *(fact["fact"] for fact in files[LORE]["facts"]),
        *persona.get("goals", ()),
        *(one["text"] for one in persona.get("relationships", ())),
        text_at(files[LORE], "description"),
    )
    return _lines(parts)


def _personality(files: Files) -> str:
    voice = files[PERSONA]["voice"]
    style = voice["style"].removeprefix(f"{files[PERSONA]['name']}'s personality: ")
    sayings = (f'{{{{char}}}} often says "{saying}".' for saying in voice.get("sayings", ()))
    return _lines([style, text_at(files[LORE], "personality"), *sayings])


def _voice(files: Files) -> Any:
    voice = files[PERSONA]["voice"]
    sayings = list(voice.get("sayings", ()))
    return [voice["style"], sayings, entries_at(files[LORE], "personality")]


def _orders(files: Files) -> str:
    secrets = files[LORE].get("secrets", ())
    parts = (
        *(taboo["rule"] for taboo in files[PERSONA].get("taboos", ())),
        *(f"Asked about {secret['topic']}, {secret['deflect']}" for secret in secrets),
        text_at(files[LORE], "post_history_instructions"),
    )
    return _lines(parts)


def _order_sources(files: Files) -> Any:
    rules = [taboo["rule"] for taboo in files[PERSONA].get("taboos", ())]
    secrets = [[s["topic"], s["deflect"]] for s in files[LORE].get("secrets", ())]
    return [rules, secrets, entries_at(files[LORE], "post_history_instructions")]


def _examples(files: Files) -> str:
    examples = files[PERSONA].get("examples", ())
    return text_of((one["player"], one["reply"]) for one in examples)


def _entries(place: str) -> Field:
    return Field(
        sources=lambda files: entries_at(files[LORE], place),
        told=lambda files: text_at(files[LORE], place),
    )


def _first_greeting(files: Files) -> str:
    return next(iter(files[PERSONA].get("greetings", ())), "")


def _further_greetings(files: Files) -> list[str]:
    return list(files[PERSONA].get("greetings", ()))[1:]


def _lines(parts: Iterable[str]) -> str:
    return "\n".join(" ".join(part.split()) for part in parts if part)


FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        "name": Field(_persona("name"), lambda files: files[PERSONA]["name"]),
        "description": Field(_description_sources, _description),
        "personality": Field(_voice, _personality),
        "scenario": _entries("scenario"),
        "system_prompt": _entries("system_prompt"),
        "post_history_instructions": Field(_order_sources, _orders),
        "mes_example": Field(_persona("examples"), _examples),
        "first_mes": Field(_first_greeting, _first_greeting),
        "alternate_greetings": Field(_further_greetings, _further_greetings),
    }
)
