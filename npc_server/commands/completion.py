"""Arguments that a shell completes: ids of characters, and their versions.

Whatever a completion prints or raises lands in the line that the user is typing. So when nothing
can be found, for whatever reason, nothing is offered.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from npc_server.commands.command_line import config_of
from npc_server.config import Config
from personas.adapter_repo import AdapterRepo
from personas.persona_files import character_folders


def complete_character(context: typer.Context, incomplete: str) -> list[str]:
    """The ids of the configured characters that begin so."""
    try:
        names = [one.name for one in character_folders(_config(context).paths.characters)]
    except Exception:  # nothing may land in the line that is being typed
        return []
    return [name for name in names if name.startswith(incomplete)]


def complete_version(context: typer.Context, incomplete: str) -> list[str]:
    """The versions of the character named before, or those of its reward heads, newest first."""
    try:
        repo = adapter_repo(_config(context), bool(context.params.get("heads")))
        versions = [one.version for one in repo.versions(context.params["character"])]
    except Exception:  # as above
        return []
    return [version for version in reversed(versions) if version.startswith(incomplete)]


def _config(context: typer.Context) -> Config:
    file = context.params.get("config_file")
    return config_of(Path(file) if file else None)


def adapter_repo(config: Config, heads: bool) -> AdapterRepo:
    """The versions of characters, or of their reward heads."""
    return AdapterRepo(config.paths.heads if heads else config.paths.adapters)


Character = Annotated[
    str, typer.Argument(help="Character id, such as mira.", autocompletion=complete_character)
]
AnyCharacter = Annotated[
    str | None,
    typer.Argument(help="Character id; all when left out.", autocompletion=complete_character),
]
Version = Annotated[
    str,
    typer.Argument(
        help="Version, as `npc adapters list` shows it.", autocompletion=complete_version
    ),
]
