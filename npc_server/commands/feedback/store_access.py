"""The feedback store as commands reach it: opened if it is there, with players by pseudonym."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from feedback_store.privacy.pseudonyms import Pseudonyms, is_pseudonym, key_for, read_key
from npc_server.commands.command_line import complain
from npc_server.commands.exit_codes import Exit
from npc_server.commands.known_names import cast_of, require_known, with_versions
from npc_server.config import Config

if TYPE_CHECKING:
    from feedback_store.store import Store

Game = Annotated[
    str, typer.Option("--game", help="The player's game, where several share the server.")
]

LOCK_WAIT_S = 30.0  # a serving process may hold the store for a while


@contextmanager
def open_store(config: Config) -> Iterator[Store]:
    """Open the store that is there; a command never makes one."""
    file = config.paths.store
    if not file.is_file():
        complain(f"no feedback store at {file}; serve first, and let people play")
        raise typer.Exit(Exit.MISSING)
    from feedback_store.store import Store  # takes half a second to load

    with Store.open(file, LOCK_WAIT_S, search_damage=False) as store:
        yield store


def characters_asked_for(config: Config, store: Store, character: str | None) -> list[str]:
    """The one that is named, or all that players talked to. Raises ConfigError for a wrong name.

    Who left the cast is known as long as there is something of theirs.
    """
    talked_to = store.characters()
    if character is None:
        return talked_to
    known = {*talked_to, *cast_of(config), *with_versions(config)}
    require_known("character", character, known)
    return [character]


def pseudonym_of(config: Config, store: Store, player: str, game: str) -> str:
    """The pseudonym of a game's player, who is named by its id or by it. Raises KeyFileError."""
    if is_pseudonym(player):
        return player
    ensure_pseudonyms(config, store)
    return Pseudonyms(read_key(config.paths.player_key)).of(player, game)


def ensure_pseudonyms(config: Config, store: Store) -> None:
    """Replace the ids that an old release stored as the game sent them."""
    of = Pseudonyms(key_for(config.paths.player_key, store.latest_player())).of
    store.ensure_pseudonyms(is_pseudonym, of).result()
