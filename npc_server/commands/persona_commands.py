"""The `npc persona` commands: what a designer asks about the files of a cast."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from languages.tags import language_of
from npc_server.commands.card_commands import export_card, import_card
from npc_server.commands.cast_sizes import check_sizes
from npc_server.commands.command_line import ConfigFile, config_of, plural, say
from npc_server.commands.known_names import require_there
from npc_server.commands.lore_test import EXAMPLE, lore_test
from personas.persona_files import load_characters

app = typer.Typer(
    name="persona",
    help="Persona files.",
    epilog="Example:  npc persona check",
    no_args_is_help=True,
)

app.command("import", epilog="Example:  npc persona import tamsin.png --name tamsin")(import_card)
app.command("export", epilog="Example:  npc persona export mira --to mira.charx")(export_card)


app.command("lore-test", epilog=f"Example:  {EXAMPLE}")(lore_test)


@app.command("check", epilog="Example:  npc persona check characters/")
def check(
    folder: Annotated[
        Path | None,
        typer.Argument(help="A folder of characters; the configured one when left out."),
    ] = None,
    config_file: ConfigFile = None,
) -> None:
    """Check persona files, and show every problem of every file with its line.

    Sizes are counted with the configured base and its context_tokens.
    """
    config = config_of(config_file)
    if folder is not None:
        require_there("folder", folder)
    root = folder or config.paths.characters
    characters = load_characters(root, config.paths.worlds_of(root))
    for persona in characters.values():
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
    check_sizes(characters, config)
