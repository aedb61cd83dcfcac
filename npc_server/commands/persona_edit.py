"""`npc persona set`: one value of a character's files, all else left as it was written."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from npc_server.commands.command_line import say
from npc_server.config import Config
from npc_server.errors import ConfigError
from personas.durable import write_synced
from personas.errors import PersonaError
from personas.persona_files import FILES, in_its_world, load_character, read_texts
from personas.yaml_edit import EditError, with_value
from personas.yaml_file import Loc, text_in

_PART = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


def edit(folder: Path, config: Config, key: str, written: str) -> None:
    """Set a value, or raise what would be wrong with the files then: PersonaError, ConfigError."""
    file, loc = _place(key)
    worlds = config.paths.worlds_of(folder.absolute().parent)
    before = load_character(folder, worlds)
    texts = {name: text_in(folder / name, folder.parent) or "" for name in FILES}
    try:
        texts[file] = with_value(texts[file], loc, yaml.safe_load(written))
    except (EditError, yaml.YAMLError) as error:
        raise ConfigError(f"{key}: {error}") from error
    reading = in_its_world(read_texts(folder.absolute(), texts), worlds)
    if reading.persona is None:
        raise PersonaError(reading.problems)
    _replace(folder / file, texts[file])
    say(f"{folder / file}: {key} is set; version {before.version} -> {reading.persona.version}")


def _place(key: str) -> tuple[str, Loc]:
    """The file and place of a key: `voice.style`, `lore.facts[0].fact`, `probes[2].ask`."""
    parts = list(_PART.finditer(key))
    if not key or "".join(part[0] for part in parts) != key:
        raise ConfigError(f"{key!r} is no key; write it as voice.style or lore.facts[0].fact")
    loc: Loc = tuple(part[1] if part[1] is not None else int(part[2]) for part in parts)
    if loc[0] == "lore" and len(loc) > 1:
        return "lore.yaml", loc[1:]
    return ("probes.yaml" if loc[0] == "probes" else "persona.yaml"), loc


def _replace(file: Path, text: str) -> None:
    """Put the new text in place of the old at once, so that nobody reads half of it."""
    beside = file.with_name(f".{file.name}.saving")
    write_synced(beside, text.encode())
    beside.replace(file)
