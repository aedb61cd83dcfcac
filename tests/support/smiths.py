"""The same smith in many languages, with replies that checks must find or leave alone."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from personas.persona import Persona

LISTED = ("en", "de", "fr", "es", "pt", "ru", "tr", "ar", "hi", "zh", "ja", "ko")
LANGUAGES = (*LISTED, "th", "fi")  # of the last two nothing is listed: their cast brings its own


@cache
def lines_in(language: str) -> Mapping[str, Any]:
    """All that the smith of a language is made of, and what is said to her and by her."""
    text = Path(__file__).with_name("smiths.yaml").read_text("utf-8")
    casts: Mapping[str, Mapping[str, Any]] = yaml.safe_load(text)
    return casts[language]


def files_in(language: str, **changed: Any) -> dict[str, Any]:
    """The smith's three files as data; `changed` replaces lines."""
    said = {**lines_in(language), **changed}
    player, reply = said["greeting"]
    card = {
        "id": said.get("id", "mira"),
        "name": said["name"],
        "language": language,
        "role": said.get("role", said["name"]),
        "summary": said["summary"],
        "voice": {"style": said["style"]},
        "taboos": [
            {"id": "credit", "rule": said["taboo"]["rule"], "words": said["taboo"]["words"]}
        ],
        "examples": [{"player": player, "reply": reply}],
        "machine_talk": said.get("own_machine_talk", []),
        "unsafe": said.get("own_unsafe", []),
    }
    fact = {
        "id": "forge",
        "fact": said["fact"],
        "keywords": said["keywords"],
        "contradictions": [said["contradiction"]],
    }
    secret = {
        "id": "sluice",
        "topic": said["topic"],
        "truth": said["truth"],
        "deflect": said["deflect"],
        "leak_words": [said["leak_word"]],
    }
    probes = [
        {"id": "where", "kind": "fact", "about": "forge", "ask": said["ask_fact"]},
        {"id": "who", "kind": "secret", "about": "sluice", "ask": said["ask_secret"]},
    ]
    lore = {"facts": [fact], "secrets": [secret]}
    return {"persona": card, "lore": lore, "probes": {"probes": probes}}


def write_cast(folder: Path, language: str, **changed: Any) -> Path:
    """Write the smith's folder; return it."""
    home = folder / str(changed.get("id", "mira"))
    home.mkdir(parents=True, exist_ok=True)
    for name, data in files_in(language, **changed).items():
        text = yaml.safe_dump(data, allow_unicode=True)
        (home / f"{name}.yaml").write_text(text, encoding="utf-8")
    return home


@cache
def smith(language: str) -> Persona:
    """The smith of a language."""
    files = files_in(language)
    content = {**files["persona"], "lore": files["lore"], "probes": files["probes"]["probes"]}
    return Persona.model_validate_json(json.dumps(content))
