"""The `npc memory` commands: what a character remembers of a player, shown, corrected, forgotten.

They may be used while a server is serving from the same store: what is changed is heard with the
player's next line. Deleted text is left in the store's free space until `npc feedback purge`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feedback_store.audit import Action
from feedback_store.records import DEFAULT_GAME
from npc_server.commands.auditing import write_down
from npc_server.commands.command_line import (
    AsJson,
    ConfigFile,
    Yes,
    config_of,
    confirm,
    plural,
    say,
)
from npc_server.commands.completion import Character
from npc_server.commands.feedback.store_access import (
    Game,
    characters_asked_for,
    open_store,
    pseudonym_of,
)
from npc_server.commands.known_names import require_known
from npc_server.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from feedback_store.memory_records import Memories, Span
    from feedback_store.store import Store
    from npc_server.memory.facts import Fact

app = typer.Typer(
    name="memory",
    help="What characters remember of players: show, correct, forget.",
    epilog="Example:  npc memory show mira player-4711",
    no_args_is_help=True,
)

Player = Annotated[str, typer.Argument(help="The game's id of the player, or a pseudonym.")]


@app.command(epilog="Example:  npc memory show mira player-4711")
def show(
    character: Character,
    player: Player,
    as_json: AsJson = False,
    game: Game = DEFAULT_GAME,
    config_file: ConfigFile = None,
) -> None:
    """Show what a character remembers of a player, and which turns it comes from."""
    from npc_server.memory.facts import facts

    with _memories(config_file, character, player, game) as (_, memories):
        known = facts(memories.statements)
    if as_json:
        print(json.dumps(_as_json(known, memories), indent=2))
        return
    if not memories:
        say(f"{character} remembers nothing of {player}")
        return
    for line in _lines(known, memories):
        say(line)


@app.command(epilog='Example:  npc memory edit mira player-4711 1f0c9a2b7d3e "Ada is a smith."')
def edit(
    character: Character,
    player: Player,
    fact: Annotated[str, typer.Argument(help="Id of the fact, as `show` prints it.")],
    text: Annotated[str, typer.Argument(help="What the character is told instead, as it stands.")],
    game: Game = DEFAULT_GAME,
    config_file: ConfigFile = None,
) -> None:
    """Put a text of your own in place of a fact; a newer word of the player replaces it again."""
    from npc_server.memory.facts import facts
    from npc_server.memory.tellings import MAX_CHARACTERS

    said = " ".join(text.split())
    if not 0 < len(said) <= MAX_CHARACTERS:
        raise ConfigError(f"the text has {len(said)} characters; write 1 to {MAX_CHARACTERS}")
    with _memories(config_file, character, player, game) as (store, memories):
        require_known("fact", fact, [one.fact_id for one in facts(memories.statements)])
        store.edit_statement(fact, said).result()
    say(f"{character} now remembers: {said}")


@app.command(epilog="Example:  npc memory forget mira player-4711 1f0c9a2b7d3e")
def forget(
    character: Character,
    player: Player,
    ids: Annotated[
        list[str] | None,
        typer.Argument(help="Ids of facts and summaries; all of them when left out."),
    ] = None,
    yes: Yes = False,
    game: Game = DEFAULT_GAME,
    config_file: ConfigFile = None,
) -> None:
    """Have a character forget facts and summaries of a player, or all; what was said stays."""
    from npc_server.memory.facts import forgettable

    with _memories(config_file, character, player, game, undone=not ids) as (store, memories):
        rows = forgettable(memories)
        for one in ids or ():
            require_known("memory", one, list(rows))
        asked = list(dict.fromkeys(ids or rows))
        if asked:
            question = f"Have {character} forget {_things(len(asked))} of {player}, for good?"
            confirm(yes, question)
            store.delete_memories([row for one in asked for row in rows[one]]).result()
            players = [one.player_id for one in memories.statements]
            players += [one.player_id for one in memories.summaries]
            about = {"character": character, "player": players[0], "memories": str(len(asked))}
            write_down(config_of(config_file), Action.FORGOTTEN, **about)
    say(f"{character} has forgotten {_things(len(asked))} of {player}")


def _things(number: int) -> str:
    return plural(number, "thing")


@contextmanager
def _memories(
    config_file: Path | None, character: str, player: str, game: str, undone: bool = False
) -> Iterator[tuple[Store, Memories]]:
    """The store, and what the character remembers of the player, in whatever session.

    With `undone`, what a loaded save game took back is among it.
    """
    config = config_of(config_file)
    with open_store(config) as store:
        characters_asked_for(config, store, character)
        pseudonym = pseudonym_of(config, store, player, game)
        yield store, store.memories(character, pseudonym, undone=undone)


def _lines(known: Sequence[Fact], memories: Memories) -> Iterator[str]:
    """A line for each memory: its id, when it was told or made, what it says, and of that more."""
    for fact in known:
        said = fact.statement
        before = f" (before: {'; '.join(one.text for one in fact.replaced)})"
        yield _line(
            said.told_at, fact.fact_id, said.text, before if fact.replaced else "", said.span
        )
    for one in memories.summaries:
        turns = f" (of {plural(len(one.turn_ids), 'turn')})"
        yield _line(one.made_at, one.summary_id, one.text, turns, one.span)


def _line(moment: datetime, memory_id: str, text: str, more: str, span: Span) -> str:
    kept = "" if span.value == "player" else " (in its session alone)"
    return f"{memory_id}  {moment:%Y-%m-%d %H:%M}  {text}{more}{kept}"


def _as_json(known: Sequence[Fact], memories: Memories) -> dict[str, Any]:
    return {
        "facts": [_fact_fields(fact) for fact in known],
        "summaries": [
            {
                "id": one.summary_id,
                "text": one.text,
                "turn_ids": list(one.turn_ids),
                "session_id": one.session_id,
                "kept_for": one.span.value,
                "made_at": one.made_at.isoformat(),
            }
            for one in memories.summaries
        ],
    }


def _fact_fields(fact: Fact) -> dict[str, Any]:
    said = fact.statement
    return {
        "id": fact.fact_id,
        "text": said.text,
        "topic": said.topic,
        "turn_ids": list(fact.turn_ids),
        "replaced": [one.text for one in fact.replaced],
        "spoken_to": said.spoken_to,
        "found_by": said.finder.value,
        "kept_for": said.span.value,
        "told_at": said.told_at.isoformat(),
    }
