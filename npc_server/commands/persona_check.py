"""`npc persona check`: everything that is wrong with persona files, and what they cost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from languages.tags import language_of
from npc_server.commands.cast_sizes import Measured, measure, require_fit
from npc_server.commands.command_line import complain, plural, say
from npc_server.commands.exit_codes import Exit
from npc_server.config import Config
from personas.advice import advice_on, advice_on_world
from personas.errors import PersonaError, Problem
from personas.persona import Persona
from personas.persona_files import Reading, in_its_world, read_folder


@dataclass(frozen=True)
class Findings:
    """What was found out about some characters."""

    personas: Mapping[str, Persona]
    problems: tuple[Problem, ...]
    advice: tuple[Problem, ...]
    measured: Mapping[str, Measured]

    @property
    def faulty(self) -> bool:
        """Whether some of them cannot be served."""
        return bool(self.problems) or any(one.faults for one in self.measured.values())


def find_out(folders: Sequence[Path], config: Config) -> Findings:
    """Read the characters in these folders, whatever is wrong with them."""
    readings = [(folder, _reading(folder, config)) for folder in folders]
    good = {reading.persona.id: reading.persona for _, reading in readings if reading.persona}
    problems = dict.fromkeys(what for _, reading in readings for what in reading.problems)
    advice = [what for folder, reading in readings for what in _advice(folder, reading, config)]
    return Findings(good, tuple(problems), tuple(dict.fromkeys(advice)), measure(good, config))


def _reading(folder: Path, config: Config) -> Reading:
    root = folder.absolute().parent
    return in_its_world(read_folder(folder, folder.parent), config.paths.worlds_of(root))


def _advice(folder: Path, reading: Reading, config: Config) -> list[Problem]:
    persona = reading.persona
    if persona is None:
        return []
    root = folder.absolute().parent
    beside = {one.name for one in root.iterdir() if one.is_dir()}
    found, world = advice_on(persona, folder, beside), persona.setting
    if world is None:
        return found
    return [*found, *advice_on_world(world, config.paths.worlds_of(root).root / world.id, beside)]


def show(found: Findings) -> None:
    """Print what was found. Raises PersonaError and CharacterTooLargeError."""
    for name, persona in found.personas.items():
        _show_character(persona, found.measured.get(name))
    for what in found.advice:
        complain(f"warning: {what}")
    if found.problems:
        raise PersonaError(found.problems)
    require_fit(found.measured.values())


def _show_character(persona: Persona, measured: Measured | None) -> None:
    lore = persona.lore
    counts = ", ".join(
        (
            plural(len(lore.facts), "fact"),
            plural(len(lore.secrets), "secret"),
            plural(len(persona.probes), "probe"),
        )
    )
    spoken = f", {language_of(persona.language).name}" if persona.language else ""
    say(f"{persona.id}: {persona.name}{spoken}, {counts}, version {persona.version}")
    for gap in persona.gaps:
        say(f"{persona.id}: {gap}")
    if measured is not None:
        say(measured.told)
        if measured.size.warning:
            complain(f"warning: {measured.size.warning}")


def print_json(found: Findings) -> Exit:
    """Print what was found for scripts; returns the exit code."""
    content = {
        "characters": [_entry(one, found.measured.get(one.id)) for one in found.personas.values()],
        "problems": [_place(problem) for problem in found.problems],
        "warnings": [_place(what) for what in found.advice],
    }
    print(json.dumps(content, ensure_ascii=False))
    return Exit.USAGE if found.faulty else Exit.DONE


def _entry(persona: Persona, measured: Measured | None) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": persona.id,
        "name": persona.name,
        "language": persona.language,
        "version": persona.version,
        "gaps": [str(gap) for gap in persona.gaps],
    }
    if measured is None:
        return entry
    size = measured.size
    tokens = {
        "parts": dict(measured.parts),
        "opening": size.opening,
        "reply": size.reply,
        "history": size.history,
        "context": size.context,
    }
    return {**entry, "tokens": tokens, "faults": list(measured.faults)}


def _place(problem: Problem) -> dict[str, Any]:
    return {**asdict(problem), "file": str(problem.file)}
