"""The `npc` command: a table of commands, each in a module that is imported when it is called.

Exit codes are explained in `exit_codes`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

#: By name: the module and the line of `npc --help`, which lists them in this order. The module's
#: `app` holds the command, or is the group of that name.
COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "train": (
            "training.train_command",
            "Retrain characters from their players' feedback, behind a gate.",
        ),
        "nightly": (
            "training.nightly_command",
            "Retrain every character that has enough new feedback, at low priority.",
        ),
        "stats": (
            "stats_command",
            "Show what a running server's engine does: speed, waiting, adapters, cache.",
        ),
        "devices": (
            "devices_command",
            "List the devices that this build of llama.cpp computes on, and which ones are used.",
        ),
        "serve": ("serve_command", "Serve the characters over gRPC until interrupted."),
        "talk": (
            "talk_command",
            "Chat with a character in the terminal, and tell it what you think.",
        ),
        "demo": ("demo_command", "Watch the whole loop once: talk, react, train, swap, compare."),
        "adapters": ("adapter_commands", "Adapter versions: what exists, what is live."),
        "persona": ("persona_commands", "Persona files."),
        "model": (
            "models.model_commands",
            "Base models: by name, from a hub, from a file.",
        ),
        "feedback": (
            "feedback.feedback_commands",
            "What players said and thought: figures, exports, backups, deletion.",
        ),
        "memory": (
            "memory_commands",
            "What characters remember of players: show, correct, forget.",
        ),
        "keys": (
            "keys_commands",
            "Who may call the server: make, list and revoke keys.",
        ),
        "audit": (
            "audit_commands",
            "Who made keys, promoted, exported and deleted; and is the record whole.",
        ),
        "runs": (
            "training.run_commands",
            "Training runs: what each was begun on and what came of it.",
        ),
    }
)


class LazyCommand(TyperCommand):
    """A command or group by name and help line, whose module is imported when it is called."""

    def __init__(self, name: str, module: str, help_line: str) -> None:
        super().__init__(name, help=help_line)
        self._named = name
        self._module = module

    def load(self) -> Any:
        """The command or group itself."""
        holder = typer.Typer()
        holder.add_typer(import_module(f"npc_server.commands.{self._module}").app)
        return typer.main.get_group(holder).commands[self._named]

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """The context of the command itself, which then runs in place of this one."""
        return self.load().make_context(*arguments, **options)


class LazyGroup(TyperGroup):
    """The group of all `COMMANDS`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, (module, help_line) in COMMANDS.items():
            self.add_command(LazyCommand(name, module, help_line))


app = typer.Typer(
    cls=LazyGroup,
    help="Troupe: game characters that learn from their players.",
    epilog="Example:  npc demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        from troupe import __version__

        print(f"troupe {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None: ...


def main() -> None:
    """Entry point: errors raised on purpose become a message and an exit code."""
    try:
        app()
    except Exception as error:  # the process's edge: what nobody planned is raised again
        from npc_server.commands import command_line, exit_codes  # `npc --help` does without

        code = exit_codes.exit_of(error)
        if code is None:
            raise
        command_line.complain(str(error))
        sys.exit(code)


if __name__ == "__main__":
    main()
