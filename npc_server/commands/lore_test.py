"""`npc persona lore-test`: what a line would have a character told, why, and what had no room."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from npc_server.base_models.errors import BaseModelError
from npc_server.commands.command_line import AsJson, ConfigFile, complain, config_of, say
from npc_server.commands.completion import complete_character
from npc_server.commands.known_names import require_known
from npc_server.config import Config
from npc_server.engine.errors import ModelLoadError
from npc_server.errors import ConfigError
from npc_server.lore_shelves import Shelves
from personas.lore.embeddings import load_embedder
from personas.lore.firing import HeldBack, Occasion, Outcome, fire
from personas.lore_notes import note_of, secret_notes
from personas.notes import Note, ToldNotes
from personas.persona import Persona
from personas.persona_files import load_characters
from personas.render import notes_before_a_line
from personas.situation import Situation, world_notes
from personas.variables import ValueRefusedError, Values, assigned_values

if TYPE_CHECKING:
    from npc_server.engine.vocab import Vocab

EXAMPLE = 'npc persona lore-test "Who owns the mill?" --character mira --world quest.mill=2'


@dataclass(frozen=True)
class _Findings:
    """What one line would have one character told."""

    persona: Persona
    state: Values
    notes: ToldNotes
    outcome: Outcome
    counted: bool  # whether tokens were


def lore_test(
    text: Annotated[str, typer.Argument(help="What the player says.")],
    character: Annotated[
        str | None,
        typer.Option(
            "--character",
            help="Whom they say it to; the first of the cast when left out.",
            autocompletion=complete_character,
        ),
    ] = None,
    world: Annotated[
        list[str] | None,
        typer.Option("--world", help="A value of the world, as quest.mill=2; may be repeated."),
    ] = None,
    before: Annotated[
        list[str] | None,
        typer.Option("--before", help="A line said before, the oldest first; may be repeated."),
    ] = None,
    turn: Annotated[
        int, typer.Option("--turn", min=1, help="Which turn of the conversation it is.")
    ] = 1,
    folder: Annotated[
        Path | None,
        typer.Option("--cast", help="A folder of characters; the configured one when left out."),
    ] = None,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Show which lore a line would fire, why, what is held back, and what has no room.

    Tokens are counted with the configured base. Stickiness and rests begin with the conversation,
    so there are none; chance is drawn as for a conversation of its own.
    """
    config = config_of(config_file)
    root = folder or config.paths.characters
    cast = load_characters(root, config.paths.worlds_of(root))
    if character is not None:
        require_known("character", character, cast)
    persona = cast[character] if character else next(iter(cast.values()))
    situation = Situation(_values(persona, world or ()))
    lines = [text, *reversed(before or ())]
    findings = _find(persona, situation, lines, turn - 1, config)
    if as_json:
        say(json.dumps(_as_json(findings), ensure_ascii=False, indent=2))
    else:
        _show(findings)


def _values(persona: Persona, assignments: Sequence[str]) -> Values:
    declared = persona.setting.variables if persona.setting else {}
    try:
        return assigned_values(assignments, declared)
    except ValueRefusedError as error:
        where = "" if persona.setting else f"; {persona.id} names no world"
        raise ConfigError(f"--world: {error}{where}") from error


def _find(
    persona: Persona, situation: Situation, lines: Sequence[str], turn: int, config: Config
) -> _Findings:
    embedding = config.lore.embedding_model
    shelves = Shelves(load_embedder(embedding) if embedding else None)
    state = situation.state(persona.setting)
    occasion = Occasion(persona.id, lines, state, turn, conversation=persona.version)
    outcome = fire(shelves.build(persona), occasion, config.lore.settings.rules)
    standing = world_notes(persona.setting, situation) if persona.setting else ()
    lore = (note_of(firing) for firing in outcome.fired)
    notes = (*standing, *secret_notes(persona, state), *lore)
    vocab = _vocab_of(config)
    told = ToldNotes(notes) if vocab is None else _fitting(notes, lines[0], vocab, config)
    return _Findings(persona, state, told, outcome, counted=vocab is not None)


def _fitting(notes: Sequence[Note], line: str, vocab: Vocab, config: Config) -> ToldNotes:
    room = config.lore.settings.room_tokens(config.reply_context)
    return notes_before_a_line(notes, room, line, vocab)


def _vocab_of(config: Config) -> Vocab | None:
    from npc_server.vocabulary import open_vocab

    try:
        return open_vocab(config)[1]
    except (BaseModelError, ModelLoadError, ConfigError) as error:
        complain(f"warning: tokens are not counted, as there is nothing to count with: {error}")
        return None


def _reasons(outcome: Outcome) -> Mapping[str, str]:
    """Why entries fired, by source."""
    return {firing.source: f"{firing.reason} {firing.detail}".strip() for firing in outcome.fired}


def _show(findings: _Findings) -> None:
    persona, told, reasons = findings.persona, findings.notes, _reasons(findings.outcome)
    where = f" of {persona.setting.card.name}" if persona.setting else ""
    say(f"{persona.name}{where}" + "".join(_as_it_is(findings.state)))
    counted = f", {told.tokens} of {told.room} tokens" if findings.counted and told.room else ""
    say(f"told{counted}:" if told.kept else "told: nothing")
    for note in told.kept:
        say(_line(note, reasons))
    if told.dropped:
        say("left out for want of room:")
        for note in told.dropped:
            say(_line(note, reasons))
    if findings.outcome.held_back:
        say("held back:")
        for held in findings.outcome.held_back:
            say(f"  {held.firing.source} ({_why_found(held)}): {held.why}")


def _as_it_is(state: Values) -> Sequence[str]:
    return [f", {name}={str(value).lower()}" for name, value in state.items()]


def _line(note: Note, reasons: Mapping[str, str]) -> str:
    return f"  {note.source} ({reasons.get(note.source, note.kind)}): {note.text}"


def _why_found(held: HeldBack) -> str:
    return f"{held.firing.reason} {held.firing.detail}".strip()


def _as_json(findings: _Findings) -> dict[str, Any]:
    told, reasons = findings.notes, _reasons(findings.outcome)
    return {
        "character": findings.persona.id,
        "world": findings.persona.world,
        "values": dict(findings.state),
        "told": [_plain(note, reasons) for note in told.kept],
        "left_out": [_plain(note, reasons) for note in told.dropped],
        "held_back": [
            {"source": held.firing.source, "found_by": _why_found(held), "why": held.why}
            for held in findings.outcome.held_back
        ],
        "tokens": told.tokens if findings.counted else None,
        "room": told.room if findings.counted else None,
    }


def _plain(note: Note, reasons: Mapping[str, str]) -> dict[str, Any]:
    why = reasons.get(note.source, str(note.kind))
    return {"source": note.source, "why": why, "priority": note.priority, "text": note.text}
