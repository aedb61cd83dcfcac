"""The table of the `npc model` commands."""

from __future__ import annotations

import typer

from npc_server.commands.models import checking, listing, naming, pulling
from npc_server.commands.training import base_training

app = typer.Typer(
    name="model",
    help="Base models: by name, from a hub, from a file.",
    epilog="Example:  npc model list",
    no_args_is_help=True,
)

app.command("list", epilog="Example:  npc model list --json")(listing.list_models)
app.command("pull", epilog="Example:  npc model pull qwen3-4b")(pulling.pull)
app.command(
    "add", epilog="Example:  npc model add town-7b hf:studio/Town-7B-GGUF/town-Q4_K_M.gguf"
)(naming.add)
app.command("remove", epilog="Example:  npc model remove qwen3-4b")(naming.remove)
app.command("check", epilog="Example:  npc model check qwen3-4b")(checking.check)
app.command("train", epilog="Example:  npc model train town --full")(base_training.train)
